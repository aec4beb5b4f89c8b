"""Expressions of one's own: what they take, what is refused, and what long lines cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from logrouter.parsers.regex import Regex, RegexConfig
from logrouter.rules.patterns import Pattern


def parser(pattern: str, **config: Any) -> Regex:
    return Regex(RegexConfig(pattern=Pattern(pattern), **config))


def parsed(pattern: str, line: str, **config: Any) -> Any:
    made = parser(pattern, **config).parse(line.encode(), 0)
    return made and json.loads(made)


def test_groups_are_fields() -> None:
    assert parsed(r"^(?P<a>\w+) (?P<b>x)?(?P<c>.*)", "one two") == {"a": "one", "c": "two"}
    assert parsed(r"^(?P<a>\w+) (?P<b>x)?(?P<c>.*)", "one") is None
    assert parsed("(?P<a>é)", "café") == {"a": "é"}


def test_types_and_times() -> None:
    pattern = r"^(?P<at>\d+) (?P<n>\S+) (?P<m>.*)"
    options = {"types": {"n": "int", "at": "int"}, "time_key": "at", "time_format": "unix"}
    assert parsed(pattern, "1795428000 7 x", **options) == {"time": "2026-11-23T10:00:00Z", "n": 7, "m": "x"}
    assert parsed(pattern, "99999999999999 x y", **options) == {"at": "99999999999999", "n": "x", "m": "y"}


@pytest.mark.parametrize(("text", "made"), [("t", True), ("F", False), ("Yes", True), ("0", False), ("maybe", "maybe")])
def test_truths(text: str, made: bool | str) -> None:
    assert parsed("(?P<a>.*)", text, types={"a": "bool"}) == {"a": made}


def test_a_long_line_is_taken_whole_where_that_is_cheap() -> None:
    line = "WARN " + "x" * 100_000
    assert parsed("^(?P<level>[A-Z]+) (?P<message>.*)$", line) == {"level": "WARN", "message": "x" * 100_000}


def test_a_line_that_is_too_long_for_its_expression_is_not_taken() -> None:
    assert parsed(r"(?P<path>\S+) took (?P<ms>\d+)", "GET /" + "a" * 8_000 + " took 12") is not None
    assert parsed(r"(?P<path>\S+) took (?P<ms>\d+)", "GET /" + "a" * 9_000 + " took 12") is None


@pytest.mark.parametrize(
    ("pattern", "config", "problem"),
    [
        ("abc", {}, "pattern: expected at least one named group"),
        ("(?P<a>b)", {"types": {"c": "int"}}, "types: there is no group 'c' in the pattern"),
        ("a(?P<a>.*)b(.*)c(.*)d", {}, "can take very long: its repetitions can share out a text in too many ways"),
        ("(?P<a>b)", {"time_key": "a"}, "time_key: it needs time_format"),
        ("(?P<a>b)", {"timezone": "Europe/Stockholm"}, "timezone: it needs time_format"),
        ("(?P<a>b)", {"time_format": "%F"}, "time_key: there is no field 'time'"),
        ("(?P<a>b)(?P<time>c)", {"time_format": "%F", "time_key": "a"}, "time_key: there is a field 'time' already"),
        ("(?P<time>b)", {"time_format": "%F", "timezone": "Mars"}, "timezone: expected an IANA name"),
    ],
)
def test_mistakes(pattern: str, config: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parser(pattern, **config)
