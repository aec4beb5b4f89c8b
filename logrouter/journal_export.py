"""The journal's export format to events: what `journalctl -o export` writes, and journal gateways serve.

    __CURSOR=s=…;i=1f;b=…⏎           where the entry stands in the journal: not fields of its own, but its address
    __REALTIME_TIMESTAMP=17…⏎
    PRIORITY=6⏎                      name, =, value
    MESSAGE⏎                         a value of several lines, or one that is no text: the name,
    ┌───────────────┬───────┬─┐      how long the value is (8 bytes, little-endian), and the value
    │ length        │ value │⏎│
    └───────────────┴───────┴─┘
    ⏎                                the end of the entry

(https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-export-format)

Nearly every entry is text alone: it is found by its end, decoded and taken apart by a handful of calls. What is not
(a line without `=`, a name twice, bytes that are not UTF-8), and what is longer than `WHOLE_BYTES`, is read field by
field, as it comes. No more of an entry than `max_entry_bytes` of its values is ever held: an application may write
hundreds of megabytes into one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from logrouter import severity
from logrouter.documents import encode_document
from logrouter.framing import NOTHING, Frame, LineFraming
from logrouter.times import format_rfc3339

Fields = dict[str, str | list[str]]
"""The fields of an entry, with its address. A list: the values of a name that stands in it several times."""

WHOLE_BYTES: Final = 64 * 1024
"""Longer entries are read field by field before their end has come: journald cuts the lines of apps at 48 KiB."""
LONGEST_VALUE_BYTES: Final = 768 * 1024 * 1024
"""What journald takes (DATA_SIZE_MAX): what seems to be longer is not this format."""
LONGEST_NAME_BYTES: Final = 256
"""Those of apps have 64 at most."""
_LENGTH_BYTES: Final = 8

_ADDRESS: Final = ("__MONOTONIC_TIMESTAMP", "__SEQNUM", "__SEQNUM_ID")
_SEVERITIES: Final = {str(level): severity.name_of(severity.parse(level)) for level in range(8)}
"""By what syslog and the journal call PRIORITY."""


class Entry(NamedTuple):
    """One entry of the journal."""

    cursor: str
    """Its place, as journalctl takes it. Empty where it has none."""
    payload: bytes
    """A JSON object."""


class ExportParser:
    """Takes the bytes of an export as they come. When they end in the midst of an entry, that is not given out."""

    def __init__(self, max_entry_bytes: int) -> None:
        """`max_entry_bytes`: the values of an entry are cut where all together are longer, and than `WHOLE_BYTES`."""
        self._cut_bytes = 0
        self._max_entry_bytes = max(max_entry_bytes, WHOLE_BYTES)
        self._held = b""
        """The beginning of an entry, or of a field of the one that is read field by field."""
        self._long: _LongEntry | None = None

    def take_cut_bytes(self) -> int:
        """How much was cut off since this was asked last."""
        cut_bytes, self._cut_bytes = self._cut_bytes, 0
        return cut_bytes

    def feed(self, data: bytes) -> Iterator[Fields]:
        """The entries that are completed by these bytes. Raises ValueError where it is not this format."""
        data = self._held + data if self._held else data
        start = 0
        while start < len(data):
            if self._long is None:
                end = data.find(b"\n\n", start, start + WHOLE_BYTES)
                if end >= 0 and (fields := _text_fields(data[start:end])) is not None:
                    yield fields
                    start = end + 2
                    continue
                if end < 0 and len(data) - start < WHOLE_BYTES:
                    break
                self._long = _LongEntry(self._max_entry_bytes)
            taken = self._long.take(data, start)
            if taken == start:
                break
            start = taken
            if self._long.is_complete:
                yield from self._complete(self._long)
        self._held = data[start:]

    def _complete(self, entry: _LongEntry) -> Iterator[Fields]:
        self._long = None
        self._cut_bytes += entry.cut_bytes
        if entry.fields:
            yield entry.fields


class _LongEntry:
    """An entry that is read field by field."""

    def __init__(self, room_bytes: int) -> None:
        self.fields: Fields = {}
        self.is_complete = False
        self.cut_bytes = 0
        self._room_bytes = room_bytes
        self._name = ""
        """Whose value is being read."""
        self._value: list[bytes] = []
        self._left_bytes: int | None = None
        """Of the value, where its length is known."""

    def take(self, data: bytes, start: int) -> int:
        """Read on from `start`, one field or a part of it. Gives the place behind: the same where more is needed."""
        if self._name:
            return self._take_value(data, start)
        end = data.find(b"\n", start)
        if end == start:
            self.is_complete = True
            return end + 1
        equals = data.find(b"=", start, end if end >= 0 else len(data))
        if equals >= 0:
            self._name, self._left_bytes = _name(data[start:equals]), None
            return equals + 1
        if end < 0:
            _name(data[start:])  # it may go on, but not like this
            return start
        name, value_start = _name(data[start:end]), end + 1 + _LENGTH_BYTES
        if len(data) < value_start:
            return start
        self._name, self._left_bytes = name, int.from_bytes(data[end + 1 : value_start], "little")
        if self._left_bytes > LONGEST_VALUE_BYTES:
            raise ValueError(f"a value of {self._left_bytes} bytes")
        return value_start

    def _take_value(self, data: bytes, start: int) -> int:
        if self._left_bytes is None:
            end = data.find(b"\n", start)
            is_whole = end >= 0
            end = end if is_whole else len(data)
        else:
            end = min(len(data), start + self._left_bytes)
            self._left_bytes -= end - start
            is_whole = self._left_bytes == 0 and len(data) > end
            if is_whole and data[end] != _NEWLINE:
                raise ValueError("a value is longer than its length")
        self._keep(data[start:end])
        if not is_whole:
            return end
        _add(self.fields, self._name, b"".join(self._value).decode("utf-8", "replace"))
        self._name, self._value = "", []
        return end + 1

    def _keep(self, piece: bytes) -> None:
        kept = piece[: self._room_bytes]
        self._room_bytes -= len(kept)
        self.cut_bytes += len(piece) - len(kept)
        if kept:
            self._value.append(kept)


_NEWLINE: Final = ord("\n")


def _text_fields(block: bytes) -> Fields | None:
    """The fields of an entry that is text alone, each name once; None where it is not."""
    try:
        lines = block.decode().split("\n")
        # What is no pair raises ValueError.
        fields: dict[str, Any] = dict([line.split("=", 1) for line in lines])
    except ValueError:
        return None
    return fields if len(fields) == len(lines) else None


def _name(name: bytes) -> str:
    if len(name) > LONGEST_NAME_BYTES or not name.replace(b"_", b"A").isalnum():
        raise ValueError(f"a field cannot be called {name[:64]!r}")
    return name.decode()


def _add(fields: Fields, name: str, value: str) -> None:
    before = fields.get(name)
    if before is None:
        fields[name] = value
    elif isinstance(before, list):
        before.append(value)
    else:
        fields[name] = [before, value]


def entry_of(fields: Fields) -> Entry:
    """The event that an entry makes; its fields are used up.

    `time`, `severity` and `message` come of the journal's own names, and all other fields stand as they are. The time
    is the one that journalctl shows: when the entry was sent, where that is known, else when journald received it.
    """
    cursor = fields.pop("__CURSOR", "")
    received = fields.pop("__REALTIME_TIMESTAMP", "")
    for name in _ADDRESS:
        fields.pop(name, None)
    document: dict[str, object] = {}
    if time := _time(fields.get("_SOURCE_REALTIME_TIMESTAMP", "")):
        document["time"] = time
        del fields["_SOURCE_REALTIME_TIMESTAMP"]
    elif time := _time(received):
        document["time"] = time
    priority = fields.get("PRIORITY", "")
    if priority.__class__ is str and priority in _SEVERITIES:
        document["severity"] = _SEVERITIES[priority]
        del fields["PRIORITY"]
    if (message := fields.pop("MESSAGE", None)) is not None:
        document["message"] = message
    document.update(fields)
    return Entry(str(cursor), encode_document(document))


def _time(microseconds: str | list[str]) -> str | None:
    if isinstance(microseconds, list) or not (microseconds.isascii() and microseconds.isdigit()):
        return None
    return format_rfc3339(int(microseconds) * 1000) if len(microseconds) <= 17 else None


def sequence_of(cursor: str) -> tuple[str, int] | None:
    """Which numbering of entries a cursor is of, and its number there: each entry has the next. None: not told."""
    parts = dict(part.split("=", 1) for part in cursor.split(";") if "=" in part)
    try:
        return parts["s"], int(parts["i"], 16)
    except (KeyError, ValueError):
        return None


def is_same_entry(cursor: str, other: str) -> bool:
    """Whether both are of one entry, though it may have been copied: journald moves what it has from /run to /var.

    Numbers are given anew then; boot, time and the hash of its fields stay.
    """
    return cursor == other or (";b=" in cursor and cursor.partition(";b=")[2] == other.partition(";b=")[2])


class JournalFraming:
    """Entries to lines, each a JSON object. Where one is longer than `max_line` it is cut in pieces as any line is."""

    def __init__(self, max_line_bytes: int, behind: str = "") -> None:
        """`behind`: the cursor of an entry that is left out where it is the first."""
        self.cursor = ""
        """Of the last entry that was given out, or left out."""
        self._parser = ExportParser(max_line_bytes)
        self._lines = LineFraming(max_line_bytes)
        self._behind = behind
        self._read_bytes = 0

    def feed(self, data: bytes) -> Frame:
        """Take what was read; give the entries that it completes. Raises ValueError where it is no export."""
        lines = []
        for fields in self._parser.feed(data):
            cursor, payload = entry_of(fields)
            if not (self._behind and is_same_entry(cursor, self._behind)):
                lines.append(payload)
            self.cursor, self._behind = cursor or self.cursor, ""
        self._read_bytes += len(data)
        if not lines:
            return NOTHING
        block = b"\n".join(lines)
        frame = Frame(lines, block, {}, 0)
        if max(map(len, lines)) > self._lines.max_line_bytes:
            frame = self._lines.feed(block + b"\n")
        read_bytes, self._read_bytes = self._read_bytes, 0
        return replace(frame, read_bytes=read_bytes)

    def take_cut_bytes(self) -> int:
        """How much of entries was left out since this was asked last."""
        return self._parser.take_cut_bytes()
