"""Lines for people on a terminal: time (UTC), severity, message, then the other fields.

    11:32:06.004Z WARNING  slow query  duration_ms=2041 http.status=200 tags=["db"]
    11:32:06.011Z ERROR    payment failed  trace_id=4bf92f35
        Traceback (most recent call last):
          File "pay.py", line 7, in charge

A log line cannot drive the terminal: control characters, and those that reverse or hide text, are escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

from logrouter import severity, times
from logrouter.documents import Document
from logrouter.formats.events import documents, flat_fields
from logrouter.formats.include import Include
from logrouter.formats.values import compact, escape_controls
from logrouter.references import MISSING, Field, lookup

if TYPE_CHECKING:
    from logrouter.batch import Slice

MESSAGE_KEYS: Final = ("message", "msg", "event", "text", "log")
"""Where the message is looked for: the first that holds a string."""

_DAY_NS = 86_400 * 10**9
_INDENT = "\n    "
_WIDTH = max(map(len, severity.NAMES))
_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_COLOURS = {
    "trace": "\x1b[2m",
    "debug": "\x1b[36m",
    "info": "\x1b[32m",
    "notice": "\x1b[34m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
    "alert": "\x1b[1;31m",
    "fatal": "\x1b[1;37;41m",
}


def pretty_lines(part: Slice, include: Include, colour: bool = False) -> bytes:
    """All events of a slice for people."""
    paint = _painted if colour else _plain
    lines = [_line(document, include.reserved, part.time_ns, paint) for document in documents(part, include)]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _line(rest: Document, reserved: Collection[str], otherwise_ns: int, paint: Callable[[str, str], str]) -> str:
    time = _clock(_take_time(rest, otherwise_ns))
    level = _take_severity(rest)
    message, *more = _take_message(rest)
    fields, blocks = _fields(rest, reserved)
    line = f"{paint(_DIM, time)} {paint(_COLOURS.get(level, ''), level.upper().ljust(_WIDTH))} "
    line += paint(_BOLD, message) if level in ("critical", "alert", "fatal") else message
    if fields:
        line += "  " + " ".join(f"{paint(_DIM, key + '=')}{value}" for key, value in fields)
    return _INDENT.join([line.rstrip(), *more, *blocks])


def _take_time(rest: Document, otherwise_ns: int) -> int:
    for field in times.FIELDS:
        found = times.parse(lookup(rest, field.path))
        if found is not None:
            _drop(rest, field)
            return found
    return otherwise_ns


def _take_severity(rest: Document) -> str:
    for field in severity.FIELDS:
        number = severity.parse(lookup(rest, field.path))
        if number is not MISSING:
            _drop(rest, field)
            return severity.name_of(number)
    return ""


def _take_message(rest: Document) -> list[str]:
    """The lines of the message; one empty line where there is none."""
    for key in MESSAGE_KEYS:
        if isinstance(rest.get(key), str):
            return [escape_controls(line) for line in rest.pop(key).split("\n")]
    return [""]


def _fields(rest: Document, reserved: Collection[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The other fields: those of one line as (key, value), and the lines of those that have several."""
    fields: list[tuple[str, str]] = []
    blocks: list[str] = []
    for name, value in flat_fields(rest, reserved, 1, _name).items():
        if isinstance(value, str) and "\n" in value.strip():
            blocks += [f"{name}:", *(f"  {escape_controls(line)}" for line in value.strip("\n").split("\n"))]
        else:
            fields.append((name, _value(value)))
    return fields, blocks


def _name(key: str) -> str:
    return escape_controls(key).replace("\t", "\\t")


def _value(value: Any) -> str:
    if isinstance(value, str) and value and not any(mark in value for mark in ' ="\t'):
        return escape_controls(value)
    return escape_controls(compact(value))


def _clock(time_ns: int) -> str:
    milliseconds = time_ns % _DAY_NS // 10**6
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}Z"


def _drop(rest: Document, field: Field) -> None:
    """Take out a field that is shown elsewhere, where it has no object around it."""
    rest.pop(".".join(field.path), None)


def _painted(colour: str, text: str) -> str:
    return f"{colour}{text}{_RESET}" if colour and text else text


def _plain(colour: str, text: str) -> str:
    return text
