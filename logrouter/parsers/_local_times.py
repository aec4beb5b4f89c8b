"""Times as apps' loggers write them: mostly local, some without their date, all made RFC 3339 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from logrouter import times
from logrouter.memo import Memo
from logrouter.parsers._dates import in_latest_year, on_latest_day, utc_ns, zone_named

_EPOCH: Final = datetime(1970, 1, 1)
_SECOND_NS: Final = 1_000_000_000
_HAS_ZONE: Final = re.compile(r"(?:Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)\Z")
_LENGTH_OF_A_DATE: Final = len("2026-11-29")


class LocalTimes:
    """What is local time is of one zone. Immutable but for what it remembers."""

    def __init__(self, timezone: str) -> None:
        """`timezone`: an IANA name. Raises ValueError where there is no such zone."""
        self._zone: tzinfo = zone_named(timezone)
        self._offsets = Memo(self._offset_seconds, 256)

    def utc_text(self, text: str, received_ns: int) -> str:
        """The time in UTC. `text` is as ISO 8601 has it, and `times.parse` reads it. One that begins with `T` has no
        date, and one that begins with `--` no year: it is the last such time before `received_ns`, as `_dates` says.
        Raises ValueError.
        """
        if text[:1] == "T":
            time_ns = on_latest_day(
                lambda day: self._utc_ns(f"{day.year:04d}-{day:%m-%d}{text}"), self._zone, received_ns
            )
        elif text[:2] == "--":
            time_ns = in_latest_year(lambda year: self._utc_ns(f"{year:04d}{text[1:]}"), received_ns)
        else:
            time_ns = self._utc_ns(text)
        if time_ns is None:
            raise ValueError
        return times.format_rfc3339(time_ns)

    def _utc_ns(self, text: str) -> int | None:
        time_ns = times.parse(text)
        if time_ns is None or self._zone is UTC or _HAS_ZONE.search(text, _LENGTH_OF_A_DATE):
            return time_ns
        try:
            return time_ns - self._offsets[time_ns // _SECOND_NS] * _SECOND_NS
        except OverflowError:
            return None

    def _offset_seconds(self, local_seconds: int) -> int:
        """Of a local time, in seconds since 1970 on that clock. Raises OverflowError in the years 0 and 10,000."""
        return local_seconds - utc_ns(_EPOCH + timedelta(seconds=local_seconds), self._zone) // _SECOND_NS
