from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logrouter import times
from logrouter.event import Flag
from logrouter.sinks import (
    Batch,
    Delivered,
    EventOutcome,
    Halve,
    Outcome,
    Pause,
    Rejected,
    Request,
    Response,
    Retry,
    SinkContext,
    Slice,
)
from logrouter.sinks._bulk import ID_BYTES, NAME_BYTES, action_lines, legal_index
from logrouter.sinks.elasticsearch import ElasticsearchConfig, ElasticsearchSink
from logrouter.templates import Template
from logrouter.testing import batch_of, converse, slice_of
from logrouter.values import Secret
from tests.strategies import documents

TIME = "2026-11-29T10:00:00.120Z"
TIME_NS = 1_795_946_400_120_000_000
RESOURCE = {"service.name": "checkout"}
FILTER = "filter_path=errors,items.*.status,items.*.error"
ID = "AAAAAAAAAAE"
"""Of epoch 1, which `slice_of` gives."""
WELL = Response(200, body=b'{"errors":false,"items":[{"create":{"status":201}}]}')


def sink(**options: Any) -> ElasticsearchSink:
    for name in ("index", "id"):
        if name in options and options[name] not in ("auto", "none"):
            options[name] = Template.parse(options[name])
    config = ElasticsearchConfig(**{"url": "https://es:9200", **options})
    return ElasticsearchSink(config, SinkContext("es", RESOURCE))


def part(made: ElasticsearchSink, payloads: list[bytes], *columns: list[str] | str, **options: Any) -> Slice:
    """A slice, all of one time if nothing else is said, with these texts for the sink's other templates."""
    stamps = [times.format_rfc3339(moment) for moment in options.pop("times_ns", [TIME_NS] * len(payloads))]
    assert len(columns) + 1 == len(made.templates)
    return slice_of(payloads, columns=(*columns, stamps), **options)


def sent(made: ElasticsearchSink, *slices: Slice) -> Request:
    told, _ = converse(made.send(batch_of(*slices)), lambda request: None)
    (request,) = [one for one in told if isinstance(one, Request)]
    assert told.count(Pause()) == len(slices)
    return request


def body(made: ElasticsearchSink, *slices: Slice) -> list[bytes]:
    lines = sent(made, *slices).whole_body.split(b"\n")
    assert lines.pop() == b""
    return lines


def outcome(made: ElasticsearchSink, events: Batch, response: Response | None) -> Outcome:
    return converse(made.send(events), lambda request: response)[1]


# ── bodies ──


def test_a_fixed_index_stands_in_the_path_and_events_have_ids() -> None:
    made = sink(index="app")
    request = sent(made, part(made, [b'{"a":1}', b'say "hi"'], first=254))
    headers = (("Content-Type", "application/x-ndjson"),)
    assert request == Request("POST", f"/app/_bulk?{FILTER}", b"", headers, "gzip", 1, request.pieces, repeatable=True)
    assert request.whole_body == (
        b'{"create":{"_id":"' + ID.encode() + b'fe"}}\n{"@timestamp":"2026-11-29T10:00:00.120Z","a":1}\n'
        b'{"create":{"_id":"' + ID.encode() + b'ff"}}\n'
        b'{"@timestamp":"2026-11-29T10:00:00.120Z","message":"say \\"hi\\""}\n'
    )


@pytest.mark.parametrize(
    ("options", "columns", "repeatable"),
    [({"id": "none"}, (), False), ({"id": "{n}"}, ("1",), True), ({"data_stream": True}, (), False)],
)
def test_what_would_be_there_twice_is_not_repeated(
    options: dict[str, Any], columns: tuple[str, ...], repeatable: bool
) -> None:
    made = sink(index="app", **options)
    assert sent(made, part(made, [b'{"a":1}'], *columns)).repeatable is repeatable


@given(first=st.integers(0, 2**64) | st.sampled_from([0xFE, 0x1FF, 0xFFFF]), count=st.integers(1, 600))
def test_ids_of_events_in_a_row_are_those_that_each_would_have(first: int, count: int) -> None:
    numbers = range(first, first + count)
    assert action_lines("create", 1, numbers, "app-%d", True) == [
        b'{"create":{"_index":"app-%%d","_id":"%b%x"}}' % (ID.encode(), number) for number in numbers
    ]


def test_the_index_of_each_event_stands_before_it() -> None:
    made = sink(index="{x}-{date}", id="none")
    assert made.templates == (Template.parse("{x}-{date}"), Template.parse("{time}"))
    first = part(made, [b'{"a":1}', b'{"a":2}'], ["app-2026-11-29", "app-2026-11-30"])
    second = part(made, [b'{"a":3}'], "App/%d")
    assert body(made, first, second)[::2] == [
        b'{"index":{"_index":"app-2026-11-29"}}',
        b'{"index":{"_index":"app-2026-11-30"}}',
        b'{"index":{"_index":"app_%d"}}',
    ]
    assert sent(made, first).target == f"/_bulk?{FILTER}"


@pytest.mark.parametrize("indices", ["a%d", ["a%d", "a%d"], ["a%d", "b"]])
def test_ids_and_indices_together(indices: list[str] | str) -> None:
    made = sink(index="{x}")
    names = ["a%d", "a%d" if isinstance(indices, str) else indices[1]]
    events = part(made, [b"{}", b"{}"], indices, first=16)
    assert body(made, events)[::2] == [
        f'{{"create":{{"_index":"{name}","_id":"{ID}1{number}"}}}}'.encode() for number, name in enumerate(names)
    ]


def test_ids_of_a_retry_are_those_of_the_first_try() -> None:
    made = sink(index="app")
    events = batch_of(part(made, [b'{"a":%d}' % number for number in range(5)]))
    again = events.pick([1, 3])
    assert body(made, *again.slices) == body(made, *events.slices)[2:4] + body(made, *events.slices)[6:8]


def test_an_id_of_the_users_own() -> None:
    made = sink(index="app", id="{order}-{step}")
    texts = ["7-1", '"\\-2', "\0-3", "", "é" * 300, "\ud800", "unknown"]
    lines = body(made, part(made, [b"{}"] * 7, texts))[::2]
    ids = [json.loads(line)["create"]["_id"] for line in lines]
    assert ids[:4] == ["7-1", '"\\-2', f"{ID}2", f"{ID}3"]  # what lacks a part of its id keeps its own
    assert len(ids[4]) == 64
    assert ids[5:] == ["?", "unknown"]
    assert all(len(one.encode()) <= ID_BYTES for one in ids)


@pytest.mark.parametrize(
    ("options", "operation"),
    [
        ({}, {"create": {"_id": f"{ID}0"}}),
        ({"id": "none"}, {"index": {}}),
        ({"data_stream": True}, {"create": {}}),
        ({"data_stream": True, "id": "none"}, {"create": {}}),
        ({"data_stream": True, "id": "auto"}, {"create": {"_id": f"{ID}0"}}),
    ],
)
def test_what_is_done_with_an_event(options: dict[str, Any], operation: dict[str, Any]) -> None:
    made = sink(index="app", **options)
    assert json.loads(body(made, part(made, [b"{}"]))[0]) == operation


def test_where_a_data_stream_is_if_nothing_is_said() -> None:
    assert sent(sink(data_stream=True), part(sink(data_stream=True), [b"{}"])).target.startswith(
        "/logs-generic-default/"
    )


def test_a_pipeline_is_named_in_the_query() -> None:
    made = sink(index="app", pipeline="a&b c")
    assert sent(made, part(made, [b"{}"])).target == f"/app/_bulk?{FILTER}&pipeline=a%26b+c"


@pytest.mark.parametrize(
    ("payload", "document"),
    [
        (b'{"a":1}\r', b'{"@timestamp":"TIME","a":1}\r'),
        (b' \t{ "a":1}', b'{"@timestamp":"TIME","a":1}'),
        (b"{}", b'{"@timestamp":"TIME"}'),
        (b"{ }\r", b'{"@timestamp":"TIME"}\r'),
        (b'{"_id":"mine","_index":"x"}', b'{"@timestamp":"TIME","_id":"mine","_index":"x"}'),
        (b'{"n":1e400,"i":36893488147419103232}', b'{"@timestamp":"TIME","n":1e400,"i":36893488147419103232}'),
        (b"\xff\r", '{"@timestamp":"TIME","message":"\ufffd\\r"}'.encode()),
    ],
)
@pytest.mark.parametrize("beside", [[], [b'{"b":2}'], [b"text"]])
def test_where_the_time_goes(payload: bytes, document: bytes, beside: list[bytes]) -> None:
    made = sink(index="app")
    lines = [*beside, payload]
    flags = [Flag.JSON if b"{" in line else 0 for line in lines]
    events = slice_of(lines, flags, columns=([TIME] * len(lines),))
    assert body(made, events)[-1].replace(TIME.encode(), b"TIME") == document


OWN = b'{"a":1,"@timestamp":"2020-01-01"}'


@pytest.mark.parametrize(
    ("payload", "document"),
    [
        (OWN, OWN),
        (b'{"@timestamp":{"x":1}}', b'{"@timestamp":{"x":1}}'),
        (b'{"@timestamp":null,"a":1}', b'{"@timestamp":"TIME","a":1}'),
        (
            b'{"a":{"@timestamp":1}}',
            b'{"@timestamp":"TIME","a":{"@timestamp":1}}',
        ),  # only routing's steps know better
        (b"text", b'{"@timestamp":"TIME","message":"text"}'),
    ],
)
def test_a_time_of_its_own_stays(payload: bytes, document: bytes) -> None:
    made = sink(index="app")
    assert made.included_keys == ("@timestamp",)
    events = part(made, [payload, b'{"b":2}'], collides=b"\x01\x00")
    assert body(made, events)[1::2] == [
        document.replace(b"TIME", TIME.encode()),
        b'{"@timestamp":"%b","b":2}' % TIME.encode(),
    ]


def test_what_is_included_is_added_too() -> None:
    made = sink(index="app", include=("service.name", "meta.host"))
    events = slice_of(
        [b'{"a":1}', b'{"service.name":"x","@timestamp":"own"}', b'{"meta.host":"forged"}'],
        columns=([TIME] * 3,),
        collides=b"\x00\x01\x01",
        attributes={"host": "h"},
    )
    assert [json.loads(line) for line in body(made, events)[1::2]] == [
        {"@timestamp": TIME, "a": 1, "meta.host": "h", "service.name": "checkout"},
        {"@timestamp": "own", "meta.host": "h", "service.name": "x"},
        {"@timestamp": TIME, "meta.host": "h", "service.name": "checkout"},
    ]


def test_an_object_too_deep_to_be_read_is_sent_as_it_is() -> None:
    made = sink(index="app")
    deep = b'{"@timestamp":null,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    events = part(made, [deep], collides=b"\x01")
    assert body(made, events)[1] == deep


def payloads() -> st.SearchStrategy[list[bytes]]:
    texts = st.binary(min_size=1, max_size=30).map(lambda line: b"-" + line.replace(b"\n", b"\r"))
    objects = documents.map(lambda document: json.dumps(document).encode())
    return st.lists(texts | objects, min_size=1, max_size=8)


@given(lines=payloads(), own=st.sets(st.integers(0, 7)), options=st.sampled_from([{}, {"include": ("meta",)}]))
@settings(deadline=None, max_examples=40)
def test_the_body_reads_back_as_the_same_events_in_order(
    lines: list[bytes], own: set[int], options: dict[str, Any]
) -> None:
    made = sink(index="app", **options)
    collides = bytes(place in own and line.startswith(b"{") for place, line in enumerate(lines))
    stamped = [with_time(line) if collided else line for line, collided in zip(lines, collides, strict=True)]
    found = body(made, part(made, stamped, collides=collides if any(collides) else None))
    ids = [json.loads(line)["create"]["_id"] for line in found[::2]]
    assert ids == [f"{ID}{number:x}" for number in range(len(lines))]
    for line, original, collided in zip(found[1::2], stamped, collides, strict=True):
        document = json.loads(line, object_pairs_hook=once_each)
        assert document.pop("@timestamp") == ("own" if collided else TIME)
        for key in [key for key in document if key.startswith("meta.")]:
            del document[key]
        expected = (
            json.loads(original) if original.startswith(b"{") else {"message": original.decode("utf-8", "replace")}
        )
        expected.pop("@timestamp", None)
        assert document == expected


def with_time(line: bytes) -> bytes:
    return json.dumps({**json.loads(line), "@timestamp": "own"}).encode()


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


@given(text=st.text(max_size=300) | st.text(alphabet='Aa-_+./\\*?"<>| ,#:é\ud800', max_size=300))
@settings(deadline=None, max_examples=50)
def test_any_text_is_made_a_legal_name(text: str) -> None:
    name = legal_index(text)
    assert 0 < len(name.encode()) <= NAME_BYTES
    assert name == name.lower()
    assert name[0] not in "-_+."
    assert not re.search(r'[\\/*?"<>| ,#:\x00-\x1f]', name)


def test_a_legal_name_stays_what_it_is() -> None:
    assert [legal_index(name) for name in ("app-2026.11.29", "a_b+c", "größe", "50%")] == [
        "app-2026.11.29", "a_b+c", "größe", "50%",
    ]  # fmt: skip


# ── the schema ──


def ecs(payload: bytes, level: str = "unknown", **options: Any) -> dict[str, Any]:
    made = sink(index="app", profile="ecs", **options)
    (line,) = body(made, part(made, [payload], [level], attributes={"host": "web-1"}))[1::2]
    document: dict[str, Any] = json.loads(line, object_pairs_hook=once_each)
    assert document.pop("ecs.version") == "8.11.0"
    assert document.pop("@timestamp") == TIME
    return document


DEFAULTS = {"service.name": "checkout", "host.name": "web-1"}


@pytest.mark.parametrize(
    ("payload", "level", "document"),
    [
        (b"a line", "unknown", {"message": "a line"}),
        (b'{"msg":"hi","level":30,"time":1700000000000}', "info", {"message": "hi", "log.level": "info"}),
        (
            b'{"event":"hi","severity":"high","lvl":"W"}',
            "warning",
            {"message": "hi", "severity": "high", "log.level": "warning"},
        ),
        (b'{"log.level":"warn","level":"x"}', "warning", {"log.level": "warn", "level": "x"}),
        (
            b'{"log":{"level":"warn"},"msg":"m","message":"n"}',
            "warning",
            {"log": {"level": "warn"}, "msg": "m", "message": "n"},
        ),
        (
            b'{"event":"a","log":"b","error":["x"]}',
            "unknown",
            {"message": "a", "labels.log": "b", "error.message": ["x"]},
        ),
        (b'{"event":{"action":"a"},"error":null}', "unknown", {"event": {"action": "a"}, "error": None}),
        (b'{"time":"soon","@timestamp":"2020-01-01T00:00:00Z"}', "unknown", {"time": "soon"}),
        (
            b'{"exception.type":"E","exception.message":"no","exception.stacktrace":"E: no\\n at x"}',
            "error",
            {
                "log.level": "error",
                "error.type": "E",
                "error.message": "no",
                "error.stack_trace": "E: no\n at x",
            },
        ),
        (
            b'{"trace_id":"t","trace.id":"u","traceId":"v"}',
            "unknown",
            {"trace_id": "t", "trace.id": "u", "traceId": "v"},
        ),
        (
            b'{"hostname":"i","host":"h","labels.host":1}',
            "unknown",
            {"host.name": "i", "labels.host#2": "h", "labels.host": 1},
        ),
    ],
)
def test_events_under_the_names_of_the_schema(payload: bytes, level: str, document: dict[str, Any]) -> None:
    assert ecs(payload, level) == DEFAULTS | document


def test_an_event_of_the_schema_is_not_changed() -> None:
    own = {"message": "m", "log": {"level": "info", "logger": "x"}, "host": {"name": "h"}, "service": {"name": "s"}}
    assert ecs(json.dumps(own).encode(), "info") == own


def test_others_have_their_turn_while_many_events_are_taken_apart() -> None:
    made = sink(index="app", profile="ecs")
    lines = [b'{"n":%d}' % number for number in range(600)]
    told, _ = converse(made.send(batch_of(part(made, lines, "info"))), lambda request: None)
    assert told.count(Pause()) == 3
    (request,) = [one for one in told if isinstance(one, Request)]
    pairs = request.whole_body.split(b"\n")
    assert [json.loads(line)["n"] for line in pairs[1::2]] == list(range(600))
    assert json.loads(pairs[-3])["create"]["_id"] == f"{ID}{599:x}"


# ── answers ──


def answer(*items: dict[str, Any], errors: bool = True) -> Response:
    listed = [{"create": item} for item in items]
    return Response(200, body=json.dumps({"errors": errors, "items": listed}, separators=(",", ":")).encode())


def failed(status: int, kind: str = "mapper_parsing_exception", reason: str = "because", **more: Any) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "reason": reason, **more}}


def events(count: int, **options: Any) -> tuple[ElasticsearchSink, Batch]:
    made = sink(index="app", **options)
    return made, batch_of(part(made, [b"{}"] * count))


def test_all_is_delivered() -> None:
    made, batch = events(3)
    assert outcome(made, batch, answer(*[{"status": 201}] * 3, errors=False)) == Delivered()


def test_other_servers_write_the_same_otherwise() -> None:
    made, batch = events(2)
    body = b'{ "took": 3, "items": [ {"create": {"status": 201}}, {"index": {"status": 200}} ], "errors": false }'
    assert outcome(made, batch, Response(200, body=body)) == [Delivered(), Delivered()]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"status": 201}, Delivered()),
        ({"status": 200}, Delivered()),
        (failed(409, "version_conflict_engine_exception"), Delivered(duplicates=1)),
        (failed(400), Rejected("mapper_parsing_exception", "because")),
        (
            failed(400, caused_by={"type": "illegal_argument_exception", "reason": 'For input\nstring: "x"'}),
            Rejected("mapper_parsing_exception", 'because: For input string: "x"'),
        ),
        (
            failed(400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded"),
            Rejected("illegal_argument_exception", "Limit of total fields [1000] has been exceeded"),
        ),
        (failed(413, "too_large", ""), Rejected("too_large", "")),
        ({"status": 400}, Rejected("unknown", "")),
        ({"status": 400, "error": "cannot parse"}, Rejected("error", "cannot parse")),
        (
            failed(429, "es_rejected_execution_exception"),
            Retry("HTTP 429: es_rejected_execution_exception: because", congested=True),
        ),
        (
            failed(503, "unavailable_shards_exception"),
            Retry("HTTP 503: unavailable_shards_exception: because", congested=True),
        ),
        (failed(403, "cluster_block_exception"), Retry("HTTP 403: cluster_block_exception: because")),
        (failed(404, "index_not_found_exception"), Retry("HTTP 404: index_not_found_exception: because")),
        (failed(500, "null_pointer_exception", None), Retry("HTTP 500: null_pointer_exception: ")),
        (failed(400, "validation_exception"), Retry("HTTP 400: validation_exception: because")),
        (
            failed(400, "illegal_argument_exception", "pipeline with id [x] does not exist"),
            Retry("HTTP 400: illegal_argument_exception: pipeline with id [x] does not exist"),
        ),
        (
            failed(400, "illegal_argument_exception", "only write ops with an op_type of create are allowed"),
            Retry("HTTP 400: illegal_argument_exception: only write ops with an op_type of create are allowed"),
        ),
        ({}, Retry("HTTP 0: unknown: ")),
    ],
)
def test_what_a_status_means_for_an_event(item: dict[str, Any], expected: EventOutcome) -> None:
    made, batch = events(3)
    found = outcome(made, batch, answer({"status": 201}, item, {"status": 201}))
    assert found == [Delivered(), expected, Delivered()]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (
            Response(400, body=b'{"error":{"type":"illegal_argument_exception","reason":"Malformed"},"status":400}'),
            Halve("illegal_argument_exception", "Malformed"),
        ),
        (Response(413), Halve("too_large", "")),
        (Response(413, body=b"<h1>nginx</h1>"), Halve("too_large", "<h1>nginx</h1>")),
        (
            Response(400, body=b"<h1>plain HTTP sent to HTTPS port</h1>"),
            Retry("HTTP 400: <h1>plain HTTP sent to HTTPS port</h1>"),
        ),
        (
            Response(400, body=b'{"error":{"type":"x","reason":"explicit index in bulk is not allowed"}}'),
            Retry("HTTP 400: x: explicit index in bulk is not allowed"),
        ),
        (
            Response(429, {}, b'{"error":{"type":"rejected_execution_exception","reason":"full"},"status":429}', 3.0),
            Retry("HTTP 429: rejected_execution_exception: full", 3.0, True),
        ),
        (
            Response(403, body=b'{"error":{"type":"security_exception","reason":"action is unauthorized"}}'),
            Retry("HTTP 403: security_exception: action is unauthorized"),
        ),
        (Response(401), Retry("HTTP 401")),
        (Response(404, body=b"no"), Retry("HTTP 404: no")),
        (Response(502, body=b"Bad Gateway"), Retry("HTTP 502: Bad Gateway")),
        (Response(503), Retry("HTTP 503", congested=True)),
        (Response(301), Retry("HTTP 301")),
        (Response(200, body=b"ok"), Retry("the answer cannot be read: ok")),
        (Response(200), Retry("the answer cannot be read: it is empty")),
        (Response(200, body=b'{"items":[]}'), Retry('the answer cannot be read: {"items":[]}')),
        (WELL, Retry("the answer tells of 1 events, not of 2")),
        (None, Retry("nobody answers")),
    ],
)
def test_what_an_answer_means_for_the_request(response: Response | None, expected: Outcome) -> None:
    made, batch = events(2)
    assert outcome(made, batch, response) == expected


def test_what_was_sent_before_without_ids_is_in_doubt() -> None:
    made, batch = events(2, id="none")
    batch.again = True
    assert outcome(made, batch, answer(*[{"status": 201}] * 2, errors=False)) == Delivered(doubts=2)
    mixed = answer({"status": 201}, failed(400))
    assert outcome(made, batch, mixed) == [Delivered(doubts=1), Rejected("mapper_parsing_exception", "because")]
    made, batch = events(1)
    batch.again = True
    assert outcome(made, batch, WELL) == Delivered()


def cut(body: bytes, at: int) -> bytes:
    return body[: at % (len(body) + 1)]


STATUSES = st.sampled_from([200, 201, 201, 201, 400, 403, 404, 409, 413, 429, 500, 503])
ITEMS = st.builds(lambda status: {"status": status} if status < 300 else failed(status), STATUSES)


@given(
    items=st.lists(ITEMS, max_size=6),
    status=st.sampled_from([200, 200, 200, 400, 413, 429, 503]),
    change=st.sampled_from([lambda body, _: body, cut, lambda body, at: cut(body, at) + b"\xff" + body[at:]]),
    at=st.integers(0, 400),
)
@example(
    items=[{"status": 201}, {"status": 201}, {"status": 201}, {"status": 200}],
    status=200,
    change=lambda body, at: body[:at] + b"\xff" + body[at:],
    at=115,
)
@settings(deadline=None, max_examples=80)
def test_any_answer_settles_each_event_once(
    items: list[dict[str, Any]], status: int, change: Callable[[bytes, int], bytes], at: int
) -> None:
    made, batch = events(3)
    told = answer(*items, errors=any(item["status"] >= 300 for item in items))
    body = change(told.body, at)
    found = outcome(made, batch, Response(status, body=body))
    if isinstance(found, Delivered):
        assert [item["status"] for item in items] == [201] * 3
    elif isinstance(found, list):
        assert len(found) == 3
        for item, one in zip_longest(items[:3], found):
            if one == CUT_OFF:
                assert body != told.body
                continue
            assert isinstance(one, Delivered) == (item["status"] in (200, 201, 409))
            assert isinstance(one, Rejected) == (item["status"] in (400, 413))
    else:
        assert isinstance(found, Retry | Halve)


CUT_OFF = Retry("the answer tells of so many errors that its end was not read")


def test_what_an_answer_tells_before_it_is_cut_off_is_believed() -> None:
    made, batch = events(4)
    whole = answer({"status": 201}, failed(400, reason='"},{"create":'), failed(429), {"status": 201}).body
    told = [Delivered(), Rejected("mapper_parsing_exception", '"},{"create":')]
    third, fourth = (whole.index(start) for start in (b'{"create":{"status":429', b'{"create":{"status":201}}]'))
    for end in range(third + 10, fourth):
        assert outcome(made, batch, Response(200, body=whole[:end])) == [*told, CUT_OFF, CUT_OFF]
    assert isinstance(outcome(made, batch, Response(200, body=whole[:40])), Retry)
    made, batch = events(2)
    assert isinstance(outcome(made, batch, Response(200, body=whole[:fourth])), Retry)


@given(
    body=st.binary(max_size=60)
    | st.sampled_from([b"[]", b"{}", b'{"items":3}', b'{"items":[1]}', b'{"items":[{}]}', b"null"])
)
@settings(deadline=None, max_examples=50)
def test_garbage_is_no_success(body: bytes) -> None:
    made, batch = events(1)
    found = outcome(made, batch, Response(200, body=body))
    assert isinstance(found, Retry) or (isinstance(found, list) and isinstance(found[0], Retry))


# ── options ──


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("elasticsearch+https://es:9200", "https://es:9200"),
        ("elasticsearch+http://es:9200/", "http://es:9200"),
        ("elasticsearch://es/prefix/", "https://es/prefix"),
        ("https://es:9200/", "https://es:9200"),
    ],
)
def test_urls(url: str, base: str) -> None:
    assert ElasticsearchSink.options_from_url(url) == {"url": base}
    assert sink(url=base).endpoint.url == base


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("elasticsearch:", "with a host"),
        ("elasticsearch+ftp://es", "ftp"),
        ("https://es:9200/?x=1", "keys"),
        ("https://es:9200/_bulk", "without /_bulk"),
    ],
)
def test_urls_that_make_no_sense(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ElasticsearchSink.options_from_url(url)


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({"api_key": Secret("ZW5jb2RlZA==")}, "ApiKey ZW5jb2RlZA=="),
        ({"api_key": Secret("id:key")}, "ApiKey aWQ6a2V5"),
        ({"token": Secret("t")}, "Bearer t"),
        ({"user": "u", "password": Secret("p")}, "Basic dTpw"),
    ],
)
def test_who_we_are(options: dict[str, Any], header: str) -> None:
    given = sink(**options).endpoint.headers["Authorization"]
    assert isinstance(given, Secret)
    assert given.reveal() == header


def test_answers_are_asked_for_in_gzip_unless_told_otherwise() -> None:
    assert sink().endpoint.headers == {"Accept-Encoding": "gzip"}
    assert sink(headers={"Accept-Encoding": "identity"}).endpoint.headers == {"Accept-Encoding": "identity"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"api_key": Secret("x"), "token": Secret("y")}, "either an API key"),
        ({"compression_level": 0}, "from 1 to 9"),
        ({"index": "App-{date}"}, "in lower case"),
        ({"index": "-{date}"}, "begin with none"),
        ({"index": ""}, "begin with none"),
        ({"index": "a" * 300}, "in lower case"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sink(**options)


@pytest.mark.parametrize(
    ("index", "stream", "warned"),
    [
        ("logs-{date}", False, True),
        ("logs-app-eu", False, True),
        ("logs-app-eu", True, False),
        ("app-{date}", False, False),
    ],
)
def test_names_of_which_elasticsearch_makes_data_streams(index: str, stream: bool, warned: bool) -> None:
    config = ElasticsearchConfig(url="https://es", index=Template.parse(index), data_stream=stream)
    assert bool(ElasticsearchSink.warnings(config)) is warned


# ── probing ──


def probed(made: ElasticsearchSink, answers: dict[str, tuple[int, Any]]) -> list[str]:
    """What is wrong, where paths are answered like this, and all others by 404."""

    def answered(request: Request) -> Response:
        status, document = answers.get(request.target.partition("?")[0], (404, {}))
        return Response(status, body=document if isinstance(document, bytes) else json.dumps(document).encode())

    _, wrong = converse(made.probe(), answered)
    assert isinstance(wrong, list)
    return wrong


ES = (200, {"version": {"number": "8.17.1"}, "tagline": "You Know, for Search"})
OPENSEARCH = (200, {"version": {"distribution": "opensearch", "number": "2.19.4"}})
STREAM = (200, {"data_streams": [{"name": "app"}]})
PAGE = b"<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"
RIGHTS = "/_security/user/_has_privileges"


def templates(template: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"index_templates": [{"index_template": template}]}


def rights(**granted: bool) -> tuple[int, Any]:
    return 200, {"username": "u", "index": {"app": granted}}


@pytest.mark.parametrize(
    ("options", "answers", "wrong"),
    [
        ({}, {"/": ES}, []),
        ({}, {"/": OPENSEARCH}, []),
        ({}, {"/": (200, {"version": {"number": "6.8.2"}})}, ["Elasticsearch 6.8.2 is too old: 7 or newer is needed"]),
        ({}, {"/": (401, {"error": {"type": "x", "reason": "no"}})}, ["the credentials are refused: x: no"]),
        ({}, {"/": (403, {}), "/app/_bulk": (400, {"error": {"type": "parse_exception", "reason": "empty"}})}, []),
        ({}, {"/": (403, PAGE), "/app/_bulk": (403, PAGE)}, ["POST /app/_bulk is answered by 403: 403 Forbidden"]),
        (
            {},
            {"/": (403, {}), "/app/_bulk": (401, {"error": {"type": "security_exception", "reason": "who?"}})},
            ["POST /app/_bulk is answered by 401: security_exception: who?"],
        ),
        ({}, {"/": (200, b"")}, ["what answers is neither Elasticsearch nor OpenSearch: it says nothing"]),
        ({}, {"/": (502, b"bad")}, ["GET / is answered by 502: bad"]),
        ({}, {"/": (200, b"<h1>Welcome")}, ["what answers is neither Elasticsearch nor OpenSearch: <h1>Welcome"]),
        (
            {},
            {"/": ES, RIGHTS: rights(create_doc=False, auto_configure=True)},
            ["user u has no right create_doc on app"],
        ),
        ({}, {"/": ES, RIGHTS: rights(create_doc=True, auto_configure=True)}, []),
        ({}, {"/": ES, "/_data_stream/app": STREAM}, ["app is a data stream: set data_stream: true"]),
        ({"data_stream": True}, {"/": ES, "/_data_stream/app": STREAM}, []),
        (
            {"data_stream": True},
            {"/": ES, "/_index_template": templates({"index_patterns": ["app*"], "data_stream": {}})},
            [],
        ),
        (
            {"data_stream": True},
            {"/": ES, "/_index_template": templates({"index_patterns": ["app*"]})},
            ["there is no data stream app, and no index template with data_stream that would make it"],
        ),
        ({"data_stream": True}, {"/": ES, "/_index_template": (403, {})}, []),
    ],
)
def test_what_is_wrong(options: dict[str, Any], answers: dict[str, tuple[int, Any]], wrong: list[str]) -> None:
    assert probed(sink(index="app", **options), answers) == wrong


NO_INDEX = (404, {"error": {"type": "index_not_found_exception", "reason": "no such index [app]"}})
BLOCKS = "/app/_settings/index.blocks.*"
MISSING = "there is no index app, and it is not made by itself (action.auto_create_index: {})"


def auto_create(setting: str, level: str = "persistent") -> dict[str, tuple[int, Any]]:
    levels = {level: {"action": {"auto_create_index": setting}}, "defaults": {"action": {"auto_create_index": "x"}}}
    return {"/_cluster/settings": (200, levels)}


def blocks(*indices: str, block: str = "write") -> tuple[int, Any]:
    return 200, {index: {"settings": {f"index.blocks.{block}": "true"}} for index in indices}


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        (auto_create("true"), []),
        (auto_create("false"), [MISSING.format("false")]),
        (auto_create("false", "transient"), [MISSING.format("false")]),
        (auto_create("false") | {"/_cluster/settings": (403, {})}, []),
        (auto_create("+app*,-*"), []),
        (auto_create("app"), []),
        (auto_create("-app*,+*"), [MISSING.format("-app*,+*")]),
        (auto_create("logs-*, +metrics-*"), [MISSING.format("logs-*, +metrics-*")]),
        (
            auto_create("false")
            | {"/_index_template": templates({"index_patterns": ["a*"], "allow_auto_create": True})},
            [],
        ),
        (auto_create("false") | {"/_index_template": (403, {})}, []),
        (auto_create("false") | {BLOCKS: (200, {})}, []),
        (auto_create("false") | {BLOCKS: (403, {})}, []),
        (auto_create("false") | {BLOCKS: (404, b"no such page")}, []),
        ({BLOCKS: blocks("app")}, ["app is blocked: index.blocks.write"]),
        (
            {BLOCKS: blocks("app-1", block="read_only_allow_delete")},
            ["app is blocked: index.blocks.read_only_allow_delete"],
        ),
        ({BLOCKS: blocks("app", block="metadata")}, []),
        ({BLOCKS: blocks("app-1", "app-2")}, []),
    ],
)
def test_what_is_wrong_with_a_plain_index(answers: dict[str, tuple[int, Any]], wrong: list[str]) -> None:
    there = {"/": ES, BLOCKS: NO_INDEX, "/_index_template": templates({"index_patterns": ["b*"]})}
    assert probed(sink(index="app"), there | answers) == wrong


def test_indices_whose_names_depend_on_events_must_be_made_by_themselves() -> None:
    made = sink(index="app-{date}")
    there = {"/": ES, "/_index_template": templates({"index_patterns": ["b*"]})}
    told = "indices app-* are not made by themselves (action.auto_create_index: false)"
    assert probed(made, there | auto_create("false")) == [told]
    assert probed(made, there | auto_create("app-*")) == []


def test_a_data_stream_must_be_made_by_itself_as_well() -> None:
    template = templates({"index_patterns": ["app*"], "data_stream": {}})
    answers = {"/": ES, "/_index_template": template, **auto_create("false")}
    told = "there is no data stream app, and it is not made by itself (action.auto_create_index: false)"
    assert probed(sink(index="app", data_stream=True), answers) == [told]
    assert probed(sink(index="app", data_stream=True), {**answers, "/_data_stream/app": STREAM}) == []


@pytest.mark.parametrize(
    ("pipeline", "status", "wrong"),
    [("p/1", 404, ["there is no ingest pipeline p/1"]), ("p/1", 200, []), ("p/1", 403, []), ("_none", 404, [])],
)
def test_a_pipeline_must_be_there(pipeline: str, status: int, wrong: list[str]) -> None:
    answers = {"/": ES, "/_ingest/pipeline/p%2F1": (status, {})}
    assert probed(sink(index="app", pipeline=pipeline), answers) == wrong


def test_a_notice_has_an_id_as_well() -> None:
    made = sink(index="app")
    notice = part(made, [b'{"message":"5 events lost"}'], first=7)
    notice.flags = bytes((Flag.JSON | Flag.NOTICE,))
    assert json.loads(body(made, notice)[0]) == {"create": {"_id": f"{ID}7"}}


def test_without_ids_another_right_is_needed() -> None:
    answers = {"/": ES, RIGHTS: rights(index=False, auto_configure=True)}
    assert probed(sink(index="app", id="none"), answers) == ["user u has no right index on app"]


def test_a_secret_url_stays_one() -> None:
    endpoint = sink(url=Secret("https://es.example.org/hidden/")).endpoint
    assert isinstance(endpoint.url, Secret)
    assert "hidden" not in repr(endpoint)
