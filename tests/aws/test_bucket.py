from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from logrouter.aws.bucket import Bucket, Refused, Sums, address, crc32_of_parts
from logrouter.aws.client import Client
from logrouter.aws.documents import Part, completing, problem_in, upload_id_in, upload_ids_in
from logrouter.aws.sigv4 import Credentials, Scope
from logrouter.instructions import Instruction, Response, Retry
from logrouter.testing import converse

BEFORE = "something before S3"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("logs", "eu-north-1", None, None), ("https://logs.s3.eu-north-1.amazonaws.com", "/")),
        (("my.logs", "eu-north-1", None, None), ("https://s3.eu-north-1.amazonaws.com", "/my.logs/")),
        (("logs", "cn-north-1", None, True), ("https://s3.cn-north-1.amazonaws.com.cn", "/logs/")),
        (("logs", "x", "http://[::1]:9000/", None), ("http://[::1]:9000", "/logs/")),
        (("logs", "x", "https://s3.example.org", False), ("https://logs.s3.example.org", "/")),
    ],
)
def test_where_requests_go(arguments: tuple[str, str, str | None, bool | None], expected: tuple[str, str]) -> None:
    assert address(*arguments) == expected


def refusal(status: int, code: str, message: str = "", extra: str = "", **headers: str) -> Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    document = f"<Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>"
    return Response(status, given, document.encode())


def reason_of(response: Response) -> str:
    """What the bucket says of an answer, where we took it to be in us-east-1."""

    def nobody() -> Generator[Instruction, Any, Credentials]:
        raise AssertionError("nothing is sent")
        yield

    client = Client("http://localhost", Scope("us-east-1", "s3"), nobody)
    return Bucket(client, "/logs/", True, {}).reason_of(response)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(502, {}, b"<html><title>502 Bad Gateway</title>hush</html>"), "HTTP 502: Bad Gateway"),
        (
            Response(413, {}, b"<html><h1>413 Too Large</h1></html>"),
            f"HTTP 413: Too Large ({BEFORE} takes no requests so large: raise its limit (nginx: client_max_body_size))",
        ),
        (
            Response(401, {}, b"hush"),
            f"HTTP 401 ({BEFORE} asks for a password, where S3 wants a signature: let requests pass it without)",
        ),
        (Response(500), "HTTP 500"),
        (refusal(409, "ConditionalRequestConflict", "later"), "HTTP 409 ConditionalRequestConflict: later"),
        (
            refusal(404, "NoSuchBucket", "The specified bucket does not exist"),
            "HTTP 404 NoSuchBucket: The specified bucket does not exist (create the bucket, or correct its name)",
        ),
        (
            refusal(301, "PermanentRedirect", "elsewhere", x_amz_bucket_region="eu-north-1"),
            "the bucket is in the region eu-north-1: write region: eu-north-1",
        ),
        (
            refusal(400, "AuthorizationHeaderMalformed", "wrong", "<Region>eu-west-1</Region>"),
            "the bucket is in the region eu-west-1: write region: eu-west-1",
        ),
        (  # as MinIO tells, whatever is wrong
            refusal(400, "InvalidStorageClass", "Invalid storage class.", "<Region>us-east-1</Region>"),
            "HTTP 400 InvalidStorageClass: Invalid storage class.",
        ),
        (
            refusal(403, "RequestTimeTooSkewed", "too far"),
            "HTTP 403 RequestTimeTooSkewed: too far (the clock of this machine is wrong)",
        ),
    ],
)
def test_a_refusal_says_what_is_to_be_done(response: Response, reason: str) -> None:
    assert reason_of(response) == reason


def test_an_object_without_an_etag_is_not_stored() -> None:
    """A gateway that wants somebody to sign in says 200, and keeps nothing."""

    def found() -> Generator[Instruction, Any, Credentials]:
        return Credentials("key", "secret")
        yield

    bucket = Bucket(Client("http://localhost", Scope("us-east-1", "s3"), found), "/logs/", True, {})
    _, outcome = converse(bucket.put("a", [b"x"], Sums("sha", "crc"), True), lambda request: Response(200))
    assert outcome == Retry("PutObject was answered without an ETag: is this S3?")


def test_what_was_signed_is_not_shown_though_the_answer_repeats_it() -> None:
    extra = "<CanonicalRequest>x-amz-security-token:hush</CanonicalRequest><Token-0>hush</Token-0>"
    assert "hush" not in reason_of(refusal(403, "SignatureDoesNotMatch", "no match", extra))


@pytest.mark.parametrize(
    ("status", "code", "congested"), [(503, "SlowDown", True), (429, "", True), (500, "InternalError", False)]
)
def test_which_refusals_mean_that_it_is_too_much(status: int, code: str, congested: bool) -> None:
    assert Refused("", Response(status), code).congested is congested


def test_documents_are_read_with_and_without_their_namespace() -> None:
    for namespace in ("", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'):
        begun = f'<?xml version="1.0"?><InitiateMultipartUploadResult{namespace}><UploadId>a&amp;b</UploadId></Initiat'
        assert upload_id_in(f"{begun}eMultipartUploadResult>".encode()) == "a&b"
        listed = (
            "<Upload><Key>k</Key><UploadId>1</UploadId></Upload><Upload><Key>k2</Key><UploadId>2</UploadId></Upload>"
        )
        tag = "ListMultipartUploadsResult"
        assert upload_ids_in(f"<{tag}{namespace}>{listed}</{tag}>".encode(), "k") == ["1"]


@pytest.mark.parametrize("body", [b"", b"text", b"<Error>", b"<Ok><Code>x</Code></Ok>", b"{}", b"\xff\xfe"])
def test_what_is_no_error_document(body: bytes) -> None:
    assert problem_in(body) is None


def test_an_answer_that_was_kept_alive_by_whitespace() -> None:
    problem = problem_in(b"   \n <?xml version='1.0'?>\n<Error><Code>InternalError</Code></Error>")
    assert problem is not None
    assert problem.code == "InternalError"


def test_parts_are_completed_in_their_order() -> None:
    body = completing([Part('"a&b"', "AAAAAA==", 1), Part("c", "AAAAAQ==", 2)]).decode()
    assert '<PartNumber>1</PartNumber><ETag>"a&amp;b"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32>' in body
    assert body.index("<PartNumber>1<") < body.index("<PartNumber>2<")


def test_the_checksum_of_an_object_in_parts_is_that_of_its_parts_checksums() -> None:
    # CRC-32 of eight zero bytes: 6522df69.
    assert crc32_of_parts([Part("", "AAAAAA==", 1), Part("", "AAAAAA==", 1)]) == "ZSLfaQ==-2"
