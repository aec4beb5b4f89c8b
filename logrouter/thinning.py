"""Steps that only leave events out, done on whole chunks by what the rows say: no event is read whole for it.

Those that come first in a chain, as throttle, dedupe and sample, and discard between them. Each is done on all events
of a chunk before the next one is. That is the same as one event after the other, as each step remembers only what it
has seen itself. A row tells the key that a step knows an event by; but where that is an object, that one event is read
whole. So are those into which a step writes something: how many others it has left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress

from logrouter.chain import Chain, NamedStep
from logrouter.compiling import Generator
from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.projection import Events, Projection
from logrouter.steps import Asked
from logrouter.steps._keys import NOT, NeedsDocument


class Thinning:
    """The first steps of a chain, over the rows of one projection."""

    def __init__(self, chain: Chain, projection: Projection, resource: Mapping[str, str]) -> None:
        generator = Generator(projection, resource)
        self._steps = [_Thinner(named, chain, generator, projection) for named in chain.steps[: chain.thinning]]

    def run(self, events: Events, facts: Facts) -> Events:
        """The events after these steps; the very same where no step touches any."""
        for step in self._steps:
            if events.payloads:
                events = step.run(events, facts)
        return events


class _Thinner:
    """One of these steps."""

    def __init__(self, named: NamedStep, chain: Chain, generator: Generator, projection: Projection) -> None:
        self._named = named
        self._tally = chain.tally
        self._projection = projection
        step = named.step
        self._when = None if named.when is None else generator.bits((named.when,), ())
        self._keys = None if step.key is None else generator.keys(step.key)

    def run(self, events: Events, facts: Facts) -> Events:
        meant = b"\1" * len(events.flags)
        if self._when is not None:
            meant = bytes(self._when(events.rows, facts, events.flags))
        if self._named.step.only_discards:
            return self._without(events, meant.translate(NOT))
        if 1 not in meant:
            return events
        asked = self._asked(events if 0 not in meant else _chosen(events, meant), facts)
        if asked.changed or asked.failures:
            events = self._changed(events, asked, list(compress(range(len(meant)), meant)))
        if 0 not in asked.kept:
            return events
        kept = iter(asked.kept)
        return self._without(
            events, asked.kept if 0 not in meant else bytes(next(kept) if is_meant else 1 for is_meant in meant)
        )

    def _asked(self, events: Events, facts: Facts) -> Asked:
        """What has come of these events."""
        asked = Asked(self._keys_of(events, facts), events.payloads, events.flags, facts)
        try:
            self._named.step.thin_out(asked)
        except Exception as error:  # a mistake of a plug-in's
            asked.failures = dict.fromkeys(range(len(asked)), error)
        return asked

    def _keys_of(self, events: Events, facts: Facts) -> list[str | None]:
        if self._keys is None:
            return [None] * len(events.payloads)
        try:
            return self._keys(events.rows, facts, events.flags)
        except NeedsDocument:
            single = (Events([payload], bytes((flag,)), [row]) for payload, flag, row in zip(*events, strict=True))
            return [self._one_key(event, facts) for event in single]

    def _one_key(self, event: Events, facts: Facts) -> str | None:
        assert self._keys is not None
        assert self._named.step.key is not None
        try:
            key: str | None = self._keys(event.rows, facts, event.flags)[0]
        except NeedsDocument:
            asked = Asked([], event.payloads, event.flags, facts)
            key = self._named.step.key.of(asked.document(0), asked.facts_of(0))
        return key

    def _changed(self, events: Events, asked: Asked, places: Sequence[int]) -> Events:
        """All events, with those that have changed as they are now, and those on which the step has failed marked.
        `places`: of those that it was asked about."""
        payloads, flags, rows = events.payloads.copy(), bytearray(events.flags), events.rows.copy()
        for place, error in asked.failures.items():
            flags[places[place]] |= Flag.STEP_FAILED
            self._tally.failed[self._named.name] += 1
            self._tally.tell_why(self._named, error)
        changed = list(asked.changed.values())
        made = self._projection.rows([payload for payload, _ in changed], bytes(flag for _, flag in changed))
        for number, (payload, flag), row in zip(asked.changed, changed, made, strict=True):
            place = places[number]
            payloads[place], flags[place], rows[place] = payload, flag, row
        return Events(payloads, bytes(flags), rows)

    def _without(self, events: Events, kept: bytes | bytearray) -> Events:
        """The events that the step leaves. The others are counted."""
        if taken_out := kept.count(0):
            self._tally.discarded[self._named.name] += taken_out
            return _chosen(events, kept)
        return events


def _chosen(events: Events, chosen: bytes | bytearray) -> Events:
    """Some of the events."""
    payloads, flags, rows = events
    return Events(list(compress(payloads, chosen)), bytes(compress(flags, chosen)), list(compress(rows, chosen)))
