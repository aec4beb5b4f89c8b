"""The bytes of an open file, compressed or not."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import sys
from typing import Any, Final

from logrouter.compression import SUFFIXES, Compression, decompressor, errors_of
from logrouter.runtime.disk import kind_of
from logrouter.runtime.tailing.place import HEAD_BYTES, Head

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""O_NONBLOCK: where a named pipe has taken the place of a file, `open` would wait for somebody to write to it."""
ALL_OF_IT: Final = 1 << 62
"""Where nobody has to read on: behind the end of any file."""


_GET_GENERATION: Final = 2 << 30 | struct.calcsize("l") << 16 | ord("v") << 8 | 1
"""FS_IOC_GETVERSION, `_IOR('v', 1, long)` of <linux/fs.h>; what is given is an `int`."""


class Damaged(OSError):
    """What is compressed cannot be read on, unless somebody writes it anew."""


def compression_of(path: str) -> Compression:
    """How a file is compressed, as its name says."""
    return next((kind for kind, suffix in SUFFIXES.items() if path.endswith(suffix)), "none")


def generation_of(fd: int) -> int:
    """Which of the files it is that have had its inode, one after the other. 0: the file system does not tell.

    ext4, XFS and Btrfs tell; ext4 gives the inode of a file that is deleted to the next that is made.
    """
    try:
        return int.from_bytes(fcntl.ioctl(fd, _GET_GENERATION, bytes(8))[:4], sys.byteorder)
    except OSError:
        return 0


def open_file(path: str) -> OpenFile:
    """Open a file to read it. Raises OSError, also where it is no regular file."""
    compression = compression_of(path)
    return OpenFile(path) if compression == "none" else CompressedFile(path, compression)


class OpenFile:
    """A file that is not compressed."""

    is_compressed = False

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self.fd = os.open(path, _FLAGS)
        try:
            status = os.fstat(self.fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(0, f"it is {kind_of(status.st_mode)}")
        except BaseException:
            os.close(self.fd)
            raise
        self.identity = status.st_dev, status.st_ino
        self.generation = generation_of(self.fd)

    def head(self, length: int = HEAD_BYTES) -> bytes:
        """The first bytes. Raises OSError."""
        return os.pread(self.fd, length, 0)

    def read(self, start: int, length: int) -> bytes:
        """What stands there, as much as there is. Raises OSError."""
        return os.pread(self.fd, length, start)

    def seek(self, start: int) -> None:
        """Make ready to read from there on, which may take a while. Raises OSError."""

    def holds(self, read_to: int, head: Head) -> bool:
        """Whether it begins as it did, and what was read of it is still there. Raises OSError."""
        return os.fstat(self.fd).st_size >= read_to and head.is_of(self.head(head.length))

    def begins_with(self, head: Head) -> bool:
        """Whether it begins as it did. Raises OSError."""
        return head.is_of(self.head(head.length))

    def last_line_start(self, within_bytes: int) -> int:
        """Where its unfinished last line begins: its end, where there is none. Raises OSError."""
        size = os.fstat(self.fd).st_size
        start = max(0, size - within_bytes)
        return start + self.read(start, size - start).rfind(b"\n") + 1 if size else 0

    def written_ns(self) -> int:
        """When it was written to last, by the clock of its file system. Raises OSError."""
        return os.fstat(self.fd).st_mtime_ns

    def is_deleted(self) -> bool:
        """Whether it has no name any more. Raises OSError."""
        return os.fstat(self.fd).st_nlink == 0

    def real_path(self) -> str | None:
        """What it is called now, without symbolic links; None where that cannot be known."""
        try:
            return os.readlink(f"/proc/self/fd/{self.fd}").removesuffix(" (deleted)")
        except OSError:
            return None

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)


class CompressedFile(OpenFile):
    """One that is compressed: what is read are the bytes in it. It may still be growing."""

    is_compressed = True

    def __init__(self, path: str, compression: Compression) -> None:
        super().__init__(path)
        self._compression = compression
        self._inflating = Inflating(self.fd, compression)

    def head(self, length: int = HEAD_BYTES) -> bytes:
        """The first bytes. Raises OSError."""
        return Inflating(self.fd, self._compression).read(length)

    def read(self, start: int, length: int) -> bytes:
        """What stands there, as much as there is. Raises OSError."""
        self.seek(start)
        return self._inflating.read(length) if self._inflating.at == start else b""

    def seek(self, start: int) -> None:
        """Make ready to read from there on, which may take a while. Raises OSError."""
        if start == ALL_OF_IT:
            return
        if self._inflating.at > start:
            self._inflating = Inflating(self.fd, self._compression)
        while self._inflating.at < start and self._inflating.read(min(_PIECE_BYTES, start - self._inflating.at)):
            pass

    def holds(self, read_to: int, head: Head) -> bool:
        """Whether it begins as it did. Nobody takes anything out of a compressed file."""
        return head.is_of(self.head(head.length))

    def begins_with(self, head: Head) -> bool:
        """It does: nobody writes another beginning into a compressed file."""
        return True

    def last_line_start(self, within_bytes: int) -> int:
        """What is compressed is complete."""
        return ALL_OF_IT


_PIECE_BYTES: Final = 64 * 1024
"""So much is read, and given, at once. Of the piece that holds damage nothing can be had."""


class Inflating:
    """Decompresses a file from its beginning, however many members or frames it is made of, as far as it goes."""

    def __init__(self, fd: int, compression: Compression) -> None:
        self.at = 0
        """How many bytes it has given."""
        self._fd = fd
        self._compression = compression
        self._decompressor: Any = None
        self._read_to = 0
        self._given = b""
        """What was read of the file and not decompressed yet."""
        self._damage = ""
        """Why it goes no further."""

    def read(self, length: int) -> bytes:
        """So many bytes, or as many as there are. Raises Damaged behind what can be had, and OSError."""
        pieces: list[bytes] = []
        wanted = length
        try:
            while wanted and (piece := self._piece(min(wanted, _PIECE_BYTES))) is not None:
                pieces.append(piece)
                wanted -= len(piece)
        except Damaged:
            if wanted == length:
                raise
        self.at += length - wanted
        return b"".join(pieces)

    def _piece(self, length: int) -> bytes | None:
        """Some bytes, perhaps none yet; None where there are no more."""
        if self._damage:
            raise Damaged(0, self._damage)
        if self._decompressor is None:
            self._decompressor = decompressor(self._compression)
        if not self._given and getattr(self._decompressor, "needs_input", True):  # zlib's do not say
            self._given = os.pread(self._fd, _PIECE_BYTES, self._read_to)
            self._read_to += len(self._given)
        ended = not self._given
        try:
            piece: bytes = self._decompressor.decompress(self._given, length)
        except errors_of(self._compression) as error:
            self._damage = str(error)
            raise Damaged(0, self._damage) from error
        if self._decompressor.eof:
            self._given = self._decompressor.unused_data.lstrip(b"\0")
            self._decompressor = None
        else:
            self._given = getattr(self._decompressor, "unconsumed_tail", b"")
        return None if ended and not piece else piece
