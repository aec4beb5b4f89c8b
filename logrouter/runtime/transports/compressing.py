"""Compresses what is about to be sent, without holding others up."""

from __future__ import annotations

from functools import partial
from typing import Final

from logrouter.compression import compress
from logrouter.instructions import ContentCoding
from logrouter.runtime.threads import in_thread

_HERE_BYTES: Final = 64 * 1024
"""Compressing so much takes 0.1 ms, and more goes to a thread."""


async def compressed(data: bytes, coding: ContentCoding, level: int | None = None) -> bytes:
    """As `compression.compress` has it."""
    if len(data) > _HERE_BYTES:
        return await in_thread(partial(compress, data, coding, level))
    return compress(data, coding, level)
