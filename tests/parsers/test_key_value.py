"""Separators and quotation marks of one's own. What it shares with logfmt is tested there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers.key_value import KeyValue, KeyValueConfig


def parsed(line: str, **config: Any) -> Any:
    """The fields of a line, or None. The same whether it comes alone or twice."""
    parser, raw = KeyValue(KeyValueConfig(**config)), line.encode()
    made = parser.parse(raw, 0)
    assert list(parser.parse_all([raw, raw], raw + b"\n" + raw, 0)) == [made, made]
    return made and json.loads(made)


COMMAS = {"field_separator": ",", "value_separator": ":"}


@pytest.mark.parametrize(
    ("line", "config", "fields"),
    [
        ("a=1 b='x y' c=\"it's\"", {}, {"a": "1", "b": "x y", "c": "it's"}),
        ("a: 1, b: x y , c:", COMMAS, {"a": "1", "b": "x y", "c": ""}),
        ("a:1,b:10:00:00", COMMAS, {"a": "1", "b": "10:00:00"}),
        ("a : '1, 2' , b:3,", COMMAS, {"a": "1, 2", "b": "3"}),
        (r"a:'it\'s'", COMMAS, {"a": "it's"}),
        ('a:"x", b:it\'s', COMMAS, {"a": "x", "b": "it's"}),
        ("a b: 1", COMMAS, {"a b": "1"}),
        ("a='1'|b=\"2\"", {"field_separator": "|", "quotes": ""}, {"a": "'1'", "b": '"2"'}),
        ("a=1\tb=x y", {"field_separator": "\t"}, {"a": "1", "b": "x y"}),
        ('a=1\tb="x\ty"', {"field_separator": "\t"}, {"a": "1", "b": "x\ty"}),
        ("a, b: 1", COMMAS | {"bare_keys": True}, {"a": True, "b": "1"}),
        ("a, b: 1", COMMAS, None),
        ("a: 'x' y", COMMAS, None),
        ("a:1,,b:2", COMMAS, None),
        ("hello", {}, None),
    ],
)
def test_lines(line: str, config: dict[str, Any], fields: Any) -> None:
    assert parsed(line, **config) == fields


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"field_separator": ""}, "field_separator: expected one ASCII character, not ''"),
        ({"value_separator": "=>"}, "value_separator: expected one ASCII character, not '=>'"),
        ({"value_separator": "\n"}, "value_separator: expected one ASCII character"),
        ({"value_separator": " "}, "expected separators and quotes to be different characters of ASCII"),
        ({"quotes": "=''"}, "expected separators and quotes to be different characters of ASCII"),
        ({"quotes": "«»"}, "expected separators and quotes to be different characters of ASCII"),
    ],
)
def test_what_cannot_be_told_apart_is_a_mistake(config: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        KeyValue(KeyValueConfig(**config))


@given(
    st.lists(st.text(st.sampled_from("ab:,' \"\\|é1\t"), max_size=16), min_size=1, max_size=8),
    st.sampled_from([{}, COMMAS, {**COMMAS, "bare_keys": True}, {"field_separator": "|", "value_separator": ":"}]),
)
@settings(deadline=None)
def test_the_quick_way_is_the_careful_one(lines: list[str], config: dict[str, Any]) -> None:
    parser = KeyValue(KeyValueConfig(**config, types={"a": "int"}))
    raw = [line.encode() for line in lines]
    assert list(parser.parse_all(raw, b"\n".join(raw), 0)) == [parser.parse(line, 0) for line in raw]
