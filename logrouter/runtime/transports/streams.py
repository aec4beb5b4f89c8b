"""Performs `Write`: the transport of the sinks `stdout` and `stderr`.

A reader that is slow must not stop the event loop, and O_NONBLOCK must not be set on a stream that other programs
share. So it depends on what the stream is:

    pipe, terminal   opened once more through /proc/self/fd, as an open file of our own: that one does not block
    socket           MSG_DONTWAIT, which is a matter of the single call
    neither works    a thread that blocks (no /proc; a pipe of another user)
    file, device     written directly: it never waits for a reader

Whoever else has set O_NONBLOCK on a shared stream is coped with: EAGAIN is waited for.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

import trio

from logrouter.errors import ClosedByPeer, DestinationError
from logrouter.runtime.transports import PlainTransport
from logrouter.sinks import Write

PIPE_BYTES = 1024 * 1024
"""A pipe is grown to this: fewer, larger system calls. It is what an unprivileged process may ask for."""
_AT_ONCE_BYTES = 64 * 1024
"""What a thread writes at once, so that `written` is known after little where it hangs."""
_GONE = {errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.ESHUTDOWN}
"""The reader has gone. EIO: a terminal that was closed."""


class Stream(PlainTransport):
    """Writes to a stream of this process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._close: Callable[[], None] | None = None
        """Closes what was opened here, if anything was."""
        self._write: Callable[[memoryview], Awaitable[int]] | None = None

    async def perform(self, instruction: Write) -> None:
        """Write all of it. Raises ClosedByPeer when the reader has gone, or DestinationError."""
        data = memoryview(instruction.data)
        try:
            if self._write is None:
                self._write = self._way()
            while instruction.written < len(data):
                instruction.written += await self._write(data[instruction.written :])
        except OSError as error:
            if error.errno in _GONE:
                raise ClosedByPeer(f"whoever read descriptor {self._descriptor} has gone") from error
            raise DestinationError(f"cannot write to descriptor {self._descriptor}: {error.strerror}") from error

    async def aclose(self) -> None:
        """Close what was opened here. The stream itself stays open."""
        await trio.lowlevel.checkpoint()
        if self._close is not None:
            self._close()
        self._close = self._write = None

    def _way(self) -> Callable[[memoryview], Awaitable[int]]:
        """How to write to what the descriptor is."""
        mode = os.fstat(self._descriptor).st_mode
        if stat.S_ISSOCK(mode):
            return self._socket_way()
        if stat.S_ISFIFO(mode) or os.isatty(self._descriptor):
            return self._pipe_way()
        return self._polled_way(self._descriptor)

    def _pipe_way(self) -> Callable[[memoryview], Awaitable[int]]:
        try:
            own = os.open(f"/proc/self/fd/{self._descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            return self._in_thread
        self._close = partial(os.close, own)
        grow_pipe(own)
        return self._polled_way(own)

    def _socket_way(self) -> Callable[[memoryview], Awaitable[int]]:
        connection = socket.socket(fileno=os.dup(self._descriptor))

        async def send(data: memoryview) -> int:
            while True:
                try:
                    return connection.send(data, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(connection)

        self._close = connection.close
        return send

    def _polled_way(self, descriptor: int) -> Callable[[memoryview], Awaitable[int]]:
        async def write(data: memoryview) -> int:
            while True:
                try:
                    return os.write(descriptor, data)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(descriptor)

        return write

    async def _in_thread(self, data: memoryview) -> int:
        piece = bytes(data[:_AT_ONCE_BYTES])
        while True:
            try:
                # Where it is cancelled the thread stays behind: nothing could make it return.
                return await trio.to_thread.run_sync(os.write, self._descriptor, piece, abandon_on_cancel=True)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._descriptor)


def grow_pipe(descriptor: int) -> int:
    """Make a pipe as large as an unprivileged process may, if it is not. Gives its size in bytes; 0: it is no pipe."""
    size = 0
    with suppress(OSError):  # over the user's limit it stays as it is
        size = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
        if size < PIPE_BYTES:
            size = fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return size


def is_terminal(descriptor: int) -> bool:
    """Whether a person is likely to read it. A closed descriptor is none."""
    return os.isatty(descriptor)


def wants_colour(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether to colour what is written there: a terminal that can, and nobody said no (https://no-color.org)."""
    return is_terminal(descriptor) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
