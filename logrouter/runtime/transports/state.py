"""Keeps what a sink knows in a file, replaced as a whole: after a crash there is the new one, or the one before.

What has been performed is in the file once a `sync` has succeeded, and events are settled after that. So a sink that
tells in it how far it has come, and leaves out what it is given again, counts each event once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Final

from logrouter.errors import DestinationError
from logrouter.instructions import Keep
from logrouter.runtime.disk import make_folders, replace_file, sync_folder
from logrouter.runtime.threads import in_thread
from logrouter.runtime.transports import PlainTransport

_FOLDER_MODE: Final = 0o700


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
        replace_file(os, path, data, ".new")
    except OSError as error:
        raise DestinationError(f"cannot write {path}: {error.strerror}") from error
