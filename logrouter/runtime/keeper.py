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
from collections.abc import Callable, Sequence
from typing import Any, Final

import trio

from logrouter.event import Chunk
from logrouter.runtime.cursor import Cursor, Held
from logrouter.runtime.log import Log
from logrouter.runtime.store import Store

_RECORD_OVERHEAD_BYTES: Final = 1024
"""What a record takes on disk beside payloads, flags and lengths, at most."""
_RATE_SECONDS: Final = 60.0
"""Over how long the growth of the log is measured."""


class Keeper:
    """Looks after one store."""

    def __init__(
        self,
        store: Store,
        cursors: Sequence[Cursor],
        log: Log,
        *,
        eager: bool = True,
        wait_for_sync: bool = False,
        sync_interval_seconds: float = 0.2,
        keep_seconds: float = 0.0,
    ) -> None:
        """`eager`: chunks are written when they are appended."""
        self.store = store
        self.eager = eager
        self.wait_for_sync = wait_for_sync
        self.gave_up = False
        """The log could not be written for so long that events are taken all the same."""
        self.hurried = False
        """Somebody waits for room."""
        self.changed: Callable[[], None] = lambda: None
        """Called when there may be room, or more to read."""
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
        self._work = trio.Event()
        self._unsafe = trio.lowlevel.ParkingLot()

    # ── writing ──

    def add(self, held: Held) -> None:
        """Take a new chunk, and write it if it is to be safe at once."""
        while self._unsaved and self._unsaved[0].readers <= 0:
            self._unsaved.popleft()  # settled by every sink before it had to be written
        self._unsaved.append(held)
        if self.eager:
            self.save()

    def has_room(self, chunk: Chunk) -> bool:
        """Whether a new chunk may come, as far as the disk is concerned."""
        if not self.eager:
            return True
        return self.fits(chunk) and (self.save() or self.gave_up)

    def fits(self, chunk: Chunk) -> bool:
        """Whether the log may grow by a chunk."""
        if self.store.fits(chunk.payload_bytes + 5 * len(chunk) + _RECORD_OVERHEAD_BYTES):
            return True
        self._work.set()  # perhaps something can be deleted
        return False

    def is_full(self, chunk: Chunk) -> bool:
        """Whether only giving up makes room: for what must be written next, which need not be the new chunk."""
        following = next((held.chunk for held in self._unsaved if held.readers > 0), chunk)
        return not self.fits(following) and not self.deletable()

    def is_saved(self, held: Held) -> bool:
        """Whether the log has the chunk."""
        return held.chunk.end.sequence <= self.store.end

    def save(self, last: Held | None = None) -> bool:
        """Write the chunks that the log does not have, up to `last`. False: that cannot be done now."""
        while self._unsaved:
            held = self._unsaved[0]
            if held.readers > 0:
                if not self.fits(held.chunk):
                    return False
                try:
                    self.store.append(held.chunk)
                except OSError as error:
                    self._tell("write", error)
                    return False
                self._well("write")
                self._work.set()
            self._unsaved.popleft()
            if held is last:
                break
        self.gave_up = self.gave_up and not self._troubles.keys().isdisjoint(("write", "sync"))
        if not self.wait_for_sync:
            self._unsafe.unpark_all()
        return True

    def give_up(self) -> None:
        """Take events from now on that the log cannot take, until it can."""
        self.gave_up = True
        self._log.error("the spool: events are in memory alone until it can be written", folder=self.store.folder)

    def oldest_unsaved(self) -> Held | None:
        """The first chunk that is in memory only and that nobody is sending, or has sent."""
        noted = max((cursor.noted_end for cursor in self._cursors if not cursor.closed), default=0)
        loose = (held for held in self._unsaved if held.readers > 0 and not held.in_hand)
        return next((held for held in loose if held.chunk.offset.sequence >= noted), None)

    # ── what is safe ──

    @property
    def safe_end(self) -> int:
        """Everything before this is safe."""
        return self.store.synced_end if self.wait_for_sync else self.store.end

    def is_safe(self, sequence: int) -> bool:
        """Whether everything before it is safe."""
        return not self.eager or self.gave_up or sequence <= self.safe_end

    async def safe(self, sequence: int) -> None:
        """Wait until everything before it is safe."""
        while not self.is_safe(sequence):
            await self._unsafe.park()

    # ── maintaining ──

    def work(self) -> None:
        """Something was settled: there may be something to sync or to delete."""
        self._work.set()

    def hurry(self) -> None:
        """Somebody waits for room."""
        self.hurried = True
        self._work.set()

    async def maintain(self) -> None:
        """Sync and delete, for ever."""
        while True:
            await self._work.wait()
            if not self.wait_for_sync and not self.hurried:
                await trio.sleep(self._sync_interval_seconds)
            self._work, self.hurried = trio.Event(), False
            if await self.sync():
                await self.delete()
            else:
                self._work.set()
                await trio.sleep(self._sync_interval_seconds)
            self._measure()

    async def sync(self) -> bool:
        """Make durable what was appended and what was settled. False: that failed."""
        jobs = [self.store.begin_sync()] if self.store.needs_sync else []
        jobs += [job for cursor in self._cursors for job in cursor.begin_sync()]
        try:
            if jobs:
                await trio.to_thread.run_sync(_do_all, jobs)
        except OSError as error:
            self._tell("sync", error)
            return False
        self._well("sync")
        self._unsafe.unpark_all()
        if self.wait_for_sync:
            self.changed()
        return True

    def deletable(self) -> list[str]:
        """The segments that nobody needs any more, by path. What is kept for looking at goes when room is needed."""
        before_ns = time.time_ns() - (0 if self.hurried else self._keep_ns)
        return [
            segment.path
            for segment in self.store.closed_segments()
            if segment.closed_ns <= before_ns
            and not any(cursor.needs(segment.header.first, segment.end) for cursor in self._cursors)
        ]

    async def delete(self) -> None:
        """Delete what nobody needs. The cursors that say so must be on the disk."""
        if paths := self.deletable():
            self.store.forget(paths)
            try:
                with trio.CancelScope(shield=True):  # nobody would come back to what was forgotten
                    await trio.to_thread.run_sync(self.store.unlink, paths)
            except OSError as error:
                self._tell("delete", error)
            else:
                self._well("delete")
            self.changed()

    async def finish(self) -> None:
        """Write what is left, delete what is settled, and let go of everything."""
        if not self.save():
            events = sum(len(held.chunk) for held in self._unsaved if held.readers > 0)
            reason = self.trouble or "spool.max_size is reached"
            self._log.error("the spool: what is left in memory cannot be kept", events=events, reason=reason)
        await self.sync()
        self.store.finish()
        await self.delete()
        for cursor in self._cursors:
            cursor.let_go()
        self.store.close()

    # ── looking ──

    @property
    def trouble(self) -> str | None:
        """What cannot be done at present, and why."""
        return "; ".join(f"cannot {verb}: {reason}" for verb, reason in self._troubles.items()) or None

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
        self._log.error(f"the spool: cannot {verb}", reason=str(error.strerror), folder=self.store.folder)

    def _well(self, verb: str) -> None:
        if self._troubles.pop(verb, None) is not None:
            self._log.warning(f"the spool: can {verb} again", folder=self.store.folder)


def _do_all(jobs: Sequence[Callable[[], None]]) -> None:
    for job in jobs:
        job()
