"""Which files are open: no more than a share of the descriptors that the process may have."""

from __future__ import annotations

import resource
from collections import OrderedDict
from typing import Final

from logrouter.runtime.tailing.file import TailedFile
from logrouter.runtime.tailing.opened import OpenFile

SHARE: Final = 2
"""Half of what the process may have are for files that are read."""
LEAST: Final = 16


class Descriptors:
    """Of the files of one source: where there are too many, what was read longest ago is closed."""

    def __init__(self) -> None:
        self._open: OrderedDict[TailedFile, None] = OrderedDict()
        self._most = max(LEAST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE)

    def give(self, file: TailedFile, opened: OpenFile) -> None:
        """It is read by this one from now on."""
        while len(self._open) >= self._most:
            self.close(next(iter(self._open)))
        file.opened(opened)
        self._open[file] = None

    def used(self, file: TailedFile) -> None:
        """It is read."""
        self._open.move_to_end(file)

    def close(self, file: TailedFile) -> None:
        """Close its own, if it has one."""
        file.close()
        self._open.pop(file, None)

    def close_all(self) -> None:
        """Of all files."""
        for file in list(self._open):
            self.close(file)
