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
from logrouter.runtime.disk import Disk, exists, opened, pwrite_all, read_file, sync_folder

FILE_BYTES: Final = 256 * 1024
"""Of each of the two: a minute of full speed, and 4 ms to read at the start."""


class Journal:
    """The cursor of one sink."""

    def __init__(self, path: str, disk: Disk = os) -> None:
        """`path`: without the ending, which is .0 and .1."""
        self.path = path
        self.exists = False
        """Whether there were files when it was loaded."""
        self.file_bytes = FILE_BYTES
        self._disk = disk
        self._paths = (f"{path}.0", f"{path}.1")
        self._generation = 0
        self._fd: int | None = None
        self._size = 0
        self._dirty = False
        """Something was written that no sync has covered."""
        self._behind = True
        """An entry could not be written or synced, or nothing is known yet: a snapshot must come first."""

    def load(self) -> State | None:
        """What the files tell; None where they tell nothing. Raises OSError."""
        found = [read_file(self._disk, path) for path in self._paths if exists(self._disk, path)]
        self.exists = bool(found)
        state, self._generation = replay(*found)
        return state

    def begin(self, state: State) -> None:
        """Write the first snapshot of this process, and set both files aside. Raises OSError."""
        has_names = all(exists(self._disk, path) for path in self._paths)
        self._begin_file(state)
        with suppress(OSError), opened(self._disk, self._other_path, os.O_WRONLY | os.O_CREAT) as fd:
            self._disk.posix_fallocate(fd, 0, self.file_bytes)  # now: later the disk may be full
        if not has_names:
            sync_folder(self._disk, os.path.dirname(self.path))

    @property
    def _other_path(self) -> str:
        return self._paths[(self._generation + 1) % 2]

    def write(self, entry: Entry, state: State) -> None:
        """Write an entry, which `state` has applied already. Raises OSError; the next call then writes all of it."""
        line = encode_entry(entry, self._generation)
        if self._behind or self._size + len(line) > self.file_bytes:
            self._begin_file(state)
            return
        self._put(line)

    @property
    def is_behind(self) -> bool:
        """Whether the files do not tell all."""
        return self._behind

    @property
    def needs_sync(self) -> bool:
        """Whether there is something that is not on the disk."""
        return self._dirty or self._behind

    def begin_sync(self, state: State) -> Callable[[], None]:
        """A function that makes durable all that was written so far, to be called in a thread.

        Both raise OSError. What could not be written before, or not synced, is written anew first.
        """
        if self._behind:
            self._begin_file(state)
        self._dirty = False
        path = self._paths[self._generation % 2]

        def sync() -> None:
            try:
                with opened(self._disk, path, os.O_RDONLY) as fd:
                    self._disk.fdatasync(fd)
            except BaseException:
                self._behind = True  # the kernel may have dropped it, and says so once
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
        fd = self._disk.open(self._other_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with suppress(OSError):  # what cannot be set aside may find room later
                self._disk.posix_fallocate(fd, 0, self.file_bytes)
            pwrite_all(self._disk, fd, line, 0)
            self._disk.fdatasync(fd)
        except BaseException:
            self._disk.close(fd)
            raise
        self.close()
        self._fd, self._size, self._generation = fd, len(line), generation
        self._behind = self._dirty = False

    def _put(self, line: bytes) -> None:
        assert self._fd is not None
        self._dirty = True
        try:
            pwrite_all(self._disk, self._fd, line, self._size)
        except OSError:
            self._behind = True
            raise
        self._size += len(line)
