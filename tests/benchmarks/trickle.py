"""Lines written one by one at a steady rate: what a router uses then, and how late each line is out.

`trickle.py RATE SECONDS` is the writer, a process of its own so that it keeps its pace: each line says when it was
written, on the machine's monotonic clock, which all processes share. The measuring process watches one of
the files that the lines are routed to.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

WATCH_SECONDS = 0.001
"""How often the watcher looks: lateness is known to this."""
WARM_UP_SECONDS = 1.0
"""Not counted: the router's start."""
SETTLE_SECONDS = 5.0
"""How long after the last line was written the watcher still waits for lines to arrive."""
SENT = re.compile(rb'"sent_ns":(\d+)')
LINE = (
    '{{"time":"2026-11-23T00:00:00.000Z","level":"{level}","service":"{service}","message":"request handled",'
    '"http":{{"method":"GET","path":"/products/1","status":200}},"duration_ms":12.5,"sent_ns":{sent_ns}}}\n'
)


class Lateness(NamedTuple):
    """What a trickle took."""

    rate: int
    lines: int
    cpu_share: float
    """Of one core, after the warm-up."""
    median_ms: float
    p99_ms: float
    worst_ms: float


def trickle(
    command: Sequence[str], watched: Path, cpu_seconds: Callable[[int], float], rate: int, seconds: int
) -> Lateness:
    """Run the command on a trickle of `rate` lines a second. `watched` is the file where all its lines arrive."""
    writer_command = [sys.executable, "-I", "-S", __file__, str(rate), str(seconds)]
    with (
        subprocess.Popen(writer_command, stdout=subprocess.PIPE) as writer,
        subprocess.Popen(command, stdin=writer.stdout) as router,
    ):
        assert writer.stdout is not None
        writer.stdout.close()  # the router's now
        watcher = Watcher(watched, rate, seconds)
        watcher.watch(WARM_UP_SECONDS)
        started, used = time.monotonic(), cpu_seconds(router.pid)
        watcher.watch(seconds - WARM_UP_SECONDS - 0.5)  # stops before the input does, so that no end is measured
        cpu_share = (cpu_seconds(router.pid) - used) / (time.monotonic() - started)
        watcher.watch(SETTLE_SECONDS)
    return Lateness(rate, len(watcher.late_ms), cpu_share, *watcher.quantiles())


class Watcher:
    """Follows a file, and notes of each line how long it was on its way."""

    def __init__(self, path: Path, rate: int, seconds: int) -> None:
        self.path = path
        self.expected_lines = rate * seconds
        self.warm_up_lines = int(rate * WARM_UP_SECONDS)
        self.late_ms: list[float] = []
        self._rest = b""
        self._read_bytes = 0

    def watch(self, seconds: float) -> None:
        """For so long, or until all lines are there."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and len(self.late_ms) < self.expected_lines:
            time.sleep(WATCH_SECONDS)
            self._look()

    def quantiles(self) -> tuple[float, float, float]:
        """The median, the 99th percentile and the worst, in milliseconds, of what was written after the warm-up."""
        ranked = sorted(self.late_ms[self.warm_up_lines :])
        return ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100], ranked[-1]

    def _look(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        now_ns = time.monotonic_ns()
        self._read_bytes += len(data)
        whole, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest
        self.late_ms += [(now_ns - int(sent_ns)) / 1e6 for sent_ns in SENT.findall(whole + newline)]


def write(rate: int, seconds: int) -> None:
    """Write the lines, each by a call of its own, as an unbuffered app does."""
    started = time.monotonic_ns()
    for number in range(rate * seconds):
        due_ns = started + number * 1_000_000_000 // rate
        if (ahead_ns := due_ns - time.monotonic_ns()) > 0:
            time.sleep(ahead_ns / 1e9)
        level = ("info", "info", "error", "info", "debug")[number % 5]
        service = ("catalog", "checkout")[number % 2]
        line = LINE.format(level=level, service=service, sent_ns=time.monotonic_ns())
        os.write(sys.stdout.fileno(), line.encode())


if __name__ == "__main__":
    write(int(sys.argv[1]), int(sys.argv[2]))
