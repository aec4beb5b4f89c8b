"""What `spool verify` and `spool repair` find out: everything in a spool is read, and every damaged place told.

Works while a process writes: what is damaged at an end that moves is being written, and no damage.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from logrouter import positions
from logrouter.cursors import State, inspect, replay
from logrouter.figures import counted, rounded_size
from logrouter.runtime.disk import exists, read_file
from logrouter.runtime.spool.directory import SpoolDirectory
from logrouter.runtime.spool.log_reader import LogReader
from logrouter.runtime.spool.segment_reader import Segment, Stretch

_MOVING_SECONDS: Final = 0.1
"""What is looked at again after so long and has changed is being written."""
_PROGRESS_BYTES: Final = 16 * 2**20


class Damage(msgspec.Struct):
    """One damaged place."""

    path: str
    offset: int
    bytes: int
    problem: str
    events: int | None = None
    """How many were in it; None where nobody knows, or where no events are."""
    first: int | None = None
    """The sequence of the first of them."""

    def __str__(self) -> str:
        return f"{self.path} at {self.offset}, {counted(self.bytes, 'byte')}: {self.problem}{self._cost()}"

    def _cost(self) -> str:
        if self.events and self.first is not None:
            return f": {counted(self.events, 'event')} lost, from sequence {self.first}"
        return ": no event is lost" if self.events == 0 else ""


class CheckedSegment:
    """What was found in one segment."""

    def __init__(self, segment: Segment, positions: dict[str, bytes]) -> None:
        self.segment = segment
        self.positions = positions
        """Of the sources, before it."""
        self.whole: list[tuple[int, int]] = []
        """From where to where there are whole records."""
        self.damages: list[Damage] = []
        self.needs_header = False
        """Whether its header cannot stay."""
        self.first: int | None = None
        """The sequence of the first whole record."""
        self.first_received_ns = 0

    def add(self, stretch: Stretch) -> None:
        """A whole record."""
        assert stretch.chunk is not None
        if self.first is None:
            self.first, self.first_received_ns = stretch.chunk.offset.sequence, stretch.chunk.received_ns
        if self.whole and self.whole[-1][1] == stretch.offset:
            self.whole[-1] = self.whole[-1][0], stretch.offset + stretch.size
        else:
            self.whole.append((stretch.offset, stretch.offset + stretch.size))


class CheckedLog:
    """What was found in the segments, and what their sequences tell about what was not."""

    def __init__(self, reader: LogReader, progress: Callable[[int], None] = lambda done: None) -> None:
        """Reads everything. `progress` is told how many bytes that were so far."""
        self.segments: list[CheckedSegment] = []
        self.events = 0
        self.bytes = 0
        self.absent: list[tuple[int, int]] = []
        """Sequences that are passed over where nothing is damaged: from one to before another."""
        self.end: int | None = None
        """The sequence after the last whole record, or where the last segment begins."""
        self.positions: dict[str, bytes] = {}
        self._reader = reader
        self._progress = progress
        self._pending: list[Damage] = []
        """Damage behind the last whole record."""
        segments = [*reader.segments, *map(reader.without_header, reader.damaged)]
        for segment in sorted(segments, key=lambda segment: segment.number):
            with suppress(FileNotFoundError):  # deleted meanwhile: nobody needs it any more
                self._check(segment, has_header=segment.header.size > 0)
        self.end_is_damaged = bool(self._pending) and (self.end is None or reader.end > self.end)
        """Whether a damaged record at the end tells that there were more events."""
        if self.end is None or reader.end > self.end:
            self._reach(reader.end)

    def _check(self, segment: Segment, *, has_header: bool) -> None:
        if has_header:
            self.positions = dict(segment.header.positions)
        checked = CheckedSegment(segment, dict(self.positions))
        stretches = self._reader.walk(segment)
        self._check_header(checked, has_header)
        for stretch in stretches:
            if stretch.chunk is None and is_moving(self._reader, segment, stretch):
                break
            self._take(checked, stretch)
            self._progress(self.bytes + stretch.offset + stretch.size)
        self.segments.append(checked)
        self.bytes += segment.size

    def _check_header(self, checked: CheckedSegment, has_header: bool) -> None:
        first = checked.segment.header.first
        if not has_header:
            checked.needs_header = True
            if not checked.segment.size:
                self._add(checked, 0, 0, "it is empty")
        elif self.end is not None and first < self.end:
            checked.needs_header = True
            problem = f"it begins with sequence {first}, and the segment before it ends with {self.end - 1}"
            self._add(checked, 0, checked.segment.header.size, problem)
        else:
            self._reach(first)

    def _take(self, checked: CheckedSegment, stretch: Stretch) -> None:
        chunk = stretch.chunk
        if chunk is None:
            is_header = checked.needs_header and stretch.offset == 0
            problem = "its header cannot be read" if is_header else stretch.problem
            self._add(checked, stretch.offset, stretch.size, problem)
            return
        if self.end is not None and chunk.offset.sequence < self.end:
            self._add(checked, stretch.offset, stretch.size, "a record is out of order")
            return
        self._reach(chunk.offset.sequence)
        self.end = chunk.end.sequence
        self.events += len(chunk)
        if chunk.position is not None:
            positions.merge(self.positions, chunk.position)
        checked.add(stretch)

    def _add(self, checked: CheckedSegment, offset: int, size: int, problem: str) -> None:
        damage = Damage(checked.segment.path, offset, size, problem)
        checked.damages.append(damage)
        self._pending.append(damage)

    def _reach(self, sequence: int) -> None:
        """The log goes on with this sequence: what lies between it and the last one is lost, or was never kept."""
        passed = sequence - self.end if self.end is not None else None
        if self._pending:
            self._pending[0].events, self._pending[0].first = passed, self.end
            self._pending = []
        elif self.end is not None and passed:
            self.absent.append((self.end, sequence))
        self.end = sequence

    @property
    def missing(self) -> int:
        """How many events are absent between others."""
        return sum(end - first for first, end in self.absent)

    @property
    def last(self) -> Segment:
        """The last segment that has a header, of which there must be one."""
        return self._reader.segments[-1]

    @property
    def oldest(self) -> int:
        """The sequence of the first event that is kept, or would be next."""
        firsts = [checked.first if checked.needs_header else checked.segment.header.first for checked in self.segments]
        return next((first for first in firsts if first is not None), self.end or 0)

    @property
    def damages(self) -> list[Damage]:
        """All of them, in order."""
        return [damage for checked in self.segments for damage in checked.damages]


class CheckedJournal:
    """What was found in the files of one cursor."""

    def __init__(self, directory: SpoolDirectory, sink: str) -> None:
        self.sink = sink
        self.path = directory.journal(sink)
        files = self._read()
        if replay(*files.values())[0] is None or any(inspect(data)[1] for data in files.values()):
            time.sleep(_MOVING_SECONDS)  # perhaps an entry is being written
            files = self._read()
        self.kept: dict[str, bytes] = {}
        """Path of a damaged file → what is whole in it."""
        self.damages: list[Damage] = []
        for path, data in files.items():
            whole, damaged = inspect(data)
            self.damages += [Damage(path, offset, size, "an entry is damaged", events=0) for offset, size in damaged]
            if damaged:
                self.kept[path] = whole
        self.state: State | None = replay(*files.values())[0]
        if self.state is None and not self.damages:
            self.damages.append(Damage(next(iter(files), self.path), 0, 0, "there is no entry in it", events=0))

    def _read(self) -> dict[str, bytes]:
        """Path → what is in it."""
        paths = [path for path in (f"{self.path}.0", f"{self.path}.1") if exists(os, path)]
        return {path: read_file(os, path) for path in paths}

    @property
    def cost(self) -> str:
        """What the damage costs, in words; empty where there is none."""
        if not self.damages:
            return ""
        if self.state is None:
            return f"sink {self.sink} begins again with the oldest event that is kept: some events may arrive twice"
        return f"sink {self.sink} goes on from sequence {self.state.committed}: some events may arrive twice"


def sinks_in(directory: SpoolDirectory) -> list[str]:
    """The sinks that have a cursor there."""
    with suppress(FileNotFoundError):
        names = os.listdir(directory.cursors)
        return sorted({name[:-2] for name in names if name.endswith((".0", ".1"))})
    return []


def open_log(directory: SpoolDirectory) -> LogReader:
    """The log, opened to be looked at. Raises UnknownVersion, and OSError."""
    reader = LogReader(directory.segments)
    reader.open()
    if reader.damaged:  # or just begun
        reader.close()
        time.sleep(_MOVING_SECONDS)
        reader = LogReader(directory.segments)
        reader.open()
    return reader


def is_moving(reader: LogReader, segment: Segment, stretch: Stretch) -> bool:
    """Whether this is the end of the last segment, and somebody writes there."""
    if segment not in reader.segments[-1:] or stretch.offset + stretch.size < segment.size:
        return False
    time.sleep(_MOVING_SECONDS)
    with suppress(FileNotFoundError):
        return os.stat(segment.path).st_size != segment.size
    return True


def check_log(directory: SpoolDirectory) -> CheckedLog:
    """Everything in the segments, with progress on a terminal."""
    reader = open_log(directory)
    total = sum(segment.size for segment in reader.segments)
    try:
        return CheckedLog(reader, _Progress(total) if os.isatty(2) else lambda done: None)
    finally:
        reader.close()


class _Progress:
    """How far it is, on the terminal, for those who wait."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._next = _PROGRESS_BYTES

    def __call__(self, done: int) -> None:
        if done < self._next or self._total < 2 * _PROGRESS_BYTES:
            return
        self._next = done + _PROGRESS_BYTES
        text = f"read {rounded_size(done)} of {rounded_size(self._total)}"
        at_end = self._next > self._total
        print(f"\r{text}\033[K", end="\r\033[K" if at_end else "", file=sys.stderr, flush=True)


def total_of(damages: list[Damage]) -> str:
    """`2 places, 120 events lost, and 512 bytes of which nobody knows`"""
    events = sum(damage.events or 0 for damage in damages)
    unknown = sum(damage.bytes for damage in damages if damage.events is None)
    told = [counted(len(damages), "place")]
    told += [f"{counted(events, 'event')} lost"] if events else []
    told += [f"{counted(unknown, 'byte')} of which nobody can tell what they were"] if unknown else []
    return ", ".join(told)
