"""How far a file has been read, and how it is known again: what is kept in the spool as the position of a stream.

    device, inode      the same file, whatever its name
    generation         … unless it is another: the inode was given to a new file
    head               … or its first bytes are others: it was begun anew
    read_to            the start of the next event, in bytes (of what is in it, where the file is compressed)

The head grows with the file: of a short file it is all there was when it was read last. Two files that begin with the
same KiB are one to it, so it is never asked alone.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import msgspec

HEAD_BYTES: Final = 1024
"""As Filebeat's and the OpenTelemetry Collector's fingerprints. A line with a time in it is all it takes."""
_DIGEST_BYTES: Final = 8


class Head(NamedTuple):
    """What a file begins with."""

    length: int = 0
    digest: bytes = b""

    def is_of(self, data: bytes) -> bool:
        """Whether a file that begins with these bytes, HEAD_BYTES if it has so many, may be the same."""
        return len(data) >= self.length and head_of(data[: self.length]) == self


def head_of(data: bytes) -> Head:
    """What a file begins with, of as much of it as was read."""
    data = data[:HEAD_BYTES]
    return Head(len(data), hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()) if data else Head()


class Place(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How far a stream in a file has been read."""

    read_to: int
    memo: bytes
    """What its framing is told to go on there."""
    device: int
    inode: int
    head: Head
    path: bytes
    """What it was called when it was found: a name that is no UTF-8 is one all the same."""
    where: bytes
    """What it was called last, without symbolic links: where it is looked for."""
    written_ns: int = 0
    """No later than what was read last was written, by its file system; 0: not known, or not needed to tell it."""
    generation: int = 0
    """Which of the files with this inode it is; 0: not known."""

    @property
    def identity(self) -> tuple[int, int]:
        """As `stat` gives it."""
        return self.device, self.inode


def may_be_one(generation: int, other: int) -> bool:
    """Whether an inode of these generations is that of one file, as far as both are known."""
    return generation == other or 0 in (generation, other)


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Place).decode


def decode(position: bytes) -> Place | None:
    """None: it is of another version, or no place at all."""
    try:
        return _decode(position)
    except msgspec.DecodeError:
        return None
