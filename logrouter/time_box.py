"""Foreign code is given so much time, and ended if it takes more: by an exception, wherever it is.

The one way that ends a loop, a sleep and a wait for a socket alike is a signal whose handler raises. Python runs
handlers in the main thread, between two steps of the interpreter and where a system call is interrupted; so this works
there alone (elsewhere nothing is limited), and not in C code that never looks for signals.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, TypeVar

A = TypeVar("A")
R = TypeVar("R")

_AGAIN_SECONDS: Final = 1.0
"""After so long it is tried again: what was raised may have been swallowed, by `except:` or in a `__del__`."""


class TimeUp(BaseException):
    """Raised inside of what takes too long. No `Exception`, which foreign code catches to go on."""

    def __init__(self, frame: FrameType | None) -> None:
        super().__init__("it took too long")
        self.frame = frame
        """What ran at that moment."""


def run_within(seconds: float, function: Callable[[A], R], argument: A) -> R:
    """Call a function. Raises TimeUp where it takes longer than these seconds, and what it raises itself."""
    running = True

    def end(number: int, frame: FrameType | None) -> None:
        if running:
            raise TimeUp(frame)

    try:
        handler: Any = signal.signal(signal.SIGALRM, end)
    except ValueError:  # not the main thread
        return function(argument)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        try:
            return function(argument)
        finally:
            running = False
    finally:  # also where it was raised just behind the function's end
        running = False
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)
