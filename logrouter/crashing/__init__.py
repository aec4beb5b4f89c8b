"""A file system in memory that can crash, for tests: it knows what was synced, and what a power cut may take.

disk = CrashingDisk(Random(1))      the functions of `runtime.disk.Disk`
disk.kill_after(7)                  the process dies after 7 steps: a step is a byte that is written, or another change
disk.crash()                        kill -9: what was written stays, descriptors are gone, the process may start again
disk.crash(power=True)              a power cut: what no sync has covered may be lost, in any mixture
disk.fail("pwrite", errno.EIO)      the next pwrite fails
disk.heal()                         nothing fails any more
disk.free_bytes = 100               files may grow by so much, then the disk is full; None: without end

What a power cut does to a file: of each write that no fsync or fdatasync of the file has covered, each sector (512
bytes) may be there or not; so may a change of its size, and then zeros stand where nothing was written. To a folder:
each name that was made, moved or removed since the last fsync of the folder may be so or as before.

An fdatasync that fails drops what it could not write, as Linux does: reading still gives it, and a further sync
knows of nothing to write. (After a kill it may be written: a new process cannot know that something was dropped.) An
fsync of a folder that fails may be tried again.

Not modelled: links, permissions, mmap, and that a real file system orders some of this.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from logrouter.crashing.nodes import SECTOR_BYTES as SECTOR_BYTES
from logrouter.crashing.nodes import Descriptor, File, Folder, Resize, Write

_DEVICE: Final = 77


class Killed(BaseException):
    """The process has died in the middle of a call: nothing that it still does has any effect."""


class CrashingDisk:
    """A disk in memory, and the process that uses it. Paths begin at its root, with a slash or without."""

    def __init__(self, random: Random | None = None) -> None:
        self.random = random or Random(0)
        self.now = 1_000_000.0
        """When files are changed, in seconds since 1970."""
        self.free_bytes: int | None = None
        self.calls: Counter[str] = Counter()
        """How often each function was called."""
        self.steps = 0
        """Bytes that were written, and other changes."""
        self.dead = False
        """Whether the process has died: each call raises Killed, until `crash`."""
        self._dies_at: int | None = None
        self._root = Folder(1)
        self._numbers = 1
        self._descriptors: dict[int, Descriptor] = {}
        self._next_descriptor = 1000
        self._faults: defaultdict[str, list[int]] = defaultdict(list)

    # ── what a test does to it ──

    def kill_after(self, steps: int) -> None:
        """Let the process die in the middle of what it does: after so many steps."""
        self._dies_at = self.steps + steps

    def crash(self, *, power: bool = False) -> None:
        """The process, or with `power` the machine, goes down and can start again."""
        self.dead, self._dies_at = False, None
        self._descriptors.clear()
        if power:
            self._root.cut_power(self.random)
            return
        for file in self._files(self._root):
            file.forget_dropping()

    def fail(self, function: str, number: int, *, times: int = 1) -> None:
        """Make the next calls of a function raise OSError with this errno."""
        self._faults[function] += [number] * times

    def heal(self) -> None:
        """Nothing fails any more, and there is room."""
        self._faults.clear()
        self.free_bytes = None

    @property
    def open_files(self) -> int:
        """How many descriptors there are."""
        return len(self._descriptors)

    # ── `Disk` ──

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """As `os.open`; neither links nor permissions are known."""
        self._begin("open")
        folder, name = self._place(path)
        node = folder.names.get(name) if name else folder
        if node is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT)
            self._step()
            node = File(self._new_number(), mode & 0o7777)
            node.modified_at = self.now
            folder.change({name: node})
        elif flags & os.O_EXCL:
            raise _error(errno.EEXIST)
        elif isinstance(node, Folder) and flags & (os.O_WRONLY | os.O_RDWR):
            raise _error(errno.EISDIR)
        elif isinstance(node, File) and flags & os.O_DIRECTORY:
            raise _error(errno.ENOTDIR)
        if isinstance(node, File) and flags & os.O_TRUNC:
            self._resize(node, 0)
        self._next_descriptor += 1
        self._descriptors[self._next_descriptor] = Descriptor(node, flags)
        return self._next_descriptor

    def close(self, fd: int) -> None:
        """As `os.close`."""
        self._begin("close")
        if self._descriptors.pop(fd, None) is None:
            raise _error(errno.EBADF)

    def write(self, fd: int, data: memoryview | bytes, /) -> int:
        """As `os.write`."""
        self._begin("write")
        descriptor, file = self._writable(fd)
        written = self._write(file, self._offset(descriptor, file), bytes(data))
        descriptor.offset += written
        return written

    def writev(self, fd: int, data: Sequence[bytes], /) -> int:
        """As `os.writev`."""
        self._begin("writev")
        descriptor, file = self._writable(fd)
        written = self._write(file, self._offset(descriptor, file), b"".join(data))
        descriptor.offset += written
        return written

    def pwrite(self, fd: int, data: memoryview | bytes, offset: int, /) -> int:
        """As `os.pwrite`, which appends where the file was opened so."""
        self._begin("pwrite")
        descriptor, file = self._writable(fd)
        if descriptor.flags & os.O_APPEND:
            offset = len(file.content)  # Linux, see pwrite(2), "BUGS"
        return self._write(file, offset, bytes(data))

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        """As `os.pread`."""
        self._begin("pread")
        file = self._file(fd)
        if self._descriptors[fd].flags & os.O_WRONLY:
            raise _error(errno.EBADF)
        return bytes(file.content[offset : offset + length])

    def ftruncate(self, fd: int, length: int) -> None:
        """As `os.ftruncate`."""
        self._begin("ftruncate")
        self._resize(self._writable(fd)[1], length)

    def posix_fallocate(self, fd: int, offset: int, length: int, /) -> None:
        """As `os.posix_fallocate`."""
        self._begin("posix_fallocate")
        file = self._writable(fd)[1]
        if offset + length > len(file.content):
            if self._room(file, offset + length) < offset + length:
                raise _error(errno.ENOSPC)
            self._resize(file, offset + length)

    def fchmod(self, fd: int, mode: int) -> None:
        """As `os.fchmod`."""
        self._begin("fchmod")
        node = self._node(fd)
        node.mode = stat.S_IFMT(node.mode) | mode

    def fstat(self, fd: int) -> os.stat_result:
        """As `os.fstat`."""
        self._begin("fstat")
        return self._status(self._node(fd))

    def stat(self, path: str, *, follow_symlinks: bool = True) -> os.stat_result:
        """As `os.stat`."""
        self._begin("stat")
        return self._status(self._find(path))

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        """As `os.mkdir`."""
        self._begin("mkdir")
        folder, name = self._place(path)
        if not name or name in folder.names:
            raise _error(errno.EEXIST)
        self._step()
        folder.change({name: Folder(self._new_number())})

    def listdir(self, path: str) -> list[str]:
        """As `os.listdir`, in order."""
        self._begin("listdir")
        folder = self._find(path)
        if isinstance(folder, File):
            raise _error(errno.ENOTDIR)
        return sorted(folder.names)

    def rename(self, src: str, dst: str) -> None:
        """As `os.rename`."""
        self._begin("rename")
        (from_folder, old), (to_folder, new) = self._place(src), self._place(dst)
        node = self._find(src)
        self._step()
        if from_folder is to_folder:
            from_folder.change({old: None, new: node})
            return
        to_folder.change({new: node})
        from_folder.change({old: None})

    def unlink(self, path: str) -> None:
        """As `os.unlink`."""
        self._begin("unlink")
        folder, name = self._place(path)
        node = self._find(path)
        if isinstance(node, Folder):
            raise _error(errno.EISDIR)
        self._step()
        folder.change({name: None})
        self._give_back(len(node.content))

    def fdatasync(self, fd: int) -> None:
        """As `os.fdatasync`; where it fails, what it could not write is dropped."""
        node = self._node(fd)
        try:
            self._begin("fdatasync")
        except OSError:
            if isinstance(node, File):
                node.fail_to_sync()
            raise
        self._step()
        node.sync()

    def fsync(self, fd: int) -> None:
        """As `os.fsync`."""
        self._begin("fsync")
        self._step()
        self._node(fd).sync()

    # ── inside ──

    def _begin(self, function: str) -> None:
        """What every call begins with."""
        if self.dead:
            raise Killed
        self.calls[function] += 1
        if self._faults[function]:
            raise _error(self._faults[function].pop(0))

    def _step(self, steps: int = 1) -> int:
        """Go so many steps, or die. Gives how many were gone, for a write; else it raises before anything is done."""
        left = steps if self._dies_at is None else min(steps, self._dies_at - self.steps)
        self.steps += left
        if left < steps:
            self.dead = True
            if steps == 1:
                raise Killed
        return left

    def _write(self, file: File, offset: int, data: bytes) -> int:
        data = data[: max(0, self._room(file, offset + len(data)) - offset)] if data else data
        if not data:
            raise _error(errno.ENOSPC)
        done = data[: self._step(len(data))]
        if done:
            self._give_back(len(file.content) - max(len(file.content), offset + len(done)))
            file.change(Write(offset, done))
            file.modified_at = self.now
        if self.dead:
            raise Killed
        return len(done)

    def _resize(self, file: File, length: int) -> None:
        self._step()
        self._give_back(len(file.content) - length)
        file.change(Resize(length))

    def _room(self, file: File, length: int) -> int:
        """How long the file may become, up to this length."""
        size = len(file.content)
        return length if self.free_bytes is None else min(length, max(size, size + self.free_bytes))

    def _give_back(self, size: int) -> None:
        if self.free_bytes is not None:
            self.free_bytes += size

    def _new_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _place(self, path: str) -> tuple[Folder, str]:
        """The folder that the path's last name is in, and this name: empty for the root."""
        *above, name = [part for part in path.split("/") if part not in ("", ".")] or [""]
        folder = self._root
        for part in above:
            node = folder.names.get(part)
            if node is None:
                raise _error(errno.ENOENT)
            if isinstance(node, File):
                raise _error(errno.ENOTDIR)
            folder = node
        return folder, name

    def _find(self, path: str) -> File | Folder:
        folder, name = self._place(path)
        node = folder.names.get(name) if name else folder
        if node is None:
            raise _error(errno.ENOENT)
        return node

    def _node(self, fd: int) -> File | Folder:
        if self.dead:
            raise Killed
        if fd not in self._descriptors:
            raise _error(errno.EBADF)
        return self._descriptors[fd].node

    def _file(self, fd: int) -> File:
        node = self._node(fd)
        if isinstance(node, Folder):
            raise _error(errno.EISDIR)
        return node

    def _writable(self, fd: int) -> tuple[Descriptor, File]:
        file = self._file(fd)
        descriptor = self._descriptors[fd]
        if not descriptor.flags & (os.O_WRONLY | os.O_RDWR):
            raise _error(errno.EBADF)
        return descriptor, file

    def _offset(self, descriptor: Descriptor, file: File) -> int:
        return len(file.content) if descriptor.flags & os.O_APPEND else descriptor.offset

    def _status(self, node: File | Folder) -> os.stat_result:
        size = len(node.content) if isinstance(node, File) else 0
        links = self._links(self._root, node)
        return os.stat_result((node.mode, node.number, _DEVICE, links, 0, 0, size, *(int(node.modified_at),) * 3))

    def _files(self, folder: Folder) -> Iterator[File]:
        for node in folder.names.values():
            if isinstance(node, File):
                yield node
            else:
                yield from self._files(node)

    def _links(self, folder: Folder, node: File | Folder) -> int:
        below = (self._links(other, node) for other in folder.names.values() if isinstance(other, Folder))
        return sum(other is node for other in folder.names.values()) + sum(below)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
