"""Dead letters: events that a destination has refused, each kept with its reason, and how they are kept on disk. Pure.

A file of them is lines of a checksum, a version, a sequence and a JSON object:

    9c81d2e4 1 1042 {"id":"9f3c5b7a11d0e264-1042","sink":"es","reason":"mapping conflict","detail":"…",…}
    0b7714aa 1 1042 {"id":"9f3c5b7a11d0e264-1030","sink":"es",…,"flags":1,"payload":"{\\"a\\":1}"}
    77e0b1c3 1 1055 {"id":"9f3c5b7a11d0e264-1055","sink":"es",…,"payload_base64":"//4="}
    │        │ │    └ the letter. Its payload is text where it is UTF-8, else base64 (RFC 4648 §4)
    │        │ └ the highest sequence of this sink's letters up to here, whatever has been deleted since
    │        └ version of the format
    └ CRC-32 of all that follows, in hex

A letter's id is its event's: epoch and sequence. The highest sequence tells a start, by the last line of a file,
whether any letter there or in the files before can belong to events that the sink has not settled: most need not be
read.

A line that a crash has cut, that is damaged or of another version is no letter; it costs no other one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from logrouter.event import Attributes, Offset

VERSION: Final = 1
DETAIL_CHARACTERS: Final = 2000
"""What is kept of what a destination has said: enough for a mapping conflict, which may quote the value."""
_ID: Final = re.compile(r"([0-9a-f]{16})-([0-9]{1,19})")


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that a sink's destination has refused."""

    epoch: int
    """With the sequence, the event's id."""
    sequence: int
    sink: str
    reason: str
    """Of a few words, always the same ones for the same."""
    detail: str
    """What the destination has said of it."""
    rejected_ns: int
    """When, in nanoseconds since 1970."""
    received_ns: int
    """When the event was read, likewise."""
    attributes: Attributes
    flags: int
    """One byte: `event.Flag`."""
    payload: bytes
    """As shaped for this sink."""

    @property
    def id(self) -> Offset:
        """The event's id."""
        return Offset(self.epoch, self.sequence)

    @property
    def name(self) -> str:
        """The same as text: `9f3c5b7a11d0e264-1042`."""
        return self.id.name


class Line(NamedTuple):
    """A line of a file."""

    data: bytes
    """With its end, unless it was cut."""
    letter: DeadLetter | None
    """None: it cannot be read."""
    highest: int
    """The highest sequence of the sink's letters up to here."""


class _Stored(msgspec.Struct, omit_defaults=True):
    """A letter as JSON."""

    id: str
    sink: str
    reason: str
    detail: str
    rejected_ns: int
    received_ns: int
    attributes: dict[str, str | int | bool] = {}
    flags: int = 0
    payload: str | None = None
    payload_base64: bytes | None = None


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Stored).decode


def parse_id(text: str) -> Offset:
    """The id that `DeadLetter.name` shows. Raises ValueError."""
    match = _ID.fullmatch(text)
    if match is None:
        raise ValueError(f"expected an id such as 9f3c5b7a11d0e264-1042, not {text!r}")
    return Offset(int(match[1], 16), int(match[2]))


def encode_letter(letter: DeadLetter, highest: int) -> bytes:
    """The letter as a line. `highest`: of the letters of its sink before it."""
    text, base64 = _as_text(letter.payload)
    stored = _Stored(
        letter.name,
        letter.sink,
        _fit(letter.reason),
        _fit(letter.detail[:DETAIL_CHARACTERS]),
        letter.rejected_ns,
        letter.received_ns,
        dict(letter.attributes),
        letter.flags,
        text,
        base64,
    )
    data = b"%d %d %b" % (VERSION, max(highest, letter.sequence), _encode(stored))
    return b"%08x %b\n" % (crc32(data), data)


def lines_of(file: bytes) -> Iterator[Line]:
    """The lines of a file, in order."""
    for data in BytesIO(file):
        if data != b"\n":
            yield _parse(data)


def _parse(data: bytes) -> Line:
    checksum, _, rest = data[:-1].partition(b" ")
    if data[-1:] == b"\n" and checksum == b"%08x" % crc32(rest):
        version, highest, stored = (*rest.split(b" ", 2), b"", b"")[:3]
        with suppress(ValueError, msgspec.DecodeError):  # of another version, or by chance the right checksum
            if int(version) == VERSION:
                return Line(data, _letter(_decode(stored)), int(highest))
    return Line(data, None, 0)


def _letter(stored: _Stored) -> DeadLetter:
    epoch, sequence = parse_id(stored.id)
    return DeadLetter(
        epoch,
        sequence,
        stored.sink,
        stored.reason,
        stored.detail,
        stored.rejected_ns,
        stored.received_ns,
        stored.attributes,
        stored.flags,
        (stored.payload or "").encode() if stored.payload_base64 is None else stored.payload_base64,
    )


def _as_text(payload: bytes) -> tuple[str | None, bytes | None]:
    try:
        return payload.decode(), None
    except UnicodeDecodeError:
        return None, payload


def _fit(text: str) -> str:
    """The text without what JSON cannot hold: a lone half of a surrogate pair, that a destination may have sent."""
    return text.encode("utf-8", "replace").decode()
