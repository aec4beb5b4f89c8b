"""Routing: the generated function over projected rows agrees with each rule asked of each parsed event."""

from __future__ import annotations

import json

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from logrouter import times
from logrouter.documents import Document, decode_document, decode_text
from logrouter.event import Chunk, Flag
from logrouter.facts import Facts, resolve
from logrouter.framing import Frame
from logrouter.ingest import Ingest
from logrouter.policy import Route, SinkRouting
from logrouter.projection import recognise_line
from logrouter.references import MISSING, Time, lookup
from logrouter.routing import Router
from logrouter.rules import Rule
from logrouter.templates import Template
from tests import strategies

RESOURCE = {"service.name": "shop"}
ATTRIBUTES = {"source": "app", "stream": "stdin"}
RECEIVED_NS = 1_700_000_000_000_000_000

RULES = (
    'level == "error"',
    'level != "error"',
    'level in ("error", "W", "")',
    'severity >= "warning"',
    'severity < "error"',
    "exists(severity)",
    "status == 1",
    "status == true",
    "status in (0, 500)",
    "status >= 500",
    "not (status < 500)",
    "http.status == 500",
    "http.status > 1",
    "exists(http.status)",
    "http.status in (1, 2, 200)",
    "exists(http)",
    "a.b.c == 1",
    'a.b == "error" or b.c != 0',
    'event["a.b"] == "500"',
    "a == b",
    "ok",
    "not ok",
    'matches(message, "e|\\\\d")',
    'startswith(path, "e")',
    '"error" in level',
    'lower(level) == "w"',
    "len(message) > 3",
    "between(status, 1, 500)",
    'time >= "2020-01-01T00:00:00Z"',
    'meta.stream == "stdin"',
    "meta.invalid_utf8",
    'meta.partial == "start"',
    'resource["service.name"] == "shop"',
    "null == a",
    "a == null",
)
TEMPLATES = ("{level}-{status}", "{a.b}/{http.status}", "{date}", "{severity}", "{meta.stream}")
rules = st.sampled_from(RULES).map(Rule.parse)
some_lines = st.lists(strategies.lines, min_size=1, max_size=12)


def document_of(line: bytes) -> tuple[Document, int]:
    """The slow reading of one line: what it stands for, and its flags."""
    flags = recognise_line(line)
    return (decode_document(line) if flags & Flag.JSON else decode_text(line)), flags


def chunks_of(router: Router, lines: list[bytes]) -> list[Chunk]:
    """Recognised and routed as they are in the real pipeline."""
    return Ingest(router, ATTRIBUTES).chunks(Frame(lines, b"\n".join(lines), {}, 0), RECEIVED_NS)


def got(router: Router, chunks: list[Chunk], sink: int) -> list[bytes]:
    slices = [router.slice(chunk, sink) for chunk in chunks]
    return [payload for part in slices if part is not None for payload in part.payloads]


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(some_lines, st.lists(rules, min_size=1, max_size=4))
def test_the_fast_way_agrees_with_the_slow_way(lines: list[bytes], matches: list[Rule]) -> None:
    router = Router([SinkRouting(f"s{n}", rule) for n, rule in enumerate(matches)], resource=RESOURCE)
    chunks = chunks_of(router, lines)
    slow = router.projection.slow_events
    event(f"slow: {'none' if not slow else 'all' if slow >= len(lines) else 'some'}")
    for sink, rule in enumerate(matches):
        expected = []
        for line in lines:
            document, flags = document_of(line)
            if rule.test(document, Facts(ATTRIBUTES, RECEIVED_NS, RESOURCE, flags)):
                expected.append(line)
        assert got(router, chunks, sink) == expected, rule.text


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(some_lines, rules)
def test_events_routed_again_go_the_same_way(lines: list[bytes], rule: Rule) -> None:
    router = Router([SinkRouting("s", rule)], resource=RESOURCE)
    for chunk in chunks_of(router, lines):
        again = Chunk(chunk.payloads, chunk.flags, chunk.attributes, chunk.received_ns)
        router.route(again)
        assert got(router, [again], 0) == got(router, [chunk], 0)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(some_lines, st.sampled_from(TEMPLATES))
def test_columns_hold_what_the_template_renders(lines: list[bytes], text: str) -> None:
    template = Template.parse(text)
    router = Router([SinkRouting("s", templates=(template,))], resource=RESOURCE)
    for chunk in chunks_of(router, lines):
        part = router.slice(chunk, 0)
        assert part is not None
        (column,) = part.columns
        texts = [column] * len(chunk) if isinstance(column, str) else column
        facts = [Facts(ATTRIBUTES, RECEIVED_NS, RESOURCE, flags) for flags in chunk.flags]
        expected = [template.render(document_of(line)[0], own) for line, own in zip(chunk.payloads, facts, strict=True)]
        assert list(texts) == expected


TIMES = (
    "2026-11-23T10:00:00.123Z",
    "2026-11-23T10:00:00.123456789+02:00",
    "2026-11-23 10:00:00,5",
    "2026-02-30T10:00:00Z",
    "2026-11-23T10:00:00.123 o'clock",
    "2026-11-23T10:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-10:00",
    "9999-12-31T23:59:60Z",
    "12:00",
    "",
    1_700_000_000,
    1_700_000_000_123.5,
    7,
    True,
    None,
    ["2026-11-23T10:00:00Z"],
    {"a": 1},
)
timed_lines = st.dictionaries(st.sampled_from(["ts", "time", "timestamp", "@timestamp"]), st.sampled_from(TIMES)).map(
    lambda document: json.dumps(document).encode()
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(timed_lines | strategies.lines, min_size=1, max_size=8))
def test_times_are_those_that_the_slow_way_finds(lines: list[bytes]) -> None:
    router = Router([SinkRouting("s", Rule.parse("not exists(a)"), wants_times=True)], resource=RESOURCE)
    for chunk in chunks_of(router, lines):
        part = router.slice(chunk, 0)
        if part is not None:
            facts = Facts(ATTRIBUTES, RECEIVED_NS, RESOURCE)
            exact = [resolve(Time(), document_of(payload)[0], facts) for payload in part.payloads]
            assert list(part.times_ns or ()) == [min(time_ns, 2**63 - 1) for time_ns in exact]
            assert part.pick([0]).times_ns == (part.times_ns or [])[:1]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(timed_lines | strategies.lines, min_size=1, max_size=8))
def test_times_as_texts_are_those_that_the_slow_way_finds(lines: list[bytes]) -> None:
    template = Template.parse("{time}")
    router = Router([SinkRouting("s", templates=(template,))], resource=RESOURCE)
    for chunk in chunks_of(router, lines):
        part = router.slice(chunk, 0)
        assert part is not None
        facts = Facts(ATTRIBUTES, RECEIVED_NS, RESOURCE)
        expected = tuple(template.render(document_of(payload)[0], facts) for payload in part.payloads)
        assert part.columns == (expected,)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59+10:00", "9999-12-31T13:59:59Z"),
        ("9999-12-31T23:59:59-10:00", times.format_rfc3339(RECEIVED_NS)),
        ("9999-12-31T23:59:60Z", times.format_rfc3339(RECEIVED_NS)),
    ],
)
def test_no_time_is_told_that_is_in_the_year_10000(written: str, told: str) -> None:
    template = Template.parse("{time}")
    router = Router([SinkRouting("s", templates=(template,), wants_times=True)], resource=RESOURCE)
    (chunk,) = chunks_of(router, [b'{"time":"%s"}' % written.encode()])
    assert (part := router.slice(chunk, 0)) is not None
    assert part.columns == ((told,),)
    assert list(part.times_ns or ()) == [min(times.parse(told) or 0, 2**63 - 1)]


usual_lines = st.builds(
    lambda rest, level, status: json.dumps(
        {"time": f"2026-11-23T10:00:{rest}Z", "level": level, "status": status, "service": level * 2}
    ).encode(),
    st.sampled_from(["00.000", "59.123", "07.120"]),
    st.sampled_from(["info", "ERROR", "W"]),
    st.sampled_from([200, 500]),
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(usual_lines, min_size=1, max_size=8), st.lists(timed_lines, max_size=1), rules)
def test_what_is_written_as_most_apps_write_it_goes_the_same_way(
    usual: list[bytes], odd: list[bytes], rule: Rule
) -> None:
    """At once where all is so, one by one where a single event is not."""
    lines = usual + odd
    templates = tuple(map(Template.parse, ("{service}", "{severity}", "{time}", "{date}-{level}")))
    router = Router([SinkRouting("s", None, templates, wants_times=True), SinkRouting("t", rule)], resource=RESOURCE)
    (chunk,) = chunks_of(router, lines)
    part = router.slice(chunk, 0)
    assert part is not None
    documents, facts = [document_of(line)[0] for line in lines], Facts(ATTRIBUTES, RECEIVED_NS, RESOURCE)
    for template, column in zip(templates, part.columns, strict=True):
        assert list(column) == [template.render(document, facts) for document in documents]
    exact = [resolve(Time(), document, facts) for document in documents]
    assert list(part.times_ns or ()) == [min(time_ns, 2**63 - 1) for time_ns in exact]
    assert got(router, [chunk], 1) == [
        line for line, document in zip(lines, documents, strict=True) if rule.test(document, facts)
    ]


def test_times_are_not_looked_for_where_nobody_asks() -> None:
    (chunk,) = chunks_of(router := Router([SinkRouting("s")]), [b'{"time":"2026-11-23T10:00:00Z"}'])
    assert (part := router.slice(chunk, 0)) is not None
    assert part.times_ns is None


def test_times_are_for_those_alone_that_ask_for_them() -> None:
    router = Router([SinkRouting("s"), SinkRouting("t", wants_times=True)])
    (chunk,) = chunks_of(router, [b'{"time":"2026-11-23T10:00:00Z"}'])
    parts = [router.slice(chunk, 0), router.slice(chunk, 1), router.whole(chunk, 0), router.whole(chunk, 1)]
    assert [part is not None and part.times_ns is not None for part in parts] == [False, True, False, True]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(some_lines)
def test_events_that_have_an_included_key_are_marked(lines: list[bytes]) -> None:
    router = Router([SinkRouting("s", included_keys=("http.status", "level"))], resource=RESOURCE)
    for chunk in chunks_of(router, lines):
        part = router.slice(chunk, 0)
        assert part is not None
        marks = part.collides or bytes(len(chunk))
        for line, mark in zip(chunk.payloads, marks, strict=True):
            document = document_of(line)[0]
            assert bool(mark) == ("http.status" in document or "level" in document)


def test_more_classes_than_fit_in_a_byte() -> None:
    """Ten independent conditions, a thousand combinations of them in one chunk."""
    router = Router([SinkRouting(f"s{n}", Rule.parse(f"f{n} == 5")) for n in range(10)])
    lines = [b"{%s}" % b",".join(b'"f%d":%d' % (n, 5 * (i >> n & 1)) for n in range(10)) for i in range(1024)]
    chunks = chunks_of(router, lines)
    assert len(chunks) == 4
    for sink in range(10):
        assert got(router, chunks, sink) == [line for i, line in enumerate(lines) if i >> sink & 1]


def test_a_memo_never_grows_for_ever() -> None:
    router = Router([SinkRouting("s", Rule.parse('a != "x"'))])
    for start in range(0, 20_000, 1000):
        lines = [b'{"a":"%d"}' % number for number in range(start, start + 1000) for _ in range(5)]
        assert got(router, chunks_of(router, lines), 0) == lines
    (memo,) = router._memos.values()
    assert len(memo) <= 4096


def test_rows_are_not_remembered_where_hardly_any_two_are_equal() -> None:
    router = Router([SinkRouting("s", Rule.parse('a != "7000"'))])
    for start in range(0, 10_000, 1000):
        lines = [b'{"a":"%d"}' % number for number in range(start, start + 1000)]
        assert got(router, chunks_of(router, lines), 0) == [line for line in lines if b'"7000"' not in line]
        assert bool(router._memos) is (start < 4000)


class TestRoutes:
    """Who gets what: DESIGN's "Who gets what", sentence by sentence."""

    LINES: tuple[bytes, ...] = (b'{"n":1}', b'{"n":2}', b'{"n":3}')

    def route(self, sinks: list[SinkRouting], routes: list[Route]) -> list[list[bytes]]:
        router = Router(sinks, routes)
        chunks = chunks_of(router, list(self.LINES))
        return [got(router, chunks, number) for number in range(len(sinks))]

    def test_a_sink_that_no_route_names_takes_all_that_its_match_accepts(self) -> None:
        sinks = [SinkRouting("a", Rule.parse("n == 2")), SinkRouting("b")]
        assert self.route(sinks, [Route("r", Rule.parse("n == 3"), ("b",))]) == [[b'{"n":2}'], [b'{"n":3}']]

    def test_a_named_sink_still_has_its_match(self) -> None:
        sinks = [SinkRouting("a", Rule.parse("n > 2"))]
        assert self.route(sinks, [Route("r", Rule.parse("n != 1"), ("a",))]) == [[b'{"n":3}']]

    def test_a_sink_gets_an_event_once(self) -> None:
        routes = [Route("r", None, ("a",)), Route("q", None, ("a",))]
        assert self.route([SinkRouting("a")], routes) == [list(self.LINES)]

    def test_stop_ends_the_asking(self) -> None:
        routes = [Route("r", Rule.parse("n == 1"), ("a",), stop=True), Route("q", None, ("b",))]
        assert self.route([SinkRouting("a"), SinkRouting("b")], routes) == [[b'{"n":1}'], [b'{"n":2}', b'{"n":3}']]

    def test_what_nobody_wants_is_counted(self) -> None:
        router = Router([SinkRouting("a", Rule.parse("n == 1"))])
        (chunk,) = chunks_of(router, list(self.LINES))
        assert chunk.routed is not None
        assert chunk.routed.unmatched() == 2


def test_a_row_finds_what_lookup_finds() -> None:
    document = {"a.b": {"c": 1}, "a": {"b.c": 2, "b": {"c": 3}}, "a.b.c": 4}
    assert lookup(document, ("a", "b", "c")) == 4
    assert lookup({"a": {"b": 1}}, ("a", "b", "c")) is MISSING


def test_a_column_of_dates_is_one_text_where_all_events_are_of_the_same() -> None:
    times = ["2026-11-23T00:00:00Z", "2026-11-23T23:59:59.999Z", "2026-11-24T00:00:00Z"]
    lines = [b'{"time":"%s"}' % time.encode() for time in times]
    router = Router([SinkRouting("s", templates=(Template.parse("{date}/{{x}}"), Template.parse("{hour}")))])
    columns = []
    for some in (lines[:2], lines[1:]):
        chunk = Chunk(some, bytes([Flag.JSON] * len(some)), {}, 0)
        router.route(chunk)
        part = router.slice(chunk, 0)
        assert part is not None
        columns.append(part.columns)
    assert columns == [
        ("2026-11-23/{x}", ("00", "23")),
        (("2026-11-23/{x}", "2026-11-24/{x}"), ("23", "00")),
    ]
