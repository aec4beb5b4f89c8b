"""The spool: the one buffer between sources and sinks. An append-only log with one reader a sink.

    append(chunk)               waits for room: the only place where anything upstream waits
    safe(offset)                waits until everything before the offset is as safe as the durability says
    read(sink)                  the next chunk for a sink, or the gap where it has lost some
    note(sink, note)            before sending: which events a batch holds, and where they will be
    commit(sink, end, …)        everything before `end` is settled at this sink

This is the interface. `local.py` is the spool of one process, in memory and on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from logrouter.cursors import Gap, Ledger, Memory, Note, Place, Tally
from logrouter.event import Chunk, Offset
from logrouter.positions import Position
from logrouter.routers import Routers


class SpoolStatistics(msgspec.Struct, frozen=True):
    """How the spool is."""

    events: int
    """Appended since the log began."""
    unmatched: int
    """Events that no sink wanted, since the start."""
    blocked_seconds: float
    """How long sources have waited for room."""
    held_bytes: int
    """What events cost in memory."""
    budget_bytes: int
    disk_bytes: int | None = None
    """What the log takes on disk. None: there is no log."""
    disk_limit_bytes: int | None = None
    seconds_until_full: float | None = None
    """At the rate of the last minute. None: it does not grow."""
    sync_seconds: float | None = None
    """How long the last sync took."""
    syncs: int = 0
    lost_bytes: int = 0
    """Of files that could not be read at all when they were opened."""
    trouble: str | None = None
    """Why the log cannot be written at present."""


class Spool(Protocol):
    """What every spool can do: in memory, on disk, on an engine that many machines share. Sinks go by number."""

    chunk_bytes: int
    """What one chunk should cost at most, so that there is room for others."""
    batch_bytes: int
    """How much of the chunks that it reads a sink may send at once."""
    in_hand_bytes: int
    """How much of them it may have sent before it settles."""
    encoded_bytes: int
    """What the encoded batches of one sink that are on their way may take."""
    keeps_notes: bool
    """Whether notes outlive the process."""
    positions_written: int
    """How often `keep_positions` was made true: what it took before the last time is safe."""
    routers: Routers
    """Who routes what. What is appended is routed by the current one."""

    async def append(self, chunk: Chunk, *, live: bool = True) -> None:
        """Add a routed chunk, once there is room. `live`: its source cannot wait for ever, see `block_timeout`."""

    async def safe(self, offset: Offset, *, live: bool = True) -> bool:
        """Wait until everything before the offset is safe; `live` as above. False: it is not yet."""

    def positions(self, source: str) -> dict[str, Position]:
        """How far the streams of a source have been read, by their names, as far as the spool keeps that."""

    def keep_positions(self, carried: bytes) -> bool:
        """How far streams have been read, where no chunk tells it: written down after a while, and at the end.

        False: not as long as events before it are not written.
        """

    def read(self, sink: int) -> Chunk | Gap | None:
        """The next chunk for a sink, or the gap before it; None where there is nothing now. Raises OSError."""

    async def note(self, sink: int, note: Note) -> None:
        """Remember a batch, or more of one. Raises OSError where that cannot be done: then it must not be sent."""

    def commit(self, sink: int, end: int, tally: Tally, carried: Memory | None = None) -> None:
        """Everything before `end` is settled: what became of these events, and what is left open behind it."""

    async def add_place(self, sink: int, first: int, place: Place) -> None:
        """Remember one more place of the noted batch that begins with `first`. Raises OSError likewise."""

    def notes(self, sink: int) -> Sequence[Note]:
        """The batches that were noted and are not settled: to be sent again before anything else."""

    def carried(self, sink: int) -> Memory | None:
        """What a sink has left open at its destination, as the last commit says."""

    def next(self, sink: int) -> int:
        """The sequence that a sink reads next."""

    def pass_over(self, sink: int, end: int) -> None:
        """A noted batch that ends there has arrived, all of it: read on behind it."""

    def sent(self, sink: int) -> None:
        """All that the sink has read has been sent: it may leave the memory, if it can be read again."""

    def hand_over(self, sink: int) -> None:
        """The sink holds what it has made of all that it has read: it need not be held for its sake any more."""

    def is_pressed(self, sink: int) -> bool:
        """Whether sources wait for room that this sink takes, and nobody is further behind."""

    def is_stuck(self, sink: int) -> bool:
        """Whether sources wait for this sink to settle what it has sent: the log cannot be written."""

    def rewind(self, sink: int) -> None:
        """Read again what was read and not committed."""

    def close(self, sink: int) -> None:
        """The sink will never take anything again."""

    def is_over(self, sink: int) -> bool:
        """Whether a sink has read all there is and will be."""

    def has_more(self, sink: int) -> bool:
        """Whether `read` has something now."""

    async def wait_readable(self, sink: int) -> None:
        """Until `read` has something, nothing will come any more, or somebody called `wake`."""

    def wake(self) -> None:
        """Wake all that wait."""

    def end(self) -> None:
        """Nothing more will be appended: readers come to an end."""

    async def maintain(self) -> None:
        """Sync and tidy up, for ever."""

    async def aclose(self) -> None:
        """Keep what is left, as the durability says, and let go of everything."""

    def ledger(self, sink: int) -> Ledger:
        """What became of a sink's events."""

    def lost(self, sink: int) -> int:
        """How many events a sink has discarded, as the spool was full, or lost since the start."""

    def waiting(self, sink: int) -> int:
        """How many events wait for a sink: read or not, but neither settled nor discarded."""

    def waiting_bytes(self, sink: int) -> int:
        """About what they take in the spool."""

    def undelivered(self, sink: int) -> int:
        """How many of them it wants, where that is known without reading them; else how many wait."""

    def oldest_received_ns(self, sink: int) -> int | None:
        """When the oldest event that waits for a sink was read."""

    def is_closed(self, sink: int) -> bool:
        """Whether the sink takes nothing any more."""

    def statistics(self) -> SpoolStatistics:
        """Figures about all of it."""
