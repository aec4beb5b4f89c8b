"""Nested objects as fields with long names: which, how deep, in which order, and nothing lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from logrouter.documents import Document, encode_document
from logrouter.event import Flag
from logrouter.steps.flatten import Flatten, FlattenConfig
from tests.steps.conftest import FACTS
from tests.strategies import documents

DEEP = {"a": {"b": {"c": 1}, "d": [{"e": 2}, []]}, "f": {}, "g": [3]}


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("flatten", {"a.b.c": 1, "a.d": [{"e": 2}, []], "f": {}, "g": [3]}),
        ("flatten: {depth: 1}", {"a.b": {"c": 1}, "a.d": [{"e": 2}, []], "f": {}, "g": [3]}),
        ("flatten: {lists: number}", {"a.b.c": 1, "a.d.0.e": 2, "a.d.1": [], "f": {}, "g.0": 3}),
        ("flatten: {lists: number, depth: 2}", {"a.b.c": 1, "a.d.0": {"e": 2}, "a.d.1": [], "f": {}, "g.0": 3}),
        ("flatten: [a.b, g]", {"a": {"b.c": 1, "d": [{"e": 2}, []]}, "f": {}, "g": [3]}),
        ("flatten: {fields: [g, none], lists: number, separator: __}", {**DEEP, "g": ..., "g__0": 3}),
    ],
)
def test_what_is_flattened(change: Any, yaml: str, expected: Document) -> None:
    wanted = {key: value for key, value in expected.items() if value is not ...}
    assert encode_document(change(yaml, DEEP)) == encode_document(wanted)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"a": {"b": 1}, "a.b": 2}, {"a.b#2": 1, "a.b": 2}),
        ({"a": {"b.c": 1, "b": {"c": 2}}}, {"a.b.c": 1, "a.b.c#2": 2}),
        ({"a": {"": 1}, "": {"": {"": 2}}}, {"a.": 1, "..": 2}),
    ],
)
def test_where_two_would_have_one_name_one_gets_a_number(change: Any, document: Document, expected: Document) -> None:
    assert encode_document(change("flatten", document)) == encode_document(expected)


def leaves(value: Any) -> list[str]:
    """All values that hold no others, as texts, sorted."""
    if isinstance(value, dict) and value:
        return sorted(text for item in value.values() for text in leaves(item))
    return [repr(value)]


@given(documents)
def test_no_value_is_lost_and_no_object_is_left(document: Document) -> None:
    before = leaves(document)
    Flatten(FlattenConfig()).apply(document, FACTS)
    assert leaves(document) == before
    assert not any(isinstance(value, dict) and value for value in document.values())


def test_what_would_grow_without_bounds_passes_as_it_is_and_marked(chain: Any) -> None:
    leaf = b'{"' + b'":1,"'.join(b"%d" % n for n in range(9000)) + b'":1}'
    payload = b'{"%s":%s}' % (b"x" * 300, leaf)
    assert chain("- flatten").apply(payload, Flag.JSON, FACTS) == [(payload, Flag.JSON | Flag.STEP_FAILED)]
    nested = b'{"a":' * 90 + b"1" + b"}" * 90
    ((flat, _),) = chain("- flatten").apply(nested, Flag.JSON, FACTS)
    assert flat == b'{"%s":1}' % b".".join([b"a"] * 90)


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("flatten: {depth: 0}", "depth: expected 1 or more, not 0"),
        ("flatten: {separator: ''}", "separator: expected some text"),
        ("flatten: [severity, meta.file]", "no field of the event"),
        ("flatten: {lists: drop}", "keep or number"),
    ],
)
def test_what_is_wrong_is_said(mistake: Any, yaml: str, problem: str) -> None:
    assert problem in mistake(yaml)
