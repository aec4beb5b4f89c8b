"""The spool on disk: segments of records. Pure: bytes in, bytes out.

A segment is one file of the log; a record is one chunk. Sequences only grow, over all epochs, so that they order the
log; with the epoch they are an event's id. All numbers are little endian.

    segment   ┌────────┬────────┬────────┬─ ─ ─
              │ header │ record │ record │ …       the last one may be cut by a crash
              └────────┴────────┴────────┴─ ─ ─

    header    0       4         6      8         16         24        32        36        40
              ┌───────┬─────────┬──────┬─────────┬──────────┬─────────┬─────────┬─────────┬─────────────────┐
              │ LGRS  │ version │  0   │  epoch  │ first    │ created │ length  │  crc32  │ salt, positions │
              │       │ u16     │      │  u64    │ sequence │ ns, u64 │ u32     │         │ msgpack         │
              └───────┴─────────┴──────┴─────────┴──────────┴─────────┴─────────┴─────────┴─────────────────┘
              crc32 is of all but itself. salt: five random bytes, other ones in each segment.
              positions: stream of a source → how far it had been read before this segment (positions.py)

    record    0       3      8        12      16       24      28         36     37     38    40    42
              ┌───────┬──────┬────────┬───────┬────────┬───────┬──────────┬──────┬──────┬─────┬─────┬─ ─
              │ F5 LR │ salt │ length │ crc32 │ first  │ count │ received │ kind │ flag │ att │ pos │ body
              │       │      │ u32    │       │ u64    │ u32   │ ns, u64  │ u8   │ u8   │ u16 │ u16 │
              └───────┴──────┴────────┴───────┴────────┴───────┴──────────┴──────┴──────┴─────┴─────┴─ ─
              └─── marker ───┘ length is the body's; crc32 is of all behind itself

    body      attributes (msgpack, `att` bytes), positions (`pos` bytes), flags, payloads
              flags      one byte an event; none where all are the same: that one is `flag` (kind & SAME_FLAGS)
              payloads   joined by newlines; where one holds a newline (kind & LENGTHS): u32 each, then the bytes

Behind a damaged record the next is found by looking for the marker. Its first byte is in no UTF-8 text, and nobody who
writes events knows the salt: what a payload holds cannot pass for a record, be it made for that.

Version 1 had no salt: the header ends with the positions alone, and all its markers are F5 LR1.

A version that is not known is refused by name (`UnknownVersion`); what is damaged raises `Damaged`. Records behind a
damaged header are read all the same: they hold all but the epoch.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from itertools import accumulate, pairwise
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from logrouter.errors import LogrouterError
from logrouter.event import Attributes, Chunk, Offset

VERSION: Final = 2
READABLE_VERSIONS: Final = (1, 2)
"""The one before, and this one."""

_MAGIC: Final = b"LGRS"
_HEADER: Final = struct.Struct("<4sHxxQQQII")
HEADER_BYTES: Final = _HEADER.size
_MAX_POSITIONS_BYTES: Final = 1 << 24

_MARKED: Final = b"\xf5LR"
SALT_BYTES: Final = 5
MARKER_OF_VERSION_1: Final = _MARKED + b"1"
_HEAD: Final = struct.Struct("<IIQIQBBHH")
"""A record's head behind the marker."""
_CHECKED_FROM: Final = 8
"""Where in it what the checksum covers begins."""
MAX_BODY_BYTES: Final = 1 << 30
_MUCH_BYTES: Final = 64 * 1024
_SAME_FLAGS: Final = 1
_LENGTHS: Final = 2

_encode = msgspec.msgpack.Encoder().encode
_decode_attributes = msgspec.msgpack.Decoder(dict[str, str | int | bool]).decode
_decode_positions = msgspec.msgpack.Decoder(dict[str, bytes]).decode
_decode_salted = msgspec.msgpack.Decoder(tuple[bytes, dict[str, bytes]]).decode


class Damaged(LogrouterError):
    """Bytes that are no segment or record, or not a whole one."""


class UnknownVersion(LogrouterError):
    """A segment of a version that this program does not read."""


class Header(NamedTuple):
    """What a segment says of itself."""

    epoch: int
    first: int
    """The sequence of its first event."""
    created_ns: int
    positions: dict[str, bytes]
    """Stream of a source → how far it had been read before this segment: see `positions.py`."""
    marker: bytes
    """What each of its records begins with."""
    size: int = 0
    """Where the first record begins."""


class Head(NamedTuple):
    """What a record's head says."""

    marker_bytes: int
    """How long the marker before it is."""
    length: int
    crc: int
    first: int
    events: int
    received_ns: int
    kind: int
    flag: int
    attributes_bytes: int
    position_bytes: int

    @property
    def end(self) -> int:
        """The sequence after its last event."""
        return self.first + self.events

    @property
    def body_at(self) -> int:
        """Where in the record the body begins."""
        return self.marker_bytes + _HEAD.size

    @property
    def size(self) -> int:
        """Of the whole record."""
        return self.body_at + self.length


def marker_with(salt: bytes) -> bytes:
    """The marker of a new segment's records, with SALT_BYTES that nobody can guess."""
    return _MARKED + salt


def head_bytes(marker: bytes) -> int:
    """How many bytes of a record, from its first on, say what it is."""
    return len(marker) + _HEAD.size


def encode_header(header: Header) -> bytes:
    """A segment's first bytes. The version is the one of its marker: a header can be made anew for old records."""
    if header.marker == MARKER_OF_VERSION_1:
        version, rest = 1, _encode(header.positions)
    else:
        version, rest = VERSION, _encode((header.marker.removeprefix(_MARKED), header.positions))
    fields = (_MAGIC, version, header.epoch, header.first, header.created_ns, len(rest))
    unchecked = _HEADER.pack(*fields, 0)
    return _HEADER.pack(*fields, crc32(rest, crc32(unchecked[:-4]))) + rest


def is_begun(data: bytes) -> bool:
    """Whether this is no more than the beginning of a header, cut by a crash: nothing was ever in that segment."""
    return len(data) < HEADER_BYTES and data[: len(_MAGIC)] == _MAGIC[: len(data)]


def header_length(data: bytes) -> int:
    """How many bytes the header takes, from its first HEADER_BYTES. Raises Damaged."""
    if len(data) < HEADER_BYTES:
        raise Damaged("the segment's header is cut")
    magic, _, _, _, _, length, _ = _HEADER.unpack_from(data)
    if magic != _MAGIC or length > _MAX_POSITIONS_BYTES:
        raise Damaged("it does not begin as a segment does")
    return HEADER_BYTES + int(length)


def decode_header(data: bytes) -> Header:
    """A segment's header, from at least `header_length` bytes. Raises Damaged, UnknownVersion.

    The drawing of the header is that of all versions to come: one that is not known is believed if its checksum is
    right, so that a damaged byte is not taken for the future.
    """
    size = header_length(data)
    _, version, epoch, first, created_ns, _, crc = _HEADER.unpack_from(data)
    if len(data) < size or crc32(data[HEADER_BYTES:size], crc32(data[: HEADER_BYTES - 4])) != crc:
        raise Damaged("the segment's header is damaged")
    if version not in READABLE_VERSIONS:
        known = " and ".join(map(str, READABLE_VERSIONS))
        raise UnknownVersion(f"it is of version {version}, and this program reads versions {known}")
    try:
        marker, positions = _decode_rest(version, data[HEADER_BYTES:size])
    except (msgspec.DecodeError, ValueError) as error:  # the checksum was right: we have written nonsense
        raise Damaged(f"the segment's positions cannot be read: {error}") from error
    return Header(epoch, first, created_ns, positions, marker, size)


def _decode_rest(version: int, rest: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The marker and the positions."""
    if version == 1:
        return MARKER_OF_VERSION_1, _decode_positions(rest)
    salt, positions = _decode_salted(rest)
    if len(salt) != SALT_BYTES:
        raise ValueError(f"{len(salt)} bytes of salt")
    return marker_with(salt), positions


def encode_record(chunk: Chunk, marker: bytes) -> list[bytes]:
    """A chunk as a record of the segment with this marker, in pieces to be written one after the other."""
    attributes, position = _encode(chunk.attributes), chunk.position or b""
    kind, flag, flags = 0, 0, chunk.flags
    if flags.count(flags[0]) == len(flags):
        kind, flag, flags = _SAME_FLAGS, flags[0], b""
    payloads = b"".join(chunk.payloads)
    if b"\n" in payloads:  # to count newlines among those that join them takes four times as long as two joins
        kind |= _LENGTHS
        payloads = array("I", map(len, chunk.payloads)).tobytes() + payloads
    else:
        payloads = b"\n".join(chunk.payloads)
    front = attributes + position + flags
    fields = (
        *(chunk.offset.sequence, len(chunk), chunk.received_ns, kind, flag),
        *(len(attributes), len(position)),
    )
    length = len(front) + len(payloads)
    checked = _HEAD.pack(length, 0, *fields)[_CHECKED_FROM:]
    crc = _crc32(payloads, crc32(front, crc32(checked)))
    return [marker + _HEAD.pack(length, crc, *fields) + front, payloads]


def decode_head(data: bytes, marker: bytes, start: int = 0) -> Head | None:
    """The head of the record that begins there; None where none does. The checksum is not looked at."""
    if len(data) - start < head_bytes(marker) or not data.startswith(marker, start):
        return None
    head = Head(len(marker), *_HEAD.unpack_from(data, start + len(marker)))
    return head if head.events and _least_length(head) <= head.length <= MAX_BODY_BYTES else None


def _least_length(head: Head) -> int:
    """What the body takes at least: so a damaged count is not believed to be anything."""
    flags = 0 if head.kind & _SAME_FLAGS else head.events
    payloads = 4 * head.events if head.kind & _LENGTHS else head.events - 1
    return head.attributes_bytes + head.position_bytes + flags + payloads


def is_whole(head: Head, record: bytes) -> bool:
    """Whether these bytes are the record that the head announces, undamaged."""
    return len(record) == head.size and _crc32(memoryview(record)[head.marker_bytes + _CHECKED_FROM :]) == head.crc


def _crc32(data: bytes | memoryview, begun: int = 0) -> int:
    """As zlib's. isal takes a third of the time; it is loaded where much is written."""
    if len(data) < _MUCH_BYTES:
        return crc32(data, begun)
    from isal.isal_zlib import crc32 as fast_crc32

    return fast_crc32(data, begun)


def guess_marker(data: bytes) -> bytes | None:
    """The marker of a segment whose header is damaged, from all of it or its beginning; None where no record is whole.

    It is the one whose whole records take the most bytes: what was made to look like records stands inside of others,
    and is passed over with them where these are whole.
    """
    sizes: Counter[bytes] = Counter()
    place = data.find(_MARKED)
    while place >= 0:
        end = place + 1
        for marker in (data[place : place + len(_MARKED) + SALT_BYTES], MARKER_OF_VERSION_1):
            head = decode_head(data, marker, place)
            if head is not None and is_whole(head, data[place : place + head.size]):
                sizes[marker] += head.size
                end = place + head.size
        place = data.find(_MARKED, end)
    return max(sizes, key=sizes.__getitem__, default=None)


def decode_record(head: Head, record: bytes, epoch: int) -> Chunk:
    """The chunk in a whole record. Raises Damaged."""
    try:
        return _decode_record(head, record, epoch)
    except (msgspec.DecodeError, ValueError) as error:  # the checksum was right: we have written nonsense
        raise Damaged(f"a record cannot be read: {error}") from error


def _decode_record(head: Head, record: bytes, epoch: int) -> Chunk:
    place = head.body_at + head.attributes_bytes
    attributes: Attributes = _decode_attributes(record[head.body_at : place])
    position = record[place : place + head.position_bytes] or None
    place += head.position_bytes
    if head.kind & _SAME_FLAGS:
        flags = bytes((head.flag,)) * head.events
    else:
        flags = record[place : place + head.events]
        place += head.events
    payloads = _with_lengths(record, place, head.events) if head.kind & _LENGTHS else record[place:].split(b"\n")
    if len(payloads) != head.events:
        raise ValueError(f"{len(payloads)} events instead of {head.events}")
    chunk = Chunk(payloads, flags, attributes, head.received_ns, position=position)
    chunk.offset = Offset(epoch, head.first)
    return chunk


def _with_lengths(record: bytes, place: int, count: int) -> list[bytes]:
    lengths = array("I", record[place : place + 4 * count])
    ends = accumulate(lengths, initial=place + 4 * count)
    return [record[start:end] for start, end in pairwise(ends)]
