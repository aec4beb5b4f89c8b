"""A reader of protobuf that knows nothing of what wrote it, and of Loki's push requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Entry(NamedTuple):
    time_ns: int
    line: str
    metadata: dict[str, str]


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field: varints as 64-bit integers, all else as bytes."""
    position = 0
    while position < len(data):
        key, position = varint(data, position)
        number, kind = key >> 3, key & 7
        value, position = varint(data, position)
        if kind == 0:
            yield number, value
        elif kind == 2:
            assert position + value <= len(data)
            yield number, data[position : position + value]
            position += value
        else:
            raise AssertionError(f"no field of a push request is of kind {kind}")


def varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def streams_of(body: bytes) -> list[tuple[str, list[Entry]]]:
    """The streams of a push request in their order."""
    streams = []
    for number, stream in fields(body):
        assert number == 1
        labels, entries = "", []
        for part, value in fields(taken(stream)):
            if part == 1:
                labels = taken(value).decode()
            else:
                assert part == 2
                entries.append(_entry(taken(value)))
        streams.append((labels, entries))
    return streams


def _entry(data: bytes) -> Entry:
    time_ns, line, metadata = 0, "", {}
    for number, value in fields(data):
        if number == 1:
            stamp = dict(fields(taken(value)))
            seconds = int(stamp.get(1, 0))
            time_ns = (seconds - 2**64 if seconds >= 2**63 else seconds) * 10**9 + int(stamp.get(2, 0))
        elif number == 2:
            line = taken(value).decode()
        else:
            assert number == 3
            name, text = (taken(part).decode() for _, part in fields(taken(value)))
            metadata[name] = text
    return Entry(time_ns, line, metadata)


def taken(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value
