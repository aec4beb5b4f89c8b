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
_LENGTH_OF_A_CLOCK: Final = len("T23:44:26")
_LENGTH_WITHOUT_YEAR: Final = len("--11-29T23:44:26")


class LocalTimes:
    """What is local time is of one zone."""

    def __init__(self, timezone: str) -> None:
        """`timezone`: an IANA name. Raises ValueError where there is no such zone."""
        self._zone: tzinfo = zone_named(timezone)
        self._offsets = Memo(self._offset_seconds, 256)
        self._received_ns = 0
        self._guessed = Memo(self._guess, 4096)

    def are_received(self, time_ns: int) -> None:
        """When the lines were received whose times come now."""
        if time_ns != self._received_ns:
            self._received_ns = time_ns
            self._guessed.clear()

    def utc_text(self, text: str) -> str:
        """The time in UTC. `text` is as ISO 8601 has it, and `times.parse` reads it. One that begins with `T` has no
        date, and one that begins with `--` no year: it is the last such time before the line was received, as `_dates`
        says. Raises ValueError.
        """
        if text.startswith(("T", "-")):
            end = _LENGTH_OF_A_CLOCK if text[0] == "T" else _LENGTH_WITHOUT_YEAR
            return times.format_rfc3339(self._guessed[text[:end]] + times.TAILS[text[end:]])
        time_ns = self._utc_ns(text)
        if time_ns is None:
            raise ValueError
        return times.format_rfc3339(time_ns)

    def _guess(self, text: str) -> int:
        """The last time, in whole seconds, that is cut short so. Raises ValueError."""
        if text[0] == "T":
            found = on_latest_day(
                lambda day: self._utc_ns(f"{day.year:04d}-{day:%m-%d}{text}"), self._zone, self._received_ns
            )
        else:
            found = in_latest_year(lambda year: self._utc_ns(f"{year:04d}{text[1:]}"), self._received_ns)
        if found is None:
            raise ValueError
        return found

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
