"""logrouter, killed by its own hand at a named point: `python killed_at.py POINT MOMENT COUNT [ARGUMENTS]`.

Wraps one method of the real classes, so that the COUNT-th call of it ends in SIGKILL: MOMENT is `before` the call,
`during` it (half of what it writes is written, or half of what it does is done) or `after` it. Nothing of this is in
logrouter itself. If the point is not reached, logrouter ends as it always does.

    append    a record is written to a segment        note     a batch is noted in a cursor
    seal      a segment begins                        commit   a cursor moves
    sync      what was appended is made durable       switch   a cursor goes on in its other file
    delete    segments are unlinked                   send     a batch is written to its file
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from logrouter import __main__ as logrouter
from logrouter.cursors import Commit, Note
from logrouter.runtime.spool import journal
from logrouter.runtime.spool.journal import Journal
from logrouter.runtime.spool.store import Store
from logrouter.runtime.transports.logfile import LogFile

POINTS = ("append", "seal", "sync", "delete", "note", "commit", "switch", "send")
MOMENTS = ("before", "during", "after")
SMALL_JOURNAL_BYTES = 2 * 1024
"""So that a cursor goes on in its other file after some tens of batches."""

Function = Callable[..., Any]


class Fate:
    """When the process dies."""

    def __init__(self, moment: str, count: int) -> None:
        self._moment = moment
        self._count = count

    def wrap(self, function: Function, applies: Function = lambda *arguments: True) -> Function:
        """The function, which kills when it is called for the COUNT-th time with arguments that apply."""

        def wrapped(*arguments: Any, **options: Any) -> Any:
            self._count -= bool(applies(*arguments))
            if self._count or not applies(*arguments):
                return function(*arguments, **options)
            if self._moment == "before":
                die()
            if self._moment == "during":
                with half_done():
                    function(*arguments, **options)
            else:
                function(*arguments, **options)
            die()

        return wrapped


def die() -> NoReturn:
    """Kill this process, and wait until that is done."""
    os.kill(os.getpid(), signal.SIGKILL)
    while True:
        signal.pause()


@contextmanager
def half_done() -> Iterator[None]:
    """The next write writes half of its bytes, a sync or an unlink does what it is asked; then the process dies."""

    def writev(fd: int, pieces: Sequence[bytes]) -> int:
        return write(fd, b"".join(pieces))

    def write(fd: int, data: bytes) -> int:
        real["write"](fd, data[: len(data) // 2])
        die()

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        real["pwrite"](fd, data[: len(data) // 2], offset)
        die()

    def fdatasync(fd: int) -> None:
        real["fdatasync"](fd)
        die()

    def unlink(path: str) -> None:
        real["unlink"](path)
        die()

    replacements: list[Function] = [writev, write, pwrite, fdatasync, unlink]
    real: dict[str, Function] = {function.__name__: getattr(os, function.__name__) for function in replacements}
    for function in replacements:
        setattr(os, function.__name__, function)
    yield


def arm(point: str, fate: Fate) -> None:
    """Put the fate where it will strike."""
    match point:
        case "append":
            Store.append = fate.wrap(Store.append)  # type: ignore[method-assign]
        case "seal":
            Store._begin_segment = fate.wrap(Store._begin_segment)  # type: ignore[method-assign]
        case "sync":
            begin_sync = Store.begin_sync
            Store.begin_sync = lambda store: fate.wrap(begin_sync(store))  # type: ignore[method-assign]
        case "delete":
            Store.unlink = fate.wrap(Store.unlink)  # type: ignore[method-assign]
        case "note" | "commit":
            kind = Note if point == "note" else Commit
            Journal.write = fate.wrap(  # type: ignore[method-assign]
                Journal.write, lambda journal, entry, state: isinstance(entry, kind)
            )
        case "switch":
            journal.FILE_BYTES = SMALL_JOURNAL_BYTES  # type: ignore[misc]
            Journal._begin_file = fate.wrap(Journal._begin_file)  # type: ignore[method-assign]
        case "send":
            LogFile.write = fate.wrap(LogFile.write)  # type: ignore[method-assign]
        case _:
            raise ValueError(f"there is no point {point!r}")


def main() -> int:
    """Run logrouter with the rest of the arguments."""
    point, moment, count = sys.argv[1:4]
    del sys.argv[1:4]
    arm(point, Fate(moment, int(count)))
    return logrouter.main()


if __name__ == "__main__":
    sys.exit(main())
