"""gzip and zstd, in pieces that stand for themselves; and what bodies of requests are compressed with.

Each call of `compress` makes one whole gzip member (RFC 1952 §2.2) or zstd frame (RFC 8878 §3.1). Any number of
them after each other is a valid file, so that a file which grows by pieces can be read at every moment:

    ┌──────────┬──────────┬─────  ─ ─
    │  batch   │  batch   │ batch, cut by a crash
    └──────────┴──────────┴─────  ─ ─
                          ↑ whole_bytes
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from logrouter.instructions import ContentCoding

Compression = Literal["none", "gzip", "zstd"]

SUFFIXES: dict[Compression, str] = {"gzip": ".gz", "zstd": ".zst"}
"""What the names of such files end with."""
LEVELS: dict[Compression, range] = {"gzip": range(1, 10), "zstd": range(1, 23)}
"""How hard they can be asked to compress."""

_GZIP_LEVEL = 1
"""isal's levels are 0 to 3; 1 is as fast as it gets, at about zlib's own level 1 in size."""
_GZIP_FAST_LEVELS = 3
"""Up to here it is isal's, beyond it zlib's: 5 % smaller, and ten times as slow."""
_ZSTD_LEVEL = 3
"""zstd's own default."""
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
"""zlib's way to say: with gzip's header and trailer."""


def compress(data: bytes, compression: ContentCoding, level: int | None = None) -> bytes:
    """One whole member or frame, with a checksum; of snappy one raw block. The same bytes for the same data.

    `level`: of gzip 0 to 9, of zstd 1 to 22. None: what is fast.
    """
    match compression:
        case "gzip":
            level = _GZIP_LEVEL if level is None else level
            gzipped: bytes = _gzip_library(level).compress(data, level, _GZIP_WINDOW_BITS)
            return gzipped
        case "zstd":
            return _zstd_frame(data, _ZSTD_LEVEL if level is None else level)
        case "snappy":
            from cramjam import snappy

            return bytes(snappy.compress_raw(data))
        case "none":
            return data


def compress_pieces(pieces: Sequence[bytes], compression: ContentCoding, level: int | None = None) -> bytes:
    """The same of data in pieces. For gzip they are not joined before: that would take a third of what gzip takes.

    What comes of it may depend on how they were cut.
    """
    if compression != "gzip" or len(pieces) == 1:
        return compress(b"".join(pieces), compression, level)
    level = _GZIP_LEVEL if level is None else level
    compressor = _gzip_library(level).compressobj(level, zlib.DEFLATED, _GZIP_WINDOW_BITS)
    coded = list(map(compressor.compress, pieces))
    return b"".join([*coded, compressor.flush()])


def _gzip_library(level: int) -> Any:
    """The module that is asked for a level: isal's has the names of zlib's."""
    if level > _GZIP_FAST_LEVELS:
        return zlib
    from isal import isal_zlib

    return isal_zlib


def _zstd_frame(data: bytes, level: int) -> bytes:
    zstd = _zstd()
    options = {zstd.CompressionParameter.compression_level: level, zstd.CompressionParameter.checksum_flag: 1}
    compressed: bytes = zstd.compress(data, options=options)
    return compressed


def decompress(data: bytes, compression: ContentCoding) -> bytes:
    """What `compress` was given. Raises zlib.error, ZstdError or cramjam.DecompressionError where it was not."""
    match compression:
        case "gzip":
            return zlib.decompress(data, _GZIP_WINDOW_BITS)
        case "zstd":
            whole: bytes = _zstd().decompress(data)
            return whole
        case "snappy":
            from cramjam import snappy

            return bytes(snappy.decompress_raw(data))
        case "none":
            return data


def whole_bytes(pieces: Iterable[bytes], compression: Compression) -> int | None:
    """How many bytes of a file, read in pieces, are whole members or frames.

    None where it is none of that compression, or damaged before its end: then nothing may be appended.
    """
    whole, fed = 0, 0
    current = None
    try:
        for piece in pieces:
            fed += len(piece)
            while piece:
                current = current or decompressor(compression)
                current.decompress(piece)
                if not current.eof:
                    break
                piece = current.unused_data
                whole = fed - len(piece)
                current = None
    except errors_of(compression):
        return None
    return whole


def decompressor(compression: Compression) -> Any:
    """A decompressor of one member or frame: an object of the modules `zlib` or `compression.zstd`."""
    if compression == "zstd":
        return _zstd().ZstdDecompressor()
    return zlib.decompressobj(_GZIP_WINDOW_BITS)


def errors_of(compression: Compression) -> tuple[type[Exception], ...]:
    """What it raises where the data is damaged."""
    return (_zstd().ZstdError, EOFError) if compression == "zstd" else (zlib.error,)


def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found]  # in the standard library from Python 3.14
    except ImportError:
        from backports import zstd
    return zstd
