"""A transport that is made when it is first asked for something, beside all else that runs.

What speaks HTTP takes 50 ms to import and more: events for other sinks need not wait for it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import trio

from logrouter.runtime.threads import in_thread
from logrouter.runtime.transports import PlainTransport, Transport


class LateTransport(PlainTransport):
    """Does what the transport does that it stands for."""

    def __init__(self, make: Callable[[], Transport]) -> None:
        """`make` is called once, in a thread."""
        self._make = make
        self._made: Transport | None = None
        self._making = trio.Lock()

    async def perform(self, instruction: Any) -> Any:
        """Have it done."""
        transport = self._made or await self._make_once()
        return await transport.perform(instruction)

    async def _make_once(self) -> Transport:
        """However many instructions wait for it."""
        async with self._making:
            if self._made is None:
                self._made = await in_thread(self._make)
                gc.freeze()  # modules stay: the garbage collector would look through them for milliseconds
        return self._made

    async def aclose(self) -> None:
        """Let go of everything there is."""
        if self._made is not None:
            await self._made.aclose()

    def reopen(self) -> None:
        """Open destinations anew at the next instruction, where there were any."""
        if self._made is not None:
            self._made.reopen()
