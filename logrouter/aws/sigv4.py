"""Signature Version 4: how a request to AWS proves who has made it.

    canonical request ── method, path, query, headers, hash of the body: what both sides write alike
    string to sign    ── algorithm, time, scope (day/region/service/aws4_request), hash of the canonical request
    signing key       ── HMACs of day, region, service, "aws4_request", begun with the secret
    Authorization     ── HMAC of the string to sign, with whose key and which headers

Source: AWS, "Signature Version 4 for API requests"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). The tests have botocore
sign the same requests.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from logrouter import times

UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
"""Stands for the hash of a body that is not signed: where TLS guards it."""
EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_PORTS: Final = {"http": 80, "https": 443}


class Credentials(msgspec.Struct, frozen=True):
    """Who we are."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expires_ns: int | None = None
    """Nanoseconds since 1970. None: they never do."""

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r})"


class Scope(msgspec.Struct, frozen=True):
    """What a signature is good for."""

    region: str
    service: str


def sign(
    method: str,
    url: str,
    headers: Mapping[str, str],
    payload_sha256: str,
    credentials: Credentials,
    scope: Scope,
    now_ns: int,
) -> dict[str, str]:
    """The headers that the request is to be sent with: the given ones, and those that sign it.

    `url` is whole, and encoded as it is sent: its path is signed as it is, as S3 wants it. `payload_sha256`: in
    hexadecimal digits, or UNSIGNED_PAYLOAD.
    """
    moment = times.format_basic(now_ns)
    signed = {
        "host": host_of(url),
        "x-amz-date": moment,
        "x-amz-content-sha256": payload_sha256,
        **{name.lower(): " ".join(value.split()) for name, value in headers.items()},
    }
    if credentials.session_token is not None:
        signed["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(signed))
    place = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    request = _canonical_request(method, url, signed, names, payload_sha256)
    to_sign = "\n".join((_ALGORITHM, moment, place, hashlib.sha256(request.encode()).hexdigest()))
    key = _signing_key(credentials.secret_access_key, moment[:8], scope.region, scope.service)
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    proof = f"{_ALGORITHM} Credential={credentials.access_key_id}/{place}, SignedHeaders={names}, Signature={signature}"
    del signed["host"]  # the client that sends the request sets it
    return {**signed, "authorization": proof}


def sha256_of(body: bytes) -> str:
    """The hash of a body, as `sign` takes it."""
    return hashlib.sha256(body).hexdigest()


def host_of(url: str) -> str:
    """What a request's Host header says: without the port, where it is the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def encoded(text: str, safe: str = "") -> str:
    """Percent-encoded as AWS wants it: all but unreserved characters (RFC 3986 §2.3), and those in `safe`."""
    return quote(text, safe=safe + "-_.~")


def _canonical_request(method: str, url: str, headers: Mapping[str, str], names: str, payload_sha256: str) -> str:
    parts = urlsplit(url)
    pairs = sorted((encoded(key), encoded(value)) for key, value in parse_qsl(parts.query, keep_blank_values=True))
    query = "&".join(f"{key}={value}" for key, value in pairs)
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    return "\n".join((method, parts.path or "/", query, lines, names, payload_sha256))


@lru_cache(maxsize=8)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
