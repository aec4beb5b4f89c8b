"""The effective configuration, as `logrouter config` shows it: every value, and where it came from.

Secrets are masked: values of type Secret, as is all that came out of `${file:…}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from logrouter import component
from logrouter.config.kinds import fields_of
from logrouter.config.nodes import DEFAULT, Origin, Path, dotted, resolve_plain
from logrouter.config.settings import Settings, SinkSettings, SourceSettings, StepSettings
from logrouter.parsing import Parse
from logrouter.values import MASK, CodeFile, Secret


class Leaf(NamedTuple):
    """One value as it is shown."""

    value: Any
    """None, bool, int, float or str; or an empty list or mapping."""
    origin: Origin


Tree: TypeAlias = "Leaf | dict[str, Tree] | list[Tree]"


class Shown(NamedTuple):
    """One line of the effective configuration."""

    key: str
    """`sinks.errors.match`"""
    value: str
    """As YAML writes it; secrets masked."""
    origin: str
    """`logrouter.yaml:12:5`, a variable, a flag, or `default`."""


def describe_effective(settings: Settings) -> list[Shown]:
    """Every value that is in force, in the order of the document."""
    leaves = _leaves(_tree(settings), ())
    return [Shown(dotted(path), yaml_scalar(leaf.value), str(leaf.origin)) for path, leaf in leaves]


def render_effective(settings: Settings) -> str:
    """The effective configuration as YAML that could be loaded again, each value's origin in a comment."""
    lines = list(_lines(_tree(settings), 0))
    width = min(60, max((len(line) for line, origin in lines if origin), default=0))
    return "".join(f"{line:<{width}}  # {origin}\n" if origin else f"{line}\n" for line, origin in lines)


def config_hash(settings: Settings) -> str:
    """12 hexadecimal digits that tell one effective configuration from another, and the code that it names; secrets
    have no part in it."""
    from hashlib import sha256

    values, code = _values(_tree(settings)), code_digests(settings)
    return sha256(json.dumps([values, code] if code else values, sort_keys=True).encode()).hexdigest()[:12]


def code_digests(settings: Settings) -> dict[str, str]:
    """What the files of code hold that a config names: a digest, by the option."""
    walk = _Walk({})
    walk.tree(settings.steps, ("steps",), DEFAULT)
    for name, source in settings.sources.items():
        walk.tree(source.steps, ("sources", name, "steps"), DEFAULT)
    return walk.code


def secrets_in(settings: Settings) -> dict[str, Secret]:
    """The secrets that a config holds, by the option."""
    walk = _Walk({})
    walk.whole(settings)
    return walk.secrets


def _tree(settings: Settings) -> dict[str, Tree]:
    return _Walk(settings.provenance.origins).whole(settings)


class _Walk:
    """Turns settings back into what a document would hold."""

    def __init__(self, origins: Mapping[Path, Origin]) -> None:
        self._origins = origins
        self.code: dict[str, str] = {}
        """Digests of the files of code that were met, by the option."""
        self.secrets: dict[str, Secret] = {}
        """Those that were met, by the option."""

    def whole(self, settings: Settings) -> dict[str, Tree]:
        """The document."""
        return {
            key: self.tree(getattr(settings, field.name), (key,), self._origins.get((key,), DEFAULT))
            for key, field in fields_of(Settings).items()
            if key != "provenance"
        }

    def tree(self, value: Any, path: Path, inherited: Origin) -> Tree:
        origin = self._origins.get(path, inherited)
        if isinstance(value, Secret):
            self.secrets[dotted(path)] = value
            return Leaf(MASK, origin)
        if isinstance(value, Parse):
            return self.tree(value.said, path, origin)
        if isinstance(value, StepSettings):
            return self._step(value, path, origin)
        if isinstance(value, SinkSettings | SourceSettings):
            return self._component(value, path, origin)
        if isinstance(value, msgspec.Struct):
            return self._struct(value, path) or Leaf({}, origin)
        if isinstance(value, dict) and value:
            return {str(key): self.tree(item, (*path, str(key)), origin) for key, item in value.items()}
        if isinstance(value, list | tuple) and value:
            return [self.tree(item, (*path, str(index)), origin) for index, item in enumerate(value)]
        if isinstance(value, CodeFile):
            self.code[dotted(path)] = value.digest
        return Leaf(_scalar(value), origin)

    def _step(self, value: StepSettings, path: Path, origin: Origin) -> Tree:
        """`- name: options` with `when` beside it; the short form where the step takes it as such."""
        options = self._struct(value.config, (*path, value.name))
        when = options.pop("when", None)
        shown: Tree = options or Leaf({}, origin)
        if options.keys() == {"fields"} and _has_short_form(value.name, _values(options["fields"])):
            shown = options["fields"]
        return {value.name: shown} if when is None else {value.name: shown, "when": when}

    def _component(self, value: SinkSettings | SourceSettings, path: Path, origin: Origin) -> Tree:
        tree: dict[str, Tree] = {"type": Leaf(value.type, self._origins.get((*path, "type"), origin))}
        tree |= self._struct(value.config, path)
        if isinstance(value, SourceSettings) and value.steps:
            tree["steps"] = self.tree(value.steps, (*path, "steps"), origin)
        return tree

    def _struct(self, value: Any, path: Path) -> dict[str, Tree]:
        """A struct's fields; those that nobody set and that are nothing are left out."""
        tree: dict[str, Tree] = {}
        for key, field in fields_of(value.__class__).items():
            item = getattr(value, field.name)
            where = (*path, key)
            if item is None and where not in self._origins:
                continue
            tree[key] = self.tree(item, where, self._origins.get(where, DEFAULT))
        return tree


def _has_short_form(step: str, fields: Any) -> bool:
    """Whether the step takes its `fields` for its options: `remove: [a, b]`."""
    return bool(component.load("steps", step).options_from(fields) == {"fields": fields})


def _scalar(value: Any) -> Any:
    """A value as the config writes it: a rule's text, `25s`, `16MiB`."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        return []
    if isinstance(value, dict):
        return {}
    text = getattr(value, "text", None)
    return text if isinstance(text, str) else str(value)


def _values(tree: Tree) -> Any:
    if isinstance(tree, Leaf):
        return tree.value
    if isinstance(tree, dict):
        return {key: _values(item) for key, item in tree.items()}
    return [_values(item) for item in tree]


def _leaves(tree: Tree, path: Path) -> Iterator[tuple[Path, Leaf]]:
    if isinstance(tree, Leaf):
        yield path, tree
        return
    items = tree.items() if isinstance(tree, dict) else ((str(index), item) for index, item in enumerate(tree))
    for key, item in items:
        yield from _leaves(item, (*path, key))


def _lines(tree: Tree, indent: int) -> Iterator[tuple[str, str]]:
    """Lines of YAML, each with the origin of its value."""
    space = " " * indent
    items = (
        tree.items() if isinstance(tree, dict) else ((None, item) for item in tree) if isinstance(tree, list) else ()
    )
    for key, item in items:
        head = f"{space}- " if key is None else f"{space}{yaml_scalar(key)}:"
        if isinstance(item, Leaf):
            yield f"{head}{'' if key is None else ' '}{yaml_scalar(item.value)}", str(item.origin)
        elif key is None:
            (first, origin), *rest = _lines(item, indent + 2)
            yield head + first.lstrip(), origin
            yield from rest
        else:
            yield head, ""
            yield from _lines(item, indent + 2)


def yaml_scalar(value: Any) -> str:
    """A scalar in YAML: plain where that reads back as the same text, else in double quotes."""
    if isinstance(value, str):
        return value if _may_be_plain(value) else _quoted(value)
    return json.dumps(value)


def _may_be_plain(text: str) -> bool:
    simple = all(character.isascii() and (character.isalnum() or character in "_-./+@") for character in text)
    return simple and text[:1].isalnum() and resolve_plain(text) == text


def _quoted(text: str) -> str:
    """In double quotes; what could drive a terminal is escaped (JSON's escapes are YAML's), `${` is kept literal."""
    escaped = json.dumps(text, ensure_ascii=False).replace("${", "$${")
    if escaped.isprintable():
        return escaped
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in escaped)
