"""Who gets what: the rules of sinks and routes, decided once for every combination of their results.

- A sink has a `match`; without one it takes all.
- A sink that some route names gets what such a route lets through, if its own `match` holds too. Any other sink
  takes everything that its `match` accepts.
- It gets an event once, in the shape that the first route gives it which holds and names the sink; a route's steps
  change a copy, and touch no other route. A route with `stop` that holds is the last one to be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from logrouter.chain import Chain
from logrouter.chain.named import Tally
from logrouter.references import Field, Reference, Time
from logrouter.rules import Rule
from logrouter.templates import Template

UNCHANGED: Final = 0
"""The shape of an event that no route changes. Others are 1 + the number of the route."""

Shapes = tuple[int | None, ...]
"""For each sink the shape in which it gets an event; None where it does not."""


class SinkRouting(msgspec.Struct, frozen=True):
    """What routing must know of a sink."""

    name: str
    match: Rule | None = None
    templates: tuple[Template, ...] = ()
    included_keys: tuple[str, ...] = ()
    """Keys that the sink adds to events: those that have one already are marked."""
    wants_times: bool = False
    """It needs to know when each event happened."""
    segments: bool = False
    """Its templates make paths: values from events are kept from leaving their segment."""


class Route(msgspec.Struct, frozen=True):
    """A rule and the sinks it feeds."""

    name: str
    match: Rule | None
    to: tuple[str, ...]
    chain: Chain | None = None
    """Steps that change what these sinks get."""
    stop: bool = False


class Policy:
    """What all the rules together mean. Their results for one event are the bits of an int."""

    def __init__(self, sinks: Sequence[SinkRouting], routes: Sequence[Route]) -> None:
        self.sinks = sinks
        self.routes = routes
        matches = [*(sink.match for sink in sinks), *(route.match for route in routes)]
        self.rules: list[Rule] = list(dict.fromkeys(match for match in matches if match is not None))
        """Rule n decides bit n."""
        self.keys: list[str] = list(dict.fromkeys(key for sink in sinks for key in sink.included_keys))
        """After the rules come bits for keys that some sink would add: does the event have it?"""
        self.routed = [any(sink.name in route.to for route in routes) for sink in sinks]
        """For each sink, whether any route names it."""
        self.collisions = [sum(self._key_bit(key) for key in sink.included_keys) for sink in sinks]
        """For each sink, the bits of keys that it would add."""

    @property
    def references(self) -> list[Reference]:
        """All that rules and templates read, and the keys that are looked for."""
        found: dict[Reference, None] = {}
        for rule in self.rules:
            found |= dict.fromkeys(rule.references)
        for sink in self.sinks:
            for template in sink.templates:
                found |= dict.fromkeys(template.references)
            if sink.wants_times:
                found[Time()] = None
        return list(found | dict.fromkeys(Field((key,)) for key in self.keys))

    def decide(self, bits: int) -> Shapes:
        """Who gets an event with these results."""
        return tuple(self._shape(bits, number, sink) for number, sink in enumerate(self.sinks))

    @property
    def tallies(self) -> dict[str, Tally]:
        """By route: what is counted of its steps."""
        return {route.name: route.chain.tally for route in self.routes if route.chain is not None}

    def chain(self, shape: int | None) -> Chain | None:
        """The steps that make a shape; None where there are none."""
        return self.routes[shape - 1].chain if shape else None

    def _shape(self, bits: int, number: int, sink: SinkRouting) -> int | None:
        if not self._holds(bits, sink.match):
            return None
        if not self.routed[number]:
            return UNCHANGED
        for place, route in enumerate(self.routes):
            if self._holds(bits, route.match):
                if sink.name in route.to:
                    return place + 1 if route.chain else UNCHANGED
                if route.stop:
                    return None
        return None

    def _holds(self, bits: int, rule: Rule | None) -> bool:
        return rule is None or bool(bits >> self.rules.index(rule) & 1)

    def _key_bit(self, key: str) -> int:
        return 1 << (len(self.rules) + self.keys.index(key))
