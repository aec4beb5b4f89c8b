"""logrouter's own log: events like any other, on stderr, never back into itself. Silent when all is well.

One line a message; the same message about the same sink or source at most once a minute, with how often it was kept
back. Where there are several things to tell of one at once, as reasons of refusals, `about` tells them apart: a word.
That something is over is said as often as it was said itself: so the last line of a sink never tells of a trouble that
has passed.

Nobody waits for whoever reads it: a line that a full pipe cannot take is left out, and counted in the next that can be
written. A pipe that polls writable takes PIPE_BUF bytes without blocking, and so no line is longer than that.
"""

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Callable
from typing import Final

from logrouter import severity, times
from logrouter.formats.values import escape_controls

RATE_LIMIT_SECONDS: Final = 60.0
LINE_BYTES: Final = select.PIPE_BUF
_LEAST_CHARACTERS: Final = 32
"""A field is not cut shorter than this."""
_Key = tuple[str, object, str]
"""A message, the sink or source, and what `about` says."""
_REMEMBERED: Final = 1024
"""Keys. What was said longest ago is forgotten, and may be said again."""
LEVELS: Final = ("debug", "info", "warning", "error")


def write_stderr(line: bytes) -> None:
    """Write one line, of no more than LINE_BYTES, without waiting. Raises OSError where stderr is full or closed."""
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    os.write(2, line)


class Log:
    """What logrouter has to say about itself."""

    def __init__(
        self,
        level: str = "warning",
        *,
        pretty: bool = False,
        write: Callable[[bytes], None] = write_stderr,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`write` raises OSError where it cannot write. `clock` tells the time; `monotonic` never goes back."""
        self._threshold = severity.parse(level)
        self._pretty = pretty
        self._write = write
        self._clock = clock
        self._monotonic = monotonic
        self._last: dict[_Key, float] = {}
        self._kept_back: dict[_Key, int] = {}
        self._lasting: set[_Key] = set()
        """What has been said, and not that it is over."""
        self._unwritten = 0
        """Lines that could not be written, and that no line has told of yet."""

    def set_level(self, level: str) -> None:
        """From which level on it speaks."""
        self._threshold = severity.parse(level)

    def debug(self, message: str, *, about: str = "", **fields: object) -> None:
        """For those who look for a mistake of ours."""
        self._event("debug", message, about, fields)

    def info(self, message: str, *, about: str = "", **fields: object) -> None:
        """What is well, for those who asked (`-v`)."""
        self._event("info", message, about, fields)

    def warning(self, message: str, *, about: str = "", **fields: object) -> None:
        """What went wrong and is over, or costs events that were discarded by a policy."""
        self._event("warning", message, about, fields)

    def error(self, message: str, *, about: str = "", **fields: object) -> None:
        """What goes wrong now, or has cost events."""
        self._event("error", message, about, fields)

    def over(self, message: str, *, trouble: str, **fields: object) -> None:
        """What the message `trouble` told of is over: a warning, where that has been said since it was over before."""
        key = self._key(trouble, "", fields)
        if key in self._lasting and self._is_said_at("warning") and self._written("warning", message, fields):
            self._lasting.discard(key)

    def _event(self, level: str, message: str, about: str, fields: dict[str, object]) -> None:
        if not self._is_said_at(level):
            return
        now = self._monotonic()
        key = self._key(message, about, fields)
        if now - self._last.get(key, float("-inf")) < RATE_LIMIT_SECONDS:
            self._kept_back[key] = self._kept_back.get(key, 0) + 1
            return
        if kept_back := self._kept_back.get(key, 0):
            fields = {**fields, "repeated": kept_back}
        if self._written(level, message, fields):
            self._remember(key, now)
            self._kept_back.pop(key, None)

    def _remember(self, key: _Key, now: float) -> None:
        """It has been said. Not of everything ever said: each file that cannot be read is a key of its own."""
        self._last.pop(key, None)  # so that they are in the order in which they were said
        self._last[key] = now
        if len(self._last) > _REMEMBERED:
            longest_ago = next(iter(self._last))
            del self._last[longest_ago]
            self._kept_back.pop(longest_ago, None)
        if not key[2]:  # what is over is told of by its message alone
            self._lasting.add(key)

    def _is_said_at(self, level: str) -> bool:
        return bool(severity.parse(level) >= self._threshold)

    def _key(self, message: str, about: str, fields: dict[str, object]) -> _Key:
        return message, fields.get("sink", fields.get("source")), about

    def _written(self, level: str, message: str, fields: dict[str, object]) -> bool:
        """Write it, if that can be done now, and before it how many could not."""
        now = self._clock()
        try:
            if self._unwritten:
                self._write(self._line("error", "log lines could not be written", {"lines": self._unwritten}, now))
                self._unwritten = 0
            self._write(self._line(level, message, fields, now))
        except OSError:  # full or closed: there is nobody to tell
            self._unwritten += 1
            return False
        return True

    def _line(self, level: str, message: str, fields: dict[str, object], now: float) -> bytes:
        """One line, with the longest texts cut where it would be too long."""
        texts = {"message": message, **fields}
        while len(line := self._whole_line(level, texts, now)) > LINE_BYTES:
            longest = max(texts, key=lambda name: len(str(texts[name])))
            text = str(texts[longest])
            if len(text) <= _LEAST_CHARACTERS:  # a crowd of fields
                return self._whole_line(level, {"message": message}, now)
            kept = max(len(text) // 2, len(text) - (len(line) - LINE_BYTES) - len("…".encode()))
            texts[longest] = text[:kept] + "…"
        return line

    def _whole_line(self, level: str, texts: dict[str, object], now: float) -> bytes:
        if self._pretty:
            details = " ".join(f"{name}={value}" for name, value in texts.items() if name != "message")
            text = f"logrouter: {level}: {texts['message']}{' · ' if details else ''}{details}"
            return f"{escape_controls(text)}\n".encode()
        import orjson  # 3 ms of the start, where there is nothing to say

        event: dict[str, object] = {"time": times.format_rfc3339(int(now * 1e6) * 1000), "severity": level}
        event |= {"message": texts["message"], "service.name": "logrouter", **texts}
        try:
            return orjson.dumps(event, default=str, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # half a character in a path, a number that no JSON library takes: say it in plain text
            plain = {name: escape_controls(str(value)) for name, value in event.items()}
            return orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)
