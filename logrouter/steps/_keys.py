"""What tells events apart for a step that counts them: the text of a field, an attribute or a template.

client               a field: its text; a number, a list or an object as JSON has it
meta.source          an attribute
"{client} {path}"    a template
[client, path]       a list of these: all of them together

There are two ways to a key, which give the same: `of` reads the parsed document, and is the definition; `source` is a
Python expression over what the rows of a chunk say, for `compiling.py`. Rows do not hold objects: where the value is
one, the expression raises `NeedsDocument`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Final, Self, TypeAlias

from logrouter.documents import Document, encode_value
from logrouter.errors import each
from logrouter.facts import Facts, value_of
from logrouter.references import MISSING, Opaque, Reference
from logrouter.rules import parse_reference
from logrouter.templates import Template

By: TypeAlias = str | tuple[str, ...]
"""The option `by`: a field, an attribute or a template, or a list of these."""

_LONGEST: Final = 64
"""Characters of a key that are kept as they are: of longer ones, which anybody may send, a hash is kept."""
BETWEEN: Final = "\0"
"""What stands in a key between its parts."""
NOT: Final = bytes(not byte for byte in range(256))
"""Turns a byte an event, 1 for those that are meant, into 1 for the others: see `bytes.translate`."""


class NeedsDocument(Exception):
    """A row does not tell the key: it is that of an object."""


class Key:
    """Gives the key of an event; None where it has no such field, or nothing in it."""

    def __init__(self, parts: Sequence[Reference | Template], *, whole: bool = False) -> None:
        """Of several parts: events that are alike in all of them have the same, None those that have nothing in any.
        `whole`: long keys are kept as they are."""
        self._parts = parts
        self._shortened = _unchanged if whole else shortened
        self._longest = None if whole else _LONGEST
        self.templates = tuple(part for part in parts if isinstance(part, Template))
        self.references: frozenset[Reference] = frozenset().union(
            *(part.references if isinstance(part, Template) else (part,) for part in parts)
        )
        """All that it reads."""

    @classmethod
    def parse(cls, by: By, *, whole: bool = False) -> Self:
        """The key that a config names. Raises ValueError."""
        if not by:
            raise ValueError("by: expected a field, an attribute or a template, or a list of these")
        return cls(each(_part_of, (by,) if isinstance(by, str) else by), whole=whole)

    def of(self, document: Document, facts: Facts) -> str | None:
        """The key of one event."""
        return self._joined(
            *(
                part.render(document, facts) if isinstance(part, Template) else value_of(part, document, facts)
                for part in self._parts
            )
        )

    def source(self, name: Callable[[Reference], str], constants: dict[str, object]) -> str:
        """The same as a Python expression, as `Rule.source` is one: what is usual is told without a call."""
        names, templates, texts = [], [], []
        for number, part in enumerate(self._parts):
            if isinstance(part, Template):
                names.append(f"key_{number}")
                templates.append(f"(key_{number} := {part.source(name, constants)}).__class__ is str")  # which it is
            else:
                names.append(name(part))
                texts.append(f"{names[-1]}.__class__ is str")
        constants["joined_key"] = partial(_of_rows, self._joined)
        usual = [*templates, *texts, names[0]]
        if self._longest is not None:
            length = " + ".join(f"len({each})" for each in names)
            usual.append(f"{length} <= {self._longest - len(names) + 1}")
        text = names[0] if len(names) == 1 else 'f"' + "\\0".join(f"{{{each}}}" for each in names) + '"'
        return f"({text} if {' and '.join(usual)} else joined_key({', '.join(names)}))"

    def _joined(self, *values: Any) -> str | None:
        """The key, from what the parts have found."""
        parts = [self._part(value) for value in values]
        if len(parts) == 1:
            return parts[0] if parts[0] is not None or not self.templates else ""
        return self._shortened(BETWEEN.join(part or "" for part in parts)) if any(parts) else None

    def _part(self, value: Any) -> str | None:
        return None if value is MISSING or value is None or value == "" else self._shortened(text_of(value))


def _part_of(text: str) -> Reference | Template:
    return Template.parse(text) if "{" in text or "}" in text else parse_reference(text)


def _of_rows(joined: Callable[..., str | None], *values: Any) -> str | None:
    """The key, from what a row says of the parts. Raises NeedsDocument."""
    if any(isinstance(value, Opaque) for value in values):
        raise NeedsDocument
    return joined(*values)


def text_of(value: Any) -> str:
    """A string itself, all else as compact JSON."""
    return value if isinstance(value, str) else encode_value(value).decode()


def shortened(text: str) -> str:
    """The text, or what stands for it where it is long: 32 hexadecimal digits, the same for no other text."""
    if len(text) <= _LONGEST:
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _unchanged(text: str) -> str:
    return text
