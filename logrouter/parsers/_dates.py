"""Dates as old formats write them: months by name, local times without their zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final

MONTHS: Final[Mapping[str, str]] = {
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
    "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
}  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND_NS: Final = 1_000


def zone_named(name: str) -> tzinfo:
    """The zone of an IANA name (`Europe/Stockholm`). Raises ValueError, with what was expected."""
    if name == "UTC":
        return UTC  # also on a system that knows no zones
    from zoneinfo import ZoneInfo  # 10 ms of the start, for those who name a zone

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"timezone: expected an IANA name such as Europe/Stockholm, not {name!r}") from error


def utc_ns(local: datetime, zone: tzinfo) -> int:
    """A local time in nanoseconds since 1970.

    An hour that comes twice, as clocks go back, is taken for its first time. One that is left out, as they go forward,
    is reckoned as if they had not yet: 02:30 becomes 03:30, as in Java. Raises OverflowError in the years 0 and 10,000.
    """
    passed = local.replace(tzinfo=zone, fold=0).astimezone(UTC) - _EPOCH
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * _MICROSECOND_NS
