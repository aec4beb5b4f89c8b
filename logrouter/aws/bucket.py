"""One bucket: the few things that are asked of S3, each with what its answers mean.

Every method is a part of a conversation. What S3 refuses raises Refused, with a reason that tells what to do about it.

Source: Amazon S3 API Reference (https://docs.aws.amazon.com/AmazonS3/latest/API/), API version 2006-03-01.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple
from zlib import crc32

from logrouter.aws.client import Client
from logrouter.aws.credentials import Conversation, domain_of
from logrouter.aws.documents import Part, completing, problem_in, upload_id_in, upload_ids_in
from logrouter.aws.sigv4 import UNSIGNED_PAYLOAD, encoded, sha256_of
from logrouter.errors import DestinationError
from logrouter.instructions import Pause, Response
from logrouter.pages import heading_of

_STRETCH_BYTES: Final = 2**20
"""Hashed without a pause: 3 ms."""
_REGION: Final = "x-amz-bucket-region"
_CRC32: Final = "x-amz-checksum-crc32"

_HINTS: Final = {
    "AccessDenied": "the credentials lack a permission: s3:PutObject, perhaps kms:GenerateDataKey and kms:Decrypt",
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret access key is wrong, or something on the way changes requests",
    "NoSuchBucket": "create the bucket, or correct its name",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "ExpiredToken": "the credentials have expired, and no newer ones were found",
    "EntityTooSmall": "the server wants larger parts: use a larger object_size",
    "NotImplemented": "the server lacks something: perhaps If-None-Match (conditional: false)",
}
"""What the codes mean for whoever reads the log."""
_HINTS_OF_OTHERS: Final = {
    401: "something before S3 asks for a password, where S3 wants a signature: let requests pass it without",
    413: "something before S3 takes no requests so large: raise its limit (nginx: client_max_body_size)",
}
"""What statuses mean that S3 has not answered."""
_CONGESTED: Final = ("SlowDown", "ServiceUnavailable", "RequestLimitExceeded", "ThrottlingException", "TooManyRequests")


class Refused(DestinationError):
    """S3 does not do what it was asked."""

    def __init__(self, reason: str, response: Response, code: str) -> None:
        self.status = response.status
        self.after_seconds = response.retry_after_seconds
        self.congested = response.status in (429, 503) or code in _CONGESTED
        super().__init__(reason)


class Sums(NamedTuple):
    """What a body is known by."""

    sha256: str
    """In hexadecimal digits, or UNSIGNED_PAYLOAD."""
    crc32: str
    """base64, as S3 writes it."""


class Found(NamedTuple):
    """An object that is there."""

    size_bytes: int
    crc32: str | None
    """Of an upload in parts: that of the parts' checksums, `-` and how many. None: the server does not tell."""

    def is_like(self, size_bytes: int, crc: str) -> bool:
        """Whether it has this size, and this checksum as far as that is known."""
        return self.size_bytes == size_bytes and self.crc32 in (None, crc)


class Bucket:
    """The bucket at an endpoint."""

    def __init__(self, client: Client, path: str, signs_bodies: bool, object_headers: Mapping[str, str]) -> None:
        """`path`: what stands before a key: `/` or `/bucket/`. `object_headers`: those of every new object."""
        self._client = client
        self._path = path
        self._signs_bodies = signs_bodies
        self._object_headers = object_headers

    def sums(self, pieces: Sequence[bytes]) -> Conversation[Sums]:
        """The checksums of a body in pieces, each of at most some hundred kilobytes."""
        crc, sha256, stretch_bytes = 0, hashlib.sha256(), 0
        for piece in pieces:
            crc = crc32(piece, crc)
            if self._signs_bodies:
                sha256.update(piece)
            stretch_bytes += len(piece)
            if stretch_bytes > _STRETCH_BYTES:
                stretch_bytes = 0
                yield Pause()
        return Sums(sha256.hexdigest() if self._signs_bodies else UNSIGNED_PAYLOAD, _base64(crc))

    def put(
        self, key: str, pieces: Sequence[bytes], sums: Sums, only_new: bool
    ) -> Conversation[Literal["stored", "exists"]]:
        """Store an object. `only_new`: not where there is one already."""
        headers = {**self._object_headers, _CRC32: sums.crc32, **_condition(only_new)}
        response = yield from self._client.call("PUT", self._target(key), headers, b"", sums.sha256, pieces)
        if response.status == 412:
            return "exists"
        self._expect(response, 200)
        if "etag" not in response.headers:
            raise Refused("PutObject was answered without an ETag: is this S3?", response, "")
        return "stored"

    def find(self, key: str) -> Conversation[Found | None]:
        """What is known of an object; None: it is not there."""
        headers = {"x-amz-checksum-mode": "ENABLED"}
        response = yield from self._client.call("HEAD", self._target(key), headers)
        if response.status == 404:
            return None
        self._expect(response, 200)
        return Found(int(response.headers.get("content-length", -1)), response.headers.get(_CRC32))

    def create_upload(self, key: str) -> Conversation[str]:
        """Begin an object in parts; gives the upload's id."""
        headers = {**self._object_headers, "x-amz-checksum-algorithm": "CRC32"}
        response = yield from self._client.call("POST", self._target(key, uploads=""), headers)
        self._expect(response, 200)
        upload_id = upload_id_in(response.body)
        if not upload_id:
            raise Refused("CreateMultipartUpload was answered without an UploadId: is this S3?", response, "")
        return upload_id

    def upload_part(
        self, key: str, upload_id: str, number: int, pieces: Sequence[bytes], sums: Sums
    ) -> Conversation[Part | None]:
        """Store a part, in the place of one of the same number. None: there is no such upload, or no longer."""
        target = self._target(key, partNumber=str(number), uploadId=upload_id)
        response = yield from self._client.call("PUT", target, {_CRC32: sums.crc32}, b"", sums.sha256, pieces)
        problem = problem_in(response.body)
        if problem is not None and problem.code == "NoSuchUpload":
            return None
        self._expect(response, 200)
        return Part(response.headers.get("etag", ""), sums.crc32, sum(map(len, pieces)))

    def complete_upload(
        self, key: str, upload_id: str, parts: Sequence[Part], only_new: bool
    ) -> Conversation[Literal["stored", "exists", "gone"]]:
        """Make the object of its parts. `gone`: there is no such upload, or no longer."""
        body = completing(parts)
        target, sha256 = self._target(key, uploadId=upload_id), sha256_of(body)
        response = yield from self._client.call("POST", target, _condition(only_new), body, sha256)
        problem = problem_in(response.body)
        if response.status == 412:
            return "exists"
        if problem is not None and problem.code == "NoSuchUpload":
            return "gone"
        if problem is not None:  # also with status 200, which is answered before it is done
            raise self._refused(response)
        self._expect(response, 200)
        return "stored"

    def abort_upload(self, key: str, upload_id: str) -> Conversation[None]:
        """Throw its parts away."""
        response = yield from self._client.call("DELETE", self._target(key, uploadId=upload_id))
        if response.status != 404:
            self._expect(response, 204, 200)

    def upload_ids(self, key: str) -> Conversation[list[str]]:
        """The uploads that were begun for a key and are neither completed nor aborted."""
        response = yield from self._client.call("GET", self._target("", prefix=key, uploads=""))
        self._expect(response, 200)
        return upload_ids_in(response.body, key)

    def probe(self) -> Conversation[Response]:
        """Ask what is in it (ListObjectsV2): unlike HeadBucket it is told why it may not be asked.

        For one key: asked for none, MinIO does not look whether there is such a bucket.
        """
        return (yield from self._client.call("GET", self._target("", **{"list-type": "2", "max-keys": "1"})))

    def probe_writing(self, key: str) -> Conversation[list[str]]:
        """Begin an upload and abort it: what is wrong. It takes the rights, and the options, that an object does."""
        try:
            upload_id = yield from self.create_upload(key)
        except Refused as error:
            return [f"cannot begin an upload of {key}: {error}"]
        try:
            yield from self.abort_upload(key, upload_id)
        except Refused as error:
            told = f"HTTP {error.status}, s3:AbortMultipartUpload"
            return [f"the upload of {key} that this check has begun cannot be aborted ({told}): it stays open"]
        return []

    @staticmethod
    def lacks_permission(response: Response) -> bool:
        """Whether we are known, and only may not do this."""
        problem = problem_in(response.body)
        return response.status == 403 and (problem is None or problem.code == "AccessDenied")

    def reason_of(self, response: Response) -> str:
        """What is wrong, and what to do about it."""
        problem = problem_in(response.body)
        there = response.headers.get(_REGION) or (problem.region if problem else None)
        # MinIO tells its region with every error: it is wrong only where it is another one than ours.
        if there and there != self._client.region and response.status in (301, 307, 400):
            return f"the bucket is in the region {there}: write region: {there}"
        code = problem.code if problem else ""
        text = f"HTTP {response.status}" + (f" {code}" if code else "")
        told = problem.message if problem else heading_of(response.body).removeprefix(f"{response.status} ")
        if told:
            text += f": {told[:200]}"
        hint = _HINTS.get(code) or (None if problem else _HINTS_OF_OTHERS.get(response.status))
        return f"{text} ({hint})" if hint else text

    def _expect(self, response: Response, *statuses: int) -> None:
        if response.status not in statuses:
            raise self._refused(response)

    def _refused(self, response: Response) -> Refused:
        problem = problem_in(response.body)
        return Refused(self.reason_of(response), response, problem.code if problem else "")

    def _target(self, key: str, **query: str) -> str:
        """Path and query. A key is encoded, so that no client thinks of `..` in it as a way up."""
        path = self._path + encoded(key, "/")
        if not key and len(path) > 1:
            path = path.rstrip("/")
        pairs = "&".join(f"{name}={encoded(value)}" for name, value in sorted(query.items()))
        return f"{path}?{pairs}" if pairs else path


def crc32_of_parts(parts: Sequence[Part]) -> str:
    """The checksum of an object in parts: that of their checksums."""
    return f"{_base64(crc32(b''.join(base64.b64decode(part.crc32) for part in parts)))}-{len(parts)}"


def address(bucket: str, region: str, endpoint: str | None, path_style: bool | None) -> tuple[str, str]:
    """The URL that requests go to, and the path before keys.

    `path_style`: whether the bucket stands in the path. None: where the endpoint is not AWS's own, or the bucket's name
    has a dot, which no certificate of AWS covers.
    """
    in_path = path_style if path_style is not None else endpoint is not None or "." in bucket
    base = endpoint.rstrip("/") if endpoint else f"https://s3.{region}.{domain_of(region)}"
    if in_path:
        return base, f"/{bucket}/"
    scheme, _, host = base.partition("://")
    return f"{scheme}://{bucket}.{host}", "/"


def _condition(only_new: bool) -> dict[str, str]:
    return {"if-none-match": "*"} if only_new else {}


def _base64(crc: int) -> str:
    return base64.b64encode(crc.to_bytes(4, "big")).decode()
