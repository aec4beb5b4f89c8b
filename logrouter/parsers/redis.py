r"""The log of Redis and Valkey.

    - parse: redis
    < 1234:M 29 Nov 2026 23:44:26.123 * DB saved on disk
    > {"time":"2026-11-29T23:44:26.123Z","level":"notice","message":"DB saved on disk","pid":1234,"role":"master"}

Of the signs for levels `.` is `debug`, `-` (which Redis calls verbose) `info`, `*` `notice` and `#` `warning`. `role`
is `master`, `replica`, `child` (it writes a file) or `sentinel`. Times are local to the server, whose zone `timezone`
tells; of old versions they have no year: it is the last possible one. Of Valkey also those of `log-timestamp-format
iso8601` and `milliseconds` are read; its `log-format logfmt` is for the parser `logfmt`.
"""

from __future__ import annotations

from typing import Final

from logrouter import times
from logrouter.parsers._dates import MONTHS
from logrouter.parsers._layouts import CLOCK, Kind, Layout, LayoutsConfig, LayoutsParser, iso_time, looks_of

LEVELS: Final = {".": "debug", "-": "info", "*": "notice", "#": "warning"}
"""https://github.com/redis/redis, src/server.c, serverLogRaw."""
ROLES: Final = {"M": "master", "S": "replica", "C": "child", "X": "sentinel"}
"""https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/, and serverLogRaw."""


def _iso(text: str) -> str:
    day, month, *year, clock = text.split(" ")
    return f"{year[0] if year else '-'}-{MONTHS[month]}-{day}T{clock}"


def _of_milliseconds(text: str) -> str:
    return times.format_rfc3339(int(text) * 1_000_000)


_DAY: Final = rf"\d\d (?:{'|'.join(MONTHS)})"
_KINDS: Final = {
    "level": Kind(r"[.*#\-]", LEVELS.__getitem__),
    "role": Kind("[MSCX]", ROLES.__getitem__),
    "legacy": iso_time(rf"{_DAY} \d{{4}} {CLOCK}", _iso),
    "yearless": iso_time(f"{_DAY} {CLOCK}", _iso, is_cut_short=True),
    "milliseconds": iso_time(r"[1-9]\d{11,12}", _of_milliseconds),
}
LAYOUTS: Final = [
    Layout(f"<pid>:<role> <{time}> <level> <message>", _KINDS)
    for time in ("time:legacy", "time:yearless", "time:milliseconds", "time")
]


class Redis(LayoutsParser[LayoutsConfig]):
    """Reads the prefix of serverLogRaw."""

    Config = LayoutsConfig
    layouts = LAYOUTS
    looks = looks_of(LAYOUTS, 20)
