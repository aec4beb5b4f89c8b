"""What a rule, a template or a step may read of an event, and how the slow way finds it.

    level, http.status, event["odd-name"]     a field of the event
    meta.stream                               an attribute
    resource["service.name"]                  a static attribute of this process
    severity                                  the normalised level

A dotted field reaches a literal dotted key first (`"log.level"`, as ECS writes it), then nested objects;
between the two, longer literal keys come before shorter ones. `projection.py` does the same in C.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from logrouter.documents import Document

MISSING: Final = msgspec.UNSET
"""The value of what is not there. JSON null is None, and is there."""


class Opaque(msgspec.Struct, frozen=True):
    """Stands for a nested object: rules can tell that it is there, and that it is like nothing else."""


OPAQUE: Final = Opaque()


_ROOTS: Final = ("event", "meta", "resource", "severity", "time")
"""Names that mean something else than a field."""


_WORD = r"\w[\w-]*"
"""What `rules/naming.py` takes without quotes, and a little less."""


def _is_plain(name: str) -> bool:
    return name.replace("-", "_").isidentifier() and re.fullmatch(_WORD, name) is not None


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


# Not tuples: those are equal where their values are, and `meta.x` would be `resource["x"]`.
class Field(msgspec.Struct, frozen=True):
    """A field of the event. `path` has one name where the name was quoted, else one per dot."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        plain = all(map(_is_plain, self.path)) and self.path[0] not in _ROOTS
        return ".".join(self.path) if plain else "event" + "".join(f'["{_escaped(part)}"]' for part in self.path)


class Meta(msgspec.Struct, frozen=True):
    """An attribute of the chunk or a flag of the event, named without its `meta.`."""

    name: str

    def __str__(self) -> str:
        return f"meta.{self.name}"


class Resource(msgspec.Struct, frozen=True):
    """A static attribute of this process."""

    name: str

    def __str__(self) -> str:
        return f'resource["{_escaped(self.name)}"]'


class Severity(msgspec.Struct, frozen=True):
    """The normalised level: an int on the scale of `severity.py`, or MISSING."""

    def __str__(self) -> str:
        return "severity"


class Time(msgspec.Struct, frozen=True):
    """When the event happened: int nanoseconds since 1970, from its own time field, else when written or received."""

    def __str__(self) -> str:
        return "time"


MOMENTS: Final = (Meta("received"), Meta("written"))
"""Attributes that are times: int nanoseconds since 1970."""

Reference: TypeAlias = Field | Meta | Resource | Severity | Time


def lookup(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The value at a path: the literal dotted key first, then nested. MISSING where there is none."""
    for taken in range(len(path), 0, -1):
        value = document.get(path[0] if taken == 1 else ".".join(path[:taken]), MISSING)
        if value is MISSING:
            continue
        if taken == len(path):
            return value
        if isinstance(value, dict):
            value = lookup(value, path[taken:])
            if value is not MISSING:
                return value
    return MISSING


def parent_and_key(document: Document, path: tuple[str, ...]) -> tuple[Document, str] | None:
    """The object that holds the value which `lookup` finds, and its key there; None where there is none."""
    for taken in range(len(path), 0, -1):
        key = ".".join(path[:taken])
        value = document.get(key, MISSING)
        if value is MISSING:
            continue
        if taken == len(path):
            return document, key
        if isinstance(value, dict):
            found = parent_and_key(value, path[taken:])
            if found is not None:
                return found
    return None
