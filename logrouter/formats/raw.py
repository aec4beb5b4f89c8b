"""Raw lines: the bytes of each event as they came, a newline after each.

- Bytes that are not UTF-8 stay what they are.
- What logrouter tells in the stream (`Flag.NOTICE`) is left out: it is none of the app's lines.
- A line over `max_line` came in pieces, each an event. They are joined again: no newline follows a piece that
  the next one continues. "Next" is strict (the very next event of the spool), as a rule may have taken some
  pieces and not others, and lines of another source may have come between: two lines are never run together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logrouter.event import Flag, Offset

if TYPE_CHECKING:
    from logrouter.batch import Slice

# As plain ints: `&` with a Flag costs 2 µs, with an int 0.02.
_NOTICE = int(Flag.NOTICE)
_PIECE = int(Flag.PARTIAL_MIDDLE)
"""Both bits: any piece has one of them."""
_ENDS_OPEN = (int(Flag.PARTIAL_START), _PIECE)
_CONTINUES = (_PIECE, int(Flag.PARTIAL_END))
_WHOLE = bytes(flags for flags in range(256) if not flags & (_PIECE | _NOTICE))
"""The flags of events that are a whole line of the app."""


def raw_lines(part: Slice, open_line: Offset | None = None) -> tuple[bytes, Offset | None]:
    """All events of a slice as raw lines, and the event that would continue the last, where that is a piece.

    `open_line` is what the call before gave: the event that continues the line without end standing there.
    """
    if open_line is None and not part.flags.translate(None, _WHOLE):
        return b"\n".join([*part.payloads, b""]) if part.payloads else b"", None
    pieces: list[bytes] = []
    for payload, flags, sequence in zip(part.payloads, part.flags, part.sequences, strict=True):
        if flags & _NOTICE:
            continue
        offset = Offset(part.epoch, sequence)
        place = flags & _PIECE
        if open_line is not None and not (place in _CONTINUES and open_line == offset):
            pieces.append(b"\n")
        pieces.append(payload)
        open_line = Offset(part.epoch, sequence + 1) if place in _ENDS_OPEN else None
        if open_line is None:
            pieces.append(b"\n")
    return b"".join(pieces), open_line


class RawLines:
    """The raw lines of slice after slice. Remembers for each path the overlong line that stands open at its end."""

    def __init__(self) -> None:
        self._open: dict[str, Offset] = {}

    def __call__(self, part: Slice, path: str = "") -> bytes:
        data, open_line = raw_lines(part, self._open.pop(path, None))
        if open_line is not None:
            self._open[path] = open_line
        return data
