"""Times of lines as RFC 3339 in UTC: those with an offset, and local ones that may lack the year.

All are texts to the second, without `Z`: the fraction is put behind them with the digits that it has in the line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from operator import eq, itemgetter
from typing import Final

from logrouter import times
from logrouter.memo import Memo
from logrouter.parsers._dates import in_latest_year, utc_ns

_SECOND_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _SECOND_NS
_MEMORY: Final = 256


def utc_second(second: str, offset: str) -> str:
    """`2026-11-29T23:44:26`, `+01:00` → `2026-11-29T22:44:26`. Raises ValueError where it is no time."""
    return _UTC_SECONDS[second, offset]


def seconds_of_offset(offset: str) -> Memo[bytes, bytes]:
    """The same for many seconds of one offset, in ASCII."""
    return Memo(lambda second: utc_second(second.decode(), offset).encode(), _MEMORY)


def whole_seconds(seconds: Memo[bytes, bytes]) -> Callable[[Sequence[bytes]], Sequence[bytes]]:
    """The same for times with a fraction, which they keep: all at once, as many are of one second."""

    def in_utc(times: Sequence[bytes]) -> Sequence[bytes]:
        found = {second: seconds[second] for second in set(map(_SECOND, times))}
        if all(map(eq, found, found.values())):
            return times
        return [found[time[:_SECOND_BYTES]] + time[_SECOND_BYTES:] for time in times]

    return in_utc


_SECOND_BYTES: Final = len("2026-11-29T23:44:26")
_SECOND: Final = itemgetter(slice(_SECOND_BYTES))


def local_second(year: int, month: int, day: int, clock: str, zone: tzinfo) -> str:
    """2026, 11, 29, `23:44:26` → `2026-11-29T23:44:26`. Raises ValueError where it is no time."""
    return second_of(_ns(year, month, day, clock, zone))


def recent_second(month: int, day: int, clock: str, zone: tzinfo, received_ns: int) -> str:
    """The same without a year: the latest such time that is at most a day ahead of when it was received.

    So at New Year a clock may be ahead or a line late, and 29 February is that of the last leap year.
    """

    def of_year(year: int) -> int | None:
        try:
            return _ns(year, month, day, clock, zone)
        except ValueError:  # no leap year
            return None

    minute_ns = received_ns - received_ns % _MINUTE_NS  # what is found holds for all of it
    time_ns = in_latest_year(of_year, minute_ns)
    if time_ns is None:
        raise ValueError
    return second_of(time_ns)


class RecentSeconds(Memo[bytes, bytes]):
    """The same for many times, in ASCII."""

    def __init__(self, split: Callable[[str], tuple[int, int, str]], zone: tzinfo) -> None:
        """`split` takes a time apart, into month, day and clock. It raises ValueError where it is none."""
        super().__init__(self._recent, _MEMORY)
        self._split = split
        self._zone = zone
        self._received_ns = 0

    def received_at(self, received_ns: int) -> None:
        """What follows was read then."""
        if received_ns // _MINUTE_NS != self._received_ns // _MINUTE_NS:
            self.clear()
        self._received_ns = received_ns

    def _recent(self, time: bytes) -> bytes:
        return recent_second(*self._split(time.decode()), self._zone, self._received_ns).encode()


def second_of(time_ns: int) -> str:
    """Nanoseconds since 1970, to the second. Raises ValueError before the year 1 and after 9999."""
    text = times.format_rfc3339(time_ns - time_ns % _SECOND_NS)
    if len(text) != len("2026-11-29T22:44:26Z") or text.startswith("0000"):
        raise ValueError
    return text[:-1]


def _parsed(pair: tuple[str, str]) -> str:
    time_ns = times.parse("".join(pair))
    if time_ns is None:
        raise ValueError
    return second_of(time_ns)


_UTC_SECONDS: Final = Memo[tuple[str, str], str](_parsed, _MEMORY)


def _ns(year: int, month: int, day: int, clock: str, zone: tzinfo) -> int:
    """Raises ValueError. A leap second, `:60`, is the next minute's first."""
    hour, minute, second = map(int, clock.split(":"))
    is_leap = second == 60
    try:
        return utc_ns(datetime(year, month, day, hour, minute, second - is_leap), zone) + is_leap * _SECOND_NS
    except OverflowError as error:
        raise ValueError from error
