"""One of the app's two outputs on its way: out of its pipe, to where the router and a reader of ours get it.

While little comes, 20 ms pass between one move and the next, as the pipe holds what comes meanwhile; what comes after a
quiet moment is moved at once, and so is what might fill the pipe. As long as somebody has not taken all of what was
read last, no more is read, and the app waits as it would without us.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import termios
from collections.abc import Container
from typing import Final

from logrouter.supervisor import log
from logrouter.supervisor.capture import Capture
from logrouter.supervisor.outlet import Outlet

INTERVAL_SECONDS: Final = 0.02
READ_BYTES: Final = 256 * 1024
BUSY_BYTES: Final = READ_BYTES // 4
"""More than this at once is followed by the next without a pause."""
QUIET_SECONDS: Final = 0.25
"""Who holds the app's pipes after its end is listened to until nothing has come for so long."""


class Stream:
    """The app's stdout or stderr."""

    def __init__(self, name: str, source: int, target: Capture | Outlet, tee: Outlet | None) -> None:
        """`source`: the end of the app's pipe to read from. `target`: where the router finds it."""
        self.ended = False
        """Nothing more will come: nobody holds the other end, or it was closed here."""
        self.moved_at = float("-inf")
        """When something came last."""
        self.due = float("-inf")
        """When the next move may be."""
        self._name = name
        self._source = source
        self._target = target
        self._tee = tee
        self._for_target = self._for_tee = memoryview(b"")
        self._lacks_room = False
        """Whether what is in the pipe could not be captured when that was tried last."""
        os.set_blocking(source, False)

    @property
    def is_stuck(self) -> bool:
        """Whether something waits here that somebody has not taken yet."""
        return self._holds_some or self._lacks_room

    @property
    def _holds_some(self) -> bool:
        """Whether somebody has not taken all of what was read last."""
        return bool(self._for_target or self._for_tee)

    def waits_for(self, now: float) -> dict[int, int]:
        """What to poll, and for what, before the next move."""
        if self.ended:
            return {}
        waits = {}
        if self._tee and self._for_tee:
            waits[self._tee.fd] = select.POLLOUT
        if self._for_target and isinstance(self._target, Outlet):
            waits[self._target.fd] = select.POLLOUT
        return waits if self._holds_some or now < self.due else {self._source: select.POLLIN}

    def act(self, now: float, ready: Container[int]) -> bool:
        """Move what there is, if it is time; `ready`: what polls so. Gives whether the router has something to read."""
        if self.ended:
            return False
        if self._holds_some:
            self._hand_out(now)
        elif now >= self.due and self._source in ready:
            return self._move(now)
        return False

    def hurry(self) -> None:
        """What is left need not wait for more."""
        self.due = float("-inf")

    def give_up(self) -> None:
        """The app has ended, and its time is over, or who else holds the other end is quiet: it is read no more."""
        if not self.ended and not self.is_stuck:
            log.warn("a process that the app left behind holds its output: it is read no more", stream=self._name)
        if untaken := max(len(self._for_target), len(self._for_tee)) + self._left_in_pipe():
            log.complain("the end of the app's output was not taken", stream=self._name, bytes=untaken)
        self.close()

    def _left_in_pipe(self) -> int:
        """How many bytes nobody has read."""
        if self.ended:
            return 0
        return int.from_bytes(fcntl.ioctl(self._source, termios.FIONREAD, bytes(4)), sys.byteorder)

    def close(self) -> None:
        """Read no more: who writes into it from now on is told so (SIGPIPE)."""
        if not self.ended:
            self.ended = True
            os.close(self._source)
            self._target.close()

    def _move(self, now: float) -> bool:
        moved = self._moved(now)
        self._lacks_room = moved is None  # as there is something: it polled so
        if moved == 0:
            self.close()
        elif moved is None or moved < BUSY_BYTES:
            self.due = now + INTERVAL_SECONDS
        if moved:
            self.moved_at = now
        return bool(moved)

    def _moved(self, now: float) -> int | None:
        """How many bytes were moved. 0: the end; None: none for now."""
        if self._tee and self._tee.gone:
            self._tee = None
        if isinstance(self._target, Capture) and self._target.splices and not self._tee:
            return self._target.splice(self._source, now)
        try:
            data = os.read(self._source, READ_BYTES)
        except BlockingIOError:
            return None
        self._for_target = self._for_tee = memoryview(data)
        self._hand_out(now)
        return len(data)

    def _hand_out(self, now: float) -> None:
        """Give both what they take."""
        self._for_target = self._target.write(self._for_target, now)
        self._for_tee = self._tee.write(self._for_tee, now) if self._tee else memoryview(b"")
        if self._for_target and isinstance(self._target, Capture):  # which cannot be polled
            self.due = now + INTERVAL_SECONDS
