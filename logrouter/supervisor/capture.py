"""Capture files: what the app wrote, on disk before the router has seen it.

    capture/stdout-0000000000000000.log      16 MiB, full
    capture/stdout-0000000001000000.log      being written. The number: where its first byte stands in the whole stream
    capture/stderr-0000000000000000.log

What was written is never changed; the router reads behind, and deletes a file once all of it is safe and there is a
next. A gap between the end of one and the name of the next tells it what is missing: what was discarded here for want
of room, or what somebody else has cut off or deleted, after which a new file is begun.

They are not synced: they protect against the death of processes, not of the machine.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from typing import Final

from logrouter.supervisor import STREAMS, log

ROTATE_BYTES: Final = 16 * 1024 * 1024
RETRY_SECONDS: Final = 0.1
"""How often it is looked whether there is room again."""
_SHARE: Final = 8
"""A file takes an eighth of the room at most: the oldest is discarded whole."""
_CANNOT_SPLICE: Final = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
"""What file systems say, kernels, and filters of system calls (seccomp)."""
FILE_NAME: Final = re.compile(rf"({'|'.join(STREAMS)})-([0-9a-f]{{16}})\.log")
"""Of which stream, and where it begins."""


class Discarded:
    """Output that nobody will read: the first is told at once, then all of a minute together."""

    def __init__(self) -> None:
        self._bytes = dict.fromkeys(STREAMS, 0)
        self._told = log.Seldom()

    def add(self, stream: str, count: int, now: float) -> None:
        """So much of a stream."""
        self._bytes[stream] += count
        self.tell(now)

    def tell(self, now: float) -> None:
        """Say what was not said yet, if it is time to."""
        if any(self._bytes.values()) and self._told.is_due(now):
            self.tell_rest()

    def tell_rest(self) -> None:
        """Say it, as nobody will later."""
        for stream, count in self._bytes.items():
            if count:
                log.complain("output of the app is discarded before it was read", stream=stream, bytes=count)
        self._bytes = dict.fromkeys(STREAMS, 0)


class Room:
    """The folder, and how much room is left in it for both streams together."""

    def __init__(self, folder: str, max_bytes: int, block_seconds: float | None) -> None:
        """`block_seconds`: how long the app waits for it; None: for ever."""
        self.folder = folder
        self.rotate_bytes = min(ROTATE_BYTES, max(1, max_bytes // _SHARE))
        self.discarded = Discarded()
        self.discards = False
        """Whether what comes cannot be kept even by discarding what came before."""
        self._max_bytes = max_bytes
        self._block_seconds = float("inf") if block_seconds is None else block_seconds
        self._used_bytes = 0
        self._full_since: float | None = None
        self._refused_since: float | None = None
        self._retry_at = float("-inf")
        self._told_full, self._told_refused = log.Seldom(), log.Seldom()
        self._look()

    def size(self) -> int:
        """How many bytes the files take, of both streams: as far as is known, where they cannot be looked at now."""
        with suppress(OSError):
            self._look()
        return self._used_bytes

    def _look(self) -> None:
        self._used_bytes = sum(size for *_, size in self._files())

    def last(self, stream: str) -> tuple[int, str, int] | None:
        """The newest file of a stream: where it begins, its path, its size."""
        files = sorted((begin, path, size) for name, begin, path, size in self._files() if name == stream)
        return files[-1] if files else None

    def left(self, now: float) -> int:
        """How many bytes may be written now; 0: none, ask again after RETRY_SECONDS.

        When the folder is full it is waited once for `block_seconds`. From then on the oldest is discarded, until the
        router has made room. Raises OSError where the folder cannot be looked at, or nothing be deleted.
        """
        self.discarded.tell(now)
        if now < self._retry_at:
            return 0
        if self._used_bytes >= self._max_bytes:
            self._look()
            if self._used_bytes < self._max_bytes:
                self._full_since = None
            elif self._full_since is None:
                self._full_since = now
                if self._told_full.is_due(now):
                    log.warn("the capture files take all the room they may: the app waits", folder=self.folder)
            elif now - self._full_since >= self._block_seconds:
                self._discard_oldest(now)
        if self._used_bytes >= self._max_bytes:
            self._retry_at = now + RETRY_SECONDS
        return max(0, self._max_bytes - self._used_bytes)

    def took(self, count: int) -> None:
        """So many bytes were written."""
        self._used_bytes += count
        self._refused_since = None
        self.discards = False

    def refused(self, error: OSError, now: float) -> None:
        """The disk has not taken what should have fitted: it is waited, and discarded, as for room."""
        if self._refused_since is None:
            self._refused_since = now
            if self._told_refused.is_due(now):
                log.complain("what the app writes cannot be captured", folder=self.folder, reason=error.strerror)
        elif now - self._refused_since >= self._block_seconds:
            try:
                self.discards = not self._discard_oldest(now)
            except OSError:
                self.discards = True
        self._retry_at = now + RETRY_SECONDS

    def _discard_oldest(self, now: float) -> bool:
        """Delete the oldest file of the stream that takes most. Whether there was one: the router counts it as lost.

        Raises OSError where that cannot be, as of a disk that is read-only.
        """
        taken = dict.fromkeys(STREAMS, 0)
        files = sorted(self._files())
        for stream, *_, size in files:
            taken[stream] += size
        most = max(taken, key=taken.__getitem__)
        for stream, _, path, size in files:
            if stream == most and size:
                with suppress(FileNotFoundError):  # the router has deleted it meanwhile
                    os.unlink(path)
                    self.discarded.add(stream, size, now)
                self._used_bytes -= size
                return True
        return False

    def _files(self) -> list[tuple[str, int, str, int]]:
        """Stream, where it begins, path and size of each file. Raises OSError."""
        found = []
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if match := FILE_NAME.fullmatch(entry.name):
                    with suppress(FileNotFoundError):  # the router has deleted it meanwhile
                        found.append((match[1], int(match[2], 16), entry.path, entry.stat().st_size))
        return found


class Capture:
    """One stream's files, written one after the other."""

    def __init__(self, room: Room, stream: str, offset: int) -> None:
        """`offset`: how far the router has read it in earlier runs. It goes on behind that and what these left."""
        self.splices = True
        """Whether `splice` can be used: not every file system can."""
        self._room = room
        self._stream = stream
        self._offset = max(offset, self._end_of_leftovers(offset))
        """Where the next byte stands in the whole stream."""
        self._begun = self._offset
        self._fd: int | None = None

    def splice(self, source: int, now: float) -> int | None:
        """Move what is in a pipe, without its passing through here. Gives how many bytes; None: none at the moment."""
        try:
            if not (count := self._room.left(now)):
                return None
            file = self._file()
            moved = os.splice(source, file, min(count, self._left_in_file()), flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return None
        except OSError as error:
            self.splices = error.errno not in _CANNOT_SPLICE
            if self.splices:
                self._room.refused(error, now)
            return self._skip(len(os.read(source, self._room.rotate_bytes)), now) if self._room.discards else None
        return self._took(moved)

    def write(self, data: memoryview, now: float) -> memoryview:
        """Write as much as goes at the moment. Gives the rest."""
        while data:
            try:
                if not (count := self._room.left(now)):
                    break
                data = data[self._took(os.write(self._file(), data[: min(count, self._left_in_file())])) :]
            except OSError as error:
                self._room.refused(error, now)
                if self._room.discards:
                    data = data[self._skip(len(data), now) :]
        return data

    def close(self) -> None:
        """The end of this file: the next byte goes into a new one. One that holds nothing is not left."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            if self._offset == self._begun:
                with suppress(OSError):
                    os.unlink(self._path_at(self._begun))

    def _file(self) -> int:
        """The file to write into. A new one where there is none, it is full, or somebody has laid hands on it."""
        if self._fd is not None:
            state = os.fstat(self._fd)
            if state.st_nlink and state.st_size == self._offset - self._begun and self._left_in_file():
                return self._fd
            self.close()
        os.makedirs(self._room.folder, mode=0o700, exist_ok=True)
        self._fd, self._begun = _open_empty(self._path_at(self._offset)), self._offset
        return self._fd

    def _path_at(self, begin: int) -> str:
        return f"{self._room.folder}/{self._stream}-{begin:016x}.log"

    def _left_in_file(self) -> int:
        return self._room.rotate_bytes - (self._offset - self._begun)

    def _took(self, count: int) -> int:
        self._offset += count
        self._room.took(count)
        return count

    def _skip(self, count: int, now: float) -> int:
        """What is discarded leaves a gap behind it."""
        self.close()
        self._offset += count
        self._room.discarded.add(self._stream, count, now)
        return count

    def _end_of_leftovers(self, read_to: int) -> int:
        """Where the output of earlier apps ends. Their last line ends there, finished or not."""
        if (last := self._room.last(self._stream)) is None:
            return 0
        begin, path, size = last
        if size and begin + size > read_to:
            with suppress(OSError):
                size += _end_line(path)
        return begin + size


def _open_empty(path: str) -> int:
    """Open a new file, or one that holds nothing: who made it was killed before the first byte.

    Raises FileExistsError where it holds anything.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    if os.fstat(file).st_size:
        os.close(file)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    return file


def _end_line(path: str) -> int:
    """End the last line of a file, where it was not. Gives how many bytes that took."""
    file = os.open(path, os.O_RDWR)
    try:
        os.lseek(file, -1, os.SEEK_END)
        return 0 if os.read(file, 1) == b"\n" else os.write(file, b"\n")
    finally:
        os.close(file)
