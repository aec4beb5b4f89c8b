"""Nodes to sources, steps and sinks: finds the component by its name and converts its options.

Each component is also made once and thrown away: what its constructor refuses (a pattern, a template, options
that do not go together) is then a mistake like any other. Components are pure, so this opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from logrouter import component, severity
from logrouter.component import Kind
from logrouter.config.assignments import is_mapping_text
from logrouter.config.conversion import WRONG, Converter
from logrouter.config.kinds import fields_of
from logrouter.config.mistakes import Mistakes, shown
from logrouter.config.nodes import Node, Path, dotted, node_of
from logrouter.config.settings import SinkSettings, SourceSettings, StepSettings
from logrouter.config.urls import Url, UrlError, scheme_of, split_secret_url, split_url
from logrouter.config.words import hint_for
from logrouter.errors import Mistake, did_you_mean
from logrouter.references import Field, Resource
from logrouter.rules import Rule
from logrouter.templates import Place, Template
from logrouter.values import MaybeSecret, Secret, all_revealed, revealed

_NOUN = {"sinks": "sink", "sources": "source", "steps": "step"}


class Components:
    """Builds the components of one config."""

    def __init__(
        self,
        converter: Converter,
        resource: Mapping[str, MaybeSecret],
        conventions: Mapping[str, Secret],
    ) -> None:
        self._converter = converter
        self._mistakes = converter.mistakes
        self._resource = resource
        self._conventions = conventions
        self.warnings: list[Mistake] = []

    def sink(self, name: str, node: Node) -> SinkSettings | None:
        """One sink, or None after adding its mistakes."""
        from logrouter.sinks import SinkContext

        path = ("sinks", name)
        found = self._identify("sinks", name, node)
        if found is None:
            return None
        type_name, sink, options = found
        context = SinkContext(name, all_revealed(self._resource), environ=all_revealed(self._conventions))

        def make(config: Any) -> Any:
            return WRONG if self._names_secret(sink, config, node, path) else sink(config, context)

        made = self._converter.struct(Node(options, node.origin), sink.Config, path, make=make)
        if made is WRONG:
            return None
        self._warn(sink, made.config, node, path)
        self.warn_of_names(made.config.match, made.templates, node, path)
        return SinkSettings(type=type_name, config=made.config)

    def _names_secret(self, sink: Any, config: Any, node: Node, path: Path) -> bool:
        """Whether a secret of `resource` would become part of a name, which is shown. If so, adds the mistake."""
        for option in sink.names_by:
            template, where = getattr(config, option), (*path, option)
            for reference in sorted(template.references if template else (), key=repr):
                if isinstance(reference, Resource) and isinstance(self._resource.get(reference.name), Secret):
                    origin = self._converter.origins.get(where, node.origin)
                    problem = f"{dotted(where)}: {reference} is out of a file, and this is shown in errors"
                    self._mistakes.add(origin, problem, "use ${VAR} in `resource`")
                    return True
        return False

    def source(self, name: str, node: Node, instead: Mapping[str, str]) -> SourceSettings | None:
        """One source, or None after adding its mistakes. `instead`: the types that stand in for others."""
        path = ("sources", name)
        found = self._identify("sources", name, node)
        if found is None:
            return None
        type_name, source, options = found
        if type_name in instead:
            type_name = instead[type_name]
            source = component.load("sources", type_name)
        steps_node = options.pop("steps", None)
        config = self._converter.struct(Node(options, node.origin), source.Config, path, ignored=("type", "steps"))
        steps = self.steps(steps_node, (*path, "steps"))
        if config is WRONG:
            return None
        self._warn(source, config, node, path)
        return SourceSettings(type=type_name, config=config, steps=steps)

    def steps(self, node: Node | None, path: Path, may_decide: bool = True) -> tuple[StepSettings, ...]:
        """A list of steps. One that is wrong is left out, its mistakes added."""
        if node is None or node.value is None:
            return ()
        items = self._converter.list_items(node, path) or []
        steps = (self._step(item, (*path, str(index)), may_decide) for index, item in enumerate(items))
        return tuple(step for step in steps if step is not None)

    def _identify(self, kind: Kind, name: str, node: Node) -> tuple[str, Any, dict[str, Node]] | None:
        """A component's type, class and options, from its URL, its keys or both."""
        path = (kind, name)
        keys = self._keys(kind, node, path)
        if keys is None:
            return None
        url_node, type_node = keys.pop("url", None), keys.pop("type", None)
        url = self._url(kind, url_node, (*path, "url")) if url_node else None
        type_name = self._type(kind, name, node, type_node, url) if url or not url_node else None
        if type_name is None:
            self._check_options(kind, keys, path, component.names(kind))
            return None
        self._converter.origins[(*path, "type")] = (type_node or url_node or node).origin
        loaded = self._converter.load(kind, type_name, type_node or url_node or node, path)
        if loaded is None:
            return None
        if url is None or url_node is None:
            return type_name, loaded, keys
        options = self._url_options(url, url_node, type_name, loaded, path)
        if options is None:
            self._check_options(kind, keys, path, [type_name])
            return None
        return type_name, loaded, {**options, **keys}

    def _check_options(self, kind: Kind, keys: Mapping[str, Node], path: Path, types: Sequence[str]) -> None:
        """Find the mistakes in options of a component that cannot be made, which is of one of these types."""
        structs = [fields_of(component.load(kind, name).Config) for name in types]
        known = {key: field.type for fields in structs for key, field in fields.items()}
        for key, item in keys.items():
            if kind == "sources" and key == "steps":
                self.steps(item, (*path, key))
            elif all(key in fields for fields in structs):
                self._converter.convert(item, known[key], (*path, key))
            elif key.removesuffix("_file") not in known and (len(types) == 1 or hint_for(key, known)):
                self._converter.unknown(key, item, path, list(known))  # else it is one of a type that we do not have

    def _keys(self, kind: Kind, node: Node, path: Path) -> dict[str, Node] | None:
        """The long form of a component: a URL is `{url: …}`."""
        if isinstance(node.value, str) and not is_mapping_text(node):
            return {"url": node}
        if isinstance(node.value, list) or (node.is_scalar and not isinstance(node.value, str | None)):
            problem = f"expected a URL or a mapping, not {shown(node)}"
            self._mistakes.add(node.origin, f"{dotted(path)}: {problem}")
            return None
        keys = self._converter.keys(node, path)
        return None if keys is None else dict(keys)

    def _url(self, kind: Kind, node: Node, path: Path) -> Url | None:
        where = dotted(path[:2])
        if not isinstance(node.value, str):
            self._mistakes.add(node.origin, f"{where}: expected a URL, not {shown(node)}")
            return None
        types = self._converter.known(kind, scheme_of(revealed(node.value)))
        try:
            if isinstance(node.value, Secret):
                return split_secret_url(node.value, node.shape, types)
            return split_url(node.value, types)
        except UrlError as error:
            self._mistakes.add_value(node, where, error, error.hint)
            return None

    def _type(self, kind: Kind, name: str, node: Node, type_node: Node | None, url: Url | None) -> str | None:
        """The type: as said, else the URL's scheme, else the component's own name."""
        wanted = type_node.text if type_node else (url.scheme if url else name)
        known, where = self._converter.known(kind, wanted), dotted((kind, name))
        if type_node is not None:
            if self._converter.refuses_secret(type_node, (kind, name, "type")):
                return None
            said = type_node.text or ""
            if said not in known:
                hint = hint_for(said, known) or f"known are: {', '.join(known)}"
                self._mistakes.add(type_node.origin, f"{where}: unknown {_NOUN[kind]} type {shown(type_node)}", hint)
                return None
            if url and url.tells_type and url.scheme != said:
                self._mistakes.add(type_node.origin, f"{where}: the type is {said!r}, but the URL's is {url.scheme!r}")
                return None
            return said
        if url and url.tells_type and url.scheme in known:
            return url.scheme
        if url:
            problem = f"a plain {url.scheme}: URL does not tell the type of the {_NOUN[kind]}"
            hint = "add type: …" + (f", or write http+{url.scheme}: for any endpoint" if "http" in known else "")
            self._mistakes.add(node.origin, f"{where}: {problem}", hint)
            return None
        if name in known:
            return name
        hint = f"{'' if node.value else 'indent what belongs to it; '}types are: {', '.join(known)}"
        self._mistakes.add(node.place_of_key, f"{where} needs a 'type' or a 'url'", hint)
        return None

    def _url_options(self, url: Url, node: Node, type_name: str, loaded: Any, path: Path) -> dict[str, Node] | None:
        """The options that a URL stands for, all of them at its place."""
        fields, where = fields_of(loaded.Config), dotted(path)
        values = self._base_options(url, node, type_name, loaded, path)
        if values is None:
            return None
        if url.user is not None and not {"user", "password"} <= fields.keys():
            self._mistakes.add(node.origin, f"{where}: a {type_name} {_NOUN[path[0]]} has no user and password")
            return None
        userinfo = {"user": url.user, "password": url.password}
        values |= {key: value for key, value in userinfo.items() if value is not None}
        options = {key: node_of(value, node.origin) for key, value in values.items()}
        for key, value in url.options:
            if key in options and key in values:
                self._mistakes.add(node.origin, f"{where}: the URL says {key!r} twice")
            if isinstance(url.base, Secret) and key not in fields:
                hint = f"known are: {', '.join(sorted(fields))}"
                self._mistakes.add(node.origin, f"{where}: unknown key in the URL, which is kept secret", hint)
                continue
            options[key] = Node(value, node.origin, text=value, style="text")
        return options

    def _base_options(self, url: Url, node: Node, type_name: str, loaded: Any, path: Path) -> dict[str, Any] | None:
        """What the component makes of the URL without its query; secrets, if anything of that is one."""
        if url.base in (type_name, f"{type_name}:"):
            return {}
        where, hidden = dotted(path), isinstance(url.base, Secret)
        try:
            values: dict[str, Any] = loaded.options_from_url(revealed(url.base))
        except ValueError as error:
            told = ValueError("the URL, which is kept secret, makes no sense here") if hidden else error
            self._mistakes.add_value(node, where, told)
            return None
        except AttributeError:  # a source
            self._mistakes.add(node.origin, f"{where}: a {type_name} {_NOUN[path[0]]} takes nothing after its name")
            return None
        return {key: Secret(value) for key, value in values.items()} if hidden else dict(values)

    def _step(self, node: Node, path: Path, may_decide: bool) -> StepSettings | None:
        """`- name: options`, where `when` may stand beside the name."""
        entry = None if self._converter.refuses_secret(node, path) else self._step_entry(node, path)
        if entry is None:
            return None
        name, value, when = entry
        known = self._converter.known("steps", name)
        if name not in known:
            hint = hint_for(name, known) or f"known are: {', '.join(known)}"
            self._mistakes.add(value.place_of_key, f"{dotted(path)}: unknown step {name!r}", hint)
            inside = value.value.get("when") if isinstance(value.value, dict) else None
            if when := when or inside:
                self._check_options("steps", {"when": when}, path, component.names("steps"))
            return None
        step = self._converter.load("steps", name, value, path)
        if step is None:
            return None
        if step.decides and not may_decide:
            problem = f"{dotted(path)}: {name!r} decides about events, which a route's steps cannot"
            self._mistakes.add(value.place_of_key, problem, "put it under the top-level steps")
        if step.runs_own_code and not self._converter.plugins:
            problem = f"{dotted(path)}: {name!r} runs code of yours, and allow_plugins is false"
            self._mistakes.add(value.place_of_key, problem)
            return None
        return self._build_step(name, step, value, when, (*path, name))

    def _step_entry(self, node: Node, path: Path) -> tuple[str, Node, Node | None] | None:
        """A step's name, options and condition."""
        if isinstance(node.value, str):
            return node.value, Node(None, node.origin), None
        keys = dict(node.value) if isinstance(node.value, dict) else {}
        when = keys.pop("when", None)
        if len(keys) != 1:
            problem = f"expected one step such as 'discard: {{when: …}}', not {_what_instead(node, keys)}"
            self._mistakes.add(node.origin, f"{dotted(path)}: {problem}")
            return None
        ((name, value),) = keys.items()
        return name, value, when

    def _build_step(self, name: str, step: Any, node: Node, when: Node | None, path: Path) -> StepSettings | None:
        options = self._step_options(step, node, when, path)
        if options is None:
            return None
        made = self._converter.struct(Node(options, node.origin), step.Config, path, make=step)
        if made is WRONG:
            return None
        self._warn(step, made.config, node, path)
        self.warn_of_names(made.config.when, made.templates, node, path)
        return StepSettings(name=name, config=made.config)

    def _step_options(self, step: Any, node: Node, when: Node | None, path: Path) -> dict[str, Node] | None:
        """The long form of a step's options; the condition stands inside them or beside the name."""
        if isinstance(node.value, dict) and "when" in node.value:
            if when is not None:
                self._mistakes.add(when.place_of_key, f"{dotted(path)}: 'when' stands both inside and beside the step")
            when = node.value["when"]
            node = Node({key: item for key, item in node.value.items() if key != "when"}, node.origin, node.key_origin)
        options = self._converter.long_form(step.options_from, node, path)
        keys = None if options is None else self._converter.keys(options, path, fields_of(step.Config))
        if keys is None or when is None:
            return keys
        if "when" in keys:  # `discard: RULE`
            self._mistakes.add(when.place_of_key, f"{dotted(path)}: 'when' says once more what is asked already")
        return {**keys, "when": when}

    def _warn(self, made: Any, config: Any, node: Node, path: Path) -> None:
        """Collect what the component finds odd about its options."""
        told: Iterable[str] = made.warnings(config) if hasattr(made, "warnings") else ()
        found = Mistakes()
        for text in told:
            found.add(node.place_of_key, f"{dotted(path)}: {text}")
        self.warnings += found.found

    def warn_of_names(self, rule: Rule | None, templates: Iterable[Template], node: Node, path: Path) -> None:
        """Collect names that are no mistake, and hardly meant: keys that `resource` does not have, which it may have
        where it runs; fields that are called almost `severity`, or as a level, and levels that are ordered as text."""
        filled_in = {part.reference for template in templates for part in template.parts if isinstance(part, Place)}
        read = filled_in | (rule.references if rule else set())
        named = {reference.name for reference in read if isinstance(reference, Resource)}
        found = Mistakes()
        for name in sorted(named - self._resource.keys()):
            problem = f"{dotted(path)}: {Resource(name)} is not in `resource`"
            found.add(node.place_of_key, problem, did_you_mean(name, self._resource))
        for field in sorted((reference for reference in read if isinstance(reference, Field)), key=str):
            if told := _hardly_meant(field, rule.text if rule else ""):
                found.add(node.place_of_key, f"{dotted(path)}: {told[0]}", told[1])
        self.warnings += found.found


def _hardly_meant(field: Field, rule: str) -> tuple[str, str] | None:
    """What is odd about a field that a rule or a template reads, and what was meant."""
    name = field.path[0]
    if name != "severity" and abs(len(name) - len("severity")) <= 1 and len({*name} ^ {*"severity"}) <= 1:
        return f"{name} is the name of a field here", "did you mean 'severity'?"
    if field in severity.FIELDS:
        ordered = re.search(rf"\b{re.escape(str(field))} *([<>]=?) *[\"'](\w+)[\"']", rule)
        if ordered and ordered[2].lower() in severity.SPELLINGS:
            return f"{field} is text, in the order of the alphabet", f'write severity {ordered[1]} "{ordered[2]}"'
    if name in severity.SPELLINGS and re.search(rf"[=<>] *{name}\b(?! *[.\[(])", rule):
        return f"{name} is the name of a field here", f'write "{name}" for the level'
    return None


def _what_instead(node: Node, keys: Mapping[str, Node]) -> str:
    if isinstance(node.value, dict):
        return f"{', '.join(map(repr, keys))} in one item" if keys else "nothing"
    return shown(node)
