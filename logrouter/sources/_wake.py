"""What the supervisor says to the source `run`: that there is something to read, and at last that this was all."""

from __future__ import annotations

import os
from collections.abc import Callable

import trio


class Wake:
    """Its pipe, out of which lines come; see `supervisor/router.py`."""

    def __init__(self, fd: int) -> None:
        self.ended = False
        """The app has ended, and all it wrote can be read; or the supervisor has gone."""
        self.seconds_left: float | None = None
        """How long delivering it may take then. None: nobody said."""
        self._fd = fd
        self._stopped = False
        self._said = trio.Event()

    async def listen(self, ending: Callable[[float], None]) -> None:
        """Take in what is said, to the end; `ending` is told how many seconds are left then."""
        while not self.ended:
            await trio.lowlevel.wait_readable(self._fd)
            self._understand(os.read(self._fd, 65536))
            self._wake_up()
        if self.seconds_left is not None:
            ending(self.seconds_left)

    async def wait(self, deadline: float = float("inf")) -> None:
        """Until something is said, or the deadline. Returns at once after `stop`, and after the end."""
        if self._stopped or self.ended:
            await trio.lowlevel.checkpoint()
        else:
            with trio.move_on_at(deadline):
                await self._said.wait()

    async def wait_for_end(self) -> None:
        """Until there is nothing more to be said, or `stop`."""
        while not (self._stopped or self.ended):
            await self.wait()

    def stop(self) -> None:
        """Nobody waits any more."""
        self._stopped = True
        self._wake_up()

    def _wake_up(self) -> None:
        self._said.set()
        self._said = trio.Event()

    def _understand(self, said: bytes) -> None:
        if not said:
            self.ended = True
        for line in said.splitlines():
            if line.startswith(b"end "):
                self.ended = True
                self.seconds_left = float(line[4:])
