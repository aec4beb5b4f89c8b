"""What the annotation of an option says: which kinds of values it may have."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from logrouter.config.nodes import Node
from logrouter.values import Secret

LISTS = (list, tuple, Sequence, frozenset, set)
MAPPINGS = (dict, Mapping)


@cache
def fields_of(struct: Any) -> dict[str, FieldInfo]:
    """A struct's fields by the names they have in the config."""
    return {field.encode_name: field for field in msgspec.structs.fields(struct)}


def rank_of(node: Node, kind: Any) -> int:
    """Where a union's member is tried: what has the node's shape first, then the narrower types."""
    origin = get_origin(kind) or kind
    is_mapping = origin in MAPPINGS or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))
    if is_mapping or origin in LISTS:
        if isinstance(node.value, dict if is_mapping else list):
            return 0
        if node.style == "text" and isinstance(node.value, str):
            return 0 if node.value[:1] == ("{" if is_mapping else "[") else 9
    if origin is Literal and node.text in get_args(kind):
        return 1  # a word that means something else than the same word as a template
    if hasattr(kind, "parse"):
        return 2
    narrowness = {bool: 1, int: 3, float: 4, Literal: 5, str: 6}
    return narrowness.get(origin, 7)


def other_words(members: Sequence[Any]) -> str | None:
    """The words that a union allows besides."""
    words = [str(word) for member in members if get_origin(member) is Literal for word in get_args(member)]
    return f"or {', '.join(words)}" if words else None


def members_of(kind: Any) -> tuple[Any, ...]:
    """Of a union; any other type is its own only one."""
    return get_args(kind) if get_origin(kind) is Union or isinstance(kind, types.UnionType) else (kind,)


def is_secret(kind: Any) -> bool:
    """Whether all its values are secret: `Secret`, `Secret | None`."""
    members = [member for member in members_of(kind) if member is not type(None)] or [kind]
    return all(isinstance(member, type) and issubclass(member, Secret) for member in members)
