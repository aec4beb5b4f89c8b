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
from typing import Literal

from logrouter.cursors import Gap, Tally
from logrouter.routing import Router
from logrouter.runtime.spool.contents import Contents
from logrouter.runtime.spool.cursor import NOWHERE, Cursor


class Members:
    """The sinks of one spool."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def reroute(self, router: Router) -> None:
        """What is appended from now on is routed by another router."""
        contents = self._contents
        contents.routers.follow(router, contents.appended)
        contents.routers.forget(
            min((cursor.state.committed for cursor in contents.cursors.values()), default=contents.appended)
        )

    def come(self, number: int, cursor: Cursor, *, is_new: bool, start: Literal["beginning", "end"] = "end") -> None:
        """Another sink reads from now on. `is_new`: nothing is known of it; its cursor was written down a moment ago,
        while more events came. `start`: where it begins then, see `SinkConfig`."""
        contents = self._contents
        cursor.number = number
        if is_new:
            with contents.telling(cursor):
                cursor.begin_at(self.oldest() if start == "beginning" else contents.appended)
        cursor.ledger.read = contents.appended - cursor.state.origin
        contents.cursors[number] = cursor
        self._skip_what_is_gone(cursor)
        for held in contents.window:
            held.readers += cursor.wants_any(held.chunk)
        contents.wake()

    def oldest(self) -> int:
        """The oldest event that is held with all that came after it, so that nothing would be missing."""
        window = self._contents.window.contiguous_from(self._contents.appended)
        keeper = self._contents.keeper
        if keeper is None or not keeper.eager or window > keeper.store.end:
            return window
        return min(window, keeper.store.oldest)

    def _skip_what_is_gone(self, cursor: Cursor) -> None:
        """What all others have settled need be neither in memory nor in the log."""
        held_from = self._contents.window.contiguous_from(self._contents.appended)
        first = max(cursor.next, self._contents.logged_end)
        if first < held_from:
            gap = self._gap(first, held_from, held_from - first, "not_kept")
            self._contents.skip(cursor, gap, 0)

    def _gap(self, first: int, end: int, events: int, reason: str) -> Gap:
        now_ns = time.time_ns()
        return Gap(self._contents.epoch, first, end, events, "lost", reason, now_ns, now_ns)

    def stop(self, number: int) -> None:
        """Whoever delivers for the sink comes to its end with what it has read, or noted."""
        cursor = self._contents.cursors[number]
        cursor.stops_at = max(cursor.next, cursor.noted_end)
        self._contents.wake()

    def take_over(self, before: int, number: int) -> None:
        """The sink goes by another number: whoever delivers for that begins with what is not settled."""
        contents = self._contents
        cursor = contents.cursors[before]
        if cursor.closed:  # all that came meanwhile is counted
            contents.commit(cursor, contents.appended, Tally())
            cursor.closed = False
        del contents.cursors[before]
        contents.cursors[number] = cursor
        cursor.number = number
        cursor.rewind()
        cursor.stops_at = NOWHERE
        contents.wake()

    def remove(self, number: int) -> None:
        """The sink gets what has been appended, and no more."""
        cursor = self._contents.cursors[number]
        cursor.stops_at = self._contents.appended
        with self._contents.telling(cursor):
            cursor.end_at(self._contents.appended)
        self._contents.wake()

    def abandon(self, number: int) -> None:
        """Nobody delivers for a removed sink any more. What is left of it stands in nobody's way."""
        cursor = self._contents.cursors[number]
        cursor.rewind()
        cursor.when_full = "discard_oldest"
        self._contents.wake()

    def restore(self, number: int) -> None:
        """A sink that was removed is there again: what came meanwhile was none of its business."""
        cursor, appended = self._contents.cursors[number], self._contents.appended
        ended_at = cursor.ends_at
        cursor.ledger.read += appended - ended_at
        with self._contents.telling(cursor):
            cursor.end_at(None)
        if ended_at < appended:
            self._contents.skip(cursor, self._gap(ended_at, appended, 0, "removed"), appended - ended_at)

    def forget(self, number: int) -> None:
        """A removed sink has got everything."""
        cursor = self._contents.cursors.pop(number)
        with self._contents.telling(cursor):
            cursor.remove()
        self._contents.wake()
