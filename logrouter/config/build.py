"""The merged document to `Settings`: the sections, and what ties them together (routes name sinks)."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from logrouter import component
from logrouter.config.components import Components
from logrouter.config.conversion import WRONG, Converter
from logrouter.config.files import SCALARS, Document
from logrouter.config.kinds import fields_of
from logrouter.config.mistakes import Mistakes, shown
from logrouter.config.nodes import DEFAULT, Node, Origin, Path, dotted
from logrouter.config.settings import (
    SHUTDOWN_TIMEOUT,
    AdminSettings,
    DeadLetterSettings,
    Provenance,
    RouteSettings,
    RunSettings,
    Settings,
    SinkSettings,
    SourceSettings,
    SpoolSettings,
)
from logrouter.errors import Mistake, did_you_mean
from logrouter.parsing import JSON_OR_TEXT
from logrouter.values import Duration, MaybeSecret, Secret, Size

_NAME = re.compile(r"[a-z][a-z0-9_]*")
LINES_IN_SPOOL = 8
"""How many of the longest lines the spool must hold."""
APP_GRACE_SECONDS = 15.0
APP_GRACE_SHARE = 0.6
"""Of `shutdown_timeout`, where that is short: the rest is for delivering."""


def build(
    document: Document,
    mistakes: Mistakes,
    warnings: list[Mistake],
    conventions: dict[str, Secret],
    *,
    under_run: bool,
) -> Settings:
    """The settings. Only good for anything if no mistake was added."""
    converter = Converter(mistakes)
    resource = _resource(document, converter)
    scalars = _scalars(document, converter)
    converter.plugins = scalars.get("allow_plugins", True)
    components = Components(converter, resource, conventions)
    sources = _sources(document, components, mistakes, under_run=under_run)
    steps = components.steps(document.get("steps"), ("steps",))
    spool = _spool(document, converter)
    sources = _fitted(sources, spool, converter)
    sinks = _sinks(document, components, mistakes)
    sources, notes = _with_lines_kept(sources, sinks, converter)
    routes = _routes(document, components, converter)
    dead_letters = _section(document, "dead_letters", DeadLetterSettings, converter)
    admin = _section(document, "admin", AdminSettings, converter)
    run = _run(document, spool, scalars, converter)
    told = (*warnings, *components.warnings, *_warnings_of_letters(document, spool, sinks, converter))
    provenance = Provenance(origins=converter.origins, warnings=told, notes=notes, conventions=conventions)
    return Settings(
        resource=resource,
        sources=sources,
        steps=steps,
        routes=routes,
        sinks=sinks,
        spool=spool or SpoolSettings(),
        dead_letters=dead_letters,
        admin=admin,
        run=run,
        provenance=provenance,
        **scalars,
    )


def _resource(document: Document, converter: Converter) -> dict[str, MaybeSecret]:
    node = document.get("resource", Node({}, DEFAULT))
    values = {key: converter.convert(item, MaybeSecret, ("resource", key)) for key, item in node.value.items()}
    return {key: value for key, value in values.items() if value is not WRONG}


def _sources(
    document: Document, components: Components, mistakes: Mistakes, *, under_run: bool
) -> dict[str, SourceSettings]:
    """What is read. Under `logrouter run` the app's output is what stdin is elsewhere, and it is always read."""
    nodes = document["sources"].value
    _check_names("sources", nodes, mistakes)
    instead = {"stdin": "run"} if under_run else {}
    found = {name: components.source(name, node, instead) for name, node in nodes.items()}
    if under_run and not any(source is None or source.type == "run" for source in found.values()):
        found["run"] = components.source("run", Node({"type": Node("run", DEFAULT, text="run")}, DEFAULT), instead)
    sources = {name: source for name, source in found.items() if source is not None}
    for name, source in sources.items():
        first = next(other for other, settings in sources.items() if settings.type == source.type)
        if name != first and component.load("sources", source.type).only_once:
            problem = f"sources.{name}: there is one {source.type}, and sources.{first} reads it already"
            mistakes.add(nodes[name].place_of_key, problem)
    return sources


def _fitted(
    sources: dict[str, SourceSettings], spool: SpoolSettings | None, converter: Converter
) -> dict[str, SourceSettings]:
    """A line must leave room for others, as a sink may hang in the middle of it: `max_line` by what the spool holds."""
    if spool is None:
        return sources
    limits = {"memory": spool.memory}
    if spool.directory is not None:
        limits["max_size"] = spool.max_size
    limit = min(limits, key=limits.__getitem__)
    most = Size(limits[limit] // LINES_IN_SPOOL)
    fitted = {}
    for name, source in sources.items():
        if source.config.max_line > most:
            if place := converter.origins.get(("sources", name, "max_line")):
                problem = (
                    f"sources.{name}.max_line: at most an eighth of spool.{limit}, {most}, not {source.config.max_line}"
                )
                converter.mistakes.add(place, problem, f"or raise spool.{limit}")
            source = replace(source, config=replace(source.config, max_line=most))
        fitted[name] = source
    return fitted


def _spool(document: Document, converter: Converter) -> SpoolSettings | None:
    """The spool's settings, or None where they are wrong: nobody is told that something else does not fit them."""
    spool: Any = converter.struct(document.get("spool", Node({}, DEFAULT)), SpoolSettings, ("spool",))
    if spool is WRONG:
        return None
    right: SpoolSettings = spool
    return replace(right, durability=right.durability or ("memory" if right.directory is None else "disk"))


def _run(document: Document, spool: SpoolSettings | None, scalars: dict[str, Any], converter: Converter) -> RunSettings:
    """How an app is run, with the defaults that depend on others."""
    run: RunSettings = _section(document, "run", RunSettings, converter)
    shutdown = scalars.get("shutdown_timeout", SHUTDOWN_TIMEOUT)
    shutdown_is_wrong = "shutdown_timeout" in document and "shutdown_timeout" not in scalars
    stores = spool is None or spool.durability != "memory"
    if run.capture == "spool" and not stores:
        problem = "run.capture: spool needs a spool.directory, and a spool.durability of disk or sync"
        converter.mistakes.add(converter.origins[("run", "capture")], problem)
    if run.app_grace is not None and run.app_grace >= shutdown and not shutdown_is_wrong:
        problem = f"run.app_grace: must be less than shutdown_timeout, {shutdown}, not {run.app_grace}"
        converter.mistakes.add(converter.origins[("run", "app_grace")], problem)
    grace = Duration(min(APP_GRACE_SECONDS, APP_GRACE_SHARE * shutdown)) if run.app_grace is None else run.app_grace
    return replace(run, capture=run.capture or ("spool" if stores else "pipe"), app_grace=grace)


def _sinks(document: Document, components: Components, mistakes: Mistakes) -> dict[str, SinkSettings]:
    nodes = document["sinks"].value
    _check_names("sinks", nodes, mistakes)
    found = {name: components.sink(name, node) for name, node in nodes.items()}
    return {name: sink for name, sink in found.items() if sink is not None}


def _with_lines_kept(
    sources: dict[str, SourceSettings], sinks: dict[str, SinkSettings], converter: Converter
) -> tuple[dict[str, SourceSettings], tuple[str, ...]]:
    """The sources, of which those that do not say `parse` leave text whole where a sink writes lines as they came."""
    keeping = [name for name, sink in sinks.items() if component.load("sinks", sink.type).keeps_lines(sink.config)]
    if not keeping:
        return sources, ()
    why = f"as sinks.{keeping[0]} writes lines as they came"
    notes, found = [], dict(sources)
    for name, source in sources.items():
        path = ("sources", name, "parse")
        if path not in converter.origins:
            converter.origins[path] = Origin(f"default, {why}")
            found[name] = replace(source, config=replace(source.config, parse=JSON_OR_TEXT))
            notes.append(f"{dotted(path)} is json_or_text, {why}: `parse: auto` makes fields of text in any case")
    return found, tuple(notes)


def _warnings_of_letters(
    document: Document, spool: SpoolSettings | None, sinks: dict[str, SinkSettings], converter: Converter
) -> list[Mistake]:
    """What the config wants kept that nothing keeps, as the spool has no directory."""
    if spool is None or spool.directory is not None:
        return []
    asked = {
        f"sinks.{name}.on_reject": place
        for name, sink in sinks.items()
        if getattr(sink.config, "on_reject", "") == "keep"
        and (place := converter.origins.get(("sinks", name, "on_reject")))
    }
    if node := document.get("dead_letters"):
        asked["dead_letters"] = node.origin
    problem = "without a spool.directory nothing is kept: what a destination refuses is discarded, and counted"
    return [Mistake(str(place), f"{what}: {problem}") for what, place in asked.items()]


def _check_names(section: str, nodes: dict[str, Node], mistakes: Mistakes) -> None:
    """A name must also fit into a variable's name."""
    for name, node in nodes.items():
        if not _NAME.fullmatch(name):
            better = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
            hint = f"write {better}" if _NAME.fullmatch(better) else None
            problem = f"{section}: the name {name!r} must be made of a-z, 0-9 and _, and begin with a letter"
            mistakes.add(node.place_of_key, problem, hint)


def _section(document: Document, key: str, struct: Any, converter: Converter) -> Any:
    """A section that is a plain struct; its defaults where it is wrong."""
    node = document.get(key, Node({}, DEFAULT))
    value = converter.struct(node, struct, (key,))
    return struct() if value is WRONG else value


def _scalars(document: Document, converter: Converter) -> dict[str, Any]:
    fields = fields_of(Settings)
    found = {key: converter.convert(document[key], fields[key].type, (key,)) for key in SCALARS if key in document}
    return {key: value for key, value in found.items() if value is not WRONG}


def _routes(document: Document, components: Components, converter: Converter) -> tuple[RouteSettings, ...]:
    node = document.get("routes")
    if node is None:
        return ()
    routes: list[RouteSettings] = []
    places: dict[str, str] = {}
    sinks = document["sinks"].value
    for index, item in enumerate(node.value):
        route = _route(item, index, sinks, components, converter)
        if route is None:
            continue
        if route.name in places:
            problem = f"two routes are called {route.name!r}, the first at {places[route.name]}"
            converter.mistakes.add(item.origin, problem)
        places.setdefault(route.name, item.origin.place)
        routes.append(route)
    return tuple(routes)


def _route(
    node: Node, index: int, sinks: dict[str, Node], components: Components, converter: Converter
) -> RouteSettings | None:
    path = ("routes", str(index))
    if not isinstance(node.value, dict):
        converter.mistakes.add(node.origin, f"{dotted(path)}: expected a mapping with 'to', not {shown(node)}")
        return None
    keys = dict(node.value)
    steps = components.steps(keys.pop("steps", None), (*path, "steps"), may_decide=False)
    keys.setdefault("name", Node(f"route{index + 1}", DEFAULT, text=f"route{index + 1}"))
    if to := keys.get("to"):
        keys["to"] = _as_list(to)
        _check_sinks(keys["to"], sinks, (*path, "to"), converter.mistakes)
    route: Any = converter.struct(Node(keys, node.origin), RouteSettings, path)
    if route is WRONG:
        return None
    components.warn_of_names(route.match, (), node, path)
    return RouteSettings(name=route.name, match=route.match, steps=steps, to=route.to, stop=route.stop)


def _as_list(node: Node) -> Node:
    """`to: errors` is `to: [errors]`."""
    return Node([node], node.origin, node.key_origin) if isinstance(node.value, str) else node


def _check_sinks(node: Node, sinks: dict[str, Node], path: Path, mistakes: Mistakes) -> None:
    """A route to nowhere is a mistake, and so is one that leads to the same sink twice."""
    if not isinstance(node.value, list):
        return
    if not node.value:
        mistakes.add(node.origin, f"{dotted(path)}: empty, but a route must feed a sink")
    seen: set[str] = set()
    for item in node.value:
        name = item.value
        if not isinstance(name, str) or item.secret:
            continue
        if name not in sinks:
            hint = did_you_mean(name, sinks) or f"the sinks are: {', '.join(sinks)}"
            mistakes.add(item.origin, f"{dotted(path)}: there is no sink {shown(item)}", hint)
        elif name in seen:
            mistakes.add(item.origin, f"{dotted(path)}: the sink {name!r} is named twice")
        seen.add(name)
