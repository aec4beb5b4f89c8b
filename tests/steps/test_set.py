from __future__ import annotations

import pytest

from logrouter.steps._paths import PathError


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("set: {a: 1}", {}, {"a": 1}),
        (
            "set: {a: null, b: false, c: 1.5, d: [], e: {}}",
            {"a": 1},
            {"a": None, "b": False, "c": 1.5, "d": [], "e": {}},
        ),
        ("set: {a: '{b} and {{b}}'}", {"b": True}, {"b": True, "a": "true and {b}"}),
        ("set: {a: '{b}'}", {"b": {"c": [1]}}, {"b": {"c": [1]}, "a": {"c": [1]}}),
        ("set: {a: '{b}'}", {"a": 1}, {"a": 1}),  # nothing there to copy
        ("set: {a: 'x{b}'}", {}, {"a": "xunknown"}),
        ("set: {a: '{b.c}'}", {"b.c": None}, {"b.c": None, "a": None}),
        ("set: {a: '{meta.stream}', b: '{meta.partial}'}", {}, {"a": "stdin"}),
        ("set: {a: '{service.name}'}", {}, {"a": "checkout"}),
        ("set: {a: '{service.name}'}", {"service": {"name": 7}}, {"service": {"name": 7}, "a": 7}),
        ("set: {a: '{severity}'}", {"level": "WARN"}, {"level": "WARN", "a": "warning"}),
        ("set: {a: '{date}'}", {}, {"a": "2023-11-14"}),
        ("set: {a: ['{b}', '{c}', {d: '{c}', e: '{b}'}]}", {"b": 1}, {"b": 1, "a": [1, None, {"e": 1}]}),
        ("set: {a: '{b}', b: '{a}'}", {"a": 1, "b": 2}, {"a": 2, "b": 1}),  # from the event as it was
        ("set: {a: 1, b: '{a}'}", {"a": 0}, {"a": 1, "b": 0}),
        ("set: {http.status: 5}", {"http.status": 1, "http": {"status": 2}}, {"http.status": 5, "http": {"status": 2}}),
        ("set: {http.status: 5}", {"http": {"status": 2, "x": 1}}, {"http": {"status": 5, "x": 1}}),
        ("set: {http.status: 5}", {}, {"http": {"status": 5}}),
        ("set: {a.b.c: 5}", {"a.b": {}}, {"a.b": {"c": 5}}),
        ("set: {a.b.c: 5, a.b.d: 6}", {}, {"a": {"b": {"c": 5, "d": 6}}}),
        ("set: {'event[\"a.b\"]': 1}", {"a": {}}, {"a": {}, "a.b": 1}),
        (
            "set: {'event[\"when\"]': 1, '@timestamp': 2, user-agent: 3}",
            {},
            {"when": 1, "@timestamp": 2, "user-agent": 3},
        ),
        ("set: {time: 1}", {}, {"time": 1}),
    ],
)
def test_set(change, step, before, after):
    assert change(step, before) == after


def test_it_keeps_the_order_of_keys(change):
    assert list(change("set: {b: 1, z: 2}", {"a": 0, "b": 0, "c": 0})) == ["a", "b", "c", "z"]


@pytest.mark.parametrize("blocked", [{"http": "GET"}, {"http": None}, {"http": [1]}])
def test_what_is_no_object_stands_in_the_way(change, blocked):
    with pytest.raises(PathError, match=r"http\.status cannot be set: http is no object"):
        change("set: {http.status: 5}", blocked)


@pytest.mark.parametrize("value", ["[1]", "{x: [1]}", "'{list}'", "['{list}']", "{x: '{list}'}"])
def test_events_share_nothing(chain, facts, value):
    ((step),) = chain(f"- set: {{a: {value}}}").steps
    source = {"list": [1]}
    documents = [dict(source), dict(source)]
    for document in documents:
        step.apply(document, facts)
    first, second = (document["a"] for document in documents)
    assert first == second
    while isinstance(first, dict | list):
        assert first is not second
        assert first is not source["list"]
        first, second = ((one["x"] if isinstance(one, dict) else one[0]) for one in (first, second))


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("set: {meta.stream: x}", "meta.stream cannot be set: it is no field of the event"),
        ("set: {resource.x: x}", "resource.x cannot be set: it is no field of the event"),
        ("set: {severity: x}", "severity cannot be set: it is read from the event's level"),
        ("set: {a: 1, a.b: 2}", "a.b is inside a, and both are written"),
        ("set: {a.b: 1, 'event[\"a.b\"]': 2}", "a.b is written twice"),
        ("set: {}", "expected at least one field to set"),
        ("set: {'a b': 1}", "expected a field such as http.status"),
        ("set: {a: '{b'}", "{"),
    ],
)
def test_mistakes(mistake, step, problem):
    assert problem in mistake(step)
