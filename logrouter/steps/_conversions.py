"""What a value becomes where the config says what it shall be. Each conversion raises ValueError for what it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, get_args

from logrouter import times
from logrouter.parsers._time_formats import TimeFormat
from logrouter.parsers._types import truth_of
from logrouter.steps._keys import text_of

TimeKind = Literal["time", "unix", "unix_ms", "unix_us", "unix_ns"]
Kind = Literal[
    "int", "float", "bool", "text", "time", "unix", "unix_ms", "unix_us", "unix_ns", "seconds", "milliseconds", "bytes"
]
Conversion: TypeAlias = Callable[[Any, int], Any]
"""Takes a value, and when the event happened or was received, in nanoseconds since 1970: for times without a year."""

_NUMBER: Final = r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,2})?"
_IS_NUMBER: Final = re.compile(_NUMBER, re.ASCII)
_UNITS: Final[Mapping[str, Decimal]] = {
    "ns": Decimal("1e-9"), "us": Decimal("1e-6"), "µs": Decimal("1e-6"), "μs": Decimal("1e-6"), "ms": Decimal("1e-3"),
    "s": Decimal(1), "sec": Decimal(1), "secs": Decimal(1), "second": Decimal(1), "seconds": Decimal(1),
    "m": Decimal(60), "min": Decimal(60), "mins": Decimal(60), "minute": Decimal(60), "minutes": Decimal(60),
    "h": Decimal(3600), "hour": Decimal(3600), "hours": Decimal(3600), "d": Decimal(86400), "day": Decimal(86400),
    "days": Decimal(86400),
}  # fmt: skip
"""Both letters that look like a µ: the micro sign and the Greek letter, which Go writes and reads."""
_PART: Final = re.compile(r"(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15}) ?([a-zµμ]{1,7})(?:, | |(?=[\d.])|$)", re.ASCII)
_ONE_PART: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,12}))?(ns|us|µs|ms|s)", re.ASCII)
"""What most lengths of time look like."""
_ZEROS: Final = {"s": 0, "ms": 3, "us": 6, "µs": 6, "ns": 9}
_CLOCK: Final = re.compile(r"(\d{1,6}):([0-5]\d):([0-5]\d(?:\.\d{0,9})?)", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,18}(?:\.\d{0,18})?) ?(?:([kKMGTPE])(i?)(B?)|B|b|bytes?)?", re.ASCII)
_SHORT: Final = 19
"""Fewer digits are an integer of 64 bits."""
_TOO_LARGE: Final = 10**30
"""No whole number of anything: what decimals can be divided by without rounding."""
_LETTERS: Final = "KMGTPE"
_LONGEST: Final = 100
"""Longer text is no number, length of time or size."""


def _number(value: Any) -> int | float | Decimal:
    """A number, or what a text says. Raises ValueError."""
    if isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _SHORT:
        return int(value)
    if isinstance(value, str) and len(value) <= _LONGEST and _IS_NUMBER.fullmatch(text := value.strip()):
        return Decimal(text)
    raise ValueError("no number")


def _json_number(number: int | float | Decimal) -> int | float:
    """As JSON has it: whole, where it is. Raises ValueError where that would be no number any more."""
    if -(2**63) < number < 2**63 and number == number // 1:
        return int(number)
    return _finite(float(number))


def _finite(number: float) -> float:
    if abs(number) == float("inf"):
        raise ValueError("too large")
    return number


def _int(value: Any, time_ns: int) -> int:
    if isinstance(value, int):
        return int(value)
    number = _number(value)
    if not -_TOO_LARGE < number < _TOO_LARGE or number % 1:
        raise ValueError("no whole number, or too large")
    return int(number)


def _float(value: Any, time_ns: int) -> float | int:
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return _finite(float(_number(value)))


def _bool(value: Any, time_ns: int) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and (truth := truth_of(value.strip())) is not None:
        return truth
    raise ValueError("neither true nor false")


def _text(value: Any, time_ns: int) -> str:
    return text_of(value)


def _seconds(value: Any, time_ns: int) -> int | float:
    if isinstance(value, str) and (one := _ONE_PART.fullmatch(value)):
        return _of_one_part(one, 0)
    return _json_number(_length(value, Decimal(1)))


def _milliseconds(value: Any, time_ns: int) -> int | float:
    if isinstance(value, str) and (one := _ONE_PART.fullmatch(value)):
        return _of_one_part(one, 3)
    return _json_number(_length(value, Decimal("0.001")) * 1000)


def _of_one_part(one: re.Match[str], zeros: int) -> int | float:
    """What `_ONE_PART` has matched, in seconds followed by so many zeros: the quotient of whole numbers is exact, or
    rounded once, as the decimal number would be."""
    whole, fraction, unit = one.groups("")
    number = int(whole + fraction + "0" * zeros)
    divisor = int("1" + "0" * (len(fraction) + _ZEROS[unit]))
    return number // divisor if number % divisor == 0 else number / divisor


def _length(value: Any, unit: Decimal) -> Decimal:
    """A length of time in seconds. `unit`: that of a number alone."""
    if isinstance(value, bool):
        raise ValueError("no length of time")
    if not isinstance(value, str):
        number = _number(value)
        return Decimal(repr(number) if isinstance(number, float) else number) * unit
    text = value.strip() if len(value) <= _LONGEST else ""
    if _IS_NUMBER.fullmatch(text):
        return Decimal(text) * unit
    sign = -1 if text.startswith("-") else 1
    text = text.removeprefix("-")
    if clock := _CLOCK.fullmatch(text):
        return sign * (int(clock[1]) * 3600 + int(clock[2]) * 60 + Decimal(clock[3]))
    total, place = Decimal(0), 0
    while place < len(text) and (part := _PART.match(text, place)) and part[2] in _UNITS:
        total += Decimal(part[1]) * _UNITS[part[2]]
        place = part.end()
    if not place or place < len(text):
        raise ValueError("no length of time")
    return sign * total


def _bytes(value: Any, time_ns: int) -> int | float:
    if not isinstance(value, str):
        return _int(value, time_ns)
    match = _SIZE.fullmatch(value.strip()) if len(value) <= _LONGEST else None
    if match is None:
        raise ValueError("no size")
    factor = 1
    if letter := match[2]:
        factor = (1000 if match[4] and not match[3] else 1024) ** (_LETTERS.index(letter.upper()) + 1)
    return int(Decimal(match[1]) * factor)


CONVERSIONS: Final[Mapping[str, Conversion]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "text": _text,
    "seconds": _seconds,
    "milliseconds": _milliseconds,
    "bytes": _bytes,
}
"""All but those to times."""
_PER_SECOND: Final[Mapping[str, int]] = {"unix": 1, "unix_ms": 10**3, "unix_us": 10**6, "unix_ns": 10**9}


def of_time(kind: str, own: TimeFormat | None) -> Conversion:
    """The conversion to one of `TimeKind`. `own`: the format of texts, where it is not RFC 3339."""
    assert kind in get_args(TimeKind)
    scale = _PER_SECOND.get(kind)

    def convert(value: Any, time_ns: int) -> Any:
        moment_ns = own.utc_ns(value, time_ns) if own and isinstance(value, str) else times.parse(value)
        if moment_ns is None or not times.FIRST_NS <= moment_ns < times.END_NS:
            raise ValueError("no time")
        if scale is None:
            return times.format_rfc3339(moment_ns)
        return _json_number(Decimal(moment_ns) * scale / 10**9)

    return convert
