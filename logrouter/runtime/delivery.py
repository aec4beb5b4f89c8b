"""The one delivery loop, the same for every sink: read, batch, note, send, make durable, commit.

    read chunks for the sink → its slices → a batch → sink.send(batch) yields instructions
    → each is sealed and noted, then performed, again and again until it succeeds → sync, where it is due → commit

Invariants:
- a cursor moves only past what is settled, and as durable at the destination as the transport can make it;
- a batch is noted before its first byte leaves. What was noted and not settled is sent again before anything else, cut
  the same, and the transport is asked how much of it has arrived: after a crash, and after a sync that has failed;
- a destination that fails costs this task its time, and nobody else.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property, partial
from typing import Any, Final, NamedTuple

import orjson
import trio

from logrouter import times
from logrouter.backoff import Backoff
from logrouter.cursors import Gap, Note, Place, Tally
from logrouter.errors import ClosedByPeer, DestinationError, Moved
from logrouter.event import Chunk, Flag, Offset
from logrouter.routing import Router
from logrouter.runtime.log import Log
from logrouter.runtime.settling import Sent, Settling
from logrouter.runtime.spool import Spool
from logrouter.runtime.transports import Resumed, Transport
from logrouter.sinks import Batch, Delivered, Instruction, Retry, Sink, Slice

TICK_SECONDS: Final = 0.5
"""How often deliveries are woken to see whether something has waited for too long (`tick`). One timer for all costs
less than a timeout around every wait."""
HURRIED_SECONDS: Final = 1.0
"""How long a try that has failed is waited after, at most, once the end is near."""
CLOSE_SECONDS: Final = 1.0
"""What closing a destination may take when time is up already."""
_VERBS: Final = {"discarded": "discarded", "lost": "has lost"}


class Trouble(NamedTuple):
    """Why a sink gets nothing at present, and since when (seconds since 1970)."""

    reason: str
    since: float


class _Taken(NamedTuple):
    """What was read for one batch."""

    batch: Batch
    first: int
    sent: Sent
    """The same once it has been sent, without the events."""


class Delivery:
    """Delivers to one sink until the spool has ended and is empty."""

    def __init__(
        self,
        number: int,
        name: str,
        sink: Sink[Any],
        transport: Transport,
        spool: Spool,
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
        self._hurried = trio.Event()
        self._failed_at_sync: int | None = None
        """How many syncs had succeeded when one failed last: until another does, no write says that all is well."""

    @cached_property
    def _settling(self) -> Settling:
        return Settling(self.number, self.transport, self._spool)

    async def run(self) -> None:
        """Deliver all there is and will be. Returns when nothing is left, or nobody reads any more."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._settling.run)
                await self._deliver_all()
                nursery.cancel_scope.cancel()
        finally:
            await self._close()

    async def _deliver_all(self) -> None:
        try:
            await self._resend(distrust=False)
            while not self._spool.is_over(self.number):
                await self._spool.wait_readable(self.number)
                await self._deliver()
            await self._settling.drain()
            while self._settling.failure is not None:
                await self._after_failed_sync()
                await self._settling.drain()
        except ClosedByPeer:
            self._log.info("the reader has gone", sink=self.name)
            self._spool.close(self.number)

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
        self._settling.look()
        while (taken := await self._take()) is not None:
            if taken.batch.slices:
                await self._send(taken)
            self._settling.add(taken.sent, written=bool(taken.batch.slices))
            await self._settling.wait_for_room()
            if self._settling.failure is not None or not self._spool.has_more(self.number):
                break
            await trio.lowlevel.checkpoint()  # writing to a file yields to nobody: others must have their turn
        if self._settling.failure is not None:
            await self._after_failed_sync()

    async def _after_failed_sync(self) -> None:
        """Nobody knows what of that which was sent is durable: send it again, where it stands."""
        self._failed_at_sync = self._settling.syncs
        await self._wait_after(str(self._settling.failure), None)
        self._spool.rewind(self.number)
        self._settling.forget()
        await self._resend(distrust=True)

    async def _resend(self, *, distrust: bool) -> None:
        """Send again what was noted and not settled, cut the same. `distrust`: a sync has failed since."""
        for note in self._spool.notes(self.number):
            while self._spool.next(self.number) < note.end:
                if not distrust and await self._has_arrived(note):
                    break
                noted = self._spool.next(self.number) >= note.first
                taken = await self._take(until=note.end if noted else note.first)
                if taken is None:
                    return  # the log has lost it
                if taken.batch.slices:
                    await self._send(taken, note.places if noted else (), distrust=distrust)
                self._settling.add(taken.sent, written=bool(taken.batch.slices))

    async def _has_arrived(self, note: Note) -> bool:
        """Whether nothing of a noted batch is missing at the destination: it need not be made again."""
        if self._spool.next(self.number) != note.first or len(note.places) < note.parts:
            return False
        for place in note.places:
            if not await self._insist(partial(self.transport.has_arrived, place)):
                return False
        self._spool.pass_over(self.number, note.end)
        self._settling.add(Sent(note.end, note.tally.delivered, note.tally.unmatched, 0), written=True)
        return True

    # ── reading ──

    async def _take(self, until: int | None = None) -> _Taken | None:
        """What can be sent now, or up to a sequence; a batch without slices where nothing of it is for this sink."""
        slices: list[Slice] = []
        delivered = unmatched = size_bytes = 0
        first = self._spool.next(self.number)
        while size_bytes < self._spool.batch_bytes or until is not None:
            found = await self._read()
            if found is None:
                break
            part = self._notice(found) if isinstance(found, Gap) else self._router.slice(found, self.number)
            if part is not None:
                slices.append(part)
            if isinstance(found, Chunk):
                wanted = len(part.payloads) if part else 0
                delivered, unmatched = delivered + wanted, unmatched + len(found) - wanted
                size_bytes += found.size_bytes
            if until is not None and self._spool.next(self.number) >= until:
                break
        end = self._spool.next(self.number)
        if end == first:
            return None
        return _Taken(Batch(slices), first, Sent(end, delivered, unmatched, size_bytes))

    async def _read(self) -> Chunk | Gap | None:
        while True:
            try:
                return self._spool.read(self.number)
            except OSError as error:
                await self._wait_after(f"cannot read the spool: {error.strerror}", None)

    def _notice(self, gap: Gap) -> Slice | None:
        """An event that tells of a gap, where the sink's stream can hold one."""
        self._log.warning(f"events {gap.outcome}", sink=self.name, reason=gap.reason, events=gap.events)
        if not gap.events or not self.sink.told_of_gaps:
            return None
        since, until = gap.first_received_ns or gap.last_received_ns, gap.last_received_ns
        event: dict[str, object] = {
            "time": times.format_rfc3339(until),
            "severity": "warning",
            "message": f"logrouter {_VERBS[gap.outcome]} {gap.events} events here ({gap.reason})",
            f"logrouter.{gap.outcome}": gap.events,
            "logrouter.reason": gap.reason,
            "logrouter.sink": self.name,
            "logrouter.from": times.format_rfc3339(since),
            "logrouter.to": times.format_rfc3339(until),
        }
        chunk = Chunk([orjson.dumps(event)], bytes((Flag.JSON | Flag.NOTICE,)), {}, until)
        chunk.offset = Offset(gap.epoch, gap.first)
        return self._router.whole(chunk, self.number)

    # ── sending ──

    async def _send(self, taken: _Taken, places: Iterable[Place] = (), *, distrust: bool = False) -> None:
        """Send a batch until it is delivered. `places`: where it was about to be written before."""
        known = {place.path: place for place in places}
        while True:
            outcome = await self._attempt(taken, known, distrust)
            if isinstance(outcome, Delivered):
                break
            await self._wait_after(outcome.reason, outcome.after_seconds)
        self.batches += 1
        self._recovered()

    async def _attempt(self, taken: _Taken, known: dict[str, Place], distrust: bool) -> Delivered | Retry:
        conversation = self.sink.send(taken.batch)
        noted = bool(known)
        reply: Any = None
        while True:
            try:
                instruction = conversation.send(reply)
            except StopIteration as done:
                outcome: Delivered | Retry = done.value
                return outcome
            doubts = self.transport.doubts
            how = await self._resume(instruction, known, distrust)
            if self.transport.doubts > doubts:
                place = getattr(instruction, "path", "")
                self._log.warning("sent again, as nobody can tell whether it has arrived", sink=self.name, place=place)
            if how == "new":
                await self._insist(partial(self._note, instruction, taken, noted))
                noted = True
            if how != "whole":
                reply = await self._perform(instruction, taken)
                self.sent_bytes += len(getattr(instruction, "data", b""))

    async def _perform(self, instruction: Instruction, taken: _Taken) -> Any:
        """Do it; note again where it is about to be written, whenever that has changed."""
        while True:
            try:
                return await self._insist(partial(self.transport.perform, instruction))
            except Moved:
                await self._insist(partial(self._note, instruction, taken, True))

    async def _resume(self, instruction: Instruction, known: dict[str, Place], distrust: bool) -> Resumed:
        place = known.pop(getattr(instruction, "path", ""), None)
        if place is None:
            return "new"
        how: Resumed = await self._insist(partial(self.transport.resume, instruction, place, distrust))
        return how

    async def _note(self, instruction: Instruction, taken: _Taken, noted: bool) -> None:
        """Write down what is about to be sent, and where to."""
        place = await self.transport.seal(instruction, self._spool.keeps_notes)
        try:
            if not noted:
                places = [place] if place is not None else []
                parts = getattr(instruction, "of", 1)
                sent = taken.sent
                note = Note(taken.first, sent.end, places, parts, Tally(sent.delivered, sent.unmatched))
                await self._spool.note(self.number, note)
            elif place is not None:
                await self._spool.add_place(self.number, taken.first, place)
        except OSError as error:
            raise DestinationError(f"cannot note a batch in the spool: {error.strerror}") from error

    async def _insist(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do it again and again, until it succeeds."""
        while True:
            try:
                return await act()
            except (ClosedByPeer, Moved):
                raise
            except DestinationError as error:
                await self._wait_after(str(error), None)

    async def _wait_after(self, reason: str, after_seconds: float | None) -> None:
        self.retries += 1
        if self.trouble is None:
            self.trouble = Trouble(reason, time.time())
        self.trouble = self.trouble._replace(reason=reason)
        self._log.error("cannot deliver", sink=self.name, reason=reason, since=self._since())
        self._settling.look()  # what was sent before may be due
        seconds = max(self._backoff.next_seconds(), after_seconds or 0.0)
        if self._hurried.is_set():
            await trio.sleep(min(seconds, HURRIED_SECONDS))
        else:
            with trio.move_on_after(seconds):
                await self._hurried.wait()

    def hurry(self) -> None:
        """The end is near: try again now, and often."""
        self._hurried.set()

    def _recovered(self) -> None:
        if self.trouble is not None and self._failed_at_sync != self._settling.syncs:
            self._log.warning("delivering again", sink=self.name, since=self._since())
            self.trouble = self._failed_at_sync = None
            self._backoff.reset()

    def _since(self) -> str:
        assert self.trouble is not None
        return times.format_rfc3339(int(self.trouble.since) * 10**9)


async def tick(spool: Spool) -> None:
    """Wake all deliveries regularly, for ever."""
    while True:
        await trio.sleep(TICK_SECONDS)
        spool.wake()
