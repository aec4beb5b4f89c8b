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
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from logrouter import positions
from logrouter.event import Chunk
from logrouter.runtime.disk import Disk, opened, pread_all
from logrouter.segments import (
    HEADER_BYTES,
    MARKER_OF_VERSION_1,
    Damaged,
    Head,
    Header,
    UnknownVersion,
    decode_head,
    decode_header,
    decode_record,
    guess_marker,
    head_bytes,
    header_length,
    is_whole,
)

_SEARCH_BYTES: Final = 256 * 1024
"""Searched at once for a marker, behind damage."""
_GUESS_BYTES: Final = 8 * 2**20
"""Looked through for what a damaged header has said of the records: 20 ms, if it is enough."""
_PAGE_BYTES: Final = 4096
"""What the kernel reads at least, so that less is not worth another try where it cannot."""
OPEN_FILES: Final = 8
"""Segments kept open for reading."""
_NAME: Final = re.compile(r"(\d{12})\.segment")
_TRANSIENT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)
"""Reasons why a read fails that do not lie in what is read."""


class Segment:
    """One file of the log."""

    __slots__ = (
        "closed_ns", "doubtful", "end", "header", "headless", "number", "path", "records", "size", "synced_size",
    )  # fmt: skip

    def __init__(self, number: int, path: str, header: Header, size: int) -> None:
        self.number = number
        self.path = path
        self.header = header
        self.size = size
        self.end = header.first
        """The sequence after its last event, as far as is known without reading it."""
        self.records = 0
        self.closed_ns = header.created_ns
        """When the last record was written to it."""
        self.synced_size = 0
        """How much of it is known to be on the disk."""
        self.headless = False
        """Whether its header is damaged, and only what its records tell is known."""
        self.doubtful = False
        """Whether a sync has failed on the rest."""

    def size_from(self, sequence: int) -> int:
        """About how much of it the events take that stand at or after this one, as if all were equally large."""
        first = self.header.first
        return self.size * (self.end - max(first, sequence)) // max(1, self.end - first)


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


class Stretch(NamedTuple):
    """A part of a segment: a whole record, or bytes that are none."""

    offset: int
    size: int
    head: Head | None
    """What the head of a record says that stands there, where one does."""
    chunk: Chunk | None
    """What is in it. None: it is damaged."""
    problem: str = ""
    """What is wrong with it."""


class LogReader:
    """The segments of one folder."""

    def __init__(self, folder: str, disk: Disk = os) -> None:
        """Nothing is read before `open`."""
        self.folder = folder
        self.segments: list[Segment] = []
        self.positions: dict[str, bytes] = {}
        """Source → how far it has been read, as the log knows."""
        self.end = 0
        """The sequence after the last event that the log holds or ever held, as far as is known."""
        self.damaged: list[str] = []
        """Files that have a segment's name and no valid header."""
        self._disk = disk
        self._readers: dict[str, int] = {}

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
        with opened(self._disk, path, os.O_RDONLY) as fd:
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

    def heads(self, segment: Segment) -> Iterator[tuple[Head, int]]:
        """The heads of a segment's records, and their offsets; behind damage, those that can be found again.

        The last may be torn: its events were there once, if it is where it should be. Where it carries a position its
        source will read them again, and nothing is missing.
        """
        offset, expected = segment.header.size, segment.header.first
        head = self._head(segment, offset)
        while offset < segment.size:
            behind = self._head(segment, offset + head.size) if head is not None else None
            if head is not None and self._is_credible(segment, offset, head, behind):
                yield head, offset
                expected, offset, head = head.end, offset + head.size, behind
                continue
            place = self._next_record(segment, offset + 1)
            is_last = head is not None and head.first == expected and place >= segment.size
            if head is not None and is_last and not head.position_bytes:
                yield head, offset
            offset, head = place, self._head(segment, place)

    def _head(self, segment: Segment, offset: int) -> Head | None:
        marker = segment.header.marker
        return decode_head(self._pread(segment, head_bytes(marker), offset), marker)

    def _is_credible(self, segment: Segment, offset: int, head: Head, behind: Head | None) -> bool:
        """Whether what a head says may be believed: it leads to the next one, or all of its record is undamaged."""
        if behind is not None and behind.first == head.end:
            return True
        return is_whole(head, self._pread(segment, head.size, offset))

    def _is_followed(self, segment: Segment, offset: int, head: Head) -> bool:
        return self._is_credible(segment, offset, head, self._head(segment, offset + head.size))

    def walk(self, segment: Segment) -> Iterator[Stretch]:
        """All of a segment, in order. Reads everything. Raises FileNotFoundError where it has been deleted."""
        self._reader(segment)
        offset, expected = segment.header.size, segment.header.first
        while offset < segment.size:
            stretch = self._stretch(segment, offset, expected)
            yield stretch
            offset += stretch.size
            if stretch.chunk is not None:
                expected = stretch.chunk.end.sequence

    def _stretch(self, segment: Segment, offset: int, expected: int) -> Stretch:
        head = self._head(segment, offset)
        if head is not None and offset + head.size <= segment.size:
            record = self._pread(segment, head.size, offset)
            if is_whole(head, record):
                return _judge(head, record, offset, expected, segment.header.epoch)
            problem = "a record's checksum is wrong"
        else:
            problem = "a record is cut" if head is not None else "no record begins here"
        return Stretch(offset, self._next_record(segment, offset + 1) - offset, head, None, problem)

    def without_header(self, path: str) -> Segment:
        """One of the damaged files as a segment that can be walked: the records in it may be whole."""
        number = int(os.path.basename(path).partition(".")[0])
        header = Header(0, 0, 0, {}, MARKER_OF_VERSION_1)
        segment = Segment(number, path, header, self._disk.stat(path).st_size)
        found = guess_marker(self._pread(segment, _GUESS_BYTES, 0)) or guess_marker(
            self._pread(segment, segment.size, 0)
        )
        segment.header = header._replace(marker=found or header.marker)
        return segment

    def from_records(self, path: str) -> Segment | None:
        """The same as a segment that can be read, as far as its records tell; None where it has no whole one."""
        segment = self.without_header(path)
        offset = self._next_record(segment, 0)
        head = self._head(segment, offset)
        if head is None:
            return None
        header = segment.header._replace(first=head.first, created_ns=head.received_ns, size=offset)
        found = Segment(segment.number, path, header, segment.size)
        found.headless = True
        return found

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

    def _chunk(self, segment: Segment, head: Head, offset: int) -> Chunk | None:
        """What is in a record; None where it is damaged."""
        record = self._pread(segment, head.size, offset)
        if not is_whole(head, record):
            return None
        with suppress(Damaged):
            return decode_record(head, record, segment.header.epoch)
        return None

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

    def _next_record(self, segment: Segment, offset: int) -> int:
        """Where the next whole record begins at or after an offset; the end of the segment where none does."""
        kept, marker = b"", segment.header.marker
        while offset < segment.size:
            block = kept + self._pread(segment, _SEARCH_BYTES, offset)
            start = offset - len(kept)
            place = block.find(marker)
            while place >= 0:
                if self._is_record(segment, start + place):
                    return start + place
                place = block.find(marker, place + 1)
            kept = block[1 - len(marker) :]
            offset += _SEARCH_BYTES
        return segment.size

    def _is_record(self, segment: Segment, offset: int) -> bool:
        head = self._head(segment, offset)
        if head is None or offset + head.size > segment.size:
            return False
        return is_whole(head, self._pread(segment, head.size, offset))

    def _pread(self, segment: Segment, length: int, offset: int) -> bytes:
        """So many bytes, fewer at the segment's end; zeros where the disk cannot read them, which are no record."""
        length = max(0, min(length, segment.size - offset))
        try:
            return pread_all(self._disk, self._reader(segment), length, offset)
        except OSError as error:
            if error.errno in _TRANSIENT:
                raise
            if length <= _PAGE_BYTES:
                return bytes(length)
        half = max(_PAGE_BYTES, length // 2)  # a bad sector must not hide what is around it
        return self._pread(segment, half, offset) + self._pread(segment, length - half, offset + half)

    def _reader(self, segment: Segment) -> int:
        """A descriptor to read the segment, kept open for the next time."""
        fd = self._readers.pop(segment.path, None)
        if fd is None:
            if len(self._readers) >= OPEN_FILES:
                self._disk.close(self._readers.pop(next(iter(self._readers))))
            fd = self._disk.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        self._readers[segment.path] = fd
        return fd

    def _forget_reader(self, path: str) -> None:
        """The file goes, or gets another name."""
        if (fd := self._readers.pop(path, None)) is not None:
            self._disk.close(fd)

    def close(self) -> None:
        """Let go of all files."""
        while self._readers:
            self._disk.close(self._readers.popitem()[1])


def _judge(head: Head, record: bytes, offset: int, expected: int, epoch: int) -> Stretch:
    """A record whose checksum is right: it may be in a wrong place, or have been nonsense when it was written."""
    if head.first < expected:
        return Stretch(offset, head.size, head, None, "a record is out of order")
    try:
        return Stretch(offset, head.size, head, decode_record(head, record, epoch))
    except Damaged as error:
        return Stretch(offset, head.size, head, None, str(error))


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
