from __future__ import annotations

import pytest
from hypothesis import given, settings

from logrouter.references import MISSING, lookup
from logrouter.steps.remove import Remove, RemoveConfig
from tests.steps.conftest import FACTS
from tests.strategies import documents


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("[a, b]", {"a": 1, "b": None, "c": 3}, {"c": 3}),
        ("[a]", {"b": 1}, {"b": 1}),
        ("[a.b]", {"a.b": 1, "a": {"b": 2, "c": 3}}, {"a": {"c": 3}}),
        ("[a.b]", {"a": 1}, {"a": 1}),
        ("[a.b, a]", {"a": {"b": 1}}, {}),
        ("['event[\"a.b\"]']", {"a.b": 1, "a": {"b": 2}}, {"a": {"b": 2}}),
        ("[time, severity]", {"time": 1, "severity": 2}, {}),
        ("{fields: [a]}", {"a": 1}, {}),
    ],
)
def test_remove(change, step, before, after):
    assert change(f"remove: {step}", before) == after


@settings(deadline=None, max_examples=20)
@given(documents)
def test_afterwards_there_is_no_such_field(document):
    Remove(RemoveConfig(fields=("a.b", "http.status"))).apply(document, FACTS)
    assert lookup(document, ("a", "b")) is MISSING
    assert lookup(document, ("http", "status")) is MISSING


def test_mistakes(mistake):
    assert "meta.stream cannot be removed" in mistake("remove: [meta.stream]")
    assert "expected at least one field to remove" in mistake("remove: []")
