"""The bytes of an open file."""

from __future__ import annotations

import os
import stat
from typing import Final

from logrouter.runtime.tailing.place import HEAD_BYTES

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""O_NONBLOCK: where a named pipe has taken the place of a file, `open` would wait for somebody to write to it."""


class NoFile(OSError):
    """What stands there is no regular file."""


class OpenFile:
    """A file that is not compressed."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self.fd = os.open(path, _FLAGS)
        try:
            status = os.fstat(self.fd)
            if not stat.S_ISREG(status.st_mode):
                raise NoFile(0, f"it is {kind_of(status.st_mode)}")
        except BaseException:
            os.close(self.fd)
            raise
        self.identity = status.st_dev, status.st_ino

    def head(self, length: int = HEAD_BYTES) -> bytes:
        """The first bytes. Raises OSError."""
        return os.pread(self.fd, length, 0)

    def read(self, start: int, length: int) -> bytes:
        """What stands there, as much as there is. Raises OSError."""
        return os.pread(self.fd, length, start)

    def status(self) -> os.stat_result:
        """How long it is, and how many names it has. Raises OSError."""
        return os.fstat(self.fd)

    def real_path(self) -> str | None:
        """What it is called now, without symbolic links; None where that cannot be known."""
        try:
            return os.readlink(f"/proc/self/fd/{self.fd}").removesuffix(" (deleted)")
        except OSError:
            return None

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)


_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def kind_of(mode: int) -> str:
    """What stands at a path, in words."""
    return _KINDS.get(stat.S_IFMT(mode), "a file")
