"""What a sink adds to its events: the `include` option, compiled.

Keys are added as flat, dotted ones: `"meta.stream":"stdin","service.name":"checkout"`. What is added is the same
for all events of a slice, but for the marks of single events (`meta.partial` …).

An event may have such a key itself. `meta.…` is logrouter's word, which no line can forge: the event's own key is
replaced, or removed where there is nothing to say (no `meta.partial` on a whole line). A key of `resource` is a
default: an app that writes its own `service.name` knows better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from logrouter import times
from logrouter.documents import Document, encode_document
from logrouter.errors import did_you_mean, nearest_or_all
from logrouter.event import ATTRIBUTES, MARKS, Attributes, Flag, flag_attributes

if TYPE_CHECKING:
    from logrouter.batch import Slice

PLAIN_JSON, PLAIN_TEXT, OWN_WAY = 0, 1, 2
"""How an event is turned into JSON: passed through with a suffix, quoted with a suffix, or taken apart."""

_META_PREFIX: Final = "meta."

Additions = Mapping[str, str | int | bool]


class Include:
    """Which attributes and resource keys are added. Falsy where there are none."""

    def __init__(self, names: Sequence[str] = (), resource: Mapping[str, str] | None = None) -> None:
        """Raises ValueError for a name that is neither an attribute nor in `resource`."""
        _refuse_misspelt(names)
        self._resource = _wanted_resource(names, resource or {})
        self._every_attribute = "meta" in names
        self._attributes = frozenset(name.removeprefix(_META_PREFIX) for name in names if name.startswith(_META_PREFIX))
        known = ATTRIBUTES if self._every_attribute else sorted(self._attributes)
        self.keys: tuple[str, ...] = (*(f"meta.{name}" for name in known), *self._resource)
        """Every key that it may add."""
        self.reserved = frozenset(key for key in self.keys if key.startswith(_META_PREFIX))
        """Those that no event can have of its own."""
        self.kinds: bytes = self._kinds()
        """For `bytes.translate`: the kind of an event with these flags."""
        self._tail_of: tuple[Attributes, int] | None = None
        self._tail = b"}"

    def __bool__(self) -> bool:
        return bool(self.keys)

    def additions(self, part: Slice, flags: int = 0) -> Additions:
        """What is added to an event of the slice that has these flags."""
        if not self.keys:
            return {}
        attributes = {**part.attributes, "received": times.format_rfc3339(part.received_ns), **flag_attributes(flags)}
        if "written" in part.attributes:
            attributes["written"] = times.format_rfc3339(part.time_ns)
        added = {f"meta.{name}": value for name, value in attributes.items() if self._adds(name)}
        return {**added, **self._resource}

    def add_to(self, document: Document, additions: Additions) -> Document:
        """Add to an event's document, in place: the slow way, which is the definition."""
        for key in self.reserved:
            document.pop(key, None)
        for key, value in additions.items():
            if key.startswith(_META_PREFIX):
                document[key] = value
            else:
                document.setdefault(key, value)
        return document

    def tail(self, part: Slice) -> bytes:
        """What replaces the closing brace of an event without marks: `,"meta.stream":"stdin"}`."""
        if not self.keys:
            return b"}"
        # Most slices share their attributes with the one before: the same object, as attributes never change.
        received_ns = part.received_ns if self._adds("received") else 0
        if self._tail_of is None or self._tail_of[0] is not part.attributes or self._tail_of[1] != received_ns:
            additions = self.additions(part)
            self._tail = b"," + encode_document(dict(additions))[1:] if additions else b"}"
            self._tail_of = part.attributes, received_ns
        return self._tail

    def kinds_of(self, part: Slice) -> bytes:
        """The kind of each event."""
        kinds = part.flags.translate(self.kinds)
        if part.collides is None:
            return kinds
        return bytes([OWN_WAY if collides else kind for kind, collides in zip(kinds, part.collides, strict=True)])

    def _adds(self, name: str) -> bool:
        return self._every_attribute or name in self._attributes

    def _kinds(self) -> bytes:
        marked = sum(bits for name, bits in MARKS.items() if self._adds(name))
        text = OWN_WAY if "message" in self.keys else PLAIN_TEXT
        return bytes(OWN_WAY if flags & marked else PLAIN_JSON if flags & Flag.JSON else text for flags in range(256))


def _refuse_misspelt(names: Sequence[str]) -> None:
    known = [f"meta.{name}" for name in ATTRIBUTES]
    for name in names:
        if name.startswith("meta.") and name not in known:
            hint = nearest_or_all(name, known)
            raise ValueError(f"include: there is no attribute {name!r} ({hint})")


def _wanted_resource(names: Sequence[str], resource: Mapping[str, str]) -> dict[str, str]:
    if "resource" in names:
        return dict(resource)
    wanted = [name for name in dict.fromkeys(names) if name != "meta" and not name.startswith("meta.")]
    for name in wanted:
        if name not in resource:
            hint = did_you_mean(name, ["meta", "resource", *resource]) or "attributes begin with meta."
            raise ValueError(f"include: {name!r} is not in `resource` ({hint})")
    return {name: resource[name] for name in wanted}
