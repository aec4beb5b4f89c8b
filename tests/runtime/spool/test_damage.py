"""Every kind of damage at every place of a small log: what is undamaged is read, and what is not is told, once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from logrouter.event import Chunk, Flag, Offset
from logrouter.runtime.spool.log_reader import Missing
from logrouter.runtime.spool.store import Store
from logrouter.segments import decode_head, decode_header, encode_record, head_bytes, marker_with
from tests.runtime.spool.logs import fill, new_store, walk

SEGMENTS, RECORDS, EVENTS = 3, 4, 3
END = SEGMENTS * RECORDS * EVENTS
HEADER_FIELDS = {
    "magic": 0,
    "version": 4,
    "zero": 6,
    "epoch": 8,
    "first": 16,
    "created": 24,
    "length": 32,
    "crc": 36,
    "salt and positions": 40,
}
RECORD_FIELDS = {
    "marker": 0,
    "salt": 3,
    "length": 8,
    "crc": 12,
    "first": 16,
    "count": 24,
    "received": 28,
    "kind": 36,
    "flag": 37,
    "attributes size": 38,
    "position size": 40,
    "attributes": 42,
}


def varied_chunk(first: int) -> Chunk:
    """Records of every kind: flags that differ, newlines in payloads, empty payloads, a position."""
    number = first // EVENTS
    payloads = [b'{"n":%d}' % sequence for sequence in range(first, first + EVENTS)]
    flags = bytes([Flag.JSON]) * EVENTS
    match number % 4:
        case 1:
            flags = bytes([0, Flag.JSON, Flag.INVALID_UTF8])
        case 2:
            payloads[1] = b"two\nlines"
        case 3:
            payloads[2] = b""
    position = b"read to %d" % number if number % 3 else None
    chunk = Chunk(payloads, flags, {"source": "app", "host": "h"}, 1_000 + first, position=position)
    chunk.offset = Offset(7, first)
    return chunk


class Segment(NamedTuple):
    """One file as it was."""

    name: str
    data: bytes
    marker: bytes
    records: list[tuple[int, int]]
    """Where each record begins and ends."""


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> list[Segment]:
    folder = tmp_path_factory.mktemp("log")
    store = new_store(folder)
    for number in range(SEGMENTS * RECORDS):
        store.segment_bytes = 1 if number % RECORDS == 0 else 2**20
        store.append(varied_chunk(number * EVENTS))
    store.close()
    return [segment_in(path) for path in sorted(folder.iterdir())]


def segment_in(path: Path) -> Segment:
    data = path.read_bytes()
    header = decode_header(data)
    place, records = header.size, []
    while (head := decode_head(data, header.marker, place)) is not None:
        records.append((place, place + head.size))
        place += head.size
    assert (len(records), place) == (RECORDS, len(data))
    return Segment(path.name, data, header.marker, records)


def places(segment: Segment) -> Iterator[int]:
    """One of each class of bytes, in turn from the four records."""
    yield from HEADER_FIELDS.values()
    for place, (start, end) in enumerate(segment.records):
        yield from [start + offset for offset in RECORD_FIELDS.values()][place % 2 :: 2]
        yield from range(start + head_bytes(segment.marker) + place, end, 16)
        yield end - 1
    yield len(segment.data)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :] if 0 <= place < len(data) else data


def bit_flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] if 0 <= place < len(data) else data


def zeroed(data: bytes, place: int) -> bytes:
    """Eight bytes."""
    return (data[: max(place, 0)] + bytes(8) + data[place + 8 :])[: len(data)]


def zeroed_to_the_end(data: bytes, place: int) -> bytes:
    """As after a power cut that has kept the size and not the data."""
    return data[: max(place, 0)].ljust(len(data), b"\0")


def cut(data: bytes, place: int) -> bytes:
    return data[: max(place, 0)]


def swollen(data: bytes, place: int) -> bytes:
    return data[: max(place, 0)] + b"\xf5LR1" * 3 + decode_header(data).marker * 3 + data[max(place, 0) :]


DAMAGES = (flipped, bit_flipped, zeroed, zeroed_to_the_end, cut, swollen)


def lay_out(folder: Path, segments: list[Segment], damaged: int, data: bytes | None) -> None:
    """The log in a folder, with one file of this content, or without it."""
    folder.mkdir(exist_ok=True)
    for name in os.listdir(folder):
        (folder / name).unlink()
    for number, segment in enumerate(segments):
        if number != damaged:
            (folder / segment.name).write_bytes(segment.data)
        elif data is not None:
            (folder / segment.name).write_bytes(data)


def undamaged(segments: list[Segment], damaged: int, data: bytes) -> list[int]:
    """The first sequences of the records that can still be read."""
    kept = []
    for number, segment in enumerate(segments):
        for place, (start, end) in enumerate(segment.records):
            if number != damaged or segment.data[start:end] in data:
                kept.append((number * RECORDS + place) * EVENTS)
    return kept


def check(folder: Path, kept: list[int]) -> None:
    """Invariant 9: opening takes it as it is; reading gives what is kept, and one run for each that is missing."""
    store = new_store(folder, epoch=8)
    assert 0 <= store.end <= END, "numbers must not leap"
    store.begin_at(END)  # as a cursor knows
    check_reading(store, kept)
    fill(store, 2)
    (*before, first, second) = walk(store)
    assert not isinstance(first, Missing)
    assert not isinstance(second, Missing)
    assert (first.offset, second.offset) == ((8, END), (8, END + 5))
    assert len(before) == len(list(walk(store))) - 2
    store.close()
    again = new_store(folder, epoch=9)
    assert again.end == END + 10
    check_reading(again, [*kept, END, END + 5])
    again.close()


def check_reading(store: Store, kept: list[int]) -> None:
    sequence, found, after_missing = 0, [], False
    for item in walk(store):
        if isinstance(item, Missing):
            assert not after_missing, "one run is told once"
            after_missing, sequence = True, item.end
            continue
        assert item.offset.sequence == sequence
        if sequence < END:
            expected = varied_chunk(sequence)
            assert (item.payloads, item.flags, item.attributes, item.received_ns, item.position, item.offset) == (
                *(expected.payloads, expected.flags, expected.attributes, expected.received_ns, expected.position),
                (item.offset.epoch, expected.offset.sequence),
            )
            assert item.offset.epoch in (7, 0), "0: the header, which is damaged, has held it"
        found.append(sequence)
        after_missing, sequence = False, item.end.sequence
    assert found == kept
    assert sequence == store.end
    for first in kept:  # also without having read what is before
        item = store.load(first)
        assert item is not None
        assert not isinstance(item, Missing)
        assert item.chunk.offset.sequence == first


@pytest.mark.parametrize("number", range(SEGMENTS))
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_costs_what_it_touches(
    tmp_path: Path, segments: list[Segment], damage: Callable[[bytes, int], bytes], number: int
) -> None:
    go_through(tmp_path, segments, damage, number, places(segments[number]))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(SEGMENTS))
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_at_any_byte(
    tmp_path: Path, segments: list[Segment], damage: Callable[[bytes, int], bytes], number: int
) -> None:
    go_through(tmp_path, segments, damage, number, range(len(segments[number].data)))


def go_through(
    folder: Path,
    segments: list[Segment],
    damage: Callable[[bytes, int], bytes],
    number: int,
    places: Iterator[int] | range,
) -> None:
    for place in places:
        data = damage(segments[number].data, place)
        lay_out(folder, segments, number, data)
        try:
            check(folder, undamaged(segments, number, data))
        except AssertionError as error:
            raise AssertionError(f"{damage.__name__} at {place}: {error}") from error


@pytest.mark.parametrize("content", [b"", None, b"\0" * 4096, b"LGRS", b"no segment at all"])
@pytest.mark.parametrize("number", range(SEGMENTS))
def test_a_file_that_is_gone_or_empty(
    tmp_path: Path, segments: list[Segment], number: int, content: bytes | None
) -> None:
    lay_out(tmp_path, segments, number, content)
    check(tmp_path, undamaged(segments, number, content or b""))


def test_all_files_are_gone(tmp_path: Path, segments: list[Segment]) -> None:
    lay_out(tmp_path, [], 0, None)
    check(tmp_path, [])


# ── records made to be found ──


@pytest.mark.parametrize("header_too", [False, True])
@pytest.mark.parametrize("marker", [b"\xf5LR1", marker_with(b"guess")])
def test_what_an_event_holds_is_never_taken_for_a_record(tmp_path: Path, marker: bytes, header_too: bool) -> None:
    """Invariant 9: whoever writes events may know the format, but not the salt. The record that holds them is damaged,
    so what looks like the next one is searched for."""
    store = new_store(tmp_path)
    for number in range(6):
        planted = varied_chunk(number * EVENTS)
        hostile = b"".join(encode_record(varied_chunk(number * EVENTS), marker)) * 3
        planted.payloads = (planted.payloads[0], hostile, *planted.payloads[2:])
        store.append(planted)
    (segment,) = store.segments
    store.close()
    data = bytearray(Path(segment.path).read_bytes())
    for number in (0, 2):
        data[data.index(b'{"n":%d}' % (number * EVENTS)) - 30] ^= 0xFF  # in the head
    if header_too:
        data[8] ^= 0xFF
    Path(segment.path).write_bytes(data)
    store = new_store(tmp_path, epoch=8)
    found = [(item.end if isinstance(item, Missing) else item.offset.sequence) for item in walk(store)]
    assert found == [EVENTS, EVENTS, 3 * EVENTS, 3 * EVENTS, 4 * EVENTS, 5 * EVENTS]
    store.close()
