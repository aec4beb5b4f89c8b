"""Parsers, steps, sinks and sources are found by the name of their file: there is no list to edit.

`logrouter/sinks/file.py` is the sink `file`. It holds `Config`, a frozen msgspec struct whose fields have
docstrings, and one subclass of its kind's base class.

Other packages add their own by entry points of the groups `logrouter.sinks`, `logrouter.steps`, `logrouter.parsers` and
`logrouter.sources`. These are looked for only where a config names what is not built in: finding them reads the
metadata of every package there is. A built-in component's name cannot be taken.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from logrouter.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = Literal["parsers", "sinks", "sources", "steps"]

_BASES = {"parsers": "Parser", "sinks": "Sink", "sources": "Source", "steps": "Step"}


@cache
def names(kind: Kind) -> tuple[str, ...]:
    """The built-in components of a kind, sorted."""
    files = os.listdir(os.path.join(os.path.dirname(__file__), kind))
    return tuple(sorted(name[:-3] for name in files if name.endswith(".py") and name[0] != "_"))


@cache
def plugins(kind: Kind) -> dict[str, EntryPoint]:
    """What other packages add to a kind, by name."""
    from importlib.metadata import entry_points  # 10 ms of the start, for those whose config names one

    found = {entry.name: entry for entry in entry_points(group=f"logrouter.{kind}")}
    return {name: found[name] for name in sorted(found) if name not in names(kind)}


def load_module(kind: Kind, name: str) -> ModuleType:
    """Import a component's file: one of `names` or `plugins`. Raises PluginError."""
    if name in names(kind):
        return import_module(f"logrouter.{kind}.{name}")
    entry = plugins(kind)[name]
    try:
        return import_module(entry.module)
    except Exception as error:
        raise PluginError(f"{_named(entry)} cannot be imported: {type(error).__name__}: {error}") from error


@cache
def load(kind: Kind, name: str) -> type[Any]:
    """A component's class: one of `names` or `plugins`. Raises PluginError.

    It is what the entry point names, or the one subclass of its kind's base class that the file defines.
    """
    module = load_module(kind, name)
    base_class = getattr(import_module(f"logrouter.{kind}"), _BASES[kind])
    if name not in names(kind):
        return _plugged(plugins(kind)[name], module, base_class)
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base_class) and value.__module__ == module.__name__
    )
    return found


def _plugged(entry: EntryPoint, module: ModuleType, base_class: type[Any]) -> type[Any]:
    found = getattr(module, entry.attr, None)
    if not (isinstance(found, type) and issubclass(found, base_class)):
        raise PluginError(f"{_named(entry)} is no subclass of {base_class.__module__}.{base_class.__name__}")
    return found


def _named(entry: EntryPoint) -> str:
    package = f" of the package {entry.dist.name}" if entry.dist is not None else ""
    return f"the plug-in {entry.name} = {entry.value}{package}"
