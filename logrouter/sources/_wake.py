"""What the supervisor says to the source `run`: that there is something to read, and at last that this was all."""

from __future__ import annotations

import os

import trio


class Wake:
    """Its pipe, out of which lines come; see `supervisor/router.py`."""

    def __init__(self, fd: int) -> None:
        self.ended = False
        """The app has ended, and all it wrote can be read; or the supervisor has gone."""
        self.seconds_left: float | None = None
        """How long delivering it may take then. None: nobody said."""
        self._fd = fd
        self._waiting: trio.CancelScope | None = None
        self._stopped = False

    async def wait(self) -> None:
        """Until something is said. Returns at once after `stop`, and after the end."""
        if self._stopped or self.ended:
            await trio.lowlevel.checkpoint()
            return
        with trio.CancelScope() as self._waiting:
            await trio.lowlevel.wait_readable(self._fd)
            self._understand(os.read(self._fd, 65536))
        self._waiting = None

    def stop(self) -> None:
        """Nobody listens any more."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()

    def _understand(self, said: bytes) -> None:
        if not said:
            self.ended = True
        for line in said.splitlines():
            if line.startswith(b"end "):
                self.ended = True
                self.seconds_left = float(line[4:])
