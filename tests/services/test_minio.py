"""What only MinIO shows of S3, and what the sink s3 makes of it. Where nobody has MinIO, versitygw is all there is."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

import pytest
import trustme
from botocore.exceptions import ClientError

from logrouter.endpoint import Endpoint, Tls
from logrouter.instructions import Request, Response
from logrouter.values import Secret
from tests.crash.feeding import numbered
from tests.e2e.processes import Workplace
from tests.services.conftest import Starter
from tests.services.destinations import configure, in_s3
from tests.services.minio import MinIO
from tests.services.sending import over_http
from tests.services.test_connecting import connect, to
from tests.services.test_s3 import BATCH, gathering_of, large_events, make

WRITING = ("s3:PutObject",)
ALL_THAT_IS_NEEDED = (
    *WRITING,
    "s3:GetObject",
    "s3:AbortMultipartUpload",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
)
"""docs/aws.md, "Permissions"."""
FINE = "it answers, and nothing is wrong as far as it tells"


def refusal(ask: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    """Status and code of what is refused."""
    with pytest.raises(ClientError) as raised:
        ask(**arguments)
    answer = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


# ── the server ──


def test_an_upload_that_is_no_longer_open_is_not_known(minio: MinIO) -> None:
    at = {"Bucket": minio.make_bucket(), "Key": "a"}
    upload = {**at, "UploadId": minio.client.create_multipart_upload(**at, ChecksumAlgorithm="CRC32")["UploadId"]}
    sent = minio.client.upload_part(**upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
    parts = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]}]}
    minio.client.complete_multipart_upload(**upload, MultipartUpload=parts)
    gone = (404, "NoSuchUpload")
    assert refusal(minio.client.complete_multipart_upload, **upload, MultipartUpload=parts) == gone
    assert refusal(minio.client.upload_part, **upload, PartNumber=2, Body=b"x") == gone
    assert minio.read(at["Bucket"], "a") == b"x"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ChecksumCRC32": "AAAAAA=="}, (400, "XAmzContentChecksumMismatch")),
        ({"StorageClass": "STANDARD_IA"}, (400, "InvalidStorageClass")),
        ({"ServerSideEncryption": "aws:kms:dsse"}, (400, "InvalidArgument")),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "other"}, (404, "kms:KeyNotFound")),
        ({"Key": "a/../b"}, (400, "XMinioInvalidResourceName")),
        ({"Key": "a\\..\\b"}, (400, "XMinioInvalidResourceName")),
        ({"Key": " . /b"}, (400, "XMinioInvalidResourceName")),
        ({"Key": "a//b"}, (400, "XMinioInvalidObjectName")),
        ({"Key": "x" * 256 + "/b"}, (400, "XMinioInvalidObjectName")),
    ],
)
def test_it_refuses_objects(minio: MinIO, options: dict[str, str], expected: tuple[int, str]) -> None:
    bucket = minio.make_bucket()
    assert refusal(minio.client.put_object, **{"Bucket": bucket, "Key": "a", "Body": b"x", **options}) == expected
    assert minio.keys(bucket) == []


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ({"aws_access_key_id": "nobody"}, (403, "InvalidAccessKeyId")),
        ({"aws_session_token": "made-up"}, (403, "InvalidTokenId")),
        ({"aws_secret_access_key": "wrong"}, (403, "SignatureDoesNotMatch")),
    ],
)
def test_it_refuses_accounts(minio: MinIO, account: dict[str, str], expected: tuple[int, str]) -> None:
    client = minio.client_of("s3", **account)
    assert refusal(client.list_objects_v2, Bucket=minio.make_bucket()) == expected
    client.close()


# ── how objects are stored ──

ENCRYPTED = [
    pytest.param({"sse": "AES256"}, "AES256", id="s3"),
    pytest.param({"sse": "aws:kms"}, "aws:kms", id="kms"),
    pytest.param({"sse": "aws:kms", "sse_kms_key_id": MinIO.kms_key}, "aws:kms", id="key"),
]


@pytest.mark.parametrize(("options", "told"), ENCRYPTED)
@pytest.mark.parametrize("place", range(0, 10, 3))
def test_encrypted_objects_are_there_once_wherever_they_were_interrupted(
    minio: MinIO, options: dict[str, str], told: str, place: int
) -> None:
    """What is there already is compared as it was before it was encrypted."""
    bucket, lines = minio.make_bucket(), large_events(3 * BATCH + 20)
    faults = [*repeat(None, place), "killed"]
    send = over_http(Endpoint(minio.url))
    gathering = gathering_of(make(minio, bucket, **options), send, lines, faults, slices_of=100)
    for end in (BATCH, 2 * BATCH, 3 * BATCH, 3 * BATCH + 20):
        gathering.deliver(end)
    gathering.deliver(len(lines), last=True)
    assert minio.lines(bucket) == lines
    assert minio.uploads(bucket) == []
    assert {each.lost + each.doubts for each in gathering.told} == {0}
    assert {minio.head(bucket, key)["ServerSideEncryption"] for key in minio.keys(bucket)} == {told}


@pytest.mark.parametrize("locked", [False, True])
def test_a_bucket_that_keeps_versions_holds_one_of_each(minio: MinIO, locked: bool) -> None:
    """Objects under a lock need a checksum, and nobody can put another in their place."""
    bucket, lines = minio.make_bucket(ObjectLockEnabledForBucket=locked), large_events(3 * BATCH)
    minio.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    if locked:
        rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        minio.client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)
    faults = [*repeat(None, 3), "killed", *repeat(None, 2), "killed"]
    gathering = gathering_of(make(minio, bucket), over_http(Endpoint(minio.url)), lines, faults, slices_of=100)
    for end in (20, BATCH, 2 * BATCH):
        gathering.deliver(end)
    gathering.deliver(len(lines), last=True)
    assert minio.lines(bucket) == lines
    versions = minio.client.list_object_versions(Bucket=bucket)["Versions"]
    assert [version["Key"] for version in versions] == minio.keys(bucket)


def test_storage_class_metadata_and_tags(minio: MinIO) -> None:
    bucket, lines = minio.make_bucket(), [b'{"n":1}']
    options: dict[str, Any] = {"storage_class": "REDUCED_REDUNDANCY", "metadata": {"app": "shop"}, "tags": {"a": "b"}}
    gathering = gathering_of(make(minio, bucket, **options), over_http(Endpoint(minio.url)), lines)
    gathering.deliver(1)
    (key,) = minio.keys(bucket)
    found = minio.head(bucket, key)
    assert (found["StorageClass"], found["Metadata"]) == ("REDUCED_REDUNDANCY", {"app": "shop"})
    assert minio.client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [{"Key": "a", "Value": "b"}]


# ── who we are ──


def secrets(account: dict[str, str]) -> dict[str, Any]:
    """The same as values of a config."""
    return {name: text if name == "access_key_id" else Secret(text) for name, text in account.items()}


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("actions", [ALL_THAT_IS_NEEDED, WRITING], ids=["all", "writing"])
def test_the_permissions_of_the_page_are_enough(minio: MinIO, actions: tuple[str, ...], place: int) -> None:
    """Who may only write cannot look at what is there, and takes what has a name of ours for ours."""
    bucket, lines = minio.make_bucket(), large_events(3 * BATCH)
    faults = [*repeat(None, place), "killed"]
    options = secrets(minio.account(*actions))
    send = over_http(Endpoint(minio.url))
    gathering = gathering_of(make(minio, bucket, **options), send, lines, faults, slices_of=100)
    for end in (20, BATCH, 2 * BATCH):
        gathering.deliver(end)
    gathering.deliver(len(lines), last=True)
    assert minio.lines(bucket) == lines
    assert gathering.retries == []
    if actions is ALL_THAT_IS_NEEDED:
        assert minio.uploads(bucket) == []


def test_what_check_says_of_permissions_and_options(minio: MinIO, workplace: Workplace) -> None:
    code, said = connect(
        workplace,
        all=to(minio, **minio.account(*ALL_THAT_IS_NEEDED)),
        reading=to(minio, **minio.account("s3:GetObject", "s3:ListBucket")),
        writing=to(minio, **minio.account(*WRITING)),
        token=to(minio, session_token="made-up"),
        storage=to(minio, storage_class="STANDARD_IA"),
        kms=to(minio, sse="aws:kms", sse_kms_key_id="other"),
        key=to(minio, key="a//b/"),
    )
    assert code == 69
    assert said.pop("all") == FINE
    assert "HTTP 403 AccessDenied" in said["reading"]
    assert "s3:PutObject" in said.pop("reading")
    assert said.pop("writing").endswith("cannot be aborted (HTTP 403, s3:AbortMultipartUpload): it stays open")
    assert said.pop("token").partition(": ")[2].startswith("HTTP 403 InvalidTokenId")
    codes = {"storage": "400 InvalidStorageClass", "kms": "404 kms:KeyNotFound", "key": "400 XMinioInvalidObjectName"}
    for sink, code_told in codes.items():
        assert f": HTTP {code_told}: " in said[sink]
    assert said.keys() == codes.keys()


def test_who_may_not_write_is_told_and_all_is_there_once_they_may(minio: MinIO, workplace: Workplace) -> None:
    destination = in_s3(minio)
    bucket = destination.options["bucket"]

    def route_as(lines: list[bytes], actions: Sequence[str], **settings: str) -> tuple[int, str]:
        """The exit code, and what is said."""
        options = destination.options | minio.account(*actions)
        configure(workplace, destination._replace(options=options), spool={"directory": "spool"}, **settings)
        done = workplace.route(b"".join(lines))
        return done.returncode, done.stderr.decode()

    code, said = route_as(numbered(0, 1000), ("s3:GetObject", "s3:ListBucket"), shutdown_timeout="5s")
    assert code == 75
    assert "HTTP 403 AccessDenied: Access Denied. (the credentials lack a permission: s3:PutObject" in said
    assert (minio.keys(bucket), minio.uploads(bucket)) == ([], [])
    assert route_as(numbered(1000, 1100), ALL_THAT_IS_NEEDED) == (0, "")
    destination.check(range(1100))


def test_a_role_is_assumed(minio: MinIO, workplace: Workplace) -> None:
    destination = in_s3(minio, role_arn=minio.role)
    workplace.add_environment({"AWS_ENDPOINT_URL_STS": minio.url})
    configure(workplace, destination)
    done = workplace.route(b"".join(numbered(0, 1000)))
    assert (done.returncode, done.stderr) == (0, b"")
    destination.check(range(1000))


# ── TLS ──


def test_over_tls_the_checksum_guards_what_no_signature_does(start_server: Starter) -> None:
    server = start_server(MinIO, trustme.CA())
    bucket, lines = server.make_bucket(), large_events(3 * BATCH)
    tls = Tls(ca_file=str(server.ca_file))
    perform = over_http(Endpoint(server.url, tls=tls))
    damaged = iter([True])

    def on_the_way(request: Request) -> Response:
        assert dict(request.headers)["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD" or not request.pieces
        if request.pieces and next(damaged, False):
            zeros = bytes(sum(map(len, request.pieces)))
            return perform(Request(request.method, request.target, zeros, request.headers))
        return perform(request)

    gathering = gathering_of(make(server, bucket, tls=tls), on_the_way, lines, slices_of=100)
    gathering.deliver(2 * BATCH)
    gathering.deliver(len(lines), last=True)
    assert [retry.reason.partition(": ")[0] for retry in gathering.retries] == ["HTTP 400 XAmzContentChecksumMismatch"]
    assert server.lines(bucket) == lines


def test_a_key_of_our_own_encrypts_objects_over_tls(start_server: Starter, workplace: Workplace) -> None:
    """SSE-C: by headers, which go with every request. MinIO takes them over TLS only."""
    server = start_server(MinIO, trustme.CA(), kms=False)
    key = bytes(range(32))
    digest = hashlib.md5(key, usedforsecurity=False).digest()
    prefix = "x-amz-server-side-encryption-customer-"
    texts = {"algorithm": "AES256", "key": base64.b64encode(key).decode(), "key-MD5": base64.b64encode(digest).decode()}
    headers = {f"{prefix}{name}": text for name, text in texts.items()}
    tls = {"ca_file": str(server.ca_file)}
    destination = in_s3(server, headers=headers, tls=tls, object_size="12MiB", compression="none")
    configure(workplace, destination)
    assert workplace.command("check", "--connect").returncode == 0
    done = workplace.route(b"".join(numbered(0, 60_000, 250)))
    assert (done.returncode, done.stderr) == (0, b"")

    customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    bucket = destination.options["bucket"]
    keys = server.keys(bucket)
    read = [server.client.get_object(Bucket=bucket, Key=key, **customer)["Body"].read() for key in keys]
    assert sorted(json.loads(line)["n"] for body in read for line in body.splitlines()) == list(range(60_000))
    assert refusal(server.client.get_object, Bucket=bucket, Key=keys[0])[0] == 400


def test_a_server_that_cannot_encrypt_says_so(start_server: Starter, workplace: Workplace) -> None:
    server = start_server(MinIO, kms=False)
    code, said = connect(workplace, encrypted=to(server, sse="AES256"))
    assert code == 69
    assert "KMS" in said["encrypted"]
