r"""The times of old syslog lines, and what they are in UTC.

    Oct 11 22:14:15            RFC 3164: neither year nor zone
    Oct 11 22:14:15.123        with a fraction
    Oct 11 2026 22:14:15       ASA, and others that were told to
    Oct 11 22:14:15 CST 1987   the year behind
    Sun Oct 11 22:14:15 2026   OpenWrt
    2026 Oct 11 22:14:15       NX-OS
    2026-10-11T22:14:15+02:00  rsyslog's high-precision format; with a blank for the T macOS
    Sun 2026-10-11 22:14:15 CEST   journalctl -o short-full

A zone's letters mean the option `timezone` where it has them, as Asia/Shanghai has CST; else what they mean to nearly
all. Where they are unknown, the time is a local one of the option.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from logrouter import times
from logrouter.parsers._dates import MONTHS, ZONES
from logrouter.parsers._instants import local_second, recent_second

_MONTH: Final = "|".join(MONTHS)
_YEAR: Final = r"(?:19|20)\d\d"
STAMP: Final = (
    r"(?:(?P<weekday>Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?"
    r"(?:"
    rf"(?:(?P<year_before>{_YEAR}) )?(?P<month>{_MONTH}) {{1,2}}(?P<day>\d{{1,2}})(?: (?P<year>{_YEAR}))? "
    r"|(?P<date>\d{4}-\d\d-\d\d)[T ]"
    r")"
    r"(?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d++))?(?P<offset>Z|[+-]\d\d:?\d\d)?"
    rf"(?: (?P<zone>[A-Z]{{3,5}}(?=:| {_YEAR}[ :])"  # no name of a host
    rf"|(?(weekday)(?:{'|'.join(ZONES)})(?= )|(?!))|(?(year_before)TZ[+-]\d\d?(?= )|(?!))))?"
    rf"(?: (?P<year_behind>{_YEAR})(?=[ :]))?"
)
"""An expression with named groups, for one such time."""
_YEARLESS: Final = re.compile(rf"({_MONTH}) {{1,2}}(\d{{1,2}}) (\d\d:\d\d:\d\d)", re.ASCII)


def split_yearless(text: str) -> tuple[int, int, str]:
    """Month, day and clock of `Oct 11 22:14:15`. Raises ValueError."""
    match = _YEARLESS.fullmatch(text)
    if match is None:
        raise ValueError
    return int(MONTHS[match[1]]), int(match[2]), match[3]


def utc_text(stamp: re.Match[str], zone: tzinfo, received_ns: int) -> str:
    """What `STAMP` has found, in UTC, with the digits that it has. Raises ValueError where it is no time."""
    fraction = f".{stamp['fraction']}Z" if stamp["fraction"] else "Z"
    zone = _zone_of(stamp, zone)
    clock = stamp["clock"]
    if stamp["date"]:
        year, month, day = map(int, stamp["date"].split("-"))
        return local_second(year, month, day, clock, zone) + fraction
    month, day = int(MONTHS[stamp["month"]]), int(stamp["day"])
    said = stamp["year_before"] or stamp["year"] or stamp["year_behind"]
    if said is None:
        return recent_second(month, day, clock, zone, received_ns) + fraction
    return local_second(int(said), month, day, clock, zone) + fraction


def _zone_of(stamp: re.Match[str], zone: tzinfo) -> tzinfo:
    """Of an offset, a zone's letters, or `TZ-6`, as RFC 3164 has it in an example."""
    offset, letters = stamp["offset"], stamp["zone"] or ""
    if letters.startswith("TZ"):
        offset = f"{letters[2]}{int(letters[3:]):02d}:00"
    elif letters not in _letters_of(zone):
        offset = offset or ZONES.get(letters)
    return timezone(timedelta(microseconds=-times.TAILS[offset] // 1000)) if offset else zone


@lru_cache(maxsize=16)
def _letters_of(zone: tzinfo) -> tuple[str | None, ...]:
    return tuple(datetime(2026, month, 1, tzinfo=zone).tzname() for month in (1, 7))
