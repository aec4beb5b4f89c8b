"""Parts of HTTP messages: codings, dates."""

from __future__ import annotations

import zlib
from collections.abc import Callable


def plain(body: bytes, coding: str, at_most: int) -> bytes:
    """The body without its coding, whoever has asked for one. What is damaged is cut there.

    Not by httpx, which knows no bound: of 4 MB it would make 4 GB.
    """
    if coding.lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(body, at_most)
    except zlib.error:
        return b""


def retry_after_seconds(text: str | None, clock: Callable[[], float]) -> float | None:
    """Seconds, or a date: RFC 9110 §10.2.3. None where it is neither."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import mktime_tz, parsedate_tz  # 10 ms, for the few that give a date

    date = parsedate_tz(text)
    return None if date is None else max(0.0, mktime_tz(date) - clock())
