"""The XML that S3 and STS answer with, as far as it is needed, and the one document that S3 is sent.

Sources: Amazon S3 API Reference (https://docs.aws.amazon.com/AmazonS3/latest/API/), AWS STS API Reference. Servers that
speak like S3 write the namespace or leave it out: it is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from logrouter import times
from logrouter.aws.sigv4 import Credentials


class Problem(NamedTuple):
    """What an error document says. Only this is ever shown: the rest may hold what was signed, tokens included."""

    code: str
    message: str = ""
    region: str | None = None
    """Where the bucket is, if it is not here."""


class Part(NamedTuple):
    """A part of an upload, as it was stored."""

    etag: str
    crc32: str
    """base64, as the header `x-amz-checksum-crc32` has it."""
    size_bytes: int


def problem_in(body: bytes) -> Problem | None:
    """The error that a body tells of. None: it is something else, or nothing."""
    root = _parsed(body)
    if root is None or _local_name(root) not in ("Error", "ErrorResponse"):
        return None
    return Problem(_text(root, "Code") or "", _text(root, "Message") or "", _text(root, "Region"))


def upload_id_in(body: bytes) -> str | None:
    """The id in InitiateMultipartUploadResult."""
    root = _parsed(body)
    return None if root is None else _text(root, "UploadId")


def upload_ids_in(body: bytes, key: str) -> list[str]:
    """The ids in ListMultipartUploadsResult that belong to this key."""
    root = _parsed(body)
    found = [] if root is None else root.findall("{*}Upload")
    return [_text(upload, "UploadId") or "" for upload in found if _text(upload, "Key") == key]


def completing(parts: Iterable[Part]) -> bytes:
    """CompleteMultipartUpload: parts are numbered from 1."""
    pieces = [
        f"<Part><PartNumber>{number}</PartNumber><ETag>{_escaped(part.etag)}</ETag>"
        f"<ChecksumCRC32>{part.crc32}</ChecksumCRC32></Part>"
        for number, part in enumerate(parts, 1)
    ]
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<CompleteMultipartUpload xmlns="{namespace}">{"".join(pieces)}</CompleteMultipartUpload>'.encode()


def credentials_in(body: bytes) -> Credentials | None:
    """The credentials in the answer of AssumeRole or AssumeRoleWithWebIdentity."""
    root = _parsed(body)
    if root is None:
        return None
    key, secret = _text(root, "AccessKeyId"), _text(root, "SecretAccessKey")
    if not key or not secret:
        return None
    return Credentials(key, secret, _text(root, "SessionToken"), times.parse(_text(root, "Expiration")))


def _parsed(body: bytes) -> Any:
    from xml.etree import ElementTree  # 5 ms of the start, for those who are answered in XML

    try:
        return ElementTree.fromstring(body.strip())  # Complete is kept alive by whitespace before the answer
    except ElementTree.ParseError:
        return None


def _local_name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(element: Any, name: str) -> str | None:
    found = element.find(f".//{{*}}{name}")
    return None if found is None else found.text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
