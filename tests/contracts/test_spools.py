"""What every spool must keep to: `Spool` in runtime/spool/. Whoever adds one adds it to SPOOLS.

Only what the protocol names is used, and what a way to make one gives (`Kit`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from logrouter.cursors import Gap, Note, Place, Tally
from logrouter.event import Chunk, Flag, Offset
from logrouter.routing import Router
from logrouter.runtime.spool import Spool
from logrouter.testing import CrashingDisk
from tests.runtime.pipelines import make_router, memory_spool, new_cursor
from tests.runtime.spool.model import Durability, open_spool, settings_for

SINKS = "ab"
BUDGET_BYTES = 12_000
EVENTS = 5


class Kit:
    """A spool for two sinks: `a` takes everything, `b` what has an odd number."""

    def __init__(self, spool: Spool, router: Router, reopen: Callable[[], AbstractAsyncContextManager[Kit]] | None):
        self.spool = spool
        self.reopen = reopen
        """The same spool as the next process finds it. None: nothing outlives this one."""
        self._router = router
        self._numbers = 0

    async def append(self, events: int = EVENTS, *, live: bool = True) -> Chunk:
        """Numbered events, safe when this returns."""
        numbers = range(self._numbers, self._numbers + events)
        self._numbers += events
        payloads = [b'{"n":%d,"odd":%d,"x":"%s"}' % (number, number % 2, b"x" * 100) for number in numbers]
        chunk = Chunk(payloads, bytes([Flag.JSON]) * events, {"source": "app"}, 1_000 + numbers.start)
        (chunk,) = self._router.route(chunk)
        await self.spool.append(chunk, live=live)
        await self.spool.safe(chunk.end, live=live)
        return chunk

    async def read(self, sink: int) -> list[Chunk | Gap]:
        """All there is for a sink."""
        found = []
        while self.spool.has_more(sink):
            item = self.spool.read(sink)
            assert item is not None
            found.append(item)
        return found

    def commit(self, sink: int, items: list[Chunk | Gap]) -> None:
        """Settle them."""
        chunks = [item for item in items if isinstance(item, Chunk)]
        delivered = sum(len(chunk) if sink == 0 else odd(chunk) for chunk in chunks)
        last = items[-1]
        end = last.end if isinstance(last, Gap) else last.end.sequence
        self.spool.commit(sink, end, Tally(delivered, sum(map(len, chunks)) - delivered))

    def check(self) -> None:
        """Invariant 3, conservation."""
        for sink in range(len(SINKS)):
            ledger = self.spool.ledger(sink)
            discarded, lost = sum(ledger.discarded.values()), sum(ledger.lost.values())
            assert ledger.read == ledger.delivered + ledger.unmatched + discarded + lost + self.spool.waiting(sink)


def odd(chunk: Chunk) -> int:
    return sum(b'"odd":1' in payload for payload in chunk.payloads)


def numbers_in(items: list[Chunk | Gap]) -> list[int]:
    payloads = [payload for item in items if isinstance(item, Chunk) for payload in item.payloads]
    return [int(payload[5 : payload.index(b",")]) for payload in payloads]


def router() -> Router:
    return make_router(list(SINKS), {"b": "odd == 1"})


@asynccontextmanager
async def in_memory(discarding: str = "") -> AsyncIterator[Kit]:
    made = router()
    cursors = [new_cursor(name, "discard_oldest" if name in discarding else "block") for name in SINKS]
    spool = memory_spool(cursors, made, epoch=1, budget_bytes=BUDGET_BYTES, block_timeout_seconds=10)
    yield Kit(spool, made, None)
    await spool.aclose()


@asynccontextmanager
async def on_disk(
    durability: Durability, discarding: str = "", *, disk: CrashingDisk | None = None, epoch: int = 1
) -> AsyncIterator[Kit]:
    made, disk = router(), disk or CrashingDisk()
    spool = open_spool(disk, epoch, settings_for(durability, SINKS, discarding), [], router=made)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spool.maintain)
        yield Kit(spool, made, partial(on_disk, durability, discarding, disk=disk, epoch=epoch + 1))
        nursery.cancel_scope.cancel()
    await spool.aclose()
    assert disk.open_files == 0


SPOOLS: dict[str, Callable[..., AbstractAsyncContextManager[Kit]]] = {
    "memory": in_memory,
    "directory, memory": partial(on_disk, "memory"),
    "directory, disk": partial(on_disk, "disk"),
    "directory, sync": partial(on_disk, "sync"),
}
every_spool = pytest.mark.parametrize("make", SPOOLS.values(), ids=SPOOLS)
Make = Callable[..., AbstractAsyncContextManager[Kit]]


# ── appending and reading ──


@every_spool
async def test_every_sink_reads_everything_once_and_in_order(make: Make) -> None:
    """Invariant 5, order."""
    async with make() as kit:
        chunks = [await kit.append() for _ in range(4)]
        for sink in (0, 1):
            found = await kit.read(sink)
            assert numbers_in(found) == list(range(4 * EVENTS))
            assert kit.spool.read(sink) is None
            assert kit.spool.next(sink) == chunks[-1].end.sequence
        kit.check()


@every_spool
async def test_ids_follow_each_other_and_are_never_used_twice(make: Make) -> None:
    async with make() as kit:
        offsets = [(await kit.append()).offset for _ in range(4)]
        assert len(set(offsets)) == 4
        sequences = [offset.sequence for offset in offsets]
        assert sequences == list(range(sequences[0], sequences[0] + 4 * EVENTS, EVENTS))


@every_spool
async def test_a_chunk_comes_back_as_it_was(make: Make) -> None:
    async with make() as kit:
        appended = await kit.append()
        (found,) = await kit.read(0)
        assert isinstance(found, Chunk)
        assert (found.payloads, found.flags, found.attributes, found.received_ns, found.offset) == (
            *(appended.payloads, appended.flags, {"source": "app"}, 1_000, appended.offset),
        )
        assert found.routed is not None
        assert (found.routed.count(0), found.routed.count(1)) == (EVENTS, 2)


@every_spool
async def test_one_sink_does_not_wait_for_the_other(make: Make) -> None:
    """Invariant 4, isolation."""
    async with make() as kit:
        for number in range(3):
            await kit.append()
            found = await kit.read(0)
            assert numbers_in(found) == list(range(number * EVENTS, (number + 1) * EVENTS))
            kit.commit(0, found)
        assert (kit.spool.waiting(0), kit.spool.waiting(1)) == (0, 3 * EVENTS)
        kit.check()


# ── settling ──


@every_spool
async def test_what_is_committed_waits_no_more(make: Make) -> None:
    async with make() as kit:
        for _ in range(3):
            await kit.append()
        found = await kit.read(1)
        kit.commit(1, found[:2])
        ledger = kit.spool.ledger(1)
        assert (ledger.read, ledger.delivered, ledger.unmatched) == (15, 5, 5)
        assert (kit.spool.waiting(1), kit.spool.undelivered(1)) == (5, 2)
        assert kit.spool.oldest_received_ns(1) == 1_010
        kit.commit(1, found[2:])
        assert (kit.spool.waiting(1), kit.spool.undelivered(1), kit.spool.oldest_received_ns(1)) == (0, 0, None)
        assert kit.spool.waiting(0) == 15
        kit.check()


@every_spool
async def test_what_was_handed_over_and_not_settled_is_undelivered_where_it_was_wanted(make: Make) -> None:
    async with make() as kit:
        for _ in range(8):  # more than the memory holds
            await kit.append()
            kit.commit(0, await kit.read(0))
            await kit.read(1)
            kit.spool.hand_over(1)
        assert (kit.spool.waiting(1), kit.spool.undelivered(1)) == (40, 20)


@every_spool
async def test_what_waits_takes_about_as_much_as_its_payloads(make: Make) -> None:
    async with make() as kit:
        sizes = [(await kit.append()).payload_bytes for _ in range(4)]
        assert sum(sizes) < kit.spool.waiting_bytes(0) < 4 * sum(sizes)
        found = await kit.read(0)
        kit.commit(0, found[:3])
        assert sizes[3] < kit.spool.waiting_bytes(0) < 4 * sizes[3]
        kit.commit(0, found[3:])
        assert kit.spool.waiting_bytes(0) == 0
        assert kit.spool.waiting_bytes(1) > sum(sizes)


@every_spool
async def test_what_is_not_committed_can_be_read_again(make: Make) -> None:
    async with make() as kit:
        for _ in range(3):
            await kit.append()
        found = await kit.read(0)
        kit.commit(0, found[:1])
        kit.spool.rewind(0)
        again = await kit.read(0)
        assert numbers_in(again) == list(range(EVENTS, 3 * EVENTS))
        kit.commit(0, again)
        assert kit.spool.ledger(0).delivered == 15
        kit.check()


@every_spool
async def test_notes_stay_until_they_are_settled(make: Make) -> None:
    """Invariant 6, same cut after a crash."""
    async with make() as kit:
        place = Place("x.log", 1, 2, 3, 4, 5)
        first, second = [await kit.append() for _ in range(2)]
        found = await kit.read(0)
        notes = [Note(chunk.offset.sequence, chunk.end.sequence) for chunk in (first, second)]
        for note in notes:
            await kit.spool.note(0, note)
        await kit.spool.add_place(0, notes[1].first, place)
        assert [(note.first, note.end) for note in kit.spool.notes(0)] == [(note.first, note.end) for note in notes]
        assert [note.places for note in kit.spool.notes(0)] == [[], [place]]
        assert not kit.spool.notes(1)
        kit.spool.rewind(0)
        assert len(kit.spool.notes(0)) == 2
        found = await kit.read(0)
        kit.commit(0, found[:1])
        assert [note.first for note in kit.spool.notes(0)] == [notes[1].first]
        kit.commit(0, found[1:])
        assert not kit.spool.notes(0)


# ── waiting ──


@every_spool
async def test_readers_are_woken(make: Make) -> None:
    async with make() as kit, trio.open_nursery() as nursery:
        woken: list[str] = []

        async def wait(why: str) -> None:
            await kit.spool.wait_readable(0)
            woken.append(why)

        nursery.start_soon(wait, "append")
        await wait_all_tasks_blocked()
        assert woken == []
        await kit.append()
        await wait_all_tasks_blocked()
        assert woken == ["append"]
        await wait("at once")
        kit.commit(0, await kit.read(0))
        nursery.start_soon(wait, "wake")
        await wait_all_tasks_blocked()
        assert woken == ["append", "at once"]
        kit.spool.wake()
        await wait_all_tasks_blocked()
        nursery.start_soon(wait, "end")
        await wait_all_tasks_blocked()
        kit.spool.end()
        await wait_all_tasks_blocked()
        assert woken == ["append", "at once", "wake", "end"]


@every_spool
async def test_it_is_over_when_all_is_read_and_nothing_will_come(make: Make) -> None:
    async with make() as kit:
        await kit.append()
        assert not kit.spool.is_over(0)
        kit.spool.end()
        assert not kit.spool.is_over(0)
        await kit.read(0)
        assert kit.spool.is_over(0)
        kit.spool.rewind(0)
        assert not kit.spool.is_over(0)


@every_spool
async def test_memory_is_bounded_and_a_source_waits(make: Make) -> None:
    """Invariant 8, bounded: whatever is appended; and what waits is not thrown away while its source can wait."""
    async with make() as kit:
        with trio.move_on_after(0.1):
            for _ in range(100):
                await kit.append(live=False)
        await kit.spool.safe(Offset(1, kit.spool.waiting(0)), live=False)  # it was cancelled in the middle of one
        statistics = kit.spool.statistics()
        assert statistics.held_bytes <= statistics.budget_bytes
        assert statistics.disk_bytes is None or statistics.disk_bytes <= (statistics.disk_limit_bytes or 0)
        assert kit.spool.waiting(0) < 100 * EVENTS
        assert not kit.spool.ledger(0).discarded
        found = await kit.read(0)
        assert numbers_in(found) == list(range(kit.spool.waiting(0)))
        kit.check()


# ── giving up ──


@every_spool
async def test_what_was_given_up_is_counted_and_told_once(make: Make) -> None:
    """Invariant 4: a discarded run is counted, and told where the events would have been."""
    async with make("ab") as kit:
        while not (kit.spool.ledger(0).discarded and kit.spool.ledger(1).discarded):
            await kit.append()
        kit.check()
        for sink in (0, 1):
            found = await kit.read(sink)
            gaps = [item for item in found if isinstance(item, Gap)]
            assert isinstance(found[0], Gap)
            assert sum(gap.events for gap in gaps) == kit.spool.ledger(sink).discarded["spool_full"]
            assert {(gap.outcome, gap.reason) for gap in gaps} == {("discarded", "spool_full")}
            told = sum(gap.end - gap.first for gap in gaps)
            assert told + len(numbers_in(found)) == kit.spool.ledger(sink).read
            kit.commit(sink, found)
            kit.check()
            assert kit.spool.waiting(sink) == 0


@every_spool
async def test_a_sink_that_is_closed_takes_nothing_and_holds_nobody(make: Make) -> None:
    async with make() as kit:
        await kit.append()
        await kit.read(0)
        await kit.append()
        kit.spool.close(0)
        assert kit.spool.is_closed(0)
        await kit.append()
        assert (kit.spool.waiting(0), kit.spool.ledger(0).discarded) == (0, {"closed": 15})
        assert not kit.spool.has_more(0)
        kit.check()
        found = await kit.read(1)
        assert numbers_in(found) == list(range(15))
        kit.commit(1, found)
        kit.spool.end()
        assert kit.spool.is_over(0)
        assert kit.spool.is_over(1)
        assert kit.spool.statistics().held_bytes == 0


# ── from one process to the next ──


@every_spool
async def test_what_it_keeps_is_there_for_the_next_process(make: Make) -> None:
    """Invariants 2 and 6; and an id is never used twice."""
    async with make() as kit:
        if kit.reopen is None:
            assert not kit.spool.keeps_notes
            return
        chunks = [await kit.append() for _ in range(4)]
        found = await kit.read(0)
        kit.commit(0, found[:1])
        await kit.spool.note(0, Note(chunks[1].offset.sequence, chunks[2].end.sequence))
        ledger = kit.spool.ledger(0)
        delivered, reopen = ledger.delivered, kit.reopen
    async with reopen() as kit:
        assert kit.spool.keeps_notes
        assert kit.spool.ledger(0).delivered == delivered
        assert kit.spool.next(0) == chunks[1].offset.sequence
        (note,) = kit.spool.notes(0)
        assert (note.first, note.end) == (chunks[1].offset.sequence, chunks[2].end.sequence)
        assert numbers_in(await kit.read(0)) == list(range(EVENTS, 4 * EVENTS))
        assert numbers_in(await kit.read(1)) == list(range(4 * EVENTS))
        new = await kit.append()
        assert new.offset.epoch != chunks[0].offset.epoch
        assert new.offset.sequence == chunks[-1].end.sequence
        kit.check()
