"""Sinks that gather while sources wait for room: an object is closed early only where that makes room."""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from logrouter.batch import Batching
from logrouter.instructions import Request, Response
from logrouter.policy import SinkRouting
from logrouter.routing import Router
from logrouter.runtime.delivery import Delivery, tick
from logrouter.runtime.log import Log
from logrouter.runtime.spool.local import LocalSpool
from logrouter.sinks import SinkConfig, SinkContext
from logrouter.testing import CrashingDisk, RespondingTransport
from tests.runtime.delivery.test_collecting import GatheringSink
from tests.runtime.pipelines import CHUNK_BYTES, memory_spool, new_cursor, routed_chunk
from tests.runtime.spool import model

EVENTS = 300


class Gathering:
    """Sinks that gather parts of so many bytes, behind a spool that holds thirty events, in memory or on a disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, disk_bytes: int | None, **part_bytes: int) -> None:
        self.names = "".join(part_bytes)
        self.router = Router([SinkRouting(name) for name in self.names])
        self.spool = self._memory() if disk_bytes is None else self._disk(monkeypatch, disk_bytes)
        self.closed: Counter[str] = Counter()
        """How many objects of each sink were closed before the end."""
        log = Log("error", write=lambda line: None)
        self.deliveries = []
        for number, (name, size_bytes) in enumerate(part_bytes.items()):
            sink = GatheringSink(SinkConfig(), SinkContext(name))
            sink.batching = Batching(size_bytes=size_bytes, age_seconds=3600)
            transport = RespondingTransport(partial(self._answer, name), seconds=0.005)
            self.deliveries.append(Delivery(number, name, sink, transport, self.spool, log))

    def _answer(self, name: str, request: Request) -> Response:
        if request.method == "POST" and not self.spool.ended:
            self.closed[name] += 1
        return Response(200)

    def _memory(self) -> LocalSpool:
        limits = {"budget_bytes": 3 * CHUNK_BYTES, "block_timeout_seconds": 10}
        return memory_spool([new_cursor(name) for name in self.names], self.router, epoch=7, **limits)

    def _disk(self, monkeypatch: pytest.MonkeyPatch, disk_bytes: int) -> LocalSpool:
        monkeypatch.setattr(model, "BUDGET_BYTES", 3 * CHUNK_BYTES)
        monkeypatch.setattr(model, "MAX_BYTES", disk_bytes)
        monkeypatch.setattr(model, "SEGMENT_BYTES", 30_000)
        settings = model.settings_for("disk", self.names)
        return model.open_spool(CrashingDisk(Random(1)), 1, settings, [], router=self.router)

    async def run(self, nursery: trio.Nursery, *, calmly: bool = False) -> None:
        """Let so many events come. `calmly`: each chunk once the sinks have done what they can with the last."""
        nursery.start_soon(self.spool.maintain)
        nursery.start_soon(tick, self.spool)
        async with trio.open_nursery() as delivering:
            for delivery in self.deliveries:
                delivering.start_soon(delivery.run)
            for number in range(0, EVENTS, 10):
                await self.spool.append(routed_chunk(self.router, number))
                if calmly:
                    await wait_all_tasks_blocked(0.006)  # longer than a request
            self.spool.end()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("disk_bytes", [None, 10_000_000], ids=["memory", "disk"])
async def test_an_object_grows_though_sources_wait_for_memory(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, disk_bytes: int | None
) -> None:
    """What was gathered takes none of it."""
    run = Gathering(monkeypatch, disk_bytes, a=3_000)
    await run.run(nursery)
    assert run.spool.ledger(0).delivered == EVENTS
    assert run.spool.statistics().blocked_seconds > 0
    assert run.closed == {}


async def test_an_object_is_closed_where_the_disk_is_full_of_what_it_holds(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Gathering(monkeypatch, 150_000, a=10**9)
    await run.run(nursery)
    assert (run.spool.ledger(0).delivered, run.spool.ledger(0).discarded) == (EVENTS, {})
    assert 0 < run.closed["a"] < EVENTS // 30 - 1


@pytest.mark.slow
async def test_an_object_grows_though_the_disk_is_full_of_what_another_sink_holds(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several sinks only the one that pins most is in the way."""
    run = Gathering(monkeypatch, 150_000, a=3_000, b=10**9, c=3_000)
    await run.run(nursery, calmly=True)
    ledgers = [run.spool.ledger(number) for number in range(3)]
    assert [(ledger.delivered, ledger.discarded) for ledger in ledgers] == [(EVENTS, {})] * 3
    assert run.closed["b"] > 0
    assert set(run.closed) == {"b"}
