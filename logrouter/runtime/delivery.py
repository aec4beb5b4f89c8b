"""The one delivery loop, the same for every sink: read, batch, send, make durable, commit.

    read chunks for the sink → its slices → a batch → sink.send(batch) yields instructions
    → the transport performs each, again and again until it succeeds → sync, where it is due → commit

Invariant: a cursor moves only past what is settled, and as durable at the destination as the transport can make
it. A destination that fails costs this task its time, and nobody else.
"""

from __future__ import annotations

import random
import time
from typing import Any, Final, NamedTuple

import orjson
import trio

from logrouter import times
from logrouter.backoff import Backoff
from logrouter.errors import ClosedByPeer, DestinationError
from logrouter.event import Chunk, Flag, Offset
from logrouter.routing import Router
from logrouter.runtime.log import Log
from logrouter.runtime.spool import Gap, MemorySpool
from logrouter.runtime.transports import Transport
from logrouter.sinks import Batch, Delivered, Instruction, Retry, Sink, Slice

BATCH_BYTES: Final = 1024 * 1024
"""A batch takes from what is there so many bytes of chunks: enough to make system calls rare. It is never more than
a quarter of the spool, as what is being sent cannot be given up."""
SYNC_SHARE: Final = 4
"""What has been written is made durable as soon as the sink pins a quarter of the spool, so that sources need not
wait for it."""
TICK_SECONDS: Final = 0.5
"""How often deliveries are woken to see whether something has waited for too long (`tick`). One timer for all costs
less than a timeout around every wait."""
SYNC_DELAY_SECONDS: Final = 1.0
"""At the next tick after so much time, what has been written is made durable also when it is little."""
CLOSE_SECONDS: Final = 1.0
"""What closing a destination may take when time is up already."""


class Trouble(NamedTuple):
    """Why a sink gets nothing at present, and since when (seconds since 1970)."""

    reason: str
    since: float


class _Settling(NamedTuple):
    """What is counted and committed once it is durable."""

    end: Offset
    delivered: int
    unmatched: int


class Delivery:
    """Delivers to one sink until the spool has ended and is empty."""

    def __init__(
        self,
        number: int,
        name: str,
        sink: Sink[Any],
        transport: Transport,
        spool: MemorySpool,
        router: Router,
        log: Log,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self.number = number
        self.name = name
        self.sink = sink
        self.transport = transport
        self.trouble: Trouble | None = None
        self.retries = 0
        self.batches = 0
        self.sent_bytes = 0
        self._spool = spool
        self._router = router
        self._log = log
        self._backoff = backoff or Backoff(random.random)
        self._batch_bytes = min(BATCH_BYTES, spool.budget_bytes // 4)
        self._unsettled: list[_Settling] = []
        self._unsynced = False
        self._pinned_bytes = 0
        """What the spool holds for it alone, perhaps: read, sent, but not settled."""
        self._sync_at = float("inf")

    async def run(self) -> None:
        """Deliver all there is and will be. Returns when nothing is left, or nobody reads any more."""
        try:
            while self._spool.has_more(self.number) or not self._spool.ended:
                await self._spool.wait_readable(self.number)
                await self._deliver()
            await self._sync()
        except ClosedByPeer:
            self._log.info("the reader has gone", sink=self.name)
            self._spool.close(self.number)
        finally:
            await self._close()

    async def _close(self) -> None:
        with trio.move_on_after(CLOSE_SECONDS) as scope:
            scope.shield = True
            try:
                await self.transport.aclose()
            except DestinationError as error:
                self._log.error("cannot close", sink=self.name, reason=str(error))

    def reopen(self) -> None:
        """Open the destination anew: it may have been moved."""
        self.transport.reopen()

    async def _deliver(self) -> None:
        """Deliver what is there."""
        while (batch := self._gather()) is not None:
            if batch.slices:
                self._spool.note(self.number, batch)
                await self._send(batch)
                self._unsynced = self.transport.needs_sync
                self._sync_at = min(self._sync_at, trio.current_time() + SYNC_DELAY_SECONDS)
            if not self._unsynced:
                self._settle()
            elif self._pinned_bytes * SYNC_SHARE >= self._spool.budget_bytes:
                await self._sync()
            if not self._spool.has_more(self.number):
                break
            await trio.lowlevel.checkpoint()  # writing to a file yields to nobody: others must have their turn
        if self._unsynced and trio.current_time() >= self._sync_at:
            await self._sync()

    def _gather(self) -> Batch | None:
        """What can be sent now; a batch without slices where all that was read is not for this sink."""
        slices: list[Slice] = []
        before = self._pinned_bytes
        found = self._spool.read(self.number)
        if found is None:
            return None
        while found is not None:
            part = self._notice(found) if isinstance(found, Gap) else self._take(found)
            if part is not None:
                slices.append(part)
            if self._pinned_bytes - before >= self._batch_bytes:
                break
            found = self._spool.read(self.number)
        return Batch(slices)

    def _take(self, chunk: Chunk) -> Slice | None:
        part = self._router.slice(chunk, self.number)
        wanted = len(part.payloads) if part else 0
        self._pinned_bytes += chunk.size_bytes
        self._unsettled.append(_Settling(chunk.end, wanted, len(chunk) - wanted))
        return part

    def _notice(self, gap: Gap) -> Slice | None:
        """An event that tells of a gap, where the sink's stream can hold one."""
        self._log.warning("events discarded", sink=self.name, reason=gap.reason, events=gap.events)
        if not gap.events or not self.sink.told_of_gaps:
            return None
        event = {
            "time": times.format_rfc3339(gap.last_received_ns),
            "severity": "warning",
            "message": f"logrouter discarded {gap.events} events here ({gap.reason})",
            "logrouter.discarded": gap.events,
            "logrouter.reason": gap.reason,
            "logrouter.sink": self.name,
            "logrouter.from": times.format_rfc3339(gap.first_received_ns),
            "logrouter.to": times.format_rfc3339(gap.last_received_ns),
        }
        chunk = Chunk([orjson.dumps(event)], bytes((Flag.JSON | Flag.NOTICE,)), {}, gap.last_received_ns)
        chunk.offset = gap.first
        return self._router.whole(chunk, self.number)

    async def _send(self, batch: Batch) -> None:
        while True:
            outcome = await self._attempt(batch)
            if isinstance(outcome, Delivered):
                break
            await self._wait_after(outcome.reason, outcome.after_seconds)
        self.batches += 1
        self._recovered()

    async def _attempt(self, batch: Batch) -> Delivered | Retry:
        conversation = self.sink.send(batch)
        reply: Any = None
        while True:
            try:
                instruction = conversation.send(reply)
            except StopIteration as done:
                outcome: Delivered | Retry = done.value
                return outcome
            reply = await self._perform(instruction)

    async def _perform(self, instruction: Instruction) -> Any:
        while True:
            try:
                reply = await self.transport.perform(instruction)
            except ClosedByPeer:
                raise
            except DestinationError as error:
                await self._wait_after(str(error), None)
            else:
                self.sent_bytes += len(instruction.data)
                return reply

    async def _sync(self) -> None:
        while self.transport.needs_sync and self._unsynced:
            try:
                await self.transport.sync()
                break
            except DestinationError as error:
                await self._wait_after(str(error), None)
        self._settle()

    def _settle(self) -> None:
        self._unsynced = False
        self._pinned_bytes = 0
        self._sync_at = float("inf")
        if not self._unsettled:
            return
        ledger = self._spool.cursors[self.number].ledger
        for settling in self._unsettled:
            ledger.delivered += settling.delivered
            ledger.unmatched += settling.unmatched
        self._spool.commit(self.number, self._unsettled[-1].end)
        self._unsettled.clear()

    async def _wait_after(self, reason: str, after_seconds: float | None) -> None:
        self.retries += 1
        if self.trouble is None:
            self.trouble = Trouble(reason, time.time())
        self.trouble = self.trouble._replace(reason=reason)
        self._log.error("cannot deliver", sink=self.name, reason=reason, since=self._since())
        await trio.sleep(max(self._backoff.next_seconds(), after_seconds or 0.0))

    def _recovered(self) -> None:
        if self.trouble is not None:
            self._log.warning("delivering again", sink=self.name, since=self._since())
            self.trouble = None
            self._backoff.reset()

    def _since(self) -> str:
        assert self.trouble is not None
        return times.format_rfc3339(int(self.trouble.since) * 10**9)


async def tick(spool: MemorySpool) -> None:
    """Wake all deliveries regularly, for ever."""
    while True:
        await trio.sleep(TICK_SECONDS)
        spool.wake()
