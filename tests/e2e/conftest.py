"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import Workplace
from tests.services import programs


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

    return programs.find
