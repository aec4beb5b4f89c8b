from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.sinks import (
    Delivered,
    Halve,
    Now,
    Outcome,
    Pause,
    Rejected,
    Request,
    Response,
    Retry,
    SinkContext,
    Slice,
)
from logrouter.sinks.loki import LokiConfig, LokiSink
from logrouter.templates import Template
from logrouter.testing import batch_of, converse, slice_of
from logrouter.values import Duration, Secret, Size
from tests.sinks.protobuf import Entry, streams_of

NOW = 1_795_946_400_000_000_000
RECEIVED = 1_795_949_999_123_456_789
"""The time of no event."""
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
RESOURCE = {"service.name": "checkout"}
STORED = Response(204)
FACTS = Facts({}, 0, {})


def sink(resource: dict[str, str] = RESOURCE, **options: Any) -> LokiSink:
    if "labels" in options:
        options["labels"] = {name: Template.parse(text) for name, text in options["labels"].items()}
    return LokiSink(LokiConfig(**{"url": "http://loki:3100", **options}), SinkContext("loki", resource))


def part(
    payloads: Sequence[bytes], *columns: list[str] | str, times: Sequence[int] | None = None, **more: Any
) -> Slice:
    times = [NOW] * len(payloads) if times is None else times
    return slice_of(payloads, columns=columns, times_ns=times, **{"received_ns": RECEIVED, **more})


def push(
    made: LokiSink, *slices: Slice, answer: Response | None = STORED, now: int = NOW
) -> tuple[list[Request], Outcome]:
    told, outcome = converse(made.send(batch_of(*slices)), lambda request: answer, now)
    return [one for one in told if isinstance(one, Request)], outcome


def streams(made: LokiSink, *slices: Slice) -> dict[str, list[Entry]]:
    (request,), outcome = push(made, *slices)
    assert outcome == Delivered()
    found = streams_of(request.body)
    assert len(dict(found)) == len(found)
    return dict(found)


def lines(made: LokiSink, *slices: Slice) -> list[str]:
    (entries,) = streams(made, *slices).values()
    return [entry.line for entry in entries]


# ── the request ──


def test_a_push_is_protobuf_in_raw_snappy() -> None:
    made = sink(labels={"level": "{severity}"})
    told, outcome = converse(made.send(batch_of(part([b'{"a":1}'], "info"))), lambda request: STORED, NOW)
    assert outcome == Delivered()
    time = b"\x0a\x0c\x08\xa0\xef\xaf\xd8\x06\x10\x80\x80\x80\x80\x00"
    body = b'\x0a\x29\x0a\x0e{level="info"}' + b'\x12\x17\x12\x07{"a":1}' + time
    request = told[-1]
    assert isinstance(request, Request)
    assert [*map(type, told)] == [Now, Pause, Request]
    assert streams_of(request.body) == [('{level="info"}', [Entry(NOW, '{"a":1}', {})])]
    assert (request.method, request.target, request.coding) == ("POST", "/loki/api/v1/push", "snappy")
    assert request.repeatable, "Loki shows once what it got twice"
    assert request.headers == (("Content-Type", "application/x-protobuf"),)
    assert request.body == body


def test_events_are_grouped_by_their_labels_over_all_slices() -> None:
    made = sink(labels={"app": "{service.name}", "level": "{severity}", "zone": "a"})
    found = streams(
        made,
        part([b"1", b"2", b"3"], "shop", ["info", "error", "info"]),
        part([b"4", b"5"], ["shop", "cart"], ["error", "error"]),
    )
    assert {labels: [entry.line for entry in entries] for labels, entries in found.items()} == {
        '{app="shop",level="info",zone="a"}': ["1", "3"],
        '{app="shop",level="error",zone="a"}': ["2", "4"],
        '{app="cart",level="error",zone="a"}': ["5"],
    }


texts = st.text(max_size=8) | st.sampled_from(["a", "b", '"', "\\", "\n", "é", "\u2028", "x" * 3000])
instants = st.integers(-(2**63), 2**63 - 1) | st.integers(NOW, NOW + SECOND) | st.sampled_from([0, -1, NOW])
events = st.lists(
    st.tuples(st.binary(max_size=300) | st.just(b"x" * 20_000), instants, texts, texts, texts), min_size=1, max_size=12
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(events, st.booleans())
def test_what_is_sent_says_what_the_events_are(found: list[tuple[bytes, int, str, str, str]], one: bool) -> None:
    made = sink(
        labels={"app": "{a}", "level": "{b}"},
        structured_metadata=("trace_id",),
        max_age="never",
        max_ahead=Duration(10**11),
        out_of_order="never",
    )
    payloads, times, first, second, traces = map(list, zip(*found, strict=True))
    flags = [0 if _is_utf8(payload) else Flag.INVALID_UTF8 for payload in payloads]
    columns: list[Any] = [first[0] if one else first, second, traces]
    sent = streams(made, part(payloads, *columns, times=times, flags=flags))
    expected = [
        (time_ns, payload.decode("utf-8", "replace"), {"trace_id": trace} if trace else {})
        for payload, time_ns, trace in zip(payloads, times, traces, strict=True)
    ]
    assert sorted(map(repr, expected)) == sorted(repr(tuple(entry)) for entries in sent.values() for entry in entries)
    assert len(sent) <= len({(first[0] if one else own, other) for own, other in zip(first, second, strict=True)})
    if not any(second) and not any(first):
        assert list(sent) == ['{service_name="checkout"}']


STEPS = (1, 1_000, 999_999, 1_000_000, 37_000_000, 999_999_999, SECOND, 86_400 * SECOND)


@pytest.mark.parametrize("step_ns", STEPS)
@pytest.mark.parametrize("first_ns", [NOW, NOW + 1_000_000, NOW - 1, 2**28 * SECOND, 0, -5 * SECOND - 1])
def test_times_are_sent_to_the_nanosecond(first_ns: int, step_ns: int) -> None:
    times = [first_ns + number * step_ns for number in range(40)]
    made = sink(max_age="never", max_ahead=Duration(10**9), out_of_order="never")
    (entries,) = streams(made, part([b"1"] * len(times), times=times)).values()
    assert [entry.time_ns for entry in entries] == times


@pytest.mark.parametrize("longest", [1, 300, 4_095, 4_096, 20_000])
def test_lines_of_any_length_are_sent_whole(longest: int) -> None:
    made = sink(structured_metadata=("a",))
    for step in (1, 7, 100):  # each knows what the one before has made
        sent = ["x" * length for length in range(0, longest + 1, max(1, longest // step))]
        found = part([line.encode() for line in sent], "b")
        assert lines(made, found) == sent


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


# ── labels ──


def test_without_labels_there_is_one_that_says_whose_events_they_are() -> None:
    assert list(streams(sink(), part([b"1"]))) == ['{service_name="checkout"}']
    assert list(streams(sink({"service.name": "{x}"}), part([b"1"]))) == ['{service_name="{x}"}']
    assert list(streams(sink({}), part([b"1"]))) == ['{job="logrouter"}']
    assert list(streams(sink({}, labels={"level": "{l}"}), part([b"1"], ""))) == ['{job="logrouter"}']


def test_empty_values_are_left_out() -> None:
    made = sink(labels={"app": "x", "pod": "{pod}", "none": ""})
    assert list(streams(made, part([b"1", b"2"], ["", "p"]))) == ['{app="x"}', '{app="x",pod="p"}']


def test_names_are_made_legal_and_it_is_told() -> None:
    labels = {"k8s.pod-name": Template.parse("x"), "9lives": Template.parse("y")}
    made = sink(labels={"k8s.pod-name": "x", "9lives": "y"})
    assert list(streams(made, part([b"1"]))) == ['{_9lives="y",k8s_pod_name="x"}']
    assert LokiSink.warnings(LokiConfig(url="http://x", labels=labels)) == [
        "labels: 'k8s.pod-name' is sent as 'k8s_pod_name', as Loki takes it",
        "labels: '9lives' is sent as '_9lives', as Loki takes it",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": {f"l{n}": "x" for n in range(16)}}, "labels: Loki takes at most 15, and here are 16"),
        ({"labels": {"a.b": "x", "a-b": "y"}}, "labels: two of them are 'a_b', as Loki takes it"),
        ({"labels": {"__x": "x"}}, "labels: '__x': names that begin with __ are Loki's own"),
        ({"labels": {"-": "x"}}, "labels: '-' names no label"),
        ({"labels": {"x" * 1025: "x"}}, "a label's name has at most 1024 letters"),
        ({"structured_metadata": tuple(f"m{n}" for n in range(129))}, "structured_metadata: Loki takes at most 128"),
        ({"structured_metadata": ("a b",)}, "expected a field such as http.status"),
        ({"max_streams": 0}, "max_streams: must be more than 0"),
        ({"max_line": Size(0)}, "max_line: must be more than 0"),
        ({"url": "loki:3100"}, "expected a URL with a host"),
        ({"url": "loki+ftp://loki"}, "'ftp' is no way to reach it"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        sink(**options)


def test_values_are_quoted_and_cut_as_loki_reads_them() -> None:
    made = sink(labels={"v": "{v}"})
    values = ['say "hi"', "back\\slash", "a\nb\x00\x7f", "é\u2028", "\U000e0041", "x" * 2047 + "é"]
    found = streams(made, part([b"."] * len(values), values))
    assert list(found) == [
        r'{v="say \"hi\""}',
        r'{v="back\\slash"}',
        r'{v="a\nb\x00\x7f"}',
        '{v="é\\u2028"}',
        r'{v="\U000e0041"}',
        '{v="' + "x" * 2047 + '"}',
    ]


def test_a_label_with_too_many_values_is_folded_and_that_is_told() -> None:
    made = sink(labels={"level": "{severity}", "user": "{user}"}, max_streams=4)
    users = [f"u{number}" for number in range(6)]
    found = streams(made, part([b"."] * 6, ["info"] * 5 + ["error"], users))
    assert list(found) == [
        *(f'{{level="info",user="u{n}"}}' for n in range(4)),
        '{level="info",user="other"}',
        '{level="error",user="other"}',
    ]
    assert made.notice == (
        "more than 4 streams: further values of user become 'other'; put what has many values into structured_metadata"
    )
    made.notice = None
    assert list(streams(made, part([b"."], "info", "u9"))) == ['{level="info",user="other"}']
    assert made.notice is None, "it is told once"
    assert list(streams(made, part([b"."], "info", "u2"))) == ['{level="info",user="u2"}'], "known ones stay"


def test_there_are_never_many_more_streams_than_allowed() -> None:
    made = sink(labels={"a": "{a}", "b": "{b}"}, max_streams=3)
    found = streams(made, part([b"."] * 400, [f"{n % 20}" for n in range(400)], [f"{n // 20}" for n in range(400)]))
    assert len(found) == 3 + 10 + 1


def test_streams_that_are_idle_make_room_for_new_ones() -> None:
    made = sink(labels={"a": "{a}"}, max_streams=2)
    push(made, part([b"."] * 3, ["1", "2", "3"]))
    later = NOW + HOUR
    (request,), _ = push(made, part([b"."], "4", times=[later]), now=later)
    assert [labels for labels, _ in streams_of(request.body)] == ['{a="4"}']


# ── lines and metadata ──


def test_the_line_is_what_came() -> None:
    payloads = [b'{"a": 1}', b"text", b"caf\xc3\xa9", b"bad \xff byte", b"", b"\x00"]
    flags = [1, 0, 0, Flag.INVALID_UTF8, 0, 0]
    assert lines(sink(), part(payloads, flags=flags)) == ['{"a": 1}', "text", "café", "bad \ufffd byte", "", "\x00"]


def test_attributes_and_fields_stand_beside_the_line() -> None:
    made = sink(
        include=("meta.stream", "service.name", "meta.partial"), structured_metadata=("trace_id", "http.status")
    )
    assert [str(template) for template in made.templates] == ["{trace_id}", "{http.status}"]
    (entries,) = streams(
        made, part([b"1", b"2", b"3"], ["t1", "", "t3"], "200", flags=[0, Flag.PARTIAL_START, 0])
    ).values()
    shared = {"meta_stream": "stdin", "service_name": "checkout", "http_status": "200"}
    assert [entry.metadata for entry in entries] == [
        {**shared, "trace_id": "t1"},
        {**shared, "meta_partial": "start"},
        {**shared, "trace_id": "t3"},
    ]


def test_what_an_event_does_not_have_is_not_put_beside_it() -> None:
    (template,) = sink(structured_metadata=("trace_id",)).templates
    assert (template.render({"trace_id": "x"}, FACTS), template.render({}, FACTS)) == ("x", "")


def test_metadata_that_is_the_same_for_all_is_made_once() -> None:
    made = sink(include=("meta.stream",), structured_metadata=("meta.source",))
    (entries,) = streams(made, part([b"1", b"2"], "app")).values()
    assert [entry.metadata for entry in entries] == [{"meta_stream": "stdin", "meta_source": "app"}] * 2


# ── what Loki would refuse ──


def test_what_is_too_old_ahead_or_long_is_refused_without_being_sent() -> None:
    times = [NOW, NOW - 7 * DAY, NOW - 7 * DAY - 1, NOW + 600 * SECOND, NOW + 600 * SECOND + 1, NOW]
    payloads = [b"x"] * 5 + [b"x" * (256 * 1024 + 1)]
    (request,), outcome = push(sink(out_of_order="never"), part(payloads, times=times))
    assert [entry.time_ns for entry in streams_of(request.body)[0][1]] == [times[0], times[1], times[3]]
    assert outcome == [
        Delivered(),
        Delivered(),
        Rejected("too_old", "2026-11-22T09:59:59.999999999Z"),
        Delivered(),
        Rejected("too_far_ahead", "2026-11-29T10:10:00.000000001Z"),
        Rejected("line_too_long", "262,145 bytes, of 262,144"),
    ]


def test_where_all_is_refused_nothing_is_sent() -> None:
    requests, outcome = push(sink(), part([b"1", b"2"], times=[NOW - 8 * DAY] * 2))
    assert requests == []
    assert [type(each) for each in outcome] == [Rejected, Rejected]  # type: ignore[union-attr]


def test_what_was_not_sent_keeps_its_place_beside_what_was_answered() -> None:
    slices = [part([b"1", b"2"], times=[NOW, 0]), part([b"3", b"4"], times=[0, NOW])]
    refused = Rejected("too_old", "1970-01-01T00:00:00Z")
    assert push(sink(), *slices, answer=Response(503))[1] == [
        Retry("HTTP 503", congested=True), refused, refused, Retry("HTTP 503", congested=True),
    ]  # fmt: skip
    assert push(sink(), *slices, answer=Response(413))[1] == Halve("request too large")


def test_what_lies_far_behind_what_loki_has_of_the_stream_is_refused() -> None:
    made = sink(labels={"a": "{a}"})
    push(made, part([b"1", b"2"], ["x", "y"], times=[NOW, NOW]))
    _, outcome = push(made, part([b"3", b"4", b"5"], ["x", "x", "z"], times=[NOW - HOUR, NOW - HOUR - 1, NOW - DAY]))
    detail = "2026-11-29T08:59:59.999999999Z, of a stream that is at 2026-11-29T10:00:00Z"
    assert outcome == [Delivered(), Rejected("too_far_behind", detail), Delivered()]
    push(made, part([b"6"], ["x"], times=[NOW]), answer=Response(503))
    later = NOW + 2 * HOUR
    assert push(made, part([b"7"], ["x"], times=[NOW - 1]), now=later)[1] == Delivered(), "Loki has forgotten by now"


def test_what_was_not_stored_does_not_count_for_what_lies_behind() -> None:
    made = sink()
    push(made, part([b"1"], times=[NOW]), answer=Response(503))
    assert push(made, part([b"2"], times=[NOW - DAY]))[1] == Delivered()


def test_after_an_outage_the_oldest_are_first() -> None:
    times = [NOW, NOW - 3 * HOUR, NOW - HOUR, NOW - 2 * HOUR]
    made = sink()
    sent = lines(made, part([b"1", b"2"], times=times[:2]), part([b"3", b"4"], times=times[2:]))
    assert sent == ["2", "4", "3", "1"]
    assert push(sink(), part([b"1", b"2", b"3", b"4"], times=times))[1] == Delivered()


def test_within_what_loki_takes_in_any_order_nothing_is_sorted() -> None:
    assert lines(sink(), part([b"1", b"2"], times=[NOW, NOW - HOUR])) == ["1", "2"]
    assert lines(sink(out_of_order=Duration(0)), part([b"1", b"2"], times=[NOW, NOW - 1])) == ["2", "1"]


def test_long_lines_are_cut_in_whole_characters_where_that_is_wanted() -> None:
    made = sink(max_line=Size(5), on_long_line="truncate")
    assert lines(made, part([b"abcdef", "abcdé".encode(), b"abc"])) == ["abcde", "abcd", "abc"]


def test_the_length_is_that_of_what_is_sent() -> None:
    _, outcome = push(sink(max_line=Size(5)), part([b"abc\xff", b"abc"], flags=[Flag.INVALID_UTF8, 0]))
    assert outcome == [Rejected("line_too_long", "6 bytes, of 5"), Delivered()]


def test_what_the_spool_has_is_left_as_it_is() -> None:
    given = part([b"abcdef\xff"], flags=[Flag.INVALID_UTF8])
    push(sink(max_line=Size(5), on_long_line="truncate"), given)
    assert given.payloads == [b"abcdef\xff"]


def test_events_without_a_time_of_their_own_are_told_apart_and_keep_their_order() -> None:
    def times(given: Slice) -> list[int]:
        (entries,) = streams(sink(), given).values()
        return [entry.time_ns for entry in entries]

    given = slice_of([b"same"] * 4, received_ns=NOW, first=5)
    assert times(given) == [NOW + 5, NOW + 6, NOW + 7, NOW + 8]
    assert times(given.pick([1, 3])) == [NOW + 6, NOW + 8], "also when only some of them are sent again"
    written = slice_of([b"same"] * 2, received_ns=NOW, first=5, attributes={"written": NOW - 10**9})
    assert times(written) == [NOW - 10**9 + 5, NOW - 10**9 + 6]
    mixed = part([b"1", b"2", b"3"], times=[NOW, NOW - 1, NOW], received_ns=NOW, first=1_999_999)
    assert times(mixed) == [NOW + 999_999, NOW - 1, NOW + 1]


# ── where to ──


@pytest.mark.parametrize(
    ("url", "base", "target"),
    [
        ("http://loki:3100", "http://loki:3100", "/loki/api/v1/push"),
        ("http://loki:3100/", "http://loki:3100", "/loki/api/v1/push"),
        ("http://loki:3100/loki/api/v1/push", "http://loki:3100", "/loki/api/v1/push"),
        ("https://x/proxy/loki/api/v1/push/", "https://x/proxy", "/loki/api/v1/push"),
        ("https://x/insert?key=a", "https://x/insert", "/loki/api/v1/push?key=a"),
        ("loki+https://x/", "https://x", "/loki/api/v1/push"),
    ],
)
def test_the_push_api_is_found_below_the_url(url: str, base: str, target: str) -> None:
    made = sink(**LokiSink.options_from_url(url))
    (request,), _ = push(made, part([b"1"]))
    assert (made.endpoint.url, request.target) == (base, target)


def test_the_tenant_and_who_we_are_go_with_every_request() -> None:
    headers = sink(tenant="shop", token=Secret("t")).endpoint.headers
    assert {name: str.__str__(value) for name, value in headers.items()} == {
        "X-Scope-OrgID": "shop",
        "Authorization": "Bearer t",
    }
    assert dict(sink(tenant="a", headers={"X-Scope-OrgID": "b"}).endpoint.headers) == {"X-Scope-OrgID": "b"}


def test_one_request_at_a_time_of_a_size_that_loki_takes() -> None:
    assert (sink().concurrency, sink().batching.read_bytes) == (1, 2 * 1024 * 1024)


# ── check --connect ──


def probed(*answers: Response) -> tuple[list[Request], list[str]]:
    given = iter(answers)
    told, wrong = converse(sink().probe(), lambda request: next(given))
    assert isinstance(wrong, list)
    return [one for one in told if isinstance(one, Request)], wrong


@pytest.mark.parametrize("status", [200, 204, 422])
def test_a_push_of_nothing_shows_that_we_may(status: int) -> None:
    requests, wrong = probed(Response(status, body=b"error at least one valid stream is required for ingestion"))
    assert wrong == []
    (request,) = requests
    assert (request.target, request.body, request.coding) == ("/loki/api/v1/push", b"\0", "none"), "snappy of nothing"


def test_what_is_wrong_is_told() -> None:
    assert probed(Response(401, body=b"no org id\n"))[1] == ["POST /loki/api/v1/push is answered by 401: no org id"]
    assert probed(Response(500, body=b"empty ring"), Response(503, body=b"Ingester not ready"))[1] == [
        "POST /loki/api/v1/push is answered by 500: empty ring",
        "GET /ready is answered by 503: Ingester not ready",
    ]


def test_nobody_answers() -> None:
    assert push(sink(), part([b"1"]), answer=None)[1] == Retry("nobody answers")


def test_a_secret_url_stays_one() -> None:
    endpoint = sink(url=Secret("https://loki.example.org/hidden/")).endpoint
    assert isinstance(endpoint.url, Secret)
    assert "hidden" not in repr(endpoint)
