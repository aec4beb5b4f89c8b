"""Numbered lines through a pipe into logrouter, and what its files hold of them afterwards."""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, wait_until

READ_BYTES = 512 * 1024
"""What logrouter reads at once."""

SINKS = (
    *("--sink", "all=file:all"),
    *("--sink", "some=file:some?format=raw", "--match", "some=n >= 0 and kind == 1"),
    *("--sink", "packed=file:packed.gz?rotate_size=256KiB&keep=9999"),
)
"""One file with all, one with a part, one compressed and rotated."""

_NUMBER = re.compile(rb'\{"n":(\d+),"kind":([0-2]),"text":"x*"\}\n')


def numbered(first: int, end: int, width: int = 200) -> list[bytes]:
    """Lines that know their number, of three kinds and of various lengths."""
    text = b"x" * width
    return [b'{"n":%d,"kind":%d,"text":"%s"}\n' % (n, n % 3, text[n % 97 :]) for n in range(first, end)]


def number_of(line: bytes) -> int:
    """The number of a line; it must be whole."""
    match = _NUMBER.fullmatch(line)
    assert match is not None, f"no whole line: {line!r}"
    return int(match[1])


def numbers_of(lines: Iterable[bytes]) -> list[int]:
    """The numbers of lines, without those with which logrouter tells of a gap."""
    return [number_of(line) for line in lines if not is_notice(line)]


def is_notice(line: bytes) -> bool:
    """Whether logrouter tells of a gap with it."""
    return b'"logrouter.' in line


def is_torn(line: bytes) -> bool:
    """Whether it is neither a whole line nor logrouter's own."""
    return not is_notice(line) and _NUMBER.fullmatch(line) is None


def wanted(sink: str, numbers: Iterable[int]) -> list[int]:
    """Which of these lines a sink of `SINKS` gets."""
    return [n for n in numbers if sink != "some" or n % 3 == 1]


def contents(workplace: Workplace) -> dict[str, list[bytes]]:
    """What the files of `SINKS` hold."""
    compressed = packed(workplace.folder).splitlines(keepends=True)
    return {"all": workplace.lines("all"), "some": workplace.lines("some"), "packed": compressed}


class Feeding:
    """Lines being written to a process's stdin, whose other end is kept: what it has not read can be seen later."""

    def __init__(self, lines: Sequence[bytes], bytes_per_second: float = float("inf"), keep_open: bool = False) -> None:
        self._lines = lines
        self._bytes_per_second = bytes_per_second
        self._keep_open = keep_open
        self.read_end, self._write_end = os.pipe()
        self.written_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def start(self) -> None:
        """Begin to write, once the process has been started."""
        self._thread.start()

    def _write(self) -> None:
        data = memoryview(b"".join(self._lines))
        os.set_blocking(self._write_end, False)
        started = time.monotonic()
        while data and not self._stop.is_set():
            due = (time.monotonic() - started) * self._bytes_per_second - self.written_bytes
            try:
                written = os.write(self._write_end, data[: int(min(len(data), max(due, 0)))])
                if not written:
                    self._stop.wait(0.005)
            except BlockingIOError:
                self._stop.wait(0.001)
                continue
            self.written_bytes += written
            data = data[written:]
        if self._keep_open:
            self._stop.wait()
        os.close(self._write_end)

    def is_read(self) -> bool:
        """Whether something has been read at the other end."""
        written = self.written_bytes  # before: more may come meanwhile
        return written > int.from_bytes(fcntl.ioctl(self.read_end, termios.FIONREAD, bytes(4)), sys.byteorder)

    def stop(self) -> int:
        """Write no more. Gives how many bytes were read at the other end."""
        self._stop.set()
        self._thread.join(TOO_LONG_SECONDS)
        unread = 0
        while data := os.read(self.read_end, 1 << 20):
            unread += len(data)
        os.close(self.read_end)
        return self.written_bytes - unread


def run_until_killed(
    workplace: Workplace,
    command: Sequence[str | Path],
    lines: Sequence[bytes],
    after_seconds: float | None = None,
    bytes_per_second: float = float("inf"),
    *,
    while_it_starts: bool = False,
) -> int:
    """Feed a process that will be killed: by itself, or from here after some time, which begins once it reads, or
    `while_it_starts`. Gives how many bytes it has read."""
    feeding = Feeding(lines, bytes_per_second, keep_open=after_seconds is not None)
    process = workplace.start(
        [sys.executable, *command], stdin=feeding.read_end, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    feeding.start()
    if after_seconds is not None:
        if not while_it_starts:
            wait_until(feeding.is_read, "it to read")
        try:
            process.wait(after_seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
    _, complaints = process.communicate(timeout=TOO_LONG_SECONDS)
    read_bytes = feeding.stop()
    assert process.returncode == -signal.SIGKILL, (process.returncode, complaints)
    assert all(b'"events lost"' in line for line in complaints.splitlines()), complaints
    return read_bytes


def lines_read(lines: Sequence[bytes], read_bytes: int) -> int:
    """How many lines were read in whole."""
    count = 0
    for line in lines:
        read_bytes -= len(line)
        if read_bytes < 0:
            break
        count += 1
    return count


def packed(folder: Path, name: str = "packed") -> bytes:
    """What is in a compressed file and in all that were rotated away, in order."""
    paths = list(folder.glob(f"{name}.*gz"))
    return b"".join(gzip.decompress(path.read_bytes()) for path in sorted(paths, key=_age, reverse=True))


def _age(path: Path) -> int:
    match = re.search(r"\.(\d+)\.gz$", path.name)
    return int(match[1]) if match else 0
