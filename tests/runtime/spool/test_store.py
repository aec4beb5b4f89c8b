"""The log on disk: rolling, reading from anywhere, disks that fail at any call, and every kind of damage."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from logrouter.runtime.spool import store as store_module
from logrouter.runtime.spool.log_reader import Missing
from logrouter.runtime.spool.segment_reader import OPEN_FILES
from logrouter.segments import SALT_BYTES, UnknownVersion, head_bytes, marker_with
from logrouter.testing import FaultyDisk
from tests.runtime.spool.logs import fill, make_newer, new_store, numbered_chunk, reached, records_in, runs, walk

HEAD_BYTES = head_bytes(marker_with(bytes(SALT_BYTES)))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def chunks_of(first: int, end: int, step: int = 5) -> list[tuple[int, int] | str]:
    return [(start, start + step) for start in range(first, end, step)]


# ── appending and reading ──


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    fill(store, 4)
    assert runs(store) == chunks_of(0, 20)
    (chunk, *_) = walk(store, 5)
    assert not isinstance(chunk, Missing)
    assert (chunk.offset, chunk.received_ns, chunk.attributes) == ((7, 5), 1_005, {"source": "app"})
    assert store.load(20) is None
    store.close()


def test_segments_roll_and_keep_the_order(tmp_path: Path) -> None:
    store = new_store(tmp_path, segment_bytes=300)
    fill(store, 10)
    store.close()
    assert len(names(tmp_path)) > 3
    assert names(tmp_path)[0] == "000000000001.segment"
    reopened = new_store(tmp_path)
    assert runs(reopened) == chunks_of(0, 50)
    assert reopened.end == 50
    assert reopened.size_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    reopened.close()


@pytest.mark.parametrize("spots", [True, False])
@pytest.mark.parametrize("first", range(31))
def test_reading_begins_anywhere_also_within_a_chunk(tmp_path: Path, first: int, spots: bool) -> None:
    store = new_store(tmp_path, segment_bytes=300)
    fill(store, 6)
    start = first - first % 5
    expected = chunks_of(start, 30)
    if expected:
        expected[0] = (first, start + 5)
    assert runs(store, first, spots=spots) == expected
    store.close()


def test_no_more_files_are_open_than_said(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk, segment_bytes=1)
    fill(store, 40)
    before = disk.calls["open"] - disk.calls["close"]
    assert runs(store) == chunks_of(0, 200)
    assert disk.calls["open"] - disk.calls["close"] <= before + OPEN_FILES
    store.close()
    assert disk.calls["open"] == disk.calls["close"]


def test_a_spot_behind_what_is_asked_for_does_not_hide_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    fill(store, 3)
    loaded = store.load(5)
    assert loaded is not None
    assert not isinstance(loaded, Missing)
    again = store.load(7, loaded.spot)
    assert again is not None
    assert not isinstance(again, Missing)
    assert again.chunk.payloads == loaded.chunk.payloads[2:]
    store.close()


def test_a_start_opens_a_new_segment_of_its_epoch(tmp_path: Path) -> None:
    """Ids are never used twice: what is appended after a restart has another epoch."""
    first = new_store(tmp_path, epoch=1)
    fill(first, 2)
    first.close()
    second = new_store(tmp_path, epoch=2)
    assert second.end == 10
    fill(second, 2)
    assert [found.offset for found in walk(second) if not isinstance(found, Missing)] == [
        *((1, 0), (1, 5)),
        *((2, 10), (2, 15)),
    ]
    assert names(tmp_path) == ["000000000001.segment", "000000000002.segment"]
    second.close()


def test_a_start_without_an_append_leaves_the_folder_as_it_is(tmp_path: Path) -> None:
    for _ in range(3):
        new_store(tmp_path).close()
    assert names(tmp_path) == []


def test_a_segment_holds_no_more_records_than_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_RECORDS", 3)
    store = new_store(tmp_path)
    fill(store, 7)
    assert [segment.records for segment in store.segments] == [3, 3, 1]
    assert runs(store) == chunks_of(0, 35)
    store.close()


def test_a_log_fits_what_it_may_take(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    fill(store, 2)
    left = store.max_bytes - store.size_bytes
    assert store.fits(left)
    assert not store.fits(left + 1)
    store.close()


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("notes.txt", "1.segment", "000000000001.segment.damaged", "0000000000010.segment"):
        (tmp_path / name).write_bytes(b"not ours")
    (tmp_path / "folder").mkdir()
    before = names(tmp_path)
    store = new_store(tmp_path)
    fill(store, 1)
    store.close()
    reopened = new_store(tmp_path)
    assert runs(reopened) == [(0, 5)]
    assert sorted(set(names(tmp_path)) - set(before)) == ["000000000002.segment"]
    assert (tmp_path / "notes.txt").read_bytes() == b"not ours"
    reopened.close()


# ── positions ──


def test_positions_ride_in_records_and_in_every_header(tmp_path: Path) -> None:
    """Invariant 7, position rides with data."""
    store = new_store(tmp_path, segment_bytes=1)
    for number in range(4):
        store.append(numbered_chunk(store.end, reached=b"read to %d" % number))
    assert [reached(segment.header.positions) for segment in store.segments] == [
        *(None, b"read to 0", b"read to 1", b"read to 2")
    ]
    store.close()
    reopened = new_store(tmp_path)
    assert reached(reopened.positions) == b"read to 3"
    fill(reopened, 1)  # a chunk without a position changes nothing
    assert reached(reopened.positions) == b"read to 3"
    reopened.close()


@pytest.mark.parametrize("after_restart", [False, True])
def test_positions_outlive_all_that_is_settled_and_deleted(tmp_path: Path, after_restart: bool) -> None:
    """Invariant 7: the last segment is kept for its positions."""
    store = new_store(tmp_path, segment_bytes=1)
    for number in range(4):
        store.append(numbered_chunk(store.end, reached=b"read to %d" % number))
    store.finish()
    if after_restart:
        store.close()
        store = new_store(tmp_path)
    paths = [segment.path for segment in store.closed_segments()]
    assert len(paths) == 3
    store.forget(paths)
    store.unlink()
    store.close()
    for _ in range(2):
        reopened = new_store(tmp_path)
        assert (reopened.end, reached(reopened.positions)) == (20, b"read to 3")
        reopened.close()
    last = new_store(tmp_path)
    fill(last, 1)
    assert reached(last.segments[-1].header.positions) == b"read to 3"
    assert len(last.closed_segments()) == 1  # the old one has become free
    last.close()


def test_the_segment_that_is_written_to_is_not_deleted(tmp_path: Path) -> None:
    store = new_store(tmp_path, segment_bytes=1)
    fill(store, 3)
    assert [segment.number for segment in store.closed_segments()] == [1, 2]
    store.finish()
    assert [segment.number for segment in store.closed_segments()] == [1, 2, 3]
    store.close()


# ── deleting ──


def test_a_segment_that_goes_in_the_middle_is_missing(tmp_path: Path) -> None:
    store = new_store(tmp_path, segment_bytes=1)
    fill(store, 5)
    loaded = store.load(5)
    assert loaded is not None
    assert not isinstance(loaded, Missing)
    paths = [store.segments[1].path, store.segments[2].path]
    store.forget(paths)
    store.unlink()
    assert runs(store) == [(0, 5), "5..15 missing", (15, 20), (20, 25)]
    assert store.load(10, loaded.spot) == Missing(15, "missing", 5_000)
    store.close()


def test_the_first_segments_go_and_what_was_before_is_missing(tmp_path: Path) -> None:
    store = new_store(tmp_path, segment_bytes=1)
    fill(store, 3)
    store.forget([store.segments[0].path])
    assert runs(store) == ["0..5 missing", (5, 10), (10, 15)]
    store.forget([segment.path for segment in store.segments])
    assert runs(store) == ["0..15 missing"]
    store.close()


def test_numbers_go_on_behind_what_others_know(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    fill(store, 2)
    store.begin_at(30)
    fill(store, 1)
    store.begin_at(12)
    assert store.end == 35
    assert runs(store)[:2] == [(0, 5), (5, 10)]
    assert runs(store, 10) == ["10..30 missing", (30, 35)]
    store.close()


def test_what_nobody_appends_any_more_is_durable(tmp_path: Path) -> None:
    """Sinks that read only what is durable must not wait for ever for what a power cut has taken."""
    store = new_store(tmp_path)
    store.begin_at(30)
    assert store.synced_end == 30
    store.close()


# ── faults of the disk ──


@pytest.mark.parametrize("taken", range(0, 60, 7))
def test_a_short_write_goes_on(tmp_path: Path, taken: int) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk)
    fill(store, 1)
    disk.writev_short(taken)
    disk.write_short(3)
    fill(store, 2)
    assert runs(store) == chunks_of(0, 15)
    store.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("taken", [0, 1, HEAD_BYTES, 50])
@pytest.mark.parametrize("ftruncate_fails", [False, True])
def test_a_record_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, number: int, taken: int, ftruncate_fails: bool
) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk)
    fill(store, 1)
    disk.writev_short(taken)
    disk.fail("write", number)
    if ftruncate_fails:
        disk.fail("ftruncate", errno.EIO)
    with pytest.raises(OSError, match=os.strerror(number)):
        fill(store, 1)
    assert (store.end, store.written_bytes) == (5, store.segments[0].size - store.segments[0].header.size)
    assert runs(store) == chunks_of(0, 5)
    fill(store, 2)
    assert runs(store) == chunks_of(0, 15)
    store.close()
    assert len(names(tmp_path)) == 1 + ftruncate_fails
    reopened = new_store(tmp_path)
    assert reopened.end == 15
    assert runs(reopened) == chunks_of(0, 15)
    reopened.close()


@pytest.mark.parametrize("unlink_fails", [False, True])
def test_a_header_that_cannot_be_written_leaves_nothing(tmp_path: Path, unlink_fails: bool) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk)
    disk.writev_short(10)
    disk.fail("write", errno.ENOSPC)
    if unlink_fails:
        disk.fail("unlink", errno.EIO)
    with pytest.raises(OSError, match="No space left"):
        fill(store, 1)
    assert store.segments == []
    fill(store, 2)
    assert runs(store) == chunks_of(0, 10)
    store.close()
    reopened = new_store(tmp_path)
    assert runs(reopened) == chunks_of(0, 10)
    reopened.close()


def test_no_descriptor_for_a_new_segment(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk, segment_bytes=1)
    fill(store, 1)
    disk.fail("open", errno.EMFILE)
    with pytest.raises(OSError, match="Too many open files"):
        fill(store, 1)
    fill(store, 1)
    assert runs(store) == chunks_of(0, 10)
    store.close()


@pytest.mark.parametrize("function", ["open", "pread"])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_what_does_not_lie_in_the_segment_loses_nothing(tmp_path: Path, function: str, number: int) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk)
    fill(store, 3)
    disk.fail(function, number)
    with pytest.raises(OSError, match=os.strerror(number)):
        store.load(0)
    assert runs(store) == chunks_of(0, 15)
    store.close()


def test_a_record_that_the_disk_cannot_read_costs_its_own_events(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk)
    fill(store, 3)
    loaded = store.load(0)
    assert loaded is not None
    assert not isinstance(loaded, Missing)
    disk.fail("pread", errno.EIO)
    missing = store.load(5, loaded.spot)
    assert missing == Missing(10, "damaged", 1_010)
    assert runs(store, 10) == [(10, 15)]
    store.close()


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_bad_sector_costs_what_stands_in_it(tmp_path: Path, place: int) -> None:
    store = new_store(tmp_path, FaultyDisk())
    for first in range(0, 20, 5):
        chunk = numbered_chunk(first)
        chunk.payloads = (chunk.payloads[0] + b" " * 20_000, *chunk.payloads[1:])
        store.append(chunk)
    store.close()
    (path,) = tmp_path.iterdir()
    bad = records_in(path)[place] + 10_000
    disk = FaultyDisk()
    disk.unreadable = range(bad, bad + 512)
    reopened = new_store(tmp_path, disk)
    found = [item.end if isinstance(item, Missing) else item.offset.sequence for item in walk(reopened)]
    assert found == [first + 5 * (first == 5 * place) for first in range(0, 20, 5)]
    assert reopened.end == 20
    reopened.close()


def test_a_header_that_the_disk_cannot_read_costs_no_event(tmp_path: Path) -> None:
    """Invariant 9, start never fails for one bad record."""
    store = new_store(tmp_path, segment_bytes=1)
    fill(store, 3)
    store.close()
    disk = FaultyDisk()
    disk.fail("pread", errno.EIO)
    reopened = new_store(tmp_path, disk)
    assert [segment.headless for segment in reopened.segments] == [True, False, False]
    assert runs(reopened) == [(0, 5), (5, 10), (10, 15)]
    reopened.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES])
def test_a_folder_that_may_not_be_read_is_an_error(tmp_path: Path, number: int) -> None:
    """Nothing is set aside for a reason that another start may not have."""
    store = new_store(tmp_path)
    fill(store, 1)
    store.close()
    disk = FaultyDisk()
    disk.fail("open", number)
    with pytest.raises(OSError, match=os.strerror(number)):
        new_store(tmp_path, disk)
    assert names(tmp_path) == ["000000000001.segment"]


# ── syncing ──


def test_a_sync_covers_what_was_appended_before(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk, segment_bytes=1)
    assert not store.needs_sync
    fill(store, 2)
    sync = store.begin_sync()
    fill(store, 1)
    sync()
    assert (store.synced_end, store.needs_sync) == (10, True)
    assert (disk.calls["fdatasync"], disk.calls["fsync"]) == (2, 1)
    store.begin_sync()()
    assert (store.synced_end, store.needs_sync) == (15, False)
    assert (disk.calls["fdatasync"], disk.calls["fsync"]) == (3, 2)
    store.close()


def test_what_a_sync_could_not_write_is_written_again(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk)
    fill(store, 1)
    store.begin_sync()()
    fill(store, 1)
    disk.fail("fdatasync", errno.EIO)
    store.begin_sync()()
    assert (disk.calls["pwrite"], store.synced_end) == (1, 10)
    assert runs(store) == chunks_of(0, 10)
    store.close()


@pytest.mark.parametrize("failures", [2, 3, 4, 5])
def test_however_often_it_fails_it_is_written_again_before_the_sync_that_counts(tmp_path: Path, failures: int) -> None:
    """The kernel says once that it could not write, drops that, and knows of nothing to write the next time."""
    disk = FaultyDisk()
    store = new_store(tmp_path, disk)
    fill(store, 1)
    disk.fail("fdatasync", errno.EIO, times=failures)
    while store.synced_end < 5:
        written, synced = disk.calls["pwrite"], disk.calls["fdatasync"]
        try:
            store.begin_sync()()
        except OSError:
            assert store.needs_sync
    assert disk.calls["fdatasync"] > synced
    assert disk.calls["pwrite"] > written, "what was dropped was not written again"
    assert runs(store) == [(0, 5)]
    store.close()


def test_a_folder_that_cannot_be_synced_is_synced_again(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk)
    fill(store, 1)
    disk.fail("fsync", errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        store.begin_sync()()
    assert (store.needs_sync, store.synced_end) == (True, 0)
    store.begin_sync()()
    assert (store.needs_sync, store.synced_end) == (False, 5)
    store.close()


def test_a_sync_that_fails_while_more_is_appended_syncs_that_too(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store = new_store(tmp_path, disk)
    fill(store, 1)
    disk.fail("fdatasync", errno.EIO, times=2)
    sync = store.begin_sync()
    fill(store, 1)
    with pytest.raises(OSError, match="Input/output error"):
        sync()
    store.begin_sync()()
    assert (store.needs_sync, store.synced_end) == (False, 10)
    store.forget([store.segments[0].path])
    assert not store.needs_sync
    store.close()


def test_what_the_last_process_has_written_is_synced_by_this_one(tmp_path: Path) -> None:
    """It may have been killed before it could."""
    store = new_store(tmp_path, segment_bytes=1)
    fill(store, 3)
    store.close()
    disk = FaultyDisk()
    reopened = new_store(tmp_path, disk)
    assert reopened.needs_sync
    reopened.begin_sync()()
    assert (disk.calls["fdatasync"], disk.calls["fsync"]) == (3, 1)
    assert reopened.synced_end == 15
    reopened.close()


# ── damage ──


def test_an_unknown_version_is_refused_and_stays(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    fill(store, 1)
    store.close()
    path = tmp_path / "000000000001.segment"
    make_newer(path, 9)
    data = path.read_bytes()
    with pytest.raises(UnknownVersion, match="version 9"):
        new_store(tmp_path)
    assert path.read_bytes() == data


def test_files_set_aside_are_never_overwritten(tmp_path: Path) -> None:
    for number in range(3):
        store = new_store(tmp_path)
        fill(store, 1)
        store.close()
        (path,) = tmp_path.glob("*.segment")
        path.write_bytes(b"damage %d" % number)
        reopened = new_store(tmp_path)
        assert reopened.lost_bytes == 8
        reopened.close()
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [b"damage 0", b"damage 1", b"damage 2"]


def test_what_looks_like_a_record_in_a_payload_is_none(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    inner = new_store(tmp_path / "inner")
    fill(inner, 1)
    inner.close()
    (path,) = (tmp_path / "inner").iterdir()
    record = path.read_bytes()[records_in(path)[0] :]
    store = new_store(tmp_path / "inner", epoch=8)
    store.append(numbered_chunk(5))
    chunk = numbered_chunk(10, 2)
    hostile = b"\n" + record[:-1] + b"!" + record  # one that is cut short, and one that is whole
    chunk.payloads = (hostile, *chunk.payloads[1:])
    store.append(chunk)
    store.append(numbered_chunk(12))
    found = next(walk(store, 10))
    assert not isinstance(found, Missing)
    assert found.payloads == chunk.payloads
    store.close()


def one_segment(folder: Path, chunks: int = 4) -> Path:
    store = new_store(folder)
    fill(store, chunks)
    store.close()
    (path,) = folder.glob("*.segment")
    return path


@pytest.mark.parametrize("field", ["length", "first", "count"])
@pytest.mark.parametrize("spots", [True, False])
def test_a_damaged_head_hides_no_record_behind_it(tmp_path: Path, field: str, spots: bool) -> None:
    """Heads are skipped without their bodies being read: what they say must not be believed."""
    path = one_segment(tmp_path)
    data = bytearray(path.read_bytes())
    offset, size = {"length": (8, 4), "first": (16, 8), "count": (24, 4)}[field]
    start = records_in(path)[0] + offset
    for value in (0, 1, 2, 3, 60, 100, 200, 2**16, 2**31):
        data[start : start + size] = value.to_bytes(size, "little")
        path.write_bytes(data)
        store = new_store(tmp_path)
        assert store.end == 20, (field, value)
        for first in (5, 7, 10, 15):
            expected = chunks_of(first - first % 5, 20)
            expected[0] = (first, first - first % 5 + 5)
            assert runs(store, first, spots=spots) == expected, (field, value)
        store.close()


@pytest.mark.parametrize("field", [12, 16, 18, 19, 20, 22, 23])
def test_a_damaged_last_head_does_not_make_numbers_leap(tmp_path: Path, field: int) -> None:
    path = one_segment(tmp_path)
    data = bytearray(path.read_bytes())
    data[records_in(path)[-1] + field] ^= 0xFF
    path.write_bytes(data)
    store = new_store(tmp_path)
    assert 15 <= store.end <= 20 + len(data)
    fill(store, 1)
    assert runs(store)[:3] == chunks_of(0, 15)
    assert runs(store)[-1] == (store.end - 5, store.end)
    store.close()
