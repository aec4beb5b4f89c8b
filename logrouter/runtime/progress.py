"""How far the streams of one source are in the spool: what each chunk carries of it, and what is left out again.

See `positions.py` for what is written down. A position is carried by the last chunk that was read up to it; the chunks
before it carry the one before, and how many lines behind that they end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from logrouter.positions import Begun, Position, encode, encode_some, key_of, stream_of
from logrouter.sources import Stream


class Skip(NamedTuple):
    """What is left out of what is read again."""

    lines: int
    """So many at first, before any step."""
    events: int
    """So many of those that the following ones become."""


NOTHING: Final = Skip(0, 0)


class Progress:
    """Of one source."""

    def __init__(self, source: str, found: Mapping[str, Position]) -> None:
        """`found`: where the process before has stopped, by the keys of streams."""
        self.reached = {key: position.reached for key, position in found.items()}
        """Where each stream is to be read from."""
        self._source = source
        self._to_skip = {key: Skip(position.lines, position.events) for key, position in found.items()}
        self._moved: dict[str, Position | None] = {}
        """What chunks are to carry: what was told last comes last, and goes with the next."""
        self._to_carry: dict[str, bytes] = {}
        self._carried: dict[str, bytes] = {}
        """By the keys of streams: what the source said of how far they are, and no chunk carries yet; what one does."""

    def to_skip(self, stream: Stream) -> Skip:
        """What of that which is read next is in the spool already."""
        return self._to_skip.get(stream.key, NOTHING)

    def skipped(self, stream: Stream, skipped: Skip) -> None:
        """So much of it was read again, and left out."""
        lines, events = self._to_skip[stream.key]
        self._to_skip[stream.key] = Skip(lines - skipped.lines, events - skipped.events)

    def begun(self, stream: Stream, lines: int, events: int) -> Begun:
        """Where a chunk begins: so many lines behind the stream's position, and so many events of those that follow."""
        return key_of(self._source, stream.key), Position(stream.position, events, lines)

    def is_at(self, stream: Stream, lines: int, events: int) -> None:
        """So many lines behind its position, and so many events of those that follow, are in the spool, or will be with
        the next chunk."""
        self._move(stream, Position(stream.position, events, lines))

    def has_reached(self, stream: Stream, position: bytes) -> None:
        """All that was read up to there is in the spool, or will be with the next chunk."""
        stream.position = position
        self._remember(stream)
        self._to_carry[stream.key] = position
        left = self._to_skip.pop(stream.key, NOTHING)
        if stream.has_gap:  # what was to be left out is what is missing
            left, stream.has_gap = NOTHING, False
        if left != NOTHING and position:
            self._to_skip[stream.key] = left
        self._move(stream, Position(position, left.events, left.lines) if position else None)

    def _move(self, stream: Stream, position: Position | None) -> None:
        key = key_of(self._source, stream.key)
        self._moved.pop(key, None)
        self._moved[key] = position

    def _remember(self, stream: Stream) -> None:
        if stream.position:
            self.reached[stream.key] = stream.position
        else:
            self.reached.pop(stream.key, None)

    def carried(self) -> bytes | None:
        """What the next chunk tells."""
        if not self._moved:
            return None
        carried, told = encode_some(self._moved)
        for key in told:
            del self._moved[key]
            if (stream := stream_of(key)) in self._to_carry:
                self._carried[stream] = self._to_carry.pop(stream)
        return carried

    def told_by_no_chunk(self, stream: Stream) -> bytes | None:
        """How far a stream is, where no chunk has told it yet: one will, if any comes."""
        key = key_of(self._source, stream.key)
        return encode({key: self._moved[key]}) if key in self._moved else None

    def put_back(self, carried: dict[str, bytes]) -> None:
        """What was taken is not safe yet."""
        self._carried = carried | self._carried

    def take_carried(self) -> dict[str, bytes]:
        """How far streams are by what was carried since this was asked last: to be acknowledged once that is safe."""
        taken, self._carried = self._carried, {}
        return taken
