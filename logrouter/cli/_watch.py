"""Doing something again whenever a file has changed: `logrouter test --watch`.

The files are looked at, not watched: that works on every file system, and however an editor saves.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NoReturn

from logrouter.errors import LogrouterError

LOOK_SECONDS: Final = 0.25
"""How often: nobody waits longer for a test that he has changed, and it costs a few system calls."""

Look = dict[Path, tuple[int, ...] | None]
"""What tells one state of a file from another; None: it is not there."""


def watch(run: Callable[[], int], files: Callable[[], Iterable[Path]]) -> NoReturn:
    """Run, and again after each change, until Ctrl-C. What is wrong with the config is said, and waits for a change."""
    from logrouter.cli import _report

    while True:
        before = look(files())
        try:
            run()
        except LogrouterError as error:
            _report(error)
        print("waiting for a change; Ctrl-C ends", file=sys.stderr, flush=True)
        known = {path: before.get(path, seen) for path, seen in look(files()).items()}
        while not (changed := changes(known, look(files()))):
            time.sleep(LOOK_SECONDS)
        print(f"\nchanged: {', '.join(map(str, changed))}", flush=True)


def look(files: Iterable[Path]) -> Look:
    """Look at files."""
    return {path: _look_at(path) for path in files}


def changes(before: Look, now: Look) -> list[Path]:
    """Which have come, gone or changed."""
    return [path for path in dict.fromkeys((*before, *now)) if before.get(path) != now.get(path)]


def _look_at(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
