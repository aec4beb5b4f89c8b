"""The files of dead letters: read, appended to, and written anew without letters that are wanted no more.

    dead-letters/lock               held with flock(2) while a process changes a file
    dead-letters/replay.lock        held while a process sends letters again
    dead-letters/es.000007.letters  letters of the sink `es`, in the order of the numbers: `dead_letters.py`

Sync, and over a `Disk` that tests can break. Files are 0600, the folder 0700.

Invariants:
- a letter that was written once can be read after a crash at any moment, until somebody removes it;
- a line that a crash has torn was told to nobody; the next letter takes its place;
- a file is written anew under another name, and takes its place whole. So readers need no lock.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Final, NamedTuple

from logrouter.dead_letters import DeadLetter, Line, encode_letter, lines_of
from logrouter.runtime.disk import (
    Disk,
    make_folders,
    opened,
    pread_all,
    read_file,
    replace_file,
    sync_file,
    sync_folder,
    write_all,
)

FILE_BYTES: Final = 1024 * 1024
"""A file that is longer is not appended to: what one deletion must write anew."""
_FILE = re.compile(r"([a-z][a-z0-9_]*)\.(\d{6,})\.letters")
_MODE: Final = 0o600
_NEW: Final = ".new"
Lock = Callable[[str], AbstractContextManager[None]]
"""Holds the lock at a path."""
Change = Callable[[DeadLetter], DeadLetter | None]
"""What becomes of a letter: itself, another one with its id, or None."""


class LetterFile(NamedTuple):
    """One file."""

    sink: str
    number: int
    path: str
    size_bytes: int
    inode: int


class LetterFiles:
    """All files of one folder."""

    def __init__(self, folder: str, disk: Disk = os, lock: Lock | None = None) -> None:
        """`lock`: held while files are changed. Default: `held`, without waiting."""
        self.folder = folder
        self.lock = partial(lock or held, os.path.join(folder, "lock"))
        self._disk = disk

    def prepare(self) -> None:
        """Make the folder, durably. Raises OSError."""
        changed = make_folders(self._disk, self.folder, 0o700)
        for above in {*changed[1:], os.path.dirname(self.folder) or "."}:
            sync_folder(self._disk, above)

    def tidy(self) -> None:
        """Take away what a crash has left of a file that was written anew. The lock must be held. Raises OSError."""
        for name in self._disk.listdir(self.folder):
            if name.endswith(_NEW):
                self._disk.unlink(os.path.join(self.folder, name))

    def all(self) -> list[LetterFile]:
        """All files, by sink and number; none where there is no folder. Raises OSError."""
        try:
            names = self._disk.listdir(self.folder)
        except FileNotFoundError:
            return []
        found = []
        for match in filter(None, map(_FILE.fullmatch, names)):
            path = os.path.join(self.folder, match[0])
            with suppress(FileNotFoundError):  # deleted meanwhile
                status = self._disk.stat(path)
                found.append(LetterFile(match[1], int(match[2]), path, status.st_size, status.st_ino))
        return sorted(found)

    def by_sink(self) -> dict[str, list[LetterFile]]:
        """The same for each sink. Raises OSError."""
        files: defaultdict[str, list[LetterFile]] = defaultdict(list)
        for file in self.all():
            files[file.sink].append(file)
        return files

    def lines(self, file: LetterFile) -> Iterator[Line]:
        """What stands in a file; nothing where it is gone. Raises OSError."""
        with suppress(FileNotFoundError):
            yield from lines_of(read_file(self._disk, file.path))

    def count(self, file: LetterFile) -> int:
        """How many lines a file has, also such as cannot be read. Raises OSError."""
        with suppress(FileNotFoundError):
            return read_file(self._disk, file.path).count(b"\n")
        return 0

    def append(self, sink: str, number: int, data: bytes) -> None:
        """Write whole lines to the end of a file, which may be new: durable when it returns. The lock must be held.

        Raises OSError: then nothing of it counts, as far as the disk lets that be.
        """
        path = os.path.join(self.folder, f"{sink}.{number:06d}.letters")
        with opened(self._disk, path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE) as fd:
            size = self._whole_bytes(fd)
            sync_folder(self._disk, self.folder)  # a new file needs a name, and so does one that was just written anew
            try:
                write_all(self._disk, fd, [data])
                self._disk.fdatasync(fd)
            except OSError:
                with suppress(OSError):
                    self._disk.ftruncate(fd, size)
                raise

    def _whole_bytes(self, fd: int) -> int:
        """How long a file is, once a line is cut off that a crash has torn: nobody was told that it was kept."""
        size = self._disk.fstat(fd).st_size
        if size and self._disk.pread(fd, 1, size - 1) != b"\n":
            size = pread_all(self._disk, fd, size, 0).rfind(b"\n") + 1
            self._disk.ftruncate(fd, size)
        return size

    def sync(self, file: LetterFile, *, again: bool) -> None:
        """Wait until what stands in a file is on the disk. `again`: a sync of it has failed. Raises OSError."""
        with suppress(FileNotFoundError):
            sync_file(self._disk, file.path, 0, file.size_bytes, again=again)

    def rewrite(self, file: LetterFile, change: Change) -> int:
        """Change the letters of a file; a file without letters goes. Gives how many are changed. Raises OSError.

        The lock must be held. What cannot be read stays, but for a line without its end: a crash has torn that one.
        """
        kept, changed = [], 0
        for line in self.lines(file):
            if line.letter is None:
                kept += [line.data] if line.data.endswith(b"\n") else []
                continue
            letter = change(line.letter)
            changed += letter is not line.letter
            if letter is not None:
                kept.append(line.data if letter is line.letter else encode_letter(letter, line.highest))
        if changed:
            self._replace(file.path, b"".join(kept))
        return changed

    def remove(self, file: LetterFile) -> None:
        """Delete a file, with all that it holds. The lock must be held. Raises OSError."""
        with suppress(FileNotFoundError):
            self._replace(file.path, b"")

    def _replace(self, path: str, data: bytes) -> None:
        if not data:
            self._disk.unlink(path)
            sync_folder(self._disk, self.folder)
            return
        replace_file(self._disk, path, data, _NEW)


@contextmanager
def held(path: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock that other processes see. Raises BlockingIOError where another one has it, unless `wait`."""
    with opened(os, path, os.O_RDWR | os.O_CREAT, _MODE) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
