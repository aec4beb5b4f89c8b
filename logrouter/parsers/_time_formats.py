r"""Times in a format of one's own: strptime's, to the nanosecond, and some words for those that have a name.

    %d/%b/%Y:%H:%M:%S %z   →   (\d\d)/([a-z]+)/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})   →   nanoseconds since 1970

A format is compiled once, to an expression whose groups are parts of a time. All that it tells of a text is remembered,
as many lines are of the same second; what depends on when a line was received (its year, its day) is worked out each
time.

What is decided here: months and days have their English names, in any case. A blank stands for several. `:60` is a leap
second, which is the first of the next minute. Hours that come twice or never are as `_dates.utc_ns` has them; a name
of the zone (`%Z`: CET or CEST) says which of the two it is. What comes out lies in the years 0 to 9999, of which
RFC 3339 can speak.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Final, NamedTuple

from logrouter.errors import ExpressionError, did_you_mean
from logrouter.memo import Memo
from logrouter.parsers._dates import MONTHS, ZONES, in_latest_year, on_latest_day, utc_ns
from logrouter.times import END_NS, FIRST_NS, format_rfc3339

_SECOND_NS: Final = 1_000_000_000
_CYCLE_NS: Final = 146_097 * 86_400 * _SECOND_NS
"""400 years, after which days and weekdays are the same."""
_LONGEST: Final = 100
"""Longer text is no time."""

_MONTH_NAMES: Final = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_DAY_NAMES: Final = (
    "mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
)
_OFFSET: Final = r"[+-]\d\d(?::?\d\d)?|z|utc|gmt"
_DIRECTIVES: Final[Mapping[str, tuple[str, str]]] = {
    "Y": ("year", r"\d{4}"),
    "y": ("year_of_century", r"\d\d"),
    "m": ("month", "1[0-2]|0?[1-9]"),
    "b": ("month_name", _MONTH_NAMES),
    "d": ("day", r"3[01]|[12]\d|[ 0]?[1-9]"),
    "j": ("day_of_year", r"(?!000)\d{3}"),
    "a": ("", _DAY_NAMES),
    "H": ("hour", r"2[0-3]|[01]\d| ?\d"),
    "I": ("hour_of_half", "1[0-2]|[ 0]?[1-9]"),
    "p": ("half", "[ap]m"),
    "M": ("minute", r"[0-5]\d|\d"),
    "S": ("second", r"60|[0-5]\d|\d"),
    "f": ("fraction", r"\d{1,9}"),
    "z": ("offset", _OFFSET),
    "Z": ("zone", r"[a-z]{1,6}|[+-]\d{2,4}"),
    "s": ("epoch", r"-?\d{1,12}"),
}
"""Letter → part of a time, and how it looks."""
_SAME: Final[Mapping[str, str]] = {
    "B": "b",
    "h": "b",
    "A": "a",
    "e": "d",
    "k": "H",
    "l": "I",
    "P": "p",
    "L": "f",
    "N": "f",
}
_SHORT: Final[Mapping[str, str]] = {
    "T": "%H:%M:%S",
    "R": "%H:%M",
    "r": "%I:%M:%S %p",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "c": "%a %b %d %H:%M:%S %Y",
    "n": " ",
    "t": " ",
}
"""Letters that stand for several."""
DIRECTIVES: Final = (*_DIRECTIVES, *_SAME, *_SHORT, "%")
_MEANT: Final[Mapping[str, str]] = {
    **dict.fromkeys("123456789.", "fractions are %f, however many digits they have"),
    ":": "offsets are %z, with a colon or without",
    "-": "numbers may lack their leading zero: leave out the -",
}
"""What others have, and what it is here."""
_NUMBER: Final = r"(?P<epoch>-?\d{1,19})(?:\.(?P<fraction>\d{1,9})\d{0,9})?"
_UNITS_NS: Final[Mapping[str, int]] = {"unix": _SECOND_NS, "unix_ms": 1_000_000, "unix_us": 1_000, "unix_ns": 1}
_DATE: Final = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
_CLOCK: Final = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9})\d{0,9})?)?"
_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(_UNITS_NS, _NUMBER),
    "rfc3339": rf"{_DATE}[t _]{_CLOCK} ?(?P<offset>{_OFFSET})?",
    "rfc2822": rf"(?:(?:{_DAY_NAMES}),? )? ?(?P<day>\d\d?) (?P<month_name>{_MONTH_NAMES}) (?P<year>\d{{4}}) {_CLOCK}"
    rf" (?:(?P<offset>{_OFFSET})|(?P<zone>[a-z]{{1,5}}))(?: \(.*\))?",
    "iso8601": rf"(?:{_DATE}|(?P<year_>\d{{4}})(?:(?P<month_>\d\d)(?P<day_>\d\d)|-?(?P<day_of_year>\d{{3}})))"
    rf"(?:[t ](?:{_CLOCK}"
    r"|(?P<hour_>\d\d)(?:(?P<minute_>\d\d)(?:(?P<second_>\d\d)(?:[.,](?P<fraction_>\d{1,9})\d{0,9})?)?)?)"
    rf" ?(?P<offset>{_OFFSET})?)?",
}
"""Formats with a name. What stands as `year_` is the same as `year`, written otherwise."""
WORDS: Final = tuple(_WORDS)

_ZONES: Final[Mapping[str, str]] = {"UT": "Z", "Z": "Z", **ZONES}


class _Parts(NamedTuple):
    """What a text tells."""

    year: int | None
    month: int
    """0 where it tells no day, and for a day of the year."""
    day: int
    seconds: int
    """Since midnight, by the clock."""
    rest_ns: int
    """The fraction of the second."""
    offset: timezone | None
    zone_name: str


class TimeFormat:
    """Reads times of one format. Immutable. Raises ExpressionError, with the character, where it is none."""

    def __init__(self, text: str, zone: tzinfo = UTC) -> None:
        self.text = text
        self._zone = zone
        self._unit_ns = _UNITS_NS.get(text, _SECOND_NS)
        expression = _WORDS[text] if text in _WORDS else _expression(text)
        self._expression = re.compile(expression, re.IGNORECASE | re.ASCII)
        self._known: Memo[str, int | _Parts | None] = Memo(self._read, 1024)
        self._years: Memo[tuple[_Parts, int], int | None] = Memo(lambda asked: self._in_year(*asked), 1024)

    @property
    def tells_year(self) -> bool:
        """Whether what it says of a text does not depend on when that was received."""
        groups = self._expression.groupindex
        return not groups.keys().isdisjoint(("year", "year_of_century", "epoch"))

    def utc_text(self, text: str, received_ns: int) -> str | None:
        """The time as RFC 3339 in UTC; None where the text is not of the format."""
        time_ns = self.utc_ns(text, received_ns)
        return None if time_ns is None else format_rfc3339(time_ns)

    def utc_ns(self, text: str, received_ns: int) -> int | None:
        """The time in nanoseconds since 1970. `received_ns`: for years and days that are not told."""
        if len(text) > _LONGEST:
            return None
        parts = self._known[text]
        if not isinstance(parts, _Parts):
            time_ns = parts
        elif parts.day:
            time_ns = in_latest_year(lambda year: self._years[parts, year], received_ns)
        else:
            time_ns = on_latest_day(
                lambda day: self._on_day(parts, day.year, day.month, day.day), parts.offset or self._zone, received_ns
            )
        return time_ns if time_ns is not None and FIRST_NS <= time_ns < END_NS else None

    def _read(self, text: str) -> int | _Parts | None:
        """The time in nanoseconds, or its parts where the year is not told; None where it is not of the format."""
        match = self._expression.fullmatch(text.strip(" "))
        if match is None:
            return None
        told = {name.rstrip("_"): part for name, part in match.groupdict().items() if part is not None}
        if "epoch" in told:
            return int(Decimal(f"{told['epoch']}.{told.get('fraction', '0')}") * self._unit_ns)
        try:
            parts = _parts(told)
        except ValueError:
            return None
        return parts if parts.year is None else self._in_year(parts, parts.year)

    def _in_year(self, parts: _Parts, year: int) -> int | None:
        if parts.month:
            return self._on_day(parts, year, parts.month, parts.day)
        first = datetime(2000 + year % 400, 1, 1)
        day = first + timedelta(days=parts.day - 1)
        return self._on_day(parts, year, day.month, day.day) if day.year == first.year else None

    def _on_day(self, parts: _Parts, year: int, month: int, day: int) -> int | None:
        """In nanoseconds. None where there is no such day, or no such zone."""
        cycles = 1 if year > 9_000 else -1 if year < 400 else 0  # so that no zone leads out of Python's calendar
        minutes, second = divmod(parts.seconds, 60)
        try:
            local = datetime(year - 400 * cycles, month, day) + timedelta(minutes=minutes)
        except ValueError:
            return None
        time_ns = self._local_ns(local, parts)
        return None if time_ns is None else time_ns + second * _SECOND_NS + parts.rest_ns + cycles * _CYCLE_NS

    def _local_ns(self, local: datetime, parts: _Parts) -> int | None:
        if parts.offset is not None:
            return utc_ns(local, parts.offset)
        name = parts.zone_name
        if not name:
            return utc_ns(local, self._zone)
        for fold in (0, 1):
            if local.replace(tzinfo=self._zone, fold=fold).tzname() == name:
                return utc_ns(local, self._zone, fold)
        return utc_ns(local, _offset(_ZONES[name])) if name in _ZONES else None


def _parts(told: Mapping[str, str]) -> _Parts:
    """Raises ValueError where a number is out of its range."""
    hour = int(told.get("hour") or int(told.get("hour_of_half") or 0) % 12 + 12 * (told.get("half", "a")[0] in "pP"))
    minute, second = int(told.get("minute") or 0), int(told.get("second") or 0)
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError
    month = int(told.get("month") or 0)
    if "month_name" in told:
        month = int(MONTHS[told["month_name"][:3].capitalize()])
    seconds = (hour * 60 + minute) * 60 + second  # a leap second is the first of the next minute
    rest_ns = int((told.get("fraction") or "0").ljust(9, "0"))
    day = int(told.get("day") or told.get("day_of_year") or 0)
    zone_name = told.get("zone", "").upper()
    offset = _offset(told["offset"]) if "offset" in told else None
    if zone_name[:1] in ("+", "-"):
        zone_name, offset = "", _offset(zone_name)
    return _Parts(_year(told), month, day, seconds, rest_ns, offset, zone_name)


def _year(told: Mapping[str, str]) -> int | None:
    if "year" in told:
        return int(told["year"])
    if "year_of_century" in told:
        year = int(told["year_of_century"])
        return year + (1900 if year >= 69 else 2000)  # as POSIX has it
    return None


def _offset(text: str) -> timezone:
    """`+0100`, `+01:00`, `+01` or `Z`. Raises ValueError beyond a day."""
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    if int(digits[2:] or 0) > 59:
        raise ValueError
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


_PIECE: Final = re.compile(r"%(?P<letter>.?)|(?P<blank>\s+)|(?P<text>[^%\s]+)", re.DOTALL)


def _expression(text: str) -> str:
    """What a strptime format matches, with a group for each part. Raises ExpressionError."""
    if "%" not in text:
        hint = did_you_mean(text, WORDS) or f"or one of {', '.join(WORDS)}"
        raise ExpressionError("expected directives of strptime, such as %Y-%m-%d %H:%M:%S", text, 0, hint)
    told: set[str] = set()
    expression = _expanded(text, told, text)
    if (problem := _lacking(told)) is not None:
        raise ExpressionError(problem, text)
    return expression


def _expanded(part: str, told: set[str], text: str, column: int | None = None) -> str:
    """The expression of a part of `text`; `column` is where that stands, if it is written short."""
    expression = ""
    for piece in _PIECE.finditer(part):
        place = piece.start() if column is None else column
        letter = piece["letter"]
        if letter is None:
            expression += " +" if piece["blank"] else re.escape(piece["text"])
        elif letter == "%":
            expression += "%"
        elif letter in _SHORT:
            expression += _expanded(_SHORT[letter], told, text, place)
        else:
            expression += _of_letter(letter, told, text, place)
    return expression


def _of_letter(letter: str, told: set[str], text: str, column: int) -> str:
    name, expression = _DIRECTIVES.get(_SAME.get(letter, letter), ("", ""))
    if not expression:
        known = " ".join(sorted(DIRECTIVES, key=lambda letter: (letter.lower(), letter)))
        raise ExpressionError(f"%{letter} is not known", text, column, _MEANT.get(letter, f"known are: {known}"))
    if name in told:
        raise ExpressionError(f"%{letter} says what another directive says", text, column)
    if not name:
        return f"(?:{expression})"
    told.add(name)
    return f"(?P<{name}>{expression})"


def _lacking(told: set[str]) -> str | None:
    """What is wrong with a format that tells these parts of a time."""

    def tells(*names: str) -> bool:
        return not told.isdisjoint(names)

    day, month = tells("day"), tells("month", "month_name")
    any_day, any_hour = tells("day", "day_of_year"), tells("hour", "hour_of_half")
    wrong = {
        "it tells a day without its month": day and not month,
        "it tells a month without its day": month and not day,
        "it tells a year without its day": tells("year", "year_of_century") and not any_day,
        "hours of half a day (%I) and which half it is (%p) belong together": tells("half") != tells("hour_of_half"),
        "it tells minutes without their hour": tells("minute", "second", "fraction") and not any_hour,
        "it tells neither a day nor an hour": not any_day and not any_hour,
    }
    return None if tells("epoch") else next((problem for problem, holds in wrong.items() if holds), None)
