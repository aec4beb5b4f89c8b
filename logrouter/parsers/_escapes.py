r"""Escapes in texts, as C, Go and JSON write them: `\n`, `\"`, `\xHH` and `\ooo` for a byte, `\uHHHH`, `\UHHHHHHHH`."""

from __future__ import annotations

import re
from typing import Final

_ESCAPE: Final = re.compile(
    rb"\\(?:x([0-9A-Fa-f]{2})|([0-3][0-7]{2})"
    rb"|u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})"
    rb"|u([0-9A-Fa-f]{4})|U(000[0-9A-Fa-f]{5}|0010[0-9A-Fa-f]{4})"
    rb"""|([abfnrtv"'/\\]))"""
)
_LETTERS: Final = dict(zip(b"abfnrtv", b"\a\b\f\n\r\t\v", strict=True))


def unescaped(text: str) -> str:
    """The text without escapes. What is none stays as it is; bytes that are not UTF-8 become U+FFFD."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_bytes, text.encode()).decode("utf-8", "replace")


def _bytes(match: re.Match[bytes]) -> bytes:
    hexadecimal, octal, high, low, short, long, letter = match.groups()
    if letter:
        return bytes((_LETTERS.get(letter[0], letter[0]),))
    if hexadecimal or octal:
        return bytes((int(hexadecimal, 16) if hexadecimal else int(octal, 8),))
    if high:
        return bytes.fromhex((high + low).decode()).decode("utf-16-be").encode()
    return chr(int(short or long, 16)).encode("utf-8", "surrogatepass")
