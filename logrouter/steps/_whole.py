"""What tells whole events apart: all that they hold but their time and what is ignored, and where they come from.

`of` reads the parsed document, and is the definition. `of_all` gives the same for many events at once and parses few of
them where they repeat: those whose bytes are alike, but for a field at the top that does not matter, are one event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from hashlib import blake2b
from typing import Final

from logrouter import times
from logrouter.documents import Document, encode_document, encode_sorted, read_document
from logrouter.event import Attributes, Flag
from logrouter.facts import Facts
from logrouter.references import parent_and_key
from logrouter.steps._paths import Path, field_paths

_OF_MOMENTS: Final = ("written", "partial", "invalid_utf8", "parse_error", "step_failed")
"""Attributes of an event alone, not of the place that it comes from."""
_SCALAR: Final = rb'(?:"[^"\\]*"|[^" {}\[\],][^"{}\[\],]*)'
"""A value that ends where the next comma or brace stands: then what follows is at the top still. It begins with no
blank, which stands before it: there must be one way to match it, or many values without a time would take for ever."""


_ESCAPED: Final = frozenset('"\\')
"""A name with one of these is written in JSON as it is not."""


class Whole:
    """Gives the key of an event: 32 hexadecimal digits, the same for no other event."""

    def __init__(self, ignore: Sequence[str]) -> None:
        """`ignore`: fields that do not matter beside the time. Raises ValueError."""
        paths = [*(field.path for field in times.FIELDS), *field_paths(ignore, "ignored")]
        self._names = frozenset(path[0] for path in paths if len(path) == 1)
        self._paths: list[Path] = [path for path in paths if len(path) > 1]
        self._attributes: Attributes | None = None
        self._place = b""
        written = [name for name in sorted(self._names) if not _ESCAPED.intersection(name)]
        names = b"|".join(re.escape(name.encode()) for name in written)
        members = rb'\{(?:"[^"\\]*": ?%b, ?)*?' % _SCALAR
        self._member = re.compile(rb'(%b)"(?:%b)": ?%b(?:, ?)?' % (members, names, _SCALAR))
        """One that does not matter, and what stands before it."""
        self._members = 1 + len(self._names) - len(times.FIELDS)
        """So many of them an event has, as most have one time."""

    def of(self, document: Document, facts: Facts) -> str:
        """The key of one event. Raises ValueError where a text holds half a character."""
        if facts.attributes is not self._attributes:
            self._attributes = facts.attributes
            place = {name: value for name, value in facts.attributes.items() if name not in _OF_MOMENTS}
            self._place = encode_document(place)
        rest = {name: value for name, value in document.items() if name not in self._names}
        if any(parent_and_key(rest, path) for path in self._paths):
            rest = self._without_nested(rest)
        return blake2b(encode_sorted(rest) + self._place, digest_size=16).hexdigest()

    def of_all(self, payloads: Sequence[bytes], flags: bytes | bytearray, facts: Facts) -> Iterator[str | Exception]:
        """The keys of events that came together from one place; of one that cannot be read or written, why."""
        known: dict[tuple[int, bytes], str | Exception] = {}
        for payload, flag in zip(payloads, flags, strict=True):
            bare = flag, self._bare(payload) if flag & Flag.JSON else payload
            key = known.get(bare)
            if key is None:
                try:
                    key = self.of(read_document(payload, flag), facts)
                except (ValueError, RecursionError) as error:
                    key = error
                known[bare] = key
            yield key

    def _bare(self, payload: bytes) -> bytes:
        """A JSON object without what does not matter, as far as it is seen: the same for none with another key."""
        for _ in range(self._members):
            found = self._member.match(payload)
            if found is None:
                break
            payload = payload[: found.end(1)] + payload[found.end() :]
        return payload

    def _without_nested(self, document: Document) -> Document:
        rest = deepcopy(document)
        for path in self._paths:
            while found := parent_and_key(rest, path):
                del found[0][found[1]]
        return rest
