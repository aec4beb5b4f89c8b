"""What rules mean, as tables: a rule, and the documents for which it is true and false."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from logrouter.facts import Facts
from logrouter.references import Field, Meta, Reference, Resource, Severity, Time
from logrouter.rules import Rule, parse_reference

FACTS = Facts({"stream": "stderr", "host": 7}, 1_769_903_999_000_000_000, {"service.name": "checkout"})


def holds(text: str, document: dict[str, Any]) -> bool:
    return Rule.parse(text).test(document, FACTS)


def d(**fields: Any) -> dict[str, Any]:
    return fields


# Every kind of value that `a` may have; a rule is true for exactly those named.
VALUES: dict[str, dict[str, Any]] = {
    "missing": {},
    "null": d(a=None),
    "true": d(a=True),
    "false": d(a=False),
    "0": d(a=0),
    "1": d(a=1),
    "1.0": d(a=1.0),
    "5": d(a=5),
    "5.5": d(a=5.5),
    "-3": d(a=-3),
    "huge": d(a=10**30),
    "decimal": d(a=Decimal("1E+400")),
    "empty": d(a=""),
    "text": d(a="error"),
    "digits": d(a="5"),
    "list": d(a=["error", 5, None, {"x": 1}]),
    "flags": d(a=[True]),
    "nothing": d(a=[]),
    "object": d(a={"b": "error"}),
    "hollow": d(a={}),
}
MEANINGS = {
    "a": "true 1 1.0 5 5.5 -3 huge decimal text digits list flags object hollow",
    "not a": "missing null false 0 empty nothing",
    "exists(a)": set(VALUES) - {"missing"},
    "not exists(a)": "missing",
    "exists(a.b)": "object",
    'a.b == "error"': "object",
    'a == "error"': "text",
    '"error" == a': "text",
    'a != "error"': set(VALUES) - {"text"},
    "a == null": "null",
    "a != null": set(VALUES) - {"null"},
    "a == true": "true",
    "a == false": "false",
    "a == True or a == None": "true null",
    "a == 1": "1 1.0",
    "a == 1.0": "1 1.0",
    "a == 0": "0",
    "a == -3": "-3",
    "a == 5": "5",
    f"a == {10**30}": "huge",
    "a != 1": set(VALUES) - {"1", "1.0"},
    "a < 5": "0 1 1.0 -3",
    "a <= 5": "0 1 1.0 5 -3",
    "a > 5": "5.5 huge decimal",
    "a >= 5": "5 5.5 huge decimal",
    "5 <= a": "5 5.5 huge decimal",
    "0 < a < 5.5": "1 1.0 5",
    "not a < 5": set(VALUES) - {"0", "1", "1.0", "-3"},
    'a > "a"': "text",
    'a < "a"': "empty digits",
    "a in (1, 5)": "1 1.0 5",
    "a in [0, 1, 2, 3]": "0 1 1.0",
    "a in (true, false)": "true false",
    'a in ("error", 5, null)': "text 5 null",
    'a in ("error",)': "text",
    'a in ("x", "y", "z", "error", "5")': "text digits",
    'a not in ("error", "5")': set(VALUES) - {"text", "digits"},
    "a in ()": "",
    "a not in ()": set(VALUES),
    '"err" in a': "text",
    '"error" in a': "text list",
    '"" in a': "empty text digits",
    '"error" not in a': set(VALUES) - {"text", "list"},
    "5 in a": "list",
    "1 in a": "",
    "true in a": "flags",
    "null in a": "list",
    "a == a": set(VALUES) - {"missing", "list", "flags", "nothing", "object", "hollow"},
    "a != a": "missing list flags nothing object hollow",
    "a <= a": "0 1 1.0 5 5.5 -3 huge decimal empty text digits",
    "a < a": "",
    "a in a": "empty text digits",
    'matches(a, "^err")': "text",
    'matches(a, r"\\d")': "digits",
    'matches(a, "")': "empty text digits",
    'startswith(a, "x", "er")': "text",
    'startswith(a, ("x", "er"))': "text",
    'endswith(a, "or")': "text",
    'contains(a, "rr", 5)': "text list",
    'contains(a, "error")': "text list",
    "len(a) == 5": "text",
    "len(a) == 1": "digits flags",
    "len(a) == 0": "empty nothing",
    "len(a)": "text digits list flags",
    "len(a) > 3": "text list",
    "len(a) in (4, 5)": "text list",
    "0 < len(a) <= 1": "digits flags",
    'upper(a) == "ERROR"': "text",
    "upper(a)": "text digits",
    'lower(upper(a)) in ("error", "fatal", "panic")': "text",
    'startswith(upper(a), "ERR")': "text",
    'matches(upper(a), "^ERR")': "text",
    'upper(a) != "ERROR"': set(VALUES) - {"text"},
    '"ERR" in upper(a)': "text",
    "upper(a) == a or a == 5": "empty digits 5",
    "between(a, 0, 5)": "0 1 1.0 5",
    'between(a, "a", "f")': "text",
    "between(len(a), 4, 5)": "text list",
    "true": set(VALUES),
    "false": "",
    "a == 5 or\n  a == true  ": "5 true",
    "(a == 5) and not (a == 6)": "5",
}


@pytest.mark.parametrize("text", MEANINGS)
def test_a_rule_is_true_for_just_these(text: str) -> None:
    expected = MEANINGS[text]
    names = set(expected.split()) if isinstance(expected, str) else expected

    assert {name for name, document in VALUES.items() if holds(text, document)} == names


@pytest.mark.parametrize(
    ("text", "document", "expected"),
    [
        # dotted names: the literal key first, then nested
        ("http.status == 500", {"http": {"status": 500}}, True),
        ("http.status == 500", {"http.status": 500, "http": {"status": 200}}, True),
        ('event["http.status"] == 500', {"http": {"status": 500}}, False),
        ('event["odd-name"] == 1', {"odd-name": 1}, True),
        ('event["event"].kind == "alert"', {"event": {"kind": "alert"}}, True),
        ('http["user-agent"] == "curl"', {"http": {"user-agent": "curl"}}, True),
        ('event["it\'s"] == 1', {"it's": 1}, True),
        ("duration_µs > 5", {"duration_µs": 6}, True),  # U+00B5, which Python's parser would make U+03BC
        ("größe == 1", {"größe": 1}, True),
        ("true_ == 1", {"true_": 1}, True),
        ("len == 1 and lower == 2", {"len": 1, "lower": 2}, True),
        # attributes and the resource
        ('meta.stream == "stderr"', {}, True),
        ("meta.host == 7", {}, True),
        ("exists(meta.partial)", {}, False),
        ('resource["service.name"] == "checkout"', {}, True),
        ('resource.service.name == "checkout"', {}, True),
        ("exists(resource.nope)", {}, False),
        ("meta.received == 1769903999000000000", {}, True),
        ('meta.received < "2026-02-01"', {}, True),
        # severity
        ('severity == "warning"', {"level": "WARN"}, True),
        ('severity == "W"', {"level": "warning"}, True),
        ('severity >= "warning"', {"level": "error"}, True),
        ('severity >= "warning"', {"level": "info"}, False),
        ('severity >= "warning"', {}, False),
        ('severity < "warning"', {}, False),
        ('severity != "warning"', {}, True),
        ('severity not in ("warning", "error")', {}, True),
        ('severity in ("warning", "error")', {"level": 50}, True),
        ('"info" <= severity < "error"', {"level": 4}, True),
        ('between(severity, "info", "warning")', {"severity": "notice"}, True),
        ("exists(severity)", {"level": "unheard of"}, False),
        ("severity", {"level": "debug"}, True),
        ("not severity", {"level": "unheard of"}, True),
        ('event["severity"] == "x"', {"severity": "x"}, True),
        # time
        ('time >= "2026-01-01"', {"ts": "2026-01-31T00:00:00Z"}, True),
        ('time < "2026-01-01T00:00:00.001Z"', {"ts": "2026-01-01T00:00:00Z"}, True),
        ('time == "2026-01-31T23:59:59Z"', {}, True),
        ('between(time, "2026-01-01", "2026-01-02")', {"ts": "2026-01-01T12:00:00Z"}, True),
        ("time == meta.received", {}, True),
        ("exists(meta.written)", {}, False),
        # functions
        ('cidr(ip, "10.0.0.0/8")', {"ip": "10.1.2.3"}, True),
        ('cidr(ip, "10.0.0.0/8")', {"ip": "11.1.2.3"}, False),
        ('cidr(ip, "10.0.0.0/8")', {"ip": "::ffff:10.1.2.3"}, True),
        ('cidr(ip, "192.168.0.0/16", "fd00::/8")', {"ip": "fd00::1"}, True),
        ('cidr(ip, "10.0.0.0/8")', {"ip": "10.1.2.3:80"}, False),
        ('cidr(ip, "10.0.0.0/8")', {"ip": 167838211}, False),
        ('cidr(ip, "10.0.0.1")', {"ip": "10.0.0.1"}, True),
        ('matches(message, "end$")', {"message": "x" * 32765 + "end"}, True),
        ('matches(message, "end")', {"message": "x" * 32768 + "end"}, True),
        ('matches(message, "x.*y.*end")', {"message": "xy" * 32768 + "end"}, True),
        ('matches(message, "[a-z]+ end")', {"message": "-" * 32768 + "x end"}, True),
        ('matches(message, "x[a-z]+ end")', {"message": "x" * 2892 + " end"}, True),
        ('matches(message, "x[a-z]+ end")', {"message": "x" * 2893 + " end"}, False),
        # order across kinds of numbers
        ("a < b", {"a": 1, "b": 1.5}, True),
        ("a < b", {"a": True, "b": 2}, False),
        ("a == b", {"a": True, "b": 1}, False),
        ("a == b", {"a": None, "b": None}, True),
        ("a in b", {"a": 1, "b": [True]}, False),
        ("a in b", {"a": 1, "b": [1.0]}, True),
    ],
)
def test_a_rule_on_a_document(text: str, document: dict[str, Any], expected: bool) -> None:
    assert holds(text, document) is expected


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("a.b == 1 and a.b != 2", {Field(("a", "b"))}),
        ('event["a.b"] or a["b.c"].d', {Field(("a.b",)), Field(("a", "b.c", "d"))}),
        ("meta.host or resource.x or x", {Meta("host"), Resource("x"), Field(("x",))}),
        ('severity == "info" and time > "2026-01-01"', {Severity(), Time()}),
        ("true", set()),
    ],
)
def test_references(text: str, references: set[Reference]) -> None:
    assert Rule.parse(text).references == references


@pytest.mark.parametrize(
    ("text", "memoisable"),
    [
        ('level == "error"', True),
        ("status in (500, 502)", True),
        ("status == 500.5", True),
        ("not a and b", True),
        ("exists(a)", True),
        ("a == null", True),
        ('a < "b"', True),
        ('severity >= "warning"', True),
        ('"x" in tags', True),
        ("status == 1", False),
        ("status in (0, 5)", False),
        ("ok == true", False),
        ("status >= 500", False),
        ("a == b", False),
        ('lower(a) == "x"', False),
        ('matches(a, "x")', False),
        ('time > "2026-01-01"', False),
    ],
)
def test_memoisable(text: str, memoisable: bool) -> None:
    assert Rule.parse(text).memoisable is memoisable


def test_rules_are_equal_by_their_text() -> None:
    assert Rule.parse("a == 1") == Rule.parse("a == 1")
    assert Rule.parse("a == 1") != Rule.parse("a  == 1")
    assert len({Rule.parse("a"), Rule.parse("a")}) == 1
    assert repr(Rule.parse("a")) == "Rule('a')"
    assert Rule.parse("a") != "a"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("level", Field(("level",))),
        ("http.status", Field(("http", "status"))),
        (" http.status ", Field(("http", "status"))),
        ("user-agent", Field(("user-agent",))),
        ("@timestamp", Field(("@timestamp",))),
        ('event["odd name"]', Field(("odd name",))),
        ("event['a\"b']", Field(('a"b',))),
        (r'event["a\"b\\"]', Field(('a"b\\',))),
        ('http["user-agent"].raw', Field(("http", "user-agent", "raw"))),
        ("meta.stream", Meta("stream")),
        ('meta["stream"]', Meta("stream")),
        ('resource["service.name"]', Resource("service.name")),
        ("resource.service.name", Resource("service.name")),
        ("severity", Severity()),
        ("time", Time()),
        ("time.zone", Field(("time", "zone"))),
    ],
)
def test_parse_reference(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert parse_reference(str(reference)) == reference
