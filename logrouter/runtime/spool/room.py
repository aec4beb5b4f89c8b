"""Room for new chunks: the one place where anything upstream waits.

Sources wait while a chunk fits neither into the memory nor, where there is a log, onto the disk; and no longer than
`block_timeout`, if they are live. What makes room meanwhile: sinks that settle, segments that can be deleted, and at
last whoever discards something (`discarding.py`).
"""

from __future__ import annotations

import math
from typing import Final

import trio

from logrouter.event import Chunk
from logrouter.runtime.log import Log
from logrouter.runtime.spool.contents import Contents
from logrouter.runtime.spool.cursor import LIVE_SECONDS, Cursor
from logrouter.runtime.spool.discarding import Discarding

PATIENCE_SECONDS: Final = 0.05
"""A sink that moves is given so long to make room before it discards: it is merely busy."""


class Room:
    """Room in one spool."""

    def __init__(
        self,
        contents: Contents,
        discarding: Discarding,
        log: Log,
        block_timeout_seconds: float,
    ) -> None:
        self._contents = contents
        self._discarding = discarding
        self._keeper = contents.keeper
        self._log = log
        self.block_timeout_seconds = block_timeout_seconds
        self._waiting: list[Chunk] = []
        """Chunks that wait for room, one a source."""
        self._waiting_since: float | None = None
        self._waited_seconds = 0.0
        self._seen_waiting: float | None = None
        """The beginning of the last wait that was seen to be long."""
        self._tell_at = math.inf

    @property
    def blocked_seconds(self) -> float:
        """How long sources have waited for room, and do now."""
        now = 0.0 if self._waiting_since is None else trio.current_time() - self._waiting_since
        return self._waited_seconds + now

    def is_there_for(self, chunk: Chunk) -> bool:
        """Whether a chunk fits, after those that need not be in memory have left it."""
        fits = self._contents.window.make_room(chunk, self._contents.leader())
        return fits and (self._keeper is None or self._keeper.has_room(chunk))

    def is_taken_by(self, cursor: Cursor) -> bool:
        """Whether sources wait for room that this sink takes, and nobody is further behind."""
        if not self._waiting or not (cursor.is_sending or self._is_disk_full()):
            return False
        appended = self._contents.appended
        others = [other for other in self._contents.cursors.values() if not other.closed]
        pinned = min((other.pinned for other in others if other.pinned < other.end(appended)), default=appended)
        return pinned < appended and cursor.pinned == pinned

    def is_stuck_at(self, cursor: Cursor) -> bool:
        """Whether sources wait, as the log cannot be written, until this sink has settled what is in memory alone."""
        keeper = self._keeper
        return keeper is not None and bool(self._waiting or keeper.is_waited_for) and keeper.waits_for(cursor)

    def _is_disk_full(self) -> bool:
        return self._keeper is not None and any(self._keeper.is_full(chunk) for chunk in self._waiting)

    async def wait_for(self, chunk: Chunk, live: bool) -> None:
        """Until there is room for a chunk. `live`: after `block_timeout` whoever is in the way makes it."""
        if self._waiting_since is None:
            self._waiting_since = trio.current_time()
        self._waiting.append(chunk)
        self._contents.wake_readers()  # whoever still waits for more may send what it has
        try:
            with trio.move_on_after(max(0.0, self.block_timeout_seconds - PATIENCE_SECONDS) if live else math.inf):
                await self._make(chunk, insist=False)
                return
            await self._make(chunk, insist=True)
        finally:
            self._waiting.remove(chunk)
            if not self._waiting:
                self._waited_seconds, self._waiting_since = self.blocked_seconds, None

    async def _make(self, chunk: Chunk, *, insist: bool) -> None:
        """Wait for room. `insist`: whoever is in the way discards its oldest events, when it has had a last moment:
        perhaps all stood still because this process had no core."""
        patient_until = trio.current_time() + PATIENCE_SECONDS
        while not self.is_there_for(chunk):
            if self._keeper is not None and not self._keeper.fits(chunk):
                self._keeper.hurry()  # perhaps something can be deleted
            if trio.current_time() < patient_until and (insist or self._is_merely_busy()):
                with trio.move_on_at(patient_until):
                    await self._contents.changed.park()
                continue
            if self._discard(chunk, insist):
                await trio.lowlevel.checkpoint()
                continue
            if self._keeper is not None:
                if insist and self._keeper.trouble and not self._keeper.bypassed:
                    self._keeper.bypass()
                    continue
                self._keeper.hurry()
            self._tell()
            await self._contents.changed.park()

    def _discard(self, chunk: Chunk, insist: bool) -> bool:
        """Let somebody discard something so that a chunk fits, where nothing else helps."""
        try:
            return self._discarding.make_room(chunk, insist)
        except OSError:  # the log cannot be read now: too few descriptors
            return False

    def _is_merely_busy(self) -> bool:
        """Whether those that are furthest behind move: they are given a moment before they discard."""
        now = trio.current_time()
        return all(now - cursor.moved_at < PATIENCE_SECONDS for cursor in self._discarding.lagging())

    def _tell(self) -> None:
        """Say who is slow; a moment later than it is seen: where this process had no core, all sinks stood still."""
        now = trio.current_time()
        if self._waiting_since is None or now - self._waiting_since <= LIVE_SECONDS:
            return
        if self._seen_waiting != self._waiting_since:
            self._seen_waiting, self._tell_at = self._waiting_since, now + PATIENCE_SECONDS
        if now >= self._tell_at:
            cursors = self._contents.cursors.values()
            slow = [cursor.name for cursor in cursors if not cursor.closed and now - cursor.moved_at > LIVE_SECONDS]
            self._log.warning("the spool is full: reading waits", slow_sinks=slow)
