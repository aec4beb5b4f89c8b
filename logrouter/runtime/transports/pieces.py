"""Bodies of requests in the pieces in which they are written: each has its own deadline.

A piece that is written costs 0.1 ms of CPU, so that they should be large; and a slow line must carry one in time, so
that they should be small. A connection begins with small ones. Once it has shown that it is quick it gets large ones;
if then it stalls it is closed, and the next one begins with small ones again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

SMALL_BYTES: Final = 256 * 1024
LARGE_BYTES: Final = 4 * SMALL_BYTES
_QUICK_SHARE: Final = 8
"""A connection is quick that has carried a small piece, and brought the answer, in so small a part of the deadline: so
a large one takes no more than half of it."""


class Pace:
    """How large the pieces are that one connection is given."""

    def __init__(self, deadline_seconds: float) -> None:
        self.piece_bytes = SMALL_BYTES
        self._quick_seconds = deadline_seconds / _QUICK_SHARE

    def learn(self, body_bytes: int, seconds: float) -> None:
        """A body was carried, and answered, in so much time."""
        if body_bytes >= SMALL_BYTES:  # what is smaller tells nothing
            self.piece_bytes = LARGE_BYTES if seconds < self._quick_seconds else SMALL_BYTES


def cut(parts: Iterable[bytes], size: int) -> Iterator[bytes | memoryview]:
    """The parts in pieces of at most so many bytes. A part that is no longer is the same object: nobody copies it."""
    for part in parts:
        if len(part) <= size:
            yield part
            continue
        for start in range(0, len(part), size):
            yield memoryview(part)[start : start + size]
