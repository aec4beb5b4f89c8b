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
from collections.abc import AsyncIterator
from typing import Any, Final

import trio

from logrouter import component
from logrouter.assembly import make_chain, make_router, make_sink
from logrouter.chain import Chain
from logrouter.config.settings import Settings, SourceSettings
from logrouter.event import Chunk
from logrouter.framing import Frame
from logrouter.ingest import Ingest
from logrouter.runtime.delivery import Delivery, tick
from logrouter.runtime.log import Log
from logrouter.runtime.opening import open_spool
from logrouter.runtime.spool import Spool
from logrouter.runtime.transports import transport_for
from logrouter.sinks import Sink
from logrouter.sources import Source

EXIT_OK: Final = 0
EXIT_LOST: Final = 74
"""EX_IOERR of sysexits.h: something was given up because the spool was full."""
EXIT_UNDELIVERED: Final = 75
"""EX_TEMPFAIL: something could not be delivered in time."""


class RunningSource:
    """A source, its ingest, and what it has in hand."""

    def __init__(self, name: str, source: Source[Any], ingest: Ingest, chain: Chain, spool: Spool, log: Log) -> None:
        self.name = name
        self.source = source
        self.ingest = ingest
        self.chain = chain
        self.in_hand = 0
        """Events that have been read and wait for room in the spool."""
        self._spool = spool
        self._log = log
        self._last: Chunk | None = None
        """What was appended last: no more than this is ever on its way to be safe."""
        self._told_unmatched = False
        self._told_failed = 0

    async def emit(self, frame: Frame, received_ns: int) -> None:
        """Make events of a frame and append them, once there is room."""
        for part in frame.cut(self._spool.chunk_bytes):
            chunks = self.ingest.chunks(part, received_ns)
            self.in_hand = sum(map(len, chunks))
            if self._last is not None:  # while that became safe, this one was read and taken apart
                await self._spool.safe(self._last.end, live=self.source.live)
            for chunk in chunks:
                await self._spool.append(chunk, live=self.source.live)
                self.in_hand -= len(chunk)
                self._look_for_unmatched(chunk)
                self._last = chunk
        if (failed := self.chain.failed.total()) != self._told_failed:
            self._told_failed = failed
            self._log.warning("steps fail on some events", source=self.name, failed=dict(self.chain.failed))

    def _look_for_unmatched(self, chunk: Chunk) -> None:
        if not self._told_unmatched and chunk.routed is not None and chunk.routed.unmatched():
            self._told_unmatched = True
            self._log.warning("no sink wants some events: they are left out, and counted", source=self.name)

    async def run(self) -> None:
        """Read until it ends."""
        await self.source.run(self.emit)


class Topology:
    """All that runs, built from the settings."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self.settings = settings
        self.log = log
        self.reading = False
        """Whether the sources are open."""
        chains = {name: make_chain((*source.steps, *settings.steps)) for name, source in settings.sources.items()}
        sinks = {name: _connected_sink(name, settings) for name in settings.sinks}
        self.router = make_router(sinks, settings, chains.values())
        self._opened = open_spool(settings, self.router, log)
        self.spool: Spool = self._opened.spool
        self.deliveries = [
            Delivery(number, name, sink, transport_for(sink), self.spool, self.router, log)
            for number, (name, sink) in enumerate(sinks.items())
        ]
        self.sources = [self._source(name, source, chains[name]) for name, source in settings.sources.items()]
        """By earlier processes: the spool remembers."""
        self._asked_to_stop = 0
        self._until = trio.CancelScope()
        """Everything that reads or delivers runs in it; its deadline is set when the end begins."""

    def _source(self, name: str, settings: SourceSettings, chain: Chain) -> RunningSource:
        source: Source[Any] = component.load("sources", settings.type)(settings.config)
        attributes = {"source": name, "host": socket.gethostname(), **source.attributes}
        ingest = Ingest(self.router, attributes, settings.config.parse, chain)
        return RunningSource(name, source, ingest, chain, self.spool, self.log)

    async def run(self) -> int:
        """Run until the input has ended and everything is delivered, or time is up. Gives the exit code."""
        try:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
                async with trio.open_nursery() as background:
                    background.start_soon(self._obey, signals)
                    background.start_soon(tick, self.spool)
                    background.start_soon(self.spool.maintain)
                    if self.settings.admin.listen is not None:
                        from logrouter.runtime.admin import Admin

                        await background.start(Admin(self, self.settings.admin.listen).serve)
                    await self._flow()
                    background.cancel_scope.cancel()
            return self._conclude()
        finally:
            await self._opened.aclose()

    async def _flow(self) -> None:
        with self._until:
            async with trio.open_nursery() as delivering:
                for delivery in self.deliveries:
                    delivering.start_soon(self._deliver, delivery)
                async with trio.open_nursery() as reading:
                    for source in self.sources:
                        reading.start_soon(source.run)
                    self.reading = True
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
                    for delivery in self.deliveries:
                        delivery.reopen()
                    continue
                self._asked_to_stop += 1
                if self._asked_to_stop == 1:
                    self.log.info("stopping", signal=signal.Signals(number).name)
                    self._begin_end()
                    waiting.start_soon(self._stop_sources_after, self.settings.shutdown_timeout / 2)
                elif self.reading:  # asked twice: read no more
                    self._stop_sources()
                else:  # and again: deliver no more
                    self._until.cancel()

    def _begin_end(self) -> None:
        """From now on `shutdown_timeout` is all there is, for everything."""
        self._until.deadline = min(self._until.deadline, trio.current_time() + self.settings.shutdown_timeout)

    async def _stop_sources_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._stop_sources()

    def _stop_sources(self) -> None:
        for running in self.sources:
            running.source.stop()

    def _conclude(self) -> int:
        """Say what was not delivered, and give the exit code."""
        in_hand = sum(running.in_hand for running in self.sources)
        code = EXIT_OK
        for delivery in self.deliveries:
            if undelivered := self.spool.undelivered(delivery.number):
                self._tell_undelivered(delivery, undelivered)
                code = EXIT_UNDELIVERED
            elif self.spool.lost(delivery.number) and code == EXIT_OK:
                code = EXIT_LOST
        if in_hand:
            self.log.error("read but not delivered to any sink", events=in_hand)
            code = EXIT_UNDELIVERED
        return code

    def _tell_undelivered(self, delivery: Delivery, events: int) -> None:
        reason = delivery.trouble.reason if delivery.trouble else "time was up"
        kept = {"kept": self._opened.directory.path} if self._opened.directory else {}
        self.log.error("not delivered", sink=delivery.name, events=events, reason=reason, **kept)


def _connected_sink(name: str, settings: Settings) -> Sink[Any]:
    """A sink that knows whether it writes to a terminal."""
    kind: type[Sink[Any]] = component.load("sinks", settings.sinks[name].type)
    if kind.transport != "stream":
        return make_sink(name, settings)
    from logrouter.runtime.streams import is_terminal, wants_colour

    descriptor = kind.descriptor
    colour = wants_colour(descriptor, os.environ)
    return make_sink(name, settings, terminal=is_terminal(descriptor), colour=colour)
