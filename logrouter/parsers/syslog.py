r"""Syslog: RFC 5424, RFC 3164 and its dialects, as daemons send them and as files have them.

    - parse: syslog
    < <34>1 - - su - - [a@9 b="3"] failed
    > {"level":"critical","message":"failed","facility":"auth","appname":"su","structured_data":{"a@9":{"b":"3"}}}
    < Nov 29 23:44:26 web7 sshd[812]: Accepted publickey
    > {"time":"2025-11-29T23:44:26Z","message":"Accepted publickey","hostname":"web7","appname":"sshd","procid":812}
    < *Mar  1 18:46:11.123 UTC: %SYS-5-CONFIG_I: Configured
    > {"time":"2026-03-01T18:46:11.123Z","level":"notice","message":"Configured","appname":"SYS","msgid":"CONFIG_I"}

It tells by the line what it is, with or without a priority. The fields are named as Vector names them; the structured
data is one object, so that no sender can write your `level`: `structured_data["exampleSDID@32473"].iut` in a rule. A
parameter that comes several times is a list. What is `-` is no field. The mark (BOM) before a message is left out, or
the blank that rsyslog puts there.

`level` is fatal (syslog's emergency), alert, critical, error, warning, notice, info or debug; a file without priorities
has none. `facility` is kern, user, mail, daemon, auth … local7.

A time without a year is the latest such time that is at most a day ahead; without a zone it is one of `timezone`, which
also says what the letters of a zone mean that several have, as CST. Of an hour that comes twice as clocks go back, the
first is taken.

The dialects: the time with a year, before or behind, with a fraction, or as RFC 3339 has it (rsyslog, journalctl); no
hostname (glibc); `<kern.crit>` and `daemon.info` (FreeBSD, BusyBox, OpenWrt); `app[12] <Notice>:` (macOS); a priority
and a text alone (systemd's `<3>`, which is a level only); devices of Cisco, with `sequence`, `uptime`, and
`device_time` where whoever wrote the line had a time of its own. Frames that are counted in octets are not lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from logrouter.parsers import Looks, ParserConfig, _rfc5424
from logrouter.parsers._dates import MONTHS, zone_named
from logrouter.parsers._rfc3164 import WITHOUT_PROCESS, Rfc3164
from logrouter.parsers._shapes import ESCAPED, Shape, ShapedParser

_MONTH: Final = "|".join(MONTHS)
_DATE: Final = rf"(?:{_MONTH}) [ 0-3]\d"
_CLOCK: Final = r"\d\d:\d\d:\d\d(?:\.\d++)?"
_WORDS: Final = r"[a-z][a-z0-7]{1,8}\.[a-z]{3,7}"
_TAG: Final = r"[^\s:\[\]]++(?:::[^\s:\[\]]++){0,3}(?:\[[^\s\[\]]++\](?::| <[A-Z][a-z]++>:| \()|:(?: |(?![^\n])))"
_OF_THE_DAEMON: Final = r"(?:[^\s\[\]<>:]++|---) (?:last message repeated |-- MARK --)"
_BEGIN: Final = "|".join(
    (
        r"<(?:1[0-8]\d|19[01]|[1-9]?\d)>",
        rf"{_DATE} {_CLOCK} (?:(?:<{_WORDS}> )?(?:[^\s\[\]<>:]++ )?(?:{_WORDS} )?{_TAG}|{_OF_THE_DAEMON})",
        # others begin so, too: only with a process, or of those who write none
        rf"\d{{4}}-\d\d-\d\dT{_CLOCK}(?:Z|[+-]\d\d:?\d\d) [\w.-]++ (?:{WITHOUT_PROCESS}|[^\s:\[\]]++\[\d++\]): ",
        rf"[A-Z][a-z]{{2}} {_DATE} {_CLOCK} \d{{4}} {_WORDS} {_TAG}",
        rf"(?:\d{{1,18}}: )?(?:[*.]?{_DATE} {_CLOCK}(?: [A-Z]{{3,5}})?: )?%[A-Z]\w{{1,31}}-[0-7]-\w{{1,64}}: ",
    )
)
"""A priority; what rsyslog and journalctl write; OpenWrt's; Cisco's."""


class SyslogConfig(ParserConfig, frozen=True, kw_only=True):
    """It needs no options."""

    timezone: str = "UTC"
    """The zone of times that do not say theirs, by its IANA name, such as `Europe/Stockholm`."""


class Syslog(ShapedParser[SyslogConfig]):
    """A line that begins as RFC 5424 has it is never taken for another."""

    Config = SyslogConfig
    looks = Looks(_BEGIN.encode(), rank=40)
    escaped = ESCAPED - {ord("\\")}  # which is in messages alone: they may be JSON

    def __init__(self, config: SyslogConfig) -> None:
        super().__init__(config)
        self._old = Rfc3164(zone_named(config.timezone))

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        text = line.decode("utf-8", "replace")
        if _IS_NEW.match(text):
            return _rfc5424.read(text)
        return self._old.read(text, received_ns)

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> Sequence[bytes | None]:
        self._old.recent.received_at(received_ns)
        return super().parse_all(lines, block, received_ns)

    def shape_of(self, line: bytes) -> Shape | None:
        return _rfc5424.shape_of(line) or self._old.shape_of(line)


_IS_NEW: Final = re.compile(r"<\d{1,3}>1 (?:-|\d{4}-\d\d-\d\dT)", re.ASCII)
