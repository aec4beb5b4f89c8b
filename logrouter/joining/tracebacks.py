r"""Finds tracebacks in the lines of a block, by one regular expression.

    ⏎ opening body              a traceback: begins an event, or is joined to the line directly before it, where
                                that tells of trouble (WORDS)
    ⏎ continuation              what can be nothing but the rest of what is before: `\tat x.y(Z.java:1)`

Either takes all continuations behind it. A line that begins with `{` is JSON, and nothing is joined to it. What the
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
    """Finds a newline and the lines behind it that are a traceback; its group took part if that can begin an event."""
    languages = [LANGUAGES[name] for name in names]
    openings = dict.fromkeys(opening for language in languages for opening in language.openings)
    continuations = dict.fromkeys(piece for language in languages for piece in language.continuations)
    begins = _one_of(language.opening_first for language in languages)
    continues = _one_of(language.continuation_first for language in languages) + _any(continuations) + _END
    found = continues
    if openings:
        whole = _any(head + _END + body + _END for head, body in openings)
        found = rb"(?:" + begins + rb"(" + whole + rb")|" + continues + rb")"
    return re.compile(portable(rb"\n" + _NOT_A_LOG_LINE + found + rb"(?:\n" + continues + rb")*+"))


_END: Final = rb"(?=\n)"
_NOT_A_LOG_LINE: Final = rb"(?!(?!SIG)[A-Z]{4,8}[ :]|[\w.]++=)"
"""Most lines that begin with a letter begin with a level or a key: these need no closer look."""


def _any(alternatives: Iterable[bytes]) -> bytes:
    return rb"(?:" + b"|".join(alternatives) + rb")"


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
                events += text[place : start - 1].split(b"\n")
                head = events[-1]
                if head and head[0] != _BRACE and (match.lastindex is None or tells_of_trouble(head)):
                    start -= len(head) + 1
                    events.pop()
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


def tells_of_trouble(line: bytes) -> bool:
    """Whether it may be what logged the traceback behind it. (A regular expression takes ten times as long.)"""
    lower = line.lower()
    for word in WORDS:
        if word in lower:
            return True
    return b"ERR" in line


_BRACE: Final = ord("{")
