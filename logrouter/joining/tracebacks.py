r"""Finds tracebacks in the lines of a block, by one regular expression.

    ⏎ opening body              a traceback: begins an event, or is joined to the line directly before it, where
                                that tells of trouble (WORDS)
    ⏎ record body               what a logger writes as several lines: begins an event
    ⏎ continuation              what can be nothing but the rest of what is before: `\tat x.y(Z.java:1)`

Each takes all continuations behind it. A line that begins with `{` is JSON, and nothing is joined to it. What the
expression does not find is lines, one event each: these cost a look at their first character, or at their first word
(`words`) or what else logs begin with (_LOG_BEGINS), and seldom more. Measured on one core (AMD EPYC, Python 3.11), in
ns a line: 50 where it begins with a digit or a brace, 100 to 250 with a letter, 1,000 where all alternatives are tried.
What is seen most (`usual`) is found before all else.

Every language gives openings, bodies and continuations. Two rules make that any cut of a stream into reads gives the
same events, and in linear time:

- repetitions are possessive, and a body takes what is there: it never fails because of what comes later;
- whether a piece matches is decided by LOOKAHEAD_LINES lines from its start: with so many lines behind an event, what
  comes after them cannot change it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
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
    """Finds a newline and the lines behind it that are a traceback: the first group. Of the others, all empty, one is
    part of it: `usual` or `opening` of what can begin an event or go on with the line before, `record` of what begins
    one. None is of what goes on with that line."""
    languages = [LANGUAGES[name] for name in names]
    usual = [language.usual for language in languages if language.usual]
    openings = dict.fromkeys(opening for language in languages for opening in language.openings)
    records = dict.fromkeys(record for language in languages for record in language.records)
    continuations = dict.fromkeys(piece for language in languages for piece in language.continuations)
    begin = b"".join(language.opening_first for language in languages)
    go_on = b"".join(language.continuation_first for language in languages)
    words = {word for language in languages for word in language.words}
    looked_at = rb"(?:(?!%b)|(?=%b ))" % (_WORD, _one_of(words))
    opened = rb"(?=[%b])(?:%b(?P<opening>)|%b(?P<record>))" % (begin, _whole(openings), _whole(records))
    continuation = rb"(?=[%b])%b%b" % (go_on, _any(continuations), _END)
    whole = rb"(?!%b)%b(?:%b|%b)(?:\n%b)*+" % (_LOG_BEGINS, looked_at, opened, continuation, continuation)
    return re.compile(portable(rb"\n(?=[%b])(%b(?P<usual>)|%b)" % (begin + go_on, _any(usual or [rb"(?!)"]), whole)))


_END: Final = rb"(?=\n)"
_LOG_BEGINS: Final = rb"(?!SIG)[A-Z]{4,8}[ :]|[A-Za-z0-9_.]++=|[A-Z], \[|<\d|\[(?:\d|[A-Z]{2})"
"""Most lines begin with a level, a key, or a time: they need no closer look. (`\\w` takes twice as long.)"""
_WORD: Final = rb"[A-Za-z0-9_.]++ (?<!Error )(?<!Exception )(?<!Rejection )"
"""Nor do those that begin with a word and a blank, unless a language has that word or it names an exception."""


def _any(alternatives: Iterable[bytes]) -> bytes:
    return rb"(?:" + b"|".join(alternatives) + rb")"


def _one_of(words: Iterable[bytes]) -> bytes:
    """Any of some words, found by their first letter."""
    return _any(
        first + _any(word[1:] for word in same) for first, same in groupby(sorted(words), key=itemgetter(slice(1)))
    )


def _whole(some: Iterable[tuple[bytes, bytes]]) -> bytes:
    return _any([head + _END + body + _END for head, body in some] or [rb"(?!)"])


class TracebackJoiner:
    """Joins what tracebacks of some languages consist of."""

    lookahead_lines = LOOKAHEAD_LINES

    def __init__(self, names: Iterable[str]) -> None:
        self._split = expression_of(names).split

    def split(self, text: bytes) -> list[bytes]:
        """The events in whole lines."""
        parts = iter(self._split(text))
        events: list[bytes] = []
        lines = next(parts).split(b"\n")
        for found, usual, opening, record, gap in zip(*[parts] * 5, strict=True):
            events += lines
            before, lines = lines, gap.split(b"\n")
            lines[0] = found  # a gap is empty, or begins with a newline
            last = before[-1]
            if record is not None or len(before) == 1 or not last or last[0] == _BRACE:
                continue
            if usual is None and opening is None:
                for _ in range(_of_message(before[1:]) if _FRAME.match(found) else 0):
                    found = b"\n".join((events.pop(), found))
            elif last.find(_ERR) < 0 and not tells_of_trouble(last):  # most often the call is not needed
                continue
            lines[0] = b"\n".join((events.pop(), found))
        events += lines
        return events[1:-1]  # what stands before the first newline, and behind the last

    def undecided(self, events: Sequence[bytes]) -> int:
        """Those that end within the last few lines."""
        count = lines = 0
        for event in reversed(events):
            if lines >= LOOKAHEAD_LINES:
                break
            lines += event.count(b"\n") + 1
            count += 1
        return count


def _of_message(lines: list[bytes]) -> int:
    """How many of some lines are one message with the last of them, that of an exception: it began within the line
    of a log, which tells of trouble. Unless the last alone is what is said, one of the two must name the exception."""
    *lines, last = lines
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
_FRAME: Final = re.compile(rb"(?:[ \t]+at |(?:PHP )?Stack trace:|\[stacktrace\]|[^\s:{]+:\d+:in )")
_LOG_LINE: Final = re.compile(rb"[\d\[<:]|[A-Z]{4,8}[ :\[]|[\w.]+=|[A-Z], \[|[A-Z]\d{4} |[A-Z][a-z]{2} [ \d]\d\b")
_NAME: Final = re.compile(rb"\w(?:Error|Exception)|\bError: |\bException[:(]")
_RUBY_TYPE: Final = re.compile(rb" \([A-Z][\w:]*\)\Z")


def tells_of_trouble(line: bytes) -> bool:
    """Whether it may be what logged the traceback behind it. (A regular expression takes ten times as long.)"""
    if line.find(_ERR) >= 0:  # `in` would raise, and catch, a TypeError before it looks
        return True
    lower = line.lower()
    return any(lower.find(word) >= 0 for word in WORDS)


_BRACE: Final = ord("{")
_ERR: Final = b"ERR"
