"""What rules and templates are compiled to: pieces of Python's text, with references and values still to be named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from logrouter.documents import Document
from logrouter.facts import Facts, resolve
from logrouter.references import MISSING, OPAQUE, Field, Reference


class Constant(msgspec.Struct, frozen=True):
    """A function or a value that the text uses by a name."""

    value: Any


Code: TypeAlias = tuple[str | Reference | Constant, ...]


def joined(*parts: str | Reference | Constant | Code) -> Code:
    """One code of several. A plain tuple is code; references and constants are single parts."""
    pieces: list[Any] = []
    for part in parts:
        if type(part) is tuple:
            pieces.extend(part)
        else:
            pieces.append(part)
    return tuple(pieces)


def literal(value: Any) -> Code:
    """A literal of a rule: written out where that is short, so that Python can fold it."""
    if isinstance(value, int) and value.bit_length() > 64:
        return joined(Constant(value))
    return joined(repr(value))


def call(function: Callable[..., Any], *arguments: Code) -> Code:
    """The code of a call."""
    parts: list[Any] = [Constant(function), "("]
    for index, argument in enumerate(arguments):
        parts += [", " if index else "", *argument]
    return joined(tuple(parts), ")")


def render(code: Code, name: Callable[[Reference], str], constants: dict[str, object]) -> str:
    """The text, with each reference by its variable and each constant by the name that it is added under."""
    pieces: list[str] = []
    for part in code:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, Constant):
            pieces.append(_named(part.value, constants))
        else:
            pieces.append(name(part))
    return "".join(pieces)


def _named(value: Any, constants: dict[str, object]) -> str:
    stem = f"rule_{getattr(value, '__name__', 'constant').strip('_<>')}"
    name, number = stem, 1
    while constants.get(name, value) is not value:
        number += 1
        name = f"{stem}_{number}"
    constants[name] = value
    return name


Source: TypeAlias = Callable[[Callable[[Reference], str], dict[str, object]], str]
"""`Rule.source` and `Template.source`."""


def compile_reader(source: Source) -> Callable[[Document, Facts], Any]:
    """The slow way: a function of one event, which looks up each reference and works out the source."""
    constants: dict[str, object] = {"resolve": resolve, "MISSING": MISSING, "OPAQUE": OPAQUE}
    names: dict[Reference, str] = {}
    expression = source(lambda reference: names.setdefault(reference, f"value{len(names)}"), constants)
    lines = ["def reader(document, facts):"]
    for reference, variable in names.items():
        lines += [f"    {line}" for line in _binding(variable, reference, constants)]
    lines.append(f"    return {expression}")
    exec(
        compile("\n".join(lines), "<rule>", "exec"), constants
    )  # a user's text is in it only as what repr() made of literals
    reader: Callable[[Document, Facts], Any] = constants["reader"]  # type: ignore[assignment]
    return reader


def _binding(variable: str, reference: Reference, constants: dict[str, object]) -> list[str]:
    """The lines that give a variable what `resolve` would."""
    if isinstance(reference, Field) and len(reference.path) == 1:  # the commonest, without a call
        return [
            f"{variable} = document.get({reference.path[0]!r}, MISSING)",
            f"if {variable}.__class__ is dict: {variable} = OPAQUE",
        ]
    constants[f"reference_of_{variable}"] = reference
    return [f"{variable} = resolve(reference_of_{variable}, document, facts)"]
