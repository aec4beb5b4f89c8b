r"""Redacting objects of JSON as they are written: what is found is replaced where it stands, and nothing is parsed.

Where clues are (`_clues.py`) in a block of lines is looked for at once. What a clue stands in is told by the quotation
marks around it and whether their number before it is odd:

    {"mail":"jane@example.com","n":4111111111111111}
            ^      clue      ^                         a string: decoded, given to the detectors, written again
                              ^ between two strings ^  numbers: the same

No clue is hidden by how JSON is written. What is escaped by a letter is blanked out before, with as many characters,
so that no escaped quotation mark is taken for one, and nothing is where a text has no clue either. Strings that hold
something escaped by number, and numbers with an exponent, are looked at whatever they hold.

What comes out is what parsing, changing and writing gives, but for blanks and other ways to write the same. A line of
which a key is private, or says that its value is, is left to that.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from string import digits
from typing import Final

import msgspec

from logrouter.documents import encode_value
from logrouter.redaction._clues import Place
from logrouter.redaction._detector import kinds
from logrouter.redaction._scrubber import Scrubber

_BLANK: Final = b"\x1f\x1f"
_ESCAPES: Final = {
    rb"\\": _BLANK,  # first: what is left begins an escape
    rb"\"": _BLANK,
    rb"\n": _BLANK,
    rb"\/": b"//",
    rb"\t": _BLANK,
    rb"\r": _BLANK,
    rb"\b": _BLANK,
    rb"\f": _BLANK,
}
_EVERYTHING: Final = -1
"""Any detector may find something."""
_COLON: Final = ord(":")
_BLANKS: Final = b" \t\r\n"
_COLON_LATER: Final = re.compile(rb"[ \t\r\n]+:")
_NUMBER: Final = re.compile(rb"-?[0-9][0-9.eE+-]*")
_EXPONENTS: Final = kinds({",": ",:[]{} \t\r\n", "e": "eE"})
_IN_NUMBERS: Final = f"{digits}.+-".encode()
_EXPONENT: Final = re.compile(rb"[:,\[ \t\r\n]-?[0-9][0-9.]*[eE]\+?[0-9]")
"""How a number begins that is larger than its digits."""
_decode_string: Final = msgspec.json.Decoder(str).decode
_encode_string: Final[Callable[[str], bytes]] = msgspec.json.Encoder().encode


def redacted_lines(scrubber: Scrubber, lines: list[bytes]) -> Sequence[bytes | None]:
    """Lines, each a valid JSON object in UTF-8 without a newline, after redaction. None for those to be parsed."""
    block = b"\n".join(lines)
    splice = _Splice(scrubber, block)
    splice.all()
    changed: list[bytes | None] = list(splice.changed().split(b"\n")) if splice.pieces else list(lines)
    if splice.left:
        starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
        for place in splice.left:
            changed[bisect_right(starts, place) - 1] = None
    return changed


class _Splice:
    """One block on its way."""

    def __init__(self, scrubber: Scrubber, block: bytes) -> None:
        self._scrubber = scrubber
        self._block = block
        self._view = _without_escapes(block)
        """The same, with no quotation mark but those around strings."""
        self.pieces: list[bytes] = []
        """What comes out, up to:"""
        self._done = 0
        self.left: list[int] = []
        """Places in the lines that are to be parsed."""

    def changed(self) -> bytes:
        """The block, with what was put in."""
        return b"".join((*self.pieces, self._block[self._done :]))

    def all(self) -> None:
        """Go through all places that have a clue, string by string."""
        view, block, places = self._view, self._block, self._places()
        redacted = self._scrubber.redacted
        number = counted = quotes = 0
        while number < len(places):
            place, suspects = places[number]
            quotes += view.count(b'"', counted, place)
            counted = place
            end = view.find(b'"', place)
            if end < 0:
                end = len(view)
            number += 1
            while number < len(places) and places[number][0] < end:
                suspects |= places[number][1]
                number += 1
            begin = view.rfind(b'"', 0, place)
            if quotes % 2:
                text = _decode_string(block[begin : end + 1])
                if view[end + 1] == _COLON or (view[end + 1] in _BLANKS and _COLON_LATER.match(view, end + 1)):
                    if not self._scrubber.is_plain(text):
                        self.left.append(begin)
                    continue
                if suspects < 0:
                    suspects = self._scrubber.clues.suspects(text)
                changed = redacted(text, suspects)
                if changed is not text:
                    self._put(begin, end + 1, _encode_string(changed))
            elif suspects & self._scrubber.of_numbers:
                self._numbers(begin + 1, end)

    def _places(self) -> list[Place]:
        view, block = self._view, self._block
        places = self._scrubber.clues.places(view, b'"')
        extra: list[Place] = []
        if b"\\" in view:
            extra += ((place, _EVERYTHING) for place in self._each(view, b"\\"))
        if b"\\" in block and rb"\\u" in block:  # what a detector sees is \u, which email looks for
            extra += ((place, _EVERYTHING) for place in self._each(block, rb"\\u"))
        mask = self._scrubber.of_numbers
        if mask and b",e," in view.translate(_EXPONENTS, _IN_NUMBERS):
            extra += ((match.start(), mask) for match in _EXPONENT.finditer(view))
        return sorted(places + extra) if extra else places

    def _each(self, block: bytes, piece: bytes) -> Iterator[int]:
        """Where a piece stands, once in each string."""
        place = block.find(piece)
        while place >= 0:
            yield place
            place = block.find(piece, self._view.find(b'"', place))

    def _numbers(self, begin: int, end: int) -> None:
        """What stands between two strings: there may be more than one."""
        for match in _NUMBER.finditer(self._block, begin, end):
            try:
                value = msgspec.json.decode(match[0])
            except msgspec.DecodeError:  # larger than any float
                self.left.append(match.start())
                continue
            changed = self._scrubber.number(value)
            if changed is not value:
                self._put(match.start(), match.end(), encode_value(changed))

    def _put(self, begin: int, end: int, written: bytes) -> None:
        self.pieces += (self._block[self._done : begin], written)
        self._done = end


def _without_escapes(block: bytes) -> bytes:
    """The block with all blanked out that is escaped by a letter; as long as it was."""
    if b"\\" not in block:
        return block
    blanked = block.replace(rb"\"", _BLANK)
    if b"\\" not in blanked:  # nothing else was escaped, and no backslash by another
        return blanked
    for escape, blank in _ESCAPES.items():
        block = block.replace(escape, blank)
        if b"\\" not in block:
            break
    return block
