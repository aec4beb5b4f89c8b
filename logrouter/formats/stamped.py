"""JSON objects that tell their time under `@timestamp`, where Kibana, Grafana and data streams look for it.

    {"a":1}                     {"@timestamp":"2026-11-29T16:45:33.120Z","a":1}
    plain text                  {"@timestamp":"2026-11-29T16:45:33.120Z","message":"plain text"}
    {"@timestamp":"…","a":1}    as it is; null counts as nothing

The time is spliced in before the first key, so that nothing is parsed. Only an event that may have the key itself is
looked into: `Slice.collides` tells which, as the key is one of the sink's `included_keys`.

Measured on one core, 280-byte events: 0.25 µs an event; 0.4 µs more for one that has its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from logrouter.documents import NOT_JSON, decode_document, encode_document
from logrouter.formats.include import Include
from logrouter.formats.ndjson import json_objects

if TYPE_CHECKING:
    from logrouter.sinks import Slice

TIMESTAMP: Final = "@timestamp"
_BLANKS = b" \t\r"


class _Own(msgspec.Struct, rename={"stamp": TIMESTAMP}):
    """What is read of an event that may have the key. All else is skipped."""

    stamp: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_own = msgspec.json.Decoder(_Own).decode


def stamped_objects(part: Slice, include: Include, stamps: list[str] | str) -> list[bytes]:
    """All events of a slice as JSON objects with what `include` adds and, where they have none, their time.

    `stamps`: the time of each event, or of all, as text that JSON takes as it is.
    """
    # What collides without `include` has nothing but the time itself, and need not be taken apart.
    objects = json_objects(part if include else msgspec.structs.replace(part, collides=None), include)
    texts = [stamps] * len(objects) if isinstance(stamps, str) else stamps
    stamped = _stamped(objects, list(map(str.encode, texts)))
    if part.collides is None:
        return stamped
    collisions = zip(part.collides, objects, stamped, texts, strict=True)
    return [_own_or(plain, other, text) if collides else other for collides, plain, other, text in collisions]


def _stamped(objects: list[bytes], stamps: list[bytes]) -> list[bytes]:
    if {plain[:2] for plain in objects} == {b'{"'}:  # nothing before the first key, and there is one
        return [b'{"@timestamp":"%b",%b' % (stamp, plain[1:]) for plain, stamp in zip(objects, stamps, strict=True)]
    return [_stamp(plain, stamp) for plain, stamp in zip(objects, stamps, strict=True)]


def _stamp(plain: bytes, stamp: bytes) -> bytes:
    rest = plain.lstrip(_BLANKS)[1:].lstrip(_BLANKS)
    return b'{"@timestamp":"%b"%b%b' % (stamp, b"" if rest.startswith(b"}") else b",", rest)


def _own_or(plain: bytes, stamped: bytes, stamp: str) -> bytes:
    """The event as it is where it has a time of its own, else `stamped`."""
    try:
        own = _decode_own(plain).stamp
    except NOT_JSON:  # the destination will say what it thinks of it
        return plain
    if own is msgspec.UNSET:
        return stamped
    if bytes(own) != b"null":
        return plain
    try:
        return encode_document({**decode_document(plain), TIMESTAMP: stamp})
    except (ValueError, RecursionError):  # nested so deep that it can just be read
        return plain
