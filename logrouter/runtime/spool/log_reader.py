"""Reading the log on disk: a folder of segments, each read from anywhere. Sync, and over a `Disk` that tests can break.

Every function raises OSError for what does not lie in the segments: too few descriptors, a folder that is not there.

Invariants:
- sequences grow from record to record and from segment to segment. Where they jump, events are missing: a record
  between was damaged, or torn by a crash, or (`durability: memory`) nobody needed it any more;
- a damaged record costs its own events and no others: the next one is found by its marker;
- opening reads the headers of all segments and the heads of the last: it never reads a backlog.
"""

from __future__ import annotations

import errno
import os
import re
from bisect import bisect_right
from contextlib import suppress
from typing import Final, NamedTuple

from logrouter import positions
from logrouter.event import Chunk
from logrouter.runtime.disk import Disk, opened, pread_all
from logrouter.runtime.spool.segment_reader import Segment, SegmentReader
from logrouter.segments import (
    HEADER_BYTES,
    Damaged,
    Head,
    UnknownVersion,
    decode_header,
    header_length,
)

_NAME: Final = re.compile(r"(\d{12})\.segment")


class Spot(NamedTuple):
    """Where in the files a reader goes on, so that it need not search."""

    segment: Segment
    offset: int
    sequence: int
    """Of the event that stands there."""


class Missing(NamedTuple):
    """Events that the log should hold and does not."""

    end: int
    """The sequence of the next that it does hold."""
    reason: str
    before_ns: int
    """When that was read: the missing ones not later. 0 where there is none."""


class Loaded(NamedTuple):
    """A chunk, and where the next begins."""

    chunk: Chunk
    spot: Spot


class LogReader(SegmentReader):
    """The segments of one folder."""

    def __init__(self, folder: str, disk: Disk = os) -> None:
        """Nothing is read before `open`."""
        super().__init__(disk)
        self.folder = folder
        self.segments: list[Segment] = []
        self.positions: dict[str, bytes] = {}
        """Source → how far it has been read, as the log knows."""
        self.end = 0
        """The sequence after the last event that the log holds or ever held, as far as is known."""
        self.damaged: list[str] = []
        """Files that have a segment's name and no valid header."""

    def open(self) -> None:
        """Find out what is there. Raises UnknownVersion, and OSError."""
        self._read_headers()
        self._find_end()

    @property
    def oldest(self) -> int:
        """The sequence of the first event that is kept; of the next, where there is none."""
        return self.segments[0].header.first if self.segments else self.end

    def _read_headers(self) -> None:
        for number, name in self._names():
            path = os.path.join(self.folder, name)
            with suppress(FileNotFoundError):  # deleted since, by the process that writes it
                try:
                    self.segments.append(self._open_segment(number, path))
                except Damaged:
                    self.damaged.append(path)

    def _find_end(self) -> None:
        """Find where each segment ends, as far as those behind it tell, and the positions of the sources at the end."""
        for segment, behind in zip(self.segments, self.segments[1:], strict=False):
            segment.end = behind.header.first
            segment.closed_ns = behind.header.created_ns
        last_known = next((segment for segment in reversed(self.segments) if not segment.headless), None)
        self.positions = dict(last_known.header.positions) if last_known is not None else {}
        for segment in self.segments[self.segments.index(last_known) if last_known is not None else 0 :]:
            self._go_through(segment)

    def _go_through(self, segment: Segment) -> None:
        """Learn from its heads what a segment holds."""
        for head, offset in self.heads(segment):
            segment.records += 1
            segment.end = head.end
            segment.closed_ns = head.received_ns
            if head.position_bytes:
                self._take_position(segment, head, offset)
        self.end = segment.end

    def _names(self) -> list[tuple[int, str]]:
        matches = [_NAME.fullmatch(name) for name in self._disk.listdir(self.folder)]
        return sorted((int(match[1]), match[0]) for match in matches if match)

    def _open_segment(self, number: int, path: str) -> Segment:
        with opened(self._disk, path, os.O_RDONLY | os.O_NONBLOCK) as fd:
            try:
                start = pread_all(self._disk, fd, HEADER_BYTES, 0)
                header = decode_header(pread_all(self._disk, fd, header_length(start), 0))
            except UnknownVersion as error:
                raise UnknownVersion(f"{path}: {error}") from error
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                raise Damaged(str(error.strerror)) from error
            return Segment(number, path, header, self._disk.fstat(fd).st_size)

    def _take_position(self, segment: Segment, head: Head, offset: int) -> None:
        chunk = self._chunk(segment, head, offset)
        if chunk is not None:
            self.note_position(chunk)

    def note_position(self, chunk: Chunk) -> None:
        """Remember how far the streams have been read that the chunk tells of."""
        if chunk.position is not None:
            positions.merge(self.positions, chunk.position)

    def load(self, sequence: int, spot: Spot | None = None) -> Loaded | Missing | None:
        """The chunk that holds the event of this sequence, from that event on; None at the end of the log.

        `spot`: where the last one said that this one begins.
        """
        if spot is None or spot.sequence > sequence or spot.segment not in self.segments:
            segment = self._segment_of(sequence)
            if segment is None:
                return self._missing_before(sequence)
            spot = Spot(segment, segment.header.size, segment.header.first)
        return self._load(sequence, spot)

    def _load(self, sequence: int, spot: Spot) -> Loaded | Missing | None:
        segment, offset, _ = spot
        reason = ""
        while True:
            if offset >= segment.size:
                following = self._following(segment)
                if following is None:
                    return Missing(self.end, reason or "missing", 0) if sequence < self.end else None
                if following.header.first > sequence:
                    return Missing(following.header.first, reason or "missing", following.header.created_ns)
                segment, offset = following, following.header.size
                continue
            head = self._head(segment, offset)
            if head is not None and head.end <= sequence and self._is_followed(segment, offset, head):
                offset += head.size
                continue
            chunk = None if head is None else self._chunk(segment, head, offset)
            if head is None or chunk is None:
                torn = head is not None and offset + head.size > segment.size
                offset, reason = self._next_record(segment, offset + 1), "torn" if torn else "damaged"
                continue
            if head.first > sequence:
                return Missing(head.first, reason or "missing", head.received_ns)
            return Loaded(_cut(chunk, sequence), Spot(segment, offset + head.size, head.end))

    def received_ns(self, sequence: int, spot: Spot | None = None) -> int | None:
        """When the event of this sequence was read; None where that cannot be told."""
        with suppress(OSError):
            found = self.load(sequence, spot)
            return found.chunk.received_ns if isinstance(found, Loaded) else None
        return None

    def _missing_before(self, sequence: int) -> Missing | None:
        """The log begins after this event, or does not hold it."""
        if not self.segments:
            return Missing(self.end, "missing", 0) if sequence < self.end else None
        first = self.segments[0].header
        return Missing(first.first, "missing", first.created_ns) if first.first > sequence else None

    def _segment_of(self, sequence: int) -> Segment | None:
        """The last segment that begins at or before the event."""
        place = bisect_right(self.segments, sequence, key=lambda segment: segment.header.first)
        return self.segments[place - 1] if place else None

    def _following(self, segment: Segment) -> Segment | None:
        place = self.segments.index(segment) + 1
        return self.segments[place] if place < len(self.segments) else None


def _cut(chunk: Chunk, sequence: int) -> Chunk:
    """The chunk from this event on."""
    skipped = sequence - chunk.offset.sequence
    if skipped <= 0:
        return chunk
    rest = Chunk(
        chunk.payloads[skipped:], chunk.flags[skipped:], chunk.attributes, chunk.received_ns, position=chunk.position
    )
    rest.offset = chunk.offset._replace(sequence=sequence)
    return rest
