"""S3 servers: versitygw over a plain folder, and what is asked of any. (minio.py has the other one.)"""

from __future__ import annotations

import os
import uuid
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import Session

from tests.services.programs import go_install
from tests.services.server import Server
from tests.sinks.fake_s3 import lines_of

RELEASE = "v1.8.0"


class S3Server(Server):
    """An S3 endpoint with one account, `access_key` and `secret_key`. Buckets are addressed by path.

    `client` is botocore's own, for what has no method here.
    """

    access_key = "logrouter-tests"
    secret_key = "a secret/with+signs="
    region = "us-east-1"

    def __init__(self, folder: Path, ca_file: Path | None = None) -> None:
        super().__init__(folder, ca_file)
        (folder / "buckets").mkdir(exist_ok=True)
        self.client: Any = self.client_of("s3")

    def client_of(self, service: str, **options: Any) -> Any:
        """A client of botocore's that speaks to this server, as its account unless the options say otherwise."""
        account = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        config = Config(proxies={}, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        to = {"region_name": self.region, "endpoint_url": self.url, "verify": self.ca_file and str(self.ca_file)}
        return Session().create_client(service, **{"config": config, **to, **account, **options})

    def __exit__(self, *_: object) -> None:
        self.client.close()
        super().__exit__()

    @abstractmethod
    def folders_of(self, bucket: str) -> Sequence[Path]:
        """Where it keeps the bucket's objects, and the parts of uploads."""

    def make_bucket(self, **options: Any) -> str:
        """A new bucket, empty; gives its name."""
        name = f"tests-{uuid.uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name, **options)
        return name

    def stored_bytes(self, bucket: str) -> int:
        """How much the bucket holds so far, parts of uploads included, and a little for what is written beside it."""
        found = 0
        for place in self.folders_of(bucket):
            for folder, _, names in os.walk(place):
                for name in names:
                    with suppress(FileNotFoundError):  # a part that has just become one of an object
                        found += os.stat(f"{folder}/{name}").st_size
        return found

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys of all objects of a bucket, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def head(self, bucket: str, key: str) -> dict[str, Any]:
        """What is known of an object, with its checksum; raises botocore's ClientError (404) if it is not there."""
        found: dict[str, Any] = self.client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        return found

    def read(self, bucket: str, key: str) -> bytes:
        """An object's bytes, which botocore has compared with their checksum."""
        content: bytes = self.client.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")["Body"].read()
        return content

    def lines(self, bucket: str) -> list[bytes]:
        """All lines of all objects of a bucket, those of compressed ones too."""
        return [line for key in self.keys(bucket) for line in lines_of(key, self.read(bucket, key))]

    def delete(self, bucket: str, key: str) -> None:
        self.client.delete_object(Bucket=bucket, Key=key)

    def uploads(self, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
        """The multipart uploads that are neither completed nor aborted: key and upload id of each."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
        return [(upload["Key"], upload["UploadId"]) for page in pages for upload in page.get("Uploads", ())]


class Versitygw(S3Server):
    """versitygw.

    What it proves, each seen on v1.8.0 with a request that breaks it:

    - SigV4: no signature 403 AccessDenied; a wrong secret or a signed header changed 403 SignatureDoesNotMatch; an
      `x-amz-…` header that is not signed 403; another region or service 400 AuthorizationHeaderMalformed; a clock
      15 minutes off 403 RequestTimeTooSkewed; a body other than its `x-amz-content-sha256` 400; that header missing
      400. Keys with spaces, `+`, `%`, `=`, `&`, `~` and letters beyond ASCII are signed and kept as they are.
    - Checksums: CRC32, CRC32C, SHA-256 and Content-MD5 wrong 400 BadDigest, malformed 400, two at once 400; as a
      trailer (`STREAMING-UNSIGNED-PAYLOAD-TRAILER`) too. HEAD gives them back with `x-amz-checksum-mode: ENABLED`.
    - `If-None-Match: *`: 412 on PutObject and on CompleteMultipartUpload if the key is there; of eight at once one
      succeeds. The upload is then still open. Anything but `*` is 501.
    - Multipart: all parts but the last at least 5 MiB, else 400 EntityTooSmall, and the upload stays open; wrong ETag
      or order refused; part numbers from 1 to 10000; COMPOSITE and FULL_OBJECT checksums of parts and whole compared;
      an upload begun with an algorithm wants it in each part and in Complete; ETag = md5 of md5s and `-N`; uploading to
      an upload that is completed or aborted 404 NoSuchUpload, aborting it again too.

    What it does not prove:

    - Complete of an upload that is not open (any more) is 200 as long as *some* object has that key, with the ETag
      computed from the request: it may be another upload's object. AWS and MinIO say 404 NoSuchUpload. It also
      says 200 for an upload whose Complete a `kill` interrupted, though the object may never appear. So look with
      HEAD, and compare size and checksum.
    - An unknown access key is 404 XAdminUserNotFound (AWS: 403 InvalidAccessKeyId); a token 400 InvalidToken.
    - 409 ConditionalRequestConflict, 503 SlowDown, a 200 with an `<Error>` inside: it never says these.
    - Server-side encryption and storage class: any value is taken and forgotten.
    - Keys are file names: 255 bytes between slashes, `a` excludes `a/b` (409 ObjectParentIsFile).
    - An object sent without a checksum gets CRC64NVME, as at AWS.
    - Virtual-host addressing, regions and redirects; durability over power loss.
    """

    health_path = "/health"

    def command(self) -> Sequence[str | Path]:
        gateway = go_install("github.com/versity/versitygw/cmd/versitygw", RELEASE)
        listen = ["--port", f"127.0.0.1:{self.port}", "--health", self.health_path, "--keep-alive"]
        return [gateway, *listen, "--region", self.region, "posix", self.folder / "buckets"]

    def environment(self) -> Mapping[str, str]:
        return {"ROOT_ACCESS_KEY_ID": self.access_key, "ROOT_SECRET_ACCESS_KEY": self.secret_key}

    def folders_of(self, bucket: str) -> Sequence[Path]:
        return [self.folder / "buckets" / bucket]
