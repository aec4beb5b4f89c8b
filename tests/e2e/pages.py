"""What a page of docs/ begins with is there to be pasted: tests paste it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.processes import REPOSITORY, Workplace


def beginning_of(page: str) -> str:
    """The first commands of a page, as they stand there."""
    return (REPOSITORY / "docs" / page).read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0]


def put_on_path(workplace: Workplace) -> None:
    """Let the processes of a workplace find `logrouter`, by that name."""
    program = Path(workplace.folder, "logrouter")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m logrouter "$@"\n')
    program.chmod(0o755)
    workplace.add_environment({"PATH": f"{workplace.folder}:/usr/bin:/bin"})
