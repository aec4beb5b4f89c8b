"""Segments as bytes: what goes in comes out, the drawing is true, and no damage passes for an event."""

from __future__ import annotations

import struct
from zlib import crc32

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logrouter.event import Chunk, Offset
from logrouter.segments import (
    HEADER_BYTES,
    MARKER_OF_VERSION_1,
    MAX_BODY_BYTES,
    READABLE_VERSIONS,
    SALT_BYTES,
    VERSION,
    Damaged,
    Header,
    UnknownVersion,
    decode_head,
    decode_header,
    decode_record,
    encode_header,
    encode_record,
    guess_marker,
    head_bytes,
    header_length,
    is_whole,
    marker_with,
)
from tests.strategies import chunked

U64 = st.integers(0, 2**64 - 1)
SEQUENCES = st.integers(0, 2**63)
MARKER = marker_with(b"salty")
MARKERS = (MARKER, MARKER_OF_VERSION_1)
names = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    payload = st.binary(max_size=30) | st.sampled_from([b"", b"\n", b"\r\n", *MARKERS, b'{"a":1}'])
    payloads = draw(st.lists(payload, min_size=1, max_size=8))
    flag = st.integers(0, 255)
    count = len(payloads)
    flags = draw(flag.map(lambda one: bytes([one]) * count) | st.binary(min_size=count, max_size=count))
    attributes = draw(st.dictionaries(names, names | st.integers(-(2**63), 2**63) | st.booleans(), max_size=4))
    position = draw(st.none() | st.binary(min_size=1, max_size=40))
    chunk = Chunk(payloads, flags, attributes, draw(U64), position=position)
    chunk.offset = Offset(draw(U64), draw(SEQUENCES))
    return chunk


markers = st.just(MARKER_OF_VERSION_1) | st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES).map(marker_with)
headers = st.builds(Header, U64, U64, U64, st.dictionaries(names, st.binary(max_size=30), max_size=3), markers)


def parts(chunk: Chunk) -> tuple[object, ...]:
    return (
        *(chunk.payloads, chunk.flags, dict(chunk.attributes), chunk.received_ns),
        *(chunk.position, chunk.offset, chunk.payload_bytes),
    )


def example_chunk(payloads: list[bytes], flags: bytes, position: bytes | None = None) -> Chunk:
    chunk = Chunk(payloads, flags, {"source": "app"}, 1_700_000_000_000_000_000, position=position)
    chunk.offset = Offset(0x0102030405060708, 0x1112131415161718)
    return chunk


JOINED = example_chunk([b"one", b"", b"three"], b"\x01\x01\x01")
WITH_LENGTHS = example_chunk([b"one\n", b"two"], b"\x01\x00", b"read to 9")


def record_of(chunk: Chunk, marker: bytes = MARKER) -> bytes:
    return b"".join(encode_record(chunk, marker))


# ── what goes in comes out ──


@given(chunks(), markers)
@example(JOINED, MARKER)
@example(WITH_LENGTHS, MARKER)
@example(JOINED, MARKER_OF_VERSION_1)
def test_records_round_trip(chunk: Chunk, marker: bytes) -> None:
    record = record_of(chunk, marker)
    head = decode_head(record, marker)
    assert head is not None
    assert (head.first, head.events, head.received_ns) == (chunk.offset.sequence, len(chunk), chunk.received_ns)
    assert (head.size, head.end) == (len(record), chunk.end.sequence)
    assert is_whole(head, record)
    assert parts(decode_record(head, record, chunk.offset.epoch)) == parts(chunk)


@given(headers)
def test_headers_round_trip(header: Header) -> None:
    data = encode_header(header)
    assert header_length(data[:HEADER_BYTES]) == len(data)
    assert decode_header(data) == header._replace(size=len(data))
    assert decode_header(data + b"what follows") == header._replace(size=len(data))


def test_an_empty_position_is_none() -> None:
    chunk = example_chunk([b"x"], b"\0", b"")
    record = record_of(chunk)
    head = decode_head(record, MARKER)
    assert head is not None
    assert decode_record(head, record, 0).position is None


@given(st.data(), st.lists(chunks(), min_size=1, max_size=4))
def test_records_stand_one_behind_the_other(data: st.DataObject, several: list[Chunk]) -> None:
    pieces = data.draw(chunked(b"".join(map(record_of, several))))
    log, place = b"".join(pieces), 0
    for chunk in several:
        head = decode_head(log, MARKER, place)
        assert head is not None
        record = log[place : place + head.size]
        assert parts(decode_record(head, record, chunk.offset.epoch)) == parts(chunk)
        place += head.size
    assert place == len(log)
    assert decode_head(log, MARKER, place) is None


# ── the drawing ──


def test_the_header_is_as_drawn() -> None:
    header = Header(0x0102030405060708, 0x1112131415161718, 0x2122232425262728, {"app": b"9"}, MARKER)
    data = encode_header(header)
    assert data[0:4] == b"LGRS"
    assert data[4:6] == b"\x02\x00"
    assert data[6:8] == b"\0\0"
    assert data[8:16] == bytes.fromhex("0807060504030201")
    assert data[16:24] == bytes.fromhex("1817161514131211")
    assert data[24:32] == bytes.fromhex("2827262524232221")
    assert data[32:36] == struct.pack("<I", len(data) - 40)
    assert data[36:40] == struct.pack("<I", crc32(data[:36] + data[40:]))
    assert msgspec.msgpack.decode(data[40:]) == [b"salty", {"app": b"9"}]
    assert (HEADER_BYTES, VERSION, READABLE_VERSIONS) == (40, 2, (1, 2))


def test_a_record_is_as_drawn() -> None:
    data = record_of(JOINED)
    attributes = msgspec.msgpack.encode({"source": "app"})
    assert data[0:8] == b"\xf5LRsalty" == MARKER
    assert data[8:12] == struct.pack("<I", len(data) - 42)
    assert data[12:16] == struct.pack("<I", crc32(data[16:]))
    assert data[16:24] == bytes.fromhex("1817161514131211")
    assert data[24:28] == struct.pack("<I", 3)
    assert data[28:36] == struct.pack("<Q", 1_700_000_000_000_000_000)
    assert data[36] == 1  # all flags are the same
    assert data[37] == 1  # this one
    assert data[38:40] == struct.pack("<H", len(attributes))
    assert data[40:42] == b"\0\0"
    assert data[42:] == attributes + b"one\n\nthree"
    assert head_bytes(MARKER) == 42


def test_the_checksum_of_a_large_record_is_the_same() -> None:
    record = record_of(example_chunk([b"x" * 1_000] * 100, b"\x01" * 100))
    head = decode_head(record, MARKER)
    assert head is not None
    assert head.crc == crc32(record[len(MARKER) + 8 :])
    assert is_whole(head, record)
    assert not is_whole(head, record[:-1] + b"y")


def test_a_record_with_all_parts_is_as_drawn() -> None:
    data = record_of(WITH_LENGTHS)
    attributes = msgspec.msgpack.encode({"source": "app"})
    assert data[36] == 2  # flags that differ, and lengths
    assert data[37] == 0
    assert data[40:42] == struct.pack("<H", 9)
    assert data[42:] == attributes + b"read to 9" + b"\x01\x00" + struct.pack("<II", 4, 3) + b"one\ntwo"


def test_what_version_1_has_written_is_read() -> None:
    """N-1, from bytes that it wrote."""
    data = bytes.fromhex(
        "4c47525301000000070000000000000000000000000000008813000000000000"
        "0d000000035cb5b581a3617070c406726561642039"
        "f54c52311b000000dc89ed380000000000000000020000000b04000000000000"
        "01010c00000081a6736f75726365a36170707b226e223a307d0a7b226e223a317d"
    )
    header = decode_header(data)
    assert (header.epoch, header.first, header.created_ns, header.positions) == (7, 0, 5000, {"app": b"read 9"})
    head = decode_head(data, header.marker, header.size)
    assert head is not None
    record = data[header.size :]
    assert is_whole(head, record)
    assert decode_record(head, record, 7).payloads == (b'{"n":0}', b'{"n":1}')
    assert encode_header(header) == data[: header.size]
    assert guess_marker(data) == header.marker


def test_the_marker_begins_with_a_byte_that_is_in_no_utf8() -> None:
    with pytest.raises(UnicodeDecodeError):
        MARKER[:1].decode()
    for place in range(256):
        with pytest.raises(UnicodeDecodeError):
            (bytes([place]) + MARKER[:1]).decode()


# ── damage ──


@pytest.mark.parametrize("chunk", [JOINED, WITH_LENGTHS])
@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_makes_no_record(chunk: Chunk, mask: int) -> None:
    record = record_of(chunk)
    for place in range(len(record)):
        damaged = record[:place] + bytes([record[place] ^ mask]) + record[place + 1 :]
        head = decode_head(damaged, MARKER)
        assert head is None or not is_whole(head, damaged[: head.size]), place


@pytest.mark.parametrize("chunk", [JOINED, WITH_LENGTHS])
def test_a_cut_record_is_not_whole(chunk: Chunk) -> None:
    record = record_of(chunk)
    for length in range(len(record)):
        head = decode_head(record[:length], MARKER)
        assert (head is None) == (length < head_bytes(MARKER))
        assert head is None or not is_whole(head, record[:length])


@settings(max_examples=300)
@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_are_no_record(noise: bytes, more: bytes) -> None:
    for data in (noise, MARKER + noise, MARKER + struct.pack("<II", len(more), 0) + noise + more):
        head = decode_head(data, MARKER)
        assert head is None or not is_whole(head, data[: head.size])


def test_a_head_that_cannot_be_true_is_none() -> None:
    def head(length: int, events: int, kind: int, attributes: int, position: int) -> bytes:
        return MARKER + struct.pack("<IIQIQBBHH", length, 0, 0, events, 0, kind, 0, attributes, position)

    assert decode_head(head(4, 5, 1, 0, 0), MARKER) is not None
    for nonsense in (
        head(4, 6, 1, 0, 0),  # six events need five newlines
        head(9, 5, 0, 0, 1),  # and flags where they differ
        head(19, 5, 3, 0, 0),  # or lengths
        head(4, 0, 1, 0, 0),
        head(4, 1, 1, 5, 0),
        head(MAX_BODY_BYTES + 1, 1, 1, 0, 0),
    ):
        assert decode_head(nonsense, MARKER) is None


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_byte_makes_no_header(mask: int) -> None:
    data = encode_header(Header(1, 2, 3, {"app": b"read to 9"}, MARKER))
    for place in range(len(data)):
        damaged = data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]
        with pytest.raises(Damaged):  # also of the version, which would else be taken for one to come
            decode_header(damaged)


def test_a_cut_header_is_damaged() -> None:
    data = encode_header(Header(1, 2, 3, {"app": b"read to 9"}, MARKER))
    for length in range(len(data)):
        with pytest.raises(Damaged, match=r"cut|damaged"):
            decode_header(data[:length])


@given(st.binary(max_size=100))
def test_any_bytes_are_no_header(noise: bytes) -> None:
    for data in (noise, b"LGRS\x01\x00" + noise, b"LGRS\x02\x00" + noise):
        with pytest.raises((Damaged, UnknownVersion)):
            decode_header(data)


@pytest.mark.parametrize("version", [0, 3, 513, 65535])
def test_an_unknown_version_is_refused_by_name(version: int) -> None:
    unchecked = b"LGRS" + struct.pack("<H", version) + encode_header(Header(1, 2, 3, {}, MARKER_OF_VERSION_1))[6:36]
    positions = b"\x80"
    data = unchecked + struct.pack("<I", crc32(unchecked + positions)) + positions
    with pytest.raises(UnknownVersion, match=f"^it is of version {version}, and this program reads versions 1 and 2$"):
        decode_header(data)


def test_what_has_the_right_checksum_and_makes_no_sense_is_damaged() -> None:
    def record(kind: int, events: int, attributes: bytes, rest: bytes) -> bytes:
        body = attributes + rest
        checked = struct.pack("<QIQBBHH", 0, events, 0, kind, 0, len(attributes), 0) + body
        return MARKER + struct.pack("<II", len(body), crc32(checked)) + checked

    for nonsense in (
        record(1, 2, b"\x80", b"three\nevents\nhere"),
        record(1, 1, b"no msgpack", b"x"),
        record(1, 1, b"\x81\xa1a\xc0", b"x"),  # an attribute that is nil
    ):
        head = decode_head(nonsense, MARKER)
        assert head is not None
        assert is_whole(head, nonsense)
        with pytest.raises(Damaged, match="a record cannot be read"):
            decode_record(head, nonsense, 0)
    for version, rest in ((1, b"\xc1"), (2, b"\xc1"), (2, msgspec.msgpack.encode((b"four", {})))):
        start = struct.pack("<4sHxxQQQI", b"LGRS", version, 0, 0, 0, len(rest))
        with pytest.raises(Damaged, match="positions cannot be read"):
            decode_header(start + struct.pack("<I", crc32(rest, crc32(start))) + rest)


# ── records made to be found ──


def planted(marker: bytes, sequence: int = 0) -> bytes:
    """Two records, one behind the other, as somebody might send them."""
    chunk = example_chunk([b"planted"], b"\0")
    chunk.offset = Offset(1, sequence)
    return record_of(chunk, marker) * 2


@pytest.mark.parametrize("theirs", [MARKER_OF_VERSION_1, marker_with(b"OTHER")])
def test_what_a_payload_holds_does_not_tell_the_marker(theirs: bytes) -> None:
    real = [record_of(example_chunk([b"x" * 100, planted(theirs)], b"\0\0")) for _ in range(4)]
    assert guess_marker(b"no header" + b"".join(real)) == MARKER
    assert guess_marker(b"no header" + real[0][9:] + b"".join(real[1:])) == MARKER, "the first is damaged as well"
    assert guess_marker(planted(theirs)) == theirs, "they would be found"


@given(st.binary(max_size=200))
def test_any_bytes_tell_no_marker(noise: bytes) -> None:
    assert guess_marker(noise) is None
    assert guess_marker(MARKER + noise + MARKER_OF_VERSION_1) is None
