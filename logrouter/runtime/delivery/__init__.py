"""Delivery to one sink, the same for every kind: collect, note, send, make durable, commit.

    collecting.py    the spool → a batch                    how much, how old
    noting.py        what is written down of it             before its first byte leaves
    sending.py       a batch → each event settled           by outcomes: again, in halves, dead letters
    conversing.py    one try: instructions and replies
    destination.py   is it in trouble; whose turn is it     one tries, the others wait
    settling.py      in order, made durable, committed
    lagging.py       does it keep up

Invariants:
- a cursor moves only past what is settled, and as durable at the destination as the transport can make it;
- a batch is noted before its first byte leaves. What was noted and not settled is sent again before anything else, cut
  the same, and the transport is asked how much of it has arrived: after a crash, and after a sync that has failed;
- a destination that fails costs this task its time, and nobody else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import trio

from logrouter.batch import Batch
from logrouter.concurrency import Concurrency
from logrouter.cursors import Note, Tally
from logrouter.errors import ClosedByPeer, DestinationError
from logrouter.runtime.delivery.collecting import Collector, Taken
from logrouter.runtime.delivery.conversing import Conversing
from logrouter.runtime.delivery.destination import Destination, Trouble
from logrouter.runtime.delivery.lagging import Lag, Lagging
from logrouter.runtime.delivery.noting import Noting
from logrouter.runtime.delivery.sending import DeadLetters, Sender
from logrouter.runtime.delivery.settling import InHand, Settling
from logrouter.runtime.log import Log
from logrouter.runtime.small_files import read_file
from logrouter.runtime.spool import Spool
from logrouter.runtime.transports import Transport
from logrouter.sinks import Sink

TICK_SECONDS: Final = 0.5
"""How often deliveries are woken to see whether something has waited for too long (`tick`). One timer for all costs
less than a timeout around every wait."""
CLOSE_SECONDS: Final = 1.0
"""What closing a destination may take when time is up already."""


class DeliveryStatistics(msgspec.Struct, frozen=True):
    """How it goes with one sink."""

    batches: int
    """Sent since the start."""
    retries: int
    """Tries that have failed."""
    sent_bytes: int
    """Encoded, and compressed where they are."""
    duplicates: int
    """Events that had been at the destination before."""
    doubts: int
    """Times that something was sent again which may have arrived before."""
    under_way: int
    """Requests that are not answered yet."""
    concurrency: int
    """How many there may be at present."""


class Delivery:
    """Delivers to one sink until the spool has ended and is empty."""

    def __init__(
        self,
        number: int,
        name: str,
        sink: Sink[Any],
        transport: Transport,
        spool: Spool,
        log: Log,
        *,
        dead_letters: DeadLetters | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`clock_ns` gives nanoseconds since 1970, as chunks say when they were received."""
        self.number = number
        self.name = name
        self.sink = sink
        self.transport = transport
        self.ended = trio.Event()
        """Nothing is delivered here any more."""
        self._scope = trio.CancelScope()
        self._batches = 0
        self.destination = Destination(name, log, sink.retry)
        self._concurrency = Concurrency(1 if sink.ordered or sink.gathers else sink.concurrency)
        self._spool = spool
        self._log = log
        self._collector = Collector(number, name, sink, spool, log, self.destination)
        self._conversing = Conversing(
            *(name, sink, transport, log, self.destination.insist, self._concurrency, self._answered)
        )
        self._sender = Sender(
            *(name, sink, self._collector, self._conversing, self.destination, self._concurrency, log, dead_letters)
        )
        self._lagging = Lagging(
            *(number, name, sink, spool, self._collector, self._conversing, self.destination, self._concurrency, log),
            clock_ns,
        )
        self._settling = Settling(number, transport, spool)
        self.destination.before_waiting = self._settling.look
        self.destination.is_trusted = lambda: self._failed_at_sync != self._settling.syncs
        self._failed_at_sync: int | None = None
        """How many syncs had succeeded when one failed last: until another does, no write says that all is well."""
        self._on_their_way = 0
        """Batches that are being sent beside the collecting of the next."""
        self._place_is_free = trio.lowlevel.ParkingLot()

    @property
    def trouble(self) -> Trouble | None:
        """Why the sink gets nothing at present, or why some events have been left for long."""
        return self.destination.trouble or self.destination.trouble_with_some

    @property
    def lag(self) -> Lag | None:
        """How far behind the sink is, where it does not keep up."""
        return self._lagging.lag

    def statistics(self) -> DeliveryStatistics:
        """Figures about it."""
        return DeliveryStatistics(
            batches=self._batches,
            retries=self.destination.retries,
            sent_bytes=self._conversing.sent_bytes,
            duplicates=self._sender.duplicates,
            doubts=self._sender.doubts + self.transport.doubts,
            under_way=self._conversing.under_way,
            concurrency=self._concurrency.places,
        )

    async def run(self, after: Iterable[Delivery] = ()) -> None:
        """Deliver all there is and will be, once these others have ended. Returns when nothing is left, or nobody reads
        any more."""
        try:
            with self._scope:
                for other in after:
                    await other.ended.wait()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._settling.run)
                    await self._deliver_all()
                    nursery.cancel_scope.cancel()
        finally:
            await self._close()
            self.ended.set()

    def cancel(self) -> None:
        """Deliver no more: what has not arrived, or may not have, is left to whoever comes next."""
        self._scope.cancel()

    async def _deliver_all(self) -> None:
        try:
            await self._take_up()
            await self._resend(distrust=False)
            async with trio.open_nursery() as senders:
                while not self._spool.is_over(self.number) or self._collector.has_open:
                    await self._spool.wait_readable(self.number)
                    await self._deliver(senders)
            await self._settling.drain()
            while self._settling.failure is not None:
                await self._after_failed_sync()
                await self._settling.drain()
        except* ClosedByPeer:
            self._log.info("the reader has gone", sink=self.name)
            self._spool.close(self.number)

    async def _take_up(self) -> None:
        """Go on with what the process before has left open at the destination, or kept."""
        if self.sink.state_path is not None:
            self.sink.restore(await self.destination.insist(partial(read_file, self.sink.state_path), ours=True))
        carried = self._spool.carried(self.number)
        if self.sink.gathers:
            self._collector.carried = carried
        elif carried is not None:
            self._log.warning("a sink of another type has left something open: it stays so", sink=self.name)

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

    def hurry(self) -> None:
        """The end is near: try again now, and often."""
        self.destination.hurry()

    def look(self) -> None:
        """See whether it keeps up."""
        self._lagging.look()

    async def _deliver(self, senders: trio.Nursery) -> None:
        """Deliver what is there."""
        self._settling.look()
        while (taken := await self._collector.take()) is not None:
            batch = self._settling.begin(taken.batch.end, taken.size_bytes)
            if taken.is_empty:
                self._settling.done(batch, Tally(unmatched=taken.unmatched), self._collector.carried)
            elif self._concurrency.most == 1:
                await self._send(taken, batch, self._noting(taken))
            else:
                await self._send_beside(taken, batch, senders)
            await self._settling.wait_for_room()
            if self._settling.failure is not None or not self._spool.has_more(self.number):
                break
            await trio.lowlevel.checkpoint()  # writing to a file yields to nobody: others must have their turn
        if self._settling.failure is not None:
            await self._after_failed_sync()

    async def _send_beside(self, taken: Taken, batch: InHand, senders: trio.Nursery) -> None:
        """Send it while the next is being collected, once there is a place for it."""
        while self._on_their_way and self._on_their_way >= min(self._concurrency.places, self._collector.places):
            await self._place_is_free.park()
        self._on_their_way += 1
        senders.start_soon(self._send_and_leave, taken, batch)

    def _answered(self, batch: Batch, sent_bytes: int) -> None:
        """A try has been answered: there may be more places now, also where events of it are left for long."""
        self._collector.learn(batch, sent_bytes)
        self._place_is_free.unpark_all()

    async def _send_and_leave(self, taken: Taken, batch: InHand) -> None:
        try:
            await self._send(taken, batch, self._noting(taken))
        finally:
            self._on_their_way -= 1
            self._place_is_free.unpark_all()

    async def _send(self, taken: Taken, batch: InHand, noting: Noting, *, distrust: bool = False) -> None:
        result = await self._sender.send(taken, noting, distrust=distrust)
        self._batches += 1
        if not self.transport.needs_sync and not self._settling.is_first(batch):
            await self.destination.insist(partial(noting.settle, result.tally), ours=True)
        self._collector.carried = result.carried
        self._settling.done(batch, result.tally, result.carried, written=True)

    def _noting(self, taken: Taken, note: Note | None = None) -> Noting:
        return Noting(self._spool, self.number, taken, note)

    # ── again ──

    async def _after_failed_sync(self) -> None:
        """Nobody knows what of that which was sent is durable: send it again, where it stands."""
        self._failed_at_sync = self._settling.syncs
        await self.destination.failed(str(self._settling.failure))
        self._spool.rewind(self.number)
        self._settling.forget()
        await self._resend(distrust=True)

    async def _resend(self, *, distrust: bool) -> None:
        """Send again what was noted and not settled, cut the same. `distrust`: a sync has failed since."""
        for note in self._spool.notes(self.number):
            while self._spool.next(self.number) < note.end:
                if not distrust and await self._is_settled(note):
                    break
                noted = note if self._spool.next(self.number) >= note.first else None
                taken = await self._collector.take(noted, until=note.first)
                if taken is None:
                    return  # the log has lost it
                batch = self._settling.begin(taken.batch.end, taken.size_bytes)
                if taken.is_empty:
                    self._settling.done(batch, Tally(unmatched=taken.unmatched), self._collector.carried)
                else:
                    await self._send(taken, batch, self._noting(taken, noted), distrust=distrust)

    async def _is_settled(self, note: Note) -> bool:
        """Whether nothing of a noted batch is missing at the destination: it need not be made again."""
        if self._spool.next(self.number) != note.first:
            return False
        if not note.settled:
            if len(note.places) < note.parts:
                return False
            for place in note.places:
                if not await self.destination.insist(partial(self.transport.has_arrived, place)):
                    return False
        self._spool.pass_over(self.number, note.end)
        self._settling.done(self._settling.begin(note.end, 0), note.tally, self._collector.carried, written=True)
        return True


async def tick(spool: Spool, deliveries: Sequence[Delivery] = ()) -> None:
    """Wake all deliveries regularly, for ever."""
    while True:
        await trio.sleep(TICK_SECONDS)
        spool.wake()
        for delivery in deliveries:
            delivery.look()
