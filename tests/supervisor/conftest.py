"""Fixtures of the tests of the supervisor's parts. Times are given, so that nothing waits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

MakePipe = Callable[[], tuple[int, int]]


@pytest.fixture
def make_pipe() -> Iterator[MakePipe]:
    """Makes pipes whose ends are closed in the end, where they have not been."""
    opened: list[int] = []

    def make() -> tuple[int, int]:
        ends = os.pipe()
        opened.extend(ends)
        return ends

    yield make
    for fd in opened:
        with suppress(OSError):
            os.close(fd)
