"""logrouter's own log: events like any other, on stderr, never back into itself. Silent when all is well.

One line a message; the same message about the same thing at most once a minute, with how often it was kept back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

import orjson

from logrouter import severity, times
from logrouter.formats.values import escape_controls

RATE_LIMIT_SECONDS: Final = 60.0
LEVELS: Final = ("debug", "info", "warning", "error")


def write_stderr(line: bytes) -> None:
    """Write one line; where stderr is closed or full, there is nobody to tell."""
    try:
        os.write(2, line)
    except OSError:
        return


class Log:
    """What logrouter has to say about itself."""

    def __init__(
        self,
        level: str = "warning",
        *,
        pretty: bool = False,
        write: Callable[[bytes], None] = write_stderr,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._threshold = severity.parse(level)
        self._pretty = pretty
        self._write = write
        self._clock = clock
        self._last: dict[tuple[str, object], float] = {}
        self._kept_back: dict[tuple[str, object], int] = {}

    def debug(self, message: str, **fields: object) -> None:
        """For those who look for a mistake of ours."""
        self._event("debug", message, fields)

    def info(self, message: str, **fields: object) -> None:
        """What is well, for those who asked (`-v`)."""
        self._event("info", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """What went wrong and is over, or costs events that were discarded by a policy."""
        self._event("warning", message, fields)

    def error(self, message: str, **fields: object) -> None:
        """What goes wrong now, or has cost events."""
        self._event("error", message, fields)

    def _event(self, level: str, message: str, fields: dict[str, object]) -> None:
        if severity.parse(level) < self._threshold:
            return
        now = self._clock()
        key = (message, fields.get("sink", fields.get("source")))
        if now - self._last.get(key, float("-inf")) < RATE_LIMIT_SECONDS:
            self._kept_back[key] = self._kept_back.get(key, 0) + 1
            return
        self._last[key] = now
        if kept_back := self._kept_back.pop(key, 0):
            fields = {**fields, "repeated": kept_back}
        self._write(self._line(level, message, fields, now))

    def _line(self, level: str, message: str, fields: dict[str, object], now: float) -> bytes:
        if self._pretty:
            details = " ".join(f"{name}={value}" for name, value in fields.items())
            text = f"logrouter: {level}: {message}{' · ' if details else ''}{details}"
            return f"{escape_controls(text)}\n".encode()
        event: dict[str, object] = {"time": times.format_rfc3339(int(now * 1e6) * 1000), "severity": level}
        event |= {"message": message, "service.name": "logrouter", **fields}
        try:
            return orjson.dumps(event, default=str, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # half a character in a path, a number that no JSON library takes: say it in plain text
            plain = {name: escape_controls(str(value)) for name, value in event.items()}
            return orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)
