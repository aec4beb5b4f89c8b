"""What values become where the config says what they shall be, and what is done with those that cannot."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.documents import encode_document
from logrouter.event import Flag
from logrouter.steps import Incomplete
from logrouter.steps.convert import Convert, ConvertConfig
from tests.steps.conftest import FACTS
from tests.strategies import values

MADE: list[tuple[str, Any, Any]] = [
    ("int", "17", 17),
    ("int", " -17 ", -17),
    ("int", "1.7e1", 17),
    ("int", 17.0, 17),
    ("int", True, 1),
    ("int", 2**64, 2**64),
    ("int", "18446744073709551616", 2**64),
    ("float", "1.5", 1.5),
    ("float", ".5", 0.5),
    ("float", "-1e-3", -0.001),
    ("float", 3, 3),
    ("float", "3", 3.0),
    ("float", False, 0.0),
    ("bool", "Yes", True),
    ("bool", "off", False),
    ("bool", "t", True),
    ("bool", 1, True),
    ("bool", 0.0, False),
    ("bool", True, True),
    ("text", 1.50, "1.5"),
    ("text", True, "true"),
    ("text", {"a": [1]}, '{"a":[1]}'),
    ("text", "x", "x"),
    ("time", "2026-11-30T01:00:00+01:00", "2026-11-30T00:00:00Z"),
    ("time", 1764460800123, "2025-11-30T00:00:00.123Z"),
    ("time", "1764460800", "2025-11-30T00:00:00Z"),
    ("unix", "2025-11-30T00:00:00Z", 1764460800),
    ("unix", "2025-11-30T00:00:00.25Z", 1764460800.25),
    ("unix_ms", "2025-11-30T00:00:00.123Z", 1764460800123),
    ("unix_us", 1764460800, 1764460800000000),
    ("unix_ns", "2025-11-30T00:00:00.123456789Z", 1764460800123456789),
    ("seconds", "250ms", 0.25),
    ("seconds", "1m30s", 90),
    ("seconds", "1h0m0.5s", 3600.5),
    ("seconds", "2 h", 7200),
    ("seconds", "1 day, 2 hours", 93600),
    ("seconds", "12µs", 0.000012),
    ("seconds", "12μs", 0.000012),
    ("seconds", "-1.5s", -1.5),
    ("seconds", "00:01:30.5", 90.5),
    ("seconds", "17", 17),
    ("seconds", 1.5, 1.5),
    ("milliseconds", "1.5s", 1500),
    ("milliseconds", "3us", 0.003),
    ("milliseconds", 12, 12),
    ("milliseconds", 0.5, 0.5),
    ("milliseconds", "12", 12),
    ("bytes", "10KiB", 10240),
    ("bytes", "10K", 10240),
    ("bytes", "10kB", 10000),
    ("bytes", "1.5 GB", 1500000000),
    ("bytes", "512 B", 512),
    ("bytes", "512", 512),
    ("bytes", "7 bytes", 7),
    ("bytes", 7, 7),
]
NOT_MADE: list[tuple[str, Any]] = [
    ("int", "-"),
    ("int", ""),
    ("int", "1.5"),
    ("int", 1.5),
    ("int", "0x10"),
    ("int", "1e99"),
    ("int", "1" * 200),
    ("int", [1]),
    ("int", {}),
    ("float", "NaN"),
    ("float", "inf"),
    ("float", "1,5"),
    ("bool", "maybe"),
    ("bool", 2),
    ("time", "yesterday"),
    ("time", "9999-12-31T23:59:59-01:00"),
    ("unix", "0000-01-01T00:00:00+01:00"),
    ("time", True),
    ("time", 5),
    ("unix_ms", "x"),
    ("seconds", "12 parsecs"),
    ("seconds", "1m30"),
    ("seconds", "\uff11ms"),
    ("seconds", "s"),
    ("seconds", "-"),
    ("seconds", "00:61:00"),
    ("seconds", True),
    ("seconds", "1s" * 60),
    ("milliseconds", [1]),
    ("bytes", "10XB"),
    ("bytes", "10iB"),
    ("bytes", "-1"),
    ("bytes", "1.5.5K"),
    ("bytes", 1.5),
]


@pytest.mark.parametrize(("kind", "value", "expected"), MADE)
def test_what_is_made_of_values(change: Any, kind: str, value: Any, expected: Any) -> None:
    made = change(f"convert: {{a: {kind}}}", {"a": value, "b": value})
    assert made["a"] == expected
    assert type(made["a"]) is type(expected)
    assert made["b"] == value


@pytest.mark.parametrize(("kind", "value"), NOT_MADE)
def test_what_cannot_be_converted_stays_and_is_marked_and_counted(chain: Any, kind: str, value: Any) -> None:
    payload = encode_document({"a": value, "n": "1"})
    converted = payload.replace(b'"n":"1"', b'"n":1')
    steps = chain(f"- convert: {{a: {kind}, n: int}}")
    assert steps.apply(payload, Flag.JSON, FACTS) == [(converted, Flag.JSON | Flag.STEP_FAILED)]
    assert steps.failed == {"convert": 1}
    assert steps.reasons == {"convert": f"a cannot be made {kind}"}
    kept = chain(f"- convert: {{fields: {{a: {kind}, n: int}}, on_error: keep}}")
    assert kept.apply(payload, Flag.JSON, FACTS) == [(converted, Flag.JSON)]
    removing = chain(f"- convert: {{fields: {{a: {kind}, n: int}}, on_error: remove}}")
    assert removing.apply(payload, Flag.JSON, FACTS) == [(b'{"n":1}', Flag.JSON | Flag.STEP_FAILED)]
    assert removing.failed == {"convert": 1}


@given(
    st.decimals(0, 10**11, places=9, allow_nan=False) | st.integers(0, 10**12),
    st.sampled_from(["ns", "us", "µs", "ms", "s"]),
    st.sampled_from(["seconds", "milliseconds"]),
)
def test_the_quick_way_with_lengths_of_time_gives_what_the_careful_one_gives(number: Any, unit: str, kind: Any) -> None:
    quick, careful = {"a": f"{number:f}{unit}"}, {"a": f"{number:f} {unit}"}
    for document in (quick, careful):
        Convert(ConvertConfig(fields={"a": kind})).apply(document, FACTS)
    assert repr(quick) == repr(careful)


@given(values, st.sampled_from(sorted({kind for kind, _, _ in MADE})))
def test_whatever_there_is_it_becomes_that_or_stays_and_is_json(value: Any, kind: Any) -> None:
    document = {"a": value}
    step = Convert(ConvertConfig(fields={"a": kind}))
    try:
        step.apply(document, FACTS)
    except Incomplete:
        assert document == {"a": value}
        return
    once = encode_document(document)
    json.loads(once)
    step.apply(document, FACTS)
    if kind not in ("unix_ms", "unix_us", "unix_ns", "unix"):  # small numbers of these are taken for others
        assert encode_document(document) == once


@pytest.mark.parametrize("value", [Decimal("1e400"), Decimal("1e99999999999999999"), 10**400, 1e308])
@pytest.mark.parametrize("kind", ["int", "float", "seconds", "milliseconds", "bytes", "time", "bool"])
def test_numbers_that_nothing_holds_do_no_harm(chain: Any, kind: str, value: Any) -> None:
    payload = encode_document({"a": value})
    ((after, _),) = chain(f"- convert: {{a: {kind}}}").apply(payload, Flag.JSON, FACTS)
    assert b"Infinity" not in after
    assert after.startswith(b'{"a":')


@pytest.mark.parametrize("document", [{}, {"a": None}, {"a": {"c": 1}}, {"a.x": "1"}])
def test_what_is_not_there_or_null_is_left_alone(change: Any, document: dict[str, Any]) -> None:
    assert change("convert: {a.b: int, a: {}}".replace(", a: {}", ""), document) == document


def test_fields_may_be_nested_and_called_as_the_options_are(change: Any) -> None:
    document = {"a": {"b": "1"}, "fields": "2", "on_error": "3"}
    expected = {"a": {"b": 1}, "fields": 2, "on_error": 3}
    assert change("convert: {a.b: int, fields: int, on_error: int}", document) == expected
    assert change("convert: {fields: int}", {"fields": "2"}) == {"fields": 2}


def test_own_formats_are_for_texts(change: Any) -> None:
    yaml = "convert: {fields: {a: time, b: unix}, time_format: '%d.%m.%Y %H:%M', timezone: Europe/Stockholm}"
    assert change(yaml, {"a": "30.11.2026 01:00", "b": 1764460800}) == {"a": "2026-11-30T00:00:00Z", "b": 1764460800}


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("convert: {}", "expected at least one field to convert"),
        ("convert: {a: integer}", "expected int, float"),
        ("convert: {meta.file: int}", "no field of the event"),
        ("convert: {a: int, a.b: int}", "a.b is inside a"),
        ("convert: {fields: {a: int}, on_eror: mark}", "unknown key 'on_eror' in steps.0.convert (did you mean"),
        ("convert: {fields: {a: time}, timezone: Europe/Stockholm}", "timezone: it needs time_format"),
        ("convert: {fields: {a: time}, time_format: '%Q'}", "%Q"),
        ("convert: {fields: {a: time}, time_format: '%Y', timezone: Mars}", "IANA"),
    ],
)
def test_what_is_wrong_is_said(mistake: Any, yaml: str, problem: str) -> None:
    assert problem in mistake(yaml)
