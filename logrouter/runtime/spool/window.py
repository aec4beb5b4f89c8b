"""The chunks in memory: a window on the log, bounded in bytes.

Without a log behind it, a chunk stays until every sink has settled it. With one, the oldest that are not being sent
leave when room is needed, and are read again by whoever needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from logrouter.event import Chunk
from logrouter.runtime.spool.held import Held

if TYPE_CHECKING:
    from logrouter.runtime.spool.keeper import Keeper


class Window:
    """First sequence → chunk."""

    def __init__(self, budget_bytes: int, keeper: Keeper | None, changed: Callable[[], object]) -> None:
        """`changed` is called when something has left."""
        self.budget_bytes = budget_bytes
        self.held_bytes = 0
        self._keeper = keeper
        self._changed = changed
        self._chunks: dict[int, Held] = {}
        """In the order in which they came there."""

    def __iter__(self) -> Iterator[Held]:
        return iter(self._chunks.values())

    def __contains__(self, sequence: object) -> bool:
        return sequence in self._chunks

    def get(self, sequence: int) -> Held | None:
        """The chunk that begins there, if it is in memory."""
        return self._chunks.get(sequence)

    def contiguous_from(self, end: int) -> int:
        """Where those chunks begin that lead up to this sequence without a hole."""
        by_end = {held.chunk.end.sequence: held.chunk.offset.sequence for held in self._chunks.values()}
        while end in by_end:
            end = by_end[end]
        return end

    def hold(self, held: Held) -> None:
        """Take a chunk in."""
        self._chunks[held.chunk.offset.sequence] = held
        self.held_bytes += held.chunk.size_bytes

    def release(self, held: Held) -> None:
        """One sink less needs it."""
        held.readers -= 1
        if held.readers <= 0:
            self._drop(held)

    def make_room(self, chunk: Chunk, leader: int | None) -> bool:
        """Whether a chunk fits, after others have left. What the sink that leads reads next, and all behind, stays."""
        while self.held_bytes + chunk.size_bytes > self.budget_bytes and self._chunks:
            if not self._evict(leader):
                return False
        return True

    def _evict(self, leader: int | None) -> bool:
        """Take the oldest chunk out that can be read from the log again."""
        if self._keeper is None:
            return False
        can_save = True
        for held in self._chunks.values():
            if held.being_sent or (leader is not None and held.chunk.offset.sequence >= leader):
                continue
            if not self._keeper.is_saved(held):
                can_save = can_save and self._keeper.save(held)
                if not can_save:
                    continue  # others may be in the log
            self._drop(held)
            return True
        return False

    def _drop(self, held: Held) -> None:
        """Take a chunk out, if it is there."""
        if self._chunks.get(held.chunk.offset.sequence) is held:
            del self._chunks[held.chunk.offset.sequence]
            self.held_bytes -= held.chunk.size_bytes
            self._changed()
