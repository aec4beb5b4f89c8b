"""The spool in memory: bounded, fair to every sink, and every event accounted for (DESIGN's invariants 3, 4, 8)."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from logrouter.cursors import Gap, Tally
from logrouter.event import Chunk
from logrouter.runtime.log import Log
from logrouter.runtime.spool.cursor import WhenFull
from logrouter.runtime.spool.held import Held, InHand
from logrouter.runtime.spool.local import LocalSpool
from tests.runtime.pipelines import CHUNK_BYTES, make_router, memory_spool, new_cursor, routed_chunk

ROUTER = make_router(["a", "b"], {"b": "n >= 0"})


def make_spool(a: WhenFull = "block", b: WhenFull = "block", *, chunks: int = 3, timeout: float = 10.0) -> LocalSpool:
    cursors = [new_cursor("a", a), new_cursor("b", b)]
    return memory_spool(cursors, ROUTER, epoch=1, budget_bytes=chunks * CHUNK_BYTES, block_timeout_seconds=timeout)


def read_all(spool: LocalSpool, sink: int) -> list[Chunk | Gap]:
    found = []
    while (item := spool.read(sink)) is not None:
        found.append(item)
    return found


def commit_all(spool: LocalSpool, sink: int) -> None:
    """Settle everything that the sink has read."""
    cursor = spool.cursors[sink]
    if cursor.in_hand:
        delivered = sum(len(item.held.chunk) for item in cursor.in_hand if item.held)
        spool.commit(sink, cursor.next, Tally(delivered))


async def test_every_sink_reads_every_chunk_once_and_in_order() -> None:
    spool = make_spool()
    chunks = [routed_chunk(ROUTER, first) for first in (0, 10, 20)]
    for chunk in chunks:
        await spool.append(chunk)
    assert read_all(spool, 0) == chunks
    assert read_all(spool, 1) == chunks
    assert read_all(spool, 0) == []
    assert [chunk.offset for chunk in chunks] == [(1, 0), (1, 10), (1, 20)]


async def test_a_chunk_is_held_until_every_sink_has_committed_it() -> None:
    spool = make_spool()
    await spool.append(routed_chunk(ROUTER, 0))
    for sink in (0, 1):
        assert spool.window.held_bytes == CHUNK_BYTES
        read_all(spool, sink)
        commit_all(spool, sink)
    assert spool.window.held_bytes == 0


async def test_append_waits_for_room(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    spool = make_spool()
    for first in (0, 10, 20):
        await spool.append(routed_chunk(ROUTER, first))
    nursery.start_soon(spool.append, routed_chunk(ROUTER, 30))
    await wait_all_tasks_blocked()
    assert spool.appended == 30
    for sink in (0, 1):
        read_all(spool, sink)
        commit_all(spool, sink)
    await wait_all_tasks_blocked()
    assert spool.appended == 40


async def test_a_chunk_larger_than_the_budget_goes_alone() -> None:
    spool = make_spool()
    await spool.append(routed_chunk(ROUTER, 0, 100))
    assert spool.window.held_bytes > spool.window.budget_bytes


async def test_discard_oldest_gives_up_at_once_and_tells_the_gap() -> None:
    spool = make_spool(a="discard_oldest")
    for first in (0, 10, 20, 30, 40):
        await spool.append(routed_chunk(ROUTER, first))
        read_all(spool, 1)
        commit_all(spool, 1)
    gap, *chunks = read_all(spool, 0)
    assert isinstance(gap, Gap)
    assert (gap.epoch, gap.first, gap.end, gap.events, gap.reason) == (1, 0, 20, 20, "spool_full")
    assert [chunk.offset.sequence for chunk in chunks if isinstance(chunk, Chunk)] == [20, 30, 40]
    assert spool.cursors[0].ledger.discarded == {"spool_full": 20}
    assert not spool.cursors[1].ledger.discarded


async def test_block_ends_after_the_timeout_and_comes_back_when_the_sink_moves(autojump_clock: MockClock) -> None:
    spool = make_spool(timeout=10)
    for first in (0, 10, 20):
        await spool.append(routed_chunk(ROUTER, first))
    read_all(spool, 1)
    commit_all(spool, 1)
    started = trio.current_time()
    await spool.append(routed_chunk(ROUTER, 30))
    assert trio.current_time() - started == pytest.approx(10)
    read_all(spool, 1)
    commit_all(spool, 1)
    await spool.append(routed_chunk(ROUTER, 40))  # it discards: no further wait
    assert trio.current_time() - started == pytest.approx(10)
    assert spool.cursors[0].ledger.discarded == {"spool_full": 20}
    assert spool.cursors[0].must_discard
    read_all(spool, 0)
    commit_all(spool, 0)
    assert not spool.cursors[0].must_discard


async def test_several_sources_wait_for_room_at_once(autojump_clock: MockClock) -> None:
    """The time that they have waited is that in which any did."""
    spool = make_spool(chunks=1)
    await spool.append(routed_chunk(ROUTER, 0))
    async with trio.open_nursery() as sources:
        sources.start_soon(spool.append, routed_chunk(ROUTER, 10))
        await trio.sleep(1)
        sources.start_soon(spool.append, routed_chunk(ROUTER, 20))
        await trio.sleep(2)
        while spool.appended < 30:
            for sink in (0, 1):
                read_all(spool, sink)
                commit_all(spool, sink)
            await wait_all_tasks_blocked()
    assert spool.statistics().blocked_seconds == pytest.approx(3)


async def test_a_source_that_is_not_live_waits_for_ever(autojump_clock: MockClock) -> None:
    spool = make_spool(timeout=10)
    for first in (0, 10, 20):
        await spool.append(routed_chunk(ROUTER, first))
    with trio.move_on_after(10_000) as scope:
        await spool.append(routed_chunk(ROUTER, 30), live=False)
    assert scope.cancelled_caught
    assert not spool.cursors[0].ledger.discarded


async def test_sinks_that_make_no_room_are_told_but_not_that_this_process_was_held_up(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Where it has no core for a while nobody moves, and nobody is slow."""
    said: list[bytes] = []
    cursors = [new_cursor("a"), new_cursor("b")]
    options = {"epoch": 1, "budget_bytes": 3 * CHUNK_BYTES, "block_timeout_seconds": 100.0}
    spool = memory_spool(cursors, ROUTER, Log("warning", write=said.append), **options)
    for first in (0, 10, 20):
        await spool.append(routed_chunk(ROUTER, first))
    nursery.start_soon(spool.append, routed_chunk(ROUTER, 30))
    await wait_all_tasks_blocked()
    autojump_clock.jump(5)
    spool.wake()
    await wait_all_tasks_blocked()
    assert said == []
    read_all(spool, 0)
    await trio.sleep(0.9)
    spool.wake()
    await wait_all_tasks_blocked()
    (told,) = map(json.loads, said)
    assert (told["message"], told["slow_sinks"]) == ("the spool is full: reading waits", ["b"])
    for sink in (0, 1):
        read_all(spool, sink)
        commit_all(spool, sink)
    await wait_all_tasks_blocked()
    assert spool.appended == 40


async def test_what_is_being_sent_is_never_given_up() -> None:
    spool = make_spool(a="discard_oldest", b="discard_oldest")
    await spool.append(routed_chunk(ROUTER, 0))
    sent = spool.read(0)
    for first in range(10, 100, 10):
        await spool.append(routed_chunk(ROUTER, first))
    assert isinstance(sent, Chunk)
    assert spool.waiting(0) == 30
    commit_all(spool, 0)
    gap = spool.read(0)
    assert isinstance(gap, Gap)
    assert gap.first == 10


async def test_what_a_sink_gathers_is_handed_over_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes of single lines make thousands of chunks: each new one must not cost a look at all of them."""
    looked_at = 0

    def put_down(item: InHand, real: Callable[[InHand], Held | None] = InHand.put_down) -> Held | None:
        nonlocal looked_at
        looked_at += 1
        return real(item)

    monkeypatch.setattr(InHand, "put_down", put_down)
    spool = memory_spool([new_cursor("a")], ROUTER, epoch=1, budget_bytes=CHUNK_BYTES, block_timeout_seconds=10)
    for number in range(100):
        await spool.append(routed_chunk(ROUTER, number, 1))
        spool.read(0)
        spool.hand_over(0)
    assert looked_at == 100
    assert (spool.window.held_bytes, spool.waiting(0)) == (0, 100)


async def test_a_closed_sink_holds_nothing() -> None:
    spool = make_spool()
    await spool.append(routed_chunk(ROUTER, 0))
    spool.read(0)
    await spool.append(routed_chunk(ROUTER, 10))
    spool.close(0)
    await spool.append(routed_chunk(ROUTER, 20))
    read_all(spool, 1)
    commit_all(spool, 1)
    assert spool.window.held_bytes == 0
    assert spool.cursors[0].ledger.discarded == {"closed": 30}


async def test_readers_wake_up_at_the_end(nursery: trio.Nursery) -> None:
    spool = make_spool()
    nursery.start_soon(spool.wait_readable, 0)
    await wait_all_tasks_blocked()
    spool.end()
    await wait_all_tasks_blocked()
    assert not nursery.child_tasks


operations = st.lists(
    st.tuples(st.sampled_from(["append", "read", "commit", "commit_one"]), st.integers(0, 1), st.integers(1, 12)),
    max_size=60,
)
policies = st.sampled_from(["block", "discard_oldest"])


@settings(max_examples=200, deadline=None)
@given(operations, policies, policies, st.integers(1, 4))
def test_every_event_is_accounted_for(
    operations: list[tuple[str, int, int]], a: WhenFull, b: WhenFull, chunks: int
) -> None:
    """Conservation, after every step: read = delivered + unmatched + discarded + waiting; and the memory is bounded."""

    async def drive() -> None:
        spool = make_spool(a, b, chunks=chunks, timeout=1)
        told: list[list[tuple[int, int]]] = [[], []]
        for verb, sink, amount in operations:
            if verb == "append":
                with trio.move_on_after(5):
                    await spool.append(routed_chunk(ROUTER, spool.appended, amount))
            elif verb == "read":
                for item in read_all(spool, sink):
                    chunk = isinstance(item, Chunk)
                    told[sink].append((item.offset.sequence, item.end.sequence) if chunk else (item.first, item.end))
            elif verb == "commit":
                commit_all(spool, sink)
            elif in_hand := spool.cursors[sink].in_hand:
                held = in_hand[0].held
                assert held is not None
                spool.commit(sink, in_hand[0].end, Tally(len(held.chunk)))
            check(spool, told)

    def check(spool: LocalSpool, told: list[list[tuple[int, int]]]) -> None:
        for number, cursor in spool.cursors.items():
            assert cursor.ledger.read == spool.appended
            assert cursor.ledger.settled + spool.waiting(number) == spool.appended
            runs = told[number]
            assert all(left[1] == right[0] for left, right in pairwise(runs))
        held = sum(held.chunk.size_bytes for held in spool.window)
        assert held == spool.window.held_bytes
        assert spool.window.held_bytes <= max(spool.window.budget_bytes, CHUNK_BYTES * 2)

    trio.run(drive, clock=MockClock(autojump_threshold=0))


async def test_what_was_discarded_behind_a_batch_that_is_being_sent_does_not_wait(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    spool = make_spool(a="discard_oldest")
    for first in (0, 10, 20):
        await spool.append(routed_chunk(ROUTER, first))
    spool.read(0)
    read_all(spool, 1)
    nursery.start_soon(spool.append, routed_chunk(ROUTER, 30))
    await trio.sleep(1)  # sink 1 still sends what sink 0 has discarded
    assert spool.cursors[0].ledger.discarded == {"spool_full": 20}
    assert (spool.waiting(0), spool.waiting(1)) == (10, 30)
    commit_all(spool, 1)
    await wait_all_tasks_blocked()
    assert (spool.waiting(0), spool.waiting(1)) == (20, 10)
