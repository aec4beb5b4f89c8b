"""JSON objects that tell their time under `@timestamp`, where Kibana, Grafana and data streams look for it.

    {"a":1}                     {"@timestamp":"2026-11-29T16:45:33.120Z","a":1}
    plain text                  {"@timestamp":"2026-11-29T16:45:33.120Z","message":"plain text"}
    {"@timestamp":"…","a":1}    as it is; null counts as nothing

The time is spliced in before the first key, so that nothing is parsed. Only an event that may have the key itself is
looked into: `Slice.collides` tells which, as the key is one of the sink's `included_keys`.

A body is joined once, of small pieces: to make a whole object of each event first would take twice as long.

    before     stamp                                         rest
    {"create"  ⏎{"@timestamp":"2026-11-29T16:45:33.120Z",    "a":1}   ⏎
    ╰──────────╴ one, if the same line is before all ╶──╯

Measured on one core, 280-byte events: 0.3 µs an event, joined; 0.7 µs more for one that has its own time.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import msgspec

from logrouter.documents import NOT_JSON, decode_document, encode_document
from logrouter.formats.include import Include
from logrouter.formats.ndjson import json_objects

if TYPE_CHECKING:
    from logrouter.batch import Slice

TIMESTAMP: Final = "@timestamp"
_OPENING = '\n{"@timestamp":"'
_CLOSING = '",'
_PARTED = "\0"
"""At which texts that were joined are parted again: no time holds it."""
_REST = itemgetter(slice(1, None))
_QUOTE = ord('"')
_BLANKS = b" \t\r"


class _Own(msgspec.Struct, rename={"stamp": TIMESTAMP}):
    """What is read of an event that may have the key. All else is skipped."""

    stamp: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_own = msgspec.json.Decoder(_Own).decode


def stamped_pieces(part: Slice, include: Include, before: list[bytes] | bytes, texts: Sequence[str]) -> list[bytes]:
    """All events of a slice as objects with what `include` adds and their time, which is given as RFC 3339.

    Joined, the pieces are two lines for each event: the one that comes before it, or before all, and its own.
    """
    # What collides without `include` has nothing but the time itself, and need not be taken apart.
    objects = json_objects(part if include else msgspec.structs.replace(part, collides=None), include)
    rests = map(_REST, objects)
    odd = [(place, _stamped(objects[place], texts[place].encode())) for place in _odd_places(objects, part.collides)]
    if isinstance(before, bytes):
        pieces = [b"\n"] * (2 * len(objects) + 1)
        pieces[0:-1:2], pieces[1::2] = _stamps(f"\n{before.decode()}{_OPENING}", texts), rests
        for place, plain in odd:
            pieces[2 * place : 2 * place + 2] = [b"\n%b\n" % before, plain]
        pieces[0] = pieces[0][1:]
        return pieces
    pieces = [b"\n"] * (4 * len(objects))
    pieces[0::4], pieces[1::4], pieces[2::4] = before, _stamps(_OPENING, texts), rests
    for place, plain in odd:
        pieces[4 * place + 1 : 4 * place + 3] = [b"\n", plain]
    return pieces


def _stamps(opening: str, texts: Sequence[str]) -> list[bytes]:
    """Each time with what stands before and behind it: all at once, in C."""
    between = f"{_CLOSING}{_PARTED}{opening}"
    return f"{opening}{between.join(texts)}{_CLOSING}".encode().split(_PARTED.encode())


def _odd_places(objects: Sequence[bytes], collides: bytes | None) -> list[int]:
    """Where an event may have a time of its own, or anything but its first key follows its first letter."""
    if collides is None and min(objects)[:2] == max(objects)[:2] == b'{"':  # so all others begin alike
        return []
    marks = collides or bytes(len(objects))
    return [place for place, (plain, mark) in enumerate(zip(objects, marks, strict=True)) if mark or plain[1] != _QUOTE]


def _stamped(plain: bytes, stamp: bytes) -> bytes:
    """One object with its time, if it has none of its own: the slow way."""
    try:
        own = _decode_own(plain).stamp
    except NOT_JSON:  # the destination will say what it thinks of it
        return plain
    if own is msgspec.UNSET:
        return _spliced(plain, stamp)
    if bytes(own) != b"null":
        return plain
    try:
        return encode_document({**decode_document(plain), TIMESTAMP: stamp.decode()})
    except (ValueError, RecursionError):  # nested so deep that it can just be read
        return plain


def _spliced(plain: bytes, stamp: bytes) -> bytes:
    rest = plain.lstrip(_BLANKS)[1:].lstrip(_BLANKS)
    return b'{"@timestamp":"%b"%b%b' % (stamp, b"" if rest.startswith(b"}") else b",", rest)
