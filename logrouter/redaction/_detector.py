"""What finds one kind of private text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

Span = tuple[int, int]


class Shape(NamedTuple):
    """A piece of text written in kinds of characters."""

    kinds: bytes
    """For `bytes.translate`: what each byte counts as."""
    piece: bytes
    """The piece, in these."""
    skipped: int = 0
    """So many characters at its beginning stand before what is looked for."""


def kinds(kinds: Mapping[str, str]) -> bytes:
    """A table for shapes: characters by the letter as which they count; all others count as blanks."""
    table = bytearray(b" " * 256)
    for letter, characters in kinds.items():
        for character in characters:
            table[ord(character)] = ord(letter)
    return bytes(table)


class Detector(NamedTuple):
    """Finds one kind of private text.

    Its clues, `hints`, `shapes` and `candidates`, are found quickly in the UTF-8 of many texts at once (`_clues.py`): a
    text with none of them has nothing to find. One without clues is asked of every text. No clue holds or looks at a
    quotation mark, a backslash or a control character: so it stands in a string of JSON, as it is written, wherever it
    stands in the text that the string means, but for `/` and what is escaped by number.
    """

    name: str
    """The preset's name; "" for a pattern of the user's own."""
    spans: Callable[[str], Iterable[Span]]
    """Where it stands in a text: from left to right, apart, none empty."""
    hints: tuple[bytes, ...] = ()
    """Pieces of it in small letters, looked for whatever their case."""
    shapes: tuple[Shape, ...] = ()
    candidates: tuple[re.Pattern[bytes], ...] = ()
    """Quick searches: each begins with one character that is rare in logs; the engine looks for that in a loop of C."""
    needs: str = ""
    """What also stands in each text in which there is something to find: looked for where there is a clue."""
    names: re.Pattern[str] | None = None
    """The value of a field with such a name is private as a whole. Such a name has a hint in it."""
    numbers: bool = False
    """Whether it may be written as a JSON number."""

    @property
    def has_clues(self) -> bool:
        """Whether it need not be asked of every text."""
        return bool(self.hints or self.shapes or self.candidates)


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
