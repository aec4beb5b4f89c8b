"""Priorities of syslog by name: a facility and a level (RFC 5424, section 6.2.1).

Facilities are named as rsyslog names them; levels as everywhere in logrouter, so that a rule need not know the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from logrouter import severity
from logrouter.memo import Memo

FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "audit", "alert", "clock", *(f"local{number}" for number in range(8))),
)
"""By their numbers (https://www.rsyslog.com/doc/configuration/properties.html, syslogfacility-text)."""
LEVELS: Final = tuple(severity.name_of(severity.parse(number)) for number in range(8))
"""By their numbers, from fatal (which syslog calls emergency) to debug."""
_HIGHEST: Final = len(FACILITIES) * len(LEVELS) - 1

LEVELS_BY_WORD: Final[Mapping[str, str]] = {
    word: level
    for words, level in zip(
        ("emerg panic emergency", "alert", "crit critical", "err error", "warning warn", "notice", "info", "debug"),
        LEVELS,
        strict=True,
    )
    for word in words.split()
}
"""What syslog(3) and its daemons call them."""


def named(priority: str) -> tuple[str, str]:
    """Level and facility of the digits between `<` and `>`. Raises ValueError where there is no such priority."""
    number = int(priority)
    if number > _HIGHEST:
        raise ValueError
    return LEVELS[number % len(LEVELS)], FACILITIES[number // len(LEVELS)]


JSON_OF_LEVEL: Final = Memo[bytes, bytes](lambda digits: b'"%b"' % named(digits.decode())[0].encode(), _HIGHEST + 1)
JSON_OF_FACILITY: Final = Memo[bytes, bytes](lambda digits: b'"%b"' % named(digits.decode())[1].encode(), _HIGHEST + 1)
"""The same for ASCII, as JSON."""
