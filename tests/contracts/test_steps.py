"""What every step keeps to. A new step is tested by existing; EXAMPLE_OPTIONS tells how it may be configured."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import component, parsing, reference
from logrouter.chain import Chain
from logrouter.documents import encode_document
from logrouter.errors import LogrouterError
from logrouter.event import ATTRIBUTES, Flag
from logrouter.facts import Facts
from logrouter.parsers.logfmt import Logfmt, LogfmtConfig
from logrouter.parsing import Parse
from logrouter.rules import Rule
from logrouter.steps import DISCARD, KEEP, Incomplete, Step, StepFailed
from logrouter.values import Rate, Secret, Size
from tests.strategies import documents, lines

NAMES = component.names("steps")
FACTS = Facts({"source": "app", "stream": "stdin"}, 1_700_000_000_000_000_000, {"service.name": "checkout"})

PYTHON = """
def transform(events):
    return [{**event, "a": [event.get("a"), event.get("level")]} for event in events if event.get("level") != "debug"]

def one_by_one(events):
    for event in events:
        event["a"] = event["a"]["b"]
"""

EXAMPLE_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "convert": [
        {"fields": {"a": "int", "http.status": "text", "time": "unix_ms", "ok": "bool"}},
        {"fields": {"a.b": "seconds", "b": "bytes", "c": "float", "message": "time"}, "on_error": "remove"},
        {"fields": {"a": "milliseconds", "time": "time"}, "on_error": "keep", "time_format": "%Y-%m-%d"},
    ],
    "dedupe": [{}, {"by": ("a", "{level}")}, {"ignore": ("level", "a.b"), "max_keys": 1}],
    "discard": [{"when": Rule.parse('level == "debug"')}],
    "flatten": [{}, {"lists": "number", "separator": "_"}, {"fields": ("http", "a.b"), "depth": 1}],
    "hash": [
        {"fields": ("a", "http.status")},
        {"fields": ("a", "b"), "into": "a.b", "key": Secret("x" * 16), "buckets": 7},
    ],
    "keep_only": [{"fields": ("level", "a")}, {"fields": ("a.b", "http.status", "http")}],
    "parse": [
        {"parsers": parsing.JSON},
        {"parsers": Parse("logfmt", reads_json=False, marks=True, parsers=[Logfmt(LogfmtConfig())]), "into": "a.b"},
        {"parsers": parsing.AUTO, "field": "a", "prefix": "b", "keep": True, "on_error": "keep"},
    ],
    "python": [{"code": PYTHON}, {"code": PYTHON, "function": "one_by_one", "on_failure": "withhold"}],
    "redact": [
        {"fields": ("a", "http.status"), "patterns": ("email", "card", "[0-9]+")},
        {"fields": ("a.b",), "patterns": ("e(?P<secret>r+)",), "method": "remove"},
    ],
    "remove": [{"fields": ("a",)}, {"fields": ("a.b", "http.status", "c")}],
    "rename": [
        {"fields": {"a": "b"}},
        {"fields": {"a": "b", "b": "a"}},
        {"fields": {"a.b": "c", "path": "http.status"}},
    ],
    "sample": [{"keep": 0.5}, {"keep": 0.5, "by": "a"}, {"keep": 0.9, "by": "meta.stream", "rate_field": "a.b"}],
    "split": [
        {"field": "a"},
        {"field": "a.b", "merge": True, "number": "c"},
        {"field": "http", "merge": True, "max_events": 2},
    ],
    "set": [{"fields": {"c": 1, "path": "x"}}, {"fields": {"a.b": "{level} {a}", "c": ["{http}", {"x": [None]}]}}],
    "throttle": [{"rate": Rate(2, "m")}, {"rate": Rate(1), "burst": 2, "by": "{a} {level}", "count_field": "a.b"}],
    "truncate": [
        {"fields": ("a", "message"), "size": Size(25)},
        {"characters": 3, "marker": "…", "count": "a.b"},
        {"event": Size(40), "marker": ""},
    ],
}
CONCERNS = {
    "dedupe": set(),
    "discard": set(),
    "flatten": None,
    "hash": {"a", "b", "http", "http.status", "a.b"},
    "parse": None,
    "python": None,
    "redact": None,
    "sample": {"sample_rate", "a", "a.b"},
    "throttle": {"throttled", "a", "a.b"},
    "keep_only": None,
    "split": None,
    "truncate": None,
}
"""The top-level keys that a step may touch, where they are not all that its options name; None: any."""
NOT_APPLICABLE = {"remove", "rename", "redact"}
"""Steps that leave an event equal which has none of the fields that they name."""

every_step = pytest.mark.parametrize("name", NAMES)
every_option = pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, id=f"{name}-{n}")
        for name in NAMES
        for n, options in enumerate(EXAMPLE_OPTIONS[name])
    ],
)
few = settings(deadline=None, max_examples=12)


def make(name: str, options: dict[str, Any]) -> Step[Any]:
    step = component.load("steps", name)
    made: Step[Any] = step(step.Config(**options))
    return made


def outcome(step: Step[Any], document: dict[str, Any]) -> tuple[str | None, str]:
    """What a step makes of a document, to be compared: with kinds told apart, and the order of keys."""
    before, document = document, copy.deepcopy(document)
    try:
        verdict = step.apply(document, FACTS)
    except (ValueError, LogrouterError, Incomplete, StepFailed) as error:
        return "failed", str(error)
    if isinstance(verdict, list):
        return "several", "\n".join(encode_document(event).decode() for event in verdict)
    if verdict is KEEP:
        assert repr(document) == repr(before)
        return None, encode_document(document).decode()
    assert verdict in (None, DISCARD)
    return verdict, encode_document(document).decode()


def left(step: Step[Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """The events that a step makes of one."""
    try:
        verdict = step.apply(document, FACTS)
    except Incomplete:
        return [document]
    if verdict is None or verdict is KEEP:
        return [document]
    return [] if verdict is DISCARD else list(verdict)


@every_step
def test_it_is_documented(name: str) -> None:
    assert (component.load_module("steps", name).__doc__ or "").strip()
    for option in reference.options(component.load("steps", name).Config):
        assert option.text, f"{option.name} has no docstring"


@every_step
def test_what_fails_closed_has_something_to_put_in_the_events_place(name: str) -> None:
    step = component.load("steps", name)
    assert step.placeholder or not step.fails_closed
    assert json.loads(encode_document(step.placeholder)) == step.placeholder


@every_option
def test_what_it_leaves_is_json(name: str, options: dict[str, Any]) -> None:
    step = make(name, options)

    @few
    @given(documents)
    def check(document: dict[str, Any]) -> None:
        verdict, payload = outcome(step, document)
        for line in payload.split("\n") if verdict in (None, "several") else ():
            assert isinstance(json.loads(line), dict)

    check()


@every_option
def test_the_same_events_have_the_same_outcome(name: str, options: dict[str, Any]) -> None:
    @few
    @given(st.lists(documents, max_size=5))
    def check(several: list[dict[str, Any]]) -> None:
        one, other = make(name, options), make(name, options)
        assert [outcome(one, document) for document in several] == [outcome(other, document) for document in several]

    check()


@every_option
def test_only_what_decides_returns_anything(name: str, options: dict[str, Any]) -> None:
    step = make(name, options)

    @few
    @given(documents)
    def check(document: dict[str, Any]) -> None:
        verdict, _ = outcome(step, document)
        assert verdict in (None, "failed") or step.decides
        assert verdict != "several" or step.multiplies

    check()


@every_option
def test_several_are_changed_as_each_of_them(name: str, options: dict[str, Any]) -> None:
    step = make(name, options)
    if step.decides:
        pytest.skip("it is asked of single events")

    @few
    @given(st.lists(documents, max_size=5))
    def check(several: list[dict[str, Any]]) -> None:
        together = copy.deepcopy(several)
        failed = set(map(id, step.apply_all(together, FACTS)))
        for document, changed in zip(several, together, strict=True):
            verdict, payload = outcome(step, document)
            assert (verdict == "failed") is (id(changed) in failed)
            if verdict is None:
                assert encode_document(changed).decode() == payload

    check()


@every_option
def test_it_leaves_other_fields_alone(name: str, options: dict[str, Any]) -> None:
    step = make(name, options)
    concerns = CONCERNS.get(name, _named(options))
    if concerns is None:
        pytest.skip("it may change anything")

    @few
    @given(documents)
    def check(document: dict[str, Any]) -> None:
        verdict, payload = outcome(step, document)
        if verdict is None:
            after = json.loads(payload)
            others = {key: value for key, value in document.items() if key not in concerns}
            assert {key: after.get(key) for key in others} == json.loads(encode_document(others))

    check()


@pytest.mark.parametrize("name", sorted(NOT_APPLICABLE))
def test_an_event_without_the_fields_stays_equal(name: str) -> None:
    document = {"level": "info", "other": {"nested": [1, 2.5, None, {"deep": "text"}]}}
    step = make(name, {"fields": {"a": "b", "x.y": "z"} if name == "rename" else ("a", "x.y")})
    assert outcome(step, document) == (None, encode_document(document).decode())


@every_option
def test_no_two_events_share_what_can_change(name: str, options: dict[str, Any]) -> None:
    step = make(name, options)
    one: dict[str, Any] = {"a": {"b": [1]}, "level": "debug", "http": {"status": 1}}
    other = copy.deepcopy(one)
    several = [event for first in (one, other) for event in left(step, first)]
    for event in several:
        assert not any(_containers(event) & _containers(another) for another in several if another is not event)


@every_option
def test_what_it_tells_by_itself_it_tells_once(name: str, options: dict[str, Any]) -> None:
    @few
    @given(st.lists(documents, max_size=5), st.integers(0, 2))
    def check(several: list[dict[str, Any]], repeats: int) -> None:
        step = make(name, options)
        for document in several * (1 + repeats):
            outcome(step, document)
        told = list(step.overdue(FACTS.received_ns, ending=True))
        assert step.tells or not told
        for document, attributes in told:
            assert isinstance(json.loads(encode_document(document)), dict)
            assert set(attributes) <= set(ATTRIBUTES)
        assert list(step.overdue(FACTS.received_ns, ending=True)) == []

    check()


@every_option
def test_any_line_passes_a_chain_of_it(name: str, options: dict[str, Any]) -> None:
    chain = Chain([(name, make(name, options))])

    @few
    @given(lines)
    def check(line: bytes) -> None:
        try:
            is_json = isinstance(msgspec.json.decode(line), dict)
        except (ValueError, RecursionError):
            is_json = False
        for payload, flags in chain.apply(line, Flag.JSON if is_json else 0, FACTS):
            assert not flags & Flag.JSON or isinstance(json.loads(payload), dict)

    check()


def _named(options: dict[str, Any]) -> set[str]:
    """The top-level keys under which the fields that the options name can be."""
    fields = options.get("fields", ())
    names = [*fields, *fields.values()] if isinstance(fields, dict) else fields
    texts = [name for name in names if isinstance(name, str)]
    return {*texts, *(text.split(".")[0] for text in texts)}


def _containers(value: Any) -> set[int]:
    """The identities of all objects and lists in a value."""
    if isinstance(value, dict):
        return {id(value)}.union(*map(_containers, value.values()))
    if isinstance(value, list):
        return {id(value)}.union(*map(_containers, value))
    return set()
