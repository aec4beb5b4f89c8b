"""What finds one kind of private text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import Final, NamedTuple

Span = tuple[int, int]


class Shape(NamedTuple):
    """A piece of text written in kinds of characters."""

    kinds: bytes
    """For `bytes.translate`: what each byte counts as."""
    piece: bytes
    """The piece, in these."""
    skipped: int = 0
    """So many characters at its beginning stand before what is looked for."""
    behind: bytes = b""
    """What stands behind it, as a regular expression."""


def kinds(kinds: Mapping[str, str]) -> bytes:
    """A table for shapes: characters by the letter as which they count; all others count as blanks."""
    table = bytearray(b" " * 256)
    for letter, characters in kinds.items():
        for character in characters:
            table[ord(character)] = ord(letter)
    return bytes(table)


FOLD: Final = bytes.maketrans(f"{ascii_uppercase}bpwBPW-.=".encode(), f"{ascii_lowercase}kkkkkk___".encode())
"""For `bytes.translate`: small letters, and some that are rare in logs written as one, so that all are looked for at
once: `b`, `p` and `w` as `k`, and `-`, `.` and `=` as `_`."""


class Detector(NamedTuple):
    """Finds one kind of private text.

    Its clues, `hints`, `shapes`, `candidates` and `folded`, are found quickly in the UTF-8 of many texts at once
    (`_clues.py`): a text with none of them has nothing to find. One without clues is asked of every text. No clue holds
    or looks at a quotation mark, a backslash or a control character: so it stands in a string of JSON, as it is
    written, wherever it stands in the text that the string means, but for `/` and what is escaped by number. Only the
    clues of what may be a number stand in JSON outside of strings, too.
    """

    name: str
    """The preset's name; "" for a pattern of the user's own."""
    spans: Callable[[str], Iterable[Span]]
    """Where it stands in a text: from left to right, apart, none empty."""
    whole: re.Pattern[str] | None = None
    """What matches the same spans, none of them empty: they are replaced in C."""
    of_lines: bool = False
    """Whether it finds in lines what it finds in each of them alone: nothing it looks at goes on after a newline."""
    hints: tuple[bytes, ...] = ()
    """Pieces of it in small letters, looked for whatever their case."""
    shapes: tuple[Shape, ...] = ()
    candidates: tuple[re.Pattern[bytes], ...] = ()
    """Quick searches: each begins with one character that is rare in logs; the engine looks for that in a loop of C."""
    folded: tuple[re.Pattern[bytes], ...] = ()
    """The same, in the text as `FOLD` writes it."""
    needs: str = ""
    """What also stands in each text in which there is something to find: looked for where there is a clue."""
    names: re.Pattern[str] | None = None
    """The value of a field with such a name is private as a whole. Such a name has a hint in it."""
    numbers: bool = False
    """Whether it may be written as a JSON number."""

    @property
    def has_clues(self) -> bool:
        """Whether it need not be asked of every text."""
        return bool(self.hints or self.shapes or self.candidates or self.folded)


def span_of(match: re.Match[str]) -> Span:
    """Of the group `secret`, where the expression has one and it took part, else of all."""
    if "secret" in match.re.groupindex and match.start("secret") >= 0:
        return match.span("secret")
    return match.span()


def matches(pattern: re.Pattern[str]) -> Callable[[str], Iterable[Span]]:
    """All that an expression matches, which may match no empty text, nor have an empty group `secret`."""
    search = pattern.search

    def spans(text: str) -> Iterable[Span]:
        found: list[Span] = []
        match = search(text)
        while match is not None:
            found.append(span_of(match) if has_secret else match.span())
            end = match.end()
            match = search(text, end) if end < len(text) else None
        return found

    has_secret = "secret" in pattern.groupindex
    return spans
