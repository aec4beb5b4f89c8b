"""A cursor's two files: a full disk stops nothing, a failed write is made good, a crash at any byte finds its way."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.crashing import SECTOR_BYTES
from logrouter.cursors import Commit, Entry, Ledger, Note, Place, State, encode_entry
from logrouter.runtime.disk import make_folders, read_file, sync_folder
from logrouter.runtime.spool.journal import FILE_BYTES, Journal
from logrouter.testing import CrashingDisk, FaultyDisk, Killed
from tests.e2e.disks import tiny_disk

SMALL_BYTES = 700


def new_state() -> State:
    return State("s", 0, 0, Ledger())


def entry(number: int) -> Entry:
    """Notes and commits in turns, each with a ledger of its own."""
    if number % 2:
        return Commit(number * 10, Ledger(read=number * 10, delivered=number * 10), 0)
    return Note(number * 10, number * 10 + 10, [Place("x.log", 1, 2, number * 100, 100, number)])


class Written:
    """A journal, and the state that it should tell."""

    def __init__(self, path: str, disk: CrashingDisk | FaultyDisk, file_bytes: int = SMALL_BYTES) -> None:
        self.journal = Journal(path, disk)
        self.journal.file_bytes = file_bytes
        self.state = self.journal.load() or new_state()
        self.number = 0

    def write(self, count: int = 1) -> None:
        for _ in range(count):
            self.number += 1
            made = entry(self.number)
            self.state.apply(made)
            self.journal.write(made, self.state)


def loaded(path: str, disk: CrashingDisk | FaultyDisk) -> State | None:
    return Journal(path, disk).load()


def crashing_disk() -> CrashingDisk:
    disk = CrashingDisk()
    for changed in make_folders(disk, "/cursors"):
        sync_folder(disk, changed)
    return disk


def test_what_is_written_is_loaded() -> None:
    disk = crashing_disk()
    written = Written("/cursors/s", disk)
    assert not written.journal.exists
    written.journal.begin(written.state)
    for _ in range(40):  # some rounds through both files
        written.write()
        assert loaded("/cursors/s", disk) == written.state
    assert disk.listdir("/cursors") == ["s.0", "s.1"]
    assert {len(read_file(disk, f"/cursors/s.{number}")) for number in (0, 1)} == {SMALL_BYTES}
    again = Written("/cursors/s", disk)
    assert again.journal.exists
    assert again.state == written.state
    written.journal.close()
    assert disk.open_files == 0


def test_a_start_begins_the_file_that_is_not_in_use() -> None:
    disk = crashing_disk()
    for _ in range(3):
        written = Written("/cursors/s", disk)
        before = {number: tried(lambda number=number: read_file(disk, f"/cursors/s.{number}")) for number in (0, 1)}
        written.journal.begin(written.state)
        written.write(2)
        changed = [number for number in (0, 1) if read_file(disk, f"/cursors/s.{number}") != before[number]]
        assert len(changed) == 1 or before == {0: None, 1: None}
        written.journal.close()


def tried(act: Callable[[], bytes]) -> bytes | None:
    try:
        return act()
    except FileNotFoundError:
        return None


def test_it_is_private(tmp_path: Path) -> None:
    written = Written(str(tmp_path / "s"), FaultyDisk())
    written.journal.begin(written.state)
    written.journal.close()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert {path.stat().st_size for path in tmp_path.iterdir()} == {SMALL_BYTES}


# ── crashes ──


def test_a_crash_at_any_byte_finds_the_last_entry_or_the_one_before() -> None:
    """Also in the middle of a switch from one file to the other: invariant 6."""
    for steps in range(4_000):
        disk = crashing_disk()
        disk.kill_after(steps)
        states = []
        try:
            written = Written("/cursors/s", disk)
            written.journal.begin(written.state)
            for _ in range(12):
                states.append(copy_of(written.state))
                written.write()
        except Killed:
            disk.crash()
            expected = [*states[-1:], copy_of(written.state)] if states else [None, new_state()]
            assert loaded("/cursors/s", disk) in expected, steps
            again = Written("/cursors/s", disk)
            again.journal.begin(again.state)
            again.write(3)
            assert loaded("/cursors/s", disk) == again.state
        else:
            assert steps > 2 * SMALL_BYTES, "both files were written"
            return
    raise AssertionError("it goes on for ever")


def copy_of(state: State) -> State:
    return msgspec.json.decode(msgspec.json.encode(state), type=State)


@pytest.mark.parametrize("seed", range(60))
def test_a_power_cut_finds_what_was_synced_or_something_later(seed: int) -> None:
    disk = crashing_disk()
    disk.random.seed(seed)
    written = Written("/cursors/s", disk)
    written.journal.begin(written.state)
    written.write(seed % 17)
    written.journal.begin_sync(written.state)()
    states = [copy_of(written.state)]
    for _ in range(seed % 5):
        written.write()
        states.append(copy_of(written.state))
    disk.crash(power=True)
    found = loaded("/cursors/s", disk)
    assert found is not None
    assert (found.committed, found.ledger) in [(state.committed, state.ledger) for state in states]


@pytest.mark.parametrize("seed", range(10))
def test_a_power_cut_while_a_killed_process_is_followed_takes_nothing_that_was_synced(seed: int) -> None:
    """The one before had gone on in the other file, of which nothing may be on the disk."""
    for steps in range(seed, 500, 20):
        disk = crashing_disk()
        disk.random.seed(1000 * seed + steps)
        killed = Written("/cursors/s", disk)
        killed.journal.begin(killed.state)
        killed.write(7)
        killed.journal.begin_sync(killed.state)()
        synced = killed.state.committed
        killed.write(5)
        disk.crash()
        again = Written("/cursors/s", disk)
        assert again.state == killed.state
        disk.kill_after(steps)
        with suppress(Killed):
            again.journal.begin(again.state)
        disk.crash(power=True)
        found = loaded("/cursors/s", disk)
        assert found is not None
        assert found.committed >= synced, steps


operations = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 6)),
        st.tuples(
            st.sampled_from(["sync", "fail to sync", "fail to sync", "fail to write", "kill", "cut the power"]),
            st.just(1),
        ),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(operations, st.integers(0, 2**16))
def test_whatever_fails_a_power_cut_takes_no_more_than_what_no_sync_has_covered(
    script: list[tuple[str, int]], seed: int
) -> None:
    """Also when one file after the other is filled, and nothing can be synced; a snapshot takes two sectors."""
    disk = crashing_disk()
    disk.random.seed(seed)
    written = Written("/cursors/s", disk, 1_500)
    written.state.sink = "s" * SECTOR_BYTES
    written.journal.begin(written.state)
    since_sync = [copy_of(written.state)]

    def write(count: int) -> None:
        for _ in range(count):
            with suppress(OSError):
                written.write()
            since_sync.append(copy_of(written.state))

    for verb, count in script:
        match verb:
            case "write":
                write(count)
            case "sync" | "fail to sync":
                disk.fail("fdatasync", errno.EIO, times=verb == "fail to sync")
                with suppress(OSError):
                    written.journal.begin_sync(written.state)()
                    since_sync[:] = [copy_of(written.state)]
            case "fail to write":
                disk.fail("pwrite", errno.EIO)
                write(1)
            case _:
                power = verb == "cut the power"
                disk.crash(power=power)
                disk.heal()
                found = loaded("/cursors/s", disk)
                assert found is not None
                known = since_sync if power or written.journal.is_behind else since_sync[-1:]
                assert (found.committed, found.ledger) in [(state.committed, state.ledger) for state in known]
                number = written.number
                written = Written("/cursors/s", disk, 1_500)
                written.number = number
                written.journal.begin(written.state)
                since_sync[:] = [copy_of(written.state)]
        disk.heal()


def test_the_file_that_lasts_is_not_begun_anew_before_the_other_one_does() -> None:
    """Where a sync fails, the next snapshot stands behind what the disk may not have."""
    for seed in range(40):
        disk = crashing_disk()
        disk.random.seed(seed)
        written = Written("/cursors/s", disk, 1_500)
        written.state.sink = "s" * SECTOR_BYTES
        written.journal.begin(written.state)
        disk.fail("pwrite", errno.EIO)
        with suppress(OSError):
            written.write()
        written.write()  # in the other file
        disk.fail("fdatasync", errno.EIO)
        with suppress(OSError):
            written.journal.begin_sync(written.state)()
        written.write()
        disk.crash(power=True)
        found = loaded("/cursors/s", disk)
        assert found is not None
        assert found.sink == written.state.sink


def test_a_snapshot_behind_what_the_disk_has_dropped_stands_for_itself() -> None:
    disk = crashing_disk()
    written = Written("/cursors/s", disk)
    written.journal.begin(written.state)
    for _ in range(3):
        written.write()
        disk.fail("fdatasync", errno.EIO)
        with suppress(OSError):
            written.journal.begin_sync(written.state)()
    written.journal.begin_sync(written.state)()
    disk.crash(power=True)
    assert loaded("/cursors/s", disk) == written.state


def test_nobody_waits_for_the_disk_but_those_who_sync() -> None:
    """The event loop writes; a thread syncs."""
    disk = crashing_disk()
    written = Written("/cursors/s", disk)
    written.journal.begin(written.state)
    before = Counter(disk.calls)
    syncs = 0
    for _ in range(40):  # some rounds through both files
        written.write()
        sync = written.journal.begin_sync(written.state)
        waited = disk.calls["fdatasync"] - before["fdatasync"]
        assert waited == syncs
        sync()
        syncs += 1
    assert disk.calls["posix_fallocate"] == before["posix_fallocate"]
    assert disk.calls["open"] - before["open"] > syncs + 3, "files were begun"


def test_a_file_that_is_filled_before_any_sync_is_synced_first() -> None:
    """Or a power cut could take both: the one that was begun anew, and the one that nothing had synced."""
    for seed in range(40):
        disk = crashing_disk()
        disk.random.seed(seed)
        written = Written("/cursors/s", disk)
        written.journal.begin(written.state)
        written.write(40)
        disk.crash(power=True)
        found = loaded("/cursors/s", disk)
        assert found is not None
        assert found.committed > 0


def test_a_cursor_has_a_name_after_a_power_cut() -> None:
    """Else its sink would go on with the events to come, as a new one does."""
    for seed in range(50):
        disk = crashing_disk()
        disk.random.seed(seed)
        written = Written("/cursors/s", disk)
        written.journal.begin(written.state)
        disk.crash(power=True)
        assert loaded("/cursors/s", disk) == written.state


# ── faults ──


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_what_could_not_be_written_comes_with_the_next(number: int) -> None:
    disk = crashing_disk()
    written = Written("/cursors/s", disk)
    written.journal.begin(written.state)
    written.write(2)
    before = copy_of(written.state)
    disk.fail("pwrite", number)
    with pytest.raises(OSError, match=os.strerror(number)):
        written.write()
    assert written.journal.is_behind
    assert loaded("/cursors/s", disk) == before
    written.write()
    assert not written.journal.is_behind
    assert loaded("/cursors/s", disk) == written.state


@pytest.mark.parametrize("function", ["open", "pwrite", "fdatasync"])
def test_a_switch_that_fails_is_tried_again(function: str) -> None:
    disk = crashing_disk()
    written = Written("/cursors/s", disk)
    written.journal.begin(written.state)
    failed = 0
    for _ in range(40):
        before = copy_of(written.state)
        disk.fail(function, errno.EIO)
        try:
            written.write()
        except OSError:
            failed += 1
            disk.heal()
            assert loaded("/cursors/s", disk) in (before, written.state)
            written.write()
        disk.heal()
        assert loaded("/cursors/s", disk) == written.state
    assert failed > 2
    assert disk.open_files == 1


def test_a_sync_that_failed_is_followed_by_a_snapshot() -> None:
    """The kernel says once that it could not write: the next sync alone would prove nothing."""
    for seed in range(40):
        disk = crashing_disk()
        disk.random.seed(seed)
        written = Written("/cursors/s", disk)
        written.journal.begin(written.state)
        written.write(3)
        disk.fail("fdatasync", errno.EIO)
        with pytest.raises(OSError, match="Input/output error"):
            written.journal.begin_sync(written.state)()
        assert written.journal.needs_sync
        written.journal.begin_sync(written.state)()
        assert not written.journal.needs_sync
        disk.crash(power=True)
        assert loaded("/cursors/s", disk) == written.state


def test_what_was_not_written_is_written_by_a_sync() -> None:
    disk = crashing_disk()
    written = Written("/cursors/s", disk)
    written.journal.begin(written.state)
    disk.fail("pwrite", errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        written.write()
    written.journal.begin_sync(written.state)()
    disk.crash(power=True)
    assert loaded("/cursors/s", disk) == written.state


def test_a_full_disk_stops_no_cursor_that_has_begun() -> None:
    disk = crashing_disk()
    written = Written("/cursors/s", disk)
    written.journal.begin(written.state)
    disk.free_bytes = 0
    written.write(60)
    written.journal.begin_sync(written.state)()
    assert loaded("/cursors/s", disk) == written.state


@pytest.mark.slow
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "small", "1m") as small:
        written = Written(str(small / "s"), FaultyDisk(), FILE_BYTES)
        written.journal.begin(written.state)
        with pytest.raises(OSError, match="No space left"):
            (small / "ballast").write_bytes(bytes(2**20))
        size = len(encode_entry(entry(2), 1)) + len(encode_entry(entry(1), 1))
        written.write(3 * FILE_BYTES // size * 2)
        written.journal.begin_sync(written.state)()
        assert loaded(str(small / "s"), FaultyDisk()) == written.state
        assert {path.stat().st_size for path in small.glob("s.*")} == {FILE_BYTES}
        written.journal.close()


def test_a_disk_that_sets_nothing_aside_will_do(tmp_path: Path) -> None:
    disk = FaultyDisk()
    disk.fail("posix_fallocate", errno.EOPNOTSUPP, times=100)
    written = Written(str(tmp_path / "s"), disk)
    written.journal.begin(written.state)
    written.write(20)
    assert loaded(str(tmp_path / "s"), disk) == written.state
    written.journal.close()


@pytest.mark.parametrize("content", [b"", b"nonsense\n", bytes(900)])
def test_files_that_tell_nothing_are_known_to_be_there(content: bytes, tmp_path: Path) -> None:
    """So that the sink begins with the oldest event, not with the events to come."""
    (tmp_path / "s.0").write_bytes(content)
    journal = Journal(str(tmp_path / "s"))
    assert journal.load() is None
    assert journal.exists


def test_what_a_sync_is_to_cover_is_not_durable_before_it_is_done() -> None:
    """Whoever deletes what the cursor has passed asks meanwhile; and one that is cancelled is never done."""
    disk = crashing_disk()
    written = Written("/cursors/a", disk)
    written.journal.begin(written.state)
    written.write()
    former = written.journal.begin_sync(written.state)
    assert written.journal.needs_sync
    written.write()
    written.journal.begin_sync(written.state)()
    assert not written.journal.needs_sync
    former()
    assert not written.journal.needs_sync
