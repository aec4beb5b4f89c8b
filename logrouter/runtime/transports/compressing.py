"""Compresses what is about to be sent, without holding others up."""

from __future__ import annotations

from typing import Final

import trio

from logrouter.compression import compress
from logrouter.instructions import ContentCoding

_HERE_BYTES: Final = 64 * 1024
"""Compressing so much takes 0.1 ms, and more goes to a thread."""


async def compressed(data: bytes, coding: ContentCoding, level: int | None = None) -> bytes:
    """As `compression.compress` has it."""
    if len(data) > _HERE_BYTES:
        return await trio.to_thread.run_sync(compress, data, coding, level)
    return compress(data, coding, level)
