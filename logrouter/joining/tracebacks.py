r"""Finds tracebacks in the lines of a block, by one regular expression.

    ⏎ opening body              a traceback: begins an event, or is joined to the line directly before it, where
                                that tells of trouble (WORDS)
    ⏎ record body               what a logger writes as several lines: begins an event
    ⏎ continuation              what can be nothing but the rest of what is before: `\tat x.y(Z.java:1)`

Each takes all continuations behind it. A line that begins with `{` is JSON, and nothing is joined to it. What the
expression does not find is lines, one event each: these cost a look at their first character, and seldom more.

Every language gives openings, bodies and continuations. Two rules make that any cut of a stream into reads gives the
same events, and in linear time:

- repetitions are possessive, and a body takes what is there: it never fails because of what comes later;
- whether a piece matches is decided by LOOKAHEAD_LINES lines from its start: with so many lines behind an event, what
  comes after them cannot change it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from logrouter.joining.languages import LANGUAGES
from logrouter.possessive import portable

LOOKAHEAD_LINES: Final = 6
"""An opening of Node: file and line, code, carets, a blank line, the error; and the line that it is joined to."""

WORDS: Final = (
    b"error", b"exception", b"fail", b"warn", b"critical", b"fatal", b"panic", b"severe", b"crash", b"unhandled",
    b"uncaught", b"emerg", b"alert", b"raised",
)  # fmt: skip
"""A line with one of these in any case, or with ERR, directly before a traceback is the one that logged it."""


def expression_of(names: Iterable[str]) -> re.Pattern[bytes]:
    """Finds a newline and the lines behind it that are a traceback, of the groups `_OPENING` and `_RECORD` the one that
    took part if it can begin an event."""
    languages = [LANGUAGES[name] for name in names]
    openings = dict.fromkeys(opening for language in languages for opening in language.openings)
    records = dict.fromkeys(record for language in languages for record in language.records)
    continuations = dict.fromkeys(piece for language in languages for piece in language.continuations)
    begins = _one_of(language.opening_first for language in languages)
    continues = _one_of(language.continuation_first for language in languages) + _any(continuations) + _END
    whole = [
        _any(head + _END + body + _END for head, body in some) if some else rb"(?!)" for some in (openings, records)
    ]
    found = rb"(?:" + begins + rb"(?:(%b)|(%b))|" % tuple(whole) + continues + rb")"
    return re.compile(portable(rb"\n" + _NOT_A_LOG_LINE + found + rb"(?:\n" + continues + rb")*+"))


_OPENING, _RECORD = 1, 2
_END: Final = rb"(?=\n)"
_NOT_A_LOG_LINE: Final = rb"(?!(?!SIG)[A-Z]{4,8}[ :]|[\w.]++=)"
"""Most lines that begin with a letter begin with a level or a key: these need no closer look."""


def _any(alternatives: Iterable[bytes]) -> bytes:
    return rb"(?:" + b"|".join(alternatives) + rb")"


def _whole(some: Iterable[tuple[bytes, bytes]]) -> bytes:
    return _any([head + _END + body + _END for head, body in some] or [rb"(?!)"])


def _one_of(characters: Iterable[bytes]) -> bytes:
    return rb"(?=[" + b"".join(characters) + rb"])"


class TracebackJoiner:
    """Joins what tracebacks of some languages consist of."""

    lookahead_lines = LOOKAHEAD_LINES

    def __init__(self, names: Iterable[str]) -> None:
        self._find_all = expression_of(names).finditer

    def split(self, text: bytes) -> list[bytes]:
        """The events in whole lines."""
        found = list(self._find_all(b"\n" + text))
        if not found:
            return text[:-1].split(b"\n") if text else []
        events: list[bytes] = []
        place = 0
        for match in found:
            start, end = match.span()  # of `text`, as one newline more stands before it
            start, end = start, end - 1
            if start > place:
                known = len(events)
                events += text[place : start - 1].split(b"\n")
                if _belongs(events[-1], match.lastindex):
                    head = events.pop()
                    start -= len(head) + 1
                    if match.lastindex is None and _FRAME.match(match[0]):
                        for _ in range(_of_message(events[known:], head)):
                            start -= len(events.pop()) + 1
            events.append(text[start:end])
            place = end + 1
        if place < len(text):
            events += text[place:-1].split(b"\n")
        return events

    def undecided(self, events: Sequence[bytes]) -> int:
        """Those that end within the last few lines."""
        count = lines = 0
        for event in reversed(events):
            if lines >= LOOKAHEAD_LINES:
                break
            lines += event.count(b"\n") + 1
            count += 1
        return count


def _belongs(head: bytes, group: int | None) -> bool:
    """Whether the line before it belongs to what was found, by the group that took part in it."""
    if not head or head[0] == _BRACE:
        return False
    return group is None or (group == _OPENING and tells_of_trouble(head))


def _of_message(lines: list[bytes], last: bytes) -> int:
    """How many of some lines are one message with the one behind them, that of an exception: it began within the line
    of a log, which tells of trouble. Unless the last alone is what is said, one of the two must name the exception."""
    is_named = _NAME.search(last) is not None
    if _LOG_LINE.match(last) or (is_named and not _RUBY_TYPE.search(last)):
        return 0
    for count, line in enumerate(lines[: -1 - MESSAGE_LINES : -1], 1):
        if not line or line[0] == _BRACE:
            return 0
        if tells_of_trouble(line):
            is_short = count == 1 and not tells_of_trouble(last)
            return count if is_short or is_named or _NAME.search(line) else 0
        if _LOG_LINE.match(line):
            return 0
    return 0


MESSAGE_LINES: Final = 3
"""So many more than the first: with the first frame they are fewer than LOOKAHEAD_LINES."""
_FRAME: Final = re.compile(rb"\n(?:[ \t]+at |(?:PHP )?Stack trace:|\[stacktrace\]|[^\s:{]+:\d+:in )")
_LOG_LINE: Final = re.compile(rb"[\d\[<:]|[A-Z]{4,8}[ :\[]|[\w.]+=|[A-Z], \[|[A-Z]\d{4} |[A-Z][a-z]{2} [ \d]\d\b")
_NAME: Final = re.compile(rb"\w(?:Error|Exception)|\bError: |\bException[:(]")
_RUBY_TYPE: Final = re.compile(rb" \([A-Z][\w:]*\)\Z")


def tells_of_trouble(line: bytes) -> bool:
    """Whether it may be what logged the traceback behind it. (A regular expression takes ten times as long.)"""
    lower = line.lower()
    for word in WORDS:
        if word in lower:
            return True
    return b"ERR" in line


_BRACE: Final = ord("{")
