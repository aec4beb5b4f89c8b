"""New parts take over from old ones, while the process runs.

    swapped        all at once, between two chunks. What was appended before stays routed as it was (`routers.py`);
                   sources, steps and sinks that are the same go on
    a new sink     begins with what comes now (`start`)
    a changed one  ends with what it has in hand; its successor goes on with its cursor, and with what was noted. Where
                   its destination is in trouble, or does not answer for too long, its successor need not wait
    a removed one  gets what was appended before, for as long as the end of the process might take. What is left then is
                   counted, said, and held until there is no room for it; it goes on if the sink comes back

Who writes to the same file or stream as somebody who is not done yet waits for that one to end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import trio

from logrouter.assembly import Assembly
from logrouter.config.changes import reads_the_same
from logrouter.config.settings import Settings
from logrouter.runtime.delivery import Delivery
from logrouter.runtime.parts import Parts, Tasks
from logrouter.runtime.preflight import whole_file
from logrouter.runtime.spool.configured import NewCursor
from logrouter.runtime.transports import Transport
from logrouter.sinks import Sink

_LOOK_SECONDS: Final = 0.5
"""How often is looked whether the destination of a sink that is to end works still."""


class Prepared(NamedTuple):
    """What is ready to run."""

    assembly: Assembly
    cursors: dict[str, NewCursor]
    """Of sinks that come."""
    transports: dict[str, Transport]
    """Of sinks that come, and of those that have changed."""


class Succession:
    """One swap of some parts."""

    def __init__(self, parts: Parts, tasks: Tasks) -> None:
        """`tasks`: those that are new."""
        self._parts = parts
        self._members = parts.opened.spool.members
        self._tasks = tasks

    def swap(self, prepared: Prepared) -> list[trio.Event]:
        """Let the new parts take over, without waiting for anything. Each event tells that a sink that has changed has
        got its successor."""
        parts, assembly = self._parts, prepared.assembly
        before, parts.assembly = parts.assembly, assembly
        self._members.reroute(assembly.router)
        self._restore(assembly)
        former = {delivery.name: delivery for delivery in parts.deliveries}
        changed = [each for each in former.values() if assembly.numbers.get(each.name) != each.number]
        ending = [*parts.leaving, *changed]
        for name in former.keys() - assembly.sinks.keys():
            self._remove(former[name])
        taken_over = []
        for name, transport in prepared.transports.items():
            delivery = parts.make_delivery(name, transport)
            in_the_way = [each for each in ending if _have_one_place(each.sink, delivery.sink)]
            if name in former:
                taken_over.append(trio.Event())
                self._tasks.delivering.start_soon(self._hand_over, former[name], delivery, in_the_way, taken_over[-1])
                self._members.stop(former[name].number)
            else:
                self._add(delivery, prepared.cursors[name])
                self._tasks.delivering.start_soon(self._tasks.deliver, delivery, in_the_way)
        self._change_sources(before.settings)
        parts.opened.adjust(assembly.settings)
        parts.log.set_level(assembly.settings.log_level)
        return taken_over

    # ── sinks ──

    def _restore(self, assembly: Assembly) -> None:
        """Sinks that were removed by a reload before, and are there again, are as if they had changed."""
        for delivery in list(self._parts.leaving):
            if delivery.name in assembly.sinks:
                self._parts.leaving.remove(delivery)
                self._parts.deliveries.append(delivery)
                self._members.restore(delivery.number)

    def _add(self, delivery: Delivery, found: NewCursor) -> None:
        self._members.come(delivery.number, found.cursor, is_new=found.is_new, start=delivery.sink.config.start)
        self._parts.deliveries.append(delivery)

    async def _hand_over(
        self, former: Delivery, delivery: Delivery, in_the_way: Iterable[Delivery], taken_over: trio.Event
    ) -> None:
        """Let a sink's delivery come to its end, and another go on."""
        try:
            await self._end(former, only_if_it_works=True)
        finally:  # also where time is up: what is left is counted
            self._members.take_over(former.number, delivery.number)
            deliveries = self._parts.deliveries
            deliveries[deliveries.index(former)] = delivery
            taken_over.set()
        await self._tasks.deliver(delivery, in_the_way)

    async def _end(self, delivery: Delivery, *, only_if_it_works: bool = False) -> None:
        """Wait until it has ended, or for so long that it must."""
        try:
            with trio.move_on_after(self._parts.settings.shutdown_timeout):
                while not (delivery.ended.is_set() or (only_if_it_works and delivery.destination.trouble)):
                    with trio.move_on_after(_LOOK_SECONDS):
                        await delivery.ended.wait()
        finally:
            delivery.cancel()
            with trio.CancelScope(shield=True):  # it commits what a thread is making durable
                await delivery.ended.wait()

    def _remove(self, delivery: Delivery) -> None:
        self._parts.deliveries.remove(delivery)
        self._parts.leaving.append(delivery)
        self._members.remove(delivery.number)
        delivery.hurry()
        self._tasks.delivering.start_soon(self._see_off, delivery)

    async def _see_off(self, delivery: Delivery) -> None:
        """Let a removed sink have what is left for it; say what could not be delivered in time."""
        await self._end(delivery)
        if delivery not in self._parts.leaving:
            return  # it is there again
        conclusion = self._parts.conclusion
        conclusion.tell_undelivered(delivery)
        if conclusion.has_everything(delivery):
            conclusion.leave_out(delivery)
            self._parts.leaving.remove(delivery)
            self._members.forget(delivery.number)
        else:
            self._members.abandon(delivery.number)
        self._parts.opened.share(self._parts.settings.spool)

    # ── sources ──

    def _change_sources(self, before: Settings) -> None:
        """Let sources make of their lines what is asked for now; let them come, go, and read on for one another."""
        parts, assembly = self._parts, self._parts.assembly
        settings = assembly.settings
        running = {source.name: source for source in parts.sources}
        for name, wanted in settings.sources.items():
            if name not in running:
                parts.sources.append(parts.make_source(name))
                self._tasks.reading.start_soon(self._tasks.read, parts.sources[-1])
                continue
            running[name].go_on(assembly.router, wanted.config, assembly.chains[name])
            if reads_the_same(before.sources[name], wanted):
                running[name].source.adjust(wanted.config)
            else:
                running[name].read_on_with(parts.open_source(name))
        for name in running.keys() - settings.sources.keys():
            running[name].was_removed = True
            running[name].stop()


def _have_one_place(sink: Sink[Any], other: Sink[Any]) -> bool:
    """Whether both write to one file, or to one stream."""
    if sink.transport == other.transport == "stream":
        return sink.descriptor == other.descriptor
    file = whole_file(sink)
    return file is not None and file == whole_file(other)
