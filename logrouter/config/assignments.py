"""What variables and flags do to the document: assignments, done one after the other, the later one wins.

LOGROUTER_SINK_ES=URL                (sinks, es)           replaces the sink
LOGROUTER_SINK_ES__MATCH=RULE        (sinks, es, match)    sets one option of it
--set spool.memory=32MiB             (spool, memory)
LOGROUTER_STEPS='[…]'                (steps)               comes after the steps of the files
"""

from __future__ import annotations

import msgspec

from logrouter.config.files import LISTS, Document, flatten
from logrouter.config.mistakes import Mistakes
from logrouter.config.nodes import Node, Path
from logrouter.config.yaml_nodes import parse_yaml


class Assignment(msgspec.Struct, frozen=True):
    """A variable or a flag: what it sets, and to what."""

    path: Path
    node: Node


def assign(document: Document, assignment: Assignment, mistakes: Mistakes) -> Document:
    """The document with one value set. It is not changed: nodes are shared."""
    section, *rest = assignment.path
    node = assignment.node
    old = document.get(section)
    if section in LISTS:
        items = old.value + node.value if old else node.value
        return {**document, section: Node(items, old.origin if old else node.origin)}
    if section == "resource":
        added = {".".join(rest): node} if rest else flatten(node)
        return {**document, section: Node({**(old.value if old else {}), **added}, node.origin)}
    set_node = _set(old, rest, node, mistakes, is_component=False, depth=1 if section in _NAMED else 9)
    return {**document, section: set_node}


_NAMED = ("sinks", "sources")


def _set(old: Node | None, path: list[str], node: Node, mistakes: Mistakes, *, is_component: bool, depth: int) -> Node:
    """`old` with `path` in it set to `node`. `depth` counts down to where a component stands."""
    if not path:
        return node
    keys = _keys_of(old, is_component, mistakes)
    first, *rest = path
    keys[first] = _set(keys.get(first), rest, node, mistakes, is_component=depth == 1, depth=depth - 1)
    return Node(keys, old.origin if old else node.origin)


def _keys_of(old: Node | None, is_component: bool, mistakes: Mistakes) -> dict[str, Node]:
    """The keys that a node has, copied. A component written as a URL has one: `url`."""
    if old is None:
        return {}
    if is_component and old.is_scalar and old.value is not None and not is_mapping_text(old):
        return {"url": old}
    mapping = parse_text(old, mistakes) if old.style == "text" and old.is_scalar else old
    return dict(mapping.value) if mapping and isinstance(mapping.value, dict) else {}


def is_mapping_text(node: Node) -> bool:
    """Whether a variable holds a mapping in YAML: no URL begins like one."""
    return node.style == "text" and isinstance(node.value, str) and node.value.lstrip().startswith("{")


def parse_text(node: Node, mistakes: Mistakes) -> Node | None:
    """A variable's or a flag's value as YAML, for options that are lists or mappings."""
    return parse_yaml(node.value, node.origin.place, mistakes)
