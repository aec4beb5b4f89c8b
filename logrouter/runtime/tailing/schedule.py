"""Whose turn it is: files that have something to read, one block each in turn. Pure; times are seconds.

A file is in one of three states:

    quiet      nothing to read as far as is known: somebody has to `wake` it
    ready      read as soon as it is its turn; a full block brings it to the end of the queue
    resting    it was read, and will be again: while lines keep coming, reads of a file are an interval apart

A line that comes after a quiet moment is read at once. The interval is that of stdin, or a millisecond for each file
that keeps coming, where that is more: what a read costs beside its bytes then takes no more than a part of a core,
however many files there are.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import Final, Generic, Protocol, TypeVar

INTERVAL_SECONDS: Final = 0.02
INTERVAL_PER_FILE_SECONDS: Final = 0.001


class Scheduled(Protocol):
    """What a schedule remembers with a file."""

    due: float | None
    """When it is read next. None: it is quiet."""
    read_at: float
    """When it was read last."""


F = TypeVar("F", bound=Scheduled)


class Schedule(Generic[F]):
    """Of all files of one source."""

    def __init__(self) -> None:
        self._ready: deque[tuple[float, F]] = deque()
        self._resting: list[tuple[float, int, F]] = []
        self._number = 0

    @property
    def interval_seconds(self) -> float:
        """How far apart the reads of one file are."""
        return max(INTERVAL_SECONDS, len(self._resting) * INTERVAL_PER_FILE_SECONDS)

    def read_next(self, file: F, now: float) -> None:
        """Read it when all that are ready have had their turn."""
        file.due = now
        self._ready.append((now, file))

    def read_at(self, file: F, due: float) -> None:
        """Read it then."""
        file.due = due
        self._number += 1
        heappush(self._resting, (due, self._number, file))

    def rest(self, file: F, now: float) -> None:
        """It was read, and there may be more soon."""
        self.read_at(file, now + self.interval_seconds)

    def wake(self, file: F, now: float) -> None:
        """There is something to read in it."""
        if file.due is not None and file.due <= now + self.interval_seconds:
            return  # that is soon enough; what is due later waits for something else
        due = file.read_at + INTERVAL_SECONDS
        if due <= now:
            self.read_next(file, now)
        else:
            self.read_at(file, due)

    def quiet(self, file: F) -> None:
        """It has been read to its end, or is read no more."""
        file.due = None

    def pop(self, now: float) -> F | None:
        """The file whose turn it is; it is quiet until it is told otherwise."""
        while self._resting and self._resting[0][0] <= now:
            due, _, file = heappop(self._resting)
            if file.due == due:
                self._ready.append((due, file))
        while self._ready:
            due, file = self._ready.popleft()
            if file.due == due:
                file.due = None
                return file
        return None

    @property
    def next_due(self) -> float:
        """When `pop` will give one."""
        while self._resting and self._resting[0][2].due != self._resting[0][0]:
            heappop(self._resting)
        return self._resting[0][0] if self._resting else float("inf")
