"""Performs `Append`: the transport of the sink `file`.

Writes go straight to the page cache, without a thread (a hop costs 50 µs, a copy of 64 KiB 15). What takes long
goes to one: fsync, compressing much, checking a compressed file that was there before.

Files stay open, the least recently used is closed when there are too many, and each when it was idle for long, so
that a file which somebody deletes does not hold its space for ever. Before a file is closed it is synced; where that
fails, the next `sync` does.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Literal
from zlib import crc32

import trio

from logrouter.cursors import Place
from logrouter.errors import DestinationError, Moved
from logrouter.runtime.disk import Disk, opened, pread_all, rewrite, sync_folder
from logrouter.runtime.threads import in_thread
from logrouter.runtime.transports import Resumed
from logrouter.runtime.transports.compressing import compressed
from logrouter.runtime.transports.logfile import LogFile, rotate, rotated_path
from logrouter.runtime.transports.syncing import GroupSync, acquire
from logrouter.sinks import Append
from logrouter.sinks.file import Handling

_IDLE_SECONDS = 300.0
_MOST_NAMES = 4096
"""How many names of a folder are looked through for a file that was moved."""
_WHOLE_LIMIT = 4096
"""Closed compressed files remembered as whole, so that opening them again reads nothing."""


class Files:
    """Appends to files, and makes what it appended durable."""

    def __init__(
        self,
        handling: Handling,
        syncs: GroupSync | None = None,
        *,
        disk: Disk = os,
        clock: Callable[[], float] = time.time,
    ) -> None:  # `clock` gives seconds since 1970
        self.needs_sync = handling.fsync
        self.doubts = 0
        self._handling = handling
        self._syncs = syncs or GroupSync()
        self._max_open_files = handling.max_open_files
        """Fewer where the process may not have so many."""
        self._disk = disk
        self._clock = clock
        self._files: dict[str, LogFile] = {}
        """Path → file, the least recently used first."""
        self._folders: set[str] = set()
        """Folders with entries that no sync has covered."""
        self._whole: dict[tuple[int, int], int] = {}
        """Device and inode of a closed compressed file → its size."""
        self._closing = trio.Lock()
        """Held while files are synced or closed: the one must not happen in the middle of the other."""
        self._join: Callable[[], None] | None = None
        self._failed: DestinationError | None = None
        """Why a file was closed without having been synced. The kernel says so once, so `sync` must say it again."""

    async def seal(self, instruction: Append, checksum: bool) -> Place | None:
        """Where the instruction is about to write. Raises DestinationError."""
        try:
            await self._pack(instruction)
            file = await self._file_for(instruction)
        except OSError as error:
            raise _destination_error("open", instruction.path, error) from error
        if not file.is_regular:
            return None
        data = instruction.packed or instruction.data
        crc = crc32(data) if checksum else 0
        instruction.sealed = Place(instruction.path, *file.identity, file.append_at, len(data), crc)
        return instruction.sealed

    async def has_arrived(self, place: Place) -> bool:
        """Whether all of it stands there, by its checksum. Raises DestinationError."""
        try:
            path = self._path_of(place)
            if path is None or arrived(b"", place, self._read(path, place)) != "whole":
                return False
            await self._mark_dirty(path)
            return True
        except OSError as error:
            raise _destination_error("look at", place.path, error) from error

    async def resume(self, instruction: Append, place: Place, distrust: bool) -> Resumed:
        """Compare what stands where the instruction was about to write with what it writes. Raises DestinationError."""
        try:
            await self._pack(instruction)
            path = self._path_of(place)
            found = b"" if path is None else self._read(path, place)
            how = arrived(instruction.packed or instruction.data, place, found)
            if path is None or how == "other":
                self.doubts += 1
                return "new"
            if found and distrust:
                rewrite(self._disk, path, place.start, found)
            instruction.sealed = place
            return await self._go_on(instruction, path, found, how)
        except OSError as error:
            raise _destination_error("continue", instruction.path, error) from error

    async def _go_on(self, instruction: Append, path: str, found: bytes, how: Arrived) -> Resumed:
        if how == "none":
            return "new"
        if path != instruction.path and how == "part":
            self.doubts += 1  # the rest belongs behind it, and others have moved it away
            return "new"
        file = await self._mark_dirty(path)
        if how == "whole":
            return "whole"
        if self._handling.compression != "none":
            return "new"  # opening it has cut the unfinished member off
        file.continue_line()
        instruction.written = len(found)
        return "part"

    async def _mark_dirty(self, path: str) -> LogFile:
        """Open a file that holds what has arrived: it must be synced before that counts."""
        file = self._files.get(path) or await self._open(path, self._clock())
        file.dirty = file.is_regular
        return file

    def _path_of(self, place: Place) -> str | None:
        """The file that the place was in: under its own name, rotated since, or moved by others within its folder.

        None where it is gone.
        """
        folder = os.path.dirname(place.path)
        names = [place.path, *(rotated_path(place.path, number) for number in range(1, self._handling.keep + 1))]
        with suppress(FileNotFoundError, NotADirectoryError):
            names += [os.path.join(folder, name) for name in sorted(self._disk.listdir(folder or "."))[:_MOST_NAMES]]
        for name in names:
            with suppress(OSError):  # gone, or not ours to look at
                status = self._disk.stat(name, follow_symlinks=self._handling.follow_links)
                if (status.st_dev, status.st_ino) == (place.device, place.inode):
                    return name
        return None

    def _read(self, path: str, place: Place) -> bytes:
        with opened(self._disk, path, os.O_RDONLY) as fd:
            return pread_all(self._disk, fd, place.length, place.start)

    async def perform(self, instruction: Append) -> None:
        """Append. Raises DestinationError; the same instruction then goes on where it stopped.

        Raises Moved where it would be written elsewhere than it was sealed: a retry may find another file.
        """
        try:
            await self._pack(instruction)
            file = await self._file_for(instruction)
            _expect_sealed(instruction, file)
            file.write(instruction)
            await self._close_idle(file.used_at)
        except OSError as error:
            raise _destination_error("write", instruction.path, error) from error

    async def sync(self) -> None:
        """Make durable all that was appended before. Raises DestinationError."""
        await acquire(self._closing)
        try:
            if (failed := self._failed) is not None:
                self._failed = None
                raise failed
            await self._sync(list(self._files.values()))
        finally:
            self._closing.release()

    def on_sync(self, join: Callable[[], None]) -> None:
        """Have `join` called whenever other sinks are about to be synced."""
        self._join = join
        self._syncs.joins.append(join)

    def reopen(self) -> None:
        """Open every file anew before it is next written to: what SIGHUP asks for."""
        for file in self._files.values():
            file.stale = True

    async def aclose(self) -> None:
        """Make everything durable and close it. Raises DestinationError when the first failed."""
        if self._join is not None:
            self._syncs.joins.remove(self._join)
            self._join = None
        try:
            if self.needs_sync:
                await self.sync()
        finally:
            while self._files:
                self._files.popitem()[1].close()

    async def _pack(self, instruction: Append) -> None:
        if self._handling.compression != "none" and instruction.packed is None:
            instruction.packed = await compressed((instruction.data,), self._handling.compression)

    async def _file_for(self, instruction: Append) -> LogFile:
        """The file to write to: the open one, unless it was moved or deleted, or is due to be rotated."""
        path = instruction.path
        now = self._clock()
        file = self._files.get(path)
        if instruction.written and (file is None or file.is_deleted()):
            instruction.written = 0  # what was written is lost with the file: all of it goes to the next
        if file is not None and not instruction.written and (file.stale or not file.is_there()):
            await self._close(file)
            file = None
        if file is None:
            file = await self._open(path, now)
        if not instruction.written and file.wants_rotation(len(instruction.packed or instruction.data), now):
            file = await self._rotate(file, now)
        self._files[path] = self._files.pop(path)
        file.used_at = now
        return file

    async def _open(self, path: str, now: float) -> LogFile:
        while len(self._files) >= self._max_open_files:
            await self._close(next(iter(self._files.values())))
        try:
            file = self._files[path] = LogFile(path, self._handling, self._disk, now)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._files:
                raise
            self._max_open_files = max(1, len(self._files) // 2)  # the spool and other sinks need some as well
            return await self._open(path, now)
        self._folders.update(file.changed_folders)
        if file.needs_check and self._whole.get(file.identity) != file.size:
            try:
                can_be_continued = await in_thread(file.check)
            except BaseException:
                await self._forget(file)
                raise
            if not can_be_continued:
                return await self._rotate(file, now)
        return file

    async def _forget(self, file: LogFile) -> None:
        """Close a file that nothing was written to."""
        del self._files[file.path]
        file.close()

    async def _rotate(self, file: LogFile, now: float) -> LogFile:
        await self._close(file)
        rotate(self._disk, file.path, self._handling.keep)
        self._folders.add(os.path.dirname(file.path) or ".")
        return await self._open(file.path, now)

    async def _close(self, file: LogFile) -> None:
        async with self._closing:
            if self.needs_sync:
                try:
                    await self._sync([file], folders=False)
                except DestinationError as error:
                    self._failed = error
            del self._files[file.path]
            if len(self._whole) >= _WHOLE_LIMIT:
                self._whole.clear()
            if self._handling.compression != "none":
                self._whole[file.identity] = file.size
            file.close()

    async def _close_idle(self, now: float) -> None:
        oldest = next(iter(self._files.values()))
        if now - oldest.used_at > _IDLE_SECONDS:
            await self._close(oldest)

    async def _sync(self, files: Iterable[LogFile], *, folders: bool = True) -> None:
        dirty = [file for file in files if file.dirty]
        changed = set(self._folders) if folders else set()
        self._folders -= changed
        for file in dirty:
            file.dirty = False  # what is written from now on needs another sync
        if not dirty and not changed:
            return
        try:
            devices = frozenset(file.identity[0] for file in dirty)
            await self._syncs.run(devices, partial(self._sync_in_thread, dirty, changed))
        except BaseException:
            self._folders |= changed
            for file in dirty:
                file.dirty = True
            raise

    def _sync_in_thread(self, files: Iterable[LogFile], folders: Iterable[str]) -> None:
        for file in files:
            try:
                file.sync()
            except OSError as error:
                raise _destination_error("sync", file.path, error) from error
        for folder in folders:
            try:
                sync_folder(self._disk, folder)
            except FileNotFoundError:
                pass  # removed by somebody, with all that was in it
            except OSError as error:
                raise _destination_error("sync the folder", folder, error) from error


Arrived = Literal["whole", "part", "none", "other"]


def arrived(data: bytes, place: Place, found: bytes) -> Arrived:
    """How much of a batch stands at its place, where `found` was read. `other`: something else stands there.

    `data` is the batch made again; under another config it may be another one, but what was written is known by its
    length and checksum.
    """
    if len(found) == place.length and (found == data or (place.crc and crc32(found) == place.crc)):
        return "whole"
    if not found:
        return "none"
    return "part" if len(data) == place.length and data.startswith(found) else "other"


def _expect_sealed(instruction: Append, file: LogFile) -> None:
    """Raise Moved, once, where nothing is written yet and the file is not the sealed one, or others write to it."""
    sealed = instruction.sealed
    if sealed is None or instruction.written:
        return
    if (sealed.device, sealed.inode, sealed.start) != (*file.identity, file.append_at):
        instruction.sealed = None
        raise Moved(f"{file.path} is not what it was a moment ago")


def _destination_error(verb: str, path: str, error: OSError) -> DestinationError:
    return DestinationError(f"cannot {verb} {path}: {error.strerror}")
