r"""Lines of RFC 5424: their fields, and the shapes of such lines for the quick way.

    <165>1 2003-10-11T22:14:15.003Z host app 1234 ID47 [exampleSDID@32473 iut="3"] text
    PRI  VERSION, TIME              HOST APP PID MSGID STRUCTURED-DATA             MSG       each may be `-`

A shape is all lines whose times have the same offset, with the same names in the same order in their structured data:
an app writes few. More lenient than the standard is what is read: names of any length, offsets without a colon,
nanoseconds, `]` without a backslash in values, and messages without structured data before them, as Heroku sends them.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from logrouter.documents import Document, encode_document
from logrouter.memo import Memo
from logrouter.parsers._instants import seconds_of_offset, utc_second
from logrouter.parsers._priorities import JSON_OF_FACILITY, JSON_OF_LEVEL, named
from logrouter.parsers._shapes import Column, Shape
from logrouter.parsers._types import json_of
from logrouter.possessive import portable

SECOND: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
FRACTION: Final = r"(?:\.\d++)?"
OFFSET: Final = r"(?:Z|[+-]\d\d:?\d\d)"
_ELEMENT: Final = r'\[[^\s=\]"]++(?: ++[^\s=\]"]++="(?:[^"\\]++|\\.)*+")*+ *+\]'
_LINE: Final = re.compile(
    portable(
        rf"<(\d{{1,3}})>1 (?:-|({SECOND})({FRACTION})({OFFSET})) (\S++) (\S++) (\S++) (\S++) "
        rf"(?:(-|(?:{_ELEMENT})++)(?: (.*))?|(?![-\[])(.+))"
    ),
    re.DOTALL | re.ASCII,
)
_ELEMENTS: Final = re.compile(portable(r'\[([^\s=\]"]++)| ([^\s=\]"]++)="((?:[^"\\]++|\\.)*+)"'), re.DOTALL | re.ASCII)
_ESCAPE: Final = re.compile(r'\\(["\\\]])')
_BEFORE: Final = re.compile("\\A(?:\ufeff| )")
"""What does not belong to a message: the mark of UTF-8, or the blank that rsyslog takes for a part of it."""
_MARK: Final = "\ufeff".encode()
NIL: Final = "-"


class _Skeleton(NamedTuple):
    """What the lines of a shape have in common."""

    offset: str | None
    """Of the time."""
    pieces: tuple[bytes, ...]
    """What stands before each value of the structured data, and at last what stands behind them all."""
    parts: tuple[bytes, ...]
    """The structured data as JSON, cut behind each value, which is `%b`."""
    before_message: bytes | None
    """A blank, and perhaps the mark or another one; None where there is no message, nothing where no data is either."""


def read(line: str) -> bytes | None:
    """The JSON object that a line stands for, or None."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    priority, second, fraction, offset, hostname, appname, procid, msgid, data, message, bare = match.groups()
    fields: dict[str, Any] = {"time": None}
    try:
        if second:
            fields["time"] = f"{utc_second(second, offset)}{fraction}Z"
        fields["level"], facility = named(priority)
    except ValueError:
        return None
    fields["message"] = bare or _BEFORE.sub("", message or "", count=1)
    fields["facility"] = facility
    words = {"hostname": hostname, "appname": appname, "procid": procid_of(procid), "msgid": msgid}
    fields |= {name: word for name, word in words.items() if word != NIL}
    if data not in (None, NIL):
        fields["structured_data"] = _structured(data)
    return encode_document({name: value for name, value in fields.items() if value not in (None, "")})


def procid_of(text: str) -> int | str:
    """A number where it is one: a process id."""
    return int(text) if _PID.fullmatch(text) else text


_PID: Final = re.compile("0|[1-9][0-9]{0,17}")
JSON_OF_PROCID: Final = json_of(procid_of)
"""The same for UTF-8, as JSON."""


def _structured(data: str) -> Document:
    """Element → parameter → value; of a parameter that comes several times, as `ip` of `origin` may, a list."""
    elements: Document = {}
    parameters: Document = {}
    for element, name, value in _ELEMENTS.findall(data):
        if element:
            parameters = elements.setdefault(element, {})
            continue
        text = _ESCAPE.sub(r"\1", value)
        if name not in parameters:
            parameters[name] = text
        elif isinstance(parameters[name], list):
            parameters[name].append(text)
        else:
            parameters[name] = [parameters[name], text]
    return elements


def shape_of(line: bytes) -> Shape | None:
    """The shape of a line that needs no escaping; None where it is no such line, or its structured data is odd."""
    match = _LINE.fullmatch(line.decode("latin-1"))  # so that places are those of bytes
    if match is None:
        return None
    offset, data, message = match[4], match[9], match[10]
    if data is None:
        return _SHAPES[_Skeleton(offset, (b"",), (), b"")]
    cut = _cut(data)
    return _SHAPES[_Skeleton(offset, *cut, _before(message))] if cut else None


def _before(message: str | None) -> bytes | None:
    if message is None:
        return None
    text = message.encode("latin-1")
    return next((b" " + left_out for left_out in (_MARK, b" ") if text.startswith(left_out)), b" ")


def _cut(data: str) -> tuple[tuple[bytes, ...], tuple[bytes, ...]] | None:
    """Pieces and parts of structured data; None where a name comes twice, or an element is empty."""
    if data == NIL:
        return (NIL.encode(),), ()
    pieces, parts, place = [], [], 0
    names: set[str] = set()
    elements: set[str] = set()
    json = b',"structured_data":{'
    for match in _ELEMENTS.finditer(data):
        element, name, _ = match.groups()
        seen, new = (elements, element) if name is None else (names, name)
        if new in seen or (name is None and elements and not names):
            return None
        seen.add(new)
        if name is None:
            json += b"%b%b{" % (b"}," if names else b"", _key(element))
            names = set()
            continue
        start, end = match.span(3)
        pieces.append(data[place:start].encode("latin-1"))
        parts.append(b'%b%b"%%b"' % (json + b"," if len(names) > 1 else json, _key(name)))
        json, place = b"", end
    if not names:
        return None
    pieces.append(data[place:].encode("latin-1"))
    return tuple(pieces), (*parts[:-1], parts[-1] + b"}}")


def _key(name: str) -> bytes:
    """A name and a colon, as a template."""
    return encode_document({name.encode("latin-1").decode(): 0})[1:-2].replace(b"%", b"%%")


def _shape(skeleton: _Skeleton) -> Shape:
    """Groups: priority, second and fraction, the words, the values of the structured data, the message."""
    offset, pieces, parts, before_message = skeleton
    expression, columns, group = b"<(0|[1-9][0-9]{0,2})>1 ", [], 1
    if offset is None:
        expression += b"-"
    else:
        expression += rb"([0-9T:-]{19})(\.[0-9]++)?" + re.escape(offset.encode())
        seconds = seconds_of_offset(offset)
        columns += [
            Column("time", seconds.__getitem__, group=1, part=b',"time":"%b'),
            Column("time", group=2, part=b'%bZ"'),
        ]
        group = 3
    words = [
        Column("hostname", may_lack=True, group=group),
        Column("appname", may_lack=True, group=group + 1),
        Column("procid", JSON_OF_PROCID, may_lack=True, group=group + 2),
        Column("msgid", may_lack=True, group=group + 3),
    ]
    group += len(words)
    values = [Column("structured_data", group=group + number, part=part) for number, part in enumerate(parts)]
    group += len(values)
    expression += len(words) * rb" (?:-(?= )|([#-\[\]-~]++))" + b" "
    expression += rb'([^"\\]*+)'.join(map(re.escape, pieces))
    columns.append(Column("level", JSON_OF_LEVEL.__getitem__, group=0))
    if before_message is not None:
        not_before = {b"": rb"(?![-\[])", b" ": b"(?!%b| )" % _MARK}.get(before_message, b"")
        expression += before_message + not_before + (rb"([^\n]*+)" if before_message else rb"([^\n]++)")
        columns.append(Column("message", may_lack=True, holds_quotes=True, group=group))
    columns.append(Column("facility", JSON_OF_FACILITY.__getitem__, group=0))
    return Shape(expression, columns + words + values)


_SHAPES: Final = Memo(_shape, 256)
