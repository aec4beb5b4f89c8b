"""The store of dead letters: durable when `keep` returns, each once, within its limit, whoever else is at its files."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio

from logrouter.dead_letters import DeadLetter, encode_letter
from logrouter.errors import DestinationError
from logrouter.event import Flag
from logrouter.runtime import dead_letters
from logrouter.runtime.dead_letters import DeadLetters
from logrouter.runtime.disk import make_folders, opened, read_file, sync_folder, write_all
from logrouter.runtime.letter_files import LetterFiles, held
from logrouter.testing import CrashingDisk, FaultyDisk, Killed

FOLDER = "/spool/dead-letters"
LINE_BYTES = len(encode_letter(DeadLetter(7, 10, "es", "bad", "", 0, 0, {}, Flag.JSON, b"{}"), 10))


def letters_of(numbers: Iterable[int], sink: str = "es", epoch: int = 7) -> list[DeadLetter]:
    """Letters of which each takes `LINE_BYTES`, while their numbers have two digits."""
    return [DeadLetter(epoch, number, sink, "bad", "", 0, 0, {}, Flag.JSON, b"{}") for number in numbers]


def crashing_disk(seed: int = 0) -> CrashingDisk:
    disk = CrashingDisk(Random(seed))
    for changed in make_folders(disk, "/spool"):
        sync_folder(disk, changed)
    return disk


def store_on(disk: CrashingDisk, committed: int = 0, file_lines: int = 3, max_bytes: int = 2**20) -> DeadLetters:
    return DeadLetters(
        FOLDER,
        max_bytes=max_bytes,
        committed={"es": committed},
        disk=disk,
        lock=nullcontext,
        file_bytes=file_lines * LINE_BYTES,
    )


def store_in(path: Path, disk: Any = os, **options: Any) -> DeadLetters:
    return DeadLetters(str(path), **{"max_bytes": 2**20, "committed": {"es": 0}, "disk": disk, **options})


def kept(disk: Any, folder: str = FOLDER) -> list[int]:
    """The sequences of what is there, in order."""
    files = LetterFiles(folder, disk, nullcontext)
    return [line.letter.sequence for file in files.all() for line in files.lines(file) if line.letter]


# ── keeping ──


async def test_what_is_kept_can_be_read(tmp_path: Path) -> None:
    store = store_in(tmp_path / "dead-letters")
    await store.keep(letters_of([10, 11]))
    await store.keep(letters_of([12], "loki"))
    await store.keep([])
    await store.keep(letters_of([13]))

    files = LetterFiles(str(tmp_path / "dead-letters"))
    found = {file.path: [line.letter for line in files.lines(file)] for file in files.all()}

    folder = tmp_path / "dead-letters"
    assert found == {
        f"{folder}/es.000001.letters": letters_of([10, 11, 13]),
        f"{folder}/loki.000001.letters": letters_of([12], "loki"),
    }
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


async def test_files_are_of_one_size_and_numbered() -> None:
    disk = crashing_disk()
    store = store_on(disk, file_lines=3)
    await store.keep(letters_of(range(10, 15)))
    await store.keep(letters_of(range(15, 18)))
    await store.keep(letters_of([18], "loki"))
    assert {name: len(read_file(disk, f"{FOLDER}/{name}")) // LINE_BYTES for name in disk.listdir(FOLDER)} == {
        "es.000001.letters": 3,
        "es.000002.letters": 3,
        "es.000003.letters": 2,
        "loki.000001.letters": 1,
    }
    assert kept(disk) == list(range(10, 19))


async def test_a_letter_larger_than_a_file_has_one_for_itself() -> None:
    disk = crashing_disk()
    store = store_on(disk, file_lines=3)
    big = DeadLetter(7, 11, "es", "bad", "", 0, 0, {}, 0, b"x" * 4 * LINE_BYTES)
    await store.keep([*letters_of([10]), big, *letters_of([12])])
    assert kept(disk) == [10, 11, 12]
    assert len(disk.listdir(FOLDER)) == 3


# ── each once ──


async def test_what_comes_again_after_a_crash_is_there_once() -> None:
    """A crash between `keep` and the commit: the batch is sent again, and refused again."""
    disk = crashing_disk()
    await store_on(disk).keep(letters_of(range(10, 20)))
    disk.crash()
    again = store_on(disk, committed=15)
    await again.keep(letters_of([17, 25, 18]))
    await again.keep(letters_of([16, 26]))
    assert kept(disk) == [*range(10, 20), 25, 26]


async def test_the_same_sequence_of_another_start_is_another_event() -> None:
    disk = crashing_disk()
    await store_on(disk).keep(letters_of([10]))
    await store_on(disk).keep(letters_of([10], epoch=8))
    assert kept(disk) == [10, 10]


async def test_a_start_reads_only_files_that_can_hold_what_comes_again() -> None:
    disk = crashing_disk()
    await store_on(disk, file_lines=2).keep(letters_of([30, 31, 10, 11, 40, 41, 20, 21, 42, 43]))
    assert len(disk.listdir(FOLDER)) == 5
    for committed, files in [(50, 1), (43, 2), (41, 4), (32, 4), (31, 5), (0, 5)]:
        disk.calls.clear()
        await store_on(disk, committed).keep(letters_of([43]))
        reads = disk.calls["pread"] // 2  # each file is read until nothing comes
        assert reads == files, committed
    assert kept(disk).count(43) == 1 + 1  # the first of them said that it was settled


async def test_what_has_been_deleted_does_not_come_back() -> None:
    """Also the running process, which has read the ids before, goes by what a user has decided."""
    disk = crashing_disk()
    await store_on(disk).keep(letters_of([10, 11]))
    again = store_on(disk)
    await again.keep(letters_of([12]))
    files = LetterFiles(FOLDER, disk, nullcontext)
    for file in files.all():
        files.rewrite(file, lambda letter: letter if letter.sequence != 10 else None)
    await again.keep(letters_of([10, 11]))
    assert kept(disk) == [11, 12]


async def test_the_highest_sequence_goes_on_over_starts() -> None:
    disk = crashing_disk()
    await store_on(disk, file_lines=1).keep(letters_of([30]))
    await store_on(disk, file_lines=1).keep(letters_of([20]))
    await store_on(disk, committed=25, file_lines=1).keep(letters_of([30]))
    assert kept(disk) == [30, 20]


# ── crashes ──


async def deletion(disk: CrashingDisk, died_at: int | None = None) -> int:
    """Delete some of six letters in two files, and die after so many steps. Gives how many steps there were."""
    await store_on(disk, file_lines=3).keep(letters_of(range(10, 16)))
    files = LetterFiles(FOLDER, disk, nullcontext)
    before = disk.steps
    if died_at is not None:
        disk.kill_after(died_at)
    with suppress(Killed):
        for file in files.all():
            files.rewrite(file, lambda letter: None if letter.sequence in (11, 13, 14, 15) else letter)
    return disk.steps - before


async def crash_everywhere(disks: Iterator[tuple[CrashingDisk, bool]], stride: int) -> None:
    """Die after any number of steps, go on, and find each letter once: none that was kept is missing."""
    batches = [letters_of([10, 11]), letters_of([12]), letters_of([13, 14])]
    for number, (disk, power) in enumerate(disks):
        steps = number * stride
        disk.kill_after(steps)
        done: list[DeadLetter] = []
        try:
            store = store_on(disk, file_lines=2)
            for batch in batches:
                await store.keep(batch)
                done += batch
        except Killed:
            disk.crash(power=power)
        else:
            assert steps > 5 * LINE_BYTES
            return
        assert [sequence for sequence in kept(disk) if sequence < 10 + len(done)] == [one.sequence for one in done]
        settled = len(done) - len(done) // 2  # a commit may be behind
        again = store_on(disk, committed=10 + settled, file_lines=2)
        await again.keep([letter for batch in batches for letter in batch][settled:])
        disk.crash(power=power)
        assert sorted(kept(disk)) == list(range(10, 15)), steps
    raise AssertionError("it goes on for ever")


@pytest.mark.parametrize("power", [False, True])
async def test_a_crash_at_some_steps(power: bool) -> None:
    await crash_everywhere(((crashing_disk(seed), power) for seed in range(10_000)), stride=41)


@pytest.mark.slow
@pytest.mark.parametrize("power", [False, True])
async def test_a_crash_at_any_step(power: bool) -> None:
    await crash_everywhere(((crashing_disk(seed), power) for seed in range(10_000)), stride=1)


@pytest.mark.parametrize("power", [False, True])
async def test_a_crash_while_letters_are_deleted_leaves_them_or_not(power: bool) -> None:
    steps = await deletion(crashing_disk())
    for died_at in [*range(0, steps, 29), *range(steps - 9, steps + 1)]:  # the last: syncs, renames
        for seed in range(1 if died_at < steps - 9 else 5):
            disk = crashing_disk(seed)
            await deletion(disk, died_at)
            disk.crash(power=power)
            left = kept(disk)
            assert left == [10, 12] or (died_at < steps and left in ([10, 12, 13, 14, 15], list(range(10, 16)))), (
                died_at
            )
            await store_on(disk, committed=16).keep(letters_of([16]))
            assert [name for name in disk.listdir(FOLDER) if name.endswith(".new")] == []


@pytest.mark.parametrize("seed", range(12))
async def test_what_a_killed_process_had_not_synced_is_synced_before_it_counts(seed: int) -> None:
    disk = crashing_disk(seed)
    store = store_on(disk)
    await store.keep(letters_of([10]))
    disk.fail("fdatasync", errno.EIO)
    disk.fail("ftruncate", errno.EIO)
    with pytest.raises(DestinationError):
        await store.keep(letters_of([11]))  # it stands in the file, as if the process had died before the sync
    disk.crash()
    await store_on(disk).keep(letters_of([11]))
    disk.crash(power=True)
    assert kept(disk) == [10, 11]


@pytest.mark.parametrize("seed", range(12))
async def test_what_could_neither_be_synced_nor_taken_back_is_written_where_it_stands(seed: int) -> None:
    disk = crashing_disk(seed)
    store = store_on(disk)
    await store.keep(letters_of([10]))
    disk.fail("fdatasync", errno.EIO)
    disk.fail("ftruncate", errno.EIO)
    with pytest.raises(DestinationError):
        await store.keep(letters_of([11]))
    await store.keep(letters_of([11]))
    disk.crash(power=True)
    assert kept(disk) == [10, 11]


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_kept_in_a_file_that_was_just_written_anew_stays(seed: int) -> None:
    """Whoever wrote it anew was killed before the folder was synced: its name may still mean the old file."""
    disk = crashing_disk(seed)
    store = store_on(disk)
    await store.keep(letters_of([10, 11]))
    disk.fail("fsync", errno.EIO)
    files = LetterFiles(FOLDER, disk, nullcontext)
    with pytest.raises(OSError, match="Input/output error"):
        files.rewrite(files.all()[0], lambda letter: None if letter.sequence == 10 else letter)
    await store.keep(letters_of([12]))
    disk.crash(power=True)
    assert kept(disk) == [11, 12]


@pytest.mark.parametrize("missing", range(4))
async def test_a_line_that_was_cut_does_not_become_a_letter_by_deleting_others(missing: int) -> None:
    """Nobody was told that it was kept: it comes again, in another file perhaps."""
    disk = crashing_disk()
    await store_on(disk, file_lines=1).keep(letters_of([10]))
    disk.crash()
    torn = encode_letter(*letters_of([11]), 11)[: -1 - missing]
    with opened(disk, f"{FOLDER}/es.000001.letters", os.O_WRONLY | os.O_APPEND) as fd:
        write_all(disk, fd, [torn])
    await store_on(disk, committed=11, file_lines=1).keep(letters_of([11]))
    files = LetterFiles(FOLDER, disk, nullcontext)
    assert len(files.all()) == 2
    files.rewrite(files.all()[0], lambda letter: DeadLetter(*letter.id, "es", "new", "", 0, 0, {}, 0, b""))
    assert kept(disk) == [10, 11]


LITTLE = 1000
"""A limit in bytes that a walk reaches."""


class Walk:
    """A store that is used, killed, deleted from, in any order; and what must be, and may be, in it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.disk = crashing_disk(seed)
        self.next = 10
        self.kept: set[int] = set()
        """What `keep` has returned for, and nobody has deleted."""
        self.unsettled: list[int] = []
        """What is to be kept again."""
        self.half_deleted: set[int] = set()
        self.start()

    def start(self) -> None:
        committed = min(self.unsettled, default=self.next)
        file_lines, max_bytes = self.random.choice((1, 3, 100)), self.random.choice((2**20, LITTLE))
        self.store = store_on(self.disk, committed, file_lines, max_bytes)

    async def step(self) -> None:
        is_faulty = False
        if self.random.random() < 0.3:
            self.disk.kill_after(self.random.randrange(1000))
        elif self.random.random() < 0.3:
            is_faulty = True
            self.disk.fail(self.random.choice(("writev", "fdatasync", "fsync", "open", "ftruncate")), errno.EIO)
        try:
            await (self.keep() if self.random.random() < 0.7 else self.delete())
        except Killed:
            self.disk.crash(power=self.random.random() < 0.5)
            self.start()
        except (DestinationError, OSError) as error:
            may_be_full = self.store.max_bytes == LITTLE
            if not is_faulty and not (may_be_full and "are full" in str(error)):
                raise
        self.disk.heal()
        self.check()

    async def keep(self) -> None:
        new = [self.next + number for number in range(self.random.randrange(4))]
        self.next += len(new)
        self.unsettled += new
        batch = self.random.sample(self.unsettled, len(self.unsettled))
        await self.store.keep(letters_of(batch))
        self.kept |= set(batch)
        self.unsettled = []

    async def delete(self) -> None:
        gone = {number for number in self.kept if self.random.random() < 0.4}
        self.kept -= gone
        self.half_deleted |= gone
        files = LetterFiles(FOLDER, self.disk, nullcontext)
        for file in files.all():
            files.rewrite(file, lambda letter: None if letter.sequence in gone else letter)
        self.half_deleted -= gone

    def check(self) -> None:
        found = Counter(kept(self.disk))
        assert set(found.values()) <= {1}
        assert self.kept <= set(found) <= self.kept | set(self.unsettled) | self.half_deleted


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_happens_what_was_kept_is_there_once(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(25):
        await walk.step()


# ── full, and faults ──


async def test_where_it_is_full_nothing_is_thrown_away_and_deleting_makes_room() -> None:
    disk = crashing_disk()
    store = store_on(disk, file_lines=2, max_bytes=5 * LINE_BYTES)
    await store.keep(letters_of([10, 11, 12]))
    for _ in range(2):
        with pytest.raises(
            DestinationError, match=r"the dead letters are full \(dead_letters.max_size: .*logrouter dlq"
        ):
            await store.keep(letters_of([13, 14, 15]))
    assert kept(disk) == [10, 11, 12, 13]  # what fits into a file is kept at once
    files = LetterFiles(FOLDER, disk, nullcontext)
    files.remove(files.all()[0])
    await store.keep(letters_of([13, 14, 15]))
    assert kept(disk) == [12, 13, 14, 15]


async def test_the_limit_is_for_all_sinks_together() -> None:
    disk = crashing_disk()
    store = store_on(disk, max_bytes=2 * LINE_BYTES)
    await store.keep(letters_of([10, 11], "a"))
    with pytest.raises(DestinationError, match="full"):
        await store.keep(letters_of([12]))


async def test_a_letter_larger_than_the_limit_stops_nothing() -> None:
    disk = crashing_disk()
    store = store_on(disk, max_bytes=LINE_BYTES - 1)
    await store.keep(letters_of([10]))
    assert kept(disk) == [10]


@pytest.mark.parametrize(
    ("function", "number"),
    [
        ("open", errno.EMFILE),
        ("mkdir", errno.EROFS),
        ("listdir", errno.EIO),
        ("fstat", errno.EIO),
        ("writev", errno.ENOSPC),
        ("fdatasync", errno.EIO),
        ("fsync", errno.EIO),
    ],
)
@pytest.mark.parametrize("first", [True, False])
async def test_after_any_fault_the_same_call_keeps_each_once(function: str, number: int, first: bool) -> None:
    disk = crashing_disk()
    store = store_on(disk)
    if not first:
        await store.keep(letters_of([10, 11]))
    wanted = letters_of([12, 13, 14])
    disk.fail(function, number)
    if first or function != "mkdir":
        with pytest.raises(DestinationError, match=f"^cannot keep dead letters: {os.strerror(number)}$"):
            await store.keep(wanted)
    disk.heal()
    await store.keep(wanted)
    disk.crash(power=True)
    assert kept(disk) == [*([] if first else [10, 11]), 12, 13, 14]


async def test_a_disk_that_fills_up_in_a_line_leaves_none_of_it() -> None:
    disk = crashing_disk()
    store = store_on(disk)
    await store.keep(letters_of([10]))
    disk.free_bytes = LINE_BYTES // 2
    with pytest.raises(DestinationError, match="No space left on device"):
        await store.keep(letters_of([11]))
    assert len(read_file(disk, f"{FOLDER}/es.000001.letters")) == LINE_BYTES
    disk.heal()
    await store.keep(letters_of([11]))
    assert kept(disk) == [10, 11]


async def test_a_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    store = store_in(tmp_path / "dead-letters")
    await store.keep(letters_of([10]))
    for path in (tmp_path / "dead-letters").iterdir():
        path.unlink()
    (tmp_path / "dead-letters").rmdir()
    with pytest.raises(DestinationError):
        await store.keep(letters_of([11]))
    await store.keep(letters_of([11]))
    assert kept(os, str(tmp_path / "dead-letters")) == [11]


async def test_damage_costs_what_it_touches_and_stays(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await store.keep(letters_of([10, 11, 12]))
    path = tmp_path / "es.000001.letters"
    data = bytearray(path.read_bytes())
    data[LINE_BYTES + 30] ^= 1
    path.write_bytes(data + b"\0" * 100)  # and a power cut has left zeros
    await store_in(tmp_path).keep(letters_of([11, 12, 13]))
    assert kept(os, str(tmp_path)) == [10, 12, 11, 13]
    files = LetterFiles(str(tmp_path))
    assert files.rewrite(files.all()[0], lambda letter: None) == 4
    assert path.read_bytes() == data[LINE_BYTES : 2 * LINE_BYTES]


async def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("es.letters", "notes.txt", "ES.000001.letters", "es.1.letters"):
        (tmp_path / name).write_text("mine")
    await store_in(tmp_path).keep(letters_of([10]))
    assert kept(os, str(tmp_path)) == [10]
    assert (tmp_path / "es.letters").read_text() == "mine"


# ── other processes ──


async def test_it_waits_for_a_command_that_changes_the_files(tmp_path: Path, autojump_clock: Any) -> None:
    store = store_in(tmp_path / "dead-letters")
    await store.keep(letters_of([10]))
    busy = pytest.raises(DestinationError, match="another process holds their lock")
    with held(str(tmp_path / "dead-letters/lock")), busy:
        await store.keep(letters_of([11]))
    await store.keep(letters_of([11]))
    assert kept(os, str(tmp_path / "dead-letters")) == [10, 11]


async def test_letters_are_deleted_while_others_come(tmp_path: Path) -> None:
    """Each is there until it is deleted, and each deletion takes what it was asked for and nothing else."""
    store = store_in(tmp_path, file_bytes=2 * LINE_BYTES)
    await store.keep(letters_of([10]))

    def delete_odd() -> None:
        files = LetterFiles(str(tmp_path), lock=partial(held, wait=True))
        for file in files.all():
            with files.lock():
                files.rewrite(file, lambda letter: None if letter.sequence % 2 else letter)

    async def keep(numbers: Sequence[int]) -> None:
        for number in numbers:
            await store.keep(letters_of([number]))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep, range(11, 18))
        nursery.start_soon(keep, range(40, 47))
        for _ in range(5):
            await trio.to_thread.run_sync(delete_odd)
    delete_odd()
    assert sorted(kept(os, str(tmp_path))) == [10, 12, 14, 16, 40, 42, 44, 46]


# ── figures ──


async def test_what_there_is_of_each_sink(tmp_path: Path) -> None:
    store = store_in(tmp_path / "dead-letters", committed={"es": 0, "loki": 0})
    await store.look()
    assert {sink: figures.letters for sink, figures in store.statistics.items()} == {"es": 0, "loki": 0}
    await store.keep(letters_of(range(10, 15)))
    await store.keep(letters_of([20], "gone"))
    await store.look()
    assert {sink: (figures.letters, figures.size_bytes) for sink, figures in store.statistics.items()} == {
        "es": (5, 5 * LINE_BYTES),
        "loki": (0, 0),
        "gone": (1, LINE_BYTES + 2),
    }


class HangingDisk(FaultyDisk):
    """Lists no folder while `hangs`, until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = False
        self.go_on = threading.Event()

    def listdir(self, path: str) -> list[str]:
        if self.hangs:
            self.calls["hanging"] += 1
            self.go_on.wait()
        return os.listdir(path)


async def test_who_asks_does_not_wait_for_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = HangingDisk()
    store = store_in(tmp_path, disk)
    await store.keep(letters_of([10]))
    await store.look()
    monkeypatch.setattr(dead_letters, "LOOK_SECONDS", 0.05)
    disk.hangs = True
    await store.look()
    await store.look()
    assert disk.calls["hanging"] == 1  # nobody else was sent after it
    assert store.statistics["es"].letters == 1
    disk.go_on.set()


async def test_looking_again_reads_only_what_has_changed(tmp_path: Path) -> None:
    disk = FaultyDisk()
    store = store_in(tmp_path, disk, file_bytes=2 * LINE_BYTES)
    await store.keep(letters_of(range(10, 15)))
    await store.look()
    before = disk.calls["pread"]
    await store.look()
    assert disk.calls["pread"] == before
    files = LetterFiles(str(tmp_path))
    files.rewrite(files.all()[0], lambda letter: None if letter.sequence == 10 else letter)
    await store.look()
    assert disk.calls["pread"] == before + 2
    assert store.statistics["es"].letters == 4
