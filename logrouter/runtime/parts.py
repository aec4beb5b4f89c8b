"""All that runs, built from the settings: what reads, what delivers, and the spool between them.

`topology.py` starts and stops it; a reload puts other parts in the place of some (`succession.py`); figures are read
from here.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
import trio

from logrouter import component
from logrouter.assembly import assemble, make_sink
from logrouter.config.settings import Settings
from logrouter.ingest import Ingest
from logrouter.runtime.concluding import Conclusion
from logrouter.runtime.delivery import Delivery
from logrouter.runtime.log import Log
from logrouter.runtime.reading import RunningSource, attributes_of
from logrouter.runtime.spool import Spool
from logrouter.runtime.spool.opening import open_spool
from logrouter.runtime.transports import Transport
from logrouter.runtime.transports.syncing import GroupSync
from logrouter.sinks import Sink
from logrouter.sources import Source

Connect = Callable[[Sink[Any], GroupSync], Transport]
"""Makes a sink's transport. Its syncs are done together with those of other sinks."""


class Tasks(msgspec.Struct, frozen=True):
    """Where tasks for parts that come later are started, and what they do."""

    delivering: trio.Nursery
    deliver: Callable[[Delivery, Iterable[Delivery]], Awaitable[None]]
    """Delivers to a sink, to its end; begins when the others have ended."""
    reading: trio.Nursery
    read: Callable[[RunningSource], Awaitable[None]]
    """Reads a source, to its end."""


class Parts:
    """Those of one process."""

    def __init__(self, settings: Settings, log: Log, connect: Connect) -> None:
        """Raises StartError."""
        self.log = log
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

    @property
    def settings(self) -> Settings:
        """Those that are in force."""
        return self.assembly.settings

    @property
    def is_closed(self) -> bool:
        """Whether no sink will take anything more."""
        return all(self.spool.is_closed(delivery.number) for delivery in self.deliveries)

    @property
    def is_read(self) -> bool:
        """Whether all sources have come to their end."""
        return all(running.has_ended for running in self.sources)

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
