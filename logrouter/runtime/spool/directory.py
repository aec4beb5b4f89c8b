"""The spool's folder on disk: whose it is, whether it can be used, and that only one process does.

    lock                          held with flock(2) while a process uses the folder; holds its id
    spool.json                    {"version": 2, "machine": "<machine-id>"}
    segments/000000000007.segment the log: `store.py`
    cursors/errors.0, errors.1    how far the sink `errors` is: `journal.py`
    dead-letters/                 what destinations have refused: `runtime/letter_files.py`
    metrics/requests.json         what the sink `requests` has counted: `sinks/metrics.py`
    capture/                      what an app wrote, under `logrouter run`: `supervisor/capture.py`

Folders are made 0700, files 0600. Whatever else stands there is left alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from logrouter.errors import StartError
from logrouter.runtime.disk import (
    kind_of,
    make_folders,
    problem_with_folder,
    read_file,
    replace_file,
    sync_folder,
)
from logrouter.segments import VERSION

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_FILES: Final = ("lock", "spool.json")
_FOLDERS: Final = ("segments", "cursors", "dead-letters", "metrics", "capture")
_MACHINE_ID: Final = Path("/etc/machine-id")


class Marker(msgspec.Struct):
    """What `spool.json` holds."""

    version: int = VERSION
    machine: str = ""


class SpoolDirectory:
    """The folder of one spool, in use by this process from `open` to `close`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.segments = os.path.join(path, "segments")
        self.cursors = os.path.join(path, "cursors")
        self.dead_letters = os.path.join(path, "dead-letters")
        self._lock_path = os.path.join(path, "lock")
        self.copied = False
        """Whether it was written on another machine: a cloned disk, or a moved one."""
        self._lock: int | None = None

    def open(self) -> None:
        """Make what is missing, and take possession. Raises StartError."""
        problem = problem_with(self.path)
        if problem is not None:
            raise StartError(f"spool.directory: {problem}")
        try:
            for folder in (self.path, self.segments, self.cursors):
                _, *above = make_folders(os, folder, _FOLDER_MODE)
                for changed in above:
                    sync_folder(os, changed)
            holder = self.take_lock()
            if holder is not None:
                raise StartError(
                    f"spool.directory: {self.path} is in use by process {holder}; each process needs its own"
                )
            self._mark()
        except OSError as error:
            raise StartError(f"spool.directory: cannot use {self.path}: {error.strerror}") from error

    def journal(self, sink: str) -> str:
        """The path of a sink's cursor, without its ending."""
        return os.path.join(self.cursors, sink)

    def close(self) -> None:
        """Let somebody else use it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def take_lock(self) -> str | None:
        """Take possession. Gives the id of the process that has it, where another one does. Raises OSError."""
        fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            os.close(fd)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            return holder or "?"
        with suppress(OSError):  # on a full disk: it is for people only
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        self._lock = fd
        return None

    def user(self) -> int | None:
        """The process that uses it; None where none does, or none that can be seen. Takes nothing, not for a moment:
        a process that starts just now must not be refused."""
        with suppress(OSError, ValueError):
            holder = int(read_file(os, self._lock_path))
            inode = os.stat(self._lock_path).st_ino
            for line in Path("/proc/locks").read_text().splitlines():  # 1: FLOCK ADVISORY WRITE pid device:inode 0 EOF
                fields = line.split()
                if fields[1] == "FLOCK" and fields[4] == str(holder) and fields[5].endswith(f":{inode}"):
                    return holder
        return None

    def _mark(self) -> None:
        here = _machine()
        found = read_marker(self.path)
        self.copied = _is_copied(found, here)
        if found is not None and found.version == VERSION and not self.copied:
            return
        path = os.path.join(self.path, "spool.json")
        replace_file(os, path, msgspec.json.encode(Marker(machine=here)) + b"\n", ".new")


def problem_with(path: str) -> str | None:
    """Why a folder cannot hold the spool, as far as it can be told without touching it; None where it can."""
    if problem := problem_with_folder(path):
        return problem
    if not os.path.isdir(path):
        return None
    owner = os.stat(path).st_uid
    if os.geteuid() not in (0, owner):
        return f"{path} belongs to another user (id {owner}): events would be theirs to read"
    if problem := problem_with_kinds(path):
        return problem
    if foreign := _kept_from_us(path):
        return (
            f"{foreign} may not be read and written: it is of user {os.stat(foreign).st_uid},"
            f" as after a start as that one (chown -R {os.geteuid()} {path})"
        )
    return problem_with_version(path)


def _kept_from_us(path: str) -> str | None:
    """What of the spool may not be used, in the folder or one level below: a start as root has made it, perhaps.

    What else stands there is nobody's business: a file system of its own has a lost+found, which is root's.
    """
    ours = [os.path.join(path, name) for name in _FILES + _FOLDERS]
    within = (inner.path for folder in ours if os.path.isdir(folder) for inner in os.scandir(folder))
    for entry in chain(ours, within):  # a folder is asked for before it is looked into
        needed = os.R_OK | os.W_OK | (os.X_OK if os.path.isdir(entry) else 0)
        if not os.access(entry, needed) and os.path.exists(entry):  # who uses the spool now may have deleted it
            return entry
    return None


def problem_with_kinds(path: str) -> str | None:
    """What of the spool is no file, or no folder: whoever opens a named pipe waits for ever."""
    files = [os.path.join(path, name) for name in _FILES]
    folders = [os.path.join(path, name) for name in _FOLDERS]
    with suppress(OSError):  # what may not be looked at is told of by whoever has to
        for folder in filter(os.path.isdir, folders):
            files += [entry.path for entry in os.scandir(folder) if "." in entry.name or entry.name == "lock"]
    for expected, is_right, entries in (("folder", stat.S_ISDIR, folders), ("file", stat.S_ISREG, files)):
        for entry in entries:
            with suppress(OSError):
                if not is_right(mode := os.stat(entry).st_mode):
                    return f"{entry} is {kind_of(mode)}: expected a {expected} of the spool"
    return None


def warnings_about(path: str, user: int | None = None) -> list[str]:
    """What is odd about the folder, though not wrong; nothing of it is touched. `user`: the process that may use it."""
    odd = []
    with suppress(OSError):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & 0o077:
            odd.append(
                f"others than its owner may look into {path} (mode {mode:04o}); its files are private all the same"
            )
    if (holder := SpoolDirectory(path).user()) not in (None, user):
        odd.append(f"{path} is in use by process {holder}: no other can start with it")
    if _is_copied(read_marker(path), _machine()):
        odd.append(f"{path} was written on another machine: if it still runs there, events arrive twice")
    return odd


def read_marker(path: str) -> Marker | None:
    """What `spool.json` says; None where there is none, or none that can be read."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(read_file(os, os.path.join(path, "spool.json")), type=Marker)
    return None


def problem_with_version(path: str) -> str | None:
    """Why this program cannot read the spool, where a newer one has written it."""
    marker = read_marker(path)
    if marker is not None and marker.version > VERSION:
        return f"{path} was written by a newer logrouter (format {marker.version}); this one knows format {VERSION}"
    return None


def _is_copied(marker: Marker | None, here: str) -> bool:
    """Whether another machine has written it: the disk was cloned, or moved."""
    return marker is not None and bool(marker.machine and here) and marker.machine != here


def _machine() -> str:
    """This machine's id; empty where it has none."""
    with suppress(OSError):
        return _MACHINE_ID.read_text().strip()
    return ""
