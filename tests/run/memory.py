"""A limit of memory for some processes together, as a container has one: a control group of the kernel (cgroups(7))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import pytest

from tests.e2e.processes import wait_until

_ROOT = Path("/sys/fs/cgroup")


class MemoryLimit:
    """Of so many bytes, with what is cached of files. Skips the test where this process may make none."""

    def __init__(self, limit_bytes: int) -> None:
        is_second = "memory" in _words(_ROOT / "cgroup.subtree_control")
        self._folder = (_ROOT if is_second else _ROOT / "memory") / f"logrouter-test-{os.getpid()}"
        self._limit_file = self._folder / ("memory.max" if is_second else "memory.limit_in_bytes")
        self._told_file = self._folder / ("memory.events" if is_second else "memory.oom_control")
        self._limit_bytes = limit_bytes

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir()
            self._limit_file.write_text(f"{self._limit_bytes}\n")
        except OSError as error:
            pytest.skip(f"no control group for memory can be made: {error}")
        return self

    def command(self, *command: str) -> list[str]:
        """The same, under the limit."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self._folder / "cgroup.procs"), *command]

    def kills(self) -> int:
        """How many processes the kernel has killed for it."""
        return next(int(line.split()[1]) for line in self._told_file.read_text().splitlines() if "oom_kill " in line)

    def __exit__(self, *raised: object) -> None:
        wait_until(self._is_removed, "all of them to have ended")

    def _is_removed(self) -> bool:
        try:
            self._folder.rmdir()
        except OSError:
            return False
        return True


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []
