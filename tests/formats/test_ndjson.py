"""The fast way over arbitrary events against the slow one, which takes each event apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.event import MARKS, Attributes, Flag, flag_attributes
from logrouter.formats.include import Include
from logrouter.formats.ndjson import json_lines
from logrouter.sinks import Slice
from logrouter.testing import slice_of

RESOURCE = {"service.name": 'check"out', "message": "a resource that is called like the message", "päckchen": "\\"}
INCLUDES = [(), ("meta",), ("resource",), ("meta", "resource"), ("meta.host", "service.name"), ("meta.partial",)]
KEYS = [
    "a",
    "meta.host",
    "meta.source",
    "service.name",
    "message",
    "meta.partial",
    "p\u00e4ckchen",
    "",
    '"',
    "{",
    "x.y",
]
BLANK = st.sampled_from(["", " ", "\t", "\r", "  \t", "\r\r"])

scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    scalars | texts | st.sampled_from(["{}", "}", '"}', "\\", "\x7f", "\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def json_payloads(draw: st.DrawFn) -> bytes:
    document = draw(st.dictionaries(st.sampled_from(KEYS) | texts, values, max_size=4))
    text = json.dumps(document, ensure_ascii=draw(st.booleans()), separators=(",", ":"))
    inner, outer = draw(BLANK), draw(BLANK)
    body = "".join(f"\\u{ord(c):04x}" if c == "m" and draw(st.booleans()) else c for c in text[1:-1])
    return ("{" + inner + body + draw(BLANK) + "}" + outer).encode()


text_payloads = st.binary(min_size=1, max_size=20).map(lambda line: line.replace(b"\n", b"\x7f")) | st.sampled_from(
    [b"plain", b'say "hi"', b"C:\\temp\\new", b"\x1b[31mred", b"tab\there", b"\x7f", b"\xff\xfe", "zażółć".encode()]
)
MARKED = [0, 0, 0, 0, Flag.PARTIAL_START, Flag.PARTIAL_MIDDLE, Flag.PARTIAL_END, Flag.PARSE_ERROR, Flag.STEP_FAILED]


ATTRIBUTES: list[Attributes] = [{}, {"host": "h1", "source": "app"}, {"host": '}\n{"', "pod": "p1", "n": 7}]


@st.composite
def slices(draw: st.DrawFn) -> Slice:
    """Runs of the same kind as well as mixed ones; what collides is marked, as routing would."""
    kinds = draw(st.sampled_from(["json", "text", "mixed"]))
    payloads, flags = [], []
    for _ in range(draw(st.integers(0, 6))):
        is_json = kinds == "json" or (kinds == "mixed" and draw(st.booleans()))
        payloads.append(draw(json_payloads() if is_json else text_payloads))
        flags.append(Flag.JSON if is_json else 0)
    for place, mark in enumerate(draw(st.lists(st.sampled_from(MARKED), max_size=len(payloads)))):
        flags[place] |= mark
    attributes: Attributes = draw(st.sampled_from(ATTRIBUTES))
    return slice_of(payloads, flags, attributes=attributes, received_ns=draw(st.integers(0, 10**19)))


def expected(part: Slice, include: Include) -> list[dict[str, Any]]:
    documents = []
    for payload, flags in zip(part.payloads, part.flags, strict=True):
        own = json.loads(payload) if flags & Flag.JSON else {"message": payload.decode("utf-8", "replace")}
        added = include.additions(part, flags)
        defaults = {key: value for key, value in added.items() if not key.startswith("meta.")}
        kept = {key: value for key, value in own.items() if key not in include.reserved}
        documents.append({**defaults, **kept, **{key: added[key] for key in added.keys() - defaults.keys()}})
    return documents


def mark_collisions(part: Slice, include: Include) -> None:
    marks = [
        bool(flags & Flag.JSON) and not set(include.keys).isdisjoint(json.loads(payload))
        for payload, flags in zip(part.payloads, part.flags, strict=True)
    ]
    part.collides = bytes(marks) if any(marks) else None


@given(part=slices(), names=st.sampled_from(INCLUDES))
@settings(deadline=None, max_examples=100)
def test_the_fast_way_says_what_the_slow_way_says(part: Slice, names: tuple[str, ...]) -> None:
    include = Include(names, RESOURCE)
    mark_collisions(part, include)
    block = json_lines(part, include)
    lines = block.split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == expected(part, include)
    for line in lines:
        pairs = json.loads(line, object_pairs_hook=lambda pairs: [key for key, _ in pairs])
        own_keys_are_unique = len(set(pairs)) == len(pairs)
        assert own_keys_are_unique


@given(part=slices())
@settings(deadline=None, max_examples=30)
def test_json_passes_through_as_it_came(part: Slice) -> None:
    lines = json_lines(part, Include()).split(b"\n")
    for payload, flags, line in zip(part.payloads, part.flags, lines, strict=False):
        if flags & Flag.JSON:
            assert line == payload


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (b'{"a":1}', b'{"a":1,"meta.host":"x"}'),
        (b"{}", b'{"meta.host":"x"}'),
        (b"{ }", b'{"meta.host":"x"}'),
        (b"{\t\r }", b'{"meta.host":"x"}'),
        (b'{"a":{}}', b'{"a":{},"meta.host":"x"}'),
        (b'{"a":"{}"}', b'{"a":"{}","meta.host":"x"}'),
        (b'{"a":1 }', b'{"a":1,"meta.host":"x"}'),
        (b'{"a":1}\r', b'{"a":1,"meta.host":"x"}'),
        (b'{"a":1} \t', b'{"a":1,"meta.host":"x"}'),
        (b'{"n":1e400,"i":36893488147419103232}', b'{"n":1e400,"i":36893488147419103232,"meta.host":"x"}'),
        (b"plain", b'{"message":"plain","meta.host":"x"}'),
        (b"\xff", '{"message":"\ufffd","meta.host":"x"}'.encode()),
    ],
)
def test_where_the_included_keys_go(payload: bytes, line: bytes) -> None:
    include = Include(("meta.host",))
    part = slice_of([payload], attributes={"host": "x"})
    assert json_lines(part, include) == line + b"\n"
    beside = slice_of([b'{"b":2}', payload, b"text"], attributes={"host": "x"})
    assert json_lines(beside, include).split(b"\n")[1] == line


def test_an_attribute_replaces_what_the_line_claims_it_to_be() -> None:
    part = slice_of([b'{"meta.host":"mine","n":12345678901234567890123,"x":1e400}'], attributes={"host": "x"})
    part.collides = b"\x01"
    expected = b'{"n":12345678901234567890123,"x":1E+400,"meta.host":"x"}\n'
    assert json_lines(part, Include(("meta.host",))) == expected


@pytest.mark.parametrize("names", [("meta",), ("meta.partial", "meta.received")])
def test_a_line_cannot_claim_a_mark_that_it_does_not_have(names: tuple[str, ...]) -> None:
    part = slice_of([b'{"meta.partial":"start"}'], attributes={}, collides=b"\x01")
    assert json_lines(part, Include(names)) == b'{"meta.received":"1970-01-01T00:00:00Z"}\n'


def test_an_app_that_tells_its_resource_keeps_it() -> None:
    part = slice_of([b'{"service.name":"mine"}'], collides=b"\x01")
    assert json_lines(part, Include(("service.name",), RESOURCE)) == b'{"service.name":"mine"}\n'


def test_an_object_too_deep_to_be_read_is_told_as_text() -> None:
    """Nobody can look for keys in it that logrouter adds."""
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    part = slice_of([deep], [Flag.JSON | Flag.STEP_FAILED], attributes={"host": "x"})
    (line,) = json_lines(part, Include(("meta.step_failed",))).splitlines()
    assert json.loads(line) == {"message": deep.decode(), "meta.step_failed": True}


def test_marks_are_included_event_by_event() -> None:
    part = slice_of([b"a", b"b", b"c"], [Flag.PARTIAL_START, Flag.PARTIAL_END, 0], attributes={})
    assert json_lines(part, Include(("meta.partial",))) == (
        b'{"message":"a","meta.partial":"start"}\n{"message":"b","meta.partial":"end"}\n{"message":"c"}\n'
    )


@pytest.mark.parametrize("names", [(mark,) for mark in MARKS] + [tuple(MARKS), ()])
def test_all_marks_have_their_kind(names: tuple[str, ...]) -> None:
    include = Include([f"meta.{name}" for name in names])
    for flags in range(256):
        assert (include.kinds[flags] == 2) == any(name in flag_attributes(flags) for name in names)
