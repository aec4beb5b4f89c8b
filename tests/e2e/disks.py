"""File systems of their own, small enough to fill up."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.services.programs import missing

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def tiny_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own, which is soon full.

    Only root can make one: for others it skips the test, or fails it where services are required.
    """
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        missing("only root can mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a mounted file system: `ro`, `size=64m`."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def swap(one: Path, other: Path) -> None:
    """Each takes the other's place, in one step (renameat2(2)): nobody finds nothing there, and makes it anew."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), one)


def fill(folder: Path) -> Path:
    """Leave no room in a file system. Gives the file that takes it."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"\0" * 65536):
            pass
    return ballast
