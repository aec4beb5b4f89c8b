"""A destination that takes some events and leaves others: an index that is blocked, a tenant over its limit."""

from __future__ import annotations

from collections.abc import Container

import trio
from trio.testing import MockClock

from logrouter.batch import Batching
from logrouter.instructions import Request, Response
from logrouter.runtime.delivery.destination import LASTING_SECONDS
from logrouter.sinks import RetryPolicy
from tests.runtime.delivery.answering import Answered, answer, events_of


class Leaving:
    """Takes all events but some."""

    def __init__(self, left: Container[int]) -> None:
        self.left = left
        self.taken: set[int] = set()

    def answer(self, request: Request) -> Response:
        sequences = [sequence for sequence, _ in events_of(request)]
        self.taken |= {sequence for sequence in sequences if sequence not in self.left}
        return answer(*("retry" if sequence in self.left else "ok" for sequence in sequences))


async def test_events_that_are_left_do_not_stop_others_and_are_trouble_after_a_while(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    server = Leaving([5])
    run = Answered(server.answer, seconds=0.1, concurrency=4, batching=Batching(events=10), chunks=1000)
    nursery.start_soon(run.delivery.run)
    await run.append(0, 10)
    await trio.sleep(LASTING_SECONDS / 2)
    assert run.delivery.trouble is None
    await trio.sleep(LASTING_SECONDS)
    assert run.delivery.trouble is not None
    assert run.delivery.trouble.reason == "later"
    await run.append(*range(20, 120, 10))
    await trio.sleep(3)
    assert server.taken == set(range(120)) - {5}
    assert {line["message"] for line in run.said} == {"some events are not taken"}
    before = len(run.transport.requests)
    await trio.sleep(600)
    assert 20 <= len(run.transport.requests) - before <= 100, "left alone for half a minute at most"
    server.left = []
    await trio.sleep(31)
    assert run.delivery.trouble is None
    assert run.said[-1]["message"] == "what was not taken is settled"
    assert run.ledger.delivered == run.ledger.settled == 120
    run.spool.end()


async def test_what_is_left_for_too_long_is_given_up(autojump_clock: MockClock) -> None:
    server = Leaving([5, 7])
    run = Answered(server.answer, retry=RetryPolicy(give_up_seconds=60))
    await run.append(0)
    begun = trio.current_time()
    await run.run()
    assert 60 < trio.current_time() - begun < 60 + 31
    assert sorted(run.letters.kept) == [5, 7]
    assert {letter.detail for letter in run.letters.kept.values()} == {"later"}
    assert (run.ledger.delivered, run.ledger.dead_lettered) == (8, {"gave_up": 2})


async def test_what_is_left_as_too_much_is_sent_in_halves(autojump_clock: MockClock) -> None:
    """Too many for one shard are refused together, again and again."""

    def answering(request: Request) -> Response:
        sequences = [sequence for sequence, _ in events_of(request)]
        many = sum(sequence % 2 for sequence in sequences) > 3
        return answer(*("too much" if many and sequence % 2 else "ok" for sequence in sequences))

    run = Answered(answering)
    await run.append(0, 10)
    with trio.fail_after(3600):
        await run.run()
    assert run.ledger.delivered == 20
