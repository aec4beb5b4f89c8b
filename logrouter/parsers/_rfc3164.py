r"""Lines of RFC 3164, and what is called so: what daemons, files and devices write since the eighties.

    <34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed for lonvick
    PRI STAMP           HOSTNAME  TAG     CONTENT                          each may lack

The priority lacks in files; the hostname where a program writes to /dev/log; the time where systemd passes on a line
(sd-daemon(3)); the tag in what network devices send. Then there are devices of Cisco, with a sequence number, their
own time, and a message that says what it is:

    <189>237: *Mar  1 18:46:11.123 UTC: %SYS-5-CONFIG_I: Configured from console
         seq  * clock not set           facility, level, mnemonic

The quick way is for the two formats that rsyslog and journalctl write, with and without a priority.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Any, Final

from logrouter.documents import encode_document
from logrouter.memo import Memo
from logrouter.parsers._instants import RecentSeconds, seconds_of_offset
from logrouter.parsers._lazy import LazyPattern
from logrouter.parsers._priorities import FACILITIES, JSON_OF_FACILITY, JSON_OF_LEVEL, LEVELS, LEVELS_BY_WORD, named
from logrouter.parsers._rfc5424 import JSON_OF_PROCID, procid_of
from logrouter.parsers._shapes import Column, Shape, escaped
from logrouter.parsers._stamps import STAMP, split_yearless, utc_text
from logrouter.possessive import portable

_FIELDS: Final = (
    *("time", "level", "message", "facility", "hostname", "appname", "procid", "msgid"),
    *("sequence", "uptime", "device_time"),
)
_PRIORITY: Final = re.compile(r"<(\d{1,3})>", re.ASCII)
_STAMP: Final = LazyPattern(STAMP + r"(?: |\Z)", re.ASCII)
WITHOUT_PROCESS: Final = "kernel|sudo|su|rsyslogd"
"""Those that write no process behind their names."""
_NO_HOST: Final = r"(?!(?i:trace|debug|info|notice|warn|warning|error|critical|fatal) |(?:19|20)[0-9]{2} |-)"
"""No host is called so: it is a line of an app, a year, or a word of the daemon's own."""
_HOSTNAME: Final = re.compile(rf""" ?{_NO_HOST}([^\s\[\]<>"']++) """, re.ASCII)
_TAG: Final = re.compile(
    portable(
        r"([^\s:\[\]]++(?::++[^\s:\[\]]++)*+)(?:\[([^\s\[\]]{1,64})\])?"
        r"(?:(?: <([A-Z][a-z]{1,15})>)?:(?: |\Z)|(?<=\]):|(?<=\]) (?=\())"
    ),
    re.ASCII,
)
"""A name, perhaps a process, and a colon. macOS puts a level before it, or the name of a service instead."""
_WORDS: Final = re.compile(r"(<)?([a-z][a-z0-7]{1,8})\.([a-z]{3,7})(?(1)>) ", re.ASCII)
"""Facility and level, as FreeBSD (`syslogd -vv`), BusyBox and OpenWrt write them."""
_DEVICE: Final = LazyPattern(
    r"(?:(?P<sequence>\d{1,18})?: )?(?:(?P<hostname>[^\s:%]{1,255}): )?"
    rf"(?:[*.]?(?P<stamp>{STAMP}) ?: |(?P<uptime>[0-9ywdhm]{{2,12}}|\d{{1,3}}:\d\d:\d\d): |: )?"
    r"%(?P<facility>[A-Za-z]\w{0,63}(?:-[A-Za-z]\w{0,63}){0,3})-(?P<level>[0-7])-(?P<mnemonic>\w{1,64}): ?(?P<text>.*)",
    re.ASCII | re.DOTALL,
)

# What of a line the quick way reads: no more than `_read_origin` and `_TAG` take for the same.
_QUICK_PRIORITY: Final = b"<(0|[1-9][0-9]{0,2})>"
_QUICK_YEARLESS: Final = b"([A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8})"
_QUICK_SECOND: Final = b"([0-9T:-]{19})"
_QUICK_FRACTION: Final = rb"(\.[0-9]++)?"
_QUICK_HOSTNAME: Final = b" " + _NO_HOST.encode() + b"([A-Za-z0-9_][A-Za-z0-9_.-]*+) "
_QUICK_TAG: Final = b"[A-Za-z_/(][A-Za-z0-9_./()@+-]*+"
_QUICK_OWN_TAG: Final = rb"(?:%b)(?=:)|%b(?=\[)" % (WITHOUT_PROCESS.encode(), _QUICK_TAG)
_QUICK_REST: Final = rb"(?:\[([0-9]{1,18})\])?: ([^\n]*+)"


class Rfc3164:
    """Their times are local ones of a zone. Immutable but for what it remembers."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self.recent = RecentSeconds(split_yearless, zone)
        """The times of lines that go the quick way."""
        self._shapes = Memo[tuple[bool, bytes | None, bool], Shape](self._shape, 64)

    def read(self, line: str, received_ns: int) -> bytes | None:
        """The JSON object that a line stands for, or None."""
        fields: dict[str, Any] = dict.fromkeys(_FIELDS)
        try:
            if not self._read(fields, line, received_ns):
                return None
        except ValueError:  # a priority or a time that is none
            return None
        return encode_document({name: value for name, value in fields.items() if value not in (None, "")})

    def _read(self, fields: dict[str, Any], line: str, received_ns: int) -> bool:
        place = 0
        if priority := _PRIORITY.match(line):
            fields["level"], fields["facility"] = named(priority[1])
            place = priority.end()
        if stamp := _STAMP.pattern.match(line, place):
            fields["time"] = utc_text(stamp, self._zone, received_ns)
            place = _read_origin(fields, line, stamp)
        device = _DEVICE.pattern.fullmatch(line, place)
        if device and not (stamp and device["hostname"]):
            self._read_device(fields, device, received_ns)
            return True
        if stamp:
            _read_content(fields, line, place)
            return bool(priority or stamp["month"] or (fields["hostname"] and fields["appname"]))
        if priority:
            _read_passed_on(fields, line, place, int(priority[1]))
        return priority is not None

    def _read_device(self, fields: dict[str, Any], device: re.Match[str], received_ns: int) -> None:
        if device["stamp"]:
            if fields["time"]:
                fields["device_time"] = device["stamp"]
            else:
                fields["time"] = utc_text(device, self._zone, received_ns)
        fields["level"] = LEVELS[int(device["level"])]
        fields["message"] = device["text"]
        fields["hostname"] = fields["hostname"] or device["hostname"]
        fields["appname"], fields["msgid"] = device["facility"], device["mnemonic"]
        fields["sequence"] = device["sequence"] and int(device["sequence"])
        fields["uptime"] = device["uptime"]

    def shape_of(self, line: bytes) -> Shape | None:
        """The shape that a line that needs no escaping may be of; None where it goes the careful way."""
        match = _SHAPED.match(line)
        if match is None:
            return None
        priority, offset, own_tag = match.groups()
        return self._shapes[priority is not None, offset, own_tag is not None]

    def _shape(self, key: tuple[bool, bytes | None, bool]) -> Shape:
        """Groups: the priority if there is one, second and fraction, hostname, tag, process, message."""
        has_priority, offset, has_own_tag = key
        first = int(has_priority)
        expression = _QUICK_PRIORITY if has_priority else b""
        expression += (_QUICK_YEARLESS if offset is None else _QUICK_SECOND) + _QUICK_FRACTION
        tag = _QUICK_OWN_TAG if has_own_tag else _QUICK_TAG
        expression += re.escape(offset or b"") + rb"%b(%b)%b" % (_QUICK_HOSTNAME, tag, _QUICK_REST)
        seconds = self.recent if offset is None else seconds_of_offset(offset.decode())
        columns = [
            Column("time", seconds.__getitem__, group=first, part=b',"time":"%b'),
            Column("time", group=first + 1, part=b'%bZ"'),
            Column("level", JSON_OF_LEVEL.__getitem__, group=0),
            Column("message", may_lack=True, at_once=escaped, group=first + 5),
            Column("facility", JSON_OF_FACILITY.__getitem__, group=0),
            Column("hostname", group=first + 2),
            Column("appname", group=first + 3),
            Column("procid", JSON_OF_PROCID, may_lack=True, group=first + 4),
        ]
        of_priority = ("level", "facility")
        return Shape(expression, [column for column in columns if has_priority or column.name not in of_priority])


_SHAPED: Final = re.compile(
    rb"(<[0-9]{1,3}>)?(?:[A-Z][a-z]{2} [ 0-9][0-9] "
    rb"|[0-9-]{10}T[0-9:]{8}(?:\.[0-9]++)?(Z|[+-][0-9]{2}:?[0-9]{2}) (?:[^ ]++ ((?:%b):|[^ :\[]++\[))?)"
    % WITHOUT_PROCESS.encode()
)
"""A priority; of a time that others write, too, the offset, and whether the tag is one of those of syslog alone."""


def _read_origin(fields: dict[str, Any], line: str, stamp: re.Match[str]) -> int:
    """Where a line is from; the place of what follows."""
    place = stamp.end()
    words = _WORDS.match(line, place)
    if words and (words[1] or stamp["weekday"]):
        place = _read_words(fields, words) or place
    if _TAG.match(line, place):
        return place
    if hostname := _HOSTNAME.match(line, place):
        fields["hostname"] = hostname[1]
        place = hostname.end()
        if words := _WORDS.match(line, place):
            place = _read_words(fields, words) or place
    return place


def _read_words(fields: dict[str, Any], words: re.Match[str]) -> int | None:
    """Where they end; None where they are no facility and level."""
    _, facility, level = words.groups()
    if facility not in FACILITIES or level not in LEVELS_BY_WORD:
        return None
    fields["facility"], fields["level"] = facility, LEVELS_BY_WORD[level]
    return words.end()


def _read_content(fields: dict[str, Any], line: str, place: int) -> None:
    if tag := _TAG.match(line, place):
        _read_tag(fields, tag)
        place = tag.end()
    fields["message"] = line[place:]


def _read_tag(fields: dict[str, Any], tag: re.Match[str]) -> None:
    fields["appname"] = tag[1]
    fields["procid"] = tag[2] and procid_of(tag[2])
    fields["level"] = fields["level"] or LEVELS_BY_WORD.get((tag[3] or "").lower())


def _read_passed_on(fields: dict[str, Any], line: str, place: int, priority: int) -> None:
    """Of a line without a time: of sd-daemon(3), whose priorities are levels alone, or of a device."""
    if priority < len(LEVELS):
        fields["facility"] = None
    tag = _TAG.match(line, place)
    if tag and tag[2]:  # without a process it may be the beginning of a sentence
        _read_tag(fields, tag)
        place = tag.end()
    fields["message"] = line[place:]
