"""Reloads: from new settings to what runs, beside what runs already.

    prepare   the settings are read, checked and made into sinks, steps and a router; cursors of new sinks are written
              down. Whatever is wrong: it is said, and all goes on as before
    swap      all at once, between two chunks: `succession.py`

One reload is done after the other; and another one that is asked for before the next has begun is that one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from logrouter.assembly import Assembly, assemble
from logrouter.config.settings import Settings
from logrouter.errors import ConfigError, LogrouterError
from logrouter.figures import counted
from logrouter.runtime.parts import Parts, Tasks, connected_sinks
from logrouter.runtime.spool.configured import NewCursor

if TYPE_CHECKING:
    from logrouter.runtime.succession import Prepared

Load = Callable[[], Settings]
"""Reads the config anew, and checks it as the start does. Called in a thread. Raises LogrouterError, OSError."""

_TOLD_APART: Final = 64
"""The log tells of the same once a minute: so many reloads in a minute are not the same."""


class Outcome(msgspec.Struct):
    """What became of a reload."""

    changes: list[str] = []
    """What is different now. Nothing: the config is as it was."""
    mistakes: list[str] = []
    """What is wrong with the new config. Where there are any, all goes on as before."""
    reason: str | None = None
    """Why all goes on as before, where that is not the fault of the config."""


class _Request:
    """Somebody asks for a reload."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.outcome = Outcome(reason="logrouter is about to end: it reads no config any more")


class Reloading:
    """The reloads of one process."""

    def __init__(self, parts: Parts, load: Load | None) -> None:
        """`load`: None where there is no config to be read again."""
        self._parts = parts
        self._load = load
        self._ask, self._asked = trio.open_memory_channel[_Request](1)
        self._coming: _Request | None = None
        """One that has not begun: whoever asks now means the same."""
        self._reloads = 0

    async def ask(self) -> Outcome:
        """Reload, and tell what became of it."""
        if self._load is None:
            return Outcome(reason="there is no config to be read again")
        request = self._coming
        if request is None:
            request = _Request()
            try:
                self._ask.send_nowait(request)
            except trio.BrokenResourceError:
                return request.outcome
            self._coming = request
        await request.done.wait()
        return request.outcome

    async def serve(self, tasks: Tasks) -> None:
        """Do what is asked for, until cancelled. `tasks`: those that are new."""
        try:
            with self._asked:
                async for request in self._asked:
                    self._coming = None
                    await self._serve(request, tasks)
        finally:
            if self._coming is not None:
                self._coming.done.set()

    async def _serve(self, request: _Request, tasks: Tasks) -> None:
        try:
            request.outcome, taken_over = await self._reload(tasks)
            for event in taken_over:
                await event.wait()
        finally:
            request.done.set()

    async def _reload(self, tasks: Tasks) -> tuple[Outcome, list[trio.Event]]:
        """What became of it, and what tells that all is done."""
        self._reloads += 1
        log, about = self._parts.log, str(self._reloads % _TOLD_APART)
        try:
            prepared = await self._prepare()
        except ConfigError as error:
            outcome = Outcome(mistakes=[str(mistake) for mistake in error.mistakes])
        except (LogrouterError, OSError) as error:
            outcome = Outcome(reason=str(error))
        except Exception as error:  # a mistake of ours, or of a plug-in: no reason to stop what runs
            outcome = Outcome(reason=f"{type(error).__name__}: {error}")
        else:
            outcome, taken_over = self._take_over(prepared, tasks)
            log.info("reloaded", about=about, changes=outcome.changes or "none")
            return outcome, taken_over
        wrong = {"mistakes": outcome.mistakes} if outcome.mistakes else {"reason": outcome.reason}
        log.error("the config is not reloaded: the one before stays in force", about=about, **wrong)
        return outcome, []

    def _take_over(self, prepared: Prepared, tasks: Tasks) -> tuple[Outcome, list[trio.Event]]:
        from logrouter.config.changes import describe_changes
        from logrouter.runtime.succession import Succession

        parts = self._parts
        changes = describe_changes(parts.settings, prepared.assembly.settings)
        if not changes:
            return Outcome(), []
        taken_over = Succession(parts, tasks).swap(prepared)
        waiting = {f"sinks.{each.name}: removed": parts.spool.undelivered(each.number) for each in parts.leaving}
        return Outcome([_with_rest(line, waiting.get(line, 0)) for line in changes]), taken_over

    # ── prepare ──

    async def _prepare(self) -> Prepared:
        """Everything that can fail. Raises ConfigError, LogrouterError, OSError."""
        from logrouter.runtime.succession import Prepared

        assembly = await trio.to_thread.run_sync(self._assemble)
        before, leaving = self._parts.assembly, {delivery.name for delivery in self._parts.leaving}
        new = [name for name in assembly.sinks if name not in before.sinks and name not in leaving]
        others = [name for name, number in assembly.numbers.items() if before.numbers.get(name) != number]
        transports = {name: self._parts.connect(assembly.sinks[name]) for name in others}
        cursors = await trio.to_thread.run_sync(self._open_cursors, new, assembly.settings)
        return Prepared(assembly, cursors, transports)

    def _assemble(self) -> Assembly:
        if self._load is None:
            raise LogrouterError("there is no config to be read again")
        from logrouter.config.changes import check_change

        parts = self._parts
        settings = self._load()
        if mistakes := check_change(parts.settings, settings):
            raise ConfigError(mistakes)
        return assemble(settings, connected_sinks(settings), parts.assembly)

    def _open_cursors(self, names: list[str], settings: Settings) -> dict[str, NewCursor]:
        """All of them, or none. Raises OSError."""
        opened: dict[str, NewCursor] = {}
        try:
            for name in names:
                opened[name] = self._parts.opened.cursor_for(name, settings, self._parts.log)
        except BaseException:
            for found in opened.values():
                found.withdraw()
            raise
        return opened


def _with_rest(change: str, events: int) -> str:
    """What is told of a sink that was removed while events wait for it."""
    return f"{change}; still to be delivered to it: {counted(events, 'event')}" if events else change
