"""Every way to write a time, exactly, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import times
from logrouter.references import MISSING, OPAQUE

NOON = 1_769_860_800  # 2026-01-31T12:00:00Z
SECOND = 10**9


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-31T12:00:00Z", NOON * SECOND),
        ("2026-01-31t12:00:00z", NOON * SECOND),
        ("2026-01-31 12:00:00", NOON * SECOND),
        ("2026-01-31T12:00:00", NOON * SECOND),
        ("2026-01-31T12:00:00.5Z", NOON * SECOND + 500_000_000),
        ("2026-01-31T12:00:00.123456789Z", NOON * SECOND + 123_456_789),
        ("2026-01-31T12:00:00.1234567899999Z", NOON * SECOND + 123_456_789),
        ("2026-01-31 12:00:00,123", NOON * SECOND + 123_000_000),
        ("2026-01-31T12:00:00.000000001", NOON * SECOND + 1),
        ("2026-01-31T14:00:00+02:00", NOON * SECOND),
        ("2026-01-31T14:00:00.25+0200", NOON * SECOND + 250_000_000),
        ("2026-01-31T14:00:00+02", NOON * SECOND),
        ("2026-01-31 14:00:00 +0200", NOON * SECOND),
        ("2026-01-31T06:30:00-05:30", NOON * SECOND),
        ("2026-01-31T12:00:00-00:00", NOON * SECOND),
        ("2026-01-31 12:00:00 UTC", NOON * SECOND),
        ("2026-01-31T11:59:60Z", NOON * SECOND),
        ("2026-01-31T11:59:60.5Z", NOON * SECOND + 500_000_000),
        ("2026-01-31T12:00Z", NOON * SECOND),
        ("2026-01-31T14:00+02:00", NOON * SECOND),
        ("2026-01-31", (NOON - 43_200) * SECOND),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800 * SECOND),
        ("0001-01-01T00:00:00+23:59", (-62_135_596_800 - 86_340) * SECOND),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_800 * SECOND - 1),
        ("9999-12-31T23:59:59+10:00", (253_402_300_799 - 36_000) * SECOND),
        ("9999-12-31T13:59:59-10:00", 253_402_300_799 * SECOND),
        ("9999-12-31", (253_402_300_800 - 86_400) * SECOND),
        ("2024-02-29T00:00:00Z", 1_709_164_800 * SECOND),
        (NOON, NOON * SECOND),
        (NOON * 1000 + 5, NOON * SECOND + 5_000_000),
        (NOON * 10**6 + 5, NOON * SECOND + 5_000),
        (NOON * SECOND + 5, NOON * SECOND + 5),
        (NOON + 0.25, NOON * SECOND + 250_000_000),
        (1769860800.123457, NOON * SECOND + 123_457_000),
        (1769860800123.5, NOON * SECOND + 123_500_000),
        (1.7698608e18, NOON * SECOND),
        (Decimal("1769860800.123456789"), NOON * SECOND + 123_456_789),
        (str(NOON), NOON * SECOND),
        (f"{NOON}.000000007", NOON * SECOND + 7),
        (str(NOON * 1000), NOON * SECOND),
        (10**8, 10**8 * SECOND),
        (10**11 - 1, (10**11 - 1) * SECOND),
        (10**11, 10**8 * SECOND),
        (10**20 - 1, 10**20 - 1),
    ],
)
def test_a_time_is_understood_exactly(value: Any, expected: int) -> None:
    assert times.parse(value) == expected
    assert times.of(7, value) == expected


NO_TIMES: list[Any] = [
    None, True, False, MISSING, OPAQUE, [], {}, "", "Z", "yesterday", 0, 5, 99_999_999, 10**20, -NOON, 10**5000, 0.005,
    float("inf"), float("nan"), -1e300, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E+999999"),
    "0000-01-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-31T24:00:00Z",
    "2026-01-31T12:60:00Z",
    "9999-12-31T23:59:59-10:00", "9999-12-31T14:00-10:00", "9999-12-31T23:59:60Z", "9999-12-31T24:00:00+10:00",
    "2026-01-31T12:00:61Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+02:60",
    "2026-01-31T12:00:00 CEST", "2026-01-31T12:00:0Z", "2026-01-31T12:00:00Z ", "2026-01-31T12:00:00ZZ", "2026-01-31T",
    "2026-01-31T12:00:00.\u0663Z", "\u0662026-01-31T12:00:00Z", "2026-01-31T12:00+02.5Z", "12345", "1" * 30, "1e18",
    "2026-01-31T12:00:00." + "1" * 100 + "+00:00", "0.005", "-1769860800", "9" * 1_000_000, ":" * 17,
]  # fmt: skip


@pytest.mark.parametrize("value", NO_TIMES, ids=lambda value: repr(type(value)))
def test_anything_else_is_none(value: Any) -> None:
    assert times.parse(value) is None
    assert times.of(7, value) == 7


def test_the_first_field_that_holds_a_time_counts() -> None:
    assert times.of(7, MISSING, 0.005, "2026-01-31", NOON) == (NOON - 43_200) * SECOND
    assert times.of(7) == 7
    assert [str(field) for field in times.FIELDS] == ["ts", 'event["time"]', "timestamp", 'event["@timestamp"]']


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (NOON * SECOND, "2026-01-31T12:00:00Z"),
        (NOON * SECOND + 120_000_000, "2026-01-31T12:00:00.120Z"),
        (NOON * SECOND + 123_400_000, "2026-01-31T12:00:00.123400Z"),
        (NOON * SECOND + 1, "2026-01-31T12:00:00.000000001Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (-62_135_596_800 * SECOND, "0001-01-01T00:00:00Z"),
        (-62_135_596_801 * SECOND, "0000-12-31T23:59:59Z"),
        (253_402_300_800 * SECOND - 1, "9999-12-31T23:59:59.999999999Z"),
        (253_402_300_800 * SECOND, "+010000-01-01T00:00:00Z"),
        (-(10**24), "-31686769-06-29T22:13:20Z"),
    ],
)
def test_format_rfc3339(time_ns: int, text: str) -> None:
    assert times.format_rfc3339(time_ns) == text


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-1439, 1439), st.integers(0, 999))
@settings(deadline=None, max_examples=50)
def test_what_python_writes_is_understood(moment: datetime, offset_minutes: int, nanoseconds: int) -> None:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (since // timedelta(microseconds=1)) * 1000 + nanoseconds
    sign, minutes = ("-", -offset_minutes) if offset_minutes < 0 else ("+", offset_minutes)
    try:
        local = (moment + timedelta(minutes=offset_minutes)).replace(tzinfo=None)
    except OverflowError:
        return
    text = f"{local.isoformat(timespec='microseconds')}{nanoseconds:03d}{sign}{minutes // 60:02d}:{minutes % 60:02d}"

    assert times.parse(text) == expected


@given(st.integers(-62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1))
@settings(deadline=None, max_examples=50)
def test_what_we_write_is_understood(time_ns: int) -> None:
    assert times.parse(times.format_rfc3339(time_ns)) == time_ns


@given(
    st.one_of(
        st.text(), st.text("0123456789-:T.Z +,", max_size=40), st.integers(), st.floats(), st.decimals(), st.binary()
    )
)
@settings(deadline=None, max_examples=50)
def test_any_value_is_a_time_or_none(value: Any) -> None:
    found = times.of(7, value)
    assert isinstance(found, int)
    assert times.format_rfc3339(found)


@given(st.sampled_from(["0001-01-01", "9999-12-30", "9999-12-31"]), st.times(), st.integers(-1439, 1439))
@settings(deadline=None, max_examples=100)
def test_no_offset_leads_out_of_the_years_that_are_written_in_four_digits(day: str, clock: time, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    text = f"{day}T{clock.isoformat('microseconds')}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    found = times.parse(text)
    assert found is None or times.FIRST_NS <= found < times.END_NS
    assert (found is None) == (day == "9999-12-31" and clock.hour * 60 + clock.minute - minutes >= 24 * 60)
