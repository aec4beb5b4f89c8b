"""The spool on disk, measured: what durability costs, how soon a large backlog is taken up again, and whom it slows.

Every run's outputs are checked: `cases.check` where all arrives, else by counting.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from logrouter.cursors import Ledger, State
from logrouter.event import Chunk, Flag, Offset
from logrouter.runtime.spool.journal import Journal
from logrouter.runtime.spool.store import Store
from tests.benchmarks import cases, inputs, measure
from tests.benchmarks.cases import CASES
from tests.benchmarks.measure import Usage
from tests.benchmarks.trickle import Watcher
from tests.e2e.processes import size_of

LOGROUTER = [sys.executable, "-m", "logrouter"]
WRITERS = [sys.executable, "-I", "-S", str(Path(__file__).with_name("writers.py"))]
ROUTE = CASES[0]
LEVELS = ("memory, no folder", "memory", "disk", "sync")
CHUNK_EVENTS = 1_900
"""As many as a read of 512 KiB gives."""
LIVE_RATE = 50_000
TOO_LONG_SECONDS = 120.0
LEAST_SHARE = 0.8


def level_options(level: str, folder: Path) -> list[str]:
    if level == LEVELS[0]:
        return []
    return ["--set", f"spool.directory={folder}/spool", "--set", f"spool.durability={level}"]


# ── what durability costs ──


def durability(folder: Path, small: int, large: int, rounds: int) -> Iterator[str]:
    """The route to 3 files, with each durability."""
    yield "| durability | CPU s | wall s | peak MiB | events per CPU s, marginal | of `memory, no folder` |"
    yield "|---|--:|--:|--:|--:|--:|"
    base = 0.0
    for level in LEVELS:
        few, many = (_route(folder, level, events, rounds) for events in (small, large))
        rate = (large - small) / max(0.001, many.cpu_seconds - few.cpu_seconds)
        base = base or rate
        goal = f" (goal ≥ {min(500_000, round(base * 0.6)):,})" if level == "disk" else ""
        yield (
            f"| {level} | {many.cpu_seconds:.2f} | {many.wall_seconds:.2f} | {many.peak_mib:.1f} "
            f"| {rate:,.0f}{goal} | {rate / base:.0%} |"
        )


def _route(folder: Path, level: str, events: int, rounds: int) -> Usage:
    input_path = inputs.input_file(ROUTE.input_kind, events)
    wanted = cases.expected(ROUTE, input_path)
    used = []
    for _ in range(rounds):
        with emptied(folder) as here:
            config = here / "config.yaml"
            config.write_text(ROUTE.config(here))
            used.append(
                measure.run_piped([*LOGROUTER, "--config", str(config), *level_options(level, here)], input_path)
            )
            cases.check(ROUTE, here, input_path, wanted)
    return measure.medians(used)


def synced(folder: Path, events: int, rounds: int) -> Iterator[str]:
    """`sync` with one source, beside a loop that writes the same chunks and calls fdatasync after each."""
    input_path = inputs.input_file("json", events)
    ours, loop = [], []
    for _ in range(rounds):
        with emptied(folder) as here:
            command = [*LOGROUTER, "--sink", "none=blackhole:", *level_options("sync", here)]
            ours.append(measure.run_piped(command, input_path).wall_seconds)
            loop.append(measure.run_piped([*WRITERS, "synced", str(here / "log")], input_path).wall_seconds)
    ratio = median(ours) / median(loop)
    yield "| what | logrouter, wall s | the loop | ratio | goal |"
    yield "|---|--:|--:|--:|--:|"
    yield f"| `sync`, {events:,} events | {median(ours):.2f} | {median(loop):.2f} | {ratio:.2f} | ≤ 1.3 |"


def dead_sink(folder: Path, events: int) -> Iterator[str]:
    """Memory while one of three sinks takes nothing."""
    input_path = inputs.input_file("json", events)
    with emptied(folder) as here:
        config = here / "config.yaml"
        config.write_text(ROUTE.config(here).replace(f"{here}/checkout", "/dev/full"))
        command = [*LOGROUTER, "--config", str(config), *level_options("disk", here)]
        used = measure.run_piped([*command, "--set", "shutdown_timeout=1s"], input_path, exit_code=75)
        wanted = cases.expected(ROUTE, input_path)
        assert sum(1 for _ in (here / "visible").open("rb")) == wanted["visible"].lines
    yield "| what | peak MiB | goal |"
    yield "|---|--:|--:|"
    yield f"| one of three sinks dead, {events:,} events | {used.peak_mib:.1f} | ≤ 60 |"


# ── a large backlog ──


class Backlog(NamedTuple):
    """A spool that somebody has left behind."""

    events: int
    size_bytes: int


def make_backlog(folder: Path, segments: int, sinks: tuple[str, ...]) -> Backlog:
    """So many full segments, none of which the sinks have read."""
    for path in (folder / "segments", folder / "cursors"):
        path.mkdir(parents=True, mode=0o700, exist_ok=True)
    store = Store(str(folder / "segments"), max_bytes=1 << 50, epoch=1)
    store.open()
    lines = inputs.input_file("json", 20_000).read_bytes().splitlines()
    received_ns = time.time_ns()
    sequence = 0
    while len(store.segments) <= segments:
        start = sequence % (len(lines) - CHUNK_EVENTS)
        payloads = lines[start : start + CHUNK_EVENTS]
        chunk = Chunk(payloads, bytes((Flag.JSON,)) * len(payloads), {"source": "stdin"}, received_ns)
        chunk.offset = Offset(1, sequence)
        store.append(chunk)
        sequence += len(payloads)
        if len(store.segments) % 8 == 0 and store.segments[-1].records == 1:
            store.begin_sync()()  # so that not all of it waits in memory
    store.begin_sync()()
    store.close()
    for name in sinks:
        journal = Journal(str(folder / "cursors" / name))
        journal.begin(State(name, 0, 0, Ledger()))
        journal.close()
    return Backlog(sequence, store.size_bytes)


def drop_page_cache(folder: Path) -> None:
    """So that the disk is read: of the segments, not of the interpreter and its modules."""
    for path in folder.iterdir():
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def restart(folder: Path, segments: int) -> Iterator[str]:
    """From the start of the process until it reads, and until the first old event is delivered."""
    with emptied(folder) as here:
        backlog = make_backlog(here / "spool", segments, ("out",))
        drop_page_cache(here / "spool" / "segments")
        started = time.monotonic()
        command = [*LOGROUTER, "--sink", f"out=file:{here}/out", "--set", f"spool.directory={here}/spool"]
        options = ["--set", "spool.max_size=1TiB", "--set", "admin.listen=127.0.0.1:0", "-v"]
        with measure.running([*command, *options]) as process:
            ready = _until(started, lambda: _descriptor_open(process.pid, "stdin"), process)
            first = _until(started, lambda: size_of(here / "out") > 0, process)
            time.sleep(3)
            resident = measure.resident_mib(process.pid)
            process.kill()
    size = f"{backlog.size_bytes / 2**30:.1f} GiB"
    yield "| what | ready, s | goal | first delivery, s | goal | memory, MiB | goal |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    yield (
        f"| restart with {segments} segments, {size}, none of it in the page cache "
        f"| {ready:.2f} | ≤ 0.3 | {first:.2f} | ≤ 1 | {resident:.1f} | ≤ 70 |"
    )


def _until(started: float, condition: object, process: subprocess.Popen[bytes]) -> float:
    while not condition():  # type: ignore[operator]
        assert process.poll() is None, "it has ended"
        assert time.monotonic() - started < TOO_LONG_SECONDS
        time.sleep(0.002)
    return time.monotonic() - started


def _descriptor_open(pid: int, name: str) -> bool:
    """Whether the process waits for its input: the pipe is among what its epoll instance watches."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
            if any(line.split()[1] == "0" for line in entry.read_text().splitlines() if line.startswith("tfd:")):
                return True
    return False


# ── live beside a laggard ──


def laggard(folder: Path, seconds: int, segments: int = 60) -> Iterator[str]:
    """Lines at a steady pace to one sink, alone and while another catches up with a backlog."""
    alone = _live(folder, seconds, 0)
    beside = _live(folder, seconds, segments)
    share = (beside.cpu_share - alone.cpu_share) / (1 - alone.cpu_share)
    yield (
        "| lines a second | live, alone: p99 ms | with a laggard: p99 ms | goal "
        "| CPU alone | CPU with it | its share of the rest of a core | goal | it takes, events/s |"
    )
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    yield (
        f"| {LIVE_RATE:,} | {alone.p99_ms:.1f} | {beside.p99_ms:.1f} | ≤ {2 * alone.p99_ms:.1f} "
        f"| {alone.cpu_share:.0%} | {beside.cpu_share:.0%} | {share:.0%} | ≥ {LEAST_SHARE:.0%} "
        f"| {beside.late_events / seconds:,.0f} |"
    )


class Live(NamedTuple):
    """What was seen of the live lines, and of the laggard beside them."""

    p99_ms: float
    cpu_share: float
    late_events: int


def _live(folder: Path, seconds: int, segments: int) -> Live:
    with emptied(folder) as here:
        if segments:
            make_backlog(here / "spool", segments, ("late",))
        config = here / "config.yaml"
        config.write_text(
            f"spool: {{directory: {here}/spool, max_size: 1TiB}}\n"
            f"sinks:\n  live: {{type: file, path: {here}/live, match: exists(sent_ns)}}\n"
            f"  late: {{type: file, path: {here}/late}}\n"
        )
        writer = [*WRITERS, "paced", str(LIVE_RATE), str(seconds)]
        command = [*LOGROUTER, "--config", str(config), "--set", "shutdown_timeout=1s"]
        with (
            subprocess.Popen(writer, stdout=subprocess.PIPE) as source,
            subprocess.Popen(command, stdin=source.stdout, stderr=subprocess.DEVNULL) as router,
        ):
            assert source.stdout is not None
            source.stdout.close()
            watcher = Watcher(here / "live", LIVE_RATE, seconds)
            watcher.watch(1.0)
            begun, used = time.monotonic(), measure.cpu_seconds(router.pid)
            before = size_of(here / "late")
            watcher.watch(seconds - 2.0)
            share = (measure.cpu_seconds(router.pid) - used) / (time.monotonic() - begun)
            late_bytes = size_of(here / "late") - before
            router.kill()
    return Live(watcher.quantiles()[1], share, late_bytes // 281)


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """A new folder in this one, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="run-") as here:
        yield Path(here)
