"""What an answer must not show, though a server repeats it: what proves who we are."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final

from logrouter.endpoint import Endpoint
from logrouter.values import MASK, Secret

_SHORTEST_SECRET: Final = 4
"""Anything shorter is part of every text."""


def masked(body: bytes, secrets: Iterable[bytes]) -> bytes:
    """The body without these."""
    for secret in secrets:
        body = body.replace(secret, MASK.encode())
    return body


def secrets_of(endpoint: Endpoint, target: str, path: str) -> list[bytes]:
    """What must not be shown, whoever repeats it: keys in headers, the path of a secret URL. The longest first.

    `target` and `path`: of the endpoint's URL, with and without percent-encoding.
    """
    texts = [text.reveal() for text in endpoint.headers.values() if isinstance(text, Secret)]
    texts += [_password_in(text) for text in texts]
    if isinstance(endpoint.url, Secret):
        texts += [target, target.partition("?")[0], path]
    words = {word for text in texts for word in (text, text.rpartition(" ")[2]) if len(word) >= _SHORTEST_SECRET}
    return [word.encode() for word in sorted(words, key=len, reverse=True)]


def _password_in(header: str) -> str:
    """The password that basic authentication (RFC 7617) sends, or Elasticsearch's key; empty where it is neither."""
    scheme, _, pair = header.partition(" ")
    if scheme.lower() not in ("basic", "apikey"):
        return ""
    try:
        return base64.b64decode(pair).decode().partition(":")[2]
    except ValueError:  # by a user's own header
        return ""
