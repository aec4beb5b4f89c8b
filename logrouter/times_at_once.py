"""The times of a chunk's events, all at once in C, where they are written as most apps write them.

    2026-11-29T16:45:33.120Z⏎2026-11-29T16:45:33.127Z⏎…      RFC 3339 in UTC, in one form, of one minute
    ╰─────╴ minute ╶────╯╰╯ ╰─╯ digits that differ           fraction: none, or of three, six or nine digits

One app writes its times alike, and what is read together nearly always happened within a minute. So they are joined,
and what must be so is seen of the whole block. Where it is not so, somebody has to look at each (`times`): both give
the same. Measured on one core: 0.08 µs a time as text, 0.17 as nanoseconds; one by one 0.3.
"""

from __future__ import annotations

import sys
from array import array
from typing import Any, Final

import msgspec

from logrouter import times

_DIGITS: Final = bytes(ord("0") if byte in b"0123456789" else byte for byte in range(256))
_TO_THE_SECOND: Final = b"0000-00-00T00:00:00"
_SHAPES: Final = frozenset(_TO_THE_SECOND + rest + b"Z\n" for rest in (b"", b".000", b".000000", b".000000000"))
_MINUTE_BYTES: Final = len("2026-11-29T16:45:")
_SURPLUS: Final = b"000Z"
"""The end of a fraction that is written in fewer digits (`times.format_rfc3339`)."""
_LANE_BYTES: Final = 8
_LOWEST: Final = 0 if sys.byteorder == "little" else _LANE_BYTES - 1
"""Which byte of a lane counts ones."""


class _Block(msgspec.Struct, frozen=True):
    """Times that are written alike, a line each."""

    lines: bytes
    width: int
    minute_ns: int
    """What all of them begin with."""


def texts(values: list[Any]) -> list[str] | None:
    """These times as RFC 3339, as `times.text_of` has them. None where they are not alike."""
    block = _alike(values)
    if block is None:
        return None
    found = values.copy()
    at = block.lines.find(_SURPLUS)
    while at >= 0:
        place = at // block.width
        found[place] = found[place][: len(_TO_THE_SECOND)] + times.TAIL_TEXTS[found[place][len(_TO_THE_SECOND) :]]
        at = block.lines.find(_SURPLUS, at + 1)
    return found


def nanoseconds(values: list[Any]) -> array[int] | None:
    """These times in nanoseconds since 1970, as `times.of` has them. None where they are not alike.

    Each is a lane of eight bytes in one large integer, so that a digit of all of them is multiplied and added at once.
    """
    block = _alike(values)
    if block is None:
        return None
    weights = _WEIGHTS[block.width]
    rest_ns = block.minute_ns - ord("0") * sum(weights.values())
    if not 0 < rest_ns < 2**62:
        return None
    size = _LANE_BYTES * len(values)
    total = rest_ns * _lanes(b"\1" * len(values), size)
    for place, weight_ns in weights.items():
        total += weight_ns * _lanes(block.lines[place :: block.width], size)
    return array("q", total.to_bytes(size, sys.byteorder))


def _alike(values: list[Any]) -> _Block | None:
    try:
        lines = ("\n".join(values) + "\n").encode()
    except (TypeError, UnicodeEncodeError):  # something else than a text, or one that is none
        return None
    first = lines[: lines.find(b"\n") + 1]
    shape = first.translate(_DIGITS)
    if shape not in _SHAPES or lines.translate(_DIGITS) != shape * len(values):
        return None
    minute = first[:_MINUTE_BYTES]
    tens_of_seconds = lines[_MINUTE_BYTES :: len(first)]
    if lines.count(minute) != len(values) or tens_of_seconds.translate(None, b"012345"):
        return None
    minute_ns = times.parse(f"{minute.decode()}00Z")
    return None if minute_ns is None else _Block(lines, len(first), minute_ns)


def _lanes(column: bytes, size: int) -> int:
    """One integer in which each byte has a lane of its own."""
    lanes = bytearray(size)
    lanes[_LOWEST::_LANE_BYTES] = column
    return int.from_bytes(lanes, sys.byteorder)


def _weights_ns(shape: bytes) -> dict[int, int]:
    """What each digit after the minute counts, by its place."""
    seconds = {_MINUTE_BYTES: 10 * 10**9, _MINUTE_BYTES + 1: 10**9}
    places = range(len(_TO_THE_SECOND) + 1, len(shape) - len("Z\n"))
    return seconds | {place: 10 ** (8 - number) for number, place in enumerate(places)}


_WEIGHTS: Final = {len(shape): _weights_ns(shape) for shape in _SHAPES}
