"""Where the programs and servers come from that the tests need: from PATH, or built once into a cache.

The cache is a folder outside of the repository: `$TEST_CACHE`, or `~/.cache/logrouter-tests`. What is
built there has its release in its name, is complete when it has that name, and is built by one process at a time.

What is missing skips the test and says so; with REQUIRE_SERVICES=1, as in `.ci/run`, it fails it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

BUILDING_TOO_LONG_SECONDS = 900.0
OLDEST_GO = (1, 21)
"""The first that fetches a newer Go where a module asks for one, from where modules come."""

_could_not_build: dict[Path, str] = {}


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where services are required."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason}, and REQUIRE_SERVICES=1", pytrace=False)
    pytest.skip(reason)


def find(name: str) -> str:
    """The path of a program of the system."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return path or missing(f"{name} is not installed")


def find_go() -> str:
    """The path of a Go that can build the servers."""
    go = find("go")
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    if found and (int(found[1]), int(found[2])) < OLDEST_GO:
        missing(f"{found[0]} is too old to build the servers: {'.'.join(map(str, OLDEST_GO))} or newer is needed")
    return go


def installed(name: str, build: Callable[[Path], None]) -> Path:
    """The folder of that name in the cache, built by `build(empty folder)` unless it is there."""
    cache = Path(os.environ.get("TEST_CACHE") or Path.home() / ".cache" / "logrouter-tests")
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / name
    with open(cache / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _build(folder, build)
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    if folder in _could_not_build:  # nor will it for the next test, and trying takes minutes
        missing(_could_not_build[folder])
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
    try:
        build(unfinished)
        unfinished.rename(folder)
    except (pytest.skip.Exception, pytest.fail.Exception) as failure:
        _could_not_build[folder] = str(failure)
        raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def go_install(package: str, release: str) -> Path:
    """The program that a Go package is, with what it depends on as its own go.sum has it."""
    program = package.rpartition("/")[2]

    def build(folder: Path) -> None:
        environment = {"GOBIN": str(folder), "CGO_ENABLED": "0"}  # no C compiler needed
        run([find_go(), "install", "-trimpath", "-ldflags=-s -w", f"{package}@{release}"], folder, environment)

    return installed(f"{program}-{release}", build) / program


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """One command of a build, in its folder. A build that fails (without a network, say) is a missing service."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BUILDING_TOO_LONG_SECONDS,
        )
    except subprocess.TimeoutExpired:
        missing(f"`{Path(command[0]).name}` took longer than {BUILDING_TOO_LONG_SECONDS:.0f} s")
    if done.returncode != 0:
        last_words = done.stdout.decode(errors="replace")[-2000:]
        missing(f"`{' '.join(map(str, command))}` failed with {done.returncode}:\n{last_words}\n")
