"""When an event happened, as exact integer nanoseconds since 1970, in UTC.

Understood are RFC 3339 and what apps write that is nearly so (a space for the T, a comma before the
fraction, an offset without colon, no zone at all: UTC, a leap second, a date alone), and numbers since 1970,
whose size tells the unit:

    1e8 …  seconds  … 1e11 …  milliseconds  … 1e14 …  microseconds  … 1e17 …  nanoseconds  … 1e20
    1973              5138 / 1973            5138 / 1973              5138 / 1973             5138

A smaller number is no time but a duration or an uptime, which apps also call `time`. Nor is one that its offset, or
a leap second, puts into the year 10,000. What is no time falls through to the next field, and at last to when the
event was received.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final

from logrouter.memo import Memo
from logrouter.references import MISSING, Field

FIELDS: Final = (Field(("ts",)), Field(("time",)), Field(("timestamp",)), Field(("@timestamp",)))
"""Where an event's time is looked for. The first that holds a time counts."""

_SECOND: Final = 1_000_000_000
FIRST_NS: Final = -62_167_219_200 * _SECOND
END_NS: Final = 253_402_300_800 * _SECOND
"""The years 0 to 9999, of which RFC 3339 can speak."""
_LAST_DAY: Final = "9999-12-31"
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_CYCLE_DAYS = 146_097
"""The Gregorian calendar repeats after 400 years, which are so many days."""
_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (10**20, 1))
"""Numbers below the first are in units of so many nanoseconds."""
_SMALLEST = 10**8

_WHOLE = r"(\d{4})-(\d\d)-(\d\d)[Tt _](\d\d):(\d\d):(\d\d)"
_TAIL = r"(?:[.,](\d+))?( ?(?:Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
_TO_THE_MINUTE = r"(\d{4}-\d\d-\d\d)(?:[Tt _](\d\d:\d\d)(?!:)(.*))?"
_NUMBER = r"\d{9,20}(?:\.\d{1,20})?"
_LONGEST = 64
"""Longer text is no time: it is not worth matching."""


def of(received_ns: int, *values: Any) -> int:
    """The time that the fields hold (one value per entry of `FIELDS`), else `received_ns`. Never raises."""
    for value in values:
        if value is MISSING:
            continue
        time_ns = parse(value)
        if time_ns is not None:
            return time_ns
    return received_ns


def parse(value: Any) -> int | None:
    """One value as nanoseconds since 1970; None where it is no time."""
    kind = value.__class__
    if kind is str:
        return _parse_text(value)
    if kind is int:
        return _scaled(value)
    if kind is float:
        # The shortest text that reads back as this float is what the app wrote: exact, where binary is not.
        return _scaled(Decimal(repr(value))) if value >= _SMALLEST else None
    if kind is Decimal:
        return _scaled(value) if value.is_finite() else None
    return None


def _scaled(number: int | Decimal) -> int | None:
    if number < _SMALLEST:
        return None
    for limit, nanoseconds in _UNITS:
        if number < limit:
            return int(number * nanoseconds)
    return None


def _parse_text(text: str) -> int | None:
    if text[16:17] != ":":
        return _parse_short(text) if len(text) <= _LONGEST else None
    try:
        return WHOLE_SECONDS[text[:19]] + TAILS[text[19:]]
    except ValueError:
        return _on_last_day(text) if text.startswith(_LAST_DAY) else None


def _on_last_day(text: str) -> int | None:
    """A time whose offset decides whether it is one."""
    try:
        time_ns = _second_ns(text[:19]) + TAILS[text[19:]]
    except ValueError:
        return None
    return time_ns if time_ns < END_NS else None


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    """Made when the first time comes that is written so, not when the program starts."""
    return re.compile(expression, re.ASCII)


def _whole_seconds(text: str) -> int:
    """In nanoseconds. Raises ValueError where the text is no time, or may be none with its offset."""
    if text.startswith(_LAST_DAY):
        raise ValueError
    return _second_ns(text)


def _second_ns(text: str) -> int:
    """Raises ValueError where the text is no time."""
    match = _compiled(_WHOLE).fullmatch(text)
    if match is None:
        raise ValueError
    year, month, day, hour, minute, second = map(int, match.groups())
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second, which is the next minute's first
        raise ValueError
    days = date(year, month, day).toordinal() - _EPOCH_ORDINAL
    return (days * 86_400 + hour * 3600 + minute * 60 + second) * _SECOND


def _tail(text: str) -> int:
    """In nanoseconds. Raises ValueError."""
    match = _compiled(_TAIL).fullmatch(text) if len(text) <= _LONGEST - 19 else None
    if match is None:
        raise ValueError
    fraction_ns = int(((match[1] or "")[:9] + "000000000")[:9])
    return fraction_ns - _offset_seconds(match[2] or "Z") * _SECOND


@lru_cache(maxsize=64)
def _offset_seconds(zone: str) -> int:
    sign, digits = zone.strip()[0], zone.strip()[1:].replace(":", "")
    if sign not in "+-":
        return 0
    hours, minutes = int(digits[:2]), int(digits[2:] or "0")
    if hours > 23 or minutes > 59:
        raise ValueError
    return (hours * 3600 + minutes * 60) * (-1 if sign == "-" else 1)


# Most times are one of a few seconds, and one of a thousand milliseconds: both are looked up, and nothing is parsed.
WHOLE_SECONDS: Final = Memo(_whole_seconds, 256)
"""The first 19 letters of a time, `2026-01-31T23:59:59`; but of the last day of the year 9999, of which `parse` alone
can tell."""
TAILS: Final = Memo(_tail, 4096)
"""What follows them: fraction and zone, `.123Z`."""


def text_of(received_ns: int, *values: Any) -> str:
    """What `of` finds, as RFC 3339."""
    return format_rfc3339(of(received_ns, *values))


@lru_cache(maxsize=256)
def _parse_short(text: str) -> int | None:
    """A number as text, a date alone, or a time without seconds."""
    if _compiled(_NUMBER).fullmatch(text):
        return _scaled(Decimal(text))
    match = _compiled(_TO_THE_MINUTE).fullmatch(text)
    return _parse_text(f"{match[1]}T{match[2] or '00:00'}:00{match[3] or ''}") if match else None


def format_rfc3339(time_ns: int) -> str:
    """The time as RFC 3339 in UTC, its fraction in three, six or nine digits, or none where it is 0.

    Years before 0 and after 9999 are written as ISO 8601 has it, with a sign and six digits.
    """
    seconds, nanoseconds = divmod(time_ns, _SECOND)
    return _format_seconds(seconds) + _format_fraction(nanoseconds)


def format_basic(time_ns: int) -> str:
    """`20260131T235959Z`: ISO 8601 in whole seconds, without marks between the numbers."""
    return format_rfc3339(time_ns - time_ns % _SECOND).replace("-", "").replace(":", "")


def _format_fraction(nanoseconds: int) -> str:
    if nanoseconds == 0:
        return "Z"
    if nanoseconds % 1_000_000 == 0:
        return f".{nanoseconds // 1_000_000:03d}Z"
    if nanoseconds % 1_000 == 0:
        return f".{nanoseconds // 1_000:06d}Z"
    return f".{nanoseconds:09d}Z"


@lru_cache(maxsize=256)
def _format_seconds(seconds: int) -> str:
    days, second = divmod(seconds, 86_400)
    cycles, days = divmod(days, _CYCLE_DAYS)
    day = date.fromordinal(_EPOCH_ORDINAL + days)
    year = day.year + 400 * cycles
    year_text = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}"
    return f"{year_text}-{day:%m-%d}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _tail_text(text: str) -> str:
    """As it is written in UTC. Raises ValueError, also where it is of another zone."""
    nanoseconds = _tail(text)
    if not 0 <= nanoseconds < _SECOND:
        raise ValueError
    return _format_fraction(nanoseconds)


# The same as RFC 3339 in UTC: where a time comes as text and leaves as text, nothing is reckoned.
WHOLE_SECOND_TEXTS: Final = Memo[str, str](lambda text: _format_seconds(_whole_seconds(text) // _SECOND), 256)
TAIL_TEXTS: Final = Memo(_tail_text, 4096)
