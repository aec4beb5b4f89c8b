"""Fixtures of the tests of `logrouter run`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import Workplace
from tests.run.apps import Runner


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    with ExitStack() as stack:
        yield Runner(Workplace(tmp_path, stack))


@pytest.fixture(params=["pipe", "spool", "tee"])
def way(request: pytest.FixtureRequest) -> str:
    """Each way in which an app's output reaches the router: see `apps.WAYS`."""
    return str(request.param)
