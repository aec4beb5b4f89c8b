"""Steps that leave events out tell of it, also when nothing else comes: they are asked once a second, and at the end.

What they tell is appended like what is read, behind what was read before. It waits for room as sources do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from logrouter.runtime.reading import RunningSource

_SECONDS: Final = 1.0


class Telling:
    """Asks the steps of all sources."""

    def __init__(self, sources: Sequence[RunningSource]) -> None:
        """`sources`: those there are at any time."""
        self._sources = sources
        self._one_at_a_time = trio.Lock()
        """Whoever ends waits for what is being appended."""

    async def run(self) -> None:
        """Ask once a second, until cancelled."""
        while True:
            await trio.sleep(_SECONDS)
            async with self._one_at_a_time:
                for source in list(self._sources):
                    await source.tell_overdue()

    async def conclude(self, removed: RunningSource | None = None) -> None:
        """No more events come: of a source that was removed, or of any."""
        async with self._one_at_a_time:
            if removed is None:
                for source in list(self._sources):
                    await source.tell_overdue(ending=True)
            else:
                kept = [each.step for source in self._sources if source is not removed for each in source.chain.steps]
                await removed.tell_overdue(ending=True, kept=kept)
