"""A spool on a disk that crashes, beside a plain model of what it should be: see test_model.py.

The model knows, for each sequence, which event was appended with it, whether a crash may have taken it, and what became
of it at each sink. `Model.check` compares all of it with what the spool says.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any, Literal

import pytest
import trio

from logrouter.config.settings import Settings, SinkSettings, SourceSettings, SpoolSettings
from logrouter.crashing import Killed
from logrouter.cursors import Gap, Note, Tally
from logrouter.event import Chunk, Flag
from logrouter.routing import Router
from logrouter.runtime.disk import make_folders, sync_folder
from logrouter.runtime.log import Log
from logrouter.runtime.spool import resuming
from logrouter.runtime.spool.journal import Journal
from logrouter.runtime.spool.keeper import Keeper
from logrouter.runtime.spool.local import LocalSpool
from logrouter.runtime.spool.store import RECORDS_IN_SPOOL, Store
from logrouter.sinks import SinkConfig
from logrouter.testing import CrashingDisk
from logrouter.values import Duration
from tests.runtime.pipelines import make_router

Durability = Literal["memory", "disk", "sync"]
DURABILITIES: tuple[Durability, ...] = ("memory", "disk", "sync")
MATCHES = {"b": "b == 1"}
BUDGET_BYTES = 12_000
MAX_BYTES = 14_000
SEGMENT_BYTES = 1_500
JOURNAL_BYTES = 1_500
BLOCK_SECONDS = 3.0
KNOWN = ("not_kept", "too_large")
"""Reasons why events are lost of which it is known whom they were for."""


class SmallJournal(Journal):
    """One whose files are soon full."""

    def __init__(self, path: str, disk: Any) -> None:
        super().__init__(path, disk)
        self.file_bytes = JOURNAL_BYTES


def settings_for(durability: Durability, sinks: str, discarding: str = "") -> Settings:
    """Sinks with names of one letter; those in `discarding` discard their oldest events at once."""
    configs = {name: SinkConfig(when_full="discard_oldest" if name in discarding else "block") for name in sinks}
    return Settings(
        sources={"app": SourceSettings(type="stdin", config=None)},
        sinks={name: SinkSettings(type="file", config=config) for name, config in configs.items()},
        spool=SpoolSettings(durability=durability, directory="/spool", block_timeout=Duration(BLOCK_SECONDS)),
    )


def open_spool(
    disk: CrashingDisk, epoch: int, settings: Settings, said: list[bytes], *, router: Router | None = None
) -> LocalSpool:
    """What `resuming.open_folder` does, with a small log on this disk."""
    for folder in ("/spool/segments", "/spool/cursors"):
        for changed in make_folders(disk, folder):
            sync_folder(disk, changed)
    store = Store("/spool/segments", max_bytes=MAX_BYTES, epoch=epoch, disk=disk)
    store.segment_bytes = SEGMENT_BYTES
    log = Log("error", write=said.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resuming, "Journal", SmallJournal)
        router = router or make_router(list(settings.sinks), MATCHES)
        spool = resuming.spool_over(store, "/spool/cursors", settings, router, log, disk=disk)
    spool.window.budget_bytes = BUDGET_BYTES
    return spool


@dataclass
class Event:
    """What the model knows of one event."""

    number: int
    unsafe: bool = False
    """A crash may have taken it."""

    @property
    def for_b(self) -> bool:
        return self.number % 3 != 0

    def payload(self, width: int = 90) -> bytes:
        return b'{"n":%d,"b":%d,"x":"%s"}' % (self.number, self.for_b, b"x" * width)


@dataclass
class SinkModel:
    """What the model knows of one sink."""

    name: str
    committed: int = 0
    next: int = 0
    fates: dict[int, str] = field(default_factory=dict)
    """Sequence → what became of it, of all that was settled."""
    hand: list[Chunk | Gap] = field(default_factory=list)
    """What was read and not committed, in order."""
    notes: dict[int, int] = field(default_factory=dict)
    """First → end of each batch that is noted and not settled."""
    unsure: set[tuple[int, int]] = field(default_factory=set)
    """Those of which nobody knows whether they are written."""
    batches: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """The numbers of the events in each batch that was ever noted."""
    kill_floor: int = 0
    """What no kill can take of its progress, as it is known to be written."""
    power_floor: int = 0
    """What no power cut can take."""
    attempts: list[int] = field(default_factory=list)
    """Where it has been since `power_floor`."""

    def wants(self, event: Event) -> bool:
        return self.name != "b" or event.for_b


def first_of(item: Chunk | Gap) -> int:
    return item.first if isinstance(item, Gap) else item.offset.sequence


def end_of(item: Chunk | Gap) -> int:
    return item.end if isinstance(item, Gap) else item.end.sequence


class Model:
    """The spool, and what it should be."""

    def __init__(self, durability: Durability, sinks: str, discarding: str, seed: int) -> None:
        self.durability = durability
        self.disk = CrashingDisk(Random(seed))
        self.settings = settings_for(durability, sinks, discarding)
        self.router = make_router(list(self.settings.sinks), MATCHES)
        self.said: list[bytes] = []
        self.events: dict[int, Event] = {}
        self.ids: set[tuple[int, int]] = set()
        self.numbers = 0
        self._may_send_all = False
        self._found: dict[str, int] = {}
        """Path → size of the segments that a start has found, where they were more than the limit: none of what is new
        counts towards these."""
        self.epoch = 0
        self.sinks = [SinkModel(name) for name in sinks]
        self.spool = self._open()

    def _open(self) -> LocalSpool:
        self.epoch += 1
        return open_spool(self.disk, self.epoch, self.settings, self.said, router=self.router)

    @property
    def keeper(self) -> Keeper:
        assert self.spool.keeper is not None
        return self.spool.keeper

    # ── steps ──

    async def append(self, events: int, live: bool = True, width: int = 90) -> None:
        first, end = self.spool.appended, self.spool.appended + events
        replaced = {sequence: event for sequence, event in self.events.items() if first <= sequence < end}
        too_large = width > MAX_BYTES // RECORDS_IN_SPOOL
        new = [Event(self.numbers + place, unsafe=too_large) for place in range(events)]
        self.numbers += events
        self.events |= dict(zip(range(first, end), new, strict=True))
        flags = bytes([Flag.JSON]) * events
        (chunk,) = self.router.route(
            Chunk([event.payload(width) for event in new], flags, {"source": "app"}, 1_000 + first)
        )
        try:
            with trio.move_on_after(BLOCK_SECONDS + 2):
                await self.spool.append(chunk, live=live)
        finally:
            if self.spool.appended == first and not self.disk.dead:  # there was no room
                for sequence in range(first, end):
                    del self.events[sequence]
                self.events |= replaced
            else:
                ids = {(self.epoch, sequence) for sequence in range(first, end)}
                assert not ids & self.ids, "an id was used twice"
                self.ids |= ids

    def read(self, number: int, items: int) -> None:
        sink = self.sinks[number]
        for _ in range(items):
            in_hand = sum(item.size_bytes for item in sink.hand if isinstance(item, Chunk))
            if in_hand >= BUDGET_BYTES // 4:
                return
            self._may_send_all = self.keeper.bypassed
            try:
                item = self.spool.read(number)
            except OSError:
                return
            if item is None:
                return
            self._take(sink, item)

    def _take(self, sink: SinkModel, item: Chunk | Gap) -> None:
        """Invariant 5, order: one after the other, none twice, none left out, each as it was appended."""
        if isinstance(item, Gap):
            assert item.first <= sink.next < item.end
            self._check_gap(sink, item)
        else:
            assert item.offset.sequence == sink.next
            found = [int(payload[5 : payload.index(b",")]) for payload in item.payloads]
            assert found == [self.events[sequence].number for sequence in range(sink.next, item.end.sequence)]
            if self.durability == "sync" and not self._may_send_all:
                assert item.end.sequence <= self.keeper.store.synced_end, "a power cut could take back what is sent"
        sink.next = end_of(item)
        sink.hand.append(item)

    def _check_gap(self, sink: SinkModel, gap: Gap) -> None:
        covered = [self.events[sequence] for sequence in range(gap.first, gap.end) if sequence in self.events]
        if gap.outcome == "lost":
            safe = [event.number for event in covered if not event.unsafe]
            assert not safe, f"lost what was safe: {gap}"
        wanted = sum(map(sink.wants, covered))
        known = gap.outcome == "discarded" or gap.reason in KNOWN
        assert gap.events == (wanted if known else gap.end - gap.first)

    async def note(self, number: int) -> None:
        """Note what was read and is not noted yet."""
        sink = self.sinks[number]
        first = sink.committed
        while first in sink.notes:
            first = sink.notes[first]
        limit = min((noted for noted in sink.notes if noted > first), default=sink.next)
        ends = [first_end for first_end in map(end_of, sink.hand) if first_end > first]
        end = max((its for its in ends if its <= limit), default=min(ends, default=0))
        if first >= end:
            return
        sink.unsure.add((first, end))
        chunks = [item for item in sink.hand if isinstance(item, Chunk) and first <= first_of(item) < end]
        sink.batches[first, end] = [self.events[seq].number for item in chunks for seq in self._sequences(item)]
        try:
            await self.spool.note(number, Note(first, end))
        except OSError:
            return  # it must not be sent; it may be written later
        sink.notes[first] = end
        if self.spool.cursors[number].is_written:  # else it may be sent all the same, as the log is bypassed
            sink.unsure.discard((first, end))

    def commit(self, number: int, batches: int) -> None:
        """Settle the next batches. Invariant 2: only what is noted and read to its end."""
        sink = self.sinks[number]
        ends = [end for end in sorted(sink.notes.values()) if end <= sink.next and end in map(end_of, sink.hand)]
        if not ends:
            return
        end = ends[:batches][-1]
        self._check_cut(sink, end)
        counts: Counter[str] = Counter()
        for item in sink.hand:
            if end_of(item) <= end:
                fates = self._fates(sink, item)
                sink.fates |= fates
                counts.update(fates.values() if isinstance(item, Chunk) else ())
        sink.attempts.append(end)
        self.spool.commit(number, end, Tally(counts["delivered"], counts["unmatched"]))
        sink.hand = [item for item in sink.hand if end_of(item) > end]
        sink.committed = end
        sink.notes = {first: its for first, its in sink.notes.items() if its > end}
        if self.spool.cursors[number].is_written:
            sink.kill_floor = end

    def _check_cut(self, sink: SinkModel, end: int) -> None:
        """Invariant 6: a batch that comes again holds what it held."""
        for first, its in sink.notes.items():
            if its > end:
                continue
            items = [item for item in sink.hand if first <= first_of(item) and end_of(item) <= its]
            found = [
                self.events[seq].number for item in items if isinstance(item, Chunk) for seq in self._sequences(item)
            ]
            gone = [seq for item in sink.hand if isinstance(item, Gap) for seq in self._sequences(item)]
            held = sink.batches[first, its]
            assert found == held or (gone and set(found) <= set(held)), f"{found} comes again instead of {held}"

    def _sequences(self, item: Chunk | Gap) -> range:
        return range(first_of(item), end_of(item))

    def _fates(self, sink: SinkModel, item: Chunk | Gap) -> dict[int, str]:
        if isinstance(item, Gap) and item.outcome == "lost" and item.reason not in KNOWN:
            return dict.fromkeys(self._sequences(item), "lost")  # who knows whom they were for
        fate = item.outcome if isinstance(item, Gap) else "delivered"
        return {seq: fate if sink.wants(self.events[seq]) else "unmatched" for seq in self._sequences(item)}

    def rewind(self, number: int) -> None:
        """A destination could not be synced: everything that is not settled is read again."""
        self.spool.rewind(number)
        sink = self.sinks[number]
        sink.next = sink.committed
        sink.hand.clear()

    async def tidy(self) -> None:
        """What the keeper does again and again."""
        await trio.sleep(1)
        if await self.keeper.tidy():
            for sink in self.sinks:
                sink.kill_floor = sink.power_floor = sink.committed
                sink.attempts.clear()
                sink.unsure -= set(sink.notes.items())

    # ── crashes ──

    def crash(self, *, power: bool, again_after: int | None = None) -> None:
        """The process ends here, and starts again; or first once more, and ends after so many steps of the disk."""
        store = self.keeper.store
        bound = 0 if self.durability == "memory" else store.synced_end if power else store.end
        self._go_down(power, bound, again_after)

    async def stop(self, *, power: bool) -> None:
        """The process ends as it should, and starts again, perhaps after a power cut."""
        await self.spool.aclose()
        saved = not self.keeper._unsaved and not self.keeper.trouble and not self.keeper.store.needs_sync
        if saved:
            for sink in self.sinks:
                sink.kill_floor = sink.power_floor = sink.committed
                sink.unsure -= set(sink.notes.items())
            self._go_down(power, self.spool.appended)
        else:
            self.crash(power=power)

    def _go_down(self, power: bool, bound: int, again_after: int | None = None) -> None:
        for sequence, event in self.events.items():
            event.unsafe = event.unsafe or sequence >= bound
        self.disk.crash(power=power)
        if again_after is not None:
            self.disk.kill_after(again_after)
            with suppress(Killed, OSError):
                self._open()
            self.disk.crash(power=power)
        try:
            self.spool = self._open()
        except OSError:  # the disk still fails
            self.disk.heal()
            self.disk.crash()
            self.spool = self._open()
        found = {segment.path: segment.size for segment in self.keeper.store.segments}
        self._found = found if sum(found.values()) > MAX_BYTES else {}  # what was deleted may come back with the power
        end = self.spool.appended
        for sequence in [sequence for sequence in self.events if sequence >= end]:
            assert self.events.pop(sequence).unsafe, f"{sequence} was safe, and the log ends at {end}"
        for number, sink in enumerate(self.sinks):
            self._recover(number, sink, power)

    def _recover(self, number: int, sink: SinkModel, power: bool) -> None:
        """Invariant 2: a cursor is where something was committed, and not before what was certain. And its notes."""
        state = self.spool.cursors[number].state
        floor = sink.power_floor if power else sink.kill_floor
        assert state.origin == 0
        assert floor <= state.committed, f"{sink.name}: back from {floor} to {state.committed}"
        assert state.committed in {sink.power_floor, sink.kill_floor, sink.committed, *sink.attempts}
        found = {(note.first, note.end) for note in state.notes}
        assert found <= set(sink.batches)
        if not power:
            certain = {note for note in sink.notes.items() if note[1] > state.committed} - sink.unsure
            assert certain <= found
        assert all(note.end <= self.spool.appended for note in state.notes), "new events would count as noted"
        sink.committed = sink.next = sink.kill_floor = sink.power_floor = state.committed
        sink.notes = {note.first: note.end for note in state.notes}
        sink.unsure.clear()
        sink.attempts.clear()
        sink.hand.clear()

    # ── what must hold ──

    def check(self) -> None:
        """What DESIGN's invariants say, after every step."""
        for number, sink in enumerate(self.sinks):
            self._check_ledger(number, sink)
        self._check_bounds()

    def _check_ledger(self, number: int, sink: SinkModel) -> None:
        """Invariant 3, conservation: each term is what the model knows, and together they are all."""
        ledger, state = self.spool.ledger(number), self.spool.cursors[number].state
        gaps = state.gaps
        assert all(left.end <= right.first for left, right in pairwise(gaps))
        assert all(gap.end > sink.committed for gap in gaps)
        fates = {seq: fate for seq, fate in sink.fates.items() if seq < sink.committed}
        for gap in gaps:
            self._check_gap(sink, gap)
            fates |= self._fates(sink, gap)
        counts = Counter(fates.values())
        told = (ledger.delivered, ledger.unmatched, sum(ledger.discarded.values()), sum(ledger.lost.values()))
        known = tuple(counts[fate] for fate in ("delivered", "unmatched", "discarded", "lost"))
        assert told == known, f"{sink.name}: {told}, not {known}; {gaps}"
        assert ledger.read == self.spool.appended
        assert self.spool.waiting(number) == self.spool.appended - len(fates)
        assert (state.committed, self.spool.next(number)) == (sink.committed, sink.next)

    def _check_bounds(self) -> None:
        """Invariant 8, bounded: in memory what is in the window, on disk what `max_size` says."""
        held = [held.chunk.size_bytes for held in self.spool.window]
        assert sum(held) == self.spool.window.held_bytes
        in_hand = len(self.sinks) * (BUDGET_BYTES // 4 + max(held, default=0))  # what `read` takes at most
        assert sum(held) <= BUDGET_BYTES + in_hand
        left = set(files_in(self.disk, "/spool/segments"))
        found_bytes = sum(size for path, size in self._found.items() if path in left)
        assert self.keeper.store.size_bytes <= MAX_BYTES + found_bytes
        assert self.disk.open_files <= 8 + 1 + len(self.sinks)

    async def deliver_all(self) -> None:
        """Until nothing waits for any sink."""
        self.disk.heal()
        for _ in range(200):
            for number in range(len(self.sinks)):
                self.read(number, 9)
                await self.note(number)
                self.commit(number, 9)
                self.check()
            await self.tidy()
            if not any(self.spool.waiting(number) for number in range(len(self.sinks))):
                return
        raise AssertionError("something waits for ever")


def files_in(disk: CrashingDisk, folder: str) -> Iterator[str]:
    """The paths of what is in a folder."""
    return (os.path.join(folder, name) for name in disk.listdir(folder))
