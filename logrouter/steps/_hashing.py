"""Hashes of values: the same for equal values, here, in other processes, and after updates.

What is hashed is a string's UTF-8, or the compact JSON of any other value. With a key it is HMAC-SHA-256 (RFC 2104),
without, SHA-256 (FIPS 180-4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from logrouter.documents import encode_value
from logrouter.values import Secret

DIGITS: Final = 20
"""Hexadecimal ones that are written of a hash, 80 bits: among a billion different values, two have the same one with a
probability of one in two million."""
SHORT_KEY: Final = 16
"""Characters below which a key is worth a warning: whoever has the hashes can try all keys."""

Digest: TypeAlias = Callable[[bytes], bytes]


def digest_by(secret: Secret | None) -> Digest:
    """What makes the 32 bytes of a hash."""
    import hashlib
    import hmac  # here, as few configs hash

    if secret is None:
        return lambda text: hashlib.sha256(text).digest()
    key = secret.reveal().encode()
    return lambda text: hmac.digest(key, text, "sha256")


def text_of(value: Any) -> bytes:
    """What is hashed of a value."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else encode_value(value)


def warnings_of(key: Secret | None) -> list[str]:
    """What is odd about a key."""
    if key is None or len(key.reveal()) >= SHORT_KEY:
        return []
    return [f"the key has fewer than {SHORT_KEY} characters: hashes made with it can be undone by guessing"]
