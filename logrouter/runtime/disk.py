"""What is needed of the module `os`, so that tests can put a disk in its place that fails; and what is made of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Protocol

_FOLDER_MODE: Final = 0o755
READ_BYTES: Final = 1024 * 1024
"""What is read at once of a file that is gone through."""


class Disk(Protocol):
    """What is needed of the module `os`."""

    def open(self, path: str, flags: int, mode: int = 0o777) -> int: ...
    def close(self, fd: int) -> None: ...
    def write(self, fd: int, data: memoryview | bytes, /) -> int: ...
    def writev(self, fd: int, data: Sequence[bytes], /) -> int: ...
    def pread(self, fd: int, length: int, offset: int, /) -> bytes: ...
    def pwrite(self, fd: int, data: memoryview | bytes, offset: int, /) -> int: ...
    def ftruncate(self, fd: int, length: int) -> None: ...
    def posix_fallocate(self, fd: int, offset: int, length: int, /) -> None: ...
    def fchmod(self, fd: int, mode: int) -> None: ...
    def fstat(self, fd: int) -> os.stat_result: ...
    def stat(self, path: str, *, follow_symlinks: bool = True) -> os.stat_result: ...
    def mkdir(self, path: str, mode: int = 0o777) -> None: ...
    def listdir(self, path: str) -> list[str]: ...
    def rename(self, src: str, dst: str) -> None: ...
    def unlink(self, path: str) -> None: ...
    def fdatasync(self, fd: int) -> None: ...
    def fsync(self, fd: int) -> None: ...


def exists(disk: Disk, path: str) -> bool:
    """Whether something stands there, be it a link that leads nowhere."""
    try:
        disk.stat(path, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def make_folders(disk: Disk, folder: str, mode: int = _FOLDER_MODE) -> list[str]:
    """Make the folder and those above it. Gives the folders whose entries have changed, or are about to."""
    changed = [folder or "."]
    missing = []
    while folder and not exists(disk, folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
        changed.append(folder or ".")
    for path in reversed(missing):
        with suppress(FileExistsError):  # somebody else was quicker
            disk.mkdir(path, mode)
    return changed


def problem_with_folder(folder: str) -> str | None:
    """Why nothing can be made in a folder, which need not exist: the nearest that does must let us."""
    while folder and not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    folder = folder or "."
    if not os.path.isdir(folder):
        return f"{folder} is not a folder"
    if os.access(folder, os.W_OK | os.X_OK):
        return None
    read_only = " (a read-only file system)" if os.statvfs(folder).f_flag & os.ST_RDONLY else ""
    return f"the folder {folder} may not be written{read_only}"


def sync_folder(disk: Disk, folder: str) -> None:
    """Wait until the entries of a folder are on the disk: a new file has no name before."""
    with opened(disk, folder, os.O_RDONLY | os.O_DIRECTORY) as fd:
        disk.fsync(fd)


@contextmanager
def opened(disk: Disk, path: str, flags: int, mode: int = 0o600) -> Iterator[int]:
    """A descriptor of the file, for a while."""
    fd = disk.open(path, flags | os.O_CLOEXEC, mode)
    try:
        yield fd
    finally:
        disk.close(fd)


def write_all(disk: Disk, fd: int, pieces: Sequence[bytes]) -> None:
    """Write all of it, in one call where the disk takes it. Raises OSError, with some of it written perhaps."""
    size = sum(map(len, pieces))
    written = disk.writev(fd, pieces)
    if written == size:
        return
    rest = memoryview(b"".join(pieces))[written:]
    while rest:
        written = disk.write(fd, rest)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = rest[written:]


def replace_file(disk: Disk, path: str, data: bytes, unfinished: str) -> None:
    """Make the file, or put another in its place, as a whole: after a crash there is this one, or the one before.

    Durable when it returns. `unfinished`: what its name ends in until then. Raises OSError.
    """
    with opened(disk, path + unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
        write_all(disk, fd, [data])
        disk.fdatasync(fd)
    disk.rename(path + unfinished, path)
    sync_folder(disk, os.path.dirname(path))


def pread_all(disk: Disk, fd: int, length: int, offset: int) -> bytes:
    """So many bytes, fewer where the file ends before."""
    data = disk.pread(fd, length, offset)
    if len(data) == length or not data:
        return data
    pieces = [data]
    read = len(data)
    while read < length and (data := disk.pread(fd, length - read, offset + read)):
        pieces.append(data)
        read += len(data)
    return b"".join(pieces)


def read_pieces(disk: Disk, fd: int, offset: int = 0) -> Iterator[bytes]:
    """All of a file from there on."""
    while piece := disk.pread(fd, READ_BYTES, offset):
        offset += len(piece)
        yield piece


def read_file(disk: Disk, path: str) -> bytes:
    """All of a file. Raises OSError, also of what is no file: a named pipe would keep us waiting for ever."""
    with opened(disk, path, os.O_RDONLY | os.O_NONBLOCK) as fd:
        return b"".join(read_pieces(disk, fd))


def pwrite_all(disk: Disk, fd: int, data: bytes, offset: int) -> None:
    """Write all of it there. Raises OSError, with some of it written perhaps."""
    rest = memoryview(data)
    while rest:
        written = disk.pwrite(fd, rest, offset)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest, offset = rest[written:], offset + written


def sync_file(disk: Disk, path: str, start: int, end: int, *, again: bool) -> None:
    """Wait until a file is on the disk. `again`: a sync has failed on what stands between `start` and `end`.

    A kernel that could not write something says so once and drops it, though in memory it still stands. So what a sync
    has failed on is written again before the next one, where it stands. Raises OSError: the next call is `again`.
    """
    with opened(disk, path, os.O_RDONLY) as fd:
        if not again:
            try:
                disk.fdatasync(fd)
            except OSError:
                pass  # tried again now, and told when that fails too
            else:
                return
        for offset in range(start, end, READ_BYTES):
            length = min(READ_BYTES, end - offset)
            rewrite(disk, path, offset, pread_all(disk, fd, length, offset))
        disk.fdatasync(fd)


def rewrite(disk: Disk, path: str, offset: int, data: bytes) -> None:
    """Write bytes where they stand already: after a failed sync nobody knows what of them is on the disk."""
    with opened(disk, path, os.O_WRONLY) as fd:
        pwrite_all(disk, fd, data, offset)


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
