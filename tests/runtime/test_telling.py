"""What steps tell of by themselves comes through: when it is time, at the end, and when a reload takes a step away."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import trio
from trio.testing import MockClock

from logrouter.event import Chunk
from logrouter.runtime import reading
from tests.runtime.observed import run_at_once
from tests.runtime.reloaded import Reloaded

DEDUPE = "[{dedupe: {by: [x], window: 10s}}]"
"""All events of the scripted source have the same `x`."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall's time is that of the mock clock."""

    class Time:
        @staticmethod
        def time_ns() -> int:
            return int(trio.current_time() * 1e9)

    monkeypatch.setattr(reading, "time", Time)
    monkeypatch.setattr(trio.to_thread, "run_sync", run_at_once)


def told(run: Reloaded, sink: str = "a") -> list[tuple[int, int]]:
    """The number of each event that came, and of how many others it tells."""
    lines = [line for transport in run.transports[sink] for line in transport.lines]
    events: list[dict[str, Any]] = [orjson.loads(line) for line in lines]
    return [(event["n"], event.get("repeated", 0)) for event in events]


class Clocked(Reloaded):
    """What the source reads is received when it is read."""

    def __init__(self, sinks: dict[str, str], **options: str) -> None:
        super().__init__(sinks, **options)
        self.source._emit = self._emit  # type: ignore[method-assign]

    async def _emit(self, emit: Any, data: bytes) -> None:
        frame = self.source._framing.feed(data)
        await emit(frame, reading.time.time_ns())


async def test_it_is_told_when_it_is_time_though_nothing_else_comes(autojump_clock: MockClock) -> None:
    run = Clocked({"a": "file:a"}, STEPS=DEDUPE)

    async def script() -> None:
        run.source.feed(5)
        await trio.sleep(9)
        assert told(run) == [(0, 0)]
        await trio.sleep(3)
        assert told(run) == [(0, 0), (4, 4)]
        run.source.feed(2)
        await trio.sleep(20)
        assert told(run) == [(0, 0), (4, 4), (6, 2)]

    await run.to_the_end(script)
    assert told(run) == [(0, 0), (4, 4), (6, 2)]
    (running,) = run.topology.parts.sources
    assert (running.chain.discarded, running.chain.added) == ({"steps.0.dedupe": 6}, {"steps.0.dedupe": 2})
    assert running.in_hand == 0


async def test_what_is_left_is_told_at_the_end(autojump_clock: MockClock) -> None:
    run = Clocked({"a": "file:a"}, STEPS=DEDUPE)

    async def script() -> None:
        run.source.feed(3)

    await run.to_the_end(script)
    assert told(run) == [(0, 0), (2, 2)]
    assert run.code == 0


async def test_a_step_that_a_reload_takes_away_tells_what_it_has_left_out(autojump_clock: MockClock) -> None:
    run = Clocked({"a": "file:a"}, STEPS=DEDUPE)

    async def script() -> None:
        run.source.feed(3)
        await trio.sleep(0.1)
        await run.reload({"a": "file:a"}, STEPS="[{dedupe: {by: [x], window: 20s}}]")
        run.source.feed(2)
        await trio.sleep(5)
        assert told(run) == [(0, 0), (3, 0), (2, 2)]

    await run.to_the_end(script)
    assert told(run) == [(0, 0), (3, 0), (2, 2), (4, 1)]


async def test_a_step_that_stays_goes_on_whatever_a_reload_changes_beside_it(autojump_clock: MockClock) -> None:
    run = Clocked({"a": "file:a"}, STEPS=DEDUPE)

    async def script() -> None:
        run.source.feed(2)
        await trio.sleep(1)
        await run.reload({"a": "file:a"}, STEPS=DEDUPE[:-1] + ", {set: {y: 1}}]")
        run.source.feed(2)
        await trio.sleep(2)
        assert told(run) == [(0, 0)]

    await run.to_the_end(script)
    assert told(run) == [(0, 0), (3, 3)]


async def test_what_is_told_waits_for_room_and_the_end_waits_for_it(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Clocked({"a": "file:a"}, STEPS=DEDUPE)
    append, room = run.topology.parts.spool.append, trio.Event()

    async def append_later(chunk: Chunk, *, live: bool = True) -> None:
        await room.wait()
        await append(chunk, live=live)

    async def script() -> None:
        run.source.feed(3)
        await trio.sleep(0.5)
        monkeypatch.setattr(run.topology.parts.spool, "append", append_later)
        await trio.sleep(15)
        (running,) = run.topology.parts.sources
        assert (running.in_hand, told(run)) == (1, [(0, 0)])
        run.source.end()
        await trio.sleep(5)
        assert run.topology.parts.reading, "the end waits"
        room.set()

    await run.to_the_end(script)
    assert told(run) == [(0, 0), (2, 2)]
