"""What tells events apart for a step that counts them: the text of a field, an attribute or a template.

client               a field: its text; a number, a list or an object as JSON has it
meta.source          an attribute
"{client} {path}"    a template
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from logrouter.documents import Document, encode_value
from logrouter.facts import Facts, value_of
from logrouter.references import MISSING, Reference
from logrouter.rules import parse_reference
from logrouter.templates import Template

KeyOf = Callable[[Document, Facts], "str | None"]
"""Gives the key of an event; None where it has no such field, or nothing in it."""

_LONGEST: Final = 64
"""Characters of a key that are kept as they are: of longer ones, which anybody may send, a hash is kept."""


def key_of(text: str) -> tuple[KeyOf, Template | None]:
    """What gives the key that a config names, and the template if it is one. Raises ExpressionError."""
    if "{" in text or "}" in text:
        template = Template.parse(text)
        return (lambda document, facts: shortened(template.render(document, facts))), template
    return _of_reference(parse_reference(text)), None


def _of_reference(reference: Reference) -> KeyOf:
    def key(document: Document, facts: Facts) -> str | None:
        value = value_of(reference, document, facts)
        return None if value is MISSING or value is None or value == "" else shortened(text_of(value))

    return key


def text_of(value: Any) -> str:
    """A string itself, all else as compact JSON."""
    return value if isinstance(value, str) else encode_value(value).decode()


def shortened(text: str) -> str:
    """The text, or what stands for it where it is long: 32 hexadecimal digits, the same for no other text."""
    if len(text) <= _LONGEST:
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
