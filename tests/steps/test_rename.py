from __future__ import annotations

import pytest

from logrouter.steps._paths import PathError


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("{a: b}", {"a": [1]}, {"b": [1]}),
        ("{a: b}", {"b": 1}, {"b": 1}),
        ("{a: b}", {"a": None, "b": 1}, {"b": None}),
        ("{a: b, b: a}", {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ("{a: b, b: a}", {"a": 1}, {"b": 1}),
        ("{a: b, b: c}", {"a": 1, "b": 2}, {"b": 1, "c": 2}),
        ("{a: b, b: c}", {"b": 2}, {"c": 2}),
        ("{a: a}", {"a": 1}, {"a": 1}),
        ("{a.b: c}", {"a.b": 1, "a": {"b": 2}}, {"a": {"b": 2}, "c": 1}),
        ("{a.b: c}", {"a": {"b": 2}}, {"a": {}, "c": 2}),
        ("{a: a.b}", {"a": 1}, {"a": {"b": 1}}),
        ("{a.b: a}", {"a": {"b": 1, "c": 2}}, {"a": 1}),
        ("{a: x, a.b: y}", {"a": {"b": 1, "c": 2}}, {"x": {"c": 2}, "y": 1}),
        ("{a: http.status}", {"a": 1, "http": {"x": 0}}, {"http": {"x": 0, "status": 1}}),
        ("{a: http.status}", {"a": 1, "http.status": 0}, {"http.status": 1}),
        ("{'@timestamp': time, lvl: severity}", {"@timestamp": 1, "lvl": 2}, {"time": 1, "severity": 2}),
    ],
)
def test_rename(change, step, before, after):
    assert change(f"rename: {step}", before) == after


def test_what_is_no_object_stands_in_the_way(change):
    with pytest.raises(PathError, match=r"b\.c cannot be set: b is no object"):
        change("rename: {a: b.c}", {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("rename: {meta.stream: x}", "meta.stream cannot be renamed"),
        ("rename: {x: meta.stream}", "meta.stream cannot be set"),
        ("rename: {a: x, b: x}", "x is written twice"),
        ("rename: {a: x, b: x.y}", "x.y is inside x, and both are written"),
        ("rename: {}", "expected at least one field to rename"),
    ],
)
def test_mistakes(mistake, step, problem):
    assert problem in mistake(step)
