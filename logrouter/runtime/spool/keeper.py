"""Keeps the spool's log on disk: writes chunks to it, syncs, and deletes what nobody needs any more.

    durability    a chunk is written to the log                         it is safe
    memory        when it must leave the window, or at the end          at once
    disk          when it is appended                                   when it is written
    sync          when it is appended                                   when it is synced

Invariants:
- chunks are written in their order; one that every sink has settled before is left out;
- a segment is deleted only after the cursors that have passed it are on the disk;
- while the log cannot be written nothing is thrown away: chunks wait in memory, that is said, and tried again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final

import trio

from logrouter.event import Chunk
from logrouter.runtime.log import Log
from logrouter.runtime.spool.cursor import Cursor
from logrouter.runtime.spool.held import Held
from logrouter.runtime.spool.store import Store
from logrouter.runtime.threads import in_thread

_RECORD_OVERHEAD_BYTES: Final = 1024
"""What a record takes on disk beside payloads, flags and lengths, at most."""
CURSORS_SECONDS: Final = 1.0
"""How often cursors are made durable: what power loss takes back of them is sent again, as it was noted."""
SETTLED_BYTES: Final = 1024 * 1024
"""Of chunks that every sink has settled, held because the cursors that say so cannot be written."""
POSITIONS_SECONDS: Final = 10.0
"""How often it is written how far sources were read, where no chunk was written that tells it."""
_RATE_SECONDS: Final = 60.0
"""Over how long the growth of the log is measured."""


class Keeper:
    """Looks after one store."""

    def __init__(
        self,
        store: Store,
        cursors: Collection[Cursor],
        log: Log,
        *,
        eager: bool = True,
        wait_for_sync: bool = False,
        sync_interval_seconds: float = 0.2,
        keep_seconds: float = 0.0,
    ) -> None:
        """`cursors`: those there are at any time. `eager`: chunks are written when they are appended."""
        self.store = store
        self.eager = eager
        self.wait_for_sync = wait_for_sync
        self.bypassed = False
        """The log could not be written for so long that events are taken all the same."""
        self._cursors = cursors
        self._log = log
        self._sync_interval_seconds = sync_interval_seconds
        self._keep_ns = int(keep_seconds * 1e9)
        self._unsaved: deque[Held] = deque()
        """Chunks that the log does not have yet, in order."""
        self._troubles: dict[str, str] = {}
        """What cannot be done at present, and why."""
        self._sizes: deque[tuple[float, int]] = deque()
        """When the log had which size, over the last minute."""
        self._cursors_synced_at = float("-inf")
        self._positions_written_at = float("-inf")
        self._work, self._hurry = trio.Event(), trio.Event()
        """There is something to do; somebody waits for it to be done."""
        if store.needs_sync:
            self._work.set()
        self._unsafe = trio.lowlevel.ParkingLot()

    def adjust(self, *, max_bytes: int, sync_interval_seconds: float, keep_seconds: float) -> None:
        """Go on with these limits."""
        self.store.limit(max_bytes)
        self._sync_interval_seconds = sync_interval_seconds
        self._keep_ns = int(keep_seconds * 1e9)
        self.hurry()

    # ── writing ──

    def add(self, held: Held) -> None:
        """Take a new chunk, and write it if it is to be safe at once."""
        while self._unsaved and self._is_left_out(self._unsaved[0]):
            self.store.pass_over(self._unsaved.popleft().chunk)
        if self._troubles:
            self._forget_settled()
        self._unsaved.append(held)
        if self.eager and not self.save():
            self._work.set()

    def _forget_settled(self) -> None:
        """Hold few chunks that nobody needs any more, only because the cursors that say so cannot be written."""
        spare_bytes = SETTLED_BYTES
        kept: deque[Held] = deque()
        for held in self._unsaved:
            if held.readers <= 0:
                spare_bytes -= held.chunk.size_bytes
            if held.readers > 0 or (spare_bytes > 0 and not self._is_left_out(held)):
                kept.append(held)
        self._unsaved = kept

    def keep_positions(self, carried: bytes) -> bool:
        """Write after a while how far sources have been read, where no chunk tells it. Whether it will be."""
        if self.eager and self._unsaved:  # it may be behind events that are not written: a chunk after these tells it
            return False
        self.store.keep_positions(carried)
        self._work.set()
        return True

    def has_room(self, chunk: Chunk) -> bool:
        """Whether a new chunk may come, as far as the disk is concerned."""
        if not self.eager:
            return True
        return self.fits(chunk) and (self.save() or self.bypassed)

    def fits(self, chunk: Chunk) -> bool:
        """Whether the log may grow by a chunk."""
        if self.store.fits(chunk.payload_bytes + 5 * len(chunk) + _RECORD_OVERHEAD_BYTES):
            return True
        self._work.set()  # perhaps something can be deleted
        return False

    def refuses(self, chunk: Chunk) -> bool:
        """Whether a chunk can never be written: it is too large. Its source goes on behind it all the same."""
        if not self.store.is_too_large(chunk):
            return False
        self.store.pass_over(chunk)
        limit, size = self.store.max_bytes, chunk.payload_bytes
        self._log.error("an event is too large for the spool: it is lost", bytes=size, max_size=limit)
        return True

    def is_full(self, chunk: Chunk) -> bool:
        """Whether only discarding makes room: for what must be written first, or for the chunk itself."""
        first = self._unsaved[0].chunk if self._unsaved else chunk
        fits = self.fits(first) and (not self.eager or self.fits(chunk))
        return not fits and not self.deletable(hurried=True)

    def is_saved(self, held: Held) -> bool:
        """Whether the log has the chunk."""
        return held.chunk.end.sequence <= self.store.end

    def save(self, last: Held | None = None) -> bool:
        """Write the chunks that the log does not have, up to `last`. False: that cannot be done now."""
        while self._unsaved:
            held = self._unsaved[0]
            if not self._is_left_out(held):
                if not self.fits(held.chunk):
                    return False
                try:
                    self.store.append(held.chunk)
                except OSError as error:
                    self._tell("write", error)
                    return False
                self._well("write")
                self._work.set()
            else:
                self.store.pass_over(held.chunk)
            self._unsaved.popleft()
            if held is last:
                break
        self.bypassed = self.bypassed and not self._troubles.keys().isdisjoint(("write", "sync"))
        if not self.wait_for_sync:
            self._unsafe.unpark_all()
        return True

    def waits_for(self, cursor: Cursor) -> bool:
        """Whether the log cannot be written, and goes on without what it lacks once this sink has settled that."""
        return self.eager and "write" in self._troubles and bool(self._unsaved) and cursor.lacks(self._unsaved[0].chunk)

    def bypass(self) -> None:
        """Take events from now on that the log cannot take, until it can."""
        self.bypassed = True
        self._log.error("the spool: events are in memory alone until it can be written", folder=self.store.folder)

    def _is_left_out(self, held: Held) -> bool:
        """Whether a chunk need not be written: every sink has settled it before, and its cursor says so."""
        return held.readers <= 0 and all(cursor.is_written for cursor in self._cursors)

    def oldest_unsaved(self) -> Held | None:
        """The first chunk that is in memory only and that nobody is sending."""
        for held in self._unsaved:
            noted = any(cursor.has_noted(held.chunk) for cursor in self._cursors)
            if held.readers > 0 and not held.being_sent and not noted:
                return held
        return None

    # ── what is safe ──

    @property
    def safe_end(self) -> float:
        """Everything before this is safe: written, and with `sync` on the disk, or needed by nobody."""
        unsaved = next((held.chunk.offset.sequence for held in self._unsaved if held.readers > 0), float("inf"))
        if self.wait_for_sync and self.store.synced_end < self.store.end:
            return min(unsaved, self.store.synced_end)
        return unsaved

    def is_safe(self, sequence: int) -> bool:
        """Whether everything before it is safe, or nobody waits for that."""
        return self.bypassed or self.has(sequence)

    def has(self, sequence: int) -> bool:
        """Whether everything before it is safe."""
        return not self.eager or sequence <= self.safe_end

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody waits for something to be safe."""
        return bool(self._unsafe)

    async def safe(self, sequence: int) -> None:
        """Wait until everything before it is safe."""
        while not self.is_safe(sequence):
            await self._unsafe.park()

    # ── maintaining ──

    def work(self) -> None:
        """Something was settled: there may be something to sync or to delete, and what nobody needs is safe."""
        self._work.set()
        if self._troubles:
            self._unsafe.unpark_all()

    def hurry(self) -> None:
        """Somebody waits for room."""
        self._hurry.set()
        self._work.set()

    async def maintain(self, wake: Callable[[], None]) -> None:
        """Write, sync and delete, for ever. `wake` is called when there may be room, or more to read."""
        while True:
            with trio.move_on_at(self._due_at()):
                await self._work.wait()
            if not self.wait_for_sync:
                with trio.move_on_after(self._sync_interval_seconds):
                    await self._hurry.wait()
            self._work = trio.Event()
            before = self.store.size_bytes, self.store.synced_end
            is_tidy = await self.tidy()
            if (self.store.size_bytes, self.store.synced_end) != before:
                wake()
            if not is_tidy:
                self._work.set()
                await trio.sleep(self._sync_interval_seconds)
            self._measure()

    def _due_at(self) -> float:
        """When there is something to do though nothing happens, in trio's time."""
        cursors = any(cursor.needs_sync for cursor in self._cursors)
        return min(
            self._cursors_synced_at + CURSORS_SECONDS if cursors else float("inf"),
            trio.current_time() + POSITIONS_SECONDS if self.store.has_unwritten_positions else float("inf"),
        )

    async def tidy(self) -> bool:
        """Write what could not be written, sync, and delete what nobody needs. False: something failed."""
        saved = not self.eager or self.save()
        if trio.current_time() >= self._positions_written_at + POSITIONS_SECONDS:
            self._write_positions()
        paths = self.deletable(hurried=self._hurry.is_set())  # what is settled from now on is not synced below
        cursors = bool(paths) or trio.current_time() >= self._cursors_synced_at + CURSORS_SECONDS
        self._hurry = trio.Event()
        if not await self.sync(cursors=cursors):
            return False
        return await self._delete(paths) and saved

    def _write_positions(self) -> None:
        """Write how far sources have been read where no chunk tells it: all sinks had these before they were kept."""
        self._positions_written_at = trio.current_time()
        if self.store.has_unwritten_positions:
            try:
                self.store.write_positions()
            except OSError as error:
                self._tell("write", error)

    async def sync(self, *, cursors: bool) -> bool:
        """Make durable what was appended and, with `cursors`, what was settled. False: that failed."""
        error: OSError | None = None
        jobs = [self.store.begin_sync()] if self.store.needs_sync else []
        for cursor in list(self._cursors) if cursors else ():
            try:
                jobs += cursor.begin_sync()
            except OSError as failed:
                error = failed
        if cursors:
            self._cursors_synced_at = trio.current_time()
        if jobs:
            with trio.CancelScope(shield=True):  # what was begun and not done nobody would do again
                error = await in_thread(partial(_do_all, jobs)) or error
        self._unsafe.unpark_all()
        if error is not None:
            self._tell("sync", error)
            return False
        self._well("sync")
        return True

    def deletable(self, *, hurried: bool) -> list[str]:
        """The segments that nobody needs any more, by path. What is kept for looking at goes when room is needed."""
        before_ns = time.time_ns() - self._keep_ns
        return [
            segment.path
            for segment in self.store.closed_segments()
            if (hurried or not self._keep_ns or segment.closed_ns <= before_ns)
            and not any(cursor.needs(segment.header.first, segment.end) for cursor in self._cursors)
        ]

    async def _delete(self, paths: Sequence[str]) -> bool:
        """Delete segments that nobody needs. The cursors that say so must be on the disk. False: that failed."""
        self.store.forget(paths)
        if not self.store.has_leaving:
            return True
        try:
            with trio.CancelScope(shield=True):
                await in_thread(self.store.unlink)
        except OSError as error:
            self._tell("delete", error)
            return False
        self._well("delete")
        return True

    async def save_all(self) -> list[Held]:
        """Write what is left. Gives what cannot be written."""
        if not self.save():
            await self.tidy()  # perhaps that makes room
            self.save()
        unsaved = [held for held in self._unsaved if held.readers > 0]
        if unsaved:
            reason = self.trouble or "spool.max_size is reached"
            events = sum(len(held.chunk) for held in unsaved)
            self._log.error("the spool: what is left in memory cannot be kept", events=events, reason=reason)
        return unsaved

    async def finish(self) -> None:
        """Delete what is settled, and let go of everything."""
        self._write_positions()
        self.store.finish()
        if await self.sync(cursors=True):
            await self._delete(self.deletable(hurried=False))
        for cursor in self._cursors:
            cursor.let_go()
        self.store.close()

    # ── looking ──

    @property
    def trouble(self) -> str | None:
        """What cannot be done at present, and why."""
        return "; ".join(f"cannot {verb}: {reason}" for verb, reason in self._troubles.items()) or None

    def needed_bytes(self, cursor: Cursor) -> int:
        """About how much of the log one sink still needs."""
        needed = (each for each in self.store.segments if cursor.needs(each.header.first, each.end))
        return sum(segment.size_from(cursor.state.committed) for segment in needed)

    def figures(self) -> dict[str, Any]:
        """What `SpoolStatistics` tells of the log."""
        return {
            "disk_bytes": self.store.size_bytes,
            "disk_limit_bytes": self.store.max_bytes,
            "seconds_until_full": self._seconds_until_full(),
            "sync_seconds": self.store.sync_seconds,
            "syncs": self.store.syncs,
            "lost_bytes": self.store.lost_bytes,
            "trouble": self.trouble,
        }

    def _measure(self) -> None:
        now = trio.current_time()
        if self._sizes and now - self._sizes[-1][0] < 1:
            return
        self._sizes.append((now, self.store.size_bytes))
        while now - self._sizes[0][0] > _RATE_SECONDS:
            self._sizes.popleft()

    def _seconds_until_full(self) -> float | None:
        if len(self._sizes) < 2:
            return None
        (first, before), (last, now) = self._sizes[0], self._sizes[-1]
        rate = (now - before) / (last - first) if last > first else 0.0
        return (self.store.max_bytes - now) / rate if rate > 0 else None

    def _tell(self, verb: str, error: OSError) -> None:
        self._troubles[verb] = str(error.strerror)
        self._log.error(_cannot(verb), reason=str(error.strerror), folder=self.store.folder)

    def _well(self, verb: str) -> None:
        if self._troubles.pop(verb, None) is not None:
            self._log.over(f"the spool: can {verb} again", trouble=_cannot(verb), folder=self.store.folder)


def _cannot(verb: str) -> str:
    return f"the spool: cannot {verb}"


def _do_all(jobs: Sequence[Callable[[], None]]) -> OSError | None:
    """Do each, whatever becomes of the others. Gives the first error."""
    first: OSError | None = None
    for job in jobs:
        try:
            job()
        except OSError as error:
            first = first or error
    return first
