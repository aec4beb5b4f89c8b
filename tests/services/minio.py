"""MinIO, where somebody has it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import trustme

from tests.services.s3 import S3Server


class MinIO(S3Server):
    """MinIO on one drive, with a key of its own for encrypting what it stores (`kms_key`), and TLS on request.

    It is started only where `TEST_MINIO` names the program: its licence is the AGPL, and it has to be built.

    What it proves that versitygw does not, each seen on RELEASE.2025-10-15 and what followed until 7aac2a2
    (2026-02-12), by test_minio.py:

    - Complete of an upload that is completed, aborted or unknown is 404 NoSuchUpload; so is a part for it.
    - A wrong checksum is 400 XAmzContentChecksumMismatch, over TLS too, where no signature covers the body.
    - An unknown access key is 403 InvalidAccessKeyId; a token that it has not issued 403 InvalidTokenId.
    - Policies: who may only read, only write, write and not look. AssumeRole and its temporary credentials.
    - SSE-S3 and SSE-KMS with a key by name (unknown: 404 kms:KeyNotFound; `aws:kms:dsse`: 400), SSE-C over TLS; size
      and checksum of what is encrypted are told as they were sent. No KMS: 400 or 501.
    - Storage classes: STANDARD and REDUCED_REDUNDANCY, others 400 InvalidStorageClass.
    - Buckets with versions, and with object lock, which refuse objects without a checksum.
    - Keys: `.` and `..` between slashes or backslashes, with blanks around them or not, `//`, and more than 255
      characters between slashes are 400. Every error tells its `<Region>`, whatever is wrong.
    - TLS with a certificate of one's own authority.

    What it does not prove:

    - ListObjectsV2 with `max-keys=0` is 200 for a bucket that is not there, and no region is compared for it.
    - Aborting what is not open is 204. ListMultipartUploads needs the whole key: without one it tells those uploads
      that were begun since it was started.
    - ACLs are taken and forgotten. `a/b` beside an object `a` is stored, and not listed.
    - 409 ConditionalRequestConflict, a 200 with an `<Error>` inside, virtual-host addressing, redirects.
    """

    health_path = "/minio/health/cluster"
    kms_key = "tests"
    role = "arn:aws:iam::000000000000:role/tests"
    """It does not look at a role's name: whoever assumes one has what they had, or less."""

    def __init__(self, folder: Path, authority: trustme.CA | None = None, *, kms: bool = True) -> None:
        """`authority`: speak TLS, with a certificate of this one."""
        self._program = os.environ.get("TEST_MINIO") or pytest.skip("TEST_MINIO names no MinIO")
        self._kms = kms
        self._certificates = folder / "certificates"
        if authority is not None:
            self._certificates.mkdir(parents=True)
            authority.cert_pem.write_to_path(str(folder / "ca.pem"))
            issued = authority.issue_cert("127.0.0.1")
            issued.cert_chain_pems[0].write_to_path(str(self._certificates / "public.crt"))
            issued.private_key_pem.write_to_path(str(self._certificates / "private.key"))
        super().__init__(folder, folder / "ca.pem" if authority is not None else None)

    def command(self) -> Sequence[str | Path]:
        listen = ["--address", f"127.0.0.1:{self.port}", "--certs-dir", self._certificates]
        return [self._program, "server", "--quiet", *listen, self.folder / "buckets"]

    def environment(self) -> Mapping[str, str]:
        key = base64.b64encode(bytes(range(32))).decode()
        return {
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_SITE_REGION": self.region,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            **({"MINIO_KMS_SECRET_KEY": f"{self.kms_key}:{key}"} if self._kms else {}),
        }

    def folders_of(self, bucket: str) -> Sequence[Path]:
        return [self.folder / "buckets" / bucket, self.folder / "buckets" / ".minio.sys" / "multipart"]

    def uploads(self, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
        """Of a key (as `prefix`); else of all keys that have objects, or uploads begun since it was started."""
        keys = [prefix] if prefix else ["", *self.keys(bucket)]
        return sorted({upload for key in keys for upload in super(MinIO, self).uploads(bucket, key)})

    def account(self, *actions: str) -> dict[str, str]:
        """Credentials of somebody who may do this (`s3:PutObject`) and nothing else, as options of the sink."""
        policy = {"Effect": "Allow", "Action": actions, "Resource": ["arn:aws:s3:::*"]}
        document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
        sts = self.client_of("sts")
        found = sts.assume_role(RoleArn=self.role, RoleSessionName="tests", Policy=document)["Credentials"]
        sts.close()
        return {
            "access_key_id": found["AccessKeyId"],
            "secret_access_key": found["SecretAccessKey"],
            "session_token": found["SessionToken"],
        }
