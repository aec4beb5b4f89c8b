"""Runs whole processes and tells what they used."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import IO, NamedTuple

LAUNCHER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MIB = 1024.0  # KiB, which /proc counts in
TOO_LONG_SECONDS = 30.0
ENDLESS_SECONDS = 300.0
LOOK_SECONDS = 0.25


class Usage(NamedTuple):
    """What one process used from its start to its end."""

    cpu_seconds: float
    """User and system."""
    wall_seconds: float
    peak_mib: float


def medians(rounds: Sequence[Usage]) -> Usage:
    """Of each figure for itself."""
    return Usage(*(median(figures) for figures in zip(*rounds, strict=True)))


def run_piped(command: Sequence[str], input_path: Path, exit_code: int = 0) -> Usage:
    """`cat INPUT | COMMAND`: what the command used, without the `cat`. Raises AssertionError if it ends otherwise."""
    with (
        tempfile.NamedTemporaryFile("r") as result,
        subprocess.Popen(["cat", input_path], stdout=subprocess.PIPE) as cat,
    ):
        done = subprocess.run([*LAUNCHER, result.name, *command], stdin=cat.stdout)
        assert done.returncode == exit_code, f"{command} has ended with {done.returncode}"
        return Usage(*map(float, result.read().split()))


def run_until(command: Sequence[str], is_done: Callable[[], bool]) -> Usage:
    """A command that never ends by itself: what it used until all was done and it was told to end.

    Raises AssertionError if that takes too long, or if it ends otherwise.
    """
    with (
        tempfile.NamedTemporaryFile("r") as result,
        subprocess.Popen([*LAUNCHER, result.name, *command], stdin=subprocess.DEVNULL) as launcher,
    ):
        try:
            until = time.monotonic() + ENDLESS_SECONDS
            while not is_done():
                assert launcher.poll() is None, f"{command} has ended with {launcher.returncode}"
                assert time.monotonic() < until, f"{command} has not done all"
                time.sleep(LOOK_SECONDS)
        finally:
            launcher.terminate()
        assert launcher.wait() == 0, f"{command} has ended with {launcher.returncode}"
        return Usage(*map(float, result.read().split()))


@contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process with pipes to its stdin and from its stdout; ended by the end of its input, and waited for."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            yield process
            pipe(process.stdin).close()
            process.wait(TOO_LONG_SECONDS)
        finally:
            process.kill()  # nothing, where it has ended


def pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """A stream that was opened as a pipe."""
    assert stream is not None
    return stream


def first_line_seconds(command: Sequence[str], line: bytes) -> float:
    """From the start of the process until a line, there from the start, is out; the input stays open."""
    started = time.monotonic()
    with running(command) as process:
        pipe(process.stdin).write(line)
        assert pipe(process.stdout).readline()
        return time.monotonic() - started


def idle_mib(command: Sequence[str], line: bytes, seconds: float = 1.0) -> float:
    """Resident memory a while after the first line."""
    with running(command) as process:
        pipe(process.stdin).write(line)
        assert pipe(process.stdout).readline()
        time.sleep(seconds)
        return resident_mib(process.pid)


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / MIB
    raise ProcessLookupError(pid)


def cpu_seconds(pid: int) -> float:
    """User and system time so far, of all its threads; to a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND  # utime and stime: fields 14 and 15 of proc(5)
