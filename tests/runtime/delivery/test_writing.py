"""The delivery loop, on virtual time: retries, isolation, commits only of what is durable, quiet ends."""

from __future__ import annotations

import errno

import orjson
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from logrouter.cursors import Note, Place, Tally
from logrouter.errors import ClosedByPeer, DestinationError
from logrouter.runtime.delivery import tick
from logrouter.runtime.transports import Resumed
from logrouter.sinks import Append, Write
from logrouter.testing import RecordingTransport
from tests.runtime.pipelines import Pipeline, numbers


async def run_all(pipeline: Pipeline) -> None:
    """Deliver what is there and will be, until the spool has ended."""
    async with trio.open_nursery() as ticking:
        ticking.start_soon(tick, pipeline.spool)
        async with trio.open_nursery() as delivering:
            for delivery in pipeline.deliveries:
                delivering.start_soon(delivery.run)
        ticking.cancel_scope.cancel()


async def test_everything_arrives_in_order() -> None:
    pipeline = Pipeline({"a": RecordingTransport(), "b": RecordingTransport()})
    for first in range(0, 50, 10):
        await pipeline.append(first)
    pipeline.spool.end()
    await run_all(pipeline)
    for transport in pipeline.transports.values():
        assert numbers(transport.lines) == list(range(50))
        assert transport.closed
    assert pipeline.said == []


async def test_a_sink_gets_what_its_match_accepts_and_the_rest_is_counted() -> None:
    pipeline = Pipeline({"a": RecordingTransport()}, matches={"a": "n < 3"})
    await pipeline.append(0)
    pipeline.spool.end()
    await run_all(pipeline)
    ledger = pipeline.spool.cursors[0].ledger
    assert numbers(pipeline.transports["a"].lines) == [0, 1, 2]
    assert (ledger.read, ledger.delivered, ledger.unmatched) == (10, 3, 7)
    assert pipeline.spool.unmatched == 7


async def test_a_failing_sink_tries_again_until_it_succeeds(autojump_clock: MockClock) -> None:
    transport = RecordingTransport()
    transport.failures = 8
    pipeline = Pipeline({"a": transport})
    await pipeline.append(0)
    pipeline.spool.end()
    await run_all(pipeline)
    assert numbers(transport.lines) == list(range(10))
    assert pipeline.deliveries[0].statistics().retries == 8
    told = [orjson.loads(line)["message"] for line in pipeline.said]
    assert told == ["cannot deliver", "delivering again"]
    assert pipeline.deliveries[0].trouble is None


async def test_a_dead_sink_is_no_other_sinks_problem(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    dead = RecordingTransport()
    dead.dead = True
    alive = RecordingTransport()
    pipeline = Pipeline({"dead": dead, "alive": alive}, block_timeout_seconds=1, chunks=3)
    ended = trio.Event()

    async def run() -> None:
        await run_all(pipeline)
        ended.set()

    nursery.start_soon(run)
    for first in range(0, 2000, 10):
        await pipeline.append(first)
    await wait_all_tasks_blocked()
    assert numbers(alive.lines) == list(range(2000))
    dead.dead = False
    pipeline.spool.end()
    with trio.fail_after(100):
        await ended.wait()
    ledger = pipeline.spool.cursors[0].ledger
    assert ledger.delivered == len(numbers(dead.lines))
    assert ledger.delivered + ledger.discarded["spool_full"] == 2000


async def test_the_gap_is_told_where_the_events_would_have_been(autojump_clock: MockClock) -> None:
    transport = RecordingTransport()
    pipeline = Pipeline({"a": transport}, when_full={"a": "discard_oldest"}, chunks=3)
    for first in range(0, 100, 10):
        await pipeline.append(first)
    pipeline.spool.end()
    await run_all(pipeline)
    notice = orjson.loads(transport.lines[0])
    assert notice["logrouter.discarded"] == 70
    assert notice["logrouter.reason"] == "spool_full"
    assert notice["severity"] == "warning"
    assert numbers(transport.lines) == list(range(70, 100))


async def test_a_sink_whose_stream_cannot_hold_notices_is_not_told() -> None:
    transport = RecordingTransport()
    pipeline = Pipeline({"a": transport}, when_full={"a": "discard_oldest"}, chunks=3)
    pipeline.deliveries[0].sink.told_of_gaps = False
    for first in range(0, 100, 10):
        await pipeline.append(first)
    pipeline.spool.end()
    await run_all(pipeline)
    assert numbers(transport.lines) == list(range(70, 100))
    assert len(transport.lines) == 30


async def test_nothing_is_committed_before_it_is_durable(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    transport = RecordingTransport(needs_sync=True)
    pipeline = Pipeline({"a": transport}, chunks=100)
    nursery.start_soon(run_all, pipeline)
    await pipeline.append(0)
    await wait_all_tasks_blocked()
    assert numbers(transport.lines) == list(range(10))
    assert pipeline.spool.window.held_bytes > 0
    await trio.sleep(1.6)
    assert transport.synced == transport.data
    assert pipeline.spool.window.held_bytes == 0
    pipeline.spool.end()


async def test_what_was_sent_is_made_durable_while_the_spool_cannot_be_read(
    autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = RecordingTransport(needs_sync=True)
    pipeline = Pipeline({"a": transport}, chunks=100)

    def broken(sink: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    nursery.start_soon(run_all, pipeline)
    await pipeline.append(0)
    while not transport.lines:
        await trio.lowlevel.checkpoint()
    monkeypatch.setattr(pipeline.spool, "read", broken)
    await pipeline.append(10)
    await trio.sleep(60)
    assert numbers(transport.lines) == list(range(10))
    assert pipeline.spool.cursors[0].ledger.delivered == 10
    nursery.cancel_scope.cancel()


async def test_a_sink_that_pins_much_of_the_spool_is_made_durable_at_once(nursery: trio.Nursery) -> None:
    transport = RecordingTransport(needs_sync=True)
    pipeline = Pipeline({"a": transport}, chunks=8)
    nursery.start_soon(run_all, pipeline)
    for first in (0, 10, 20):
        await pipeline.append(first)
    await wait_all_tasks_blocked()
    assert transport.syncs == 1
    assert pipeline.spool.window.held_bytes == 0
    pipeline.spool.end()


async def test_a_reader_that_has_gone_ends_the_sink_quietly() -> None:
    class Gone(RecordingTransport):
        async def perform(self, instruction: Write) -> None:
            raise ClosedByPeer("gone")

    pipeline = Pipeline({"gone": Gone(), "a": RecordingTransport()})
    await pipeline.append(0)
    pipeline.spool.end()
    await run_all(pipeline)
    assert pipeline.spool.cursors[0].closed
    assert numbers(pipeline.transports["a"].lines) == list(range(10))
    assert pipeline.spool.window.held_bytes == 0


class Arrived(RecordingTransport):
    """Holds what was noted at these places."""

    def __init__(self, *paths: str) -> None:
        super().__init__()
        self.paths = paths

    async def has_arrived(self, place: Place) -> bool:
        return place.path in self.paths


async def test_a_noted_batch_that_has_arrived_is_settled_unread_also_where_it_is_lost() -> None:
    """Invariant 3, conservation: what a file holds is not counted as lost because the log has lost it."""
    transport = Arrived("a.log")
    pipeline = Pipeline({"a": transport})
    cursor = pipeline.spool.cursors[0]
    cursor.state.notes.append(Note(0, 10, [Place("a.log", 1, 2, 0, 9, 9)], 1, Tally(8, 2)))
    await pipeline.append(0)
    await pipeline.append(10)
    pipeline.spool.end()
    await run_all(pipeline)
    assert numbers(transport.lines) == list(range(10, 20))
    assert (cursor.ledger.delivered, cursor.ledger.unmatched, cursor.state.committed) == (18, 2, 20)


async def test_a_batch_of_which_not_all_was_noted_is_made_again() -> None:
    transport = Arrived("a.log", "b.log")
    pipeline = Pipeline({"a": transport})
    place = Place("a.log", 1, 2, 0, 9, 9)
    pipeline.spool.cursors[0].state.notes.append(Note(0, 10, [place], 2, Tally(10)))
    await pipeline.append(0)
    pipeline.spool.end()
    await run_all(pipeline)
    assert numbers(transport.lines) == list(range(10))


class Doubtful(RecordingTransport):
    """Fails at its first syncs."""

    def __init__(self, failing: int) -> None:
        super().__init__(needs_sync=True)
        self.failing = failing
        self.distrusted = 0

    async def seal(self, instruction: Append | Write, checksum: bool) -> Place:
        return Place("", 1, 1, len(self.data), len(instruction.data), 0)  # of what has no path

    async def resume(self, instruction: Append | Write, place: Place, distrust: bool) -> Resumed:
        self.distrusted += distrust
        return "whole"

    async def sync(self) -> None:
        if self.failing:
            self.failing -= 1
            raise DestinationError("cannot sync")
        await super().sync()


async def test_what_a_failed_sync_leaves_in_doubt_is_sent_again(autojump_clock: MockClock) -> None:
    """Invariant 2: nothing is settled by a sync that comes after one which has failed, unless it was sent again."""
    transport = Doubtful(failing=2)
    pipeline = Pipeline({"a": transport}, chunks=100)
    for first in (0, 10, 20):
        await pipeline.append(first)
    pipeline.spool.end()
    await run_all(pipeline)
    assert pipeline.spool.ledger(0).delivered == 30
    assert pipeline.deliveries[0].statistics().retries == 2
    assert transport.distrusted > 0
    assert transport.synced == transport.data
    assert numbers(transport.lines) == list(range(30))
