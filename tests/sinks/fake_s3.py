"""An S3 of the tests: a dict, with uploads in parts, checksums and If-None-Match, that answers requests."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree
from zlib import crc32

import msgspec

from logrouter.aws.sigv4 import UNSIGNED_PAYLOAD
from logrouter.instructions import Request, Response


class Stored(NamedTuple):
    data: bytes
    crc32: str
    etag: str
    headers: dict[str, str]


def base64_crc(data: bytes) -> str:
    return base64.b64encode(crc32(data).to_bytes(4, "big")).decode()


def error(status: int, code: str, message: str = "", extra: str = "") -> Response:
    document = f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>"
    return Response(status, {"content-type": "application/xml"}, document.encode())


class FakeS3:
    """The bucket `logs`, path style."""

    def __init__(self, least_part_bytes: int = 5 * 2**20, tells_checksums: bool = True) -> None:
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, tuple[str, dict[str, str]]] = {}
        self.parts: dict[str, dict[int, Stored]] = {}
        self.requests: list[Request] = []
        self.least_part_bytes = least_part_bytes
        self.tells_checksums = tells_checksums
        self.hides_objects = False
        """Whether who asks may only write."""
        self._begun = 0

    def __call__(self, request: Request) -> Response:
        request = msgspec.structs.replace(request, body=request.whole_body, pieces=())
        self.requests.append(request)
        headers = dict(request.headers)
        path, _, query = request.target.partition("?")
        asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        bucket, _, key = unquote(path).removeprefix("/").partition("/")
        assert bucket == "logs"
        assert headers["x-amz-content-sha256"] in (hashlib.sha256(request.body).hexdigest(), UNSIGNED_PAYLOAD)
        if (given := headers.get("x-amz-checksum-crc32")) and given != base64_crc(request.body):
            return error(400, "BadDigest")
        if "uploadId" in asked:
            return self._of_upload(request, key, asked, headers)
        match request.method:
            case "PUT":
                return self._put(key, request.body, headers)
            case "HEAD":
                return self._head(key) if key else Response(200)
            case "POST":
                return self._create(key, headers)
            case _:
                return self._list()

    def _list(self) -> Response:
        found = [
            f"<Upload><Key>{key}</Key><UploadId>{name}</UploadId></Upload>" for name, (key, _) in self.uploads.items()
        ]
        tag = "ListMultipartUploadsResult"
        return Response(200, {}, f"<{tag}>{''.join(found)}</{tag}>".encode())

    def _put(self, key: str, data: bytes, headers: dict[str, str]) -> Response:
        if headers.get("if-none-match") == "*" and key in self.objects:
            return error(412, "PreconditionFailed")
        etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        self.objects[key] = Stored(data, base64_crc(data), etag, headers)
        return Response(200, {"etag": etag})

    def _head(self, key: str) -> Response:
        if self.hides_objects:
            return Response(403)
        if key not in self.objects:
            return Response(404)
        stored = self.objects[key]
        told = {"x-amz-checksum-crc32": stored.crc32} if self.tells_checksums else {}
        return Response(200, {"content-length": str(len(stored.data)), "etag": stored.etag, **told})

    def _create(self, key: str, headers: dict[str, str]) -> Response:
        self._begun += 1
        upload_id = f"upload/{self._begun}+="
        self.uploads[upload_id] = key, headers
        self.parts[upload_id] = {}
        namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
        tag = "InitiateMultipartUploadResult"
        return Response(200, {}, f'<{tag} xmlns="{namespace}"><UploadId>{upload_id}</UploadId></{tag}>'.encode())

    def _of_upload(self, request: Request, key: str, asked: dict[str, str], headers: dict[str, str]) -> Response:
        upload_id = asked["uploadId"]
        if upload_id not in self.uploads:
            return error(404, "NoSuchUpload")
        assert self.uploads[upload_id][0] == key
        parts = self.parts[upload_id]
        match request.method:
            case "PUT":
                etag = f'"{hashlib.md5(request.body, usedforsecurity=False).hexdigest()}"'
                parts[int(asked["partNumber"])] = Stored(request.body, base64_crc(request.body), etag, headers)
                return Response(200, {"etag": etag})
            case "DELETE":
                del self.uploads[upload_id], self.parts[upload_id]
                return Response(204)
        return self._complete(upload_id, request.body, headers)

    def _complete(self, upload_id: str, body: bytes, headers: dict[str, str]) -> Response:
        key, created_with = self.uploads[upload_id]
        wanted = list(self._wanted(body))
        parts = [self.parts[upload_id].get(number) for number, _, _ in wanted]
        for part, (_, etag, crc) in zip(parts, wanted, strict=True):
            if part is None or part.etag != etag or part.crc32 != crc:
                return error(400, "InvalidPart")
        chosen = [part for part in parts if part]
        if any(len(part.data) < self.least_part_bytes for part in chosen[:-1]):
            return error(400, "EntityTooSmall")
        if headers.get("if-none-match") == "*" and key in self.objects:
            return error(412, "PreconditionFailed")
        sums = b"".join(base64.b64decode(part.crc32) for part in chosen)
        data = b"".join(part.data for part in chosen)
        count = len(chosen)
        self.objects[key] = Stored(data, f"{base64_crc(sums)}-{count}", f'"{"0" * 32}-{count}"', created_with)
        del self.uploads[upload_id], self.parts[upload_id]
        return Response(200, {}, b"  \n<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

    def _wanted(self, body: bytes) -> Iterator[tuple[int, str, str]]:
        for part in ElementTree.fromstring(body).findall("{*}Part"):
            number, etag, crc = (part.findtext(f"{{*}}{name}") for name in ("PartNumber", "ETag", "ChecksumCRC32"))
            yield int(number or 0), etag or "", crc or ""

    @property
    def lines(self) -> list[bytes]:
        """All lines of all objects."""
        return [line for key, stored in self.objects.items() for line in lines_of(key, stored.data)]


def lines_of(key: str, data: bytes) -> list[bytes]:
    """The lines of an object, as its name says that it is compressed."""
    if re.search(r"\.gz$", key):
        import gzip

        data = gzip.decompress(data)
    elif key.endswith(".zst"):
        from backports import zstd

        data = zstd.decompress(data)
    assert not data or data.endswith(b"\n")
    return data.split(b"\n")[:-1]
