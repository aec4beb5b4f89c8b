from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("[a, b]", {"b": 1, "c": 2, "a": 3}, {"a": 3, "b": 1}),
        ("[a]", {"b": 1}, {}),
        ("[a.b]", {"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}),
        ("[a.b]", {"a.b": 1, "a": {"b": 1}}, {"a.b": 1}),
        ("[a.b]", {"a": 1}, {}),
        ("[a.b, a.c, d]", {"a": {"b": 1, "c": 2, "x": 3}, "d": 4}, {"a": {"b": 1, "c": 2}, "d": 4}),
        ("[a, a.b]", {"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 2}}),
        ("[a.b, a]", {"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 2}}),
        ("[a.b.c, a.b]", {"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 1, "d": 2}}}),
        ("[time, severity]", {"time": 1, "severity": 2, "level": 3}, {"time": 1, "severity": 2}),
    ],
)
def test_keep_only(change, step, before, after):
    assert change(f"keep_only: {step}", before) == after


def test_the_order_is_that_of_the_list(change):
    assert list(change("keep_only: [b, a]", {"a": 1, "b": 2})) == ["b", "a"]


def test_mistakes(mistake):
    assert "meta.stream cannot be kept" in mistake("keep_only: [meta.stream]")
    assert "expected at least one field to keep" in mistake("keep_only: []")
