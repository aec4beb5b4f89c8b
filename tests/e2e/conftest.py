"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import Workplace


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    with ExitStack() as stack:
        yield Workplace(tmp_path, stack)


@pytest.fixture
def port() -> int:
    """A port of 127.0.0.1 that was free just now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        number: int = server.getsockname()[1]
        return number


@pytest.fixture
def find_program() -> Callable[[str], str]:
    """Where a program of the system is. Skips the test if it is nowhere; fails it where services are required."""

    def find(name: str) -> str:
        path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None and os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"{name} is not installed, and REQUIRE_SERVICES=1")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find
