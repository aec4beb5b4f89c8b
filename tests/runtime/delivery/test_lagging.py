"""A sink that does not keep up says so: since when, how far behind, and what holds it back. On virtual time."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from logrouter.batch import Batching
from logrouter.errors import DestinationError
from logrouter.instructions import Request, Response
from logrouter.runtime.delivery import tick
from logrouter.sinks import RetryPolicy
from tests.runtime.delivery.answering import Answered
from tests.runtime.delivery.test_some_left import Leaving
from tests.runtime.pipelines import EVENT_BYTES, routed_chunk

CHUNK_BYTES = 2 * (EVENT_BYTES + 60) + 900
NOON = 1_795_435_200
"""2026-11-23T12:00:00Z"""


def clock_ns() -> int:
    return int((NOON + trio.current_time()) * 1e9)


class Streamed(Answered):
    """Two events come every second, or as many as there is room for; a batch holds as many."""

    def __init__(self, answering: Any = None, **options: Any) -> None:
        given = {"batching": Batching(events=2), "chunks": 10_000, "log_clock": trio.current_time, **options}
        super().__init__(answering, clock_ns=clock_ns, **given)

    async def come(self, seconds: int) -> None:
        for _ in range(seconds):
            chunk = routed_chunk(self.router, 0, 2)
            chunk.received_ns = clock_ns()
            await self.spool.append(chunk, live=False)
            await trio.sleep(1)

    def begin(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(tick, self.spool, [self.delivery])
        nursery.start_soon(self.delivery.run)

    @property
    def limits(self) -> list[str]:
        """What is said to hold it back."""
        return [line["limit"] for line in self.said if line["message"] == "cannot keep up"]

    @property
    def told(self) -> list[str]:
        return [line["message"] for line in self.said]


async def test_it_is_said_once_a_minute_and_that_it_is_over(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    run = Streamed(seconds=5)
    run.begin(nursery)
    assert run.delivery.lag is None
    await run.come(200)
    said = list(run.said)
    assert {line["message"] for line in said} == {"cannot keep up"}
    assert len(said) == 3, "of 200 seconds, the first 40 until it was half a minute behind, and half a minute more"
    assert (said[0]["sink"], said[0]["since"]) == ("a", said[2]["since"])
    assert "2026-11-23T12:00:30Z" <= said[0]["since"] <= "2026-11-23T12:00:50Z"
    assert said[0]["comes_per_second"] == pytest.approx(2, abs=0.2)
    assert said[0]["takes_per_second"] == pytest.approx(0.4, abs=0.1)
    assert said[0]["limit"] == "requests: one after the other, 5.00s each"
    lag = run.delivery.lag
    assert lag is not None
    assert lag.behind_seconds == pytest.approx(160, abs=6)
    assert lag.behind_events == run.spool.waiting(0) == pytest.approx(320, abs=2)
    assert lag.behind_bytes == lag.behind_events // 2 * CHUNK_BYTES

    run.transport.seconds = 0.1
    await run.come(60)
    assert run.delivery.lag is None
    assert run.said[len(said) :] == [
        {**run.said[-1], "severity": "warning", "message": "keeps up again", "sink": "a", "since": said[0]["since"]}
    ]


async def test_a_full_spool_keeps_nothing_from_being_said(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Sources wait: no more comes than is taken, and the oldest event does not get older."""
    run = Streamed(seconds=5, chunks=5)
    run.begin(nursery)
    await run.come(60)
    lag = run.delivery.lag
    assert lag is not None
    assert lag.comes_per_second == pytest.approx(lag.takes_per_second, abs=0.1)
    assert run.told.count("cannot keep up") >= 3


async def test_nothing_is_said_of_what_is_worked_off(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """A backlog that is an hour old, and a destination that takes twice what comes."""
    run = Streamed(seconds=0.5)
    for _ in range(300):
        chunk = routed_chunk(run.router, 0, 2)
        chunk.received_ns = (NOON - 3600) * 10**9
        await run.spool.append(chunk)
    run.begin(nursery)
    await run.come(100)
    assert run.spool.waiting(0) > 200
    assert (run.said, run.delivery.lag) == ([], None)


async def test_nothing_is_said_of_what_is_worked_off_since_a_moment_ago(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """It is back after less than half a minute: what has waited since before that is on its way."""

    def answering(request: Request) -> Response:
        if trio.current_time() < 28:
            raise DestinationError("nobody answers")
        return Response(200)

    run = Streamed(answering, seconds=0.1, retry=RetryPolicy(cap_seconds=1))
    for _ in range(600):
        chunk = routed_chunk(run.router, 0, 2)
        chunk.received_ns = (NOON - 3600) * 10**9
        await run.spool.append(chunk)
    run.begin(nursery)
    await run.come(60)
    assert run.spool.waiting(0) > 200
    assert set(run.told) == {"cannot deliver", "delivering again"}
    assert run.delivery.lag is None


async def test_nothing_is_said_of_what_waits_for_others_to_come(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    run = Streamed(batching=Batching(age_seconds=200))
    run.begin(nursery)
    await run.come(190)
    assert run.transport.requests == []
    assert (run.said, run.delivery.lag) == ([], None)


async def test_a_request_that_hangs(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    run = Streamed()
    run.transport.gate = trio.Event()
    run.begin(nursery)
    await run.come(70)
    lag = run.delivery.lag
    assert lag is not None
    assert (lag.takes_per_second, lag.limit) == (0, "no request has been answered yet")
    assert run.told == ["cannot keep up"]


@pytest.mark.parametrize("goes_on", [False, True])
async def test_trouble_says_more(autojump_clock: MockClock, nursery: trio.Nursery, goes_on: bool) -> None:
    """While nothing is taken; where something is, requests that fail are what holds it back."""
    asked = 0

    def answering(request: Request) -> Response:
        nonlocal asked
        asked += 1
        if goes_on and asked % 3 == 0:
            return Response(200)
        raise DestinationError("nobody answers")

    run = Streamed(answering, seconds=2)
    run.begin(nursery)
    await run.come(150)
    assert ("cannot keep up" in run.told) == goes_on
    assert set(run.limits) == ({"some tries fail: nobody answers"} if goes_on else set())


async def test_events_that_are_left_say_more(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    run = Streamed(Leaving([5]).answer)
    run.begin(nursery)
    await run.come(150)
    assert run.delivery.trouble is not None
    assert set(run.told) == {"some events are not taken"}


@pytest.mark.parametrize(
    ("concurrency", "chunks", "limit"),
    [
        (2, 10_000, "requests: 2 at once, the most that concurrency allows, 5.00s each"),
        (4, 20, "requests: 1 at once, the most that spool.memory allows, 5.00s each"),
    ],
)
async def test_what_holds_it_back(
    autojump_clock: MockClock, nursery: trio.Nursery, concurrency: int, chunks: int, limit: str
) -> None:
    run = Streamed(seconds=5, concurrency=concurrency, chunks=chunks)
    run.begin(nursery)
    await run.come(100)
    assert run.limits[-1] == limit


async def test_a_destination_that_takes_longer_for_many_requests_at_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """How many are allowed goes up and down meanwhile: what was under way is held against what was allowed then."""
    run = Streamed(concurrency=64)
    run.begin(nursery)
    for _ in range(300):
        run.transport.seconds = 30 if run.transport.under_way else 2
        await run.come(1)
    assert len(run.limits) > 3
    assert [limit for limit in run.limits if "as it takes longer with more" not in limit] == []


async def test_where_no_request_is_waited_for_it_is_logrouter_itself(
    autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Streamed(seconds=0.1)
    take = run.delivery._collector.take

    async def take_long(*given: Any) -> Any:
        await trio.sleep(5)
        return await take(*given)

    monkeypatch.setattr(run.delivery._collector, "take", take_long)
    run.begin(nursery)
    await run.come(100)
    assert run.limits[-1] == "logrouter itself: it seldom waits for requests, 0.10s each"
