"""A field that is parsed again: where what is found is put, and what becomes of what no parser takes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.documents import Document, encode_document
from logrouter.event import Flag
from logrouter.parsers.logfmt import Logfmt, LogfmtConfig
from logrouter.parsing import Parse
from logrouter.steps import Incomplete
from logrouter.steps._paths import PathError
from logrouter.steps.parse import ParseConfig, ParseStep
from tests.steps.conftest import FACTS

line_texts = st.sampled_from(['{"a":1}', "level=info a=2", "plain", "", "a=1\nb=2", '{"a":', "é=ü", 'a="b'])


@pytest.mark.parametrize(
    ("yaml", "document", "expected"),
    [
        ("{with: json}", {"message": '{"a":1}', "b": 2}, {"b": 2, "a": 1}),
        ("{with: json}", {"message": '{"b":1,"message":"x"}', "b": 2}, {"b": 1, "message": "x"}),
        ("{with: json, keep: true}", {"message": '{"a":1}'}, {"message": '{"a":1}', "a": 1}),
        ("{with: json, field: a.b}", {"a": {"b": '{"c":1}', "d": 2}}, {"a": {"d": 2}, "c": 1}),
        ("{with: json, into: a.b}", {"message": '{"c":1}', "a": {"x": 0}}, {"a": {"x": 0, "b": {"c": 1}}}),
        ("{with: json, into: message}", {"message": '{"c":1}'}, {"message": {"c": 1}}),
        ("{with: json, prefix: p.}", {"message": '{"c":{"d":1}}'}, {"p.c": {"d": 1}}),
        ("{with: [json, logfmt]}", {"message": "a=1 b=x"}, {"a": "1", "b": "x"}),
        ("{with: [{regex: '(?P<n>\\d+)'}, logfmt]}", {"message": "no 7"}, {"n": "7"}),
        ("{with: json}", {"message": '{\n  "a": 1\n}'}, {"a": 1}),
        ("{with: json}", {"message": '{"a":18446744073709551616}'}, {"a": 2**64}),
    ],
)
def test_what_is_found(change: Any, yaml: str, document: Document, expected: Document) -> None:
    assert encode_document(change(f"parse: {yaml}", document)) == encode_document(expected)


@pytest.mark.parametrize("document", [{}, {"message": {"a": 1}}, {"message": 7}, {"message": None}, {"a": "{}"}])
def test_what_is_no_text_is_left_alone(change: Any, document: Document) -> None:
    assert change("parse: {with: json}", document) == document


@pytest.mark.parametrize("text", ["plain", "", "[1]", '{"a":', '{"a":NaN}', "null", "\ufffd", "[" * 5000])
def test_what_no_parser_takes_is_marked_and_counted_and_stays(chain: Any, text: str) -> None:
    payload = encode_document({"message": text, "a": 1})
    steps = chain("- parse: {with: json}\n- set: {b: 2}")
    after = payload[:-1] + b',"b":2}'
    assert steps.apply(payload, Flag.JSON, FACTS) == [(after, Flag.JSON | Flag.STEP_FAILED)]
    assert steps.failed == {"parse": 1}
    quiet = chain("- parse: {with: json, on_error: keep}\n- set: {b: 2}")
    assert quiet.apply(payload, Flag.JSON, FACTS) == [(after, Flag.JSON)]
    assert quiet.failed == {}


def test_auto_takes_what_it_recognises_and_expects_nothing(chain: Any) -> None:
    steps = chain("- parse: {with: auto}")
    assert steps.apply(b'{"message":"level=info x=1"}', Flag.JSON, FACTS) == [(b'{"level":"info","x":"1"}', Flag.JSON)]
    assert steps.apply(b'{"message":"plain"}', Flag.JSON, FACTS) == [(b'{"message":"plain"}', Flag.JSON)]
    marking = chain("- parse: {with: auto, on_error: mark}")
    assert marking.apply(b'{"message":"x"}', Flag.JSON, FACTS) == [(b'{"message":"x"}', Flag.JSON | Flag.STEP_FAILED)]


@given(st.lists(st.dictionaries(st.sampled_from(["message", "b", "c"]), line_texts, max_size=3), max_size=6))
def test_several_are_parsed_as_each_of_them(documents: list[Document]) -> None:
    json_or_logfmt = Parse("x", reads_json=True, marks=True, parsers=[Logfmt(LogfmtConfig())])
    step = ParseStep(ParseConfig(parsers=json_or_logfmt, into="b.found"))
    together = copy.deepcopy(documents)
    failed = set(map(id, step.apply_all(together, FACTS)))
    for document, changed in zip(documents, together, strict=True):
        try:
            step.apply(document, FACTS)
        except (Incomplete, PathError):
            assert id(changed) in failed
        else:
            assert id(changed) not in failed
            assert changed == document


def test_a_line_of_text_can_be_parsed_too(chain: Any) -> None:
    steps = chain("- parse: {with: logfmt}\n  when: startswith(message, 'level=')")
    assert steps.apply(b"level=info x=1", 0, FACTS) == [(b'{"level":"info","x":"1"}', Flag.JSON)]
    assert steps.apply(b"plain", 0, FACTS) == [(b"plain", 0)]
    assert chain("- parse: {with: json}").apply(b"plain", 0, FACTS) == [(b"plain", Flag.STEP_FAILED)]


def test_where_something_stands_in_the_way_the_event_stays_as_it_was(chain: Any) -> None:
    payload = b'{"message":"a=1","b":"text"}'
    steps = chain("- parse: {with: logfmt, into: b.c}")
    assert steps.apply(payload, Flag.JSON, FACTS) == [(payload, Flag.JSON | Flag.STEP_FAILED)]


def test_the_year_of_a_time_without_one_is_told_by_when_it_was_received(change: Any) -> None:
    made = change(
        "parse: {with: {regex: {pattern: '(?P<time>.*)', time_format: '%b %d %T'}}}", {"message": "Nov 1 10:00:00"}
    )
    assert made == {"time": "2023-11-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("parse: {}", "with"),
        ("parse: {with: jsn}", "unknown parser 'jsn'"),
        ("parse: {with: none}", "expected a parser, not none"),
        ("parse: {with: json, into: severity}", "severity cannot be set"),
        ("parse: {with: json, field: meta.file}", "no field of the event"),
        ("parse: {with: {regex: '('}}", "regular expression is wrong"),
        ("parse: {with: json, on_error: drop}", "mark or keep"),
    ],
)
def test_what_is_wrong_is_said(mistake: Any, yaml: str, problem: str) -> None:
    assert problem in mistake(yaml)
