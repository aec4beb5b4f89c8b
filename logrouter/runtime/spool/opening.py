"""Opens the spool that the settings ask for, and goes on where the last process stopped.

- A sink whose cursor is found goes on there. One that is new begins with the events to come, or as its `start` says.
- A sink whose cursor is damaged begins with the oldest event that is kept: it may get some twice, and misses none.
- Sequences go on after the last that the log or any cursor knows of, in a new epoch: an id is never used twice, and
  what a power cut has taken from the log is counted as lost by the sinks that had not got it.
- The cursor of a sink that is configured no more stays where it is, and keeps nothing from being deleted.
- A sink that was removed while the process ran, and is configured again, has nothing of what came between.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from logrouter.config.settings import Settings, SpoolSettings
from logrouter.cursors import Gap, Ledger, State
from logrouter.errors import StartError
from logrouter.routing import Router
from logrouter.runtime.disk import Disk
from logrouter.runtime.log import Log
from logrouter.runtime.spool.cursor import Cursor, WhenFull
from logrouter.runtime.spool.directory import SpoolDirectory
from logrouter.runtime.spool.journal import Journal
from logrouter.runtime.spool.keeper import Keeper
from logrouter.runtime.spool.local import LocalSpool, reserved_bytes
from logrouter.runtime.spool.store import Store
from logrouter.segments import UnknownVersion

if TYPE_CHECKING:
    from logrouter.runtime.dead_letters import DeadLetters


class NewCursor(NamedTuple):
    """The cursor of a sink that comes."""

    cursor: Cursor
    is_new: bool
    """Whether the sink has never had one."""

    def withdraw(self) -> None:
        """The sink does not come after all."""
        self.cursor.let_go()
        if self.is_new:
            with suppress(OSError):  # an empty cursor does no harm
                self.cursor.remove()


class OpenSpool(msgspec.Struct):
    """A spool, and the folder that it is in, if any, with what destinations have refused."""

    spool: LocalSpool
    directory: SpoolDirectory | None = None
    dead_letters: DeadLetters | None = None

    def cursor_for(self, name: str, settings: Settings, log: Log) -> NewCursor:
        """The cursor of a sink that comes while the spool is in use, written down. Raises OSError."""
        end, keeper = self.spool.appended, self.spool.keeper
        if self.directory is None or keeper is None:
            return NewCursor(_cursor(name, settings, State(name, end, end, Ledger())), True)
        journal = Journal(self.directory.journal(name))
        found = _state(name, journal, keeper.store, log)
        state = _begun(name, found, end, end, self.spool.epoch)
        cursor = _cursor(name, settings, state, journal)
        cursor.begin()
        if self.dead_letters is not None:
            self.dead_letters.expect(name, state.committed)
        return NewCursor(cursor, found is None)

    def adjust(self, settings: Settings) -> None:
        """Go on with what of these settings can change meanwhile."""
        spool = settings.spool
        self.spool.adjust(_block_timeout_seconds(spool))
        if self.spool.keeper is not None:
            self.spool.keeper.adjust(
                max_bytes=spool.max_size, sync_interval_seconds=spool.sync_interval, keep_seconds=spool.keep
            )
        if self.dead_letters is not None:
            self.dead_letters.max_bytes = settings.dead_letters.max_size
        for cursor in self.spool.cursors.values():
            if cursor.reads_on:
                cursor.when_full = _when_full(cursor.name, settings)
        self.share(spool)

    def share(self, settings: SpoolSettings) -> None:
        """Share the memory among the sinks there are."""
        self.spool.share(_budget_bytes(settings, len(self.spool.cursors)))

    async def aclose(self) -> None:
        """Keep what is left, and let somebody else use the folder."""
        try:
            await self.spool.aclose()
        finally:
            if self.directory is not None:
                self.directory.close()


def open_spool(settings: Settings, router: Router, log: Log) -> OpenSpool:
    """The spool with a cursor for each sink. Raises StartError where its folder cannot be used."""
    if settings.spool.directory is None:
        cursors = [_cursor(name, settings, State(name, 0, 0, Ledger())) for name in settings.sinks]
        return OpenSpool(_spool(dict(enumerate(cursors)), settings.spool, router, log, secrets.randbits(64), None))
    from logrouter.runtime.dead_letters import DeadLetters

    directory = SpoolDirectory(settings.spool.directory)
    directory.open()
    store = Store(directory.segments, max_bytes=settings.spool.max_size, epoch=secrets.randbits(64))
    try:
        spool = spool_over(store, directory.cursors, settings, router, log)
        if directory.copied:
            log.warning("the spool was written on another machine: if it still runs there, events arrive twice")
        committed = {cursor.name: cursor.state.committed for cursor in spool.cursors.values()}
        letters = DeadLetters(directory.dead_letters, max_bytes=settings.dead_letters.max_size, committed=committed)
        return OpenSpool(spool, directory, letters)
    except (OSError, UnknownVersion) as error:
        directory.close()
        raise StartError(f"spool.directory: cannot use {directory.path}: {error}") from error


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
    oldest = store.oldest
    begun = {
        name: _begun(
            name, state, store.end, oldest if settings.sinks[name].config.start == "oldest" else store.end, store.epoch
        )
        for name, state in states.items()
    }
    cursors = [_cursor(name, settings, state, journals[name]) for name, state in begun.items()]
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
    return _spool(numbered, spool, router, log, store.epoch, keeper)


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


def _cursor(name: str, settings: Settings, state: State, journal: Journal | None = None) -> Cursor:
    return Cursor(name, _when_full(name, settings), state, journal)


def _when_full(name: str, settings: Settings) -> WhenFull:
    when_full: WhenFull = settings.sinks[name].config.when_full or settings.spool.when_full
    return when_full


def _block_timeout_seconds(settings: SpoolSettings) -> float:
    return float("inf") if settings.block_timeout == "never" else float(settings.block_timeout)


def _budget_bytes(settings: SpoolSettings, sinks: int) -> int:
    return settings.memory - reserved_bytes(settings.memory, sinks)


def _spool(
    cursors: dict[int, Cursor], settings: SpoolSettings, router: Router, log: Log, epoch: int, keeper: Keeper | None
) -> LocalSpool:
    return LocalSpool(
        cursors,
        router,
        log,
        epoch=epoch,
        budget_bytes=_budget_bytes(settings, len(cursors)),
        block_timeout_seconds=_block_timeout_seconds(settings),
        keeper=keeper,
    )
