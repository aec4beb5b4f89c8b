"""Looks again and again which files there are, in a thread: when something has happened, and when it is time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from logrouter.runtime.tailing.globs import Look
from logrouter.runtime.tailing.watching import GATHER_SECONDS, Watching

LOOK_SHARE: Final = 20
"""Looking takes no more than a twentieth of the time, however much happens in the folders."""

Aside = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Calls a function that may take a while where nobody waits for it."""


class Looking:
    """For the files of one source."""

    def __init__(self, watching: Watching, aside: Aside, tell: Callable[[], None]) -> None:
        """`tell` is called when there is a look to be taken."""
        self._watching = watching
        self._aside = aside
        self._tell = tell
        self._look: Look | None = None
        self._wanted = trio.Event()

    def want(self) -> None:
        """Something has happened: look soon."""
        self._wanted.set()

    def take(self) -> Look | None:
        """What there was, where nobody has taken that yet."""
        look, self._look = self._look, None
        return look

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            started = trio.current_time()
            self._look = await self._aside(self._watching.look)
            self._tell()
            took = trio.current_time() - started
            with trio.move_on_after(self._watching.look_interval_seconds):
                await self._wanted.wait()
            await trio.sleep(max(GATHER_SECONDS, took * LOOK_SHARE))
            self._wanted = trio.Event()
