"""What `check --connect` asks of S3, and what it says of the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest

from logrouter.instructions import Now, Request, Response
from logrouter.testing import converse
from tests.sinks.fake_s3 import FakeS3, error
from tests.sinks.gathering import START_NS
from tests.sinks.test_s3 import make


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (
            error(404, "NoSuchBucket", "no such bucket"),
            ["bucket logs: HTTP 404 NoSuchBucket: no such bucket (create the bucket, or correct its name)"],
        ),
        (
            error(403, "RequestTimeTooSkewed", "late"),
            ["bucket logs: HTTP 403 RequestTimeTooSkewed: late (the clock of this machine is wrong)"],
        ),
        (
            Response(301, {"x-amz-bucket-region": "eu-west-1"}),
            ["bucket logs: the bucket is in the region eu-west-1: write region: eu-west-1"],
        ),
        (Response(503), ["bucket logs: HTTP 503"]),
    ],
)
def test_a_probe_of_what_cannot_be_asked(response: Response, told: list[str]) -> None:
    conversation = make().probe()
    instruction = next(conversation)
    assert isinstance(instruction, Now)
    request = conversation.send(START_NS)
    assert isinstance(request, Request)
    assert (request.method, request.target) == ("GET", "/logs?list-type=2&max-keys=1")
    with pytest.raises(StopIteration) as done:
        conversation.send(response)
    assert done.value.value == told


def probed(server: Callable[[Request], Response], **options: Any) -> list[str]:
    wrong = converse(make(**options).probe(), server, START_NS)[1]
    assert isinstance(wrong, list)
    return wrong


@pytest.mark.parametrize("key", ["{date}/{service.name}/", "app/{id}.json.gz"])
def test_a_probe_begins_an_upload_and_leaves_nothing(key: str) -> None:
    server = FakeS3()
    assert probed(server, key=key, sse="aws:kms", storage_class="STANDARD_IA") == []
    begun, aborted = server.requests[1:]
    assert (begun.method, aborted.method, server.uploads, server.objects) == ("POST", "DELETE", {}, {})
    assert "/check-2" in unquote(begun.target)
    assert dict(begun.headers)["x-amz-storage-class"] == "STANDARD_IA"


@pytest.mark.parametrize("listing", [Response(403), error(403, "AccessDenied")])
def test_who_may_only_write_is_not_complained_of(listing: Response) -> None:
    server = FakeS3()
    assert probed(lambda request: listing if request.method == "GET" else server(request)) == []
    assert server.uploads == {}


def test_a_probe_by_who_may_only_read() -> None:
    server = FakeS3()
    denied = error(403, "AccessDenied", "no")
    (wrong,) = probed(lambda request: denied if request.method == "POST" else server(request), key="app/")
    assert wrong.startswith("cannot begin an upload of app/check-2")
    assert wrong.endswith(
        "HTTP 403 AccessDenied: no (the credentials lack a permission: s3:PutObject, perhaps kms:GenerateDataKey and"
        " kms:Decrypt)"
    )


def test_a_probe_whose_upload_cannot_be_aborted_says_so() -> None:
    server = FakeS3()
    denied = error(403, "AccessDenied", "no")
    (wrong,) = probed(lambda request: denied if request.method == "DELETE" else server(request), key="app/")
    assert wrong.startswith("the upload of app/check-2")
    assert "cannot be aborted (HTTP 403, s3:AbortMultipartUpload): it stays open" in wrong


def test_a_probe_without_credentials() -> None:
    environ = {"AWS_EC2_METADATA_DISABLED": "true"}
    conversation = make(access_key_id=None, secret_access_key=None, environ=environ).probe()
    next(conversation)
    with pytest.raises(StopIteration) as done:
        conversation.send(START_NS)
    assert done.value.value[0].startswith("no AWS credentials")
