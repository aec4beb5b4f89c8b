"""The spool of one process: a window of chunks in memory and, where it has a folder, a log on disk behind it.

Invariants:
- the events held in memory cost at most `budget_bytes` (payload + 60 B each), unless one chunk alone costs more;
- an event is held, in memory or in the log, until every sink has committed past it, or has discarded it;
- with a log, a sink that lags misses the window and reads the log: sources do not wait for it before the log is full.
  While the sink that leads is merely busy, sources wait rather than letting it fall out of the window;
- when it is full, `discarding.py` says who discards what. A sink is told of it once, where the events would have been;
- what has been handed out to a sink is never discarded behind its back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from logrouter.batch import READ_BYTES
from logrouter.cursors import Gap, Ledger, Memory, Note, Place, Tally
from logrouter.event import Chunk, Offset
from logrouter.positions import Position, of_source
from logrouter.routers import Routers
from logrouter.routing import Router
from logrouter.runtime.log import Log
from logrouter.runtime.spool import Spool, SpoolStatistics
from logrouter.runtime.spool.contents import Contents
from logrouter.runtime.spool.cursor import Cursor
from logrouter.runtime.spool.discarding import Discarding
from logrouter.runtime.spool.held import Held
from logrouter.runtime.spool.members import Members
from logrouter.runtime.spool.room import Room
from logrouter.runtime.threads import in_thread

if TYPE_CHECKING:
    from logrouter.runtime.spool.keeper import Keeper

CHUNK_SHARE: Final = 8
"""A chunk takes at most an eighth of the memory, and a quarter of what would be one sink's part of it, as a batch does.
So there is room for a chunk when all sinks but one are dead, with three quarters of the memory in hand among them, and
another batch each."""


class LocalSpool(Spool):
    """A window in memory and, perhaps, a log on disk."""

    def __init__(
        self,
        cursors: dict[int, Cursor],
        router: Router,
        log: Log,
        *,
        epoch: int,
        budget_bytes: int,
        block_timeout_seconds: float,
        keeper: Keeper | None = None,
    ) -> None:
        """`cursors`: by the numbers of their sinks. `keeper`, of the same cursors: where there is a log."""
        self.contents = contents = Contents(cursors, Routers(router), log, epoch, budget_bytes, keeper)
        self.cursors = contents.cursors
        self.routers = contents.routers
        self.window = contents.window
        self.keeper = keeper
        self.unmatched = 0
        self.ended = False
        self._log = log
        self._discarding = Discarding(contents, log)
        self._room = Room(contents, self._discarding, log, block_timeout_seconds)
        self.members = Members(contents)
        self.share(budget_bytes)

    @property
    def appended(self) -> int:
        """The sequence that the next event gets."""
        return self.contents.appended

    def adjust(self, block_timeout_seconds: float) -> None:
        """Make live sources wait for so long."""
        self._room.block_timeout_seconds = block_timeout_seconds

    def share(self, budget_bytes: int) -> None:
        """Let all events in memory cost so much, and share that among the sinks there are."""
        part_bytes = budget_bytes // max(1, len(self.cursors))
        self.chunk_bytes = min(budget_bytes // CHUNK_SHARE, part_bytes // 4)
        self.batch_bytes = part_bytes // 4
        self.encoded_bytes = part_bytes // 3
        self.in_hand_bytes = budget_bytes // 2
        if self.keeper is not None:
            self.chunk_bytes = min(self.chunk_bytes, self.keeper.store.segment_bytes)
        else:  # what is in hand stays in memory
            self.in_hand_bytes = min(self.in_hand_bytes, budget_bytes * 3 // 4 // max(1, len(self.cursors) - 1))
        self.window.budget_bytes = budget_bytes
        self.contents.look_again()

    # ── appending ──

    async def append(self, chunk: Chunk, *, live: bool = True) -> None:
        """Add a routed chunk, once there is room."""
        refused = self.keeper is not None and self.keeper.refuses(chunk)
        if not refused and not self._room.is_there_for(chunk):
            await self._room.wait_for(chunk, live)
        chunk.offset = Offset(self.contents.epoch, self.appended)
        for piece in self.routers.renewed(chunk):
            self._add(piece, refused)
        self.contents.wake_readers()
        await trio.lowlevel.cancel_shielded_checkpoint()  # the caller must know that it was appended

    def _add(self, chunk: Chunk, refused: bool) -> None:
        self.contents.appended += len(chunk)
        self._account(chunk)
        if refused:
            self._discarding.lose(chunk, "too_large")
        else:
            self._hold(chunk)

    def _hold(self, chunk: Chunk) -> None:
        held = Held(chunk, sum(cursor.reads_on for cursor in self.cursors.values()))
        if held.readers:
            self.window.hold(held)
        if self.keeper is not None:
            self.keeper.add(held)

    async def safe(self, offset: Offset, *, live: bool = True) -> bool:
        """Wait until everything before the offset is safe, or for so long that a live source must go on. Which it was.

        While events are taken that the log cannot take, nobody waits, and what it does not have is not safe.
        """
        if self.keeper is not None and not self.keeper.is_safe(offset.sequence):
            if self.keeper.trouble:
                self.contents.wake_readers()  # whoever has sent it may settle it
            with trio.move_on_after(self._room.block_timeout_seconds if live else float("inf")) as waited:
                await self.keeper.safe(offset.sequence)
            if waited.cancelled_caught and self.keeper.trouble:
                self.keeper.bypass()
        return self.keeper is None or self.keeper.has(offset.sequence)

    def positions(self, source: str) -> dict[str, Position]:
        """How far the streams of a source had been read when the spool was opened, and since."""
        return of_source(self.keeper.store.positions, source) if self.keeper is not None else {}

    def keep_positions(self, carried: bytes) -> bool:
        """How far streams have been read, where no chunk tells it. Whether it will be written."""
        return self.keeper is not None and self.keeper.keep_positions(carried)

    @property
    def positions_written(self) -> int:  # type: ignore[override]  # others may count themselves
        """How often that was done."""
        return self.keeper.store.positions_written if self.keeper is not None else 0

    def end(self) -> None:
        """Nothing more will be appended: readers come to an end."""
        self.ended = True
        self.wake()

    def _account(self, chunk: Chunk) -> None:
        routed = chunk.routed
        assert routed is not None
        self.unmatched += routed.unmatched()
        for number, cursor in self.cursors.items():
            if cursor.end(self.appended) < self.appended:
                continue  # its sink was removed
            cursor.ledger.read += len(chunk)
            if cursor.closed:
                cursor.count_closed(len(chunk), routed.count(number))

    # ── reading ──

    async def wait_readable(self, sink: int) -> None:
        """Until `read` has something for the sink, nothing will come any more, or somebody called `wake`."""
        if not self.has_more(sink) and not self.is_over(sink):
            await self.contents.readers.park()

    def is_over(self, sink: int) -> bool:
        """Whether a sink has read all there is and will be."""
        cursor = self.cursors[sink]
        if cursor.next >= cursor.stops_at:
            return True
        return self.ended and (cursor.closed or (cursor.next >= self.appended and not cursor.is_at_gap))

    def wake(self) -> None:
        """Wake all that wait to read, and those that wait for room."""
        self.contents.wake()

    def has_more(self, sink: int) -> bool:
        """Whether `read` has something for the sink now."""
        cursor = self.cursors[sink]
        if cursor.closed or cursor.next >= cursor.stops_at:
            return False
        return cursor.next < self._readable_end or cursor.is_at_gap

    @property
    def _readable_end(self) -> float:
        """Where sinks must stop reading: with `sync`, before what power loss could still take back."""
        keeper = self.keeper
        if keeper is not None and keeper.wait_for_sync and not keeper.bypassed:
            return min(self.appended, keeper.safe_end)
        return self.appended

    def read(self, sink: int) -> Chunk | Gap | None:
        """The next chunk for a sink, or the gap before it; None where there is nothing now. Raises OSError."""
        cursor = self.cursors[sink]
        if not self.has_more(sink):
            return None
        gap = cursor.take_gap()
        if gap is not None:
            return gap
        found = self.contents.find(cursor, cursor.next)
        if isinstance(found, Gap):
            self.contents.skip(cursor, found, 0)
            return cursor.take_gap()
        if found is None:
            return None
        cursor.take(found, trio.current_time())
        return found.chunk

    @property
    def keeps_notes(self) -> bool:  # type: ignore[override]  # others may know it from the start
        """Whether notes outlive the process."""
        return any(cursor.keeps_notes for cursor in self.cursors.values())

    async def note(self, sink: int, note: Note) -> None:
        """Remember a batch. Raises OSError: then it must not be sent."""
        await self._secure(self.cursors[sink], partial(self.cursors[sink].note, note))

    async def add_place(self, sink: int, first: int, place: Place) -> None:
        """Remember one more place that a noted batch will be written to. Raises OSError likewise."""
        await self._secure(self.cursors[sink], partial(self.cursors[sink].add_place, first, place))

    async def _secure(self, cursor: Cursor, note: Callable[[], None]) -> None:
        """Note; with `sync`, what a note says must be on the disk before it is acted on.

        While events are taken that the log cannot take, they are sent also without a note.
        """
        try:
            note()
            mark = cursor.mark
            while self.keeper is not None and self.keeper.wait_for_sync and not cursor.is_durable_to(mark):
                for job in cursor.begin_sync():
                    await in_thread(job)
        except OSError as error:
            if self.keeper is None or not self.keeper.bypassed:
                raise
            self._log.error("cannot write a cursor", sink=cursor.name, reason=error.strerror)

    def notes(self, sink: int) -> Sequence[Note]:
        """The batches that were noted and are not settled."""
        return tuple(self.cursors[sink].state.notes)

    def next(self, sink: int) -> int:
        """The sequence that a sink reads next."""
        return self.cursors[sink].next

    def carried(self, sink: int) -> Memory | None:
        """What a sink has left open at its destination, as the last commit says."""
        return self.cursors[sink].state.carried

    def commit(self, sink: int, end: int, tally: Tally, carried: Memory | None = None) -> None:
        """Everything before `end` is settled at the sink: its chunks may go."""
        self.contents.commit(self.cursors[sink], end, tally, carried)

    def pass_over(self, sink: int, end: int) -> None:
        """A noted batch that ends there has arrived, all of it: read on behind it."""
        self.cursors[sink].pass_over(end)

    def sent(self, sink: int) -> None:
        """All that the sink has read has been sent: it may leave the memory, if it can be read again."""
        self.cursors[sink].sent()
        self.contents.look_again()

    def hand_over(self, sink: int) -> None:
        """The sink holds what it has made of all that it has read: without a log nobody else needs to, for its sake."""
        cursor = self.cursors[sink]
        cursor.note_unwanted(lambda chunk: _unwanted(chunk, sink))
        if self.keeper is not None:
            self.sent(sink)  # at the end it may have to be kept
            return
        for held in cursor.hand_over():
            self.window.release(held)

    def is_pressed(self, sink: int) -> bool:
        """Whether sources wait for room that this sink takes, and nobody is further behind."""
        cursor = self.cursors[sink]
        return self._room.is_taken_by(cursor) or self._room.is_stuck_at(cursor)

    def is_stuck(self, sink: int) -> bool:
        """Whether sources wait for this sink to settle what it has sent: the log cannot be written."""
        return self._room.is_stuck_at(self.cursors[sink])

    def rewind(self, sink: int) -> None:
        """Read again what was read and not committed."""
        self.cursors[sink].rewind()

    def close(self, sink: int) -> None:
        """The sink will never take anything again: what it has not settled is discarded, and so is all to come."""
        cursor = self.cursors[sink]
        waiting = cursor.waiting(self.appended)
        unread = [held for held in self.window if cursor.wants_any(held.chunk)]
        for held in (*cursor.let_fall(), *unread):
            chunk = held.chunk
            cursor.count_closed(len(chunk), len(chunk) - _unwanted(chunk, sink))
            waiting -= len(chunk)
            self.window.release(held)
        cursor.count_closed(waiting, waiting)  # in the log: whether it wanted them is not worth reading it
        cursor.closed = True
        self.commit(sink, cursor.end(self.appended), Tally())

    # ── to the end ──

    async def maintain(self) -> None:
        """Sync and tidy up, for ever."""
        if self.keeper is None:
            await trio.sleep_forever()
        else:
            await self.keeper.maintain(self.wake)

    async def aclose(self) -> None:
        """Keep what is left, as the durability says, and let go of everything."""
        for number, cursor in self.cursors.items():
            if cursor.closed:
                self.commit(number, cursor.end(self.appended), Tally())
        if self.keeper is not None:
            with trio.CancelScope(shield=True):
                for held in await self.keeper.save_all():
                    self._discarding.lose(held.chunk, "not_kept")  # the next run must know that it is missing
                await self.keeper.finish()

    # ── looking ──

    def ledger(self, sink: int) -> Ledger:
        """What became of a sink's events."""
        return self.cursors[sink].ledger

    def is_closed(self, sink: int) -> bool:
        """Whether the sink takes nothing any more."""
        return self.cursors[sink].closed

    def lost(self, sink: int) -> int:
        """How many events a sink has discarded, as the spool was full, or lost since the start."""
        return self.cursors[sink].lost

    def waiting(self, sink: int) -> int:
        """How many events wait for a sink: read or not, but neither settled nor discarded."""
        return self.cursors[sink].waiting(self.appended)

    def waiting_bytes(self, sink: int) -> int:
        """About what they take: in the log, and in memory those that are there alone."""
        cursor = self.cursors[sink]
        end = self.contents.logged_end  # once: the generator asks for each chunk
        alone = (held.chunk for held in self.window if held.chunk.offset.sequence >= end)
        in_memory = sum(chunk.size_bytes for chunk in alone if cursor.lacks(chunk))
        return in_memory + (self.keeper.needed_bytes(cursor) if self.keeper is not None else 0)

    def undelivered(self, sink: int) -> int:
        """How many of them it wants, where that is known without reading them; else how many wait."""
        cursor = self.cursors[sink]
        if cursor.closed:
            return 0
        unread = [held for held in self.window if cursor.wants_any(held.chunk)]
        in_hand = [item.held for item in cursor.in_hand]
        known = {id(held): held for held in (*in_hand, *unread) if held is not None}
        noted = sum(item.unwanted for item in cursor.in_hand if item.held is None)
        return max(0, self.waiting(sink) - noted - sum(_unwanted(held.chunk, sink) for held in known.values()))

    def oldest_received_ns(self, sink: int) -> int | None:
        """When the oldest event that waits for a sink was read."""
        cursor = self.cursors[sink]
        if not self.waiting(sink):
            return None
        if cursor.in_hand:
            return cursor.in_hand[0].received_ns
        held = self.window.get(cursor.wants)
        if held is not None:
            return held.chunk.received_ns
        return self._received_ns(cursor)

    def _received_ns(self, cursor: Cursor) -> int | None:
        """When an event that is in the log alone was read: looked up once, however often it is asked for."""
        known, received_ns = cursor.oldest
        if known != cursor.wants and self.keeper is not None:
            received_ns = self.keeper.store.received_ns(cursor.wants, cursor.spot)
            cursor.oldest = cursor.wants, received_ns
        return received_ns

    def statistics(self) -> SpoolStatistics:
        """Figures about all of it."""
        return SpoolStatistics(
            events=self.appended,
            unmatched=self.unmatched,
            blocked_seconds=self._room.blocked_seconds,
            held_bytes=self.window.held_bytes,
            budget_bytes=self.window.budget_bytes,
            **(self.keeper.figures() if self.keeper is not None else {}),
        )


def reserved_bytes(memory_bytes: int, sinks: int) -> int:
    """What one batch of each sink takes once it is encoded: it is no part of what the window may take. More may be on
    their way: `LocalSpool.encoded_bytes`."""
    return min(memory_bytes // 4, sinks * READ_BYTES)


def _unwanted(chunk: Chunk, sink: int) -> int:
    assert chunk.routed is not None
    return len(chunk) - chunk.routed.count(sink)
