"""Every way to write a level, and what is none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import severity
from logrouter.references import MISSING, OPAQUE

SPELLINGS: dict[str, tuple[Any, ...]] = {
    "trace": ("trace", "TRACE", "T", "V", "verbose", "Verbose", "TRC", "FINEST", "silly", 10, "10"),
    "debug": ("debug", "DEBUG", "D", "dbg", "FINE", 7, "7", 20, "20"),
    "info": ("info", "INFO", "Info", "I", "i", "information", "Informational", "INF", 6, "6", 30, 30.0, Decimal(30)),
    "notice": ("notice", "NOTICE", "N", "note", 5, "5"),
    "warning": ("warning", "warn", "WARN", "Warn", "wArN", " warn ", "W", "WRN", 4, "4", 40, "40"),
    "error": ("error", "ERROR", "Error", "err", "E", "SEVERE", "fail", 3, "3", 50),
    "critical": ("critical", "CRITICAL", "crit", "C", 2, "2"),
    "alert": ("alert", "ALERT", 1, "1"),
    "fatal": ("fatal", "FATAL", "F", "emerg", "emergency", "PANIC", 0, "0", 60, "60"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SPELLINGS.items() for value in values])
def test_a_level_is_understood(name: str, value: Any) -> None:
    assert severity.of(value) == severity.NAMES[name]


@pytest.mark.parametrize(
    "value",
    [None, True, False, "", "x", "unknown", "loud", 8, 15, 25, 70, -1, 10**400, 1.5, float("inf"), Decimal("1E+400"),
     "³", [], ["error"], {"a": 1}, OPAQUE, MISSING, "error" * 100, "\ud800"],
)  # fmt: skip
def test_anything_else_is_none(value: Any) -> None:
    assert severity.of(value) is MISSING
    assert severity.parse(value) is MISSING


def test_the_first_field_that_holds_a_level_counts() -> None:
    assert severity.of("info", "error", MISSING, MISSING) == severity.NAMES["info"]
    assert severity.of(MISSING, "error", MISSING, MISSING) == severity.NAMES["error"]
    assert severity.of("unheard of", True, "W", "error") == severity.NAMES["warning"]
    assert severity.of() is MISSING


def test_the_fields_are_in_order_of_preference() -> None:
    assert [str(field) for field in severity.FIELDS] == ["level", 'event["severity"]', "lvl", "log.level"]


def test_the_scale_is_ordered() -> None:
    assert list(severity.NAMES.values()) == sorted(severity.NAMES.values())
    assert severity.ALIASES.keys() == severity.NAMES.keys()


@pytest.mark.parametrize(
    ("number", "name"), [*((number, name) for name, number in severity.NAMES.items()), (4, "trace"), (12, "notice"),
                         (24, "fatal"), (0, "trace")]
)  # fmt: skip
def test_name_of(number: int, name: str) -> None:
    assert severity.name_of(number) == name


@given(st.one_of(st.text(), st.integers(), st.floats(), st.decimals(), st.lists(st.integers()), st.binary()))
@settings(deadline=None, max_examples=40)
def test_any_value_is_a_level_or_none(value: Any) -> None:
    found = severity.of(value)
    assert found is MISSING or found in severity.NAMES.values()
