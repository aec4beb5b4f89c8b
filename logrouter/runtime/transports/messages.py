"""Parts of HTTP messages: a body in pieces, a target, headers, codings, dates."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

_PIECE_BYTES = 256 * 1024
"""How much of a body is written at once: each piece has its own deadline."""


class Body(AsyncIterator[bytes]):
    """The body in pieces, which knows whether all of it was sent.

    No generator: one that is left in the middle would have to be closed.
    """

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self.is_sent = False
        self._data = memoryview(data)
        self._at = 0

    async def __anext__(self) -> Any:  # a memoryview, which h11 joins as it does bytes
        start = self._at
        if start >= self.size:
            self.is_sent = True
            raise StopAsyncIteration
        self._at = start + _PIECE_BYTES
        return self._data[start : self._at]


def target_of(url: str) -> str:
    """What follows the host, percent-encoded where it must be: RFC 9112 §3.2.1."""
    parts = urlsplit(url)
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    return quote(target, safe="%/:?#[]@!$&'()*+,;=~")


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By lower-case name; those of the same name as one, as RFC 9110 §5.3 has it."""
    headers: dict[str, str] = {}
    for raw_name, raw_text in pairs:
        name, text = raw_name.decode("latin-1").lower(), raw_text.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def plain(body: bytes, coding: str, at_most: int) -> bytes:
    """The body without its coding, which we never ask for. What is damaged is cut there."""
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
