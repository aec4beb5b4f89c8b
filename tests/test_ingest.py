"""Ingest: whole chunks through recognition and steps, the fast way, as each line alone, the slow way."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from logrouter.chain import Chain
from logrouter.documents import Document, decode_document, decode_text, encode_document
from logrouter.event import CHUNK_OVERHEAD_BYTES, EVENT_OVERHEAD_BYTES, Chunk, Flag
from logrouter.facts import Facts
from logrouter.framing import Frame, LineFraming
from logrouter.ingest import Ingest
from logrouter.parsers.json import Json, JsonConfig
from logrouter.parsers.regex import Regex, RegexConfig
from logrouter.parsing import AUTO, JSON, NONE, Parse
from logrouter.policy import SinkRouting
from logrouter.projection import recognise_line
from logrouter.routing import Router
from logrouter.rules import Rule
from logrouter.rules.patterns import Pattern
from logrouter.steps import Incomplete, Outcome, Step, StepConfig
from tests.steps.conftest import steps_from
from tests.strategies import chunked, lines, tens

RESOURCE = {"service.name": "shop"}
ATTRIBUTES = {"source": "app", "stream": "stdin"}
RECEIVED_NS = 1_700_000_000_000_000_000


class Fragile(Step[StepConfig]):
    """Raises on errors and on text that has an `a` in it, after it has changed them."""

    Config = StepConfig

    def apply(self, document: Document, facts: Facts) -> None:
        document["spoilt"] = True
        if document.get("level") == "error" or "a" in str(document.get("message", "")):
            raise ValueError("too much")
        del document["spoilt"]


class FragileClosed(Fragile):
    fails_closed = True
    placeholder: ClassVar[Document] = {"message": "[failed]"}


class Halting(Step[StepConfig]):
    """Does a part of what there is to do where there is an `a`."""

    Config = StepConfig

    def apply(self, document: Document, facts: Facts) -> None:
        document["half"] = "done"
        if "a" in document:
            raise Incomplete
        document["whole"] = "done"


class Doubling(Step[StepConfig]):
    """Makes two events of those with a level, which are numbered, and none of others that have an `a`."""

    Config = StepConfig
    decides: ClassVar[bool] = True

    def __init__(self, config: StepConfig) -> None:
        super().__init__(config)
        self.number = 0

    def apply(self, document: Document, facts: Facts) -> Outcome:
        self.number += 1
        if "level" in document:
            return [document | {"number": self.number}, {"level": "debug", "second": self.number}]
        return [] if "a" in document else None


OWN = {
    "fragile": Fragile(StepConfig()),
    "closed": FragileClosed(StepConfig()),
    "doubling": Doubling(StepConfig()),
    "halting": Halting(StepConfig()),
}
STEPS = (
    "",
    "- set: {a: 1}",
    "- set: {seen: '{level}', when: exists(level)}",
    "- rename: {level: severity}\n- remove: [http.status]",
    "- rename: {a: b, b: a}\n- set: {c: '{b}', when: b == 1}",
    "- keep_only: [level, message, http.status]",
    "- keep_only: [level, a, http, c]\n- set: {b: null}\n- rename: {c: message}\n- redact: {fields: [a]}",
    "- discard: {when: level == 'error'}",
    "- discard: {when: not exists(a)}\n- discard: {when: severity >= 'warning'}\n- set: {x: 1, when: status == 1}",
    "- discard: {when: meta.invalid_utf8}\n- discard: {when: exists(meta.partial)}",
    "- set: {a: 1, when: level == 'error'}\n- discard: {when: a == 1}\n- remove: [ok]",
    "- sample: {keep: 0.5}",
    "- discard: {when: status == 1}\n- sample: {keep: 0.5, by: level}\n- remove: [level]",
    "- redact: {fields: [a, http.status], patterns: [email, '[0-9]+', 'e+']}",
    "- redact: {patterns: ['t+'], when: not exists(status)}",
    "- redact: {patterns: [all]}",
    "- redact: {patterns: [all], with: remove}\n- redact: {fields: [level]}\n- redact: {patterns: [card]}",
    "- redact: {fields: [level], patterns: ['e+'], when: status == 1}",
    "- discard: {when: not exists(a)}\n- sample: {keep: 0.5}\n- redact: {fields: [a], when: meta.partial != 'end'}",
    "- set: {b: 1, when: exists(level)}\n- closed\n- redact: {fields: [level, a], when: exists(http.status)}",
    "- fragile",
    "- set: {seen: 1}\n- fragile\n- set: {after: 1, when: seen == 1}",
    "- discard: {when: level == 'info'}\n- fragile\n- discard: {when: level == 'error'}",
    "- closed\n- set: {a: 1}",
    "- halting",
    "- set: {seen: 1}\n- halting\n- fragile\n- remove: [a]\n- halting",
    "- throttle: {rate: 1/h, by: a}",
    "- throttle: {rate: 2/h, by: '{level} {a.b}', when: not exists(http.status), max_keys: 2}\n- set: {x: 1}",
    "- dedupe: {by: [level]}",
    "- dedupe: {by: [a, http, meta.partial], max_keys: 3}\n- sample: {keep: 0.5, by: level, rate_field: a.b}",
    "- discard: {when: a == 1}\n- sample: {keep: 0.7}\n- throttle: {rate: 2/h, by: b}\n- dedupe: {}",
    "- sample: {keep: 0.9}\n- dedupe: {by: [message, severity], memory: 40B}\n- redact: {fields: [a]}",
    "- throttle: {rate: 3/h}\n- fragile\n- throttle: {rate: 2/h, by: http.status}\n- doubling",
    "- doubling",
    "- split: a\n- split: {field: http, merge: true, number: n}\n- set: {x: 1, when: exists(b)}",
    "- discard: {when: status == 1}\n- doubling\n- set: {x: 1, when: level == 'debug'}\n- discard: {when: a == 1}",
    "- set: {seen: 1, when: exists(a)}\n- fragile\n- doubling\n- doubling\n- fragile\n- redact: {fields: [a]}",
    "- set: {message: '', when: meta.parse_error}\n- set: {message: 'x', when: len(message) > 4}",
)
some_lines = st.lists(lines, min_size=1, max_size=10)
LETTER = Regex(RegexConfig(pattern=Pattern("(?P<level>[a-e])(?P<rest>.*)")))
BRACE = Regex(RegexConfig(pattern=Pattern("^(?P<message>[{x].*)")))
PARSES = (
    *(AUTO, JSON, NONE),
    Parse("letter", reads_json=False, marks=True, parsers=[LETTER]),
    Parse("json, letter", reads_json=True, marks=True, parsers=[LETTER]),
    Parse("brace, json, letter", reads_json=False, marks=True, parsers=[BRACE, Json(JsonConfig()), LETTER]),
)
parses = st.sampled_from(PARSES)


@lru_cache
def steps_of(yaml: str) -> tuple[tuple[str, Step[Any]], ...]:
    """The steps of YAML, one a line, of which a name alone is one of ours."""
    found: list[tuple[str, Step[Any]]] = []
    for line in yaml.splitlines():
        name = line.removeprefix("- ")
        found += [(name, OWN[name])] if name in OWN else steps_from(line)
    return tuple(found)


def chain_of(yaml: str) -> Chain:
    """A new chain: counters, and places in samples, start anew."""
    return Chain([(name, type(step)(step.config)) for name, step in steps_of(yaml)])


def frame_of(some: list[bytes], marks: dict[int, int] | None = None, empty: int = 0) -> Frame:
    return Frame(some, b"\n".join(some), marks or {}, empty)


streams = st.lists(lines | st.sampled_from([b"", b"\r", b"x" * 40]), max_size=8).map(b"\n".join)
"""Whole inputs, which may end with a newline."""


def ingest_of(chain: Chain | None = None, parse: Parse = AUTO, match: str | None = None) -> Ingest:
    further = chain.references if chain else ()
    rule = Rule.parse(match) if match else None
    return Ingest(Router([SinkRouting("s", rule)], resource=RESOURCE, further=further), ATTRIBUTES, parse, chain)


def events_of(chunks: list[Chunk]) -> list[tuple[bytes, int]]:
    return [pair for chunk in chunks for pair in zip(chunk.payloads, chunk.flags, strict=True)]


def told(events: list[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
    """Events with JSON written one way: what no step touched keeps its blanks, which the slow way does not."""
    return [(encode_document(decode_document(pair[0])), pair[1]) if pair[1] & Flag.JSON else pair for pair in events]


def recognised(line: bytes, parse: Parse, mark: int = 0) -> tuple[bytes, int]:
    """What one line is as an event, before any step."""
    flags = recognise_line(line)
    if flags & Flag.JSON and parse.reads_json and not mark:
        return line, flags
    flags = (flags & ~Flag.JSON) | mark
    for parser in () if mark else parse.parsers:
        if (made := parser.parse(line, RECEIVED_NS)) is not None:
            return made, flags | Flag.JSON
    return line, flags | Flag.PARSE_ERROR if parse.marks else flags


def slowly(chain: Chain, frame: Frame, parse: Parse) -> list[tuple[bytes, int]]:
    """Each line of a frame through all steps, one by one."""
    found = []
    for place, line in enumerate(frame.lines):
        payload, flags = recognised(line, parse, frame.marks.get(place, 0))
        found += chain.apply(payload, flags, Facts(ATTRIBUTES, RECEIVED_NS, RESOURCE, flags))
    return found


# ── fast and slow ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(some_lines, min_size=1, max_size=3), st.sampled_from(STEPS), parses)
def test_chunks_become_what_their_lines_become_one_by_one(several: list[list[bytes]], yaml: str, parse: Parse) -> None:
    fast, slow = chain_of(yaml), chain_of(yaml)
    ingest, all_chunks = ingest_of(fast, parse), list[Chunk]()
    for some in several:
        frame = frame_of(some)
        chunks = ingest.chunks(frame, RECEIVED_NS)
        all_chunks += chunks
        assert told(events_of(chunks)) == told(slowly(slow, frame, parse))
        for chunk in chunks:
            assert chunk.payload_bytes == sum(map(len, chunk.payloads))
            assert (chunk.attributes, chunk.received_ns) == (ATTRIBUTES, RECEIVED_NS)
    assert (+fast.discarded, +fast.failed, fast.added) == (+slow.discarded, +slow.failed, slow.added)
    appended = ingest.read_events - fast.discarded.total() + fast.added.total()
    assert sum(map(len, all_chunks)) == appended
    event(tens("slow", ingest.slow_events, ingest.read_events))
    event(tens("discarded", fast.discarded.total(), ingest.read_events))
    event(tens("failed", fast.failed.total(), ingest.read_events))


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.data(), some_lines, st.sampled_from(STEPS), parses)
def test_long_lines_go_through_steps_in_pieces(data: Any, some: list[bytes], yaml: str, parse: Parse) -> None:
    fast, slow = chain_of(yaml), chain_of(yaml)
    ingest, framing = ingest_of(fast, parse), LineFraming(12)
    reads = data.draw(chunked(b"\n".join(some)))
    for frame in [*map(framing.feed, reads), framing.finish()]:
        assert told(events_of(ingest.chunks(frame, RECEIVED_NS))) == told(slowly(slow, frame, parse))
    assert (+fast.discarded, +fast.failed) == (+slow.discarded, +slow.failed)


MATCHES = ("a == 1", "exists(spoilt)", 'level == "error"', "http.status > 1", "len(message) > 3", "meta.step_failed")


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(some_lines, st.sampled_from(STEPS), st.sampled_from(MATCHES))
def test_sinks_get_events_by_what_the_steps_made_of_them(some: list[bytes], yaml: str, match: str) -> None:
    rule, chain = Rule.parse(match), chain_of(yaml)
    ingest = ingest_of(chain_of(yaml), match=match)
    router = ingest._router
    parts = [router.slice(chunk, 0) for chunk in ingest.chunks(frame_of(some), RECEIVED_NS)]
    got = [pair for part in parts if part is not None for pair in zip(part.payloads, part.flags, strict=True)]
    expected = [
        (payload, flags)
        for payload, flags in slowly(chain, frame_of(some), AUTO)
        if rule.test(
            decode_document(payload) if flags & Flag.JSON else decode_text(payload),
            Facts(ATTRIBUTES, RECEIVED_NS, RESOURCE, flags),
        )
    ]
    assert told(got) == told(expected)


@pytest.mark.parametrize(
    ("yaml", "kept"),
    [
        ("- discard: {when: meta.invalid_utf8}", [b"{}", b"long", b"li", b"ne", b"text"]),
        ("- discard: {when: exists(meta.partial)}", [b"\xff", b"{}", b"text"]),
        ("- discard: {when: not exists(meta.partial)}", [b"long", b"li", b"ne"]),
        ("- discard: {when: meta.parse_error}", [b"{}"]),
    ],
)
def test_conditions_of_steps_see_what_is_known_of_single_events(yaml: str, kept: list[bytes]) -> None:
    marks = {2: Flag.PARTIAL_START, 3: Flag.PARTIAL_MIDDLE, 4: Flag.PARTIAL_END}
    ingest = ingest_of(chain_of(yaml), JSON if "parse" in yaml else AUTO)
    frame = frame_of([b"\xff", b"{}", b"long", b"li", b"ne", b"text"], marks)
    (chunk,) = ingest.chunks(frame, RECEIVED_NS)
    assert list(chunk.payloads) == kept


# ── counters ──────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=10, deadline=None)
@given(st.lists(some_lines, max_size=3), parses)
def test_what_is_counted(several: list[list[bytes]], parse: Parse) -> None:
    ingest = ingest_of(parse=parse)
    for empty, some in enumerate(several):
        ingest.chunks(frame_of(some, empty=empty), RECEIVED_NS)
    flags = [recognised(line, parse)[1] for some in several for line in some]
    assert ingest.read_events == len(flags)
    assert ingest.empty_lines == sum(range(len(several)))
    assert ingest.invalid_utf8 == sum(1 for flag in flags if flag & Flag.INVALID_UTF8)
    assert ingest.parse_errors == sum(1 for flag in flags if flag & Flag.PARSE_ERROR)
    assert ingest.pieces == 0


@settings(max_examples=30, deadline=None)
@given(st.data(), streams, st.sampled_from([b"\n", b"\r\n"]))
def test_every_byte_that_was_read_is_counted(data: Any, stream: bytes, end: bytes) -> None:
    ingest, framing = ingest_of(), LineFraming(20)
    stream = stream.replace(b"\n", end)
    for frame in [*map(framing.feed, data.draw(chunked(stream))), framing.finish()]:
        for part in frame.cut(300):
            ingest.chunks(part, RECEIVED_NS)
    assert ingest.read_bytes == len(stream)


def test_the_slow_share_can_be_told() -> None:
    ingest = ingest_of()
    ingest.chunks(frame_of([b"{}", b"text", b"{main}", b"\xff", b"{}"]), RECEIVED_NS)
    ingest.chunks(frame_of([b"{}", b"{}"]), RECEIVED_NS)
    assert (ingest.slow_events, ingest.read_events) == (2, 7)


def test_empty_lines_alone_are_no_chunk_but_counted() -> None:
    ingest = ingest_of()
    assert ingest.chunks(Frame([], b"", {}, 3, 5), RECEIVED_NS) == []
    assert (ingest.empty_lines, ingest.read_events, ingest.read_bytes) == (3, 0, 5)


def test_pieces_are_counted_and_text_whatever_they_look_like() -> None:
    ingest = ingest_of()
    marks = {0: Flag.PARTIAL_START, 1: Flag.PARTIAL_MIDDLE, 2: Flag.PARTIAL_END}
    chunks = ingest.chunks(frame_of([b'{"a":1}', b"{}", b'{"b":1}', b'{"c":1}'], marks), RECEIVED_NS)
    assert events_of(chunks) == [
        (b'{"a":1}', Flag.PARTIAL_START),
        (b"{}", Flag.PARTIAL_MIDDLE),
        (b'{"b":1}', Flag.PARTIAL_END),
        (b'{"c":1}', Flag.JSON),
    ]
    assert (ingest.pieces, ingest.read_events) == (3, 4)


def test_a_piece_is_routed_as_text() -> None:
    ingest = ingest_of(match='exists(a) or meta.partial == "end" or message == "{}"')
    frame = frame_of([b'{"a":1}', b"{}", b"x"], {0: Flag.PARTIAL_START, 1: Flag.PARTIAL_MIDDLE, 2: Flag.PARTIAL_END})
    (chunk,) = ingest.chunks(frame, RECEIVED_NS)
    part = ingest._router.slice(chunk, 0)
    assert part is not None
    assert list(part.payloads) == [b"{}", b"x"]


# ── steps on chunks ───────────────────────────────────────────────────────────────────────────────────


def test_values_that_no_step_looks_at_stay_as_they_came() -> None:
    ingest = ingest_of(chain_of("- set: {b: 1}\n- rename: {a: x}\n- remove: [c]"))
    lines = [b'{"a":1.0e3,"n": {"m" : "\\u00e9"} ,"c":0}', b'{ "a":18446744073709551616 , "z":1e400}', b'{"a":"\xff"}']
    (chunk,) = ingest.chunks(frame_of(lines), RECEIVED_NS)
    assert events_of([chunk])[2] == (b'{"message":"{\\"a\\":\\"\xef\xbf\xbd\\"}","b":1}', Flag.JSON | Flag.INVALID_UTF8)
    (chunk,) = ingest.chunks(frame_of(lines[:2]), RECEIVED_NS)
    assert events_of([chunk]) == [
        (b'{"n":{"m" : "\\u00e9"},"b":1,"x":1.0e3}', Flag.JSON),
        (b'{"z":1e400,"b":1,"x":18446744073709551616}', Flag.JSON),
    ]


def test_a_newline_between_values_does_not_stay_in_what_has_changed() -> None:
    line = b'{"a":{\n"b":1}}'
    (chunk,) = ingest_of(chain_of("- set: {c: 1}")).chunks(Frame([line], line, {}, 0), RECEIVED_NS)
    assert events_of([chunk]) == [(b'{"a":{"b":1},"c":1}', Flag.JSON)]


def test_where_a_step_fails_the_other_events_are_as_if_it_had_not() -> None:
    chain = chain_of("- set: {seen: 1}\n- fragile\n- set: {after: 1}")
    ingest = ingest_of(chain)
    some = [b'{"level":"info"}', b'{"level":"error"}', b'{"level":"warn"}']
    assert events_of(ingest.chunks(frame_of(some), RECEIVED_NS)) == [
        (b'{"level":"info","seen":1,"after":1}', Flag.JSON),
        (b'{"level":"error","seen":1,"after":1}', Flag.JSON | Flag.STEP_FAILED),
        (b'{"level":"warn","seen":1,"after":1}', Flag.JSON),
    ]
    assert chain.failed == {"fragile": 1}


def test_where_a_step_fails_closed_only_that_event_is_replaced() -> None:
    chain = chain_of("- closed")
    some = [b'{"level":"info"}', b'{"level":"error","card":"4111 1111 1111 1111"}', b"text"]
    assert events_of(ingest_of(chain).chunks(frame_of(some), RECEIVED_NS)) == [
        (b'{"level":"info"}', Flag.JSON),
        (b'{"message":"[failed]"}', Flag.JSON | Flag.STEP_FAILED),
        (b"text", 0),
    ]
    assert chain.failed == {"closed": 1}


def test_events_that_no_step_touches_leave_as_the_bytes_that_came() -> None:
    chain = chain_of("- set: {a: 1, when: level == 'error'}")
    some = [b' {"level" : "info" }', b'{"level" : "error" }', b"\xff"]
    assert events_of(ingest_of(chain).chunks(frame_of(some), RECEIVED_NS)) == [
        (some[0], Flag.JSON),
        (b'{"level":"error","a":1}', Flag.JSON),
        (b"\xff", Flag.INVALID_UTF8),
    ]


def test_what_cannot_be_read_whole_stands_in_its_place_among_others() -> None:
    chain = chain_of("- set: {a: 1}")
    some = [b'{"b":1}', b"text", b'{"b":1e400}', b'{"b":NaN}', b' {"b":2}', b"\xff", b'{"b":"\xff"}', b"{}"]
    ingest = ingest_of(chain, parse=JSON, match="a == 1")
    assert told(events_of(ingest.chunks(frame_of(some), RECEIVED_NS))) == told(slowly(chain, frame_of(some), JSON))
    assert (ingest.slow_events, ingest.invalid_utf8, ingest.parse_errors) == (3, 2, 4)


def test_a_chunk_of_which_nothing_is_left_is_none() -> None:
    chain = chain_of("- discard: {when: exists(level)}\n- discard: {when: exists(message)}")
    ingest = ingest_of(chain)
    assert ingest.chunks(frame_of([b'{"level":1}', b"text", b'{"level":2}']), RECEIVED_NS) == []
    assert chain.discarded == {"discard": 3}
    assert ingest.read_events == 3


def test_lines_that_are_left_out_are_counted_and_seen_by_no_step() -> None:
    chain = chain_of("- doubling")
    ingest = ingest_of(chain)
    some = [b'{"level":"a"}', b'{"level":"b"}', b"text", b'{"level":"c"}']
    chunks = ingest.chunks(frame_of(some), RECEIVED_NS, skip_lines=1, skip_events=3)
    assert events_of(chunks) == [
        (b'{"level":"c","number":3}', Flag.JSON),
        (b'{"level":"debug","second":3}', Flag.JSON),
    ]
    assert (ingest.read_events, ingest.skipped) == (4, 4)
    assert ingest.chunks(frame_of(some), RECEIVED_NS, skip_lines=4) == []
    assert chain.added == {"doubling": 2}


def test_events_that_have_become_many_are_cut_into_chunks_that_fit() -> None:
    chain = chain_of("\n".join(["- doubling"] * 5))
    ingest = ingest_of(chain, match="level == 'debug'")
    some = [b'{"level":"info"}'] * 20
    limit = 20 * (len(some[0]) + EVENT_OVERHEAD_BYTES)
    chunks = ingest.chunks(frame_of(some), RECEIVED_NS, chunk_bytes=limit)
    assert events_of(chunks) == slowly(chain_of("\n".join(["- doubling"] * 5)), frame_of(some), AUTO)
    assert len(events_of(chunks)) == 20 * 32
    assert all(chunk.size_bytes - CHUNK_OVERHEAD_BYTES <= limit for chunk in chunks)
    assert 32 <= len(chunks) <= 80
    assert all(chunk.routed is not None for chunk in chunks)


def test_events_that_have_grown_a_little_stay_one_chunk() -> None:
    some = [b'{"level":"info"}'] * 20
    limit = 20 * (len(some[0]) + EVENT_OVERHEAD_BYTES) + CHUNK_OVERHEAD_BYTES
    (chunk,) = ingest_of(chain_of("- set: {more: text}")).chunks(frame_of(some), RECEIVED_NS, chunk_bytes=limit)
    assert chunk.size_bytes > limit


@pytest.mark.parametrize("written_ns", [RECEIVED_NS - 10**9, None, RECEIVED_NS + 1, 0, -5])
def test_when_lines_were_written_is_their_time_unless_a_clock_is_ahead(written_ns: int | None) -> None:
    chain = chain_of("- set: {at: '{time}', written: '{meta.written}'}")
    frame = replace(frame_of([b"text", b'{"ts":"2020-01-01T00:00:00Z"}']), written_ns=written_ns)
    (chunk,) = ingest_of(chain).chunks(frame, RECEIVED_NS)
    believed = written_ns == RECEIVED_NS - 10**9
    second, written = (19, {"written": written_ns}) if believed else (20, {})
    assert [decode_document(payload) for payload in chunk.payloads] == [
        {"message": "text", "at": f"2023-11-14T22:13:{second}Z", **written},
        {"ts": "2020-01-01T00:00:00Z", "at": "2020-01-01T00:00:00Z", **written},
    ]
    assert chunk.received_ns == RECEIVED_NS
    assert chunk.attributes == {**ATTRIBUTES, **written}


@pytest.mark.parametrize("match", ['time < "2023-11-14T22:13:20Z"', 'meta.written < "2023-11-14T22:13:20Z"'])
def test_rules_ask_when_lines_were_written(match: str) -> None:
    """The generated function is given it."""
    ingest = ingest_of(None, match=match)
    for written_ns, unmatched in ((RECEIVED_NS - 1, 0), (None, 1), (RECEIVED_NS - 10**9, 0)):
        (chunk,) = ingest.chunks(replace(frame_of([b"text"]), written_ns=written_ns), RECEIVED_NS)
        assert chunk.routed is not None
        assert chunk.routed.unmatched() == unmatched


def test_a_frame_that_is_cut_was_written_at_once() -> None:
    frame = replace(frame_of([b"x" * 50] * 3), written_ns=7)
    assert [piece.written_ns for piece in frame.cut(120)] == [7, 7, 7]
