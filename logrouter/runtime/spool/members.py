"""Which sinks there are: they come, take over from another, and are removed while the spool is in use.

    come        a new one begins with the events to come, or with the oldest that are held; one whose cursor was found
                goes on there
    stop        whoever delivers for it reads no further than it has, or than what is noted; then another takes over
    remove      it gets what was appended before, and what comes is none of its business
    abandon     nobody delivers what is left for it: that is held until room is needed, and can be exported
    restore     a sink that was removed is there again before all of that has happened
    forget      it has got everything: its cursor is deleted

A sink's number stands for one set of options: whoever takes over has another, for the same cursor.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from logrouter.cursors import Gap, Tally
from logrouter.routing import Router
from logrouter.runtime.spool.cursor import NOWHERE, Cursor

if TYPE_CHECKING:
    from logrouter.runtime.spool.local import LocalSpool


class Members:
    """The sinks of one spool."""

    def __init__(self, spool: LocalSpool) -> None:
        self._spool = spool

    def reroute(self, router: Router) -> None:
        """What is appended from now on is routed by another router."""
        spool = self._spool
        spool.routers.follow(router, spool.appended)
        spool.routers.forget(min((cursor.state.committed for cursor in spool.cursors.values()), default=spool.appended))

    def come(self, number: int, cursor: Cursor, *, is_new: bool, start: Literal["beginning", "end"] = "end") -> None:
        """Another sink reads from now on. `is_new`: nothing is known of it; its cursor was written down a moment ago,
        while more events came. `start`: where it begins then, see `SinkConfig`."""
        spool = self._spool
        cursor.number = number
        if is_new:
            with spool.telling(cursor):
                cursor.begin_at(self.oldest() if start == "beginning" else spool.appended)
        cursor.ledger.read = spool.appended - cursor.state.origin
        spool.cursors[number] = cursor
        self._skip_what_is_gone(cursor)
        for held in spool.window:
            held.readers += cursor.wants_any(held.chunk)
        spool.wake()

    def oldest(self) -> int:
        """The oldest event that is held with all that came after it, so that nothing would be missing."""
        window = self._spool.window.contiguous_from(self._spool.appended)
        keeper = self._spool.keeper
        if keeper is None or not keeper.eager or window > keeper.store.end:
            return window
        return min(window, keeper.store.oldest)

    def _skip_what_is_gone(self, cursor: Cursor) -> None:
        """What all others have settled need be neither in memory nor in the log."""
        held_from = self._spool.window.contiguous_from(self._spool.appended)
        first = max(cursor.next, self._spool.logged_end)
        if first < held_from:
            gap = self._gap(first, held_from, held_from - first, "not_kept")
            self._spool.skip(cursor, gap, 0)

    def _gap(self, first: int, end: int, events: int, reason: str) -> Gap:
        now_ns = time.time_ns()
        return Gap(self._spool.epoch, first, end, events, "lost", reason, now_ns, now_ns)

    def stop(self, number: int) -> None:
        """Whoever delivers for the sink comes to its end with what it has read, or noted."""
        cursor = self._spool.cursors[number]
        cursor.stops_at = max(cursor.next, cursor.noted_end)
        self._spool.wake()

    def take_over(self, before: int, number: int) -> None:
        """The sink goes by another number: whoever delivers for that begins with what is not settled."""
        spool = self._spool
        cursor = spool.cursors[before]
        if cursor.closed:  # all that came meanwhile is counted
            spool.commit(before, spool.appended, Tally())
            cursor.closed = False
        del spool.cursors[before]
        spool.cursors[number] = cursor
        cursor.number = number
        cursor.rewind()
        cursor.stops_at = NOWHERE
        spool.wake()

    def remove(self, number: int) -> None:
        """The sink gets what has been appended, and no more."""
        cursor = self._spool.cursors[number]
        cursor.stops_at = self._spool.appended
        with self._spool.telling(cursor):
            cursor.end_at(self._spool.appended)
        self._spool.wake()

    def abandon(self, number: int) -> None:
        """Nobody delivers for a removed sink any more. What is left of it stands in nobody's way."""
        cursor = self._spool.cursors[number]
        cursor.rewind()
        cursor.when_full = "discard_oldest"
        self._spool.wake()

    def restore(self, number: int) -> None:
        """A sink that was removed is there again: what came meanwhile was none of its business."""
        cursor, appended = self._spool.cursors[number], self._spool.appended
        ended_at = cursor.ends_at
        cursor.ledger.read += appended - ended_at
        with self._spool.telling(cursor):
            cursor.end_at(None)
        if ended_at < appended:
            self._spool.skip(cursor, self._gap(ended_at, appended, 0, "removed"), appended - ended_at)

    def forget(self, number: int) -> None:
        """A removed sink has got everything."""
        cursor = self._spool.cursors.pop(number)
        with self._spool.telling(cursor):
            cursor.remove()
        self._spool.wake()
