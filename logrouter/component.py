"""Steps, sinks and sources are found by the name of their file: there is no list to edit.

`logrouter/sinks/file.py` is the sink `file`. It holds `Config`, a frozen msgspec struct whose fields have
docstrings, and one subclass of its kind's base class.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

Kind = Literal["sinks", "sources", "steps"]


@cache
def names(kind: Kind) -> tuple[str, ...]:
    """The components of a kind, sorted."""
    folder = Path(__file__).parent / kind
    return tuple(sorted(module.name for module in pkgutil.iter_modules([str(folder)]) if module.name[0] != "_"))


def load_module(kind: Kind, name: str) -> ModuleType:
    """Import a component's file. The name must be one of `names(kind)`."""
    return import_module(f"logrouter.{kind}.{name}")


@cache
def load(kind: Kind, name: str) -> type[Any]:
    """A component's class: the one subclass of its kind's base class that its file defines."""
    module = load_module(kind, name)
    base = {"sinks": "Sink", "sources": "Source", "steps": "Step"}[kind]
    base_class = getattr(import_module(f"logrouter.{kind}"), base)
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base_class) and value.__module__ == module.__name__
    )
    return found
