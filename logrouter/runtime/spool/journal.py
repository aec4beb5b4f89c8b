"""A sink's cursor on disk: two files, written in turns. What stands in them is drawn in `cursors.py`.

Sync, and over a `Disk` that tests can break.

Invariants:
- whoever reads the files after a crash at any moment finds the last entry that was written, or the one before it where
  the crash has cut that one; after a power cut, what the last sync has covered, or something later;
- a file is begun anew only when the other one *lasts*: a snapshot in it, and all that led up to it, is on the disk.

So nobody waits for the disk to go on in the other file. The next sync, which a thread waits for, makes that one last
long before it is full.
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
        self.written = self.synced = 0
        """How often something was written, and how many of these times a sync that is done has covered."""
        self._behind = True
        """An entry could not be written or synced, or nothing is known yet: a snapshot must come first."""
        self._is_removed = False
        self._lasting = 0
        """The generation that is known to last."""

    def load(self) -> State | None:
        """What the files tell; None where they tell nothing. Raises OSError."""
        found = [read_file(self._disk, path) for path in self._paths if exists(self._disk, path)]
        self.exists = bool(found)
        state, self._generation = replay(*found)
        return state

    def begin(self, state: State) -> None:
        """Write the first snapshot of this process, and set both files aside. Raises OSError."""
        there = [path for path in self._paths if exists(self._disk, path)]
        for path in there:
            self._sync(path)  # a process that was killed may not have done so
        self._begin_file(state)
        self._sync(self._path)
        self.synced, self._lasting = self.written, self._generation
        with suppress(OSError), opened(self._disk, self._other_path, os.O_WRONLY | os.O_CREAT) as fd:
            self._set_aside(fd)  # now: later the disk may be full
        if len(there) < len(self._paths):
            sync_folder(self._disk, os.path.dirname(self.path))

    @property
    def _path(self) -> str:
        return self._paths[self._generation % 2]

    @property
    def _other_path(self) -> str:
        return self._paths[(self._generation + 1) % 2]

    def write(self, entry: Entry, state: State) -> None:
        """Write an entry, which `state` has applied already. Raises OSError; the next call then writes all of it."""
        line = encode_entry(entry, self._generation)
        if self._behind:
            self._catch_up(state)
        elif self._size + len(line) > self.file_bytes:
            self._go_on(state)
        else:
            self._put(line)

    @property
    def is_behind(self) -> bool:
        """Whether the files do not tell all."""
        return self._behind

    @property
    def needs_sync(self) -> bool:
        """Whether there is something that is not on the disk."""
        return self.synced < self.written or self._behind

    def begin_sync(self, state: State) -> Callable[[], None]:
        """A function that makes durable all that was written so far, to be called in a thread.

        Both raise OSError. What could not be written before, or not synced, is written anew first.
        """
        if self._behind:
            self._catch_up(state)
        path, generation, written = self._path, self._generation, self.written

        def sync() -> None:
            try:
                self._sync(path)
            except FileNotFoundError:
                if not self._is_removed:
                    raise
            self._lasting, self.synced = max(self._lasting, generation), max(self.synced, written)

        return sync

    def remove(self) -> None:
        """Delete the files: nobody needs to know any more. Raises OSError."""
        self.close()
        self._is_removed = True
        for path in self._paths:
            with suppress(FileNotFoundError):
                self._disk.unlink(path)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            self._disk.close(self._fd)
            self._fd = None

    @property
    def _lasts(self) -> bool:
        """Whether the other file is not needed any more."""
        return self._lasting == self._generation

    def _catch_up(self, state: State) -> None:
        """Write a snapshot, as something is missing before it."""
        if self._lasts:
            self._begin_file(state)
        else:  # be the file full: the other one is needed still. What stands before may not be on the disk, nor its end
            self._put(b"\n" + encode_entry(state, self._generation))
            self._behind = False

    def _go_on(self, state: State) -> None:
        """This file is full: go on in the other one."""
        if not self._lasts:  # it was filled within the second between two syncs
            self._sync(self._path)
        self._begin_file(state)

    def _begin_file(self, state: State) -> None:
        """Begin the other file with a snapshot. This one stays as it is until that lasts."""
        self._behind = True
        generation = self._generation + 1
        line = encode_entry(state, generation)
        fd = self._disk.open(self._other_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with suppress(OSError):  # what cannot be set aside may find room later
                self._set_aside(fd)
            pwrite_all(self._disk, fd, line, 0)
        except BaseException:
            self._disk.close(fd)
            raise
        self.close()
        self._fd, self._size, self._generation = fd, len(line), generation
        self._behind = False
        self.written += 1

    def _set_aside(self, fd: int) -> None:
        if self._disk.fstat(fd).st_size < self.file_bytes:
            self._disk.posix_fallocate(fd, 0, self.file_bytes)

    def _sync(self, path: str) -> None:
        try:
            with opened(self._disk, path, os.O_RDONLY) as fd:
                self._disk.fdatasync(fd)
        except BaseException:
            self._behind = True  # the kernel may have dropped it, and says so once
            raise

    def _put(self, line: bytes) -> None:
        assert self._fd is not None
        self.written += 1
        try:
            pwrite_all(self._disk, self._fd, line, self._size)
        except OSError:
            self._behind = True
            raise
        self._size += len(line)
