"""Keeps what a sink knows in a file, replaced as a whole: after a crash there is the new one, or the one before.

What has been performed is in the file once a `sync` has succeeded, and events are settled after that. So a sink that
tells in it how far it has come, and leaves out what it is given again, counts each event once.

    numbers.json      what is in force: JSON, and blanks up to the size of its file
    numbers.json.new  as large, what was in force before: the next is written over it, and the two change places

So on a disk that is full it can be kept all the same: else the sink could settle nothing, the spool of the same disk
make no room, and all would wait.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from logrouter.errors import DestinationError
from logrouter.instructions import Keep
from logrouter.runtime.disk import exists, make_folders, opened, sync_folder, write_all
from logrouter.runtime.threads import in_thread
from logrouter.runtime.transports import PlainTransport

_FOLDER_MODE: Final = 0o700
_LEAST_BYTES: Final = 4096
"""A file is at least so large: file systems give no less."""


class State(PlainTransport):
    """One file. Without a path nothing is kept: it is in memory as everything else."""

    def __init__(self, path: str | None) -> None:
        self.needs_sync = path is not None
        self._path = path or ""
        self._encode: Callable[[], bytes] | None = None

    async def perform(self, instruction: Keep) -> None:
        """Remember what to write at the next sync."""
        self._encode = instruction.encode

    async def sync(self) -> None:
        if self._encode is not None:
            await in_thread(partial(_replace, self._path, self._encode()))


def _replace(path: str, data: bytes) -> None:
    """Raises DestinationError."""
    try:
        for changed in make_folders(os, os.path.dirname(path), _FOLDER_MODE)[1:]:
            sync_folder(os, changed)
        _change_places(path, data)
    except OSError as error:
        raise DestinationError(f"cannot write {path}: {error.strerror}") from error


def _change_places(path: str, data: bytes) -> None:
    """Write over what was in force before, and put it in the place of what is in force. Raises OSError."""
    spare, old = f"{path}.new", f"{path}.old"
    with suppress(FileNotFoundError):  # a crash has left it
        os.unlink(old)
    _write_over(spare, data)
    with suppress(OSError):  # there is none yet, or the file system knows no links
        os.link(path, old)
    os.rename(spare, path)
    sync_folder(os, os.path.dirname(path))
    with suppress(OSError):  # it is kept already; another spare can be made next time
        if exists(os, old):
            os.rename(old, spare)
        else:
            _write_over(spare, data)


def _write_over(path: str, data: bytes) -> None:
    """In place, and never shorter than it was. It may grow by as much again before it needs more room."""
    with opened(os, path, os.O_WRONLY | os.O_CREAT) as fd:
        size = os.fstat(fd).st_size
        if size < len(data):
            size = max(_LEAST_BYTES, 2 * len(data))
        write_all(os, fd, [data.ljust(size)])
        os.fdatasync(fd)
