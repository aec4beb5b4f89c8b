"""What PostgreSQL's three ways of logging have in common, names and zones; its stderr, and its jsonlog.

https://www.postgresql.org/docs/current/runtime-config-logging.html; src/backend/utils/error/elog.c, jsonlog.c
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from logrouter import times
from logrouter.documents import Document, decode_document
from logrouter.parsers._dates import ZONES
from logrouter.parsers._layouts import Kind, Layout, iso_time, number
from logrouter.parsers._local_times import LocalTimes

_ABBREVIATIONS: Final[Mapping[str, str]] = {
    **ZONES, "BST": "+01:00", "IST": "+02:00", "SGT": "+08:00", "HKT": "+08:00", "KST": "+09:00", "NZST": "+12:00",
    "NZDT": "+13:00", "AST": "-04:00", "ADT": "-03:00", "AKST": "-09:00", "AKDT": "-08:00", "HST": "-10:00",
}  # fmt: skip
"""src/timezone/tznames/Default. What is not there is local to `timezone`."""
_NUMERIC_ZONE: Final = re.compile(r"([+-]\d\d):?(\d\d)?(?::?\d\d)?")
TIME: Final = r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?+ (?:[A-Z]{2,6}|[+-]\d\d(?::?\d\d)?)"
_LEVELS: Final = (
    "DEBUG1|DEBUG2|DEBUG3|DEBUG4|DEBUG5|DEBUG|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC|DETAIL|HINT|QUERY|CONTEXT|"
    "LOCATION|STATEMENT|BACKTRACE"
)


def iso_text(text: str, *, is_local: bool) -> str:
    """`2026-11-29 23:44:26.123 CET` as `LocalTimes` reads it. `is_local`: names of zones say nothing."""
    clock, _, zone = text.rpartition(" ")
    if match := _NUMERIC_ZONE.fullmatch(zone):
        return f"{clock}{match[1]}:{match[2] or '00'}"
    offset = _ABBREVIATIONS.get(zone, "")
    return clock + (offset if not is_local or offset == "Z" else "")


_UNKNOWN: Final = "[unknown]"
NUMBERS: Final = frozenset({
    "pid", "leader_pid", "line_num", "remote_port", "txid", "query_id", "internal_position", "cursor_position",
    "file_line_num",
})  # fmt: skip
_INTEGER: Final = "0|-?[1-9][0-9]{0,18}"


def _known(text: str) -> str | None:
    return text if text != _UNKNOWN else None


def _iso_of_epoch(text: str) -> str:
    return times.format_rfc3339(int(text.replace(".", "")) * 1_000_000)


def _kinds(*, is_local: bool) -> dict[str, Kind]:
    return {
        "time": iso_time(TIME, partial(iso_text, is_local=is_local)),
        "epoch": iso_time(r"[1-9]\d{9}\.\d{3}", _iso_of_epoch),
        "level": Kind(_LEVELS),
        "session_start": Kind(TIME),
        "backend_type": Kind(r"[a-z]++(?: [a-z]++)*+"),
        "session_id": Kind(r"[\da-f]++\.[\da-f]++"),
        "vxid": Kind(r"(?:[\d-]++/\d++)?+"),
        "state_code": Kind("[0-9A-Z]{5}"),
        "user": _NAME,
        "dbname": _NAME,
        "application_name": Kind(r'(?:\[unknown\]|[^",\n\t=\]]*+)', _known),
        "remote_host": _HOST,
        "local_host": _HOST,
        "short": Kind(r"[ !#-~]{0,64}?", _known),  # a name of at most 63 characters, of ASCII
        **{name: number(_INTEGER) for name in NUMBERS},
    }


_NAME: Final = Kind(r'(?:\[unknown\]|[^\s"\[\]@,:=()]*+)', _known)
_HOST: Final = Kind(r"\[local\]|[\w.:%-]*")

# ── stderr ──

_SEVERITY: Final = "<level>:  (?:<state_code>: )?+<message>"
_SESSION: Final = "user=<user>,db=<dbname>(?:,app=<application_name>)?+(?:,client=<remote_host>)?+"
_USUAL: Final = (
    # src/backend/utils/misc/postgresql.conf.sample: '%m [%p] '; Debian: '%m [%p] %q%u@%d '; CloudNativePG
    rf"<time> \[<pid>\] (?:<user>@<dbname> |\[{_SESSION}\] )?+",
    # https://pgbadger.darold.net/documentation.html: '%t [%p]: user=%u,db=%d,app=%a,client=%h ', with [%l-1] before
    rf"<time> \[<pid>\]: (?:\[<line_num>-\d++\] )?+(?:{_SESSION} )?+",
    # Google Cloud SQL: '%m [%p]: [%l-1] db=%d,user=%u '
    r"<time> \[<pid>\]: \[<line_num>-\d++\] db=<dbname>,user=<user> ",
    # Amazon RDS: '%t:%r:%u@%d:[%p]:'
    r"<time>:<remote_host>(?:\(<remote_port>\))?:<user>@<dbname>:\[<pid>\]:",
    # Azure: '%t-%c-'
    "<time>-<session_id>-",
    "<time> ",
)


def usual_layouts(*, is_local: bool) -> list[Layout]:
    """Those that users have without choosing."""
    kinds = _kinds(is_local=is_local)
    return [Layout(prefix + _SEVERITY, kinds) for prefix in _USUAL]


_ESCAPES: Final[Mapping[str, str]] = {
    "a": "<application_name:short>", "u": "<user:UNTIL>", "d": "<dbname:UNTIL>", "i": "<ps:UNTIL>",
    "h": "<remote_host>", "L": "<local_host>", "r": r"<remote_host>(?:\(<remote_port>\))?", "b": "<backend_type>",
    "p": "<pid>", "P": "(?:<leader_pid>)?+", "t": "<time>", "m": "<time>", "n": "<time:epoch>", "e": "<state_code>",
    "c": "<session_id>",
    "l": "<line_num>", "s": "<session_start>", "v": "<vxid>", "x": "<txid>", "Q": "<query_id>", "%": "%",
}  # fmt: skip
"""https://www.postgresql.org/docs/current/runtime-config-logging.html#GUC-LOG-LINE-PREFIX"""
_ESCAPE: Final = re.compile(r"%(-?\d+)?(.)|%\Z", re.DOTALL)


def layout_of_prefix(prefix: str, *, is_local: bool) -> Layout:
    """The layout of lines with such a `log_line_prefix`. Raises ValueError where it is none."""
    kinds = _kinds(is_local=is_local)
    always, _, of_sessions = prefix.partition("%q")
    text = _expression(always, kinds)
    if of_sessions:
        text += f"(?:{_expression(of_sessions, kinds)})?"
    return Layout(text + _SEVERITY, kinds)


def _expression(prefix: str, kinds: dict[str, Kind]) -> str:
    """The expression, and in `kinds` those of fields that may hold anything but what follows them."""
    written, place = "", 0
    for match in _ESCAPE.finditer(prefix):
        width, letter = match.groups()
        if letter not in _ESCAPES:
            raise ValueError(f"log_line_prefix: PostgreSQL knows no {match[0]!r}")
        until = prefix[match.end() : match.end() + 1].replace("%", "") or " "
        kinds[f"until_{ord(until)}"] = Kind(rf'(?:\[unknown\]|[^"\n\t{re.escape(until)}]*+)', _known)
        padding = " *+" if width else ""
        field = _ESCAPES[letter].replace("UNTIL", f"until_{ord(until)}")
        field = field + padding if width and width[0] == "-" else padding + field
        written += re.escape(prefix[place : match.start()]) + field
        place = match.end()
    return written + re.escape(prefix[place:])


# ── jsonlog ──


def json_document(text: str, local: LocalTimes, *, is_local: bool) -> Document | None:
    """The fields of an event of jsonlog, or None."""
    try:
        said = decode_document(text.encode())
    except (ValueError, RecursionError):
        return None
    time, level = said.pop("timestamp", None), said.pop("error_severity", None)
    if not isinstance(time, str) or not isinstance(level, str):
        return None
    return event_of({"time": time, "level": level, **said}, local, is_local=is_local)


def event_of(said: Mapping[str, Any], local: LocalTimes, *, is_local: bool) -> Document | None:
    """Time, level and message first, the time in UTC, and numbers for what are numbers; None where there is no time."""
    document = {name: said[name] for name in ("time", "level", "message") if name in said}
    document |= said
    try:
        document["time"] = local.utc_text(iso_text(said.get("time", ""), is_local=is_local))
    except ValueError:
        return None
    for name in NUMBERS & document.keys():
        document[name] = number_of(document[name])
    return document


def number_of(value: Any) -> Any:
    """A text that is an integer as one; all else as it is."""
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


_NUMBER: Final = re.compile(_INTEGER)
