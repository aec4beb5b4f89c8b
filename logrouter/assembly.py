"""From settings to the pure parts of a pipeline: chains of steps, sinks, the router.

`runtime/topology.py` makes tasks of them, of the first ones and of those that a reload brings; `explain` asks them
about single lines. Here values of `resource` that came
out of `${file:…}` stop being secrets: from here on they are for events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from logrouter import component
from logrouter.chain import AnyStep, Chain
from logrouter.config.settings import RouteSettings, Settings, StepSettings
from logrouter.policy import Route, SinkRouting
from logrouter.routing import Router
from logrouter.sinks import Sink, SinkContext
from logrouter.values import all_revealed

_ROUTING: Final[dict[str, Any]] = {"match": None, "when_full": None, "start": "end"}
"""Options that are not the sink's own affair: it is the same whatever they are."""


class Assembly(msgspec.Struct, frozen=True):
    """The pure parts of a whole pipeline."""

    settings: Settings
    chains: dict[str, Chain]
    """By source."""
    sinks: dict[str, Sink[Any]]
    numbers: dict[str, int]
    """By sink: its number, which no other sink ever has, nor this one with other options (`routers.py`)."""
    next_number: int
    """What the next sink gets that is another."""
    router: Router


def assemble(settings: Settings, sinks: dict[str, Sink[Any]], before: Assembly | None = None) -> Assembly:
    """The parts that these settings ask for. What was the same `before` goes on: a sink keeps its number, steps keep
    what they remember."""
    chains = _chains(settings, before)
    numbers, next_number = _numbers(sinks, before)
    router = make_router(sinks, settings, chains.values(), numbers)
    return Assembly(settings, chains, sinks, numbers, next_number, router)


class _Steps:
    """Makes steps, and takes those there were before where they are the same."""

    def __init__(self, before: Sequence[tuple[StepSettings, AnyStep]] = ()) -> None:
        self._before = list(before)

    def make(self, steps: Iterable[StepSettings], where: str) -> list[tuple[str, AnyStep]]:
        """Each by its name: where it stands in the config, the list of all at `where`."""
        return [
            (f"{where}.{place}.{step.name}", self._taken(step) or _make_step(step)) for place, step in enumerate(steps)
        ]

    def _taken(self, wanted: StepSettings) -> AnyStep | None:
        for place, (settings, step) in enumerate(self._before):
            if settings == wanted:
                del self._before[place]
                return step
        return None


def _chains(settings: Settings, before: Assembly | None) -> dict[str, Chain]:
    """By source. The steps for all are shared: what they remember is of all events."""
    shared = _Steps(_steps_before(before, None)).make(settings.steps, "steps")
    chains = {}
    for name, source in settings.sources.items():
        own = _Steps(_steps_before(before, name)).make(source.steps, f"sources.{name}.steps")
        steps = [*own, *shared]
        former = before.chains.get(name) if before is not None else None
        is_former = former is not None and [named.step for named in former.steps] == [step for _, step in steps]
        chains[name] = former if former is not None and is_former else Chain(steps)
    return chains


def _steps_before(before: Assembly | None, source: str | None) -> list[tuple[StepSettings, AnyStep]]:
    """The steps that one source had alone, or (None) all had together, with their settings."""
    if before is None or (source is not None and source not in before.chains):
        return []
    name = next(iter(before.chains)) if source is None else source
    own, steps = before.settings.sources[name].steps, [named.step for named in before.chains[name].steps]
    if source is None:
        return list(zip(before.settings.steps, steps[len(own) :], strict=True))
    return list(zip(own, steps[: len(own)], strict=True))


def _numbers(sinks: Mapping[str, Sink[Any]], before: Assembly | None) -> tuple[dict[str, int], int]:
    """The number of each sink, and the next that is free."""
    following = 0 if before is None else before.next_number
    numbers = {}
    for name, sink in sinks.items():
        if before is not None and name in before.sinks and _is_the_same(sink, before.sinks[name]):
            numbers[name] = before.numbers[name]
        else:
            numbers[name] = following
            following += 1
    return numbers, following


def _is_the_same(sink: Sink[Any], other: Sink[Any]) -> bool:
    """Whether one sink can go on for another: only what it gets may differ, or when it discards."""
    return (
        type(sink) is type(other)
        and sink.context == other.context
        and replace(sink.config, **_ROUTING) == replace(other.config, **_ROUTING)
    )


def make_chain(settings: Settings, source: str) -> Chain:
    """The steps of one source, which remember nothing yet."""
    return _chains(replace(settings, sources={source: settings.sources[source]}), None)[source]


def _make_step(settings: StepSettings) -> AnyStep:
    step: AnyStep = component.load("steps", settings.name)(settings.config)
    return step


def make_sink(name: str, settings: Settings, *, terminal: bool = False, colour: bool = False) -> Sink[Any]:
    """One sink, not yet connected to anything. `terminal`: it writes to one."""
    sink = settings.sinks[name]
    made: Sink[Any] = component.load("sinks", sink.type)(
        sink.config,
        SinkContext(
            name,
            all_revealed(settings.resource),
            terminal,
            colour,
            all_revealed(settings.provenance.conventions),
            settings.spool.directory,
        ),
    )
    return made


def make_router(
    sinks: dict[str, Sink[Any]],
    settings: Settings,
    chains: Iterable[Chain] = (),
    numbers: Mapping[str, int] | None = None,
) -> Router:
    """The router for these sinks, which also reads what the conditions of the chains need."""
    return Router(
        [_routing_of(name, sink) for name, sink in sinks.items()],
        [_route(route, place) for place, route in enumerate(settings.routes)],
        all_revealed(settings.resource),
        further=[reference for chain in chains for reference in chain.references],
        numbers=None if numbers is None else list(numbers.values()),
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


def _route(route: RouteSettings, place: int) -> Route:
    chain = Chain(_Steps().make(route.steps, f"routes.{place}.steps")) if route.steps else None
    return Route(route.name, route.match, route.to, chain, route.stop)
