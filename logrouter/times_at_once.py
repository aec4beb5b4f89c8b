"""The times of a chunk's events, all at once in C, where they are written as most apps write them.

    2026-11-29T16:45:33.120Z⏎2026-11-29T16:45:33.127Z⏎…      RFC 3339 in UTC, in one form, of one minute
    ╰─────╴ minute ╶────╯╰╯ ╰─╯ digits that differ           fraction: none, or of three, six or nine digits

One app writes its times alike, and what is read together nearly always happened within a minute. So they are joined,
and what must be so is seen of the whole block. Where it is not so, somebody has to look at each (`times`): both give
the same. Measured on one core: 0.08 µs a time as text, 0.09 as nanoseconds; one by one 0.3.
"""

from __future__ import annotations

import sys
from array import array
from functools import lru_cache
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
_NARROW_BYTES: Final = 2
_IS_LITTLE: Final = sys.byteorder == "little"


class _Block(msgspec.Struct, frozen=True):
    """Times that are written alike, a line each."""

    lines: bytes
    width: int
    minute_ns: int
    """What all of them begin with."""


class _Digits(msgspec.Struct, frozen=True):
    """Digits of a time that make one number."""

    weights: dict[int, int]
    """By their places in the line, what they count in it."""
    unit_ns: int
    """What the number counts."""


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

    Each is a lane of eight bytes in one large integer, so that all of them are multiplied and added at once; and before
    that their digits, in narrow lanes of two bytes, which can tell of all milliseconds of a minute.
    """
    block = _alike(values)
    if block is None or not 0 <= block.minute_ns < 2**62:
        return None
    count = len(values)
    total = block.minute_ns * _ones(_LANE_BYTES, count)
    for group in _GROUPS[block.width]:
        numbers = -ord("0") * sum(group.weights.values()) * _ones(_NARROW_BYTES, count)
        for place, weight in group.weights.items():
            numbers += weight * _lanes(block.lines[place :: block.width], _NARROW_BYTES)
        narrow = numbers.to_bytes(_NARROW_BYTES * count, sys.byteorder)
        total += group.unit_ns * _widened(narrow)
    return array("q", total.to_bytes(_LANE_BYTES * count, sys.byteorder))


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


def _lanes(column: bytes, width: int) -> int:
    """One integer in which each byte has a lane of its own."""
    lanes = bytearray(width * len(column))
    lanes[0 if _IS_LITTLE else width - 1 :: width] = column
    return int.from_bytes(lanes, sys.byteorder)


def _widened(narrow: bytes) -> int:
    """The numbers of narrow lanes in lanes of eight bytes."""
    lanes = bytearray(_LANE_BYTES // _NARROW_BYTES * len(narrow))
    first = 0 if _IS_LITTLE else _LANE_BYTES - _NARROW_BYTES
    for place in range(_NARROW_BYTES):
        lanes[first + place :: _LANE_BYTES] = narrow[place::_NARROW_BYTES]
    return int.from_bytes(lanes, sys.byteorder)


@lru_cache(maxsize=16)
def _ones(width: int, count: int) -> int:
    """1 in each of so many lanes: what is read at once holds about as many events each time."""
    return _lanes(b"\1" * count, width)


def _groups(shape: bytes) -> list[_Digits]:
    """The digits after the minute: as many as two bytes can tell of at once."""
    places = [place for place in range(_MINUTE_BYTES, len(shape) - len("Z\n")) if shape[place] == ord("0")]
    seconds, fraction = places[:2], places[2:]
    groups, unit_ns = [], 10**9
    for group in ([*seconds, *fraction[:3]], fraction[3:6], fraction[6:]):
        if group:
            unit_ns //= 1000 if fraction else 1
            weights = {place: 10**power for power, place in enumerate(reversed(group))}
            groups.append(_Digits(weights, unit_ns))
    return groups


_GROUPS: Final = {len(shape): _groups(shape) for shape in _SHAPES}
