"""Compresses what is about to be sent, without holding others up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from logrouter.compression import compress_pieces
from logrouter.instructions import ContentCoding
from logrouter.runtime.threads import in_thread

_HERE_BYTES: Final = 64 * 1024
"""Compressing so much takes 0.1 ms, and more goes to a thread."""


async def compressed(pieces: Sequence[bytes], coding: ContentCoding, level: int | None = None) -> bytes:
    """As `compression.compress_pieces` has it."""
    if sum(map(len, pieces)) > _HERE_BYTES:
        return await in_thread(partial(compress_pieces, pieces, coding, level))
    return compress_pieces(pieces, coding, level)
