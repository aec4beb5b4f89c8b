"""Signals as something to wait for beside pipes, each with who sent it.

A Python handler is not told the sender, and signalfd(2) is not in the standard library. So every signal that can be
caught is blocked, which also keeps it from interrupting anything, and a thread does nothing but wait for the next.
"""

from __future__ import annotations

import _thread
import os
import signal
from collections import deque
from typing import Final, NamedTuple

CATCHABLE: Final = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
STOPPING: Final = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
"""They stop a process until SIGCONT, unless it wants otherwise (Ctrl-Z)."""
_SI_KERNEL: Final = 0x80
"""`si_code` of what the kernel sends by itself (sigaction(2)): a terminal does, to its foreground process group."""


class Signal(NamedTuple):
    """One that came."""

    number: int
    by_kernel: bool

    @property
    def reached_the_group(self) -> bool:
        """Whether everybody in our process group has got it as well: Ctrl-C and its like.

        A terminal that is hung up tells the leader of its session alone, which we are where no shell is between (a
        container with a terminal).
        """
        return self.by_kernel and not (self.number == signal.SIGHUP and os.getsid(0) == os.getpid())


class Signals:
    """All that are sent to this process, from now on."""

    def __init__(self) -> None:
        self.mask_before = signal.pthread_sigmask(signal.SIG_BLOCK, CATCHABLE)
        """What was blocked when we were started: children begin with the same."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nobody can be waited for
        self._came: deque[Signal] = deque()
        self._bell, self._rope = os.pipe()
        os.set_blocking(self._bell, False)
        _thread.start_new_thread(self._receive, ())

    def fileno(self) -> int:
        """Becomes readable when one comes."""
        return self._bell

    def take(self) -> list[Signal]:
        """Those that have come."""
        try:
            rung = len(os.read(self._bell, 4096))
        except BlockingIOError:
            return []
        return [self._came.popleft() for _ in range(rung)]

    def _receive(self) -> None:
        while True:
            info = signal.sigwaitinfo(CATCHABLE)
            self._came.append(Signal(info.si_signo, info.si_code == _SI_KERNEL))
            os.write(self._rope, b"!")
