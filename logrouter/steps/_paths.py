"""Fields as places to write to: how steps find, make and empty them.

A name in a step means what it means in a rule: a literal dotted key first, then nested objects. Two words that
are more than a field in a rule are just fields here: `time`, and, where a step only moves or removes, `severity`.
"""

from __future__ import annotations

from collections.abc import Iterable

from logrouter.documents import Document
from logrouter.errors import ExpressionError, each
from logrouter.references import Field, Meta, Resource, Severity, parent_and_key
from logrouter.rules import parse_reference
from logrouter.steps import StepFailed

Path = tuple[str, ...]


class PathError(StepFailed):
    """A field cannot be written in this event, as something that is no object stands in its way."""


def field_path(text: str, done: str) -> Path:
    """The path of a field that a step changes. `done` says what is done to it: "set", "removed".

    Raises ExpressionError for what is no field of the event.
    """
    match parse_reference(text):
        case Field(path):
            return path
        case Meta() | Resource():
            problem = f"{text} cannot be {done}: it is no field of the event"
            raise ExpressionError(problem, text, 0, f'a field of that name is written event["{text}"]')
        case reference:  # severity and time
            return (str(reference),)


def field_paths(texts: Iterable[str], done: str) -> list[Path]:
    """The same of several. Raises ExpressionError, or SeveralErrors."""
    return each(lambda text: field_path(text, done), texts)


def settable_path(text: str) -> Path:
    """The path of a field to set: not `severity`, which is found in the event's level and cannot be set itself.

    Raises ExpressionError.
    """
    if isinstance(parse_reference(text), Severity):
        hint = 'set level, or a field of that name: event["severity"]'
        raise ExpressionError("severity cannot be set: it is read from the event's level", text, 0, hint)
    return field_path(text, "set")


def check_apart(paths: Iterable[Path]) -> None:
    """Raise ValueError where one of the fields to write is another, or is inside another."""
    seen: list[str] = []
    for path in paths:
        name = ".".join(path)
        for other in seen:
            if name == other:
                raise ValueError(f"{name} is written twice")
            if name.startswith(f"{other}.") or other.startswith(f"{name}."):
                outer, inner = sorted((name, other), key=len)
                raise ValueError(f"{inner} is inside {outer}, and both are written")
        seen.append(name)


def put(document: Document, path: Path, value: object) -> None:
    """Set a field: where it is, else in the nearest object on its way, making those that are missing.

    Raises PathError, with nothing changed, where something on the way is no object.
    """
    holder, rest = _reach(document, path)
    for name in rest[:-1]:
        inner: Document = {}
        holder[name] = inner
        holder = inner
    holder[rest[-1]] = value


def _reach(document: Document, path: Path) -> tuple[Document, Path]:
    """The innermost object that is there already, and the names that lead from it to the field."""
    found = parent_and_key(document, path)
    if found is not None:
        return found[0], (found[1],)
    for taken in range(len(path) - 1, 0, -1):
        key = ".".join(path[:taken])
        if key in document:
            inner = document[key]
            if not isinstance(inner, dict):
                raise PathError(f"{'.'.join(path)} cannot be set: {key} is no object")
            return _reach(inner, path[taken:])
    return document, path


def keys_to(document: Document, path: Path) -> Path | None:
    """The keys that lead to the value which `references.lookup` finds; None where there is none."""
    for taken in range(len(path), 0, -1):
        key = ".".join(path[:taken])
        if key not in document:
            continue
        if taken == len(path):
            return (key,)
        inner = document[key]
        if isinstance(inner, dict) and (rest := keys_to(inner, path[taken:])) is not None:
            return (key, *rest)
    return None
