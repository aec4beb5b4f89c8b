"""From settings to running tasks. Everything is built, started and stopped here, in one place.

    built    router → spool → delivery of each sink → ingest of each source
    started  signals, admin → deliveries → sources
    swapped  what a reload changes, while all this runs: `reloading.py`, `succession.py`
    stopped  sources → spool → deliveries → admin, signals: the reverse

The end comes when all sources have ended, by themselves or by a signal. Then what is left is delivered, until
`shutdown_timeout` after the signal (or after the end of input, where there was none).
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import trio

from logrouter import component
from logrouter.assembly import assemble, make_sink
from logrouter.config.settings import Settings
from logrouter.ingest import Ingest
from logrouter.runtime.concluding import Conclusion
from logrouter.runtime.delivery import Delivery, tick
from logrouter.runtime.log import Log
from logrouter.runtime.notify import Notifier
from logrouter.runtime.reading import RunningSource, attributes_of
from logrouter.runtime.reloading import Load, Reloading
from logrouter.runtime.spool import Spool
from logrouter.runtime.spool.opening import open_spool
from logrouter.runtime.telling import Telling
from logrouter.runtime.transports import Transport, transport_for
from logrouter.runtime.transports.syncing import GroupSync
from logrouter.sinks import Sink
from logrouter.sources import Source


class Topology:
    """All that runs, built from the settings."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        *,
        connect: Callable[[Sink[Any], GroupSync], Transport] = transport_for,
        notifier: Notifier | None = None,
        load: Load | None = None,
        control_path: str | None = None,
    ) -> None:
        """`connect` makes a sink's transport; `notifier` is told how it goes; `load` reads the config anew; commands
        are answered at the socket `control_path`. Raises StartError."""
        self.log = log
        self._control_path = control_path
        self._notifier = notifier or Notifier(log)
        self._connect = connect
        self._syncs = GroupSync()
        self.reading = False
        """Whether the sources are open."""
        self.assembly = assemble(settings, connected_sinks(settings))
        self.opened = open_spool(settings, self.assembly.router, log)
        self.spool: Spool = self.opened.spool
        self.dead_letters = self.opened.dead_letters
        """Where refused events are kept; None: nowhere."""
        self.conclusion = Conclusion(self.opened, log)
        self.deliveries = [self.make_delivery(name, self.connect(sink)) for name, sink in self.assembly.sinks.items()]
        self.leaving: list[Delivery] = []
        """To sinks that were removed, as long as something is left for them."""
        self.sources = [self.make_source(name) for name in settings.sources]
        self._telling = Telling(self.sources)
        self.reloading = Reloading(self, load, connected_sinks)
        self.unread = len(self.sources)
        """How many of them have not come to their end."""
        self._until_read = trio.CancelScope()
        """Until all have."""
        self._asked_to_stop = 0
        self._until = trio.CancelScope()
        """Everything that reads or delivers runs in it; its deadline is set when the end begins."""

    @property
    def settings(self) -> Settings:
        """Those that are in force."""
        return self.assembly.settings

    def connect(self, sink: Sink[Any]) -> Transport:
        """A transport for a sink, not yet connected to anything."""
        return self._connect(sink, self._syncs)

    def make_delivery(self, name: str, transport: Transport) -> Delivery:
        """The delivery to a sink of the settings."""
        number, sink = self.assembly.numbers[name], self.assembly.sinks[name]
        return Delivery(number, name, sink, transport, self.spool, self.log, dead_letters=self.dead_letters)

    def open_source(self, name: str) -> Source[Any]:
        """A source of the settings."""
        settings = self.settings.sources[name]
        source: Source[Any] = component.load("sources", settings.type)(settings.config)
        return source

    def make_source(self, name: str) -> RunningSource:
        """The same, ready to run."""
        source, chain, router = self.open_source(name), self.assembly.chains[name], self.assembly.router
        attributes, config = attributes_of(name, source), source.config
        ingest = Ingest(router, attributes, config.parse, chain, keep_original=config.keep_original)
        return RunningSource(name, source, ingest, chain, self.spool, self.log)

    async def run(self) -> int:
        """Run until the input has ended and everything is delivered, or time is up. Gives the exit code."""
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async with trio.open_nursery() as background:
                background.start_soon(self._obey, signals)
                background.start_soon(self._notifier.run, self)
                try:
                    await self._serve_admin(background)
                    await self._keep_and_flow()
                finally:  # no signal interrupts what is written down now
                    await self.opened.aclose()
                background.cancel_scope.cancel()
        return self.conclusion.exit_code([*self.deliveries, *self.leaving], self.sources)

    async def _serve_admin(self, background: trio.Nursery) -> None:
        if self._control_path is not None:
            from logrouter.runtime.control import Control

            await background.start(Control(self.reloading, self._control_path, self.log).serve)
        if self.settings.admin.listen is not None:
            from logrouter.runtime.admin import Admin

            await background.start(Admin(self, self.settings.admin.listen).serve)

    async def _keep_and_flow(self) -> None:
        async with trio.open_nursery() as keeping:
            keeping.start_soon(tick, self.spool, self.deliveries)
            keeping.start_soon(self.spool.maintain)
            await self._flow()
            keeping.cancel_scope.cancel()

    async def _flow(self) -> None:
        with self._until:
            async with trio.open_nursery() as delivering:
                for delivery in self.deliveries:
                    delivering.start_soon(self.deliver, delivery)
                async with trio.open_nursery() as reading:
                    for source in self.sources:
                        reading.start_soon(self.read, source)
                    self.reading = True
                    self._notifier.ready(self)
                    with self._until_read:
                        async with trio.open_nursery() as meanwhile:
                            meanwhile.start_soon(self._telling.run)
                            await self.reloading.serve(delivering, reading)
                self.reading = False
                self._begin_end()
                self.spool.end()

    async def deliver(self, delivery: Delivery, after: Iterable[Delivery] = ()) -> None:
        """Deliver to a sink, to its end; begin when these others have ended."""
        if self._is_ending:
            delivery.hurry()
        await delivery.run(after)
        if self.is_closed:
            self._stop_sources()

    @property
    def is_closed(self) -> bool:
        """Whether no sink will take anything more."""
        return all(self.spool.is_closed(delivery.number) for delivery in self.deliveries)

    async def read(self, running: RunningSource) -> None:
        """Read a source, to its end."""
        running.source.ending = self._begin_end
        await running.run()
        if running.source.leads:
            self._stop_sources()
        if running.was_removed:
            await self._telling.conclude(running)
            self.sources.remove(running)
        self.unread -= 1
        if not self.unread:
            await self._telling.conclude()
        if not self.unread:  # nor has a reload brought another one meanwhile
            self._until_read.cancel()

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async with trio.open_nursery() as waiting:
            async for number in signals:
                if number == signal.SIGHUP:
                    waiting.start_soon(self._reload)
                    continue
                self._asked_to_stop += 1
                if self._asked_to_stop == 1:
                    self.log.info("stopping", signal=signal.Signals(number).name)
                    self._begin_end()
                    self._stop_sources(endless_only=True)
                    waiting.start_soon(self._stop_sources_after, self.settings.shutdown_timeout / 2)
                elif self.reading and self._asked_to_stop == 2:  # read no more
                    self._stop_sources()
                else:  # and again: deliver no more
                    self._until.cancel()

    async def _reload(self) -> None:
        """What SIGHUP asks for: open anew what may have been moved, and read the config anew."""
        self._notifier.reloading()
        for delivery in self.deliveries:
            delivery.reopen()
        await self.reloading.ask()
        self._notifier.ready(self)

    @property
    def _is_ending(self) -> bool:
        return self._until.deadline < float("inf")

    def _begin_end(self, seconds: float = math.inf) -> None:
        """From now on `shutdown_timeout` is all there is, for everything; or less, where an app's end took some."""
        seconds = min(self.settings.shutdown_timeout, seconds)
        self._notifier.stopping(seconds)
        self._until.deadline = min(self._until.deadline, trio.current_time() + seconds)
        for delivery in (*self.deliveries, *self.leaving):
            delivery.hurry()

    async def _stop_sources_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._stop_sources()

    def _stop_sources(self, *, endless_only: bool = False) -> None:
        for running in self.sources:
            if not (endless_only and running.source.ends):
                running.stop()


def connected_sinks(settings: Settings) -> dict[str, Sink[Any]]:
    """The sinks of the settings: they know whether they write to a terminal."""
    return {name: _connected_sink(name, settings) for name in settings.sinks}


def _connected_sink(name: str, settings: Settings) -> Sink[Any]:
    kind: type[Sink[Any]] = component.load("sinks", settings.sinks[name].type)
    if kind.transport != "stream":
        return make_sink(name, settings)
    from logrouter.runtime.transports.streams import is_terminal, wants_colour

    descriptor = kind.descriptor
    colour = wants_colour(descriptor, os.environ)
    return make_sink(name, settings, terminal=is_terminal(descriptor), colour=colour)
