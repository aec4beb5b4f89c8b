"""Spools for the tests of `logrouter spool`: made by the real store and journals, and damaged at known places."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from logrouter.cursors import Commit, Gap, Ledger, Note, State
from logrouter.event import Chunk, Flag, Offset
from logrouter.positions import Position, encode, key_of
from logrouter.runtime.spool.directory import SpoolDirectory
from logrouter.runtime.spool.journal import Journal
from logrouter.runtime.spool.store import Store
from tests.runtime.spool.logs import records_in

EVENTS = 10
"""In each record."""
RECEIVED_NS = 1_767_225_600 * 10**9
"""2026-01-01T00:00:00Z. Each record is received a minute after the one before."""
MINUTE_NS = 60 * 10**9


class SpoolMaker:
    """A spool that is being made, as runs of a process would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sequence = 0
        self.directory = SpoolDirectory(str(path))
        self.directory.open()
        self.directory.close()

    def run(self, records: int, epoch: int = 0xABC, *, reached: bytes | None = None) -> list[Path]:
        """A start that appends so many records to a segment of its own."""
        store = Store(self.directory.segments, max_bytes=2**24, epoch=epoch, clock_ns=self._now_ns)
        store.open()
        store.begin_at(self.sequence)
        self.sequence = store.end
        for _ in range(records):
            store.append(self._chunk(epoch, reached))
            self.sequence += EVENTS
        store.close()
        return self.segments

    def _now_ns(self) -> int:
        return RECEIVED_NS + self.sequence // EVENTS * MINUTE_NS

    def _chunk(self, epoch: int, reached: bytes | None) -> Chunk:
        numbers = range(self.sequence, self.sequence + EVENTS)
        payloads = [b'{"n":%d,"level":"%b"}' % (n, b"info" if n % 5 else b"error") for n in numbers]
        attributes = {"source": "app", "stream": "stdin"}
        position = encode({key_of("app", "f"): Position(reached)}) if reached else None
        chunk = Chunk(payloads, bytes((Flag.JSON,)) * EVENTS, attributes, self._now_ns(), position=position)
        chunk.offset = Offset(epoch, self.sequence)
        return chunk

    @property
    def segments(self) -> list[Path]:
        return sorted((self.path / "segments").glob("*.segment"))

    def cursor(
        self, sink: str, committed: int, *, gap: tuple[int, int] | None = None, note: tuple[int, int] | None = None
    ) -> list[Path]:
        """A cursor that began at 0. Gives its files that hold something."""
        journal = Journal(self.directory.journal(sink))
        journal.load()
        state = State(sink, 0, 0, Ledger())
        journal.begin(state)
        entries: list[Commit | Note] = []
        if committed:
            entries.append(Commit(committed, Ledger(read=self.sequence, delivered=committed), 0))
        if gap is not None:
            events = gap[1] - gap[0]
            lost = Ledger(read=self.sequence, delivered=committed, discarded={"spool_full": events})
            entries.append(Commit(committed, lost, 0, [Gap(1, *gap, events, "discarded", "spool_full")]))
        if note is not None:
            entries.append(Note(*note))
        for entry in entries:
            state.apply(entry)
            journal.write(entry, state)
        journal.close()
        files = sorted((self.path / "cursors").glob(f"{sink}.*"))
        return [path for path in files if path.read_bytes().strip(b"\0")]

    def files(self) -> dict[str, bytes]:
        """All that is in it, by path below the folder."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in sorted(self.path.rglob("*"))
            if path.is_file() and path.name != "lock"
        }


def spoil(path: Path, *places: int, data: bytes = b"~") -> None:
    """Overwrite bytes."""
    whole = bytearray(path.read_bytes())
    for place in places:
        whole[place : place + len(data)] = data
    path.write_bytes(whole)


def spoil_records(segment: Path, *numbers: int) -> None:
    """Make the checksums of these records wrong."""
    starts = records_in(segment)
    spoil(segment, *(starts[number] + 60 for number in numbers))


def spoil_entries(journal: Path, numbers: Sequence[int]) -> None:
    """Make the checksums of these lines wrong."""
    data = journal.read_bytes()
    starts = [0, *(match.end() for match in re.finditer(rb"\n", data))]
    spoil(journal, *(starts[number] + 15 for number in numbers))


def age(path: Path, seconds: float) -> None:
    """Let a file be written so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def events(output: str) -> list[int]:
    """Which events were exported."""
    return [json.loads(line)["n"] for line in output.splitlines()]
