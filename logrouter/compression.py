"""gzip and zstd, in pieces that stand for themselves.

Each call of `compress` makes one whole gzip member (RFC 1952 §2.2) or zstd frame (RFC 8878 §3.1). Any number of
them after each other is a valid file, so that a file which grows by pieces can be read at every moment:

    ┌──────────┬──────────┬─────  ─ ─
    │  batch   │  batch   │ batch, cut by a crash
    └──────────┴──────────┴─────  ─ ─
                          ↑ whole_bytes
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Literal

Compression = Literal["none", "gzip", "zstd"]

SUFFIXES: dict[Compression, str] = {"gzip": ".gz", "zstd": ".zst"}
"""What the names of such files end with."""

_GZIP_LEVEL = 1
"""isal's levels are 0 to 3; 1 is as fast as it gets, at about zlib's own level 1 in size."""
_ZSTD_LEVEL = 3
"""zstd's own default."""
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
"""zlib's way to say: with gzip's header and trailer."""


def compress(data: bytes, compression: Compression) -> bytes:
    """One whole member or frame, with a checksum. The same bytes for the same data."""
    if compression == "gzip":
        from isal import isal_zlib

        return isal_zlib.compress(data, _GZIP_LEVEL, _GZIP_WINDOW_BITS)
    if compression == "zstd":
        zstd = _zstd()
        options = {
            zstd.CompressionParameter.compression_level: _ZSTD_LEVEL,
            zstd.CompressionParameter.checksum_flag: 1,
        }
        compressed: bytes = zstd.compress(data, options=options)
        return compressed
    return data


def whole_bytes(pieces: Iterable[bytes], compression: Compression) -> int | None:
    """How many bytes of a file, read in pieces, are whole members or frames.

    None where it is none of that compression, or damaged before its end: then nothing may be appended.
    """
    whole, fed = 0, 0
    decompressor = None
    try:
        for piece in pieces:
            fed += len(piece)
            while piece:
                decompressor = decompressor or _decompressor(compression)
                decompressor.decompress(piece)
                if not decompressor.eof:
                    break
                piece = decompressor.unused_data
                whole = fed - len(piece)
                decompressor = None
    except _errors(compression):
        return None
    return whole


def _decompressor(compression: Compression) -> Any:
    if compression == "zstd":
        return _zstd().ZstdDecompressor()
    return zlib.decompressobj(_GZIP_WINDOW_BITS)


def _errors(compression: Compression) -> tuple[type[Exception], ...]:
    return (_zstd().ZstdError, EOFError) if compression == "zstd" else (zlib.error,)


def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found]  # in the standard library from Python 3.14
    except ImportError:
        from backports import zstd
    return zstd
