"""From settings to running tasks. Everything is built, started and stopped here, in one place.

    built    router → spool → delivery of each sink → ingest of each source
    started  signals, admin → deliveries → sources
    stopped  sources → spool → deliveries → admin, signals: the reverse

The end comes when all sources have ended, by themselves or by a signal. Then what is left is delivered, until
`shutdown_timeout` after the signal (or after the end of input, where there was none).
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import trio

from logrouter import component
from logrouter.assembly import make_chain, make_router, make_sink
from logrouter.chain import Chain
from logrouter.config.settings import Settings, SourceSettings
from logrouter.ingest import Ingest
from logrouter.runtime.delivery import Delivery, tick
from logrouter.runtime.log import Log
from logrouter.runtime.notify import Notifier
from logrouter.runtime.reading import RunningSource
from logrouter.runtime.spool import Spool
from logrouter.runtime.spool.opening import open_spool
from logrouter.runtime.transports import Transport, transport_for
from logrouter.runtime.transports.syncing import GroupSync
from logrouter.sinks import Sink
from logrouter.sources import Source

EXIT_OK: Final = 0
EXIT_LOST: Final = 74
"""EX_IOERR of sysexits.h: something was discarded because the spool was full, or lost."""
EXIT_UNDELIVERED: Final = 75
"""EX_TEMPFAIL: something could not be delivered in time."""


class Topology:
    """All that runs, built from the settings."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        *,
        connect: Callable[[Sink[Any], GroupSync], Transport] = transport_for,
        notifier: Notifier | None = None,
    ) -> None:
        """`connect` makes a sink's transport; `notifier` is told how it goes. Raises StartError."""
        self.settings = settings
        self.log = log
        self._notifier = notifier or Notifier(log)
        self.reading = False
        """Whether the sources are open."""
        chains = {name: make_chain((*source.steps, *settings.steps)) for name, source in settings.sources.items()}
        sinks = {name: _connected_sink(name, settings) for name in settings.sinks}
        self.router = make_router(sinks, settings, chains.values())
        self._opened = open_spool(settings, self.router, log)
        self.spool: Spool = self._opened.spool
        self.dead_letters = letters = self._opened.dead_letters
        """Where refused events are kept; None: nowhere."""
        syncs = GroupSync()
        self.deliveries = [
            Delivery(number, name, sink, connect(sink, syncs), self.spool, self.router, log, dead_letters=letters)
            for number, (name, sink) in enumerate(sinks.items())
        ]
        self.sources = [self._source(name, source, chains[name]) for name, source in settings.sources.items()]
        self._asked_to_stop = 0
        self._until = trio.CancelScope()
        """Everything that reads or delivers runs in it; its deadline is set when the end begins."""

    def _source(self, name: str, settings: SourceSettings, chain: Chain) -> RunningSource:
        source: Source[Any] = component.load("sources", settings.type)(settings.config)
        attributes = {"source": name, "host": socket.gethostname(), **source.attributes}
        config = settings.config
        ingest = Ingest(self.router, attributes, config.parse, chain, keep_original=config.keep_original)
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
                    await self._opened.aclose()
                background.cancel_scope.cancel()
        return self._conclude()

    async def _serve_admin(self, background: trio.Nursery) -> None:
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
                    delivering.start_soon(self._deliver, delivery)
                async with trio.open_nursery() as reading:
                    for source in self.sources:
                        reading.start_soon(source.run)
                    self.reading = True
                    self._notifier.ready()
                self.reading = False
                self._begin_end()
                self.spool.end()

    async def _deliver(self, delivery: Delivery) -> None:
        await delivery.run()
        if all(self.spool.is_closed(delivery.number) for delivery in self.deliveries):
            self._stop_sources()

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async with trio.open_nursery() as waiting:
            async for number in signals:
                if number == signal.SIGHUP:
                    self._notifier.reloading()
                    for delivery in self.deliveries:
                        delivery.reopen()
                    self._notifier.ready()
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

    def _begin_end(self) -> None:
        """From now on `shutdown_timeout` is all there is, for everything."""
        self._notifier.stopping(self.settings.shutdown_timeout)
        self._until.deadline = min(self._until.deadline, trio.current_time() + self.settings.shutdown_timeout)
        for delivery in self.deliveries:
            delivery.hurry()

    async def _stop_sources_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._stop_sources()

    def _stop_sources(self, *, endless_only: bool = False) -> None:
        for running in self.sources:
            if not (endless_only and running.source.ends):
                running.source.stop()

    def _conclude(self) -> int:
        """Say what was not delivered, and give the exit code."""
        in_hand = sum(running.in_hand for running in self.sources)
        code = EXIT_OK
        for delivery in self.deliveries:
            if undelivered := self.spool.undelivered(delivery.number):
                self._tell(delivery, "not delivered", events=undelivered)
                code = EXIT_UNDELIVERED
            elif self.spool.carried(delivery.number) is not None:
                self._tell(delivery, "left unfinished at the destination")
                code = EXIT_UNDELIVERED
            if lost := self.spool.lost(delivery.number):
                self.log.error("discarded or lost in this run", sink=delivery.name, events=lost)
                code = code or EXIT_LOST
        if in_hand:
            self.log.error("read but not delivered to any sink", events=in_hand)
            code = EXIT_UNDELIVERED
        return code

    def _tell(self, delivery: Delivery, what: str, **figures: Any) -> None:
        reason = delivery.trouble.reason if delivery.trouble else "time was up"
        kept = {"kept": self._opened.directory.path} if self._opened.directory else {}
        self.log.error(what, sink=delivery.name, **figures, reason=reason, **kept)


def _connected_sink(name: str, settings: Settings) -> Sink[Any]:
    """A sink that knows whether it writes to a terminal."""
    kind: type[Sink[Any]] = component.load("sinks", settings.sinks[name].type)
    if kind.transport != "stream":
        return make_sink(name, settings)
    from logrouter.runtime.transports.streams import is_terminal, wants_colour

    descriptor = kind.descriptor
    colour = wants_colour(descriptor, os.environ)
    return make_sink(name, settings, terminal=is_terminal(descriptor), colour=colour)
