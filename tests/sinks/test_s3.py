from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.errors import ExpressionError
from logrouter.instructions import Delivered, Request, Response
from logrouter.sinks import SinkContext, _storing
from logrouter.sinks._objects import KeyTemplate
from logrouter.sinks.s3 import S3Config, S3Sink
from logrouter.values import Duration, Secret, Size
from tests.sinks.fake_s3 import FakeS3, error, lines_of
from tests.sinks.gathering import EPOCH, SECOND, Gathering

SECRET = "hush-hush-hush"
LEAST = 400
"""The least part of these tests, in bytes."""


@pytest.fixture(autouse=True, scope="module")
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_storing, "LEAST_PART_BYTES", LEAST)
        yield


def make(key: str = "app/", environ: dict[str, str] | None = None, **options: Any) -> S3Sink:
    defaults: dict[str, Any] = {
        "bucket": "logs",
        "key": KeyTemplate.parse(key),
        "endpoint": "http://127.0.0.1:9000",
        "access_key_id": "AKID",
        "secret_access_key": Secret(SECRET),
        "compression": "none",
        "object_size": Size(2000),
    }
    config = S3Config(**(defaults | options))
    return S3Sink(config, SinkContext("archive", environ=environ or {}))


def events(count: int, size: int = 100) -> list[bytes]:
    return [b'{"n":%d,"app":"%s"}' % (number, b"x" * (size - 20)) for number in range(count)]


NAME = f"20270115T080000Z-archive-{EPOCH:016x}"


def test_what_fits_into_one_object_is_put_at_once() -> None:
    server, lines = FakeS3(LEAST), events(30)
    gathering = Gathering(make, server, lines)
    gathering.deliver(30)
    assert list(server.objects) == [f"app/{NAME}-0.ndjson"]
    assert server.lines == lines
    assert [request.method for request in server.requests] == ["PUT"]
    assert gathering.told == [Delivered()]
    headers = dict(server.requests[0].headers)
    assert headers["if-none-match"] == "*"
    assert headers["content-type"] == "application/x-ndjson"


def test_a_large_object_is_sent_in_parts_and_completed_when_it_is_full() -> None:
    server, lines = FakeS3(LEAST), events(40)
    gathering = Gathering(make, server, lines)
    gathering.deliver(10)
    assert gathering.carried is not None
    assert gathering.carried["key"] == f"app/{NAME}-0.ndjson"
    gathering.deliver(18)
    assert server.objects == {}
    gathering.deliver(30)
    assert gathering.carried is None
    assert server.lines == lines[:30]
    assert server.uploads == {}
    assert len(server.objects) == 1


@pytest.mark.parametrize(("object_size", "is_in_parts"), [(8 * 2**20, False), (13 * 2**20, True)])
def test_objects_are_as_large_as_asked_for_also_where_slices_are_small(object_size: int, is_in_parts: bool) -> None:
    """What was not compressed yet when a batch was cut is compressed before it is sent: that makes no other part."""
    random = Random(7)
    lines = [b'{"id":"%s"}' % random.randbytes(500).hex().encode() for _ in range(object_size // 200)]
    server = FakeS3(5 * 2**20)
    gathering = Gathering(lambda: make(compression="gzip", object_size=Size(object_size)), server, lines, slices_of=100)
    for end in gathering.batches():
        gathering.deliver(end, last=end == len(lines))
    first, second, *_ = server.objects.values()
    for stored in (first, second):
        assert 0.9 * object_size < len(stored.data) < 1.05 * object_size
    assert any(request.target.endswith("uploads=") for request in server.requests) == is_in_parts
    assert server.lines == lines


def test_an_upload_is_completed_by_what_is_too_small_to_be_followed() -> None:
    server, lines = FakeS3(LEAST), events(12)
    gathering = Gathering(make, server, lines)
    gathering.deliver(10)
    gathering.deliver(12)
    assert gathering.carried is None
    assert server.lines == lines


def test_an_upload_is_completed_when_it_is_old() -> None:
    server, lines = FakeS3(LEAST), events(20)
    gathering = Gathering(lambda: make(object_age=Duration(60.0)), server, lines)
    gathering.deliver(8)
    gathering.now_ns += 61 * SECOND
    gathering.deliver(15)
    assert gathering.carried is None
    assert server.lines == lines[:15]


def test_what_an_outage_made_old_is_still_gathered_to_full_objects() -> None:
    server = FakeS3(LEAST)
    gathering = Gathering(make, server, events(20))
    gathering.now_ns += 10**6 * SECOND
    gathering.deliver(8)
    assert gathering.carried is not None
    assert gathering.carried["opened_ns"] == gathering.now_ns


def test_an_upload_is_completed_by_the_last_batch_though_it_is_empty() -> None:
    server, lines = FakeS3(LEAST), events(8)
    gathering = Gathering(make, server, lines)
    gathering.deliver(8)
    gathering.deliver(8)
    assert gathering.carried is not None
    gathering.deliver(8, last=True)
    assert server.lines == lines
    gathering.deliver(8, last=True)
    assert gathering.told[-1] == Delivered()


def test_another_key_completes_what_is_open() -> None:
    lines = [b'{"app":"a","pad":"%s"}' % (b"x" * 80)] * 8 + [b'{"app":"b"}', b'{"app":"a"}', b'{"app":"c"}']
    server = FakeS3(LEAST)
    gathering = Gathering(lambda: make("{app}/"), server, lines)
    gathering.deliver(8)
    gathering.deliver(11)
    assert gathering.carried is None
    assert {key: lines_of(key, stored.data) for key, stored in server.objects.items()} == {
        f"a/{NAME}-0.ndjson": [*lines[:8], b'{"app":"a"}'],
        f"b/{NAME}-8.ndjson": [b'{"app":"b"}'],
        f"c/{NAME}-8.ndjson": [b'{"app":"c"}'],
    }


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("", f"{NAME}-0.ndjson.gz"),
        ("/logs", f"logs/{NAME}-0.ndjson.gz"),
        ("{app}/{{x}}/", f"a_.._b/{{x}}/{NAME}-0.ndjson.gz"),
        ("x/{id}", f"x/{NAME}-0.ndjson.gz"),
        ("x/{id}.json.gz", f"x/{NAME}-0.json.gz"),
        ("{app}-{id}.{n}", f"a_.._b-{NAME}-0.1"),
        ("{long}/{long}/{long}/{long}/{long}/{long}", None),
    ],
)
def test_how_objects_are_named(key: str, expected: str | None) -> None:
    server = FakeS3()
    lines = [b'{"app":"a/../b","n":1,"long":"%s"}' % ("ü" * 200).encode()]
    Gathering(lambda: make(key, compression="gzip"), server, lines).deliver(1)
    (found,) = server.objects
    if expected is not None:
        assert found == expected
    assert len(found.encode()) <= 1024
    assert f"{NAME}-0" in found


@pytest.mark.parametrize(("compression", "suffix"), [("gzip", ".ndjson.gz"), ("zstd", ".ndjson.zst")])
def test_small_slices_share_a_frame(compression: str, suffix: str) -> None:
    server, lines = FakeS3(), events(3000)
    gathering = Gathering(lambda: make(compression=compression), server, lines, slices_of=10)
    gathering.deliver(3000)
    ((key, stored),) = server.objects.items()
    assert key.endswith(suffix)
    assert lines_of(key, stored.data) == lines
    assert len(stored.data) < 20_000


def test_the_size_told_is_that_of_what_is_held() -> None:
    sink = make(compression="zstd")
    gathering = Gathering(lambda: sink, FakeS3(), events(6000))
    first = sink.encode(gathering.slice(0, 100))
    assert (first.events, first.size_bytes) == (100, sum(len(line) + 1 for line in gathering.events[:100]))
    second = sink.encode(gathering.slice(100, 6000), first)
    assert second.events == 6000
    assert second.size_bytes < 40_000


# ── what stands at the key already ──


def test_what_has_arrived_before_is_recognised() -> None:
    server, lines = FakeS3(LEAST), events(3)
    gathering = Gathering(make, server, lines, ["unheard"])
    gathering.deliver(3)
    assert gathering.told == [Delivered(duplicates=3)]
    assert server.lines == lines


@pytest.mark.parametrize("tells_checksums", [True, False])
def test_an_object_that_is_not_ours_keeps_its_place(tells_checksums: bool) -> None:
    server, lines = FakeS3(LEAST, tells_checksums), events(3)
    key = f"app/{NAME}-0.ndjson"
    server(msgspec.structs.replace(_request_of(make()), target=f"/logs/{key}"))
    foreign = server.objects[key]
    gathering = Gathering(make, server, lines)
    gathering.deliver(3)
    assert server.objects.pop(key) == foreign
    assert list(server.objects) == [f"app/{NAME}-0~2.ndjson"]
    assert server.lines == lines
    assert gathering.told == [Delivered()]
    assert gathering.sealed[-1]["objects"][0]["key"] == f"app/{NAME}-0~2.ndjson"


def _request_of(sink: S3Sink) -> Any:
    server = FakeS3()
    Gathering(lambda: sink, server, [b'{"foreign":true}']).deliver(1)
    return server.requests[0]


def test_who_may_only_write_trusts_what_was_written_down() -> None:
    server, lines = FakeS3(LEAST), events(3)
    server.hides_objects = True
    gathering = Gathering(make, server, lines, ["unheard"])
    gathering.deliver(3)
    assert gathering.told == [Delivered(duplicates=3)]
    assert server.lines == lines


def test_a_frame_that_another_version_compresses_differently_is_still_recognised() -> None:
    server, lines = FakeS3(), events(50)
    kinds = iter(["zstd", "zstd"])
    gathering = Gathering(lambda: make(compression=next(kinds)), server, lines, ["killed"])

    def other(data: bytes, compression: str, level: int | None) -> bytes:
        from backports import zstd

        return bytes(zstd.compress(data, level=9))

    with pytest.MonkeyPatch.context() as patch:
        make_again = gathering.make

        def restarted() -> Any:
            patch.setattr("logrouter.sinks._objects.compress", other)
            return make_again()

        gathering.make = restarted
        gathering.deliver(50)
    assert gathering.told == [Delivered(duplicates=50)]
    assert server.lines == lines


# ── uploads after a crash ──


def test_an_upload_that_was_completed_before_the_crash_is_found() -> None:
    server, lines = FakeS3(LEAST), events(30)
    gathering = Gathering(make, server, lines, [None, None, None, "killed"])
    gathering.deliver(10)
    gathering.deliver(30)
    assert gathering.told[-1] == Delivered(duplicates=20)
    assert server.lines == lines


def test_an_upload_whose_id_was_not_heard_is_aborted() -> None:
    server, lines = FakeS3(LEAST), events(10)
    gathering = Gathering(make, server, lines, ["killed"])
    gathering.deliver(10)
    assert len(server.uploads) == 1
    gathering.deliver(10, last=True)
    assert server.uploads == {}
    assert server.lines == lines


def test_what_was_in_an_upload_that_others_have_aborted_is_told_to_be_lost() -> None:
    server, lines = FakeS3(LEAST), events(20)
    gathering = Gathering(make, server, lines)
    gathering.deliver(8)
    server.uploads.clear()
    gathering.deliver(20)
    assert gathering.told[-1] == Delivered(lost=8)
    assert server.lines == lines[8:]


def test_a_completion_that_fails_though_it_is_answered_with_200_is_tried_again() -> None:
    server, lines = FakeS3(LEAST), events(10)
    failing = error(200, "InternalError", "We encountered an internal error.")
    gathering = Gathering(make, server, lines, [None, None, failing])
    gathering.deliver(10)
    gathering.deliver(10, last=True)
    assert [retry.reason for retry in gathering.retries] == [
        "HTTP 200 InternalError: We encountered an internal error."
    ]
    assert server.lines == lines


def test_a_part_that_is_refused_for_now_is_sent_to_the_same_upload() -> None:
    server, lines = FakeS3(LEAST), events(10)
    gathering = Gathering(make, server, lines, [None, error(503, "SlowDown"), "crash", "killed"])
    gathering.deliver(10)
    gathering.deliver(10, last=True)
    assert [request.method for request in server.requests].count("POST") == 2
    assert server.lines == lines
    assert gathering.retries[0].congested


def test_what_is_for_another_place_completes_an_upload_that_gets_nothing() -> None:
    lines = [*[b'{"app":"a","pad":"%s"}' % (b"x" * 80)] * 8, b'{"app":"b"}']
    server = FakeS3(LEAST)
    gathering = Gathering(lambda: make("{app}/"), server, lines)
    gathering.deliver(8)
    assert gathering.carried is not None
    gathering.deliver(9)
    assert gathering.carried is None
    assert sorted(server.objects) == [f"a/{NAME}-0.ndjson", f"b/{NAME}-8.ndjson"]


# ── options that have changed since ──


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([None, "killed"], Delivered(duplicates=2)),
        ([None, "crash"], Delivered(doubts=2)),
        (["crash"], Delivered()),
    ],
)
def test_a_batch_for_several_places_is_looked_for_where_it_was_to_be(faults: list[Any], expected: Delivered) -> None:
    server, lines = FakeS3(LEAST), [b'{"app":"a"}', b'{"app":"b"}']
    keys = iter(["{app}/", "all/"])
    gathering = Gathering(lambda: make(next(keys)), server, lines, faults)
    gathering.deliver(2)
    assert gathering.told == [expected]
    assert sorted(server.lines) == sorted(lines + (lines[:1] if expected.doubts else []))


def test_a_batch_for_one_place_goes_there_whatever_the_place_is_now() -> None:
    server, lines = FakeS3(LEAST), events(3)
    keys = iter(["app/", "all/{n}/"])
    gathering = Gathering(lambda: make(next(keys)), server, lines, ["crash"])
    gathering.deliver(3)
    assert list(server.objects) == [f"app/{NAME}-0.ndjson"]
    assert server.lines == lines


@pytest.mark.parametrize(("fault", "duplicates"), [("crash", 0), ("killed", 20)])
def test_an_upload_is_not_continued_by_parts_of_another_form(fault: str, duplicates: int) -> None:
    server, lines = FakeS3(LEAST), events(30)
    kinds = iter(["none", "gzip"])
    # create, part; part, complete (interrupted)
    gathering = Gathering(lambda: make(compression=next(kinds)), server, lines, [None, None, None, fault])
    gathering.deliver(10)
    gathering.deliver(30)
    assert gathering.told[-1].duplicates == duplicates
    gathering.deliver(30, last=True)
    assert gathering.told[-1] == Delivered()
    assert sorted(server.lines) == sorted(lines)
    assert server.uploads == {}


# ── whatever happens ──

REFUSALS = [error(503, "SlowDown"), error(500, "InternalError"), error(403, "AccessDenied"), Response(502)]
faults = st.lists(
    st.none() | st.none() | st.sampled_from(["lost", "unheard", "crash", "killed"]) | st.sampled_from(REFUSALS),
    max_size=40,
)
apps = st.lists(st.sampled_from(["a", "a", "a", "a", "a", "b", "c"]), min_size=1, max_size=60)
cuts = st.lists(st.tuples(st.integers(1, 25), st.booleans(), st.sampled_from([0, 10, 400])), max_size=12)


@pytest.mark.slow
@given(apps=apps, cuts=cuts, faults=faults, tells_checksums=st.booleans())
@settings(deadline=None, max_examples=200)
def test_each_event_is_in_one_completed_object(
    apps: list[str], cuts: list[tuple[int, bool, int]], faults: list[Any], tells_checksums: bool
) -> None:
    lines = [b'{"app":"%s","n":%d,"pad":"%s"}' % (app.encode(), n, b"x" * 60) for n, app in enumerate(apps)]
    server = FakeS3(LEAST, tells_checksums)
    gathering = Gathering(lambda: make("{app}/"), server, lines, faults)
    for count, last, passed_seconds in cuts:
        gathering.now_ns += passed_seconds * SECOND
        gathering.deliver(min(len(lines), gathering.next + count), last)
    gathering.deliver(len(lines))
    gathering.deliver(len(lines), last=True)
    assert sorted(server.lines) == sorted(lines)
    assert gathering.carried is None
    assert sum(told.lost + told.doubts for told in gathering.told) == 0


@pytest.mark.slow
@given(
    apps=apps,
    cuts=cuts,
    faults=faults,
    configs=st.lists(
        st.tuples(
            st.sampled_from(["{app}/", "all/", "{id}", "{n}/"]),
            st.sampled_from(["none", "none", "gzip"]),
            st.sampled_from([300, 2000, 5000]),
        ),
        min_size=1,
        max_size=4,
    ),
)
@settings(deadline=None, max_examples=200)
def test_no_event_is_missing_whatever_the_options_are_after_a_crash(
    apps: list[str], cuts: list[tuple[int, bool, int]], faults: list[Any], configs: list[tuple[str, str, int]]
) -> None:
    lines = [b'{"app":"%s","n":%d,"pad":"%s"}' % (app.encode(), n, b"x" * 60) for n, app in enumerate(apps)]
    remaining = iter(configs[1:])
    current = configs[0]

    def restarted() -> S3Sink:
        nonlocal current
        current = next(remaining, current)
        key, compression, size = current
        return make(key, compression=compression, object_size=Size(size))

    server = FakeS3(LEAST)
    gathering = Gathering(restarted, server, lines, faults)
    for count, last, passed_seconds in cuts:
        gathering.now_ns += passed_seconds * SECOND
        gathering.deliver(min(len(lines), gathering.next + count), last)
    gathering.deliver(len(lines))
    gathering.deliver(len(lines), last=True)
    assert set(server.lines) == set(lines)
    assert sum(told.lost for told in gathering.told) == 0
    if not sum(told.doubts for told in gathering.told):
        assert sorted(server.lines) == sorted(lines)


# ── options ──


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://logs", {"bucket": "logs"}),
        ("s3://logs/", {"bucket": "logs"}),
        ("s3://logs/app/", {"bucket": "logs", "key": "app/"}),
        ("s3://logs/a%20b/{date:%d}%7B/", {"bucket": "logs", "key": "a b/{date:%d}{{/"}),
        ("s3+http://127.0.0.1:9000/logs", {"bucket": "logs", "endpoint": "http://127.0.0.1:9000"}),
        ("s3+https://[::1]/logs/a/b", {"bucket": "logs", "endpoint": "https://[::1]", "key": "a/b"}),
    ],
)
def test_a_url(url: str, options: dict[str, str]) -> None:
    assert S3Sink.options_from_url(url) == options


@pytest.mark.parametrize("url", ["s3:", "s3:logs", "s3:///key", "s3+http://127.0.0.1:9000", "s3+ftp://h/logs"])
def test_a_url_that_names_no_bucket(url: str) -> None:
    with pytest.raises(ValueError, match="expected s3://BUCKET/PREFIX/"):
        S3Sink.options_from_url(url)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"bucket": "a/b"}, "bucket: 'a/b'"),
        ({"object_size": Size(0)}, "object_size"),
        ({"object_size": Size(2**31)}, "at most 1GiB"),
        ({"object_age": Duration(0.0)}, "object_age"),
        ({"compression_level": 1}, "none has no level 1"),
        ({"compression": "gzip", "compression_level": 10}, "gzip has no level 10"),
        ({"secret_access_key": None}, "one needs the other"),
        ({"profile": "x"}, "either a profile"),
        ({"access_key_id": None, "secret_access_key": None, "session_token": Secret("x")}, "session_token"),
        ({"external_id": "x"}, "external_id"),
        ({"sse_kms_key_id": "x"}, "needs sse: aws:kms"),
        ({"format": "raw", "include": ("meta.host",)}, "include"),
        ({"endpoint": "minio:9000"}, "endpoint: expected a URL"),
        ({"metadata": {"a": "b\r\nc: d"}}, "x-amz-meta-a: holds characters"),
        ({"headers": {"Host": "x"}}, "headers: 'Host' is made with each request"),
        ({"headers": {"a b": "x"}}, "headers: 'a b' is no name"),
        ({"headers": {"a": "b\r\nc: d"}}, "headers: the text of 'a' holds a character"),
        ({"region": "eu north"}, "region: 'eu north'"),
        ({"endpoint": "http://h:99999999"}, "endpoint: the port is a number up to 65535"),
        ({"proxy": "socks5://h:1"}, "proxy: expected http://host:port"),
        ({"endpoint": None, "environ": {"AWS_ENDPOINT_URL": "localhost:9000"}}, "endpoint: expected https://"),
        ({"endpoint": None, "environ": {"AWS_ENDPOINT_URL_S3": "http://"}}, "endpoint: a URL has a host"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        make(**options)


def test_where_it_is_comes_from_the_environment_too() -> None:
    environ = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "x", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    assert make(endpoint=None, environ=environ).endpoint.url == "http://127.0.0.1:1"
    environ["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:2"
    assert make(endpoint=None, environ=environ).endpoint.url == "http://127.0.0.1:2"
    environ = {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "x"}
    assert make(endpoint=None, environ=environ).endpoint.url == "https://logs.s3.eu-west-2.amazonaws.com"
    environ = {"AWS_DEFAULT_REGION": "eu-west-1"}
    assert make(endpoint=None, environ=environ).endpoint.url == "https://logs.s3.eu-west-1.amazonaws.com"
    assert make(endpoint=None).endpoint.url == "https://logs.s3.us-east-1.amazonaws.com"


def test_what_objects_are_stored_with() -> None:
    server = FakeS3()
    sink = make(
        compression="gzip",
        sse="aws:kms",
        sse_kms_key_id="alias/logs",
        storage_class="STANDARD_IA",
        acl="bucket-owner-full-control",
        tags={"team": "a&b"},
        metadata={"App": "shop"},
        content_encoding="gzip",
    )
    Gathering(lambda: sink, server, events(1)).deliver(1)
    (stored,) = server.objects.values()
    wanted = {
        "content-type": "application/x-ndjson",
        "content-encoding": "gzip",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/logs",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-acl": "bucket-owner-full-control",
        "x-amz-tagging": "team=a%26b",
        "x-amz-meta-app": "shop",
    }
    assert wanted.items() <= stored.headers.items()
    signed = stored.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    assert wanted.keys() <= set(signed.split(";"))


def test_headers_go_with_every_request_and_are_signed() -> None:
    server = FakeS3(LEAST)
    given = {"X-Amz-Expected-Bucket-Owner": "123456789012", "X-Api-Key": SECRET, "Content-Type": "ours/wins"}
    sink = make(headers=given)
    gathering = Gathering(lambda: sink, server, events(40))
    for end in (10, 18, 30, 40):
        gathering.deliver(end)
    assert {request.method for request in server.requests} == {"POST", "PUT", "HEAD"}
    for request in server.requests:
        headers = dict(request.headers)
        signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert {"x-amz-expected-bucket-owner", "x-api-key"} <= set(signed)
        assert (headers["x-amz-expected-bucket-owner"], headers["x-api-key"]) == ("123456789012", SECRET)
    assert {stored.headers["content-type"] for stored in server.objects.values()} == {"application/x-ndjson"}
    assert SECRET not in f"{sink.config} {sink.endpoint}"


def test_bodies_are_signed_unless_tls_guards_them() -> None:
    for endpoint, signed in (("http://127.0.0.1:9000", True), ("https://127.0.0.1:9000", False)):
        server = FakeS3()
        Gathering(lambda endpoint=endpoint: make(endpoint=endpoint), server, events(1)).deliver(1)  # type: ignore[misc]
        assert (dict(server.requests[0].headers)["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD") is signed


@pytest.mark.parametrize(
    ("options", "url", "path"),
    [
        ({"path_style": "auto"}, "https://s3.example.org", "/logs/app/"),
        ({"path_style": True}, "https://s3.example.org", "/logs/app/"),
        ({"path_style": False}, "https://logs.s3.example.org", "/app/"),
        ({"path_style": "auto", "endpoint": None}, "https://logs.s3.us-east-1.amazonaws.com", "/app/"),
        ({"path_style": True, "endpoint": None}, "https://s3.us-east-1.amazonaws.com", "/logs/app/"),
    ],
)
def test_where_the_bucket_stands(options: dict[str, Any], url: str, path: str) -> None:
    sink, asked = make(**{"endpoint": "https://s3.example.org", **options}), list[Request]()
    gathering = Gathering(
        lambda: sink, lambda request: asked.append(request) or Response(200, {"etag": "x"}), events(1)
    )
    gathering.deliver(1)
    (request,) = asked
    assert sink.endpoint.url == url
    assert request.target.startswith(f"{path}2")


def test_without_if_none_match() -> None:
    server, lines = FakeS3(), events(2)
    gathering = Gathering(lambda: make(conditional=False), server, lines, ["unheard"])
    gathering.deliver(2)
    assert server.lines == lines
    assert "if-none-match" not in dict(server.requests[0].headers)


def test_large_objects_have_parts_that_fit_into_memory_and_are_not_too_many() -> None:
    mib = 2**20
    for size in (1, 5 * mib, 8 * mib, 11 * mib, 12 * mib, 64 * mib, 1024 * mib):
        part = make(object_size=Size(size)).batching.size_bytes or 0
        assert part == size if size < 12 * mib else 6 * mib <= part < 11 * mib
        assert -(-size // part) <= 100


def test_a_secret_is_nowhere_to_be_seen() -> None:
    server = FakeS3()
    sink = make(session_token=Secret(SECRET + "2"))
    gathering = Gathering(lambda: sink, server, events(8), [error(403, "AccessDenied", "no")])
    gathering.deliver(8)
    shown = f"{sink.config} {vars(sink)} {gathering.retries} {gathering.sealed} {gathering.carried} {sink.endpoint}"
    assert SECRET not in shown
    assert "AccessDenied" in gathering.retries[0].reason


def test_a_place_for_each_event_fits_into_the_note() -> None:
    lines = [b'{"n":%d}' % number for number in range(200)]
    server = FakeS3()
    fault = [*[None] * 150, "killed"]
    gathering = Gathering(lambda: make("{n}/"), server, lines, fault)
    gathering.deliver(200)
    assert max(len(msgspec.json.encode(memo)) for memo in gathering.sealed) < 2_000
    assert sorted(server.lines) == sorted(lines)
    assert gathering.told == [Delivered(duplicates=151)]


def test_a_key_that_is_wrong_is_shown_as_it_was_written() -> None:
    with pytest.raises(ExpressionError) as raised:
        KeyTemplate.parse("logs/{nope")
    assert raised.value.text == "logs/{nope"
