"""The router's life, as the supervisor sees it.

It is told by the variable LOGROUTER_SUPERVISED (JSON) which descriptors it has inherited for what, and answers through
one of them, `status`, a line of JSON for each change:

    {"state": "starting", …}  it knows its flags; with it comes whether the app may run without it
    {"state": "ready", …}     its sources are open; with it comes what the config says of us (`Terms`)
    {"state": "changed", …}   the config was read anew: the times that it gives us now
    {"state": "closed"}       no sink will ever take anything more: whoever read them has gone

In the other direction, through `wake`, goes a line for each time that there is something to be read in the capture
files, and at last `end SECONDS`: the app has ended, all it wrote is there, and so long may delivering it take. Should
we vanish, that pipe ends without it.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from contextlib import suppress
from typing import Any, Final, NamedTuple

from logrouter.supervisor import STREAMS, children, log

PIPE_BYTES: Final = 1024 * 1024
"""A pipe is grown to this: it is what an unprivileged process may ask for."""
WAKE_INTERVAL_SECONDS: Final = 0.02
FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 30.0
LASTING_SECONDS: Final = 1.0
"""A router that was ready for so long did not die of its start, or of what it found to read."""
TIMES: Final = ("app_grace", "shutdown_timeout")
"""What may change while the app runs."""
DELIVERED: Final = (0, 74, 75)
"""The exit codes of a router that has come to its end, whatever could be delivered by then."""


class CaptureTerms(NamedTuple):
    """Where the app's output is to be kept for the router, and how much of it."""

    folder: str
    max_size: int
    """In bytes, of both streams together."""
    block_seconds: float | None
    """How long the app waits when that is full, before its oldest output is discarded. None: for ever."""
    offsets: dict[str, int]
    """Stream → how far it was read in earlier runs, in bytes: the next begins there."""


class Terms(NamedTuple):
    """What the config says of the supervisor."""

    pass_env: bool = False
    """Whether the app gets to see our own variables."""
    tee: bool = False
    """Whether the app's output goes to our own as well."""
    app_grace: float = 15.0
    """Seconds from SIGTERM to SIGKILL."""
    shutdown_timeout: float = 25.0
    """Seconds for everything, from SIGTERM or the app's end."""
    capture: CaptureTerms | None = None
    """None: through pipes."""


def grown_pipe() -> tuple[int, int]:
    """A pipe that holds as much as it may: its ends to read from, and to write to."""
    reader, writer = os.pipe()
    with suppress(OSError):  # over the user's limit it stays as it is
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reader, writer


class Router:
    """The process that routes, started anew whenever it dies."""

    def __init__(self, flags: list[str], mask: set[int], app: str) -> None:
        self.pid: int | None = None
        self.status: int | None = None
        """To be polled for what it says."""
        self.terms: Terms | None = None
        """From its first `ready` on. Later ones change times alone: the app is running by then."""
        self.closed = False
        """Whether it has said that no sink will take anything more."""
        self.may_be_missing = False
        """Whether the app runs without it where it cannot be started."""
        self.due = math.inf
        """When there is something to do: to start it, or to wake it."""
        pipes = {name: grown_pipe() for name in STREAMS}
        self.writers = {name: writer for name, (_, writer) in pipes.items()}
        """What it reads, where there are no capture files."""
        self._readers = {name: reader for name, (reader, _) in pipes.items()}
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        self._flags = flags
        self._mask = mask
        self._app = app
        self._delay_seconds = 0.0
        self._ready_at: float | None = None
        self._woken_at = -math.inf
        self._until = math.inf
        """When all must be delivered: known once the app has ended."""
        self._said_until = False

    @property
    def told_all(self) -> bool:
        """Whether it was told, or will be, that nothing more comes."""
        return self._until < math.inf

    def start(self) -> None:
        """Start it. Raises OSError where that cannot be."""
        status_reader, status_writer = os.pipe()
        os.set_blocking(status_reader, False)
        inherited = [*self._readers.values(), self._wake_reader, status_writer]
        try:
            self.pid = children.start_router(self._flags, self._handshake(status_writer), self._mask, inherited)
        except OSError:
            os.close(status_reader)
            raise
        finally:
            os.close(status_writer)
        if self.status is not None:
            os.close(self.status)
        self.status, self.due = status_reader, math.inf

    def _handshake(self, status: int) -> str:
        taken = {"streams": self._readers, "wake": self._wake_reader, "status": status, "app": self._app}
        if self.terms is not None:  # a successor takes over where it was
            taken["capture"] = self.terms.capture.folder if self.terms.capture else "pipe"
        return json.dumps(taken)

    def listen(self, now: float) -> None:
        """Take in what it says, if anything."""
        if self.status is None:
            return
        try:
            said = os.read(self.status, 65536)  # lines are short, and written whole
        except BlockingIOError:
            return
        if not said:
            os.close(self.status)
            self.status = None
        for line in said.splitlines():
            self._understand(json.loads(line), now)

    def _understand(self, said: dict[str, Any], now: float) -> None:
        state = said.pop("state")
        if state == "starting":
            self.may_be_missing = said["passthrough"]
        elif state == "closed":
            self.closed = True
        elif state == "ready":
            self._ready_at, self._said_until = now, False
            self.due = now  # there may be something for it already
            if self.terms is None:
                capture = said.pop("capture")
                self.terms = Terms(**said, capture=CaptureTerms(**capture) if capture else None)
        if self.terms is not None and state in ("ready", "changed"):
            self.terms = self.terms._replace(**{name: said[name] for name in TIMES})

    def wake(self, now: float) -> None:
        """There is something to read: it is told at once after a quiet moment, else every 20 ms."""
        if self._ready_at is not None and self.due == math.inf:
            self.due = max(now, self._woken_at + WAKE_INTERVAL_SECONDS)

    def tell_all(self, until: float, now: float) -> None:
        """That was all there will be, and this is how long delivering it may take."""
        self._until = until
        if self._ready_at is not None or self.pid is None:  # one that was to be started later has no time for that
            self.due = now

    def act(self, now: float) -> None:
        """Do what is due."""
        if now < self.due:
            return
        self.due = math.inf
        if self.pid is None:
            self._try_to_start(now)
        elif self._ready_at is not None:
            self._woken_at = now
            with suppress(BlockingIOError):  # so full of wakes that one more would say nothing
                os.write(self._wake_writer, b"\n")
            if self.told_all and not self._said_until:
                self._say_until(now)

    def _try_to_start(self, now: float) -> None:
        try:
            self.start()
        except OSError as error:  # no memory for it, or no process: the app goes on meanwhile
            log.complain("the router cannot be started now", reason=error.strerror)
            self._put_off(now)

    def _put_off(self, now: float) -> None:
        """The next try is later than the last one was."""
        self._delay_seconds = min(max(FIRST_DELAY_SECONDS, 2 * self._delay_seconds), LONGEST_DELAY_SECONDS)
        self.due = now + self._delay_seconds

    def _say_until(self, now: float) -> None:
        try:
            os.write(self._wake_writer, b"end %.3f\n" % max(0.0, self._until - now))
            self._said_until = True
        except BlockingIOError:
            self.due = now + WAKE_INTERVAL_SECONDS

    def has_delivered(self, code: int) -> bool:
        """Whether it has ended because it was told to, by itself, with all that can be done done."""
        return self._said_until and code in DELIVERED

    def start_again(self, code: int, now: float) -> None:
        """It has died. A successor is started soon; later, where this one did not last."""
        if self._ready_at is not None and now - self._ready_at > LASTING_SECONDS:
            self._delay_seconds = 0.0
        self.pid = self._ready_at = None
        self._said_until = False
        self._put_off(now)
        log.warn("the router has died, and is started again", exit_code=code, after_seconds=self._delay_seconds)

    def hang_up(self) -> None:
        """Nobody reads what the app writes."""
        for fd in self._readers.values():
            os.close(fd)
