"""A stream that we write to, and never wait for: our own stdout and stderr, and the pipe to the router.

O_NONBLOCK must not be set on what other processes share. So a pipe or a terminal is opened once more, as an open file
of our own, and that one does not block (`runtime/transports/streams.py` does the same). Where that cannot be (a socket,
a pipe of another user), no more is written at once than a stream takes that polls writable.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from typing import Final

from logrouter.supervisor import log

_ALWAYS: Final = 2**31
"""A file or a device keeps nobody waiting."""
_GONE: Final = (errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.EBADF)
"""Nobody reads it any more (of a terminal: it is hung up), or it was closed. All else may pass: a disk is full."""


class Outlet:
    """What is written here goes to a descriptor, as far as it takes it."""

    def __init__(self, fd: int, *, shared: bool = True) -> None:
        """`shared`: other processes have the same open file."""
        self.fd = fd
        """To be polled when something is left."""
        self.gone = False
        """Nobody reads it any more: what comes is left out."""
        self._has_told = False
        self._at_once = _ALWAYS
        mode = os.fstat(fd).st_mode
        if not shared:
            os.set_blocking(fd, False)
        elif stat.S_ISFIFO(mode) or os.isatty(fd):
            try:
                self.fd = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            except OSError:
                self._at_once = select.PIPE_BUF
        elif stat.S_ISSOCK(mode):
            self._at_once = select.PIPE_BUF

    def write(self, data: memoryview, now: float) -> memoryview:
        """Write as much as goes without waiting, whatever time it is. Gives the rest."""
        while data and not self.gone:
            if self._at_once != _ALWAYS and not self._takes_some():
                return data
            try:
                data = data[os.write(self.fd, data[: self._at_once]) :]
            except BlockingIOError:
                return data
            except OSError as error:
                self.gone = error.errno in _GONE
                if not self.gone:
                    return self._leave_out(error)
        return memoryview(b"")

    def _leave_out(self, error: OSError) -> memoryview:
        """What cannot be written now is in the sinks all the same: nobody waits for it. It is said once."""
        if not self._has_told:
            self._has_told = True
            log.complain("some of the app's output cannot be written to ours", reason=error.strerror)
        return memoryview(b"")

    def close(self) -> None:
        """The end of the stream."""
        self.gone = True
        os.close(self.fd)

    def _takes_some(self) -> bool:
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        return bool(poll.poll(0))
