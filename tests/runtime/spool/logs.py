"""A log on disk for tests: numbered chunks, and all that is read back of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from logrouter.event import Chunk, Flag, Offset
from logrouter.positions import Position, encode, key_of, of_source
from logrouter.runtime.spool.log_reader import Loaded, Missing
from logrouter.runtime.spool.store import Store
from logrouter.segments import MARKER_OF_VERSION_1, Header, decode_header, encode_header, encode_record, header_length

EPOCH = 7


def new_store(folder: Path | str, disk: Any = os, *, segment_bytes: int = 2**20, epoch: int = EPOCH) -> Store:
    """An open store. `segment_bytes`: a segment that has reached so much is followed by the next."""
    store = Store(str(folder), max_bytes=2**24, epoch=epoch, disk=disk, clock_ns=lambda: 5_000)
    store.segment_bytes = segment_bytes
    store.open()
    return store


def numbered_chunk(first: int, events: int = 5, *, epoch: int = EPOCH, reached: bytes | None = None) -> Chunk:
    """Events that know their sequence; received at a time that tells the chunk's first."""
    payloads = [b'{"n":%d}' % number for number in range(first, first + events)]
    position = encode({key_of("app", "f"): Position(reached)}) if reached else None
    chunk = Chunk(payloads, bytes([Flag.JSON]) * events, {"source": "app"}, 1_000 + first, position=position)
    chunk.offset = Offset(epoch, first)
    return chunk


def reached(positions: dict[str, bytes]) -> bytes | None:
    """How far the one stream has been read, as `numbered_chunk` has it."""
    return position.reached if (position := of_source(positions, "app").get("f")) else None


def fill(store: Store, chunks: int, *, events: int = 5) -> None:
    """Append so many chunks behind what is there."""
    for _ in range(chunks):
        store.append(numbered_chunk(store.end, events, epoch=store.epoch))


def walk(store: Store, sequence: int = 0, *, spots: bool = True) -> Iterator[Chunk | Missing]:
    """All that the log tells from a sequence on. `spots`: each read is told where the last one ended."""
    spot = None
    while (found := store.load(sequence, spot)) is not None:
        if isinstance(found, Loaded):
            yield found.chunk
            sequence, spot = found.chunk.end.sequence, found.spot if spots else None
        else:
            yield found
            assert found.end > sequence, "reading must go on"
            sequence = found.end


def runs(store: Store, sequence: int = 0, *, spots: bool = True) -> list[tuple[int, int] | str]:
    """The same as (first, end) of each chunk, and `first..end reason` of what is missing. Checks every payload."""
    told: list[tuple[int, int] | str] = []
    for found in walk(store, sequence, spots=spots):
        if isinstance(found, Missing):
            told.append(f"{sequence}..{found.end} {found.reason}")
            sequence = found.end
            continue
        first, end = found.offset.sequence, found.end.sequence
        assert first == sequence, "neither twice nor left out"
        assert list(found.payloads) == [b'{"n":%d}' % number for number in range(first, end)]
        told.append((first, end))
        sequence = end
    return told


def records_in(segment: Path) -> list[int]:
    """Where its records begin."""
    data = segment.read_bytes()
    return [match.start() for match in re.finditer(re.escape(decode_header(data).marker), data)]


def write_version_1(path: Path, chunk: Chunk) -> None:
    """A segment of the version before, of one record."""
    header = Header(chunk.offset.epoch, chunk.offset.sequence, chunk.received_ns, {}, MARKER_OF_VERSION_1)
    path.write_bytes(b"".join([encode_header(header), *encode_record(chunk, header.marker)]))


def make_newer(path: Path, version: int) -> None:
    """Let a segment be of a version to come: its checksum is right."""
    data = bytearray(path.read_bytes())
    data[4:6] = version.to_bytes(2, "little")
    header = header_length(bytes(data))
    data[36:40] = crc32(data[:36] + data[40:header]).to_bytes(4, "little")
    path.write_bytes(data)
