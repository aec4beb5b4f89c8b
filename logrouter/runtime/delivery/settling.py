"""What one sink has in hand: settled in order, and made durable in a task of its own, while more is being sent.

    sent    b1  b2  b3 │ b4  b5 …
            └─ sync ──┘           when it is done, b1 to b3 are committed; what came meanwhile needs another sync

    sent    b1 ✓  b2 …  b3 ✓      several are on their way at once: b1 is committed, b3 waits for b2

Invariants:
- nothing is committed before a sync that began after it was sent has succeeded, nor before what was sent before it;
- no more is in hand than the spool allows: then sending waits for the sync;
- a sync begins at once where the spool can take nothing before: its disk is full, and holds what was not written.
"""

from __future__ import annotations

from collections import deque
from itertools import takewhile
from typing import Final

import trio

from logrouter.cursors import Memory, Tally
from logrouter.errors import DestinationError
from logrouter.runtime.spool import Spool
from logrouter.runtime.transports import Transport

SYNC_DELAY_SECONDS: Final = 1.0
"""After so much time what has been sent is made durable also when it is little: at the next tick."""
SYNC_SHARE: Final = 0.75
"""A sync begins when so much is in hand of what may be: few syncs, and sending goes on meanwhile."""


class InHand:
    """A batch on its way, or sent and not settled; or events that were read and are not for this sink."""

    __slots__ = ("carried", "end", "size_bytes", "tally")

    def __init__(self, end: int, size_bytes: int) -> None:
        self.end = end
        self.size_bytes = size_bytes
        """What the spool may hold for this sink alone because of it."""
        self.tally: Tally | None = None
        """What became of its events; None while it is on its way."""
        self.carried: Memory | None = None
        """What it has left open at the destination."""


class Settling:
    """Settles what a sink has sent, in order."""

    def __init__(self, sink: int, transport: Transport, spool: Spool) -> None:
        self.failure: DestinationError | None = None
        """Why the last sync failed: what was sent since the one before must be sent again (`forget`)."""
        self.syncs = 0
        """How many have succeeded."""
        self._sink = sink
        self._transport = transport
        self._spool = spool
        self._unsettled: deque[InHand] = deque()
        self._in_hand_bytes = 0
        self._last_written = 0
        """How many of them there were when something was written last: so many need a sync."""
        self._due_at = float("inf")
        self._due = trio.Event()
        self._is_syncing = False
        self._changed = trio.lowlevel.ParkingLot()
        transport.on_sync(self._join)

    def begin(self, end: int, size_bytes: int) -> InHand:
        """Events up to `end` have been read: a batch begins its way."""
        batch = InHand(end, size_bytes)
        self._unsettled.append(batch)
        self._in_hand_bytes += size_bytes
        return batch

    def is_first(self, batch: InHand) -> bool:
        """Whether nothing in front of it is on its way."""
        return self._unsettled[0] is batch

    def done(self, batch: InHand, tally: Tally, carried: Memory | None = None, *, written: bool = False) -> None:
        """It has been sent. `written`: something was, so that it may need a sync."""
        batch.tally, batch.carried = tally, carried
        if written and self._transport.needs_sync:
            self._spool.sent(self._sink)
            self._last_written = len(self._unsettled)
            self._due_at = min(self._due_at, trio.current_time() + SYNC_DELAY_SECONDS)
        if not self._last_written:
            self._commit(len(self._unsettled))
            self._changed.unpark_all()
        elif not self._is_syncing:  # else most of it is being synced
            self._sync_if_much()

    def _sync_if_much(self) -> None:
        is_much = self._in_hand_bytes >= self._spool.in_hand_bytes * SYNC_SHARE
        if self._last_written and (is_much or self._spool.is_stuck(self._sink)):
            self._due.set()

    def _join(self) -> None:
        """Others are about to be synced: let it be done together."""
        if self._last_written and not self._is_syncing:
            self._due.set()

    def look(self) -> None:
        """See whether something has waited for long enough, or somebody for it."""
        if self.failure is None and trio.current_time() >= self._due_at:
            self._due.set()
        elif self._due_at < float("inf") and not self._is_syncing and self.failure is None:
            self._sync_if_much()

    async def wait_for_room(self) -> None:
        """Until the sink may send more, or a sync has failed."""
        while self._in_hand_bytes >= self._spool.in_hand_bytes and self.failure is None:
            await self._changed.park()

    async def drain(self) -> None:
        """Until everything is settled, or a sync has failed."""
        while self._unsettled and self.failure is None:
            self._due.set()
            await self._changed.park()

    def forget(self) -> None:
        """All of it will be sent again."""
        self.failure = None
        self._unsettled.clear()
        self._in_hand_bytes = 0
        self._last_written = 0
        self._due_at = float("inf")
        self._changed.unpark_all()

    async def run(self) -> None:
        """Sync whenever it is due, for ever."""
        while True:
            await self._due.wait()
            self._due, self._due_at = trio.Event(), float("inf")
            covered = sum(1 for _ in takewhile(lambda batch: batch.tally is not None, self._unsettled))
            self._is_syncing = True
            try:
                await self._transport.sync()
            except DestinationError as error:
                self.failure = error
            self._is_syncing = False
            if self.failure is None:
                self.syncs += 1
                self._commit(covered if self._last_written > covered else len(self._unsettled))
                self._sync_if_much()
            self._changed.unpark_all()
            while self.failure is not None:
                await self._changed.park()

    def _commit(self, most: int) -> None:
        """Commit those in front that have been sent, and at most so many."""
        tally, last = Tally(), None
        while most and self._unsettled and self._unsettled[0].tally is not None:
            last = self._unsettled.popleft()
            assert last.tally is not None
            tally.add(last.tally)
            self._in_hand_bytes -= last.size_bytes
            self._last_written = max(0, self._last_written - 1)
            most -= 1
        if last is not None:
            self._spool.commit(self._sink, last.end, tally, last.carried)
