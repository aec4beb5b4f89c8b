r"""Redacting objects of JSON as they are written: what is found is replaced where it stands, and nothing is parsed.

Where clues are (`_clues.py`) in a block of lines is looked for at once. What a clue stands in is told by the quotation
marks around it and whether their number before it is odd:

    {"mail":"jane@example.com","n":4111111111111111}
            ^      clue      ^                         a string: decoded, given to the detectors, written again
                              ^ between two strings ^  numbers: the same

No clue is hidden by how JSON is written. What is escaped by a letter is blanked out before, with as many characters,
so that no escaped quotation mark is taken for one, and nothing is where a text has no clue either. Strings that hold
something escaped by number are looked at whatever they hold.

What comes out is what parsing, changing and writing gives, but for blanks and other ways to write the same. A line of
which a key is private, or says that its value is, is left to that.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

import msgspec

from logrouter.documents import encode_value
from logrouter.redaction._clues import Mask
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
_decode_string: Final = msgspec.json.Decoder(str).decode
_encode_string: Final[Callable[[str], bytes]] = msgspec.json.Encoder().encode


def redacted_lines(scrubber: Scrubber, lines: list[bytes]) -> Sequence[bytes | None]:
    """Lines, each a valid JSON object in UTF-8 without a newline, after redaction. None for those to be parsed."""
    block = b"\n".join(lines)
    splice = _Splice(scrubber, block)
    splice.all()
    changed: list[bytes | None] = list(splice.changed().split(b"\n")) if splice.changes else list(lines)
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
        self.changes: list[tuple[int, int, bytes]] = []
        """What is to be put in, each from where to where."""
        self.left: list[int] = []
        """Places in the lines that are to be parsed."""

    def changed(self) -> bytes:
        """The block, with what was put in."""
        pieces: list[bytes] = []
        done = 0
        for begin, end, written in sorted(self.changes):
            pieces += (self._block[done:begin], written)
            done = end
        return b"".join((*pieces, self._block[done:]))

    def all(self) -> None:
        """Go through all strings and numbers that have a clue."""
        view, of_numbers = self._view, self._scrubber.of_numbers
        alike: dict[Mask, list[int]] = {}
        counted = quotes = 0
        for begin, suspects in sorted(self._suspected().items()):
            if suspects & of_numbers:  # the other clues stand nowhere but in strings
                quotes += view.count(b'"', counted, begin)
                counted = begin
                if quotes % 2:
                    self._numbers(begin)
                    continue
            alike.setdefault(suspects, []).append(begin)
        for suspects, begins in alike.items():
            self._strings(begins, suspects)

    def _suspected(self) -> dict[int, Mask]:
        """The quotation marks before the strings, and before the numbers, that have a clue."""
        view, block = self._view, self._block
        found = self._scrubber.clues.suspected(view, b'"')
        if b"\\" in view:
            found |= self._each(view, b"\\")
        if b"\\" in block and rb"\\u" in block:  # what a detector sees is \u, which email looks for
            found |= self._each(block, rb"\\u")
        return found

    def _each(self, block: bytes, piece: bytes) -> Iterator[tuple[int, Mask]]:
        """The strings in which a piece stands."""
        place = block.find(piece)
        while place >= 0:
            yield self._view.rfind(b'"', 0, place), _EVERYTHING
            place = block.find(piece, self._view.find(b'"', place))

    def _strings(self, begins: Iterable[int], suspects: Mask) -> None:
        """Strings that have the same clues, by the quotation marks before them."""
        view, block = self._view, self._block
        spans: list[tuple[int, int]] = []
        texts: list[str] = []
        for begin in begins:
            end = view.find(b'"', begin + 1) + 1
            text = _decode_string(block[begin:end])
            if view[end] == _COLON or (view[end] in _BLANKS and _COLON_LATER.match(view, end)):
                if not self._scrubber.is_plain(text):
                    self.left.append(begin)
            else:
                spans.append((begin, end))
                texts.append(text)
        if suspects is _EVERYTHING:
            changed: Sequence[str] = list(map(self._scrubber.text, texts))
        else:
            changed = self._scrubber.redacted(texts, suspects)
        for (begin, end), text, redacted in zip(spans, texts, changed, strict=True):
            if redacted != text:
                self.changes.append((begin, end, _encode_string(redacted)))

    def _numbers(self, begin: int) -> None:
        """What stands between two strings: there may be more than one."""
        end = self._view.find(b'"', begin + 1)
        for match in _NUMBER.finditer(self._block, begin, end if end >= 0 else len(self._block)):
            try:
                value = msgspec.json.decode(match[0])
            except msgspec.DecodeError:  # larger than any float
                self.left.append(match.start())
                continue
            changed = self._scrubber.number(value)
            if changed is not value:
                self.changes.append((*match.span(), encode_value(changed)))


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
