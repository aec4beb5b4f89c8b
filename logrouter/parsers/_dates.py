"""Dates as old formats write them: months by name, local times without their zone, days without their year."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

MONTHS: Final[Mapping[str, str]] = {
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
    "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
}  # fmt: skip
ZONES: Final[Mapping[str, str]] = {
    "UTC": "Z", "GMT": "Z", "WET": "Z", "WEST": "+01:00", "CET": "+01:00", "CEST": "+02:00", "EET": "+02:00",
    "EEST": "+03:00", "MSK": "+03:00", "JST": "+09:00", "EST": "-05:00", "EDT": "-04:00", "CST": "-06:00",
    "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00", "PST": "-08:00", "PDT": "-07:00",
}  # fmt: skip
"""Names of zones: those of RFC 2822, section 4.3, and those that nobody else uses."""
DAY_NS: Final = 86_400 * 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND_NS: Final = 1_000
_FIRST_NS: Final = -60_000_000_000 * 1_000_000_000
_LAST_NS: Final = 250_000_000_000 * 1_000_000_000
"""The years 69 and 9892: of what was received before or after nobody guesses the day."""


def zone_named(name: str) -> tzinfo:
    """The zone of an IANA name (`Europe/Stockholm`). Raises ValueError, with what was expected."""
    if name == "UTC":
        return UTC  # also on a system that knows no zones
    from zoneinfo import ZoneInfo  # 10 ms of the start, for those who name a zone

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"timezone: expected an IANA name such as Europe/Stockholm, not {name!r}") from error


def utc_ns(local: datetime, zone: tzinfo, fold: int = 0) -> int:
    """A local time in nanoseconds since 1970.

    An hour that comes twice, as clocks go back, is taken for its first time, unless `fold` is 1. One that is left out,
    as they go forward, is reckoned as if they had not yet: 02:30 becomes 03:30, as in Java. Raises OverflowError in the
    years 0 and 10,000.
    """
    passed = local.replace(tzinfo=zone, fold=fold).astimezone(UTC) - _EPOCH
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * _MICROSECOND_NS


def in_latest_year(of_year: Callable[[int], int | None], received_ns: int) -> int | None:
    """A time without its year: that of the latest year in which it is not more than a day after it was received.

    `of_year` tells the time in a year, in nanoseconds since 1970; None where that has no such day. Of 29 February this
    is so for up to eight years.
    """
    latest_ns = received_ns + DAY_NS
    if not _FIRST_NS <= latest_ns <= _LAST_NS:
        return None
    newest = _moment(latest_ns, UTC).year + 1  # east of Greenwich it may be New Year already
    for year in range(newest, newest - 10, -1):
        time_ns = of_year(year)
        if time_ns is not None and time_ns <= latest_ns:
            return time_ns
    return None


def on_latest_day(of_day: Callable[[datetime], int | None], zone: tzinfo, received_ns: int) -> int | None:
    """A time without its day: that of the latest day on which it is not more than an hour after it was received.

    `of_day` tells the time on a day, of which it is given a moment: by the clock of `zone`, though the time may be of
    another one, as `18:00 PST` is, where it is a day later.
    """
    latest_ns = received_ns + DAY_NS // 24
    if not _FIRST_NS <= latest_ns <= _LAST_NS:
        return None
    newest = _moment(latest_ns, zone) + timedelta(days=1)
    for days in range(4):
        time_ns = of_day(newest - timedelta(days=days))
        if time_ns is not None and time_ns <= latest_ns:
            return time_ns
    return None


def _moment(time_ns: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(seconds=time_ns // 1_000_000_000)).astimezone(zone)
