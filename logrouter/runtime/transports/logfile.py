"""One file that grows: opening, continuing after a crash, rotating. Sync, and over a `Disk` that tests can break.

Invariants:
- a line is written once and whole: a write that stops half-way is taken up by the next try (`Append.written`);
- two events never share a line: a file whose last line has no end gets one before more is written;
- a compressed file holds whole members only: what a crash has cut is cut off, and a file that is damaged, or not
  compressed like that at all, is rotated away untouched.

Every function raises OSError.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from logrouter.compression import SUFFIXES, whole_bytes
from logrouter.runtime.disk import Disk, exists, make_folders, opened, read_pieces
from logrouter.sinks import Append
from logrouter.sinks.file import Handling

_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""O_NONBLOCK, which regular files ignore, so that a named pipe without a reader is an error and does not hang."""


class LogFile:
    """A file open for appending."""

    def __init__(self, path: str, handling: Handling, disk: Disk, now: float) -> None:
        self.path = path
        self.changed_folders: list[str] = []
        """Folders with a new entry since the file was opened."""
        self.dirty = False
        """Whether something was written that no sync has covered."""
        self.stale = False
        """Whether it is to be opened anew before the next batch."""
        self.used_at = now
        self._handling = handling
        self._disk = disk
        self._interval_ends = _next_multiple(now, handling.rotate_interval_seconds)
        self._needs_newline = False
        self._in_line = False
        self._fd = self._open()
        try:
            self._look()
        except BaseException:
            disk.close(self._fd)
            raise

    def _look(self) -> None:
        """Find out what it is, and what stands in it."""
        status = self._disk.fstat(self._fd)
        self.is_regular = stat.S_ISREG(status.st_mode)
        if not self.is_regular and not stat.S_ISCHR(status.st_mode):
            raise OSError(errno.EINVAL, "it is neither a regular file nor a character device")
        self.identity = status.st_dev, status.st_ino
        self.size = status.st_size if self.is_regular else 0
        compressed = self._handling.compression != "none"
        self.needs_check = self.size > 0 and compressed
        """Whether nobody knows yet if this compressed file is whole: see `check`."""
        if self.size:
            self._interval_ends = _next_multiple(status.st_mtime, self._handling.rotate_interval_seconds)
            self._needs_newline = not compressed and self._last_byte() not in b"\n"

    def is_there(self) -> bool:
        """Whether its path still leads to it. Also takes notice of what others did to its size."""
        try:
            status = self._disk.stat(self.path, follow_symlinks=self._handling.follow_links)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if self.is_regular:
            self.size = status.st_size
        return (status.st_dev, status.st_ino) == self.identity

    def is_deleted(self) -> bool:
        """Whether no path leads to it any more."""
        return self._disk.fstat(self._fd).st_nlink == 0

    def wants_rotation(self, incoming_bytes: int, now: float) -> bool:
        """Whether it is to be rotated before so much more is written to it."""
        if not self.size or not self.is_regular or self._in_line:
            return False
        limit = self._handling.rotate_size
        return now >= self._interval_ends or (limit is not None and self.size + incoming_bytes > limit)

    def check(self) -> bool:
        """Cut off what a crash has left of an unfinished member. False: the file cannot be continued.

        Reads all of the file: call it in a thread.
        """
        whole = whole_bytes(self._pieces(), self._handling.compression)
        if whole is not None and whole < self.size:
            self._disk.ftruncate(self._fd, whole)
            self.size = whole
            self.dirty = True
        self.needs_check = False
        return whole is not None

    @property
    def append_at(self) -> int:
        """Where what is written next begins."""
        return self.size + self._needs_newline

    def continue_line(self) -> None:
        """What is written next goes on where the file's last line stops: it is known to be a part of it."""
        self._needs_newline = False

    def write(self, instruction: Append) -> None:
        """Write what is left of it. `written` is right whatever happens."""
        data = memoryview(instruction.data if instruction.packed is None else instruction.packed)
        if self._needs_newline:
            self._write(b"\n")
            self._needs_newline = False
        while instruction.written < len(data):
            instruction.written += self._write(data[instruction.written :])
        self._in_line = instruction.packed is None and not instruction.data.endswith(b"\n")

    def sync(self) -> None:
        """Wait until all that was written is on the disk. Call it in a thread."""
        self._disk.fdatasync(self._fd)

    def close(self) -> None:
        """Let go of it, as it is."""
        self._disk.close(self._fd)

    def _write(self, data: memoryview | bytes) -> int:
        self.dirty = self.is_regular
        written = self._disk.write(self._fd, data)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += written
        self._in_line = True
        return written

    def _open(self) -> int:
        flags = _APPEND if self._handling.follow_links else _APPEND | os.O_NOFOLLOW
        try:
            return self._disk.open(self.path, flags)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno == errno.ELOOP and flags & os.O_NOFOLLOW:
                error.strerror = "it is a symbolic link, and events name this path: it is not followed"
            raise
        self.changed_folders = make_folders(self._disk, os.path.dirname(self.path))
        fd = self._disk.open(self.path, flags | os.O_CREAT, self._handling.mode)
        with suppress(OSError):  # some file systems have no permissions
            self._disk.fchmod(fd, self._handling.mode)  # whatever the umask says
        return fd

    def _last_byte(self) -> bytes:
        """Empty where the file must not be read."""
        try:
            with opened(self._disk, self.path, os.O_RDONLY | os.O_NONBLOCK) as fd:
                return self._disk.pread(fd, 1, self.size - 1)
        except PermissionError:
            return b""

    def _pieces(self) -> Iterator[bytes]:
        with opened(self._disk, self.path, os.O_RDONLY) as fd:
            yield from read_pieces(self._disk, fd)


def rotate(disk: Disk, path: str, keep: int) -> None:
    """Rename the file to its first number, that one to the second, and so on. What had the last is gone."""
    last = next((n for n in range(1, keep) if not exists(disk, rotated_path(path, n))), keep)
    for number in range(last, 1, -1):
        disk.rename(rotated_path(path, number - 1), rotated_path(path, number))
    disk.rename(path, rotated_path(path, 1))


def rotated_path(path: str, number: int) -> str:
    """`errors.ndjson.1`; `errors.ndjson.1.gz`, as programs tell by the ending what a file is."""
    for suffix in SUFFIXES.values():
        if path.endswith(suffix):
            return f"{path.removesuffix(suffix)}.{number}{suffix}"
    return f"{path}.{number}"


def _next_multiple(now: float, interval: float | None) -> float:
    """When the interval after the one that `now` is in begins. Days begin at midnight UTC, as 1970 did."""
    return float("inf") if interval is None else (now // interval + 1) * interval
