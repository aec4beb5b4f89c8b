"""Chunks in memory, and those of them that a sink has in hand."""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from logrouter.event import Chunk


class Held:
    """A chunk in memory, and who needs it there."""

    __slots__ = ("__weakref__", "being_sent", "chunk", "readers")

    def __init__(self, chunk: Chunk, readers: int) -> None:
        self.chunk = chunk
        self.readers = readers
        """Sinks that have not settled it."""
        self.being_sent = 0
        """Sinks that are sending it: it must stay."""


class InHand:
    """A chunk that a sink has read and not settled. Once it has been sent, it may leave the memory."""

    __slots__ = ("_being_sent", "_held", "end", "received_ns", "unwanted")

    def __init__(self, held: Held) -> None:
        self.end = held.chunk.end.sequence
        self.received_ns = held.chunk.received_ns
        self.unwanted = 0
        """How many of its events are not for the sink, where that was noted before the chunk may leave the memory."""
        self._being_sent: Held | None = held
        self._held: Callable[[], Held | None] = ref(held)
        held.being_sent += 1

    @property
    def held(self) -> Held | None:
        """The chunk, if it is in memory still."""
        return self._held()

    def put_down(self) -> Held | None:
        """It is not being sent any more."""
        if self._being_sent is not None:
            self._being_sent.being_sent -= 1
            self._being_sent = None
        return self.held

    @property
    def is_being_sent(self) -> bool:
        """Whether it must stay in memory for that."""
        return self._being_sent is not None

    @property
    def is_handed_over(self) -> bool:
        """Whether the sink itself holds what it has made of it."""
        return self._held is _nothing

    def hand_over(self) -> Held | None:
        """The sink itself holds what it has made of it: the chunk, if it needed it still, which it does no more."""
        held, self._held = self.put_down(), _nothing
        return held


def _nothing() -> None:
    """What is left of a chunk that was handed over."""
