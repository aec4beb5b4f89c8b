"""How far sources have been read: it rides with the events, and stands in the header of every segment.

A source reads one or more *streams* (a file, an app's stdout), each with a position of its own, which only the source
understands. The runtime keeps it by the names of both, and cuts what one read gave into several chunks exactly:

    chunk 1   reached A, and 300 lines of what follows
    chunk 2   reached A, and 550 lines
    chunk 3   reached B                     all that one read gave, from A to B, is in the spool

After a crash behind chunk 2 the source reads again from A, and the first 550 lines are left out, before any step: what
those have become is in the spool, or was taken out, and steps that remember have forgotten why. Where lines have become
so many events that these take several chunks, it is so many lines and so many events of those that follow.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

CARRIED_BYTES: Final = 48 * 1024
"""What one chunk carries of it at most, as one path alone may take 8 KiB: a record has 65,535 bytes for it."""
_SEPARATOR: Final = "\0"

_encode = msgspec.msgpack.Encoder().encode


class Position(NamedTuple):
    """How far one stream has been read."""

    reached: bytes
    """What the source says of it."""
    events: int = 0
    """How many events of the lines that come then have been appended as well."""
    lines: int = 0
    """How many lines behind that need not be read again, as they are done with."""


Begun = tuple[str, Position]
"""Where a chunk begins: the key of its stream, and how far that had been read before."""


_decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode
_decode_position = msgspec.msgpack.Decoder(Position).decode


def key_of(source: str, stream: str) -> str:
    """The name of a stream among those of all sources."""
    return f"{source}{_SEPARATOR}{stream}"


def stream_of(key: str) -> str:
    """The stream's own name."""
    return key.partition(_SEPARATOR)[2]


def encode(changes: dict[str, Position | None]) -> bytes:
    """What a chunk carries: the streams that have moved, by key. None: a stream is gone, and has no position."""
    return _encode({key: _encode(position) if position else b"" for key, position in changes.items()})


def encode_some(changes: dict[str, Position | None]) -> tuple[bytes, list[str]]:
    """What a chunk carries, where that may be too much: the last of the changes, and as many of the others as fit, from
    the first on. Gives which these are as well."""
    *others, last = changes
    taken, room = [last], CARRIED_BYTES
    for key in others:
        position = changes[key]
        room -= len(key.encode()) + len(position.reached if position else b"") + 24
        if room < 0:
            break
        taken.append(key)
    return encode({key: changes[key] for key in taken}), taken


def encode_behind(begun: Begun, events: int) -> bytes:
    """What the first so many events of a chunk carry, where it is cut in pieces."""
    key, (reached, before, lines) = begun
    return encode({key: Position(reached, before + events, lines)})


def merge(table: dict[str, bytes], carried: bytes) -> None:
    """Take over what a chunk carried into a table of all streams. What cannot be read changes nothing."""
    try:
        changes = _decode(carried)
    except msgspec.DecodeError:  # the checksum was right: written by another version
        return
    table.update(changes)
    for key, encoded in changes.items():
        if not encoded:
            del table[key]


def of_source(table: dict[str, bytes], source: str) -> dict[str, Position]:
    """The positions of one source's streams, by their own names."""
    prefix = key_of(source, "")
    found = {}
    for key, encoded in table.items():
        if key.startswith(prefix):
            found[key.removeprefix(prefix)] = _decode_position(encoded)
    return found
