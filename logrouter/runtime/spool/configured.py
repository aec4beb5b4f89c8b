"""What the settings say of a spool and its cursors."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from logrouter.config.settings import Settings, SpoolSettings
from logrouter.cursors import State
from logrouter.routing import Router
from logrouter.runtime.log import Log
from logrouter.runtime.spool.cursor import Cursor, WhenFull
from logrouter.runtime.spool.local import LocalSpool, reserved_bytes

if TYPE_CHECKING:
    from logrouter.runtime.spool.journal import Journal
    from logrouter.runtime.spool.keeper import Keeper


class NewCursor(msgspec.Struct, frozen=True):
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


def make_cursor(name: str, settings: Settings, state: State, journal: Journal | None = None) -> Cursor:
    """The cursor of a sink of the settings."""
    return Cursor(name, when_full(name, settings), state, journal)


def when_full(name: str, settings: Settings) -> WhenFull:
    """What a sink does when the spool is full."""
    policy: WhenFull = settings.sinks[name].config.when_full or settings.spool.when_full
    return policy


def block_timeout_seconds(settings: SpoolSettings) -> float:
    """How long a live source waits for room."""
    return float("inf") if settings.block_timeout == "never" else float(settings.block_timeout)


def budget_bytes(settings: SpoolSettings, sinks: int) -> int:
    """What the events in memory may cost, where there are so many sinks."""
    return settings.memory - reserved_bytes(settings.memory, sinks)


def make_spool(
    cursors: dict[int, Cursor],
    settings: SpoolSettings,
    router: Router,
    log: Log,
    epoch: int,
    keeper: Keeper | None = None,
) -> LocalSpool:
    """The spool of these cursors. `keeper`, of the same: where there is a log."""
    return LocalSpool(
        cursors,
        router,
        log,
        epoch=epoch,
        budget_bytes=budget_bytes(settings, len(cursors)),
        block_timeout_seconds=block_timeout_seconds(settings),
        keeper=keeper,
    )
