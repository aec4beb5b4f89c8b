"""Isolation, measured: one sink's rate alone, beside two that are well, and beside two that are dead from the start.

Of the dead ones the first hangs (nobody reads its pipe), the second refuses (its disk is full). At least ten times the
memory budget goes past them; then both recover, and every output must hold all of the input, byte for byte.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks import inputs, measure
from tests.benchmarks.spool import TOO_LONG_SECONDS, emptied

LEVELS = ("disk", "memory")
NEIGHBOURS = ("none", "well", "dead")
BUDGET_BYTES = 16 * 2**20
"""The default; less where the input would not be twelve times as much."""
LEAST_RATIO = 0.95


class Run(NamedTuple):
    """The third sink, from its first byte to its last."""

    wall_seconds: float
    cpu_seconds: float
    """Of the whole process."""


def isolation(folder: Path, events: int, rounds: int) -> Iterator[str]:
    """For each level, the runs in turns, so that what the machine does meanwhile hits all of them."""
    input_path = inputs.input_file("json", events)
    yield (
        "| spool | alone, events/s | beside two well ones | beside two dead ones | of that beside well ones "
        "| of that alone | goal | CPU s: alone | well | dead |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for level in LEVELS:
        runs: dict[str, list[Run]] = {neighbours: [] for neighbours in NEIGHBOURS}
        for _ in range(rounds):
            for neighbours in NEIGHBOURS:
                runs[neighbours].append(_run(folder, level, neighbours, input_path))
        walls = {name: median(run.wall_seconds for run in its) for name, its in runs.items()}
        cpu = {name: median(run.cpu_seconds for run in its) for name, its in runs.items()}
        rates = " | ".join(f"{events / walls[name]:,.0f}" for name in NEIGHBOURS)
        ratios = " | ".join(f"{_ratio(runs[name], runs['dead']):.0%}" for name in ("well", "none"))
        used = " | ".join(f"{cpu[name]:.2f}" for name in NEIGHBOURS)
        yield f"| {level} | {rates} | {ratios} | ≥ {LEAST_RATIO:.0%} | {used} |"


def _ratio(undisturbed: list[Run], disturbed: list[Run]) -> float:
    """Of the rates, round by round."""
    return median(one.wall_seconds / other.wall_seconds for one, other in zip(undisturbed, disturbed, strict=True))


def _run(folder: Path, level: str, neighbours: str, input_path: Path) -> Run:
    size = input_path.stat().st_size
    with emptied(folder) as here:
        read_end, write_end = os.pipe()
        with (
            subprocess.Popen(["cat", input_path], stdout=subprocess.PIPE) as source,
            subprocess.Popen(
                _command(here, level, neighbours, min(BUDGET_BYTES, size // 12)),
                stdin=source.stdout,
                stdout=write_end,
                stderr=subprocess.DEVNULL,
            ) as router,
        ):
            os.close(write_end)
            assert source.stdout is not None
            source.stdout.close()
            reader = threading.Thread(target=_copy, args=(read_end, here / "piped"))
            if neighbours == "well":
                reader.start()
            seen = _watch(router, here / "living", size)
            if neighbours == "dead":
                (here / "refusing").unlink()  # the link: from now on it is a file like any other
                reader.start()
            assert router.wait(TOO_LONG_SECONDS) == 0
        if neighbours == "none":
            os.close(read_end)
        else:
            reader.join()
        for name in ("living",) if neighbours == "none" else ("living", "piped", "refusing"):
            assert filecmp.cmp(here / name, input_path, shallow=False), f"{name} does not hold what came in"
    return seen


def _command(here: Path, level: str, neighbours: str, memory_bytes: int) -> list[str]:
    sinks = ["--sink", f"living=file:{here}/living?format=raw"]
    if neighbours != "none":
        sinks += ["--sink", "hung=stdout:?format=raw", "--sink", f"refusing=file:{here}/refusing?format=raw"]
    if neighbours == "dead":
        (here / "refusing").symlink_to("/dev/full")
    spool = ["--set", f"spool.directory={here}/spool", "--set", f"spool.durability={level}"]
    spool += ["--set", f"spool.memory={memory_bytes}B"]
    return [sys.executable, "-m", "logrouter", *sinks, *spool]


def _watch(router: subprocess.Popen[bytes], path: Path, size: int) -> Run:
    while not path.exists() or not path.stat().st_size:
        time.sleep(0.001)
    begun, used = time.monotonic(), measure.cpu_seconds(router.pid)
    while path.stat().st_size < size:
        assert time.monotonic() - begun < TOO_LONG_SECONDS
        time.sleep(0.002)
    return Run(time.monotonic() - begun, measure.cpu_seconds(router.pid) - used)


def _copy(read_end: int, path: Path) -> None:
    with open(read_end, "rb", buffering=0) as source, path.open("wb", buffering=0) as file:
        shutil.copyfileobj(source, file, 2**20)
