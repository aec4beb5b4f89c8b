"""Reading one segment of the log, from anywhere, also damaged ones. Sync, and over a `Disk` that tests can break.

Every function raises OSError for what does not lie in the segments: too few descriptors, a folder that is not there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from logrouter.event import Chunk
from logrouter.runtime.disk import Disk, pread_all
from logrouter.segments import (
    MARKER_OF_VERSION_1,
    Damaged,
    Head,
    Header,
    decode_head,
    decode_record,
    guess_marker,
    head_bytes,
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


class SegmentReader:
    """Reads segments, and keeps a few of them open."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._readers: dict[str, int] = {}

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

    def _chunk(self, segment: Segment, head: Head, offset: int) -> Chunk | None:
        """What is in a record; None where it is damaged."""
        record = self._pread(segment, head.size, offset)
        if not is_whole(head, record):
            return None
        with suppress(Damaged):
            return decode_record(head, record, segment.header.epoch)
        return None

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
