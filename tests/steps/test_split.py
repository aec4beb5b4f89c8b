"""Lists that become events: what is copied, what is merged, and what is too much."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.documents import encode_document
from logrouter.event import Flag
from logrouter.steps.split import LARGEST_BYTES, Split, SplitConfig
from tests.steps.conftest import FACTS
from tests.strategies import documents, values


@pytest.mark.parametrize(
    ("yaml", "document", "expected"),
    [
        ("split: a", {"a": [1, "x", None, [2]], "b": 0}, [{"a": each, "b": 0} for each in (1, "x", None, [2])]),
        ("split: a", {"a": [1]}, [{"a": 1}]),
        ("split: a.b", {"a": {"b": [1, 2], "c": 3}}, [{"a": {"b": 1, "c": 3}}, {"a": {"b": 2, "c": 3}}]),
        ("split: a.b", {"a.b": [1, 2], "a": {"b": [3]}}, [{"a.b": n, "a": {"b": [3]}} for n in (1, 2)]),
        ("split: 'event[\"a.b\"]'", {"a.b": [1, 2]}, [{"a.b": 1}, {"a.b": 2}]),
        ("split: {field: a, merge: true}", {"a": [{"b": 1}, 2], "b": 0}, [{"b": 1}, {"a": 2, "b": 0}]),
        ("split: {field: a, merge: true}", {"a": [{"a": 1}, {}]}, [{"a": 1}, {}]),
        ("split: {field: a.b, merge: true}", {"a": {"b": [{"c": 1}]}}, [{"a": {}, "c": 1}]),
        ("split: {field: a, number: n.at}", {"a": [1, 2]}, [{"a": 1, "n": {"at": 0}}, {"a": 2, "n": {"at": 1}}]),
    ],
)
def test_what_it_makes(change: Any, yaml: str, document: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    assert change(yaml, document) == expected


@pytest.mark.parametrize("document", [{}, {"b": [1]}, {"a": []}, {"a": {"b": [1]}}, {"a": "[1]"}, {"a": None}])
def test_what_is_no_list_of_some_is_left_alone(change: Any, document: dict[str, Any]) -> None:
    assert change("split: a", document) == document


@given(documents, st.lists(values, min_size=1, max_size=4))
def test_all_else_is_copied_and_nothing_shared(document: dict[str, Any], elements: list[Any]) -> None:
    before = copy.deepcopy(document | {"list": elements})
    made = Split(SplitConfig(field="list")).apply(copy.deepcopy(before), FACTS)
    assert isinstance(made, list)
    for event, element in zip(made, before["list"], strict=True):
        assert encode_document(event) == encode_document(before | {"list": element})
        event.clear()


def test_changing_one_of_them_changes_no_other(chain: Any) -> None:
    steps = chain("- split: a\n- set: {nested.x: '{a}'}")
    made = steps.apply(b'{"a":[1,2],"nested":{"y":[]}}', Flag.JSON, FACTS)
    assert [payload for payload, _ in made] == [b'{"a":%d,"nested":{"y":[],"x":%d}}' % (n, n) for n in (1, 2)]


@pytest.mark.parametrize(
    "payload",
    [
        encode_document({"a": [0] * 1001}),
        encode_document({"a": [0] * 5, "rest": "x" * (LARGEST_BYTES // 5)}),
        b'{"a":[0,0,0]}',
    ],
    ids=["more than 1000", "more than 4 MiB", "more than is said"],
)
def test_what_would_be_too_much_passes_whole_and_marked(chain: Any, payload: bytes) -> None:
    steps = chain("- split: {field: a, max_events: 2}" if len(payload) < 20 else "- split: a")
    assert steps.apply(payload, Flag.JSON, FACTS) == [(payload, Flag.JSON | Flag.STEP_FAILED)]
    assert (steps.failed, steps.added) == ({"split": 1}, {})


def test_the_events_that_are_added_are_counted(chain: Any) -> None:
    steps = chain("- split: a")
    for payload in (b'{"a":[1,2,3]}', b'{"a":[1]}', b'{"a":[]}', b"{}"):
        steps.apply(payload, Flag.JSON, FACTS)
    assert (steps.added, steps.discarded) == ({"split": 2}, {})


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("split:", "field"),
        ("split: {field: meta.file}", "no field of the event"),
        ("split: {field: a, number: severity}", "severity cannot be set"),
        ("split: {field: a, max_events: 1}", "expected 2 or more, not 1"),
        ("split: {field: a, into: b}", "into"),
    ],
)
def test_what_is_wrong_is_said(mistake: Any, yaml: str, problem: str) -> None:
    assert problem in mistake(yaml)
