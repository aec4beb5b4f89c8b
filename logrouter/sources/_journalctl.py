"""journalctl as a child process: what it writes, and why it has failed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from logrouter.runtime.transports.streams import grow_pipe

JOURNALS: Final = ("/var/log/journal", "/run/log/journal")
"""Where journald keeps what it has: on disk, or in memory until the disk is there."""
SAID_BYTES: Final = 2048
"""Of its stderr so much is kept: the end."""


class Journalctl:
    """One that runs."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._said = b""
        self._has_said_all = trio.Event()

    async def read(self, most_bytes: int) -> bytes:
        """What it has written; empty at the end. Cancelled while it waits, nothing is lost."""
        assert self._process.stdout is not None
        return bytes(await self._process.stdout.receive_some(most_bytes))

    async def failure(self) -> str | None:
        """Once it has written all: why it has failed; None where it has not."""
        code = await self._process.wait()
        if code == 0:
            return None
        await self._has_said_all.wait()
        ended = f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"
        said = "; ".join(line.strip() for line in self._said.decode("utf-8", "replace").splitlines() if line.strip())
        return f"{said} ({ended})" if said else ended

    async def listen(self) -> None:
        """Hear what it says on stderr, as long as it runs."""
        assert self._process.stderr is not None
        async for data in self._process.stderr:
            self._said = (self._said + data)[-SAID_BYTES:]
        self._has_said_all.set()


@asynccontextmanager
async def running(command: Sequence[str]) -> AsyncIterator[Journalctl]:
    """Runs it, and ends it. Raises OSError where it cannot be started.

    It is in a session of its own, so that a Ctrl-C in a terminal is ours alone, and has none of our environment: there
    may be secrets in it.
    """
    process = await trio.lowlevel.open_process(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
    )
    assert isinstance(process.stdout, trio.lowlevel.FdStream)
    assert process.stderr is not None
    grow_pipe(process.stdout.fileno())
    child = Journalctl(process)
    async with process.stdout, process.stderr, trio.open_nursery() as listening:
        listening.start_soon(child.listen)
        try:
            yield child
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
            listening.cancel_scope.cancel()


def unreadable_journal(directory: str | None) -> str | None:
    """Why the journal may not be read; None where it may, or where there is none yet."""
    places = [directory] if directory is not None else JOURNALS
    try:
        files = [file for place in places for file in _files(place)]
    except PermissionError as error:
        return f"{error.filename} {_REMEDY}"
    unreadable = [file for file in files if not os.access(file, os.R_OK)]
    if unreadable and (len(unreadable) == len(files) or any("/system" in file for file in unreadable)):
        return f"{unreadable[0]} {_REMEDY}"
    return None


_REMEDY: Final = (
    "may not be read: logrouter must be in the group systemd-journal or adm"
    " (SupplementaryGroups=systemd-journal in a unit, or usermod -a -G systemd-journal USER)"
)


def _files(place: str) -> Iterator[str]:
    """The journal files in a folder, and in those of its machines. Raises PermissionError."""
    path = Path(place)
    if not path.is_dir():
        return
    for entry in os.scandir(path):
        if entry.name.endswith(".journal"):
            yield entry.path
        elif entry.is_dir():
            yield from (inner.path for inner in os.scandir(entry.path) if inner.name.endswith(".journal"))
