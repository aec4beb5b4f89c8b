"""References written alone, as templates and the options of steps have them.

    level    http.status    user-agent    @timestamp    event["odd name"]    http["user-agent"].raw
    meta.stream    resource["service.name"]    resource.service.name    severity    time

A rule is read by Python's grammar instead, which takes the same but for hyphens and `@`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from logrouter.errors import ExpressionError, did_you_mean
from logrouter.event import ATTRIBUTES
from logrouter.references import Field, Meta, Reference, Resource, Severity, Time

_ROOTS: Final = {"event": 'event["name"]', "meta": "meta.stream", "resource": 'resource["service.name"]'}
_ALONE: Final[Mapping[str, Reference]] = {"severity": Severity(), "time": Time()}
_PART = r"""(?P<dot>\.?)\s*(?P<word>[@\w][\w@-]*)|\[\s*(?P<quoted>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*\]"""


class Part(msgspec.Struct, frozen=True):
    """One part of a name, and where it stands."""

    name: str
    column: int
    quoted: bool


def parse_reference(text: str) -> Reference:
    """Raises ExpressionError at the character that is wrong."""
    stripped = text.strip()
    if not stripped:
        raise ExpressionError("expected the name of a field", text)
    return reference_of(list(_parts(text, text.index(stripped), len(text.rstrip()))), text)


def _parts(text: str, start: int, end: int) -> Iterator[Part]:
    position = start
    while position < end:
        match = re.compile(_PART).match(text, position, end)
        if match is None or (match["word"] is not None and bool(match["dot"]) is (position == start)):
            problem = f"expected a field such as http.status, not {text[position:end][:40]!r}"
            raise ExpressionError(problem, text, position, 'odd names are quoted: event["odd name"]')
        quoted = match["word"] is None
        yield Part(_unquoted(match["quoted"]) if quoted else match["word"], position, quoted)
        position = match.end()


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def reference_of(parts: list[Part], text: str) -> Reference:
    """What a name means. Raises ExpressionError where it means nothing."""
    root, *rest = parts
    if root.quoted:
        raise ExpressionError("expected a name before the bracket", text, root.column, f'write event["{root.name}"]')
    if not rest and root.name in _ALONE:
        return _ALONE[root.name]
    if root.name not in _ROOTS:
        return Field(tuple(part.name for part in parts))
    if not rest:
        hint = f"name what you mean: {_ROOTS[root.name]}"
        raise ExpressionError(f"{root.name} alone has no value", text, root.column, hint)
    names = tuple(part.name for part in rest)
    if root.name == "resource":
        return Resource(".".join(names))
    if root.name == "meta":
        return _attribute(rest, text)
    if not rest[0].quoted:
        dotted = ".".join(names)
        hint = f'a field is written {dotted}, or event["event"].{dotted} where it is inside a field `event`'
        raise ExpressionError("event takes a name in brackets", text, rest[0].column, hint)
    return Field(names)


def _attribute(parts: list[Part], text: str) -> Meta:
    """Raises ExpressionError for one that no event can have: the event may have a field `meta`, which is another."""
    name = parts[0].name
    if name in ATTRIBUTES and len(parts) == 1:
        return Meta(name)
    hint = f"a field is written {Field(('meta', *(part.name for part in parts)))}"
    if name in ATTRIBUTES:
        raise ExpressionError("an attribute has one name", text, parts[1].column, f"did you mean meta.{name}? {hint}")
    known = did_you_mean(name, ATTRIBUTES) or f"there are {', '.join(ATTRIBUTES)}; {hint}"
    raise ExpressionError(f"there is no attribute {name!r}", text, parts[0].column, known)
