"""The router's end of `logrouter run`: what the supervisor has handed over, and what it is told.

See `supervisor/router.py` for what is said, and by whom. The variable that brings it is read here, once, and taken out
of the environment: it is none of the config's, and nobody else's.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from typing import Any, Final

from logrouter.config.settings import Settings
from logrouter.errors import ConfigError, Mistake
from logrouter.formats.values import without_surrogates
from logrouter.supervisor import STREAMS, VARIABLE
from logrouter.supervisor.router import TIMES

CAPTURE_FOLDER: Final = "capture"
"""Within the spool's."""


class Connection:
    """To the supervisor."""

    def __init__(self, handshake: dict[str, Any]) -> None:
        self.app = without_surrogates(handshake["app"])
        """Its name, which is that of its command."""
        self.streams: dict[str, int] = handshake["streams"]
        """Stream → the descriptor to read it from, where there are no capture files."""
        self.wake: int = handshake["wake"]
        """Where a line comes when the capture files have grown, and `end SECONDS` at last."""
        self.capture_folder: str | None = None
        """Where its capture files are; None: its output comes through pipes."""
        self._agreed: str | None = handshake.get("capture")
        """What a router before this one has agreed on: that folder, or `pipe`. None: this is the first."""
        self._terms: dict[str, Any] = {}
        self._limits: dict[str, Any] = {}
        self._status: int = handshake["status"]
        for fd in (*self.streams.values(), self.wake, self._status):
            os.set_inheritable(fd, False)

    def agree(self, settings: Settings) -> None:
        """Find out what the config says of the supervisor. What an earlier router has agreed on stays as it is.

        Raises ConfigError where a reload would have the app's output shown that is hidden now, or the reverse.
        """
        run, spool = settings.run, settings.spool
        agreed = self._agreed or (f"{spool.directory}/{CAPTURE_FOLDER}" if run.capture == "spool" else "pipe")
        self._agreed = agreed
        self.capture_folder = None if agreed == "pipe" else agreed
        self._limits = {
            "max_size": run.capture_max_size,
            "block_seconds": None if spool.block_timeout == "never" else spool.block_timeout,
        }
        tee = not _shows_or_hides(settings) if run.tee is None else run.tee
        if self._terms and self._terms["tee"] is not tee:
            problem = f"run.tee: it would now be {str(tee).lower()}, which cannot change while logrouter runs"
            raise ConfigError([Mistake("default", problem, f"write run.tee: {str(not tee).lower()}, or restart it")])
        self._terms = {
            "pass_env": run.pass_env,
            "tee": tee,
            "app_grace": run.app_grace,
            "shutdown_timeout": settings.shutdown_timeout,
        }

    def say_ready(self, offsets: dict[str, int]) -> None:
        """The app can be started. `offsets`: how far each of its streams was read before, in bytes."""
        capture = {"folder": self.capture_folder, **self._limits, "offsets": offsets} if self.capture_folder else None
        self.say("ready", **self._terms, capture=capture)

    def say_changed(self) -> None:
        """The settings that were agreed on last are in force."""
        self.say("changed", **{name: self._terms[name] for name in TIMES})

    def say(self, state: str, **what: Any) -> None:
        """Tell the supervisor, if it is still there."""
        try:
            os.write(self._status, json.dumps({"state": state, **what}).encode() + b"\n")
        except BrokenPipeError:
            return


_connections: list[Connection] = []
"""The one there is, if any."""


def connect(environ: MutableMapping[str, str]) -> Connection:
    """Take over what the supervisor handed over. Raises KeyError where there is none."""
    _connections[:] = [Connection(json.loads(environ.pop(VARIABLE)))]
    return _connections[0]


def connection() -> Connection | None:
    """To the supervisor, if there is one."""
    return _connections[0] if _connections else None


def _shows_or_hides(settings: Settings) -> bool:
    """Whether a sink writes to our own streams already, or something must not be seen there: then there is no tee."""
    shows = any(sink.type in STREAMS for sink in settings.sinks.values())
    steps = [*settings.steps]
    for source in settings.sources.values():
        steps += source.steps
    for route in settings.routes:
        steps += route.steps
    return shows or any(step.name == "redact" for step in steps)
