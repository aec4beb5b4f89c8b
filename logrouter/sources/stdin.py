"""Standard input: `app | logrouter`.

Reads pipes, terminals, sockets and regular files. A pipe is grown to 1 MiB, so that an app that writes in bursts
does not wait. A line that comes after a quiet moment is read at once; while lines keep coming reads are at least
20 ms apart, unless the pipe fills: a thousand single lines a second cost fifty reads, not a thousand.

stdin may be shared with other processes, so it is never made non-blocking: a read is only tried when there is
something to read. The unfinished last line counts as a line when the input ends, be it by an error (a connection that
was reset, a disk that is damaged), which is logged. A byte order mark (UTF-8) at the start is left out. There is
nothing to resume: what was read from a pipe cannot be asked for again. Where lines are typed, at a terminal, the first
Ctrl-C ends them: there is no app that might have last words.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import termios
import time
from typing import ClassVar, Final

import trio

from logrouter.runtime.transports.streams import grow_pipe
from logrouter.sources import Emit, LinesConfig, Source, SourceConfig

READ_BYTES: Final = 512 * 1024
"""Waking the tasks for a chunk costs 0.3 ms: at 256 KiB that is a fifth of all, at 512 KiB a tenth. More costs memory
(1 MiB: 10 MiB at the peak) and gains nothing."""
READ_INTERVAL_SECONDS: Final = 0.02
BUSY_SHARE: Final = 4
"""A read that gives more than a quarter of what the pipe holds, or of a full read, is followed by the next at once."""


class StdinConfig(LinesConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options of stdin: those that every source of lines has."""


class StdinSource(Source[StdinConfig]):
    """Reads lines from standard input."""

    Config: ClassVar[type[SourceConfig]] = StdinConfig
    only_once = True
    adjustable = Source.adjustable | {"max_line", "multiline"}

    def __init__(self, config: StdinConfig, fd: int = 0) -> None:
        super().__init__(config)
        self._fd = fd
        self._framing = config.framing(at_start=True)
        self._waiting: trio.CancelScope | None = None
        self._stopped = False
        self._pollable = True
        self._is_terminal = os.isatty(fd)
        self.ends = not self._is_terminal  # no app ends with us, and has last words: Ctrl-C is meant for this
        self._busy_bytes = READ_BYTES // BUSY_SHARE
        self._quiet_at = float("inf")
        """When the lines that are held are given out, if nothing comes before."""

    @property
    def attributes(self) -> dict[str, str | int | bool]:
        return {"stream": "stdin"}

    def adjust(self, config: StdinConfig) -> None:
        """Go on with these options."""
        super().adjust(config)
        framing = config.framing()
        framing.take_over(self._framing)
        self._framing = framing

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def run(self, emit: Emit) -> None:
        """Read lines until the input ends."""
        self._prepare()
        earliest = 0.0
        while not self._stopped:
            data = await self._read(earliest)
            if data is None:
                if trio.current_time() >= self._quiet_at:
                    self._quiet_at = float("inf")
                    await emit(self._framing.flush(), time.time_ns())
                continue
            if not data:
                break
            now = trio.current_time()
            earliest = now + READ_INTERVAL_SECONDS if len(data) < self._busy_bytes else 0.0
            coming = emit(self._framing.feed(data), time.time_ns())
            self._quiet_at = now + self.config.quiet_seconds if self._framing.holds_lines else float("inf")
            del data  # it need not be held while there is no room
            await coming
        await emit(self._framing.finish(), time.time_ns())

    def _prepare(self) -> None:
        """Find out what stdin is, and grow it if it is a pipe."""
        try:
            mode = os.fstat(self._fd).st_mode
        except OSError:  # closed: nothing will come
            self._stopped = True
            return
        self._pollable = self.live = not stat.S_ISREG(mode)
        if stat.S_ISFIFO(mode):
            self._busy_bytes = min(READ_BYTES, grow_pipe(self._fd)) // BUSY_SHARE

    async def _read(self, earliest: float) -> bytes | None:
        """One read, not before `earliest`. None: nothing was there after all, or in time, or `stop` was called."""
        try:
            if self._pollable:
                in_time = await self._wait(earliest)
            else:
                await trio.lowlevel.checkpoint()
                in_time = True
            return os.read(self._fd, READ_BYTES) if in_time and not self._stopped else None
        except BlockingIOError:  # somebody else made it non-blocking, or read it first
            return None
        except OSError as error:
            if not (self._is_terminal and error.errno == errno.EIO):  # that is how a terminal ends
                self.trouble = error.strerror
            return b""

    async def _wait(self, earliest: float) -> bool:
        """Until `earliest`, and until there is something to read, or `stop` is called. False: nothing came in time."""
        in_time = True
        if earliest:
            with trio.CancelScope(deadline=earliest) as self._waiting:
                await trio.sleep_forever()
        if has_bytes(self._fd):
            await trio.lowlevel.checkpoint_if_cancelled()  # others have their turn when events are appended
        elif not self._stopped:
            with trio.CancelScope(deadline=self._quiet_at) as self._waiting:
                await self._wait_readable()
            in_time = not self._waiting.cancelled_caught
        self._waiting = None
        return in_time

    async def _wait_readable(self) -> None:
        try:
            await trio.lowlevel.wait_readable(self._fd)
        except PermissionError:  # a file or device that epoll does not take: always readable
            self._pollable = False


def has_bytes(fd: int) -> bool:
    """Whether a read would give something: cheaper to ask than to wait, where it is likely."""
    try:
        return any(fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"))
    except OSError:
        return False
