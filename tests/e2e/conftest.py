"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import Workplace
from tests.services import programs
from tests.services.server import free_port


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    with ExitStack() as stack:
        yield Workplace(tmp_path, stack)


@pytest.fixture
def port() -> int:
    """A port of 127.0.0.1, which none of our many connections takes for its own end."""
    return free_port()


@pytest.fixture
def find_program() -> Callable[[str], str]:
    """Where a program of the system is. Skips the test if it is nowhere; fails it where services are required."""

    return programs.find
