"""The spool: the one buffer between sources and sinks. An append-only log with one reader a sink.

    append(chunk)          waits for room: the only place where anything upstream waits
    safe(offset)           waits until everything before the offset is as safe as the durability says
    read(sink, …)          the next chunks for a sink, or the gap where it lost some
    note(sink, batch)      before sending: which offsets a batch holds
    commit(sink, offset)   everything before the offset is settled at this sink

This one is in memory. Invariants:
- the events held cost at most `budget_bytes` (payload + 60 B each), unless one chunk alone costs more;
- a chunk is held until every sink has committed past it, or has given it up;
- only the sink that is furthest behind while the spool is full ever gives events up, and only its own: at once
  with `when_full: discard_oldest`; with `block` after a live source has waited for `block_timeout`, and then until
  that sink moves again. What it gave up it is told, once, where the events would have been (`Gap`);
- what has been handed out to a sink is never given up behind its back.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import trio

from logrouter.event import Chunk, Offset
from logrouter.sinks import Batch

WhenFull = Literal["block", "discard_oldest"]


@dataclass
class Gap:
    """Events that a sink has given up, in a row."""

    first: Offset
    end: Offset
    events: int
    """How many of them the sink wanted."""
    reason: str
    first_received_ns: int
    last_received_ns: int


class Ledger:
    """What became of every event that was appended, for one sink. Each term is counted where it happens."""

    def __init__(self) -> None:
        self.read = 0
        self.delivered = 0
        self.unmatched = 0
        self.discarded: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()

    def count_discarded(self, chunk: Chunk, sink: int, reason: str) -> int:
        """Count a chunk that the sink will not get. Gives how many of its events the sink wanted."""
        assert chunk.routed is not None
        wanted = chunk.routed.count(sink)
        self.discarded[reason] += wanted
        self.unmatched += len(chunk) - wanted
        return wanted

    @property
    def settled(self) -> int:
        """All terms but `waiting`."""
        return self.delivered + self.unmatched + self.discarded.total() + self.lost.total()


class Spool(Protocol):
    """What every spool can do: in memory, on disk, on an engine that many machines share."""

    async def append(self, chunk: Chunk, *, live: bool = True) -> None: ...
    async def safe(self, offset: Offset) -> None: ...
    async def wait_readable(self, sink: int) -> None: ...
    def read(self, sink: int) -> Chunk | Gap | None: ...
    def note(self, sink: int, batch: Batch) -> None: ...
    def commit(self, sink: int, offset: Offset) -> None: ...


class _Held:
    """A chunk, and how many sinks still need it."""

    __slots__ = ("chunk", "readers")

    def __init__(self, chunk: Chunk, readers: int) -> None:
        self.chunk = chunk
        self.readers = readers


class Cursor:
    """How far one sink is."""

    def __init__(self, name: str, when_full: WhenFull) -> None:
        self.name = name
        self.when_full: WhenFull = when_full
        self.ledger = Ledger()
        self.next = 0
        """The sequence that `read` hands out next."""
        self.handed_out: deque[_Held] = deque()
        """Chunks that have been read and not committed."""
        self.gap: Gap | None = None
        """What was given up just before `next`, and has not been told yet."""
        self.gave_up = False
        """Sources have waited for it for too long: it discards until it moves again."""
        self.closed = False

    @property
    def discards(self) -> bool:
        """Whether it gives its oldest events up rather than have sources wait."""
        return self.gave_up or self.when_full == "discard_oldest"


class MemorySpool:
    """The spool in memory: a window of chunks, bounded in bytes."""

    def __init__(
        self,
        sinks: Sequence[tuple[str, WhenFull]],
        *,
        epoch: int,
        budget_bytes: int,
        block_timeout_seconds: float,
    ) -> None:
        self.epoch = epoch
        self.budget_bytes = budget_bytes
        self.block_timeout_seconds = block_timeout_seconds
        self.cursors = [Cursor(name, when_full) for name, when_full in sinks]
        self.held_bytes = 0
        self.appended = 0
        """The sequence that the next event gets."""
        self.unmatched = 0
        """Events that no sink wanted."""
        self.blocked_seconds = 0.0
        self.ended = False
        self._chunks: dict[int, _Held] = {}
        self._room = trio.lowlevel.ParkingLot()
        self._readers = trio.lowlevel.ParkingLot()

    # ── appending ──

    async def append(self, chunk: Chunk, *, live: bool = True) -> None:
        """Add a routed chunk, once there is room. `live`: its source cannot wait for ever, see `block_timeout`."""
        if not self._has_room(chunk.size_bytes):
            await self._wait_for_room(chunk.size_bytes, live)
        chunk.offset = Offset(self.epoch, self.appended)
        held = _Held(chunk, sum(not cursor.closed for cursor in self.cursors))
        self._account(chunk)
        self.appended += len(chunk)
        if held.readers:
            self._chunks[chunk.offset.sequence] = held
            self.held_bytes += chunk.size_bytes
        self.wake()
        await trio.lowlevel.checkpoint()

    async def safe(self, offset: Offset) -> None:
        """In memory a chunk is as safe as it will be once it is appended."""
        await trio.lowlevel.checkpoint()

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
                cursor.ledger.count_discarded(chunk, number, "closed")

    def _has_room(self, size_bytes: int) -> bool:
        """Whether a chunk fits, after those that give events up have done so."""
        while self.held_bytes + size_bytes > self.budget_bytes and self._chunks:
            lagging = self._lagging()
            if not lagging or not all(cursor.discards for cursor in lagging):
                return False
            for cursor in lagging:
                self._give_up_next(cursor, "spool_full")
        return True

    async def _wait_for_room(self, size_bytes: int, live: bool) -> None:
        started = trio.current_time()
        try:
            with trio.move_on_after(self.block_timeout_seconds if live else float("inf")):
                while not self._has_room(size_bytes):
                    await self._room.park()
                return
            while not self._has_room(size_bytes):
                for cursor in self._lagging():
                    cursor.gave_up = True
                if not self._has_room(size_bytes):  # all that is held is being sent at this moment
                    await self._room.park()
        finally:
            self.blocked_seconds += trio.current_time() - started

    # ── giving up ──

    def _lagging(self) -> list[Cursor]:
        """The sinks that are furthest behind, of those for which something is held that is not being sent."""
        behind = [cursor for cursor in self.cursors if not cursor.closed and cursor.next < self.appended]
        furthest = min((cursor.next for cursor in behind), default=0)
        return [cursor for cursor in behind if cursor.next == furthest]

    def _give_up_next(self, cursor: Cursor, reason: str) -> None:
        held = self._chunks[cursor.next]
        chunk = held.chunk
        wanted = cursor.ledger.count_discarded(chunk, self.cursors.index(cursor), reason)
        if cursor.gap is None:
            cursor.gap = Gap(chunk.offset, chunk.end, 0, reason, chunk.received_ns, chunk.received_ns)
        cursor.gap.end = chunk.end
        cursor.gap.events += wanted
        cursor.gap.last_received_ns = chunk.received_ns
        cursor.next = chunk.end.sequence
        self._release(held)

    def _release(self, held: _Held) -> None:
        held.readers -= 1
        if not held.readers:
            del self._chunks[held.chunk.offset.sequence]
            self.held_bytes -= held.chunk.size_bytes
            self._room.unpark_all()

    # ── reading ──

    async def wait_readable(self, sink: int) -> None:
        """Until `read` has something for the sink, nothing will come any more, or somebody called `wake`."""
        if not self.has_more(sink) and not self.ended:
            await self._readers.park()

    def wake(self) -> None:
        """Wake all that wait to read."""
        self._readers.unpark_all()

    def has_more(self, sink: int) -> bool:
        """Whether `read` has something for the sink now."""
        cursor = self.cursors[sink]
        return cursor.next != self.appended or cursor.gap is not None

    def read(self, sink: int) -> Chunk | Gap | None:
        """The next chunk for a sink, or the gap before it; None where there is nothing now."""
        cursor = self.cursors[sink]
        if cursor.gap is not None:
            gap, cursor.gap = cursor.gap, None
            return gap
        held = self._chunks.get(cursor.next)
        if held is None:
            return None
        cursor.next = held.chunk.end.sequence
        cursor.handed_out.append(held)
        return held.chunk

    def note(self, sink: int, batch: Batch) -> None:
        """In memory nothing outlives a crash, so there is nothing to note."""

    def commit(self, sink: int, offset: Offset) -> None:
        """Everything before the offset is settled at the sink: its chunks may go."""
        cursor = self.cursors[sink]
        handed_out = cursor.handed_out
        while handed_out and handed_out[0].chunk.end <= offset:
            self._release(handed_out.popleft())
            cursor.gave_up = False

    def close(self, sink: int) -> None:
        """The sink will never take anything again: what it has not settled is given up, and so is all to come."""
        cursor = self.cursors[sink]
        while cursor.next != self.appended:
            self._give_up_next(cursor, "closed")
        while cursor.handed_out:
            held = cursor.handed_out.popleft()
            cursor.ledger.count_discarded(held.chunk, sink, "closed")
            self._release(held)
        cursor.gap = None
        cursor.closed = True

    # ── looking ──

    def waiting(self, sink: int) -> int:
        """How many events wait for a sink: read or not, but not settled. Counted from the chunks themselves."""
        return sum(map(len, self._waiting(sink)))

    def wanted_waiting(self, sink: int) -> int:
        """How many of the waiting events the sink wants."""
        return sum(chunk.routed.count(sink) for chunk in self._waiting(sink) if chunk.routed is not None)

    def _waiting(self, sink: int) -> Iterator[Chunk]:
        """The chunks that are being sent, and those to be read; what was given up between is held for others only."""
        cursor = self.cursors[sink]
        if not cursor.closed:
            yield from (held.chunk for held in cursor.handed_out)
            yield from (held.chunk for first, held in self._chunks.items() if first >= cursor.next)

    def oldest_received_ns(self, sink: int) -> int | None:
        """When the oldest event that waits for a sink was read."""
        cursor = self.cursors[sink]
        held = cursor.handed_out[0] if cursor.handed_out else self._chunks.get(cursor.next)
        return held.chunk.received_ns if held is not None and not cursor.closed else None
