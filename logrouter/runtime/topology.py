"""From settings to running tasks. Everything is started and stopped here, in one place.

    built    router → spool → delivery of each sink → ingest of each source: `parts.py`
    started  signals, admin → deliveries → sources
    swapped  what a reload changes, while all this runs: `reloading.py`, `succession.py`
    stopped  sources → spool → deliveries → admin, signals: the reverse

The end comes when all sources have ended, by themselves or by a signal. Then what is left is delivered, until
`shutdown_timeout` after the signal (or after the end of input, where there was none).
"""

from __future__ import annotations

import math
import signal
from collections.abc import AsyncIterator, Iterable

import trio

from logrouter.config.settings import Settings
from logrouter.runtime.delivery import Delivery, tick
from logrouter.runtime.log import Log
from logrouter.runtime.notify import Notifier
from logrouter.runtime.parts import Connect, Parts, Tasks
from logrouter.runtime.reading import RunningSource
from logrouter.runtime.reloading import Load, Reloading
from logrouter.runtime.telling import Telling
from logrouter.runtime.transports import transport_for


class Topology:
    """What all that runs does, from the start to the end."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        *,
        connect: Connect = transport_for,
        notifier: Notifier | None = None,
        load: Load | None = None,
        control_path: str | None = None,
    ) -> None:
        """`connect` makes a sink's transport; `notifier` is told how it goes; `load` reads the config anew; commands
        are answered at the socket `control_path`. Raises StartError."""
        self._control_path = control_path
        self._notifier = notifier or Notifier(log)
        self.parts = Parts(settings, log, connect)
        self._telling = Telling(self.parts.sources)
        self.reloading = Reloading(self.parts, load)
        self._until_read = trio.CancelScope()
        """Until all have."""
        self._asked_to_stop = 0
        self._until = trio.CancelScope()
        """Everything that reads or delivers runs in it; its deadline is set when the end begins."""

    async def run(self) -> int:
        """Run until the input has ended and everything is delivered, or time is up. Gives the exit code."""
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async with trio.open_nursery() as background:
                background.start_soon(self._obey, signals)
                background.start_soon(self._notifier.run, self.parts)
                try:
                    await self._serve_admin(background)
                    await self._keep_and_flow()
                finally:  # no signal interrupts what is written down now
                    await self.parts.opened.aclose()
                background.cancel_scope.cancel()
        parts = self.parts
        return parts.conclusion.exit_code([*parts.deliveries, *parts.leaving], parts.sources)

    async def _serve_admin(self, background: trio.Nursery) -> None:
        if self._control_path is not None:
            from logrouter.runtime.control import Control

            await background.start(Control(self.reloading.ask, self._control_path, self.parts.log).serve)
        if self.parts.settings.admin.listen is not None:
            from logrouter.runtime.admin import Admin

            await background.start(Admin(self.parts, self.parts.settings.admin.listen).serve)

    async def _keep_and_flow(self) -> None:
        async with trio.open_nursery() as keeping:
            keeping.start_soon(tick, self.parts.spool, self.parts.deliveries)
            keeping.start_soon(self.parts.spool.maintain)
            await self._flow()
            keeping.cancel_scope.cancel()

    async def _flow(self) -> None:
        with self._until:
            async with trio.open_nursery() as delivering:
                for delivery in self.parts.deliveries:
                    delivering.start_soon(self._deliver, delivery)
                async with trio.open_nursery() as reading:
                    for source in self.parts.sources:
                        reading.start_soon(self._read, source)
                    self.parts.reading = True
                    self._notifier.ready(self.parts)
                    with self._until_read:
                        async with trio.open_nursery() as meanwhile:
                            meanwhile.start_soon(self._telling.run)
                            await self.reloading.serve(Tasks(delivering, self._deliver, reading, self._read))
                self.parts.reading = False
                self._begin_end()
                self.parts.spool.end()

    async def _deliver(self, delivery: Delivery, after: Iterable[Delivery] = ()) -> None:
        """Deliver to a sink, to its end; begin when these others have ended."""
        if self._is_ending:
            delivery.hurry()
        await delivery.run(after)
        if self.parts.is_closed:
            self._stop_sources()

    async def _read(self, running: RunningSource) -> None:
        """Read a source, to its end."""
        running.source.ending = self._begin_end
        await running.run()
        if running.source.leads:
            self._stop_sources()
        if running.was_removed:
            await self._telling.conclude(running)
            self.parts.sources.remove(running)
        running.has_ended = True
        if self.parts.is_read:
            await self._telling.conclude()
        if self.parts.is_read:  # nor has a reload brought another one meanwhile
            self._until_read.cancel()

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async with trio.open_nursery() as waiting:
            async for number in signals:
                if number == signal.SIGHUP:
                    waiting.start_soon(self._reload)
                    continue
                self._asked_to_stop += 1
                if self._asked_to_stop == 1:
                    self.parts.log.info("stopping", signal=signal.Signals(number).name)
                    self._begin_end()
                    self._stop_sources(endless_only=True)
                    waiting.start_soon(self._stop_sources_after, self.parts.settings.shutdown_timeout / 2)
                elif self.parts.reading and self._asked_to_stop == 2:  # read no more
                    self._stop_sources()
                else:  # and again: deliver no more
                    self._until.cancel()

    async def _reload(self) -> None:
        """What SIGHUP asks for: open anew what may have been moved, and read the config anew."""
        self._notifier.reloading()
        for delivery in self.parts.deliveries:
            delivery.reopen()
        await self.reloading.ask()
        self._notifier.ready(self.parts)

    @property
    def _is_ending(self) -> bool:
        return self._until.deadline < float("inf")

    def _begin_end(self, seconds: float = math.inf) -> None:
        """From now on `shutdown_timeout` is all there is, for everything; or less, where an app's end took some."""
        seconds = min(self.parts.settings.shutdown_timeout, seconds)
        self._notifier.stopping(seconds)
        self._until.deadline = min(self._until.deadline, trio.current_time() + seconds)
        for delivery in (*self.parts.deliveries, *self.parts.leaving):
            delivery.hurry()

    async def _stop_sources_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._stop_sources()

    def _stop_sources(self, *, endless_only: bool = False) -> None:
        for running in self.parts.sources:
            if not (endless_only and running.source.ends):
                running.stop()
