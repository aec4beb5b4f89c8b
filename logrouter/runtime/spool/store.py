"""The log on disk, written at its end and deleted at its beginning; `log_reader.py` reads it.

Sync, and over a `Disk` that tests can break. Every function raises OSError, with nothing changed that was there.

Invariants:
- a segment is never written to after a restart: each start begins a new one, of its own epoch, with its first record.
  So what a crash has torn stays where it is, and does no harm;
- a write that fails leaves nothing behind that the next one would follow;
- what a sync could not write is written again before it is synced again: the kernel says only once that it failed.

    segments/000000000007.segment     numbered in the order of the log
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from logrouter import positions
from logrouter.event import Chunk
from logrouter.runtime.disk import Disk, read_file, sync_file, sync_folder, write_all
from logrouter.runtime.spool.log_reader import LogReader
from logrouter.runtime.spool.segment_reader import Segment
from logrouter.segments import SALT_BYTES, Header, encode_header, encode_record, is_begun, marker_with

SEGMENT_BYTES: Final = 64 * 2**20
SMALLEST_SEGMENT_BYTES: Final = 2**20
SEGMENTS_IN_SPOOL: Final = 16
"""At least so many make up a full spool: what is discarded is discarded by segments."""
RECORDS_IN_SPOOL: Final = 8
"""At least so many of the largest that are taken: one must leave room for others, as a sink may hang in the middle of
it, and what it holds cannot be deleted."""
MAX_RECORDS: Final = 16_384
"""In one segment, so that its heads are gone through in 30 ms."""
DAMAGED_SUFFIX: Final = ".damaged"
_TAKEN: Final = re.compile(r"\d{12}\.segment(\.damaged)?")
"""Names whose number is not given again."""


class Store(LogReader):
    """The segments of one folder, and their writer."""

    def __init__(
        self,
        folder: str,
        *,
        max_bytes: int,
        epoch: int,
        disk: Disk = os,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`epoch`: of what will be appended."""
        super().__init__(folder, disk)
        self.epoch = epoch
        self.limit(max_bytes)
        self.written_bytes = 0
        """In all, since the start."""
        self.synced_end = 0
        """What was appended before this sequence is on the disk."""
        self.sync_seconds = 0.0
        """How long the last sync took."""
        self.syncs = 0
        self.lost_bytes = 0
        """In files that could not be read at all."""
        self.has_unwritten_positions = False
        """Whether sources have been read further than the log's files tell."""
        self.positions_written = 0
        """How often all positions were written: what was told before the last time is in a file."""
        self._clock_ns = clock_ns
        self._fd: int | None = None
        """The last segment, open for writing, where this process has begun one."""
        self._dirty: list[Segment] = []
        """Segments written to since the last sync."""
        self._new_names = False
        self._next_number = 1
        self._found: list[Segment] = []
        self._leaving: dict[str, int] = {}
        """Path → size of files that are no part of the log any more, and not deleted yet."""

    def limit(self, max_bytes: int) -> None:
        """Let the log take so much, or what it takes already; segments become as large as fits that."""
        self.max_bytes = max_bytes
        self.segment_bytes = min(SEGMENT_BYTES, max(SMALLEST_SEGMENT_BYTES, max_bytes // SEGMENTS_IN_SPOOL))

    def open(self) -> None:
        """Find out what is there. Raises UnknownVersion.

        A file whose header is damaged is read from its first record on; one that has none is set aside.
        """
        self._read_headers()
        self._mend_damaged()
        self._find_end()
        self._found = list(self.segments) if self.size_bytes > self.max_bytes else []
        self._dirty = list(self.segments)  # who knows what the last process has synced
        self._new_names = bool(self.segments)
        names = self._disk.listdir(self.folder)
        taken = [int(name[:12]) for name in names if _TAKEN.fullmatch(name)]
        self._next_number = max(taken, default=0) + 1

    def _mend_damaged(self) -> None:
        damaged, self.damaged = self.damaged, []
        for path in damaged:
            if is_begun(read_file(self._disk, path)):
                self._disk.unlink(path)
            elif (segment := self.from_records(path)) is not None:
                self.segments.append(segment)
            else:
                self._forget_reader(path)
                self.lost_bytes += self._disk.stat(path).st_size
                self._disk.rename(path, path + DAMAGED_SUFFIX)
                self.damaged.append(path)
        self.segments.sort(key=lambda segment: segment.number)

    # ── writing ──

    def begin_at(self, sequence: int) -> None:
        """What is appended next has this sequence, or a later one."""
        self.end = max(self.end, sequence)
        if not self.needs_sync:
            self.synced_end = self.end  # nothing before it will ever be written

    def fits(self, size_bytes: int) -> bool:
        """Whether the log may grow by so much."""
        return self.size_bytes + size_bytes <= self.max_bytes + self._found_bytes()

    def is_too_large(self, chunk: Chunk) -> bool:
        """Whether a chunk can never be taken, as too little would find room beside it."""
        return chunk.payload_bytes > self.max_bytes // RECORDS_IN_SPOOL

    def _found_bytes(self) -> int:
        """What was there at the start, if that was more than the limit: a lower one throws nothing away."""
        if not self._found:
            return 0
        self._found = [segment for segment in self._found if segment in self.segments]
        return sum(segment.size for segment in self._found)

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(segment.size for segment in self.segments) + sum(self._leaving.values())

    def append(self, chunk: Chunk) -> None:
        """Write a chunk, whose offset is set, as a record. All of it is written, or nothing stays."""
        if self._fd is None or self._is_full():
            self._begin_segment(chunk.offset.sequence)
        assert self._fd is not None
        segment = self.segments[-1]
        pieces = encode_record(chunk, segment.header.marker)
        try:
            write_all(self._disk, self._fd, pieces)
        except OSError:
            self._cut_off(segment)
            raise
        size = sum(map(len, pieces))
        if segment not in self._dirty:
            self._dirty.append(segment)
        segment.size += size
        segment.records += 1
        segment.end = self.end = chunk.end.sequence
        segment.closed_ns = chunk.received_ns
        self.written_bytes += size
        self.note_position(chunk)

    def _is_full(self) -> bool:
        segment = self.segments[-1]
        return segment.size >= self.segment_bytes or segment.records >= MAX_RECORDS

    def _begin_segment(self, first: int) -> None:
        number = self._next_number
        self._next_number += 1  # also where it fails: perhaps what it has begun stays
        path = os.path.join(self.folder, f"{number:012d}.segment")
        marker = marker_with(secrets.token_bytes(SALT_BYTES))
        header = Header(self.epoch, first, self._clock_ns(), dict(self.positions), marker)
        data = encode_header(header)
        fd = self._disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            write_all(self._disk, fd, [data])
        except OSError:
            self._disk.close(fd)
            with suppress(OSError):
                self._disk.unlink(path)
            raise
        self._close_writer()
        self._fd = fd
        segment = Segment(number, path, header._replace(size=len(data)), len(data))
        self.segments.append(segment)
        self._new_names = True
        self.has_unwritten_positions = False
        self.positions_written += 1

    def pass_over(self, chunk: Chunk) -> None:
        """A chunk need not be written: only how far its source has been read."""
        if chunk.position is not None:
            self.keep_positions(chunk.position)

    def keep_positions(self, carried: bytes) -> None:
        """How far sources have been read, where no chunk tells it."""
        positions.merge(self.positions, carried)
        self.has_unwritten_positions = True

    def write_positions(self) -> None:
        """Write how far all sources have been read: into the header of a new segment."""
        self._begin_segment(self.end)

    def _cut_off(self, segment: Segment) -> None:
        """Take back what a failed write has left; where that fails too, what follows begins a new segment."""
        assert self._fd is not None
        try:
            self._disk.ftruncate(self._fd, segment.size)
        except OSError:
            self._close_writer()

    def _close_writer(self) -> None:
        if self._fd is not None:
            self._disk.close(self._fd)
            self._fd = None

    # ── making durable ──

    @property
    def needs_sync(self) -> bool:
        """Whether something was written that no sync has covered."""
        return bool(self._dirty) or self._new_names

    def begin_sync(self) -> Callable[[], None]:
        """A function that makes durable all that was appended so far, to be called in a thread. Raises OSError."""
        dirty = [(segment, segment.size) for segment in self._dirty]
        new_names, end = self._new_names, self.end
        self._dirty, self._new_names = [], False

        def sync() -> None:
            started = time.perf_counter()
            try:
                for segment, size in dirty:
                    self._sync_segment(segment, size)
                if new_names:
                    sync_folder(self._disk, self.folder)
            except BaseException:
                unsynced = [segment for segment, size in dirty if segment.synced_size < size]
                self._dirty += [segment for segment in unsynced if segment not in self._dirty]
                self._new_names = self._new_names or new_names
                raise
            self.sync_seconds = time.perf_counter() - started
            self.syncs += 1
            self.synced_end = end

        return sync

    def _sync_segment(self, segment: Segment, size: int) -> None:
        doubtful, segment.doubtful = segment.doubtful, True
        sync_file(self._disk, segment.path, segment.synced_size, size, again=doubtful)
        segment.synced_size, segment.doubtful = size, False

    # ── deleting ──

    def closed_segments(self) -> list[Segment]:
        """The segments that may be deleted, if nobody needs them: not the one that is written to, and not the last
        where positions of sources stand in it."""
        spare = self.segments[:-1] if self._fd is not None or self.positions else self.segments
        return list(spare)

    def forget(self, paths: Sequence[str]) -> None:
        """Take segments out of the log; then `unlink` them."""
        for segment in [segment for segment in self.segments if segment.path in paths]:
            self.segments.remove(segment)
            self._leaving[segment.path] = segment.size
            if segment in self._dirty:
                self._dirty.remove(segment)
            self._forget_reader(segment.path)

    @property
    def has_leaving(self) -> bool:
        """Whether there are files to `unlink`."""
        return bool(self._leaving)

    def unlink(self) -> None:
        """Delete the files of what was forgotten, which may take long: call it in a thread. What fails stays so."""
        failed: OSError | None = None
        for path in list(self._leaving):
            try:
                self._disk.unlink(path)
            except FileNotFoundError:
                pass
            except OSError as error:
                failed = error
                continue
            del self._leaving[path]
        if failed is not None:
            raise failed

    def finish(self) -> None:
        """Append no more."""
        self._close_writer()

    def close(self) -> None:
        """Let go of all files."""
        self._close_writer()
        super().close()
