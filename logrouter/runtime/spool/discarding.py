"""Who discards what when the spool is full.

Only the sink that is furthest behind ever discards events, and only its own: at once with `when_full: discard_oldest`;
with `block` after a live source has waited for `block_timeout`, and then until that sink moves again. What is being
sent, and what may have arrived, is never discarded behind a sink's back.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from logrouter.cursors import Gap
from logrouter.event import Chunk
from logrouter.runtime.log import Log
from logrouter.runtime.spool.contents import Contents
from logrouter.runtime.spool.cursor import Cursor
from logrouter.runtime.spool.gaps import gap_of
from logrouter.runtime.spool.held import Held


class Discarding:
    """Makes room in a spool, or says that nobody may."""

    def __init__(self, contents: Contents, log: Log) -> None:
        self._contents = contents
        self._log = log
        self._keeper = contents.keeper

    def make_room(self, chunk: Chunk, insist: bool) -> bool:
        """Let somebody discard a chunk so that another fits, where nothing else helps.

        `insist`: sources have waited for long enough. Raises OSError where the log cannot be read.
        """
        if self._keeper is None or self._keeper.is_full(chunk):
            return self._discard(self.lagging(), insist)
        return self._keeper.bypassed and self._discard_unsaved(insist)

    def lagging(self) -> list[Cursor]:
        """The sinks that are furthest behind, of those for which something is held that is not being sent."""
        cursors, end = self._contents.cursors.values(), self._contents.appended
        behind = [cursor for cursor in cursors if not cursor.closed and cursor.expendable < cursor.end(end)]
        furthest = min((cursor.expendable for cursor in behind), default=0)
        return [cursor for cursor in behind if cursor.expendable == furthest]

    def lose(self, chunk: Chunk, reason: str) -> None:
        """Count what can be kept nowhere, for all sinks that do not have it."""
        for cursor in self._contents.cursors.values():
            if cursor.lacks(chunk):
                wanted = _wanted(cursor, chunk)
                self._contents.skip(cursor, gap_of(chunk, wanted, "lost", reason), len(chunk) - wanted)

    def _discard(self, lagging: list[Cursor], insist: bool) -> bool:
        """Let these sinks discard their next chunk, if their policy says so."""
        if insist:
            _insist(lagging)
        if not _may_discard(lagging):
            return False
        for cursor in lagging:
            found = self._find(cursor)
            if isinstance(found, Gap):
                self._contents.skip(cursor, found, 0)
            elif found is not None:
                self._discard_held(cursor, found)
        return True

    def _find(self, cursor: Cursor) -> Held | Gap | None:
        """What a sink discards next. It may be far ahead of what it reads: each has its own spot in the log."""
        reading, cursor.spot = cursor.spot, cursor.spot_ahead
        try:
            return self._contents.find(cursor, cursor.expendable)
        finally:
            cursor.spot_ahead, cursor.spot = cursor.spot, reading

    def _discard_unsaved(self, insist: bool) -> bool:
        """The memory is full of what the log cannot take: the oldest of that goes, for all who want it. Those that move
        are waited for: each chunk that they are done with is room."""
        assert self._keeper is not None
        held = self._keeper.oldest_unsaved()
        if held is None:
            return False
        cursors = self._contents.cursors.values()
        wanting = [cursor for cursor in cursors if not cursor.closed and cursor.wants_any(held.chunk)]
        now = trio.current_time()
        if insist:
            _insist([cursor for cursor in wanting if not cursor.is_live(now)])
        if not _may_discard(wanting):
            return False
        for cursor in wanting:
            self._discard_held(cursor, held)
        return True

    def _discard_held(self, cursor: Cursor, held: Held) -> None:
        self._log.warning("the spool is full: the oldest events are discarded", sink=cursor.name)
        wanted = _wanted(cursor, held.chunk)
        gap = gap_of(held.chunk, wanted, "discarded", "spool_full")
        self._contents.skip(cursor, gap, len(held.chunk) - wanted)
        self._contents.window.release(held)


def _wanted(cursor: Cursor, chunk: Chunk) -> int:
    assert chunk.routed is not None
    return chunk.routed.count(cursor.number)


def _may_discard(cursors: Sequence[Cursor]) -> bool:
    """Whether all of them do."""
    return bool(cursors) and all(cursor.discards for cursor in cursors)


def _insist(cursors: Sequence[Cursor]) -> None:
    """They discard from now on, and until they move again."""
    for cursor in cursors:
        cursor.must_discard = True
