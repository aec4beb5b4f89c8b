"""inotify(7) by way of the C library, and where it says nothing.

Files are watched by what they are, not by name: one that is renamed is still watched. So events of files have no names
in them and are 16 bytes each, of which C picks what is needed. Folders are watched by an instance of their own: that
something has changed there is all one has to know.

On file systems that others write to as well (NFS, SMB, FUSE …) and on overlays it may stay silent: there one must look.
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import Any, Final

_MODIFY: Final = 0x2
_ATTRIB: Final = 0x4
_MOVED_FROM: Final = 0x40
_MOVED_TO: Final = 0x80
_CREATE: Final = 0x100
_DELETE: Final = 0x200
_DELETE_SELF: Final = 0x400
_MOVE_SELF: Final = 0x800
_ONLYDIR: Final = 0x01000000
_OF_FILES: Final = _MODIFY | _ATTRIB | _DELETE_SELF | _MOVE_SELF
_OF_FOLDERS: Final = _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
"""linux/inotify.h"""
_READ_BYTES: Final = 64 * 1024
_EVENT_WORDS: Final = 4
_STATFS_BYTES: Final = 256
"""More than struct statfs takes anywhere; its first word is the type."""
_SILENT: Final = {
    0x6969: "NFS", 0x517B: "SMB", 0xFE534D42: "SMB", 0xFF534D42: "CIFS", 0x65735546: "FUSE", 0x01021997: "9p",
    0x794C7630: "overlay", 0x00C36400: "Ceph", 0x0BD00BD0: "Lustre", 0x47504653: "GPFS", 0x5346414F: "AFS",
    0x73757245: "Coda", 0x01161970: "GFS2", 0x7461636F: "OCFS2", 0x786F4256: "VirtualBox", 0x09041934: "Apple",
}  # fmt: skip
"""linux/magic.h, and coreutils' list of remote file systems."""


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> int:
    """A function of the C library that gives -1 when it fails. Raises OSError, also where there is none of the name."""
    try:
        function = getattr(_libc(), name)
    except (AttributeError, OSError) as error:
        raise OSError(0, str(error)) from None
    result: int = function(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def silent_file_system(path: str) -> str | None:
    """Why inotify may say nothing there: the kind of the file system. Raises OSError."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    _call("statfs", os.fsencode(path), buffer)
    return _SILENT.get(struct.unpack_from("@l", buffer.raw)[0] & 0xFFFFFFFF)


class Inotify:
    """One instance. Threads may share it: the last that lets go of it closes it."""

    def __init__(self) -> None:
        """Raises OSError where there is none to be had."""
        self.fd = _call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._holders = 1
        self._counting = Lock()

    def hold(self) -> bool:
        """Keep it open until one more `close`. False: it is closed already."""
        with self._counting:
            self._holders += self._holders > 0
            return self._holders > 0

    def watch_file(self, fd: int) -> int:
        """Watch an open file; gives its number. Raises OSError."""
        return _call("inotify_add_watch", self.fd, b"/proc/self/fd/%d" % fd, ctypes.c_uint32(_OF_FILES))

    def watch_folder(self, path: str) -> int:
        """Watch a folder; gives its number, the same each time. Raises OSError."""
        return _call("inotify_add_watch", self.fd, os.fsencode(path), ctypes.c_uint32(_OF_FOLDERS))

    def unwatch(self, number: int) -> None:
        """Watch it no more; nothing, where it is gone."""
        with suppress(OSError):
            _call("inotify_rm_watch", self.fd, number)

    def drain(self) -> None:
        """Take all events that wait, whatever they are."""
        while self._read():
            pass

    def changed_files(self) -> tuple[set[int], bool]:
        """The numbers of watched files that something happened to, and whether that was more than growing."""
        numbers: set[int] = set()
        more = False
        while data := self._read():
            words = memoryview(data).cast("i")
            numbers.update(words[0::_EVENT_WORDS])
            more = more or set(words[1::_EVENT_WORDS]) != {_MODIFY}
        return numbers, more

    def _read(self) -> bytes:
        try:
            return os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Let go of it; of all watches, where nobody else holds it."""
        with self._counting:
            self._holders -= 1
            if not self._holders:
                os.close(self.fd)
