"""When a batch is sent: by size, events, age, or because the spool needs the room; and sinks that gather."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from logrouter.batch import Batch, Batching, Encoded, Slice
from logrouter.cursors import Ledger, Memory, State
from logrouter.instructions import Delivered, Now, Request, Response, Seal
from logrouter.runtime.delivery import tick
from logrouter.sinks import Conversation, RetryPolicy
from tests.runtime.delivery.answering import Answered, AnsweredSink, outcome_of
from tests.runtime.pipelines import CHUNK_BYTES, EVENT_BYTES


@pytest.fixture
def patient_clock(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> MockClock:
    """Stands still while threads encode: these take real time, and much of it where the machine is busy."""
    run_sync, at_work = trio.to_thread.run_sync, 0

    async def run_patiently(*arguments: Any, **options: Any) -> Any:
        nonlocal at_work
        at_work += 1
        autojump_clock.autojump_threshold = math.inf
        try:
            return await run_sync(*arguments, **options)
        finally:
            at_work -= 1
            if not at_work:
                autojump_clock.autojump_threshold = 0

    monkeypatch.setattr(trio.to_thread, "run_sync", run_patiently)
    return autojump_clock


async def test_a_batch_waits_for_others_until_it_is_old(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    run = Answered(batching=Batching(age_seconds=5))
    nursery.start_soon(run.delivery.run)
    await run.append(0)
    await trio.sleep(4)
    await run.append(10)
    assert run.sequences == []
    await trio.sleep(1.1)
    assert run.sequences == [list(range(20))]
    await trio.sleep(100)
    assert len(run.sequences) == 1
    assert run.ledger.delivered == 20
    run.spool.end()


async def test_what_has_come_is_sent_when_nothing_more_will() -> None:
    run = Answered(batching=Batching(age_seconds=3600))
    await run.append(0)
    with trio.fail_after(5):
        await run.run()
    assert run.ledger.delivered == 10


async def test_a_request_holds_no_more_events_than_it_may() -> None:
    run = Answered(batching=Batching(events=7))
    await run.append(0, 10, 20)
    await run.run()
    assert max(map(len, run.sequences)) <= 7
    assert sorted(sequence for sent in run.sequences for sequence in sent) == list(range(30))


@pytest.mark.parametrize("size_bytes", [1, 4_000, 25_000, 10**9])
async def test_a_request_is_not_larger_than_it_may_be(size_bytes: int) -> None:
    run = Answered(batching=Batching(size_bytes=size_bytes))
    await run.append(*range(0, 100, 10))
    await run.run()
    largest = max(run.transport.requests, key=lambda request: len(request.body))
    assert len(largest.body) <= max(size_bytes * 1.5, EVENT_BYTES * 1.5)
    assert run.ledger.delivered == 100


async def test_how_well_bodies_compress_is_learned() -> None:
    """The size is that of the body as it is sent."""
    run = Answered(batching=Batching(size_bytes=20_000))

    def answering(request: Request) -> object:
        request.sent_bytes = len(request.body) // 10
        return first(request)

    first, run.transport.answer = run.transport.answer, answering  # type: ignore[assignment]
    await run.append(*range(0, 900, 10))
    await run.run()
    assert len(run.sequences[0]) < 40
    assert len(run.sequences[-2]) > 70


async def test_sources_that_wait_for_room_get_it(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """What pins most of the spool is sent early, though it is neither full nor old."""
    run = Answered(batching=Batching(age_seconds=3600), chunks=4)
    run.spool.batch_bytes = 10**9
    nursery.start_soon(run.delivery.run)
    begun = trio.current_time()
    await run.append(*range(0, 200, 10))
    assert trio.current_time() - begun < 10
    assert run.ledger.discarded == {}
    run.spool.end()
    await wait_all_tasks_blocked()
    assert run.ledger.delivered == 200


class Gathered(Encoded):
    """Sequences of events."""

    sequences: list[int]


class GatheringSink(AnsweredSink):
    """Makes objects of parts, as S3 has them: a part is sent when there is enough, and the object is closed when told.

    Requests: `PUT /<first of the object>?part=n` with the sequences, `POST /<first>` to close it.
    """

    gathers: ClassVar[bool] = True

    def encode(self, part: Slice, before: Encoded | None = None) -> Gathered:
        sequences = [*(before.sequences if isinstance(before, Gathered) else []), *part.sequences]
        return Gathered(len(sequences), 100 * len(sequences), sequences)

    def send(self, batch: Batch) -> Conversation:
        assert not batch.slices
        opened = batch.carried or {"name": batch.first, "parts": 0}
        sequences = [sequence for part in batch.encoded if isinstance(part, Gathered) for sequence in part.sequences]
        if sequences:
            yield Now()
            yield Seal({"part": opened["parts"]})
            yield Request("PUT", f"/{opened['name']}?part={opened['parts']}", repr(sequences).encode())
            opened = {**opened, "parts": opened["parts"] + 1}
        if not batch.last:
            return Delivered(carried=opened)
        yield Request("POST", f"/{opened['name']}")
        return Delivered()


def gathering(*, age_seconds: float = 3600, state: State | None = None, chunks: int = 100) -> Answered:
    batching = Batching(size_bytes=3_000, age_seconds=age_seconds)
    return Answered(sink=GatheringSink, batching=batching, state=state, chunks=chunks)


def targets(run: Answered) -> list[str]:
    return [f"{request.method} {request.target}" for request in run.transport.requests]


async def test_parts_are_sent_when_they_are_full_and_the_object_is_closed_at_the_end() -> None:
    run = gathering()
    await run.append(*range(0, 80, 10))
    await run.run()
    assert targets(run) == ["PUT /0?part=0", "PUT /0?part=1", "PUT /0?part=2", "POST /0"]
    assert run.ledger.delivered == 80
    assert run.spool.carried(0) is None


class Refusing(GatheringSink):
    """One whose destination takes nothing."""

    def send(self, batch: Batch) -> Conversation:
        return outcome_of((yield Request("PUT", "/")))


class UnclosingSink(GatheringSink):
    """Fails twice by itself when an object is to be closed, and no event is there to blame."""

    failures = 2

    def send(self, batch: Batch) -> Conversation:
        outcome = yield from super().send(batch)
        if batch.last and self.failures:
            self.failures -= 1
            raise ZeroDivisionError("closing")
        return outcome


async def test_what_fails_without_any_event_is_tried_again_later(autojump_clock: MockClock) -> None:
    run = Answered(sink=UnclosingSink, state=State("a", 0, 0, Ledger(), carried={"name": 77, "parts": 2}))
    began = trio.current_time()
    await run.run()
    assert targets(run) == ["POST /77"] * 3
    assert trio.current_time() > began
    assert run.said[0]["reason"] == "ZeroDivisionError: closing"
    assert run.spool.carried(0) is None


class ForgettingSink(GatheringSink):
    """One whose destination has lost the first part, when the second comes."""

    def send(self, batch: Batch) -> Conversation:
        outcome = yield from super().send(batch)
        assert isinstance(outcome, Delivered)
        is_second = outcome.carried is not None and outcome.carried["parts"] == 2
        return msgspec.structs.replace(outcome, lost=30) if is_second else outcome


async def test_what_the_destination_has_lost_of_batches_before_is_lost_and_no_longer_delivered() -> None:
    run = Answered(sink=ForgettingSink, batching=Batching(size_bytes=3_000, age_seconds=3600))
    await run.append(*range(0, 80, 10))
    await run.run()
    assert (run.ledger.delivered, run.ledger.lost) == (50, {"gone_from_destination": 30})
    assert run.ledger.settled == run.ledger.read == 80
    assert run.spool.lost(0) == 30
    assert [(line["message"], line["events"]) for line in run.said] == [("events were taken, and then lost", 30)]


async def test_an_object_is_closed_when_it_is_old_though_nothing_comes(
    patient_clock: MockClock, nursery: trio.Nursery
) -> None:
    run = gathering(age_seconds=6)
    nursery.start_soon(tick, run.spool)
    nursery.start_soon(run.delivery.run)
    await run.append(0, 10, 20)
    await trio.sleep(3)
    assert targets(run) == ["PUT /0?part=0"]
    assert run.spool.carried(0) == {"name": 0, "parts": 1}
    assert run.ledger.delivered == 30
    await trio.sleep(4)
    assert targets(run) == ["PUT /0?part=0", "POST /0"]
    assert run.spool.carried(0) is None
    await run.append(30)
    await trio.sleep(5.5)
    assert len(targets(run)) == 2
    await trio.sleep(2)
    assert targets(run)[2:] == ["PUT /30?part=0", "POST /30"]
    nursery.cancel_scope.cancel()


async def test_what_was_left_open_is_gone_on_with() -> None:
    carried: Memory = {"name": 77, "parts": 2}
    run = gathering(state=State("a", 0, 0, Ledger(), carried=carried))
    await run.append(0)
    await run.run()
    assert targets(run) == ["PUT /77?part=2", "POST /77"]


async def test_what_was_left_open_is_closed_also_where_nothing_comes() -> None:
    run = gathering(state=State("a", 0, 0, Ledger(), carried={"name": 77, "parts": 2}))
    await run.run()
    assert targets(run) == ["POST /77"]


async def test_what_is_gathered_does_not_take_the_memory_of_the_spool(nursery: trio.Nursery) -> None:
    run = gathering(chunks=3)
    run.sink.batching = Batching(size_bytes=10**9, age_seconds=3600)
    nursery.start_soon(run.delivery.run)
    with trio.fail_after(5):
        await run.append(*range(0, 200, 10))
        while run.spool.window.held_bytes >= 3 * CHUNK_BYTES:  # encoding is done in a thread
            await trio.lowlevel.checkpoint()
    assert (run.ledger.delivered, run.spool.waiting(0)) == (0, 200)
    run.spool.end()


async def test_what_cannot_be_sent_is_not_gathered_twice(patient_clock: MockClock) -> None:
    run = gathering()
    run.transport.dead = True
    await run.append(0, 10, 20, 30)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.run)
        await trio.sleep(100)
        run.transport.dead = False
    bodies = {request.target: request.body for request in run.transport.requests if request.method == "PUT"}
    assert bodies["/0?part=0"] == repr(list(range(30))).encode()
    assert run.ledger.delivered == 40


async def test_what_a_sink_of_another_type_has_left_open_is_told() -> None:
    """The name of a sink that gathered was given to one that does not."""
    run = Answered(state=State("a", 0, 0, Ledger(), carried={"name": 77, "parts": 2}))
    await run.append(0)
    with trio.fail_after(5):
        await run.run()
    assert run.ledger.delivered == 10
    assert run.spool.carried(0) is None
    assert [line["message"] for line in run.said] == ["a sink of another type has left something open: it stays so"]


async def test_what_was_gathered_and_is_given_up_is_counted_without_what_logrouter_itself_has_told(
    patient_clock: MockClock,
) -> None:
    retry = RetryPolicy(give_up_seconds=60)
    run = Answered(lambda request: Response(500), sink=Refusing, retry=retry, chunks=3, when_full="discard_oldest")
    await run.append(*range(0, 100, 10))
    await run.run()
    assert run.ledger.discarded == {"spool_full": 70, "gave_up": 30}
    assert run.ledger.settled == run.ledger.read == 100
