"""What the tests of `parse: auto` on real programs have in common: what these print, as fields."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.processes import Workplace

TOO_LONG_SECONDS = 60.0
FIELDS = ("--sink", "fields=file:fields")
"""All that is said: where to. `parse` is what it is by itself."""


def fields_of(workplace: Workplace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in workplace.lines("fields")]


def recognised(workplace: Workplace, printed: bytes) -> list[dict[str, Any]]:
    """What lines become that were printed into a file or a pipe."""
    done = workplace.route(printed, *FIELDS)
    assert (done.returncode, done.stderr) == (0, b"")
    return fields_of(workplace)


def output_of(command: Sequence[str | Path], folder: Path, **environment: str) -> bytes:
    """All that a program prints, which may fail."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TOO_LONG_SECONDS * 3,
    ).stdout


def those_with(events: Sequence[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    return [event for event in events if wanted.items() <= event.items()]


def is_time(event: dict[str, Any]) -> bool:
    return str(event.get("time")).endswith("Z")
