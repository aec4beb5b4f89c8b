"""A flood and a dead destination, in as little memory as a small container has: nobody is killed, nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import LOGROUTER, pipe, wait_until
from tests.run.apps import SINKS, WAYS, Runner
from tests.run.memory import MemoryLimit

pytestmark = pytest.mark.slow

MIB = 2**20
LIMIT_BYTES = 96 * MIB
"""For all three processes, and for what the kernel caches of the files that they write."""
LINES = 192 * 1024
"""Of a kilobyte each: twice the limit."""
FLOOD = f"""
import os, sys
for first in range(0, {LINES}, 1024):
    rest = memoryview(b"".join(b"%016d" % n + b"x" * 1007 + b"\\n" for n in range(first, first + 1024)))
    while rest: rest = rest[os.write(1, rest) :]
sys.stdin.read()
"""


def numbers_in(path: Path) -> Iterator[int]:
    with open(path, "rb") as file:
        for line in file:
            assert len(line) == 1024
            yield int(line[:16])


@pytest.mark.parametrize("way", ["pipe", "spool"])
def test_under_a_limit_of_memory_nobody_is_killed_and_nothing_is_lost(runner: Runner, way: str) -> None:
    runner.workplace.add_environment({"LOGROUTER_SINK_DEAD": "http+http://127.0.0.1:9/?retry.cap=1s"})
    flags = [*SINKS, *WAYS["spool"], "--capture", way, "--set", "shutdown_timeout=2s"]
    app = [sys.executable, "-c", FLOOD]
    with MemoryLimit(LIMIT_BYTES) as limit:
        process = runner.workplace.start(
            limit.command(*LOGROUTER, "run", *flags, "--", *app),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out = runner.folder / "stdout"
        wait_until(lambda: out.exists() and out.stat().st_size == LINES * 1024, "all to be in the file", 120)
        pipe(process.stdin).close()
        process.stdin = None
        done_code = process.wait(30)
        kills = limit.kills()
    complaints = pipe(process.stderr).read()

    assert (done_code, kills) == (0, 0), complaints
    assert b"has died" not in complaints
    assert list(numbers_in(out)) == list(range(LINES))
    done = runner.workplace.command(
        "spool", "export", "--directory", "spool", "--sink", "dead", "--raw", "--output", "left"
    )
    assert done.returncode == 0
    assert list(numbers_in(runner.folder / "left")) == list(range(LINES))
