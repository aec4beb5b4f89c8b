"""The file sink over crashes: whatever was cut where, each event is in the files once, in order, on a line of its own.

Delivery, spool, cursors and Files together over one disk that is killed at any step; invariant 6 (same cut after a
crash), invariant 2 (a cursor moves only past what has been synced), invariant 3 (the ledger says what the files hold).
"""

from __future__ import annotations

import errno
import gzip
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import trio
from backports import zstd
from trio.testing import MockClock

from logrouter.event import Chunk, Flag
from logrouter.policy import SinkRouting
from logrouter.routing import Router
from logrouter.runtime.delivery import Delivery
from logrouter.runtime.disk import exists, make_folders, opened, read_file, sync_folder
from logrouter.runtime.log import Log
from logrouter.runtime.transports.files import Files
from logrouter.sinks import SinkContext
from logrouter.sinks.file import FileConfig, FileSink
from logrouter.templates import Template
from logrouter.testing import CrashingDisk, Killed
from logrouter.values import Size
from tests.runtime.spool.model import Durability, files_in, open_spool, settings_for

FOLDER = "/var/log"


class Machine:
    """A disk, and the processes that deliver from its spool to its files, one after the other."""

    def __init__(self, path: str = "x.log", *, durability: Durability = "disk", seed: int = 0, **options: Any) -> None:
        self.disk = CrashingDisk(Random(seed))
        for changed in make_folders(self.disk, FOLDER):
            sync_folder(self.disk, changed)
        self.path, self.options, self.durability = f"{FOLDER}/{path}", options, durability
        self.epoch = 0
        self.doubts = 0
        self.appended = 0
        self.start()

    def start(self) -> None:
        """A process begins, with what it finds."""
        self.epoch += 1
        config = FileConfig(path=Template.parse(self.path), **self.options)
        self.sink = FileSink(config, SinkContext("a"))
        router = Router([SinkRouting("a", None, templates=self.sink.templates)])
        settings = settings_for(self.durability, "a")
        self.said: list[bytes] = []
        self.spool = open_spool(self.disk, self.epoch, settings, self.said, router=router)
        self.spool.batch_bytes = 2_500
        self.files = Files(self.sink.handling, disk=self.disk, clock=lambda: self.disk.now)
        log = Log("error", write=self.said.append)
        self.delivery = Delivery(0, "a", self.sink, self.files, self.spool, log)
        self.router = router

    def crash(self, *, power: bool = False, **options: Any) -> None:
        """It is killed; the next one has these options."""
        self.doubts += self.files.doubts
        self.disk.crash(power=power)
        self.options |= options
        self.start()

    async def append(self, chunks: int, events: int = 4) -> None:
        for _ in range(chunks):
            first = self.spool.appended
            payloads = [line_of(number)[:-1] for number in range(first, first + events)]
            flags = bytes([Flag.JSON]) * events
            for chunk in self.router.route(Chunk(payloads, flags, {"source": "app"}, 1_000)):
                await self.spool.append(chunk)
        self.appended = self.spool.appended
        await self.tidy()  # with `sync`, nothing is sent before

    async def tidy(self) -> None:
        assert self.spool.keeper is not None
        await self.spool.keeper.tidy()

    async def deliver(self) -> None:
        """All there is, to the end."""
        self.spool.end()
        await self.delivery.run()
        self.doubts += self.files.doubts
        await self.spool.aclose()

    async def deliver_until_killed(self, steps: int) -> bool:
        """Whether it was killed before it was done."""
        self.disk.kill_after(steps)
        try:
            await self.deliver()
        except* Killed:
            killed = True
        else:
            killed = False
        return killed

    def content(self, unpack: Callable[[bytes], bytes] = bytes) -> dict[str, list[bytes]]:
        """Path → lines, rotated files before the one that they were."""
        found: dict[str, list[bytes]] = {}
        paths = sorted(files_in(self.disk, FOLDER), key=lambda path: (path.count("."), path), reverse=True)
        for path in paths:
            *lines, rest = unpack(read_file(self.disk, path)).split(b"\n")
            assert rest == b"", "a line is cut"
            base = path.split(".log")[0]
            found.setdefault(base, []).extend(lines)
        return found

    def lines(self, unpack: Callable[[bytes], bytes] = bytes) -> list[bytes]:
        return [line for lines in self.content(unpack).values() for line in lines]


def line_of(number: int) -> bytes:
    return b'{"n":%d,"to":"%s","x":"%s"}\n' % (number, b"abc"[number % 3 : number % 3 + 1], b"x" * 40)


def all_lines(count: int) -> list[bytes]:
    return [line_of(number)[:-1] for number in range(count)]


def run(act: Callable[[], Any]) -> None:
    trio.run(act, clock=MockClock(autojump_threshold=0))


def steps_of(make: Callable[[], Machine], chunks: int) -> int:
    """How many steps a delivery takes from beginning to end."""

    async def measure() -> None:
        nonlocal steps
        machine = make()
        await machine.append(chunks)
        before = machine.disk.steps
        await machine.deliver()
        steps = machine.disk.steps - before

    steps = 0
    run(measure)
    return steps


async def check_once(machine: Machine, steps: int, unpack: Callable[[bytes], bytes], chunks: int, **later: Any) -> None:
    """Killed after so many steps and started again, each event is there once, and the ledger says so."""
    await machine.append(chunks)
    if await machine.deliver_until_killed(steps):
        machine.crash(**later)
        await machine.deliver()
    assert sorted(machine.lines(unpack)) == sorted(all_lines(machine.appended)), f"killed after {steps} steps"
    for lines in machine.content(unpack).values():
        numbers = [int(line[5 : line.index(b",")]) for line in lines]
        assert numbers == sorted(numbers), f"order, killed after {steps} steps"
    assert machine.spool.ledger(0).delivered == machine.appended
    assert machine.doubts == 0


WAYS: dict[str, tuple[dict[str, Any], Callable[[bytes], bytes]]] = {
    "one file": ({}, bytes),
    "without fsync": ({"fsync": False}, bytes),
    "several paths": ({"path": "{to}.log"}, bytes),
    "rotated": ({"rotate_size": Size(500), "keep": 50}, bytes),
    "gzip": ({"path": "x.log.gz"}, gzip.decompress),
    "zstd": ({"path": "x.log.zst"}, zstd.decompress),
    "gzip, rotated": ({"path": "x.log.gz", "rotate_size": Size(200), "keep": 50}, gzip.decompress),
    "sync": ({"durability": "sync"}, bytes),
}


@pytest.mark.parametrize("way", WAYS)
def test_killed_now_and_then(way: str) -> None:
    go_through(way, 41)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_killed_after_any_step(way: str) -> None:
    go_through(way, 1)


def go_through(way: str, stride: int) -> None:
    options, unpack = WAYS[way]
    chunks = 4
    for steps in range(0, steps_of(lambda: Machine(**options), chunks), stride):

        async def drive(steps: int = steps) -> None:
            await check_once(Machine(**options), steps, unpack, chunks)

        run(drive)


@pytest.mark.parametrize("stride", [37, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("way", ["several paths", "rotated", "gzip"])
def test_killed_again_and_again(way: str, stride: int) -> None:
    options, unpack = WAYS[way]

    async def drive(steps: int) -> None:
        machine = Machine(**options)
        await machine.append(4)
        for _ in range(200):
            if not await machine.deliver_until_killed(steps):
                break
            machine.crash()
            steps += 41  # so that it comes to an end
        assert sorted(machine.lines(unpack)) == sorted(all_lines(machine.appended))
        assert machine.doubts == 0

    for steps in range(0, 1_200, stride):
        run(lambda steps=steps: drive(steps))


@pytest.mark.parametrize("stride", [53, pytest.param(1, marks=pytest.mark.slow)])
def test_under_another_config_what_has_arrived_whole_is_known_by_its_checksum(stride: int) -> None:
    """Invariant 6, under any config. What was cut is written whole, on lines of its own, and counted as a doubt."""

    async def drive(steps: int) -> None:
        machine = Machine()
        await machine.append(2)
        if not await machine.deliver_until_killed(steps):
            return
        machine.crash(format="logfmt")
        await machine.deliver()
        data = read_file(machine.disk, machine.path)
        assert data.endswith(b"\n")
        found = Counter(number_in(line) for line in data.split(b"\n")[:-1] if is_whole(line))
        if machine.doubts:
            assert all(found[number] in (1, 2) for number in range(machine.appended))
        else:
            assert found == dict.fromkeys(range(machine.appended), 1)

    for steps in range(0, steps_of(Machine, 2), stride):
        run(lambda steps=steps: drive(steps))


def is_whole(line: bytes) -> bool:
    return line.endswith(b'x"}') or (line.startswith(b"n=") and line.endswith(b"x"))


def number_in(line: bytes) -> int:
    return int(line[5 : line.index(b",")]) if line.startswith(b"{") else int(line[2 : line.index(b" ")])


async def killed_in_the_file(machine: Machine, share: float) -> int:
    """Deliver, and be killed when this share of the batch has been written. Gives the file's size."""
    wanted = int(share * sum(map(len, map(line_of, range(8)))))
    low, high = 0, 5_000
    while low < high:  # more steps, more bytes
        steps = (low + high) // 2
        low, high = (low, steps) if await _written_after(steps) >= wanted else (steps + 1, high)
    await machine.append(2)
    assert await machine.deliver_until_killed(low)
    return wanted


async def _written_after(steps: int) -> int:
    machine = Machine()
    await machine.append(2)
    await machine.deliver_until_killed(steps)
    machine.disk.crash()
    return len(read_file(machine.disk, machine.path)) if exists(machine.disk, machine.path) else 0


@pytest.mark.parametrize("share", [0.4, 1.0])
async def test_a_file_that_somebody_has_rotated_is_known_again(autojump_clock: MockClock, share: float) -> None:
    machine = Machine()
    await killed_in_the_file(machine, share)
    machine.disk.crash()
    machine.disk.rename(machine.path, f"{machine.path}.1")
    machine.crash()
    await machine.deliver()
    if share == 1.0:
        assert (machine.lines(), machine.doubts) == (all_lines(8), 0)
    else:  # the rest cannot follow what is there: written whole
        assert read_file(machine.disk, machine.path) == b"".join(map(line_of, range(8)))
        assert machine.doubts == 1


@pytest.mark.parametrize("how", ["moved away", "deleted", "changed", "grown"])
async def test_a_file_that_somebody_has_changed_is_written_whole_and_counted(
    autojump_clock: MockClock, how: str
) -> None:
    machine = Machine()
    size = await killed_in_the_file(machine, 0.4)
    machine.disk.crash()
    match how:
        case "moved away":
            machine.disk.rename(machine.path, "/elsewhere")
        case "deleted":
            machine.disk.unlink(machine.path)
        case "changed":
            with opened(machine.disk, machine.path, 1) as fd:
                machine.disk.pwrite(fd, b"?", size - 1)
        case "grown":
            with opened(machine.disk, machine.path, 1) as fd:
                machine.disk.pwrite(fd, b"by somebody else\n", size)
    machine.crash()
    await machine.deliver()
    assert machine.doubts == 1
    assert read_file(machine.disk, machine.path).endswith(b"".join(map(line_of, range(8))))
    assert machine.spool.ledger(0).delivered == 8


@pytest.mark.parametrize("failures", [1, 2, 5])
@pytest.mark.parametrize("way", ["one file", "several paths", "rotated", "gzip", "zstd", "gzip, rotated"])
def test_a_destination_that_cannot_be_synced_is_written_again_in_place(way: str, failures: int) -> None:
    """Nothing twice in the files, and nothing is settled that a power cut could take back."""
    options, unpack = WAYS[way]

    async def drive() -> None:
        machine = Machine(**options)
        await machine.append(6)
        machine.disk.fail("fdatasync", errno.EIO, times=failures)
        machine.spool.end()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_tick, machine)
            await machine.delivery.run()
            nursery.cancel_scope.cancel()
        assert machine.spool.ledger(0).delivered == 24
        assert sorted(machine.lines(unpack)) == sorted(all_lines(24))
        await machine.spool.aclose()
        machine.crash(power=True)
        assert machine.spool.waiting(0) == 0
        assert sorted(machine.lines(unpack)) == sorted(all_lines(24)), "what was settled is gone with the power"

    run(drive)


async def _tick(machine: Machine) -> None:
    while True:
        await trio.sleep(0.5)
        machine.spool.wake()


@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 1_000), marks=pytest.mark.slow)])
@pytest.mark.parametrize("durability", ["disk", "sync"])
def test_after_a_power_cut_nothing_that_was_synced_is_missing(seeds: range, durability: Durability) -> None:
    """At least once; what the disk has torn may stand there beside it."""

    async def drive(seed: int) -> None:
        random = Random(seed)
        machine = Machine("{to}.log", durability=durability, seed=seed)
        await machine.append(4)
        if await machine.deliver_until_killed(random.randrange(2_500)):
            machine.crash(power=True)
            await machine.deliver()
        data = b"\n".join(read_file(machine.disk, path) for path in files_in(machine.disk, FOLDER))
        missing = [line for line in all_lines(16) if line not in data]
        assert missing == []

    for seed in seeds:
        run(lambda seed=seed: drive(seed))
