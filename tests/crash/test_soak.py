"""Hours in short: a steady stream, and sinks that fail and come back all the time.

SOAK_SECONDS says for how long (600 if nothing is said), on a machine that has nothing else to do.
"""

from __future__ import annotations

import math
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest

from tests.crash.feeding import packed
from tests.e2e.disks import remount, swap, tiny_disk
from tests.e2e.processes import Workplace, pipe, spool_options, wait_for_port, wait_until
from tests.e2e.status import settled, status, waiting

pytestmark = pytest.mark.soak

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
EVENTS_PER_SECOND = 50_000
BURST = 500
"""Events that are written at once."""
KINDS = 4
ROUND_SECONDS = 12.0
"""In each, every sink but one is in trouble for a while."""
LEAST_SHARE = 0.8
"""Of the events that are due, so many must get through beside each trouble."""
MAX_GROWTH_KIB = 10 * 1024


def block(first: int, count: int = BURST, kind: int | None = None) -> bytes:
    """Some lines, or those of one kind among them."""
    return b"".join(
        b'{"n":"%010d","kind":%d,"level":"info"}\n' % (n, n % KINDS)
        for n in range(first, first + count)
        if kind is None or n % KINDS == kind
    )


class Stream:
    """Writes events at a steady pace until it is told to stop."""

    def __init__(self, router: subprocess.Popen[bytes]) -> None:
        self.events = 0
        self._router = router
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        started = time.monotonic()
        while not self._stop.is_set():
            try:
                pipe(self._router.stdin).write(block(self.events))
            except (BrokenPipeError, ValueError):  # it has ended: the test has failed already
                return
            self.events += BURST
            self._stop.wait(max(0.0, started + self.events / EVENTS_PER_SECOND - time.monotonic()))

    def stop(self) -> None:
        """Write no more."""
        self._stop.set()
        self._thread.join()


class Reader:
    """Reads a process's stdout and compares it with what should come, except while it is paused."""

    def __init__(self, router: subprocess.Popen[bytes], kind: int) -> None:
        self.going = threading.Event()
        self.going.set()
        self.wrong = False
        self.read_bytes = 0
        self._stdout = pipe(router.stdout).fileno()
        self._expected = expected(kind)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        awaited = b""
        while data := os.read(self._stdout, 1 << 16):
            self.read_bytes += len(data)
            while len(awaited) < len(data):
                awaited += next(self._expected)
            self.wrong = self.wrong or not awaited.startswith(data)
            awaited = awaited[len(data) :]
            self.going.wait()

    def join(self) -> None:
        """Until the process has closed it."""
        self._thread.join()


def expected(kind: int | None) -> Iterator[bytes]:
    """All lines of a kind, in pieces, for ever."""
    first = 0
    while True:
        yield block(first, kind=kind)
        first += BURST


def is_complete(file: BinaryIO, kind: int | None, events: int) -> bool:
    """Whether a file holds all events of a kind, and nothing else."""
    blocks = (block(first, kind=kind) for first in range(0, events, BURST))
    return all(file.read(len(lines)) == lines for lines in blocks) and not file.read(1)


def memory_kib(process: subprocess.Popen[bytes]) -> int:
    """What a process has in memory (VmRSS)."""
    status_lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status_lines if line.startswith("VmRSS"))


def test_sinks_fail_and_come_back_and_nothing_is_lost_or_grows(workplace: Workplace, port: int) -> None:
    """Invariants 2, 3, 4, 5 and 8."""
    folder = workplace.folder
    with tiny_disk(folder / "disk", "8g") as disk:
        router = workplace.start_router(
            *("--sink", "all=file:all", "--sink", "full=file:disk/out", "--match", "full=kind == 1"),
            *("--sink", "hung=stdout:", "--match", "hung=kind == 2", "--sink", "gone=file:logs/out"),
            *("--match", "gone=kind == 3", "--sink", "packed=file:packed.gz?rotate_size=8MiB&keep=9999"),
            *("--match", "packed=kind == 0", *spool_options(memory="4MiB")),
            *("--set", f"admin.listen=127.0.0.1:{port}"),
        )
        wait_for_port(port)
        reader, stream = Reader(router, 2), Stream(router)
        workplace.wait_for_line("logs/out")
        (folder / "elsewhere").write_text("no folder\n")
        soak = Soak(folder, disk, port, router, reader, stream)
        memory = [soak.round() for _ in range(math.ceil(SECONDS / ROUND_SECONDS))]
        stream.stop()
        _drain(port, stream.events)
        figures = status(port)
        pipe(router.stdin).close()
        reader.join()
        complaints = pipe(router.stderr).read().decode()
        assert router.wait() == 0, complaints
        assert stream.events >= LEAST_SHARE * SECONDS * EVENTS_PER_SECOND
        for name, ledger in figures["sinks"].items():
            assert ledger["read"] == settled(ledger) == stream.events, name
            assert ledger["delivered"] == (stream.events if name == "all" else stream.events // KINDS), name
        for path, kind in ((folder / "all", None), (disk / "out", 1), (folder / "logs" / "out", 3)):
            with path.open("rb") as file:
                assert is_complete(file, kind, stream.events), path
        assert is_complete(BytesIO(packed(folder)), 0, stream.events)
        assert not reader.wrong
        assert reader.read_bytes == (disk / "out").stat().st_size
    assert max(memory[-2:]) - max(memory[:2]) < MAX_GROWTH_KIB
    for sink in ("full", "gone"):
        assert f'"cannot deliver","service.name":"logrouter","sink":"{sink}"' in complaints
    assert not os.listdir(folder / "spool" / "segments")


class Soak(NamedTuple):
    """What is at work meanwhile."""

    folder: Path
    disk: Path
    port: int
    router: subprocess.Popen[bytes]
    reader: Reader
    stream: Stream

    def round(self) -> int:
        """Put one sink after the other out of order, for a while. Gives the most memory that was seen."""
        self.reader.going.clear()
        memory = [self.go_on()]
        self.reader.going.set()
        memory.append(self.go_on())
        _fill_up(self.disk)
        memory.append(self.go_on("full"))
        remount(self.disk, "size=8g")
        memory.append(self.go_on())
        swap(self.folder / "logs", self.folder / "elsewhere")
        memory.append(self.go_on("gone"))
        swap(self.folder / "logs", self.folder / "elsewhere")
        memory.append(self.go_on())
        return max(memory)

    def go_on(self, in_trouble: str | None = None) -> int:
        """For a sixth of a round: until its time is over, the stream has moved on by what is due, and this sink is in
        trouble. A machine that does other things takes longer; a stream that stands still is waited for in vain."""
        ends = time.monotonic() + ROUND_SECONDS / 6
        moved_on = self.stream.events + LEAST_SHARE * EVENTS_PER_SECOND * ROUND_SECONDS / 6
        memory = []

        def is_over() -> bool:
            memory.append(memory_kib(self.router))
            if time.monotonic() < ends or self.stream.events < moved_on:
                return False
            return in_trouble is None or status(self.port)["sinks"][in_trouble]["trouble"] is not None

        wait_until(is_over, "events to flow, and trouble")
        return max(memory)


def _drain(port: int, events: int) -> None:
    """Wait for all to be delivered, for as long as it goes on: a machine that does other things may take its time.

    What still stands in the pipe is no event yet, and waits for nobody.
    """
    wait_until(lambda: status(port)["sources"]["stdin"]["events"] == events, "all to be read")
    while left := waiting(port):
        wait_until(lambda before=left: waiting(port) < before, "more to be delivered")


def _fill_up(disk: Path) -> None:
    """Leave no room, soon: as it grows meanwhile, and fast where a sink catches up, it may be too large already."""
    spare_bytes = 512 * 1024
    while True:
        used = os.statvfs(disk)
        try:
            return remount(disk, f"size={(used.f_blocks - used.f_bfree) * used.f_frsize + spare_bytes}")
        except subprocess.CalledProcessError:
            spare_bytes *= 2
