"""From settings to the pure parts of a pipeline: chains of steps, sinks, the router.

`runtime/topology.py` makes tasks of them; `explain` asks them about single lines. Here values of `resource` that came
out of `${file:…}` stop being secrets: from here on they are for events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from logrouter import component
from logrouter.chain import Chain
from logrouter.config.settings import RouteSettings, Settings, StepSettings
from logrouter.policy import Route, SinkRouting
from logrouter.routing import Router
from logrouter.sinks import Sink, SinkContext
from logrouter.values import all_revealed


def make_chain(steps: Sequence[StepSettings]) -> Chain:
    """The steps of a source or a route."""
    return Chain([(step.name, component.load("steps", step.name)(step.config)) for step in steps])


def make_sink(name: str, settings: Settings, *, terminal: bool = False, colour: bool = False) -> Sink[Any]:
    """One sink, not yet connected to anything. `terminal`: it writes to one."""
    sink = settings.sinks[name]
    made: Sink[Any] = component.load("sinks", sink.type)(
        sink.config,
        SinkContext(
            name, all_revealed(settings.resource), terminal, colour, all_revealed(settings.provenance.conventions)
        ),
    )
    return made


def make_router(sinks: dict[str, Sink[Any]], settings: Settings, chains: Iterable[Chain] = ()) -> Router:
    """The router for these sinks, which also reads what the conditions of the chains need."""
    return Router(
        [_routing_of(name, sink) for name, sink in sinks.items()],
        [_route(route) for route in settings.routes],
        all_revealed(settings.resource),
        further=[reference for chain in chains for reference in chain.references],
    )


def _routing_of(name: str, sink: Sink[Any]) -> SinkRouting:
    return SinkRouting(
        name,
        sink.config.match,
        sink.templates,
        included_keys=sink.included_keys,
        wants_times=sink.wants_times,
        segments=sink.segments,
    )


def _route(route: RouteSettings) -> Route:
    return Route(route.name, route.match, route.to, make_chain(route.steps) if route.steps else None, route.stop)
