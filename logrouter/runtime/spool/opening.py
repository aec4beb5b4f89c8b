"""Opens the spool that the settings ask for: in memory alone, or with a folder (`resuming.py`).

- A sink that is new begins with the events to come, or as its `start` says.
- A sink that was removed while the process ran, and is configured again, has nothing of what came between.

What has to do with files is loaded where there is a folder: without one a start need not wait for it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from logrouter.config.settings import Settings, SpoolSettings
from logrouter.cursors import Ledger, State
from logrouter.routing import Router
from logrouter.runtime.log import Log
from logrouter.runtime.spool.configured import (
    NewCursor,
    block_timeout_seconds,
    budget_bytes,
    make_cursor,
    make_spool,
    when_full,
)
from logrouter.runtime.spool.local import LocalSpool

if TYPE_CHECKING:
    from logrouter.runtime.dead_letters import DeadLetters
    from logrouter.runtime.spool.directory import SpoolDirectory


class OpenSpool(msgspec.Struct):
    """A spool, and the folder that it is in, if any, with what destinations have refused."""

    spool: LocalSpool
    directory: SpoolDirectory | None = None
    dead_letters: DeadLetters | None = None

    def cursor_for(self, name: str, settings: Settings, log: Log) -> NewCursor:
        """The cursor of a sink that comes while the spool is in use, written down. Raises OSError."""
        end, keeper = self.spool.appended, self.spool.keeper
        if self.directory is None or keeper is None:
            return NewCursor(make_cursor(name, settings, State(name, end, end, Ledger())), True)
        from logrouter.runtime.spool import resuming

        found = resuming.cursor_in(self.directory.journal(name), name, settings, keeper.store, end, log)
        if self.dead_letters is not None:
            self.dead_letters.expect(name, found.cursor.state.committed)
        return found

    def adjust(self, settings: Settings) -> None:
        """Go on with what of these settings can change meanwhile."""
        spool = settings.spool
        self.spool.adjust(block_timeout_seconds(spool))
        if self.spool.keeper is not None:
            self.spool.keeper.adjust(
                max_bytes=spool.max_size, sync_interval_seconds=spool.sync_interval, keep_seconds=spool.keep
            )
        if self.dead_letters is not None:
            self.dead_letters.max_bytes = settings.dead_letters.max_size
        for cursor in self.spool.cursors.values():
            if cursor.reads_on:
                cursor.when_full = when_full(cursor.name, settings)
        self.share(spool)

    def share(self, settings: SpoolSettings) -> None:
        """Share the memory among the sinks there are."""
        self.spool.share(budget_bytes(settings, len(self.spool.cursors)))

    async def aclose(self) -> None:
        """Keep what is left, and let somebody else use the folder."""
        try:
            await self.spool.aclose()
        finally:
            if self.directory is not None:
                self.directory.close()


def open_spool(settings: Settings, router: Router, log: Log) -> OpenSpool:
    """The spool with a cursor for each sink. Raises StartError where its folder cannot be used."""
    if settings.spool.directory is not None:
        from logrouter.runtime.spool import resuming

        return OpenSpool(*resuming.open_folder(settings.spool.directory, settings, router, log))
    cursors = [make_cursor(name, settings, State(name, 0, 0, Ledger())) for name in settings.sinks]
    return OpenSpool(make_spool(dict(enumerate(cursors)), settings.spool, router, log, secrets.randbits(64)))
