"""Opens a spool that has a folder, and goes on where the last process stopped.

- A sink whose cursor is found goes on there.
- A sink whose cursor is damaged begins with the oldest event that is kept: it may get some twice, and misses none.
- Sequences go on after the last that the log or any cursor knows of, in a new epoch: an id is never used twice, and
  what a power cut has taken from the log is counted as lost by the sinks that had not got it.
- The cursor of a sink that is configured no more stays where it is, and keeps nothing from being deleted.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection

from logrouter.config.settings import Settings
from logrouter.cursors import Gap, Ledger, State
from logrouter.errors import StartError
from logrouter.routing import Router
from logrouter.runtime.dead_letters import DeadLetters
from logrouter.runtime.disk import Disk
from logrouter.runtime.log import Log
from logrouter.runtime.spool.configured import NewCursor, make_cursor, make_spool
from logrouter.runtime.spool.cursor import Cursor
from logrouter.runtime.spool.directory import SpoolDirectory
from logrouter.runtime.spool.journal import Journal
from logrouter.runtime.spool.keeper import Keeper
from logrouter.runtime.spool.local import LocalSpool
from logrouter.runtime.spool.log_reader import LogReader
from logrouter.runtime.spool.store import Store
from logrouter.segments import UnknownVersion


def open_folder(
    path: str, settings: Settings, router: Router, log: Log
) -> tuple[LocalSpool, SpoolDirectory, DeadLetters]:
    """Take possession of the folder, and open all that is in it. Raises StartError."""
    directory = SpoolDirectory(path)
    directory.open()
    store = Store(directory.segments, max_bytes=settings.spool.max_size, epoch=secrets.randbits(64))
    try:
        spool = spool_over(store, directory.cursors, settings, router, log)
        if directory.copied:
            log.warning("the spool was written on another machine: if it still runs there, events arrive twice")
        committed = {cursor.name: cursor.state.committed for cursor in spool.cursors.values()}
        letters = DeadLetters(directory.dead_letters, max_bytes=settings.dead_letters.max_size, committed=committed)
    except (OSError, UnknownVersion) as error:
        directory.close()
        raise StartError(f"spool.directory: cannot use {directory.path}: {error}") from error
    return spool, directory, letters


def spool_over(
    store: Store, cursors_folder: str, settings: Settings, router: Router, log: Log, *, disk: Disk = os
) -> LocalSpool:
    """The spool over a log and a folder of cursors, whoever holds these; all is opened here.

    Raises OSError, UnknownVersion.
    """
    store.open()
    for segment in store.segments:
        if segment.headless:
            log.warning("a segment's header is damaged: its records are read all the same", path=segment.path)
    for path in store.damaged:
        log.error("a segment cannot be read, and is set aside", path=f"{path}.damaged")
    journals = {name: Journal(os.path.join(cursors_folder, name), disk) for name in settings.sinks}
    states = {name: _state(name, journal, store, log) for name, journal in journals.items()}
    absent = {name: Journal(os.path.join(cursors_folder, name), disk) for name in _sinks_in(cursors_folder, disk)}
    others = {name: journal.load() for name, journal in absent.items() if name not in states}
    store.begin_at(max((state.end for state in (*states.values(), *others.values()) if state), default=0))
    _tell_absent(others, store, log)
    starts = {"beginning": store.oldest, "end": store.end}
    begun = {
        name: _begun(name, state, store.end, starts[settings.sinks[name].config.start], store.epoch)
        for name, state in states.items()
    }
    cursors = [make_cursor(name, settings, state, journals[name]) for name, state in begun.items()]
    for cursor in cursors:
        cursor.begin()
    numbered = dict(enumerate(cursors))
    spool = settings.spool
    if spool.durability == "sync" and store.needs_sync:
        store.begin_sync()()  # sinks may read all of it at once
    keeper = Keeper(
        store,
        numbered.values(),
        log,
        eager=spool.durability != "memory",
        wait_for_sync=spool.durability == "sync",
        sync_interval_seconds=spool.sync_interval,
        keep_seconds=spool.keep,
    )
    return make_spool(numbered, spool, router, log, store.epoch, keeper)


def cursor_in(path: str, name: str, settings: Settings, store: Store, end: int, log: Log) -> NewCursor:
    """The cursor of a sink that comes while the log is in use, up to `end`, written down in a journal at `path`.

    Raises OSError.
    """
    journal = Journal(path)
    found = _state(name, journal, store, log)
    cursor = make_cursor(name, settings, _begun(name, found, end, end, store.epoch), journal)
    coming = NewCursor(cursor, is_new=found is None)
    try:
        cursor.begin()
    except OSError:
        coming.withdraw()
        raise
    return coming


def _sinks_in(cursors_folder: str, disk: Disk) -> set[str]:
    """The names of all sinks that ever had a cursor here."""
    return {name[:-2] for name in disk.listdir(cursors_folder) if name.endswith((".0", ".1"))}


def _tell_absent(others: dict[str, State | None], store: Store, log: Log) -> None:
    """Say of sinks that are not configured any more that what waits for them is not kept."""
    for name, state in others.items():
        waiting = Cursor(name, "block", state).waiting(store.end) if state is not None else 0
        if waiting and store.segments:
            log.warning(
                "events wait for a sink that is not configured: nothing is kept for it", sink=name, events=waiting
            )


def waiting_for_others(path: str, sinks: Collection[str]) -> dict[str, int]:
    """Sink → how many events wait for it, of sinks that have read here and are not among these: a start with these
    alone deletes them. Takes no lock and changes nothing. Raises OSError, UnknownVersion."""
    directory = SpoolDirectory(path)
    names = _sinks_in(directory.cursors, os) - set(sinks) if os.path.isdir(directory.cursors) else set()
    states = {name: Journal(directory.journal(name)).load() for name in sorted(names)}
    cursors = [Cursor(name, "block", state) for name, state in states.items() if state is not None]
    if not cursors:
        return {}
    reader = LogReader(directory.segments)
    reader.open()
    kept = [(segment.header.first, segment.end) for segment in reader.segments]
    reader.close()
    return {
        cursor.name: cursor.waiting(reader.end) for cursor in cursors if any(cursor.needs(*bounds) for bounds in kept)
    }


def _state(name: str, journal: Journal, store: Store, log: Log) -> State | None:
    """What the sink's journal tells; None where it has none yet."""
    state = journal.load()
    if state is None and journal.exists:
        oldest = store.oldest
        log.error("a cursor cannot be read: the sink begins again with the oldest event that is kept", sink=name)
        return State(name, oldest, oldest, Ledger())
    return state


def _begun(name: str, state: State | None, end: int, start: int, epoch: int) -> State:
    """Where a sink begins, `start` if it is new, and how many events the log has had for it up to its `end`."""
    if state is None:
        state = State(name, start, start, Ledger())
    state.sink = name
    state.ledger.read = end - state.origin
    if state.ends_at is not None and state.ends_at < end:
        state.gaps.append(Gap(epoch, state.ends_at, end, 0, "lost", "removed"))
        state.ledger.unmatched += end - state.ends_at
    state.ends_at = None
    return state
