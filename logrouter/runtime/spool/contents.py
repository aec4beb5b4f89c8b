"""What a spool holds, in memory and in the log behind it, and for whom.

Whoever waits does it here: to read what comes, or for room. Who may discard what is said by `discarding.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from logrouter.cursors import Gap, Memory, Tally
from logrouter.routers import Routers
from logrouter.runtime.log import Log
from logrouter.runtime.spool.cursor import Cursor
from logrouter.runtime.spool.held import Held
from logrouter.runtime.spool.window import Window

if TYPE_CHECKING:
    from logrouter.runtime.spool.keeper import Keeper
    from logrouter.runtime.spool.log_reader import Loaded


class Contents:
    """Chunks, and the cursors of the sinks that need them."""

    def __init__(
        self,
        cursors: dict[int, Cursor],
        routers: Routers,
        log: Log,
        epoch: int,
        budget_bytes: int,
        keeper: Keeper | None,
    ) -> None:
        """`cursors`: by the numbers of their sinks. `keeper`, of the same cursors: where there is a log."""
        self.epoch = epoch
        self.cursors = cursors
        for number, cursor in cursors.items():
            cursor.number = number
        self.routers = routers
        self.keeper = keeper
        self.appended = keeper.store.end if keeper else 0
        """The sequence that the next event gets."""
        self.window = Window(budget_bytes, keeper, self.look_again)
        self.readers = trio.lowlevel.ParkingLot()
        """Where sinks wait for something to read."""
        self.changed = trio.lowlevel.ParkingLot()
        """Where sources wait until there may be room."""
        self._log = log

    @property
    def logged_end(self) -> int:
        """Where the log ends, if there is one."""
        return self.keeper.store.end if self.keeper is not None else 0

    def wake(self) -> None:
        """Wake all that wait."""
        self.wake_readers()
        self.look_again()

    def wake_readers(self) -> None:
        """Wake all that wait to read."""
        self.readers.unpark_all()

    def look_again(self) -> None:
        """There may be room now."""
        self.changed.unpark_all()

    def leader(self) -> int | None:
        """What the sink that leads reads next, if it is alive and in the window."""
        now = trio.current_time()
        cursors = self.cursors.values()
        live = [cursor.next for cursor in cursors if cursor.is_live(now)]
        leader = max(live, default=None)
        return leader if leader == self.appended or leader in self.window else None

    def skip(self, cursor: Cursor, gap: Gap, unmatched: int) -> None:
        """Count events that a sink will not get."""
        with self.telling(cursor):
            cursor.skip(gap, unmatched)

    @contextmanager
    def telling(self, cursor: Cursor) -> Iterator[None]:
        """Say so where a cursor cannot be written: it holds all the same, and is written with the next change."""
        try:
            yield
        except OSError as error:
            self._log.error("cannot write a cursor", sink=cursor.name, reason=error.strerror)

    def find(self, cursor: Cursor, sequence: int) -> Held | Gap | None:
        """The chunk of that sequence, from memory or from the log; the gap where the log should hold it."""
        held = self.window.get(sequence)
        if held is not None or self.keeper is None or sequence >= self.keeper.store.end:
            return held
        from logrouter.runtime.spool.log_reader import Missing  # without a log it is not loaded

        found = self.keeper.store.load(sequence, cursor.spot)
        if isinstance(found, Missing):
            counted_from = cursor.gap_behind(sequence) or cursor.end(self.appended)
            end = min(found.end, counted_from)
            times = cursor.read_ns, found.before_ns or cursor.read_ns or time.time_ns()
            return Gap(self.epoch, sequence, end, end - sequence, "lost", found.reason, *times)
        return self._take_in(found, cursor) if found is not None else None

    def _take_in(self, loaded: Loaded, cursor: Cursor) -> Held:
        """Hold a chunk from the log. It may have to be cut, so that its classes are few enough."""
        cursor.spot = loaded.spot
        pieces = []
        for piece in self.routers.route(loaded.chunk):
            if (held := self.window.get(piece.offset.sequence)) is not None:
                pieces.append(held)
                continue
            self.window.make_room(piece, self.leader())
            readers = sum(not other.closed and other.wants_any(piece) for other in self.cursors.values())
            pieces.append(Held(piece, readers))
            self.window.hold(pieces[-1])
        return pieces[0]

    def commit(self, cursor: Cursor, end: int, tally: Tally, carried: Memory | None = None) -> None:
        """Everything before `end` is settled at a sink: its chunks may go."""
        with self.telling(cursor):
            cursor.commit(end, tally, carried)
        for held in cursor.settle(end, trio.current_time()):
            self.window.release(held)
        if self.keeper is not None:
            self.keeper.work()
            self.look_again()  # what this sink needs no more may leave the memory, whoever else does
