"""A sink's cursor on disk: two files, written in turns. What stands in them is drawn in `cursors.py`.

Sync, and over a `Disk` that tests can break.

Invariant: whoever reads the files after a crash at any moment finds the last entry that was written, or the one
before it where the crash has cut that one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from logrouter.cursors import Entry, State, encode_entry, replay
from logrouter.runtime.disk import Disk, exists, opened, pwrite_all, read_file

FILE_BYTES: Final = 256 * 1024
"""Of each of the two: a minute of full speed, and 4 ms to read at the start."""


class Journal:
    """The cursor of one sink."""

    def __init__(self, path: str, disk: Disk = os) -> None:
        """`path`: without the ending, which is .0 and .1."""
        self.path = path
        self.dirty = False
        """Whether something was written that no sync has covered."""
        self.exists = False
        """Whether there were files when it was loaded."""
        self._disk = disk
        self._paths = (f"{path}.0", f"{path}.1")
        self._generation = 0
        self._fd: int | None = None
        self._size = 0
        self._behind = True
        """An entry could not be written, or nothing is known yet: a snapshot must come first."""

    def load(self) -> State | None:
        """What the files tell; None where they tell nothing. Raises OSError."""
        found = [read_file(self._disk, path) for path in self._paths if exists(self._disk, path)]
        self.exists = bool(found)
        state, self._generation = replay(*found)
        return state

    def begin(self, state: State) -> None:
        """Write the first snapshot of this process. Raises OSError."""
        self._begin_file(state)
        following = self._paths[(self._generation + 1) % 2]
        with suppress(OSError), opened(self._disk, following, os.O_RDWR | os.O_CREAT) as fd:
            self._disk.posix_fallocate(fd, 0, FILE_BYTES)  # now: when it is needed the disk may be full

    def write(self, entry: Entry, state: State) -> None:
        """Write an entry, which `state` has applied already. Raises OSError; the next call then writes all of it."""
        line = encode_entry(entry, self._generation)
        if self._behind or self._size + len(line) > FILE_BYTES:
            self._begin_file(state)
            return
        self._put(line)

    def begin_sync(self) -> Callable[[], None]:
        """A function that makes durable all that was written so far, to be called in a thread. Raises OSError."""
        self.dirty = False
        path = self._paths[self._generation % 2]

        def sync() -> None:
            try:
                with opened(self._disk, path, os.O_RDONLY) as fd:
                    self._disk.fdatasync(fd)
            except BaseException:
                self.dirty = True
                raise

        return sync

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            self._disk.close(self._fd)
            self._fd = None

    def _begin_file(self, state: State) -> None:
        """Go on in the other file, from a snapshot: the old one stays as it is until that is on the disk."""
        self._behind = True
        generation = self._generation + 1
        line = encode_entry(state, generation)
        fd = self._disk.open(self._paths[generation % 2], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with suppress(OSError):  # what cannot be set aside may find room later
                self._disk.posix_fallocate(fd, 0, FILE_BYTES)
            pwrite_all(self._disk, fd, line, 0)
            self._disk.fdatasync(fd)
        except BaseException:
            self._disk.close(fd)
            raise
        self.close()
        self._fd, self._size, self._generation = fd, len(line), generation
        self._behind = False

    def _put(self, line: bytes) -> None:
        assert self._fd is not None
        self.dirty = True
        try:
            pwrite_all(self._disk, self._fd, line, self._size)
        except OSError:
            self._behind = True
            raise
        self._size += len(line)
