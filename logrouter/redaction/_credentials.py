"""What somebody proves with who they are: passwords, tokens, and the headers that carry them."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from logrouter.possessive import portable
from logrouter.redaction._detector import Detector, Span, matches

_DOTTED = re.compile(portable(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+){2,}+"))


def _json_web_tokens(text: str) -> Iterator[Span]:
    """Three to five parts in base64url, the first of which begins as `{"` does (RFC 7515, RFC 7516)."""
    for match in _DOTTED.finditer(text):
        start = match[0].find("eyJ")
        if start >= 0 and match[0].count(".", start) >= 2:
            yield match.start() + start, match.end()


_BEARER = re.compile(
    portable(r"""(?i:\bbearer) (?:\s|%20|\+)++
        (?= [a-z]{0,19}[A-Z0-9._~+/=-] | [a-z]{20} )     # the word after "bearer" in prose is none
        (?P<secret> [A-Za-z0-9._~+/=-]{6,} )             # RFC 6750, b64token"""),
    re.VERBOSE,
)
_BASIC = re.compile(
    portable(r"""(?P<header> (?i:authorization) ["']? \s?+ [:=] \s?+ ["']? )?+
        \b(?i:basic) (?:\s|%20|\+)++ (?P<secret> [A-Za-z0-9+/_-]{4,}+ ={0,2}+ )"""),
    re.VERBOSE,
)


def _basic(text: str) -> Iterator[Span]:
    """What follows the word in a header; elsewhere, if it is base64 of `user:password` (RFC 7617 §2)."""
    for match in _BASIC.finditer(text):
        if match["header"] or _is_basic(match["secret"]):
            yield match.span("secret")


def _is_basic(secret: str) -> bool:
    encoded = secret.rstrip("=").replace("-", "+").replace("_", "/").encode()
    try:
        decoded = binascii.a2b_base64(encoded + b"=" * (-len(encoded) % 4))
    except binascii.Error:
        return False
    return b":" in decoded and all(byte >= 32 for byte in decoded)


_URL_PASSWORD = re.compile(r""":(?:\\?/){2}[^\s/?#:@"'<>]*:(?P<secret>[^\s/?#"'<>]+)@""")
_NAME: Final = r"""(?i: passw(?:or)?d | passphrase | pwd | (?:client|api|app|shared|access|auth)?+ [_.-]?+ secret
    | (?:api|access|auth|refresh|id|session|csrf|secret) [_.-]?+ (?:key|token) )"""
_PASSWORD = re.compile(
    portable(rf"""{_NAME} (?: \\?["'] )?+ \s?+ (?: [:=] | %3[Dd] ) \s?+
        (?: \\?"(?P<quoted>[^"\\]++) | \\?'(?P<single>[^'\\]++) | (?P<bare>[^\s"'\\,;&<>(){{}}\[\]]{{2,}}+) )"""),
    re.VERBOSE,
)
"""A name that says what it is, `=` or a colon, and a value, in quotation marks or up to the next blank."""
_FIELD = re.compile(portable(rf"(?:.*[_.-])?{_NAME}"), re.VERBOSE | re.DOTALL)


def _passwords(text: str) -> Iterator[Span]:
    for match in _PASSWORD.finditer(text):
        yield match.span(match.lastgroup or 0)


_LIKE_ASCII: Final = ("\u017f".encode(), "\u212a".encode())
"""What counts as an s and a k where the case does not matter."""

_LIKE_TOKEN: Final = re.compile(rb"J(?<=eyJ)")

PRESETS: Final = (
    Detector("url_password", matches(_URL_PASSWORD), of_lines=True, hints=(b"@",), needs="/"),
    Detector("bearer", matches(_BEARER), hints=(b"bearer",)),
    Detector("basic", _basic, hints=(b"basic",)),
    Detector("jwt", _json_web_tokens, of_lines=True, candidates=(_LIKE_TOKEN,)),
    Detector(
        "password",
        _passwords,
        hints=(b"passw", b"passphr", b"pwd", b"ecret", b"key", b"token", *_LIKE_ASCII),
        names=_FIELD,
    ),
)
