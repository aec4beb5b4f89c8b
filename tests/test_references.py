"""Looking fields up: literal dotted keys first, then nested; and a reference is written as it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.event import Flag
from logrouter.facts import Facts, resolve
from logrouter.references import (
    MISSING,
    OPAQUE,
    Field,
    Meta,
    Reference,
    Resource,
    Severity,
    Time,
    lookup,
    parent_and_key,
)
from logrouter.rules import parse_reference
from tests.strategies import FIELD_NAMES, documents

paths = st.sampled_from(FIELD_NAMES).map(lambda name: tuple(name.split("."))) | st.lists(
    st.sampled_from(["a", "b", "c", "http", "status", "level"]), min_size=1, max_size=4
).map(tuple)


@pytest.mark.parametrize(
    ("document", "path", "value"),
    [
        ({"a": 1}, "a", 1),
        ({"a": None}, "a", None),
        ({"a": {"b": 2}}, "a.b", 2),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", 1),
        ({"a.b": {"c": 1}, "a": {"b.c": 2}}, "a.b.c", 1),
        ({"a.b": {"x": 1}, "a": {"b.c": 2}}, "a.b.c", 2),
        ({"a.b": "text", "a": {"b": {"c": 3}}}, "a.b.c", 3),
        ({"a.b": None, "a": {"b": 2}}, "a.b", None),
        ({"a": {"b.c": 1, "b": {"c": 2}}}, "a.b.c", 1),
        ({"a.b.c": 0, "a.b": {"c": 1}}, "a.b.c", 0),
        ({"a": {"b": {"c": {"d": [1]}}}}, "a.b.c.d", [1]),
        ({"a": [{"b": 1}]}, "a.b", MISSING),
        ({"a": "b"}, "a.b", MISSING),
        ({"a": {}}, "a.b", MISSING),
        ({}, "a", MISSING),
        ({"": 1}, "", 1),
        ({"a": {"": 1}}, "a.", 1),
    ],
)
def test_lookup(document: dict[str, Any], path: str, value: object) -> None:
    assert lookup(document, tuple(path.split("."))) == value


def test_a_name_with_a_dot_that_was_quoted_is_one_name() -> None:
    assert lookup({"a": {"b": 1}}, ("a.b",)) is MISSING
    assert lookup({"a": {"b": 1}, "a.b": 2}, ("a.b",)) == 2


@given(documents, paths)
@settings(deadline=None, max_examples=50)
def test_the_place_is_where_the_value_is_found(document: dict[str, Any], path: tuple[str, ...]) -> None:
    place = parent_and_key(document, path)
    value = lookup(document, path)

    if place is None:
        assert value is MISSING
    else:
        parent, key = place
        assert parent[key] is value


@given(documents, paths)
@settings(deadline=None, max_examples=50)
def test_what_was_written_at_its_place_is_found_again(document: dict[str, Any], path: tuple[str, ...]) -> None:
    place = parent_and_key(document, path)
    if place is not None:
        parent, key = place
        parent[key] = mark = object()
        assert lookup(document, path) is mark


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (Field(("level",)), "level"),
        (Field(("http", "status")), "http.status"),
        (Field(("log.level",)), 'event["log.level"]'),
        (Field(("odd name",)), 'event["odd name"]'),
        (Field(("odd-name",)), "odd-name"),
        (Field(("-",)), 'event["-"]'),
        (Field(('a"b\\c',)), 'event["a\\"b\\\\c"]'),
        (Field(("a", "1")), 'event["a"]["1"]'),
        (Field(("severity",)), 'event["severity"]'),
        (Field(("time",)), 'event["time"]'),
        (Field(("meta", "stream")), 'event["meta"]["stream"]'),
        (Field(("event", "action")), 'event["event"]["action"]'),
        (Meta("stream"), "meta.stream"),
        (Resource("service.name"), 'resource["service.name"]'),
        (Resource('a"b'), 'resource["a\\"b"]'),
        (Severity(), "severity"),
        (Time(), "time"),
    ],
)
def test_how_a_reference_is_written(reference: Reference, text: str) -> None:
    assert str(reference) == text


@given(
    st.one_of(
        st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=6).map(lambda name: Field((name,))),
        paths.map(Field),
        st.sampled_from(["service.name", "host"]).map(Resource),
        st.sampled_from(["stream", "source", "partial"]).map(Meta),
        st.sampled_from([Severity(), Time()]),
    )
)
@settings(deadline=None, max_examples=50)
def test_what_is_written_is_read_as_the_same(reference: Reference) -> None:
    assert parse_reference(str(reference)) == reference


def test_references_of_different_kinds_are_not_equal() -> None:
    same_name = {Field(("x",)), Meta("x"), Resource("x"), Severity(), Time()}

    assert len(same_name) == 5
    assert len({hash(reference) for reference in same_name}) >= 3


FACTS = Facts({"source": "app", "stream": "stderr"}, 1_700_000_000_000_000_000, {"service.name": "shop"})
DOCUMENT = json.loads('{"level":"warn","time":"2026-11-23T10:00:00Z","http":{"status":500},"list":[1]}')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("level", "warn"),
        ("http", OPAQUE),
        ("http.status", 500),
        ("list", [1]),
        ("none", MISSING),
        ("meta.stream", "stderr"),
        ("meta.received", 1_700_000_000_000_000_000),
        ("meta.partial", MISSING),
        ('resource["service.name"]', "shop"),
        ('resource["none"]', MISSING),
        ("severity", 13),
        ("time", 1_795_428_000_000_000_000),
    ],
)
def test_resolve(text: str, value: object) -> None:
    assert resolve(parse_reference(text), DOCUMENT, FACTS) == value


@pytest.mark.parametrize(
    ("flags", "name", "value"),
    [
        (Flag.PARTIAL_START, "partial", "start"),
        (Flag.PARTIAL_MIDDLE, "partial", "middle"),
        (Flag.PARTIAL_END | Flag.INVALID_UTF8, "partial", "end"),
        (Flag.PARTIAL_END | Flag.INVALID_UTF8, "invalid_utf8", True),
        (Flag.PARSE_ERROR, "parse_error", True),
        (Flag.JSON | Flag.STEP_FAILED, "step_failed", True),
        (Flag.JSON | Flag.NOTICE, "notice", True),
        (Flag.JSON, "notice", MISSING),
    ],
)
def test_flags_are_attributes(flags: int, name: str, value: object) -> None:
    facts = Facts(FACTS.attributes, FACTS.received_ns, FACTS.resource, flags)

    assert resolve(Meta(name), {}, facts) == value
    assert resolve(Meta("stream"), {}, facts) == "stderr"
