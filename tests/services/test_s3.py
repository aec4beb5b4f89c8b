"""The sink s3 against a real server: every event once, in objects that the server has checked and others can read."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from itertools import repeat
from typing import Any

import msgspec
import pytest

from logrouter.endpoint import Endpoint
from logrouter.instructions import Delivered, Request, Response
from logrouter.sinks import SinkContext
from logrouter.sinks._objects import KeyTemplate
from logrouter.sinks.s3 import S3Config, S3Sink
from logrouter.values import Secret, Size
from tests.services.s3 import S3Server
from tests.services.sending import over_http
from tests.sinks.gathering import Gathering

PART = 5_300_000
"""Bytes of a batch that is large enough for a part: S3 wants 5 MiB."""


def make(server: S3Server, bucket: str, **options: Any) -> Callable[[], S3Sink]:
    config = S3Config(
        **{
            "bucket": bucket,
            "key": KeyTemplate.parse("app/"),
            "endpoint": server.url,
            "region": server.region,
            "access_key_id": server.access_key,
            "secret_access_key": Secret(server.secret_key),
            "compression": "none",
            "object_size": Size(14_000_000),
            **options,
        }
    )
    return lambda: S3Sink(config, SinkContext("archive"))


def gathering_of(make: Callable[[], S3Sink], perform: Callable[[Request], Response], *rest: Any, **options: Any) -> Any:
    """Servers compare our clock with theirs."""
    gathering = Gathering(make, perform, *rest, **options)
    gathering.now_ns = time.time_ns()
    return gathering


def large_events(count: int) -> list[bytes]:
    """Events of 10 kB."""
    return [b'{"n":%d,"pad":"%s"}' % (number, b"x" * 10_000) for number in range(count)]


BATCH = PART // 10_000


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_an_object_that_is_put_whole(s3_server: S3Server, compression: str) -> None:
    bucket = s3_server.make_bucket()
    lines = [b'{"app":"a b+c%%/\xc3\xa9=&~","n":%d}' % number for number in range(1000)]
    options = {"key": KeyTemplate.parse("{app}/{id}"), "compression": compression, "tags": {"a": "b c"}}
    gathering = gathering_of(
        make(s3_server, bucket, **options), over_http(Endpoint(s3_server.url)), lines, slices_of=100
    )
    gathering.deliver(1000)
    assert gathering.told == [Delivered()]
    assert s3_server.lines(bucket) == lines
    (key,) = s3_server.keys(bucket)
    assert key.startswith("a b+c%_é=&~/20270115T080000Z-archive-")
    assert s3_server.client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [{"Key": "a", "Value": "b c"}]


def test_whatever_events_put_into_keys_is_taken(s3_server: S3Server) -> None:
    """MinIO refuses ways up, also where blanks or backslashes are around them, and names that no file could have."""
    values = [
        "..",
        " .. ",
        ".",
        "a\\\\..\\\\b",
        "\\\\",
        "a//b",
        "/",
        "",
        " ",
        "x" * 300,
        "ü" * 200,
        "a\\u0000b",
        "a:b*?|",
        "C:\\\\x",
    ]
    bucket, lines = s3_server.make_bucket(), [f'{{"a":"{value}"}}'.encode() for value in values]
    key = KeyTemplate.parse(".{a}/{a}/{a}{a}/")
    gathering = gathering_of(make(s3_server, bucket, key=key), over_http(Endpoint(s3_server.url)), lines)
    gathering.deliver(len(lines))
    assert gathering.retries == []
    assert sorted(s3_server.lines(bucket)) == sorted(lines)


def test_an_object_in_parts(s3_server: S3Server) -> None:
    bucket, lines = s3_server.make_bucket(), large_events(4 * BATCH)
    gathering = gathering_of(make(s3_server, bucket), over_http(Endpoint(s3_server.url)), lines, slices_of=100)
    gathering.deliver(BATCH)
    gathering.deliver(2 * BATCH)
    assert s3_server.keys(bucket) == []
    assert len(s3_server.uploads(bucket)) == 1
    gathering.deliver(3 * BATCH)
    (key,) = s3_server.keys(bucket)
    assert s3_server.uploads(bucket) == []
    assert s3_server.head(bucket, key)["ETag"].endswith('-3"')
    gathering.deliver(4 * BATCH)
    gathering.deliver(4 * BATCH, last=True)
    assert s3_server.lines(bucket) == lines
    assert gathering.retries == []
    assert {told.duplicates for told in gathering.told} == {0}


@pytest.mark.parametrize("fault", ["crash", "killed", "unheard"])
@pytest.mark.parametrize("place", range(10))
def test_each_event_is_there_once_wherever_it_was_interrupted(s3_server: S3Server, fault: str, place: int) -> None:
    bucket, lines = s3_server.make_bucket(), large_events(3 * BATCH + 20)
    faults = [*repeat(None, place), fault]
    gathering = gathering_of(make(s3_server, bucket), over_http(Endpoint(s3_server.url)), lines, faults, slices_of=100)
    for end in (BATCH, 2 * BATCH, 3 * BATCH, 3 * BATCH + 20):
        gathering.deliver(end)
    gathering.deliver(len(lines), last=True)
    assert s3_server.lines(bucket) == lines
    assert s3_server.uploads(bucket) == []
    assert {told.lost + told.doubts for told in gathering.told} == {0}


def test_the_server_is_killed_between_parts(s3_server: S3Server) -> None:
    bucket, lines = s3_server.make_bucket(), large_events(3 * BATCH)
    gathering = gathering_of(make(s3_server, bucket), over_http(Endpoint(s3_server.url)), lines, slices_of=100)
    for end in (BATCH, 2 * BATCH, 3 * BATCH):
        gathering.deliver(end)
        s3_server.kill()
        s3_server.start()
    gathering.deliver(len(lines), last=True)
    assert s3_server.lines(bucket) == lines


def test_another_object_keeps_its_place(s3_server: S3Server) -> None:
    bucket, lines = s3_server.make_bucket(), [b'{"n":1}']
    first = gathering_of(make(s3_server, bucket), over_http(Endpoint(s3_server.url)), lines)
    first.deliver(1)
    (key,) = s3_server.keys(bucket)
    s3_server.client.put_object(Bucket=bucket, Key=key, Body=b'{"foreign":true}\n')
    gathering_of(make(s3_server, bucket), over_http(Endpoint(s3_server.url)), lines).deliver(1)
    assert s3_server.lines(bucket) == [b'{"foreign":true}', *lines]


def test_a_body_that_was_changed_on_the_way_is_not_stored(s3_server: S3Server) -> None:
    bucket, lines = s3_server.make_bucket(), large_events(2)
    perform = over_http(Endpoint(s3_server.url))
    damaged = iter([True])

    def on_the_way(request: Request) -> Response:
        if next(damaged, False):
            body = bytearray(request.whole_body)
            body[random.randrange(len(body) - 1)] = 0
            request = msgspec.structs.replace(request, body=bytes(body), pieces=())
        return perform(request)

    gathering = gathering_of(make(s3_server, bucket), on_the_way, lines)
    gathering.deliver(2)
    assert len(gathering.retries) == 1
    assert "HTTP 400" in gathering.retries[0].reason
    assert s3_server.lines(bucket) == lines


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"bucket": "no-such-bucket"}, "HTTP 404 NoSuchBucket"),
        ({"secret_access_key": Secret("wrong")}, "HTTP 403 SignatureDoesNotMatch"),
        ({"region": "eu-north-1"}, "AuthorizationHeaderMalformed|the bucket is in the region us-east-1"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_lost(s3_server: S3Server, options: dict[str, Any], reason: str) -> None:
    bucket, lines = s3_server.make_bucket(), [b'{"n":1}']
    makers = iter([make(s3_server, **{"bucket": bucket, **options}), make(s3_server, bucket)])
    gathering = gathering_of(lambda: next(makers)(), over_http(Endpoint(s3_server.url)), lines)
    gathering.attempt(1)
    assert re.search(reason, gathering.retries[0].reason)
    gathering.sink = gathering.make()
    gathering.deliver(1)
    assert s3_server.lines(bucket) == lines
