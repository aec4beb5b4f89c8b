"""Events of one shape, changed at once: as each of them alone, read whole, through the same steps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from logrouter.chain import Chain, NamedStep
from logrouter.chain.shapes import Shape, Shapes
from logrouter.documents import decode_document, encode_document
from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.projection import recognise_line
from tests.steps.conftest import steps_from
from tests.strategies import documents, hostile_lines, json_lines, tens

FACTS = Facts({}, 0, {})
CHANGE = "- set: {env: prod}\n- rename: {message: text}\n- remove: [id]\n- redact: {fields: [email]}"
STEPS = (
    CHANGE,
    "- set: {a: 1, x: null}",
    "- set: {x: 10000000000000000000000, level: 'é\"'}",
    "- set: {x: 1}\n- rename: {x: a, b: y}",
    "- rename: {a: b, c: level}",
    "- rename: {level: a}\n- set: {level: info}",
    "- rename: {missing: found}\n- remove: [missing]",
    "- remove: [level, message, a, b, c]",
    "- remove: [a]\n- set: {a: 1}",
    "- keep_only: [level, a, http]",
    "- keep_only: [http, level]\n- set: {n: 1.5}",
    "- redact: {fields: [message, level]}",
)
PLAIN = b'{"time":"12:00","level":"info","message":"caf\xc3\xa9 \\"x\\"","http":{"status":2e2},"id":7,"email":"a@b"}'
CHANGED = (
    b'{"time":"12:00","level":"info","http":{"status":2e2},"email":"[redacted]","env":"prod",'
    b'"text":"caf\xc3\xa9 \\"x\\""}'
)
ODD = (
    b'{"level":"info","time":"12:00","message":"m","http":{},"id":7,"email":"a@b"}',
    b'{"time":"12:00","level":"info","message":"m","http":{},"id":7}',
    b'{"time":"12:00","level":"info","message":"m","http":{},"id":7,"email":"a@b","more":1}',
    b'{"time":"12:00","level":"info","message":"m","http":{},"id":7,"email":"a@b","env":"test"}',
    b'{"time":"12:00","level":"info","message":"m","http":{},"id":7,"email":"a@b","env":null,"text":0}',
    b'{"time":"12:00","level":"info","message":"m","http":{},"id":7,"email":"a@b","id":8}',
    b'{"time":"12:00","level":"info","message":"m","http":{},"id":7,"\\u0065mail":"a@b"}',
    b'{"time":"12:00","level":"info","message":"m","http":{},"id":7,"email":"a@b","\\u0065mail":"c@d"}',
    b'{"time": "12:00", "level": "info", "message": "m", "http": {}, "id": 7, "email": "a@b"}',
    b' {"time":"12:00","level":"info","message":"m","http":{},"id":7,"email":"a@b"}\t',
    b"{}",
)
"""Objects that are not of the shape of `PLAIN`, though some have the same keys."""


def named(yaml: str) -> list[NamedStep]:
    return [NamedStep(name, step) for name, step in steps_from(yaml)]


def by_shape(shapes: Shapes, payloads: list[bytes]) -> list[bytes | None]:
    """What becomes of events by the shape that they seem to have."""
    shape = shapes.of(payloads)
    return shape.changed(payloads) if shape else [None] * len(payloads)


def slowly(yaml: str, payloads: list[bytes]) -> list[bytes]:
    """Each alone. JSON is written in one way, as values that no step looks at stay as they came otherwise."""
    chain = Chain(steps_from(yaml))
    return [told(payload) for line in payloads for payload, _ in chain.apply(line, Flag.JSON, FACTS)]


def told(payload: bytes) -> bytes:
    return encode_document(decode_document(payload))


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Some copies of an event, and others among them."""
    lines = [encode_document(draw(documents))] * 40
    odd = draw(st.lists((json_lines | hostile_lines | st.sampled_from(ODD)).filter(is_read), max_size=6))
    for line in odd:
        lines.insert(draw(st.integers(0, len(lines))), line)
    return lines


def is_read(line: bytes) -> bool:
    """Whether it is an event that can be read whole."""
    try:
        decode_document(line)
    except (ValueError, RecursionError):
        return False
    return recognise_line(line) == Flag.JSON


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(alike(), st.sampled_from(STEPS))
def test_many_are_changed_as_each_of_them(payloads: list[bytes], yaml: str) -> None:
    chain = Chain(steps_from(yaml))
    changed = chain.change_all(payloads, FACTS)
    assert [told(one) for one in changed if one is not None] == slowly(yaml, payloads)
    assert None not in changed
    left = by_shape(Shapes(named(yaml)), payloads).count(None)
    event(tens("by shape", len(payloads) - left, len(payloads)))


def test_values_leave_as_they_came() -> None:
    assert by_shape(Shapes(named(CHANGE)), [PLAIN] * 32) == [CHANGED] * 32


@pytest.mark.parametrize("odd", ODD)
def test_what_is_not_of_the_shape_does_not_keep_the_others_from_being_changed(odd: bytes) -> None:
    payloads = [*[PLAIN] * 30, odd, *[PLAIN] * 30]
    assert by_shape(Shapes(named(CHANGE)), payloads)[30] is None
    changed = Chain(steps_from(CHANGE)).change_all(payloads, FACTS)
    assert [told(one) for one in changed if one is not None] == slowly(CHANGE, payloads)


@pytest.mark.parametrize("payloads", [[PLAIN] * 31, [PLAIN, *[ODD[1]] * 40], [ODD[8]] * 40, [b"{"] * 40, [b"[]"] * 40])
def test_where_events_are_few_or_seem_to_differ_none_is_tried(payloads: list[bytes]) -> None:
    shapes = Shapes(named(CHANGE))
    assert by_shape(shapes, payloads) == [None] * len(payloads)
    assert not shapes.known


@pytest.mark.parametrize(
    ("keys", "yaml"),
    [
        (["a", "b"], "- remove: [a]\n- set: {a: 1}"),  # at the end now
        (["a", "b"], "- keep_only: [b, a]"),
        (["a", 'quo"ted'], "- set: {x: 1}"),  # which no Struct can have
    ],
)
def test_what_cannot_be_moved_in_place_has_no_shape(keys: list[str], yaml: str) -> None:
    line = encode_document(dict.fromkeys(keys, 1))
    with pytest.raises(ValueError, match=r"behind others|Renamed field"):
        Shape(keys, named(yaml))
    assert by_shape(Shapes(named(yaml)), [line] * 40) == [None] * 40
    assert Chain(steps_from(yaml)).change_all([line] * 40, FACTS) == slowly(yaml, [line] * 40)


@pytest.mark.parametrize("odd", [ODD[0], ODD[1]])  # the one spoils all, of the other so many are too many
def test_a_shape_that_many_events_only_seem_to_have_is_given_up(odd: bytes) -> None:
    shapes = Shapes(named(CHANGE))
    payloads = [PLAIN, *[odd] * 31, PLAIN]
    for _ in range(10):
        by_shape(shapes, payloads)
    assert by_shape(shapes, [PLAIN] * 40) == [None] * 40


def test_so_many_shapes_are_remembered() -> None:
    shapes = Shapes(named("- set: {x: 1}"))
    for number in range(70):
        by_shape(shapes, [b'{"a%d":1}' % number] * 40)
    assert len(shapes.known) == 64
    assert by_shape(shapes, [b'{"a0":1}'] * 40) == [b'{"a0":1,"x":1}'] * 40
    assert by_shape(shapes, [b'{"a69":1}'] * 40) == [None] * 40


def test_long_events_have_none() -> None:
    long: list[Any] = [b'{"a":"%b"}' % (b"x" * 9_000)] * 40
    assert by_shape(Shapes(named("- set: {x: 1}")), long) == [None] * 40
