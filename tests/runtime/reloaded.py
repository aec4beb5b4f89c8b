"""A topology that runs while its config changes: what its tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import trio
from trio.testing import wait_all_tasks_blocked

from logrouter.config import load
from logrouter.runtime.log import Log
from logrouter.runtime.reloading import Outcome
from logrouter.runtime.topology import Topology
from logrouter.sources import Emit
from logrouter.testing import RecordingTransport, ScriptedSource
from tests.runtime.observed import Observed, lines
from tests.runtime.pipelines import numbers

NOWHERE = Path("/nonexistent")


class FedSource(ScriptedSource):
    """Gives what the test feeds it, until it is told that there is no more."""

    def __init__(self) -> None:
        super().__init__()
        self._give, self._given = trio.open_memory_channel[bytes](1000)
        self.fed = 0

    def feed(self, count: int = 10) -> None:
        """So many events more, as one read."""
        self._give.send_nowait(lines(self.fed, count))
        self.fed += count

    def end(self) -> None:
        """There is no more."""
        self._give.close()

    def stop(self) -> None:
        self._give.close()

    async def run(self, emit: Emit) -> None:
        async for data in self._given:
            await self._emit(emit, data)


class Reloaded(Observed):
    """A topology that runs while its config changes: each sink by its URL."""

    def __init__(self, sinks: dict[str, str], **options: str) -> None:
        self.environ: dict[str, str] = {}
        self.configure(sinks, **options)
        self.transports: dict[str, list[RecordingTransport]] = {}
        self.needs_sync = True
        self._broken: set[str] = set()
        self.said: list[dict[str, Any]] = []
        self.code = -1
        self.source = FedSource()
        self.topology = Topology(
            self._load(),
            Log("info", write=lambda line: self.said.append(orjson.loads(line))),
            connect=self._connect,
            load=self._load,
        )
        (running,) = self.topology.parts.sources
        running.source = self.source

    def configure(self, sinks: dict[str, str], **options: str) -> None:
        """What the next reload will find. `a__match` of an option becomes `LOGROUTER_SINK_A__MATCH`."""
        self.environ = {f"LOGROUTER_SINK_{name.upper()}": url for name, url in sinks.items()}
        self.environ |= {f"LOGROUTER_{name}": value for name, value in options.items()}

    def _load(self) -> Any:
        return load(environ=self.environ, folder=NOWHERE, system_folder=NOWHERE)

    def _connect(self, sink: Any, syncs: Any) -> RecordingTransport:
        transport = RecordingTransport(needs_sync=self.needs_sync)
        transport.dead = sink.context.name in self._broken
        self.transports.setdefault(sink.context.name, []).append(transport)
        return transport

    def break_down(self, sink: str, dead: bool) -> None:
        """A sink's destinations take nothing, or do again."""
        (self._broken.add if dead else self._broken.discard)(sink)
        for transport in self.transports.get(sink, []):
            transport.dead = dead

    async def reload(self, sinks: dict[str, str] | None = None, **options: str) -> Outcome:
        if sinks is not None:
            self.configure(sinks, **options)
        return await self.topology.reloading.ask()

    async def to_the_end(self, script: Callable[[], Any]) -> None:
        """Run it, do what the script says, and let it end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run)
            await wait_all_tasks_blocked()
            await script()
            self.source.end()
        self.check_ledgers()

    async def _run(self) -> None:
        with trio.fail_after(10_000):
            self.code = await self.topology.run()

    def check_ledgers(self) -> None:
        """Conservation, and that what was counted as delivered is what the destinations hold."""
        spool = self.topology.parts.spool
        for delivery in (*self.topology.parts.deliveries, *self.topology.parts.leaving):
            ledger = spool.ledger(delivery.number)
            assert ledger.read == ledger.settled + spool.waiting(delivery.number), delivery.name

    def numbers(self, sink: str) -> list[int]:
        """Which events the destinations of a sink hold, one after the other."""
        return [number for transport in self.transports[sink] for number in numbers(transport.lines)]


async def settled() -> None:
    """Until all that can happen now has happened."""
    await wait_all_tasks_blocked()
