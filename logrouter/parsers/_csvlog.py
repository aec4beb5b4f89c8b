"""PostgreSQL's csvlog: 23 columns up to PostgreSQL 12, 24 in 13, 26 since 14. What is empty is in no quotation marks.

https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-CSVLOG; csvlog.c
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from logrouter.documents import Document
from logrouter.memo import Memo
from logrouter.parsers._local_times import LocalTimes
from logrouter.parsers._postgresql import NUMBERS, TIME, event_of, iso_text, number_of
from logrouter.parsers._shapes import Column, Shape
from logrouter.possessive import portable

_SESSION: Final = r"[\da-f]++\.[\da-f]++"
BEGINS: Final = rf'{TIME}(?:,(?:"(?:[^"\n]++|"")*+")?+){{2}},\d++,(?:"[^"\n]*+")?+,{_SESSION},\d++,'.encode()
"""Time, user, database, process, address, session, line: no other CSV begins so."""
_COLUMNS: Final = (
    "time", "user", "dbname", "pid", "connection_from", "session_id", "line_num", "ps", "session_start", "vxid",
    "txid", "level", "state_code", "message", "detail", "hint", "internal_query", "internal_position", "context",
    "statement", "cursor_position", "location", "application_name", "backend_type", "leader_pid", "query_id",
)  # fmt: skip
"""As jsonlog calls them. `connection_from` becomes two."""
_OLDEST_COLUMNS: Final = 23
_STATE_COLUMN: Final = _COLUMNS.index("state_code")
_PLAIN: Final = r'[^",\n\t]*+'
_STATE: Final = "[0-9A-Z]{5}"
_UNQUOTED: Final = {
    "time": TIME, "user": "", "dbname": "", "pid": r"\d++", "connection_from": "", "session_id": _SESSION,
    "line_num": r"\d++", "state_code": _STATE,
}  # fmt: skip
"""As `BEGINS` has it, and the state of SQL, which is told of every event."""
_FIRST: Final = ("time", "level", "message")
_VALUE: Final = re.compile(portable(r'(?:"((?:[^"]++|"")*+)"|([^",\n]*+))(,|\Z)'))
_BEGINS: Final = re.compile(portable(BEGINS.decode()), re.ASCII)


def csv_document(text: str, local: LocalTimes, *, is_local: bool) -> Document | None:
    """The fields of an event, or None."""
    said: dict[str, str] = {}
    for name, match in zip(_COLUMNS, _values(text), strict=False):
        value = match[2] or (match[1] or "").replace('""', '"')
        if name == "connection_from":
            host, colon, port = value.rpartition(":")
            said |= {"remote_host": host, "remote_port": port} if colon else {"remote_host": port}
        else:
            said[name] = value
    return event_of({name: value for name, value in said.items() if value}, local, is_local=is_local)


def _values(text: str) -> list[re.Match[str]]:
    """One for each column; none where it is not an event."""
    found: list[re.Match[str]] = []
    if _BEGINS.match(text) is None:
        return found
    place, end = 0, ","
    while end and len(found) < len(_COLUMNS):
        match = _VALUE.match(text, place)
        if match is None:
            return []
        found.append(match)
        place, end = match.end(), match[3]
    is_event = not end and len(found) >= _OLDEST_COLUMNS and re.fullmatch(_STATE, found[_STATE_COLUMN][2] or "")
    return found if is_event else []


class CsvShapes:
    """The quick way (`_shapes.py`): events are alike that have the same values in quotation marks."""

    def __init__(self, local: LocalTimes, *, is_local: bool) -> None:
        self._shapes = Memo(self._shape, 256)
        self._times = Memo[bytes, bytes](
            lambda text: msgspec.json.encode(local.utc_text(iso_text(text.decode(), is_local=is_local))), 4096
        )

    def of(self, line: str) -> Shape | None:
        """That of a line; None where it is no event."""
        marks = tuple(match[1] is not None for match in _values(line))
        return self._shapes[marks] if marks else None

    def _shape(self, marks: tuple[bool, ...]) -> Shape:
        pieces: list[str] = []
        names: list[str] = []
        for name, is_quoted in zip(_COLUMNS, marks, strict=False):
            if name == "connection_from" and is_quoted:
                pieces.append(r'"([^"\n\t]*):([^":\n\t]*+)"')
                names += ["remote_host", "remote_port"]
            else:
                pieces.append(r'"([^"\n\t]*+)"' if is_quoted else f"({_UNQUOTED.get(name, _PLAIN)})")
                names.append(name)
        order = sorted(range(len(names)), key=lambda n: _FIRST.index(names[n]) if names[n] in _FIRST else len(_FIRST))
        return Shape(",".join(pieces).encode(), [self._column(names[group], group) for group in order])

    def _column(self, name: str, group: int) -> Column:
        value: Callable[[bytes], bytes] | None = None
        if name == "time":
            value = self._times.__getitem__
        elif name in NUMBERS:
            value = _number_json
        return Column(name, value, may_lack=True, group=group)


def _number_json(text: bytes) -> bytes:
    return msgspec.json.encode(number_of(text.decode()))
