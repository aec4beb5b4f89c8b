"""What the supervisor has to say: lines on stderr that look like those of the router (`runtime/log.py`)."""

from __future__ import annotations

import json
import os
import select
import time
from typing import Final

INTERVAL_SECONDS: Final = 60.0
"""As `runtime/log.py` has it."""


def warn(message: str, **fields: object) -> None:
    """What went wrong and is over, or is being mended."""
    _say("warning", message, fields)


def complain(message: str, **fields: object) -> None:
    """What goes wrong now, or has cost something."""
    _say("error", message, fields)


class Seldom:
    """What would be said again and again is said once a minute."""

    def __init__(self) -> None:
        self._said_at = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether it is to be said now. Who asks says it."""
        if now < self._said_at + INTERVAL_SECONDS:
            return False
        self._said_at = now
        return True


def _say(level: str, message: str, fields: dict[str, object]) -> None:
    """Write a line, if stderr takes it at once: nobody waits for whoever reads it."""
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    try:
        if poll.poll(0):
            os.write(2, line(level, message, fields, time.time(), pretty=os.isatty(2))[: select.PIPE_BUF])
    except OSError:  # closed, or its reader has gone: there is nobody to tell
        pass


def line(level: str, message: str, fields: dict[str, object], now: float, *, pretty: bool) -> bytes:
    """A line of the log: JSON, or text for a terminal."""
    if pretty:
        details = " ".join(f"{name}={value}" for name, value in fields.items())
        text = f"logrouter: {level}: {message}{' · ' if details else ''}{details}"
        return "".join(c if c.isprintable() or c == "\t" else _escaped(c) for c in text).encode() + b"\n"
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1e6) % 1_000_000:06d}Z"
    event = {"time": moment, "severity": level, "message": message, "service.name": "logrouter", **fields}
    return json.dumps(event, separators=(",", ":"), default=str).encode() + b"\n"


def _escaped(character: str) -> str:
    """What could drive a terminal, made visible."""
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
