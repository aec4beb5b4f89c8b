"""Doing something again whenever a file has changed: `logrouter test --watch`.

A change is what looking at the files tells: that is right however an editor saves. When it is time to look, inotify
says, where it works; elsewhere the clock.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, NoReturn

from logrouter.errors import LogrouterError
from logrouter.runtime.tailing.inotify import Inotify, silent_file_system

LOOK_SECONDS: Final = 0.25
"""How often without inotify: nobody waits longer for a test that he has changed, and it costs a few system calls."""
SAFETY_SECONDS: Final = 10.0
"""How often with it, whatever it says."""
GATHER_SECONDS: Final = 0.02
"""An editor does several things when it saves: they are taken together."""

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
        with closing(Waiting(files())) as waiting:
            known = {path: before.get(path, seen) for path, seen in look(files()).items()}
            while not (changed := changes(known, look(files()))):
                waiting.wait()
        print(f"\nchanged: {', '.join(map(str, changed))}", flush=True)


class Waiting:
    """Until files may have changed, or others have come beside them."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.inotify: Inotify | None = None
        """None: it cannot be had, or may say nothing about one of the files."""
        try:
            self.inotify = Inotify()
            for path in files:
                self._watch(self.inotify, path)
        except OSError:
            self.close()

    def _watch(self, inotify: Inotify, path: Path) -> None:
        """Watch the file, wherever symbolic links lead, and the folder that names it. Raises OSError."""
        inotify.watch_folder(str(path.parent))
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if kind := silent_file_system(f"/proc/self/fd/{file}") or silent_file_system(str(path.parent)):
                raise OSError(0, kind)
            inotify.watch_file(file)
        finally:
            os.close(file)

    def wait(self) -> None:
        """Until it is time to look."""
        if self.inotify is None:
            time.sleep(LOOK_SECONDS)
            return
        poll = select.poll()
        poll.register(self.inotify.fd, select.POLLIN)
        if poll.poll(SAFETY_SECONDS * 1000):
            time.sleep(GATHER_SECONDS)
            self.inotify.drain()

    def close(self) -> None:
        """Watch no more."""
        if self.inotify is not None:
            self.inotify.close()
            self.inotify = None


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
