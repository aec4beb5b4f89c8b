"""What becomes of a batch by what the destination answers, on virtual time."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from logrouter.batch import Batch, Batching
from logrouter.errors import DestinationError
from logrouter.event import Chunk
from logrouter.instructions import Delivered, Halve, Request, Response
from logrouter.runtime.delivery.destination import Destination
from logrouter.runtime.delivery.sending import REFUSALS
from logrouter.runtime.log import Log
from logrouter.sinks import Conversation, RetryPolicy
from logrouter.testing.responding import playing
from tests.runtime.delivery.answering import Answered, AnsweredSink, answer, events_of


async def test_what_is_taken_is_delivered() -> None:
    run = Answered()
    await run.append(0, 10)
    await run.run()
    assert run.sequences == [list(range(20))]
    assert (run.ledger.read, run.ledger.delivered, run.ledger.settled) == (20, 20, 20)
    assert run.said == []
    assert run.transport.closed


async def test_events_that_are_not_taken_are_sent_again_alone(autojump_clock: MockClock) -> None:
    run = Answered(playing([answer(*["ok"] * 4, "retry", "ok", "retry", *["ok"] * 3), answer("retry", "ok")]))
    await run.append(0)
    await run.run()
    assert run.sequences == [list(range(10)), [4, 6], [4]]
    assert run.ledger.delivered == 10
    assert run.delivery.statistics().retries == 2


async def test_events_that_were_there_before_or_may_be_there_twice_are_counted() -> None:
    run = Answered(playing([answer(*["ok"] * 5, "there", "there", "there", "doubtful", "refuse")]))
    await run.append(0)
    await run.run()
    figures = run.delivery.statistics()
    assert (run.ledger.delivered, figures.duplicates, figures.doubts) == (9, 3, 1)


async def test_refused_events_become_dead_letters_with_their_reason() -> None:
    run = Answered(playing([answer("ok", "refuse", *["ok"] * 7, "refuse")]))
    await run.append(0)
    await run.run()
    assert {letter.sequence: (letter.reason, letter.detail, letter.sink) for letter in run.letters.kept.values()} == {
        1: ("refused", "it said so", "a"),
        9: ("refused", "it said so", "a"),
    }
    assert run.letters.kept[1].payload.startswith(b'{"n":1,')
    assert run.letters.kept[1].epoch == 7
    assert (run.ledger.delivered, run.ledger.dead_lettered) == (8, {"refused": 2})
    assert run.ledger.settled == run.ledger.read == 10


async def test_each_reason_of_a_refusal_is_told_once_a_minute() -> None:
    now = 0.0
    words = [answer("too long", "refuse", *["ok"] * 8), answer("too long", *["refuse"] * 9)] * 2
    run = Answered(playing(words), batching=Batching(events=10), log_clock=lambda: now)

    async def append(first: int) -> None:
        await run.append(first)
        await trio.testing.wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.delivery.run)
        for number in range(3):
            await append(number)
            now += 40
        run.spool.end()
    assert [(line["reason"], line.get("repeated")) for line in run.said] == [
        ("too_long", None),
        ("refused", None),
        ("too_long", 1),
        ("refused", 1),
    ]
    assert run.ledger.dead_lettered == {"too_long": 3, "refused": 11}


async def test_refused_events_are_discarded_where_nothing_is_to_be_kept() -> None:
    run = Answered(playing([answer(*["ok"] * 9, "refuse")]), on_reject="discard")
    await run.append(0)
    await run.run()
    assert run.letters.kept == {}
    assert (run.ledger.delivered, run.ledger.discarded) == (9, {"refused": 1})
    assert [line["reason"] for line in run.said] == ["refused"]


def poisoned_by(*poison: int, status: int = 400) -> Answered:
    """A destination that refuses every request with one of these events in it, without saying which."""

    def answering(request: Request) -> Response:
        return Response(status if any(sequence in poison for sequence, _ in events_of(request)) else 200)

    return Answered(answering)


async def test_a_refused_batch_is_halved_down_to_the_events_that_it_is_refused_for() -> None:
    run = poisoned_by(3, 17)
    await run.append(0, 10)
    await run.run()
    assert sorted(run.letters.kept) == [3, 17]
    assert {letter.reason for letter in run.letters.kept.values()} == {"status 400"}
    assert (run.ledger.delivered, run.ledger.dead_lettered) == (18, {"status 400": 2})
    assert len(run.sequences) < 2 * 2 * 5  # logarithmic: 20 events


async def test_a_batch_that_is_too_large_is_halved_until_it_fits() -> None:
    run = Answered(lambda request: Response(413 if len(events_of(request)) > 3 else 200))
    await run.append(0, 10)
    await run.run()
    assert max(len(sent) for sent in run.sequences[-2:]) <= 3
    assert sorted(sequence for sent in run.sequences if len(sent) <= 3 for sequence in sent) == list(range(20))
    assert run.ledger.delivered == 20


async def test_no_header_stops_a_sink_for_more_than_an_hour_and_it_is_said_meanwhile(autojump_clock: MockClock) -> None:
    run = Answered(playing([Response(503, retry_after_seconds=86_400 * 365.0)]), log_clock=trio.current_time)
    await run.append(0)
    begun = trio.current_time()
    await run.run()
    assert 3600 <= trio.current_time() - begun < 3601
    assert run.ledger.delivered == 10
    told = [line["message"] for line in run.said]
    assert told == ["cannot deliver"] * 60 + ["delivering again"]
    assert run.delivery.statistics().retries == 1


async def test_what_keeps_being_too_much_is_halved_and_never_rejected(autojump_clock: MockClock) -> None:
    run = Answered(lambda request: Response(429 if len(events_of(request)) > 5 else 200))
    await run.append(0, 10)
    await run.run()
    assert [len(sent) for sent in run.sequences[:REFUSALS]] == [20] * REFUSALS
    assert run.ledger.delivered == 20
    assert not run.letters.kept


async def test_how_much_is_too_much_is_remembered(autojump_clock: MockClock) -> None:
    """A destination with a small limit is not asked anew for each batch; and more is tried after a while."""
    limit = 5
    run = Answered(
        lambda request: Response(429 if len(events_of(request)) > limit else 200), batching=Batching(events=40)
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.delivery.run)
        for number in range(0, 400, 40):
            await run.append(number, events=40)
            await trio.sleep(60)
        refused = [len(sent) for sent in run.sequences if len(sent) > limit]
        assert len(refused) < 10 * (3 + 6 + 12) / 4  # three of each size on the way down, for each batch: 40, 20, 10
        limit = 1_000
        for number in range(400, 8_400, 40):
            await run.append(number, events=40)
            await trio.sleep(1)
        assert len(run.sequences[-1]) > 20
        run.spool.end()
    assert run.ledger.delivered == 8_400


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("said", ["", "there"])
async def test_after_an_outage_that_is_told_as_too_much_it_sends_as_much_as_before(
    said: str, concurrency: int, autojump_clock: MockClock
) -> None:
    """A proxy answers 429 or 503 for what is down behind it. Whether each event is new, or was there before a crash."""
    is_down = True

    def answered(request: Request) -> Response:
        if is_down:
            return Response(429)
        return answer(*[said] * len(events_of(request))) if said else Response(200)

    run = Answered(answered, seconds=0.1, batching=Batching(events=1_000), concurrency=concurrency, chunks=1_000)
    for number in range(0, 10_000, 100):
        await run.append(number, events=100)
    run.spool.end()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.delivery.run)
        await trio.sleep(3600)
        assert len(run.sequences[-1]) == 1
        is_down = False
        tried = len(run.sequences)
    assert len(run.sequences) - tried < 100
    assert run.ledger.delivered == 10_000


async def test_it_waits_for_as_long_as_it_is_asked_to(autojump_clock: MockClock) -> None:
    run = Answered(playing([Response(503, retry_after_seconds=77)]))
    await run.append(0)
    begun = trio.current_time()
    await run.run()
    assert 77 <= trio.current_time() - begun < 78
    assert [line["message"] for line in run.said] == ["cannot deliver", "delivering again"]


async def test_a_destination_that_is_down_sees_one_try_at_a_time(autojump_clock: MockClock) -> None:
    """However many batches wait for it; and once it is back, they go on together."""
    run = Answered(seconds=0.5, concurrency=8, batching=Batching(events=10), chunks=1000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.delivery.run)
        for number in range(0, 400, 10):
            await run.append(number)
            await trio.sleep(0.1)
        assert run.transport.most_under_way > 1
        run.transport.dead = True
        await run.append(*range(400, 480, 10))
        await trio.sleep(30)
        assert run.delivery.trouble is not None
        before = len(run.transport.requests)
        run.transport.most_under_way = 0
        await trio.sleep(120)
        assert run.transport.most_under_way == 1
        assert 3 <= len(run.transport.requests) - before <= 60
        run.transport.dead = False
        run.spool.end()
    assert run.delivery.trouble is None
    assert run.ledger.delivered == 480


async def test_a_sink_that_a_reload_has_mended_is_said_to_deliver_again(autojump_clock: MockClock) -> None:
    """The new options are those of a new destination, which has never failed; the log is the same."""
    said: list[bytes] = []
    log = Log(write=said.append)
    before, after = (Destination("a", log, RetryPolicy()) for _ in range(2))
    await before.failed("HTTP 401")
    after.works()
    after.works()
    assert [json.loads(line)["message"] for line in said] == ["cannot deliver", "delivering again"]


async def test_after_the_time_that_the_user_sets_it_gives_up(autojump_clock: MockClock) -> None:
    run = Answered(lambda request: Response(500), retry=RetryPolicy(give_up_seconds=60))
    await run.append(0)
    begun = trio.current_time()
    await run.run()
    assert 60 < trio.current_time() - begun < 60 + 31
    assert run.ledger.dead_lettered == {"gave_up": 10}
    assert run.letters.kept[0].detail == "status 500"


async def test_what_is_given_up_and_kept_says_nothing_of_the_destination(autojump_clock: MockClock) -> None:
    """It is as dead as before: what comes next need not wait as long once more."""
    run = Answered(lambda request: Response(500), batching=Batching(events=10), retry=RetryPolicy(give_up_seconds=60))
    await run.append(0, 10, 20, 30)
    begun = trio.current_time()
    await run.run()
    assert run.ledger.dead_lettered == {"gave_up": 40}
    assert trio.current_time() - begun < 60 + 4 * 31
    told = {line["message"] for line in run.said}
    assert told == {"cannot deliver", "events were refused, and are kept as dead letters"}


async def test_full_dead_letters_stop_the_sink_and_lose_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    run = Answered(playing([answer(*["ok"] * 9, "refuse")]))
    run.letters.problem = DestinationError("the dead letters are full")
    await run.append(0)
    nursery.start_soon(run.delivery.run)
    await trio.sleep(100)
    assert run.delivery.trouble is not None
    assert run.delivery.trouble.reason == "the dead letters are full"
    assert run.ledger.settled == 0
    run.letters.problem = None
    run.spool.end()
    await trio.sleep(100)
    assert run.delivery.trouble is None
    assert sorted(run.letters.kept) == [9]
    assert (run.ledger.delivered, run.ledger.settled) == (9, 10)


async def test_batches_that_are_settled_out_of_turn_wait_for_those_in_front(nursery: trio.Nursery) -> None:
    gates = {first: trio.Event() for first in (0, 10, 20)}
    run = Answered(concurrency=3, batching=Batching(events=10))
    run.delivery._concurrency.limit = 3.0

    async def perform(request: Request) -> Response:
        await gates[events_of(request)[0][0]].wait()
        return Response(200)

    run.transport.perform = perform  # type: ignore[method-assign]
    nursery.start_soon(run.delivery.run)
    for number in (0, 10, 20):
        await run.append(number)
        await wait_all_tasks_blocked()
    for first, delivered in ((20, 0), (0, 10), (10, 30)):
        gates[first].set()
        await wait_all_tasks_blocked()
        assert run.ledger.delivered == delivered
    run.spool.end()


class Failing(AnsweredSink):
    """Cannot cope with one event."""

    def send(self, batch: Batch) -> Conversation:
        if any(b'"n":5,' in payload for part in batch.slices for payload in part.payloads):
            raise ZeroDivisionError("five")
        return (yield from super().send(batch))


async def test_an_event_that_a_sink_cannot_cope_with_costs_no_other() -> None:
    run = Answered(sink=Failing)
    await run.append(0)
    await run.run()
    assert sorted(run.letters.kept) == [5]
    assert run.letters.kept[5].reason == "sink_failed"
    assert run.letters.kept[5].detail == "ZeroDivisionError: five"
    assert run.ledger.delivered == 9


class Unconversing(AnsweredSink):
    """A plug-in whose author has forgotten the `yield`."""

    def send(self, batch: Batch) -> Conversation:
        return Delivered()  # type: ignore[return-value]


async def test_a_sink_that_does_not_converse_loses_nothing() -> None:
    run = Answered(sink=Unconversing)
    await run.append(0)
    await run.run()
    assert {letter.detail for letter in run.letters.kept.values()} == {"TypeError: 'Delivered' object is not iterable"}
    assert (len(run.letters.kept), run.ledger.settled) == (10, 10)


async def test_what_the_machine_lacks_is_no_event_s_fault(autojump_clock: MockClock) -> None:
    run = Answered(on_reject="discard")
    lacking = iter([RuntimeError("can't start new thread"), MemoryError(), OSError("no descriptors")])

    def answering(request: Request) -> Response:
        for error in lacking:
            raise error
        return Response(200)

    run.transport.answer = answering
    await run.append(0)
    await run.run()
    assert (run.ledger.delivered, run.ledger.discarded) == (10, {})
    assert run.said[0]["reason"] == "RuntimeError: can't start new thread"


async def test_events_may_be_empty() -> None:
    """A step may have taken all that a line had."""
    run = Answered()
    (chunk,) = run.router.route(Chunk([b""], b"\0", {}, 1))
    await run.spool.append(chunk)
    await run.run()
    assert run.ledger.delivered == 1


class Miscounting(AnsweredSink):
    """Says too little of larger batches."""

    def send(self, batch: Batch) -> Conversation:
        outcome = yield from super().send(batch)
        return outcome if len(batch) == 1 else []


async def test_a_sink_that_miscounts_loses_nothing() -> None:
    run = Answered(sink=Miscounting)
    await run.append(0)
    await run.run()
    assert run.ledger.delivered == 10


@pytest.mark.parametrize("said", [None, "fine", [None] * 10, [Halve("no")] * 10])
async def test_a_sink_that_says_nothing_that_is_an_outcome_loses_nothing(said: object) -> None:
    class Mute(AnsweredSink):
        def send(self, batch: Batch) -> Conversation:
            yield from super().send(batch)
            return said[: len(batch)] if isinstance(said, list) else said  # type: ignore[return-value]

    run = Answered(sink=Mute)
    await run.append(0)
    await run.run()
    assert {letter.reason for letter in run.letters.kept.values()} == {"sink_failed"}
    assert (len(run.letters.kept), run.ledger.settled) == (10, 10)


async def test_a_notice_that_is_refused_is_no_event() -> None:
    """What logrouter tells of a gap was never read: the ledger does not know it."""
    run = Answered(
        lambda request: answer(*["refuse" if "logrouter" in text else "ok" for _, text in events_of(request)]),
        chunks=3,
        when_full="discard_oldest",
    )
    await run.append(*range(0, 100, 10))
    await run.run()
    assert run.letters.kept == {}
    assert (run.ledger.delivered, run.ledger.discarded) == (30, {"spool_full": 70})
    assert run.ledger.settled == run.ledger.read == 100
