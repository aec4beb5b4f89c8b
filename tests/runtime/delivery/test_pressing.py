"""Sinks that gather while sources wait for room: an object is closed early only where that makes room."""

from __future__ import annotations

from random import Random

import pytest
import trio

from logrouter.batch import Batching
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
    """A sink that gathers parts of thirty events, behind a spool that holds as many, in memory or on a disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, disk_bytes: int | None, part_bytes: int) -> None:
        self.router = Router([SinkRouting("a")])
        self.transport = RespondingTransport(seconds=0.005)
        self.spool = self._memory() if disk_bytes is None else self._disk(monkeypatch, disk_bytes)
        sink = GatheringSink(SinkConfig(), SinkContext("a"))
        sink.batching = Batching(size_bytes=part_bytes, age_seconds=3600)
        log = Log("error", write=lambda line: None)
        self.delivery = Delivery(0, "a", sink, self.transport, self.spool, self.router, log)

    def _memory(self) -> LocalSpool:
        limits = {"budget_bytes": 3 * CHUNK_BYTES, "block_timeout_seconds": 10}
        return memory_spool([new_cursor("a")], self.router, epoch=7, **limits)

    def _disk(self, monkeypatch: pytest.MonkeyPatch, disk_bytes: int) -> LocalSpool:
        monkeypatch.setattr(model, "BUDGET_BYTES", 3 * CHUNK_BYTES)
        monkeypatch.setattr(model, "MAX_BYTES", disk_bytes)
        monkeypatch.setattr(model, "SEGMENT_BYTES", 30_000)
        return model.open_spool(CrashingDisk(Random(1)), 1, model.settings_for("disk", "a"), [], router=self.router)

    async def run(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self.spool.maintain)
        nursery.start_soon(tick, self.spool)
        async with trio.open_nursery() as delivering:
            delivering.start_soon(self.delivery.run)
            for number in range(0, EVENTS, 10):
                await self.spool.append(routed_chunk(self.router, number))
            self.spool.end()
        nursery.cancel_scope.cancel()

    @property
    def closed(self) -> int:
        return sum(request.method == "POST" for request in self.transport.requests)


@pytest.mark.parametrize("disk_bytes", [None, 10_000_000], ids=["memory", "disk"])
async def test_an_object_grows_though_sources_wait_for_memory(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, disk_bytes: int | None
) -> None:
    """What was gathered takes none of it."""
    run = Gathering(monkeypatch, disk_bytes, 3_000)
    await run.run(nursery)
    assert run.spool.ledger(0).delivered == EVENTS
    assert run.spool.statistics().blocked_seconds > 0
    assert run.closed == 1


async def test_an_object_is_closed_where_the_disk_is_full_of_what_it_holds(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Gathering(monkeypatch, 150_000, 10**9)
    await run.run(nursery)
    assert (run.spool.ledger(0).delivered, run.spool.ledger(0).discarded) == (EVENTS, {})
    assert 1 < run.closed < EVENTS // 30
