r"""Lines of RFC 5424: their fields, and the shapes of such lines for the quick way.

    <165>1 2003-10-11T22:14:15.003Z host app 1234 ID47 [exampleSDID@32473 iut="3"] text
    PRI  VERSION, TIME              HOST APP PID MSGID STRUCTURED-DATA             MSG       each may be `-`

A shape is all lines whose times have the same offset: an app writes few. What says where a line is from, HOST to MSGID,
is looked up as one text, as there are few of these, too; and structured data has shapes of its own, by the names in it.
More lenient than the standard is what is read: names of any length, offsets without a colon, nanoseconds, `]` without a
backslash in values, and messages without structured data before them, as Heroku sends them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import compress
from typing import Any, Final, NamedTuple

from logrouter.documents import Document, encode_document
from logrouter.memo import Memo
from logrouter.parsers import ParserConfig
from logrouter.parsers._instants import seconds_of_offset, utc_second, whole_seconds
from logrouter.parsers._priorities import JSON_OF_FACILITY, JSON_OF_LEVEL, named
from logrouter.parsers._shapes import Column, Shape, ShapedParser, escaped
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
    has_fraction: bool
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
    fields |= _origin(hostname, appname, procid, msgid)
    if data not in (None, NIL):
        fields["structured_data"] = _structured(data)
    return encode_document({name: value for name, value in fields.items() if value not in (None, "")})


def _origin(hostname: str, appname: str, procid: str, msgid: str) -> Document:
    words = {"hostname": hostname, "appname": appname, "procid": procid_of(procid), "msgid": msgid}
    return {name: word for name, word in words.items() if word != NIL}


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
    """The shape of a line that needs no escaping; None where it is no such line."""
    match = _LINE.fullmatch(line.decode("latin-1"))  # so that places are those of bytes
    if match is None:
        return None
    before = b"" if match[9] is None else _before(match[10])
    return _SHAPES[_Skeleton(match[4], match[3] not in (None, ""), before)]


def _before(message: str | None) -> bytes | None:
    if message is None:
        return None
    text = message.encode("latin-1")
    return next((b" " + left_out for left_out in (_MARK, b" ") if text.startswith(left_out)), b" ")


_QUICK_ELEMENT: Final = rb'\[[^ =\]"]++(?: [^ =\]"]++="[^"\\]*+")*+\]'
_QUICK_WORD: Final = b"[^ ]{1,255}+"
"""It is remembered, so it must not be long."""


def _shape(skeleton: _Skeleton) -> Shape:
    """Groups: priority, second and fraction, the words, the structured data, the message."""
    offset, has_fraction, before_message = skeleton
    expression, columns, group = b"<(0|[1-9][0-9]{0,2}+)>1 ", [], 1  # as `looks`, without a leading zero
    if offset is None:
        expression += b"-"
    else:
        expression += b"([0-9T:-]{19}%b)%b" % (rb"\.[0-9]++" if has_fraction else b"", re.escape(offset.encode()))
        columns.append(Column("time", at_once=whole_seconds(seconds_of_offset(offset)), group=1, part=b',"time":"%bZ"'))
        group = 2
    expression += b" (%b) " % b" ".join([_QUICK_WORD] * 4)
    columns.append(Column("level", JSON_OF_LEVEL.__getitem__, group=0))
    further = [
        Column("facility", is_json=True, at_once=_facilities, group=0),
        Column("", _WORDS.__getitem__, group=group, part=b"%b"),
    ]
    if before_message != b"":
        expression += b"(?:-|((?:%b)++))" % _QUICK_ELEMENT
        group += 1
        further.append(Column("", at_once=_data, group=group, part=b"%b"))
    if before_message is not None:
        not_before = {b"": rb"(?![-\[])", b" ": b"(?!%b| )" % _MARK}.get(before_message, b"")
        expression += before_message + not_before + (rb"([^\n]*+)" if before_message else rb"([^\n]++)")
        columns.append(Column("message", may_lack=True, at_once=escaped, group=group + 1))
    return Shape(expression, columns + further)


_SHAPES: Final = Memo(_shape, 256)


def _facilities(priorities: Sequence[bytes]) -> Sequence[bytes] | bytes:
    """An app has one, nearly always."""
    found = {JSON_OF_FACILITY[priority] for priority in set(priorities)}
    return found.pop() if len(found) == 1 else list(map(JSON_OF_FACILITY.__getitem__, priorities))


def _members(words: bytes) -> bytes:
    """Members of an object, with a comma before each."""
    fields = _origin(*words.decode().split(" "))
    return b"," + encode_document(fields)[1:-1] if fields else b""


_WORDS: Final = Memo(_members, 1024)


class _StructuredData(ShapedParser[ParserConfig]):
    """Of a line, and valid: makes an object of it, element by element."""

    def parse(self, line: bytes, received_ns: int) -> bytes:
        return encode_document(_structured(line.decode()))

    def shape_of(self, line: bytes) -> Shape | None:
        """By its names. None where one comes twice, or an element is empty."""
        pieces, parts, place = [], [], 0
        names: set[str] = set()
        elements: set[str] = set()
        json = b","
        for match in _ELEMENTS.finditer(line.decode("latin-1")):
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
            pieces.append(line[place:start])
            parts.append(b'%b%b"%%b"' % (json + b"," if len(names) > 1 else json, _key(name)))
            json, place = b"", end
        if not names:
            return None
        return _DATA_SHAPES[(*pieces, line[place:]), (*parts[:-1], parts[-1] + b"}")]


def _shape_of_data(skeleton: tuple[tuple[bytes, ...], tuple[bytes, ...]]) -> Shape:
    """Of what stands before each value, and at last behind them all; and of the JSON, cut behind each value."""
    pieces, parts = skeleton
    columns = [Column("", group=group, part=part) for group, part in enumerate(parts)]
    return Shape(rb'([^"\\]*+)'.join(map(re.escape, pieces)), columns)


_DATA_SHAPES: Final = Memo(_shape_of_data, 256)
_DATA: Final = _StructuredData(ParserConfig())


def _data(texts: Sequence[bytes]) -> Sequence[bytes] | bytes:
    """As a member of the object, with a comma before it; nothing where there is none."""
    there = list(filter(None, texts))
    if not there:
        return b""
    members = list(texts)
    made = filter(None, _DATA.parse_all(there, b"\n".join(there), 0))
    for place, each in zip(compress(range(len(texts)), texts), made, strict=True):
        members[place] = b',"structured_data":%b' % each
    return members


def _key(name: str) -> bytes:
    """A name and a colon, as a template."""
    return encode_document({name.encode("latin-1").decode(): 0})[1:-2].replace(b"%", b"%%")
