"""The app: started once, sent what is sent to us, given time to end, and no more than that."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterable, Sequence
from typing import Final

from logrouter.supervisor import children, log
from logrouter.supervisor.signals import STOPPING, Signal

FATAL: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""They end a process that has made no arrangements of its own."""

STOP_SECONDS: Final = 5.0
"""How long it may take to stop, where it tidies up before (editors do) or has other plans."""


class App:
    """What is run: a command, which becomes a process, which becomes an exit code."""

    def __init__(self, command: list[str], mask: Iterable[int]) -> None:
        self.pid: int | None = None
        self.code: int | None = None
        """Known once it has ended, or could not be started."""
        self.kill_at = math.inf
        """When its time to end by itself is over."""
        self._command = command
        self._mask = mask
        self._stops_until = -math.inf
        """Until when we stop as soon as it has: we were asked to, both of us (Ctrl-Z)."""

    def start(self, outputs: Sequence[int] | None, *, pass_env: bool) -> None:
        """Start it, with these two as its stdout and stderr; None: ours. Where it cannot be, it has ended by that.

        Our settings, which may hold secrets, are not for its eyes, unless `pass_env` says so.
        """
        seen = {name: value for name, value in os.environ.items() if pass_env or not name.startswith("LOGROUTER_")}
        try:
            self.pid = children.start_app(self._command, seen, self._mask, outputs)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            self.code = children.EXIT_NOT_FOUND if missing else children.EXIT_NOT_EXECUTABLE
            log.complain("the app cannot be started", command=self._command[0], reason=error.strerror)

    def obey(self, received: Signal, now: float, grace_seconds: float) -> None:
        """Pass a signal on, unless it has got it already. SIGTERM is the beginning of its end."""
        if self.pid is None:  # it is not there yet, and need not come
            self.code = children.SIGNALLED + received.number if received.number in FATAL else None
            return
        if not received.reached_the_group:
            self._send(self.pid, received.number)
        if received.number in STOPPING:
            self._stops_until = now + STOP_SECONDS
            self.stop_beside_it(now)
        elif received.number == signal.SIGCONT:
            self._stops_until = -math.inf
        if received.number == signal.SIGTERM:
            self.kill_at = min(self.kill_at, now + grace_seconds)

    def act(self, now: float) -> None:
        """Kill it, if its time is over."""
        if self.pid is not None and now >= self.kill_at:
            log.complain("the app has not ended in time, and is killed", command=self._command[0])
            self._send(self.pid, signal.SIGKILL)
            self.kill_at = math.inf

    def _send(self, pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except PermissionError:  # it has become another user's: sudo, su
            log.complain("the app takes no signals from us", signal=signal.strsignal(number))

    def stop_beside_it(self, now: float) -> None:
        """Where it has stopped, and that was asked of both, so do we, for our shell to see, until that says to go on.

        That it was asked and that it has stopped may be seen in any order. What somebody else has stopped, and lets go
        on, is none of our business.
        """
        if self.pid is not None and now < self._stops_until and children.is_stopped(self.pid):
            self._stops_until = -math.inf
            os.kill(os.getpid(), signal.SIGSTOP)

    def has_ended(self, code: int) -> None:
        """It has."""
        self.pid, self.code, self.kill_at = None, code, math.inf
