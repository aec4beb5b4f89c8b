"""The spool of one process: a window of chunks in memory and, where it has a folder, a log on disk behind it.

Invariants:
- the events held in memory cost at most `budget_bytes` (payload + 60 B each), unless one chunk alone costs more;
- an event is held, in memory or in the log, until every sink has committed past it, or has given it up;
- with a log, a sink that lags misses the window and reads the log: sources do not wait for it before the log is full.
  While the sink that leads is merely busy, sources wait rather than letting it fall out of the window;
- only the sink that is furthest behind while the spool is full ever gives events up, and only its own: at once
  with `when_full: discard_oldest`; with `block` after a live source has waited for `block_timeout`, and then until
  that sink moves again. What it gave up it is told, once, where the events would have been (`Gap`);
- what has been handed out to a sink is never given up behind its back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import trio

from logrouter.cursors import Gap, Ledger, Note, Place
from logrouter.event import Chunk, Offset
from logrouter.routing import Router
from logrouter.runtime.cursor import Cursor, Held, gap_of
from logrouter.runtime.keeper import Keeper
from logrouter.runtime.log import Log
from logrouter.runtime.log_reader import Loaded, Missing
from logrouter.runtime.spool import Spool, SpoolStatistics

CHUNK_SHARE: Final = 8
"""A chunk takes at most an eighth of a sink's part of the memory. With a batch (a quarter) and what is to be settled (a
half) that leaves room for a chunk when all sinks but one are dead and have all in hand that they may."""
LIVE_SECONDS: Final = 1.0
"""A sink that has done nothing for so long is not merely busy."""
BATCH_BYTES: Final = 1024 * 1024
"""What a sink takes in hand at once, of chunks: enough to make system calls rare."""


class LocalSpool(Spool):
    """A window in memory and, perhaps, a log on disk."""

    def __init__(
        self,
        cursors: Sequence[Cursor],
        router: Router,
        log: Log,
        *,
        epoch: int,
        budget_bytes: int,
        block_timeout_seconds: float,
        keeper: Keeper | None = None,
    ) -> None:
        """`keeper`, of the same cursors: where there is a log."""
        self.epoch = epoch
        self.budget_bytes = budget_bytes
        self.cursors = list(cursors)
        part_bytes = budget_bytes // max(1, len(self.cursors))
        self.chunk_bytes = part_bytes // CHUNK_SHARE
        self.batch_bytes = min(BATCH_BYTES, part_bytes // 4)
        self.in_hand_bytes = min(budget_bytes // 4, part_bytes // 2)
        self.held_bytes = 0
        self.appended = keeper.store.end if keeper else 0
        """The sequence that the next event gets."""
        self.unmatched = 0
        self.blocked_seconds = 0.0
        self.ended = False
        self._block_timeout_seconds = block_timeout_seconds
        self._router = router
        self._log = log
        self._chunks: dict[int, Held] = {}
        """First sequence → chunk in memory, in the order in which they came there."""
        self._room = trio.lowlevel.ParkingLot()
        self._readers = trio.lowlevel.ParkingLot()
        self._keeper = keeper
        if keeper is not None:
            keeper.changed = self.wake

    # ── appending ──

    async def append(self, chunk: Chunk, *, live: bool = True) -> None:
        """Add a routed chunk, once there is room."""
        if not self._has_room(chunk):
            await self._wait_for_room(chunk, live)
        chunk.offset = Offset(self.epoch, self.appended)
        self.appended += len(chunk)
        self._account(chunk)
        held = Held(chunk, sum(not cursor.closed for cursor in self.cursors))
        if held.readers:
            self._hold(held)
            if self._keeper is not None:
                self._keeper.add(held)
        self.wake_readers()
        await trio.lowlevel.checkpoint()

    async def safe(self, offset: Offset, *, live: bool = True) -> None:
        """Wait until everything before the offset is safe, or for so long that a live source must go on."""
        if self._keeper is not None and not self._keeper.is_safe(offset.sequence):
            with trio.move_on_after(self._block_timeout_seconds if live else float("inf")) as waited:
                await self._keeper.safe(offset.sequence)
            if waited.cancelled_caught and self._keeper.trouble:
                self._keeper.give_up()

    def end(self) -> None:
        """Nothing more will be appended: readers come to an end."""
        self.ended = True
        self.wake()

    def _account(self, chunk: Chunk) -> None:
        routed = chunk.routed
        assert routed is not None
        self.unmatched += routed.unmatched()
        for number, cursor in enumerate(self.cursors):
            cursor.ledger.read += len(chunk)
            if cursor.closed:
                cursor.count_closed(len(chunk), routed.count(number))

    # ── room ──

    def _has_room(self, chunk: Chunk) -> bool:
        """Whether a chunk fits, after those that need not be in memory have left it."""
        while self.held_bytes + chunk.size_bytes > self.budget_bytes and self._chunks:
            if not self._evict():
                return False
        return self._keeper is None or self._keeper.has_room(chunk)

    async def _wait_for_room(self, chunk: Chunk, live: bool) -> None:
        started = trio.current_time()
        try:
            with trio.move_on_after(self._block_timeout_seconds if live else float("inf")):
                await self._make_room(chunk, insist=False)
                return
            await self._make_room(chunk, insist=True)
        finally:
            self.blocked_seconds += trio.current_time() - started

    async def _make_room(self, chunk: Chunk, *, insist: bool) -> None:
        """Wait for room. `insist`: whoever is in the way gives up its oldest events."""
        while not self._has_room(chunk):
            if self._give_up_for(chunk, insist):
                await trio.lowlevel.checkpoint()
                continue
            if self._keeper is not None:
                if insist and self._keeper.trouble and not self._keeper.gave_up:
                    self._keeper.give_up()
                    continue
                self._keeper.hurry()
            await self._room.park()

    def _evict(self) -> bool:
        """Take the oldest chunk out of memory that can be read from the log again."""
        if self._keeper is None:
            return False
        leader = self._leader()
        for held in self._chunks.values():
            if held.in_hand or (leader is not None and held.chunk.offset.sequence >= leader):
                continue
            if not self._keeper.is_saved(held) and not self._keeper.save(held):
                return False
            self._drop(held)
            return True
        return False

    def _leader(self) -> int | None:
        """What the sink that leads reads next, if it is alive and in the window."""
        now = trio.current_time()
        live = [cursor.next for cursor in self.cursors if not cursor.closed and now - cursor.moved_at < LIVE_SECONDS]
        leader = max(live, default=None)
        return leader if leader == self.appended or leader in self._chunks else None

    # ── giving up ──

    def _give_up_for(self, chunk: Chunk, insist: bool) -> bool:
        """Let somebody give something up so that a chunk fits, where nothing else helps."""
        if self._keeper is None:
            return self._give_up(self._lagging(), insist)
        if self._keeper.gave_up:
            return self._give_up_unsaved(insist)
        return self._keeper.is_full(chunk) and self._give_up(self._lagging(), insist)

    def _give_up(self, lagging: list[Cursor], insist: bool) -> bool:
        """Let these sinks give up their next chunk, if their policy says so."""
        if not _may_give_up(lagging, insist):
            return False
        try:
            for cursor in lagging:
                self._give_up_next(cursor)
        except OSError:  # the log cannot be read now: too few descriptors
            return False
        return True

    def _give_up_unsaved(self, insist: bool) -> bool:
        """The memory is full of what the log cannot take: the oldest of that goes, for all who want it."""
        assert self._keeper is not None
        held = self._keeper.oldest_unsaved()
        if held is None:
            return False
        wanting = [cursor for cursor in self.cursors if not cursor.closed and cursor.wants_any(held.chunk)]
        if not _may_give_up(wanting, insist):
            return False
        for cursor in wanting:
            self._give_up_held(cursor, held)
        return True

    def _lagging(self) -> list[Cursor]:
        """The sinks that are furthest behind, of those for which something is held that is not being sent."""
        behind = [cursor for cursor in self.cursors if not cursor.closed and cursor.may_give_up < self.appended]
        furthest = min((cursor.may_give_up for cursor in behind), default=0)
        return [cursor for cursor in behind if cursor.may_give_up == furthest]

    def _give_up_next(self, cursor: Cursor) -> None:
        found = self._find_ahead(cursor) if cursor.may_give_up > cursor.wants else self._find(cursor, cursor.wants)
        if isinstance(found, Gap):
            self._skip(cursor, found, 0)
        elif found is not None:
            self._give_up_held(cursor, found)

    def _give_up_held(self, cursor: Cursor, held: Held) -> None:
        self._log.warning("the spool is full: the oldest events are discarded", sink=cursor.name)
        chunk = held.chunk
        assert chunk.routed is not None
        wanted = chunk.routed.count(self.cursors.index(cursor))
        self._skip(cursor, gap_of(chunk, wanted), len(chunk) - wanted)
        self._release(held)

    def _skip(self, cursor: Cursor, gap: Gap, unmatched: int) -> None:
        with self._telling(cursor):
            cursor.skip(gap, unmatched)

    @contextmanager
    def _telling(self, cursor: Cursor) -> Iterator[None]:
        """Say so where a cursor cannot be written: it holds all the same, and is written with the next change."""
        try:
            yield
        except OSError as error:
            self._log.error("cannot write a cursor", sink=cursor.name, reason=error.strerror)

    # ── the window ──

    def _hold(self, held: Held) -> None:
        self._chunks[held.chunk.offset.sequence] = held
        self.held_bytes += held.chunk.size_bytes

    def _drop(self, held: Held) -> None:
        """Take a chunk out of memory, if it is there."""
        if self._chunks.get(held.chunk.offset.sequence) is held:
            del self._chunks[held.chunk.offset.sequence]
            self.held_bytes -= held.chunk.size_bytes
            self._room.unpark_all()

    def _release(self, held: Held) -> None:
        """One sink less needs it."""
        held.readers -= 1
        if held.readers <= 0:
            self._drop(held)

    def _find(self, cursor: Cursor, sequence: int) -> Held | Gap | None:
        """The chunk of that sequence, from memory or from the log; the gap where the log should hold it."""
        held = self._chunks.get(sequence)
        if held is not None or self._keeper is None or sequence >= self._keeper.store.end:
            return held
        found = self._keeper.store.load(sequence, cursor.spot)
        if isinstance(found, Missing):
            end = int(min(found.end, self.appended, cursor.next_gap(sequence)))
            times = cursor.read_ns, found.before_ns or cursor.read_ns or time.time_ns()
            return Gap(self.epoch, sequence, end, end - sequence, "lost", found.reason, *times)
        return self._take_in(found, cursor) if found is not None else None

    def _find_ahead(self, cursor: Cursor) -> Held | Gap | None:
        """What it may give up first, though it reads others before: where it reads on stays as it is."""
        reading, cursor.spot = cursor.spot, cursor.spot_ahead
        try:
            return self._find(cursor, cursor.may_give_up)
        finally:
            cursor.spot_ahead, cursor.spot = cursor.spot, reading

    def _take_in(self, loaded: Loaded, cursor: Cursor) -> Held:
        """Hold a chunk from the log. It may have to be cut, so that its classes are few enough."""
        cursor.spot = loaded.spot
        first = loaded.chunk.offset
        pieces = []
        for piece in self._router.route(loaded.chunk):
            piece.offset = first
            first = piece.end
            while self.held_bytes + piece.size_bytes > self.budget_bytes and self._evict():
                pass
            readers = sum(not other.closed and other.wants_any(piece) for other in self.cursors)
            pieces.append(Held(piece, readers))
            self._hold(pieces[-1])
        return pieces[0]

    # ── reading ──

    async def wait_readable(self, sink: int) -> None:
        """Until `read` has something for the sink, nothing will come any more, or somebody called `wake`."""
        if not self.has_more(sink) and not self.is_over(sink):
            await self._readers.park()

    def is_over(self, sink: int) -> bool:
        """Whether a sink has read all there is and will be."""
        cursor = self.cursors[sink]
        return self.ended and (cursor.closed or (cursor.next >= self.appended and not cursor.is_at_gap))

    def wake(self) -> None:
        """Wake all that wait to read, and those that wait for room."""
        self._readers.unpark_all()
        self._room.unpark_all()

    def wake_readers(self) -> None:
        """Wake all that wait to read."""
        self._readers.unpark_all()

    def has_more(self, sink: int) -> bool:
        """Whether `read` has something for the sink now."""
        cursor = self.cursors[sink]
        return not cursor.closed and (cursor.next < self._readable_end or cursor.is_at_gap)

    @property
    def _readable_end(self) -> int:
        """Where sinks must stop reading: with `sync`, before what power loss could still take back."""
        keeper = self._keeper
        if keeper is not None and keeper.wait_for_sync and not keeper.gave_up:
            return keeper.store.synced_end
        return self.appended

    def read(self, sink: int) -> Chunk | Gap | None:
        """The next chunk for a sink, or the gap before it; None where there is nothing now. Raises OSError."""
        cursor = self.cursors[sink]
        if not self.has_more(sink):
            return None
        gap = cursor.take_gap()
        if gap is not None:
            return gap
        found = self._find(cursor, cursor.next)
        if isinstance(found, Gap):
            self._skip(cursor, found, 0)
            return cursor.take_gap()
        if found is None:
            return None
        cursor.take(found, trio.current_time())
        return found.chunk

    @property
    def keeps_notes(self) -> bool:  # type: ignore[override]  # others may know it from the start
        """Whether notes outlive the process."""
        return any(cursor.keeps_notes for cursor in self.cursors)

    async def note(self, sink: int, note: Note) -> None:
        """Remember a batch. Raises OSError: then it must not be sent."""
        self.cursors[sink].note(note)
        await self._secure(self.cursors[sink])

    async def add_place(self, sink: int, first: int, place: Place) -> None:
        """Remember one more place that a noted batch will be written to. Raises OSError likewise."""
        self.cursors[sink].add_place(first, place)
        await self._secure(self.cursors[sink])

    async def _secure(self, cursor: Cursor) -> None:
        """With `sync`, what a note says must be on the disk before it is acted on."""
        if self._keeper is not None and self._keeper.wait_for_sync:
            for job in cursor.begin_sync():
                await trio.to_thread.run_sync(job)

    def notes(self, sink: int) -> Sequence[Note]:
        """The batches that were noted and are not settled."""
        return tuple(self.cursors[sink].state.notes)

    def next(self, sink: int) -> int:
        """The sequence that a sink reads next."""
        return self.cursors[sink].next

    def commit(self, sink: int, end: int, delivered: int, unmatched: int) -> None:
        """Everything before `end` is settled at the sink: its chunks may go."""
        cursor = self.cursors[sink]
        with self._telling(cursor):
            cursor.commit(end, delivered, unmatched)
        for held in cursor.settle(end, trio.current_time()):
            self._release(held)
        if self._keeper is not None:
            self._keeper.work()
            self._room.unpark_all()  # what this sink needs no more may leave the memory, whoever else does

    def rewind(self, sink: int) -> None:
        """Read again what was read and not committed."""
        self.cursors[sink].rewind()

    def close(self, sink: int) -> None:
        """The sink will never take anything again: what it has not settled is given up, and so is all to come."""
        cursor = self.cursors[sink]
        for held in cursor.let_fall():
            self._count_closed(cursor, held)
        while cursor.wants < self.appended:
            found = None
            with suppress(OSError):
                found = self._find(cursor, cursor.wants)
            if isinstance(found, Held):
                self._count_closed(cursor, found)
                cursor.pass_over(found.chunk.end.sequence)
            else:
                skipped = found.end if isinstance(found, Gap) else self.appended
                cursor.count_closed(skipped - cursor.wants, skipped - cursor.wants)
                cursor.pass_over(skipped)
        cursor.closed = True
        self.commit(sink, self.appended, 0, 0)

    def _count_closed(self, cursor: Cursor, held: Held) -> None:
        assert held.chunk.routed is not None
        cursor.count_closed(len(held.chunk), held.chunk.routed.count(self.cursors.index(cursor)))
        self._release(held)

    # ── to the end ──

    async def maintain(self) -> None:
        """Sync and tidy up, for ever."""
        if self._keeper is None:
            await trio.sleep_forever()
        else:
            await self._keeper.maintain()

    async def aclose(self) -> None:
        """Keep what is left, as the durability says, and let go of everything."""
        for number, cursor in enumerate(self.cursors):
            if cursor.closed:
                self.commit(number, self.appended, 0, 0)
        if self._keeper is not None:
            with trio.CancelScope(shield=True):
                await self._keeper.finish()

    # ── looking ──

    def ledger(self, sink: int) -> Ledger:
        """What became of a sink's events."""
        return self.cursors[sink].ledger

    def is_closed(self, sink: int) -> bool:
        """Whether the sink takes nothing any more."""
        return self.cursors[sink].closed

    def waiting(self, sink: int) -> int:
        """How many events wait for a sink: read or not, but neither settled nor given up."""
        return self.cursors[sink].waiting(self.appended)

    def undelivered(self, sink: int) -> int:
        """How many of them it wants, where that is known without reading them; else how many wait."""
        cursor = self.cursors[sink]
        unread = [held for held in self._chunks.values() if not held.in_hand and cursor.wants_any(held.chunk)]
        known = {id(held): held for held in (*cursor.handed_out, *unread)}
        return self.waiting(sink) - sum(_unwanted(held.chunk, sink) for held in known.values())

    def oldest_received_ns(self, sink: int) -> int | None:
        """When the oldest event that waits for a sink was read."""
        cursor = self.cursors[sink]
        if not self.waiting(sink):
            return None
        held = cursor.handed_out[0] if cursor.handed_out else self._chunks.get(cursor.wants)
        if held is not None:
            return held.chunk.received_ns
        return self._keeper.store.received_ns(cursor.wants, cursor.spot) if self._keeper is not None else None

    def statistics(self) -> SpoolStatistics:
        """Figures about all of it."""
        return SpoolStatistics(
            events=self.appended,
            unmatched=self.unmatched,
            blocked_seconds=self.blocked_seconds,
            held_bytes=self.held_bytes,
            budget_bytes=self.budget_bytes,
            **(self._keeper.figures() if self._keeper is not None else {}),
        )


def _may_give_up(cursors: Sequence[Cursor], insist: bool) -> bool:
    """Whether all of them do. `insist`: from now on, and until they move again."""
    if insist:
        for cursor in cursors:
            cursor.gave_up = True
    return bool(cursors) and all(cursor.discards for cursor in cursors)


def _unwanted(chunk: Chunk, sink: int) -> int:
    assert chunk.routed is not None
    return len(chunk) - chunk.routed.count(sink)
