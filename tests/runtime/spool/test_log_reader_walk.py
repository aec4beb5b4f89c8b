"""Going through a segment: every record of it, and what stands between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from logrouter.event import Chunk, Offset
from logrouter.runtime.spool import log_reader
from logrouter.runtime.spool.log_reader import Loaded, LogReader, Missing
from logrouter.runtime.spool.store import Store
from logrouter.segments import UnknownVersion
from tests.runtime.spool.logs import make_newer, records_in

EPOCH = 7


def chunk(first: int, events: int = 10) -> Chunk:
    made = Chunk([b"event %d" % (first + n) for n in range(events)], bytes(events), {"source": "in"}, 1_000 + first)
    made.offset = Offset(EPOCH, first)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A segment of five records with ten events each."""
    store = Store(str(tmp_path), max_bytes=2**24, epoch=EPOCH)
    store.open()
    for first in range(0, 50, 10):
        store.append(chunk(first))
    store.close()
    return tmp_path / "000000000001.segment"


def walked(path: Path) -> list[tuple[int | None, str]]:
    """The first sequence of each record, or what is wrong in its place."""
    reader = LogReader(str(path.parent))
    reader.open()
    (segment,) = reader.segments
    stretches = list(reader.walk(segment))
    reader.close()
    assert sum(stretch.size for stretch in stretches) == segment.size - segment.header.size
    return [(s.chunk.offset.sequence if s.chunk else None, s.problem) for s in stretches]


def change(path: Path, place: int, data: bytes) -> None:
    whole = bytearray(path.read_bytes())
    whole[place : place + len(data)] = data
    path.write_bytes(whole)


def offset_of(path: Path, text: bytes) -> int:
    return path.read_bytes().index(text)


WHOLE = [(first, "") for first in range(0, 50, 10)]


def test_a_whole_segment(path: Path) -> None:
    assert walked(path) == WHOLE


def test_a_wrong_checksum(path: Path) -> None:
    change(path, offset_of(path, b"event 25"), b"EVENT")

    assert walked(path) == [*WHOLE[:2], (None, "a record's checksum is wrong"), *WHOLE[3:]]


def test_a_head_that_is_none(path: Path) -> None:
    change(path, records_in(path)[2], bytes(4))

    assert walked(path) == [*WHOLE[:2], (None, "no record begins here"), *WHOLE[3:]]


def test_a_cut_record(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])

    assert walked(path) == [*WHOLE[:4], (None, "a record is cut")]


def test_a_record_that_stands_there_twice(path: Path) -> None:
    data = path.read_bytes()
    third, fourth = records_in(path)[2:4]
    path.write_bytes(data + data[third:fourth])

    assert walked(path) == [*WHOLE, (None, "a record is out of order")]


def test_a_record_of_nonsense(path: Path) -> None:
    """Its checksum is right, as whoever wrote it made a mistake: it costs its own events, and no start."""
    store = Store(str(path.parent), max_bytes=2**24, epoch=8)
    store.open()
    odd = chunk(50)
    odd.attributes = {"source": ["no", "text"]}  # type: ignore[dict-item]
    odd.position = b"x"
    store.append(odd)
    store.append(chunk(60))
    store.close()

    reader = LogReader(str(path.parent))
    reader.open()

    missing = reader.load(50)
    found = reader.load(60)
    assert isinstance(missing, Missing)
    assert (missing.end, missing.reason) == (60, "damaged")
    assert isinstance(found, Loaded)
    assert [stretch.problem[:24] for stretch in reader.walk(reader.segments[1])] == ["a record cannot be read:", ""]
    reader.close()


def test_records_behind_a_damaged_header(path: Path) -> None:
    change(path, 10, b"\xff")
    reader = LogReader(str(path.parent))
    reader.open()

    assert (reader.segments, reader.damaged) == ([], [str(path)])
    segment = reader.without_header(str(path))
    found = [stretch.chunk.offset.sequence for stretch in reader.walk(segment) if stretch.chunk]
    assert (segment.number, found) == (1, [0, 10, 20, 30, 40])
    reader.close()


def test_a_version_that_is_not_known_names_the_file(path: Path) -> None:
    make_newer(path, 9)

    with pytest.raises(UnknownVersion, match=r"000000000001\.segment: it is of version 9, and this program"):
        LogReader(str(path.parent)).open()


def test_a_segment_is_deleted_meanwhile(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = LogReader(str(path.parent))
    names = reader._names()
    reader.open()
    reader.close()  # what it has open it could still read
    path.unlink()

    with pytest.raises(FileNotFoundError):
        next(reader.walk(reader.segments[0]))
    monkeypatch.setattr(log_reader.LogReader, "_names", lambda self: names)
    later = LogReader(str(path.parent))
    later.open()
    assert (later.segments, later.damaged) == ([], [])


def test_segments_are_closed_when_the_next_begins(tmp_path: Path) -> None:
    """What is kept for an hour is kept for an hour after its last event, also over a restart."""
    for first, created_ns in ((0, 5_000), (10, 9_000)):
        store = Store(str(tmp_path), max_bytes=2**24, epoch=EPOCH, clock_ns=lambda at=created_ns: at)
        store.open()
        store.append(chunk(first))
        store.close()
    reader = LogReader(str(tmp_path))
    reader.open()

    assert [segment.closed_ns for segment in reader.segments] == [9_000, 1_010]
