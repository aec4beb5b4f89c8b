"""Apps, run by `logrouter run`, and what came of it.

An app is a script in Python, or a command. What it wrote is in the files `stdout` and `stderr`, line by line.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, spool_options, wait_until

WAYS: Mapping[str, Sequence[str]] = {
    "pipe": ["--capture", "pipe", "--no-tee"],
    "spool": [*spool_options(), "--capture", "spool", "--no-tee"],
    "tee": ["--capture", "pipe", "--tee"],
}
"""How the app's output reaches the router."""
SINKS = (
    *("--sink", "out=file:stdout?format=raw", "--match", 'out=meta.stream == "stdout"'),
    *("--sink", "err=file:stderr?format=raw", "--match", 'err=meta.stream == "stderr"'),
)


class Done(NamedTuple):
    """What an app, and we, left."""

    code: int
    stdout: list[bytes]
    """Lines in the sink."""
    stderr: list[bytes]
    output: bytes
    """What `logrouter run` has written itself."""
    complaints: bytes


class Runner:
    """Runs apps in a folder of its own."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace
        self.folder = workplace.folder

    def start(self, way: str, app: str | Sequence[str], *flags: str, **options: Any) -> subprocess.Popen[bytes]:
        """`logrouter run … -- APP`. A text is a script in Python."""
        command = [sys.executable, "-u", "-c", app] if isinstance(app, str) else app
        return self.workplace.start_router("run", *SINKS, *WAYS[way], *flags, "--", *command, **options)

    def finish(self, process: subprocess.Popen[bytes]) -> Done:
        """Wait for its end."""
        output, complaints = process.communicate(timeout=TOO_LONG_SECONDS)
        return Done(process.returncode, self.lines("stdout"), self.lines("stderr"), output, complaints)

    def run(self, way: str, app: str | Sequence[str], *flags: str, **options: Any) -> Done:
        """To its end."""
        return self.finish(self.start(way, app, *flags, **options))

    def lines(self, sink: str) -> list[bytes]:
        """What a sink's file holds, without ends of lines."""
        return [line.rstrip(b"\n") for line in self.workplace.lines(sink)]

    def wait_for(self, sink: str, line: bytes) -> None:
        """Until a line is there."""
        wait_until(lambda: line in self.lines(sink), f"{line!r} in {sink}")

    def captured(self) -> list[str]:
        """The names of the capture files that are left."""
        folder = self.folder / "spool" / "capture"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def captured_bytes(self) -> int:
        """What they hold."""
        sizes = [0]
        for name in self.captured():
            with suppress(FileNotFoundError):  # safe, and deleted just now
                sizes.append((self.folder / "spool" / "capture" / name).stat().st_size)
        return sum(sizes)


def children(pid: int) -> dict[str, int]:
    """The processes that a supervisor has started: `router` and `app`."""
    found = {}
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        with suppress(ProcessLookupError):  # it has ended just now
            found["router" if os.getsid(child) == child else "app"] = child
    return found


def wait_for_child(pid: int, name: str, other_than: int | None = None) -> int:
    """The process id of the router or of the app, once it is there."""
    until = time.monotonic() + TOO_LONG_SECONDS
    while time.monotonic() < until:
        if (child := children(pid).get(name)) not in (None, other_than):
            assert child is not None
            return child
        time.sleep(0.01)
    raise AssertionError(f"no {name}")
