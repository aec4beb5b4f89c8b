"""One event as a document with what `include` adds, and its fields under flat names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from logrouter.documents import Document, Names, decode_document, decode_text
from logrouter.event import Flag
from logrouter.formats.include import Include

if TYPE_CHECKING:
    from logrouter.batch import Slice


def documents(part: Slice, include: Include) -> Iterator[Document]:
    """The events of a slice as documents, in order."""
    additions = {flags: include.additions(part, flags) for flags in set(part.flags)}
    for payload, flags in zip(part.payloads, part.flags, strict=True):
        yield include.add_to(document_of(payload, flags), additions[flags])


def document_of(payload: bytes, flags: int) -> Document:
    """The document of one event, whatever it takes."""
    if flags & Flag.JSON:
        try:
            return decode_document(payload)
        except (ValueError, RecursionError):  # it can be skipped but not read (nested too deep): show its text
            pass
    return decode_text(payload)


def flat_fields(
    document: Document, reserved: Collection[str], depth: int, clean: Callable[[str], str]
) -> dict[str, Any]:
    """The fields under names cleaned by `clean`, those of nested objects joined by dots, each name once.

    A key of the event that is such a name keeps it, as in a rule the literal dotted key comes first. What else comes
    to the same name, or to a reserved one, gets a number: `a.b#2`. Objects `depth` deep are left as they are.
    """
    names = Names([*reserved, *document])
    found: dict[str, Any] = {}
    for key, value in document.items():
        for name, leaf in _leaves(clean(key), value, depth, clean):
            found[name if name == key else names.unused(name)] = leaf
    return found


def _leaves(name: str, value: Any, depth: int, clean: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value and depth:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{clean(key)}", inner, depth - 1, clean)
    else:
        yield name, value
