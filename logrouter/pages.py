"""Pages of HTML, with which proxies and gateways answer in a server's place, as texts of one line.

    <html><head><title>502 Bad Gateway</title></head>…<h1>502 Bad Gateway</h1>…<center>nginx/1.22.1</center>…
    → 502 Bad Gateway nginx/1.22.1

Entities stay as they are written: what was masked in a body must not come back out of them.
"""

from __future__ import annotations

import re
from typing import Final

_LOOKED_AT_BYTES: Final = 4096
"""Long pages are styles and scripts, and what they say stands in their title."""
_PAGE: Final = re.compile(rb"(?i)\s*(?:<!--[^>]*>\s*)?<(?:!doctype\s+html|html)\b")
_UNSEEN: Final = re.compile(r"(?is)<(script|style|title)\b.*?(?:</\1\b[^>]*>?|$)|<!--.*?(?:-->|$)")
_TITLE: Final = re.compile(r"(?i)<title\b[^>]*>([^<]*)")
_HEADLINE: Final = re.compile(r"(?i)<h1\b[^>]*>([^<]*)")
_STATUS: Final = re.compile(r"^\d{3} ")
_TAG: Final = re.compile(r"<[^>]*(?:>|$)")


def is_page(body: bytes) -> bool:
    """Whether it is one."""
    return _PAGE.match(body) is not None


def heading_of(body: bytes) -> str:
    """Its title, or its headline where it has none; empty where it is no page, or has neither."""
    if not is_page(body):
        return ""
    text = _beginning(body)
    found = [squeezed for pattern in (_TITLE, _HEADLINE) for squeezed in map(_squeezed, pattern.findall(text))]
    return next(filter(None, found), "")


def text_of(body: bytes) -> str:
    """What a reader of the page sees, with its title in front where it says more."""
    title, seen = heading_of(body), _squeezed(_TAG.sub(" ", _UNSEEN.sub(" ", _beginning(body))))
    return seen if _STATUS.sub("", title) in seen else f"{title}: {seen}".removesuffix(": ")


def _beginning(body: bytes) -> str:
    return body[:_LOOKED_AT_BYTES].decode("utf-8", "replace")


def _squeezed(text: str) -> str:
    return " ".join(text.split())
