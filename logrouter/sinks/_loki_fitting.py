"""Slices made such that Loki takes them: lines in UTF-8 and no longer than wanted, no two at one time by chance."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import groupby, repeat
from operator import itemgetter
from typing import Final

import msgspec

from logrouter.batch import Slice
from logrouter.event import Flag
from logrouter.sinks._loki_encoding import Measured, times_of
from logrouter.sinks._loki_stamps import stamps

_INVALID: Final = bytes(bool(flags & Flag.INVALID_UTF8) for flags in range(256))
_APART: Final = 1_000_000
"""Within so many nanoseconds, a millisecond, are events that were received at once. A read holds fewer."""


def fitted(part: Slice, cut_to: int | None) -> Slice:
    """The same, with times. `cut_to`: so many bytes of a line are kept at most."""
    lines, times_ns = part.payloads, part.times_ns
    invalid = part.flags.translate(_INVALID)
    if 1 in invalid:
        lines = [
            line.decode("utf-8", "replace").encode() if is_invalid else line
            for line, is_invalid in zip(lines, invalid, strict=True)
        ]
    if cut_to is not None and max(map(len, lines), default=0) > cut_to:
        lines = [_cut(line, cut_to) for line in lines]
    if times_ns is None or _holds(times_ns, part.time_ns):
        times_ns = _apart(part)
    elif lines is part.payloads:
        return part
    return msgspec.structs.replace(part, payloads=lines, times_ns=times_ns)


def _holds(times_ns: array[int], time_ns: int) -> bool:
    """Whether one of them is that: nearly never, which a search in their bytes tells at once."""
    return time_ns.to_bytes(8, sys.byteorder, signed=True) in times_ns.tobytes() and time_ns in times_ns


def _cut(line: bytes, length: int) -> bytes:
    """At most so many bytes of it, in whole characters."""
    return line if len(line) <= length else line[:length].decode("utf-8", "ignore").encode()


def _apart(part: Slice) -> array[int]:
    """The times, where what has none of its own differs by its place in the spool: so also when it is sent again."""
    untold_ns = part.time_ns
    times_ns = repeat(untold_ns) if part.times_ns is None else part.times_ns
    return array(
        "q",
        [
            untold_ns + sequence % _APART if time_ns == untold_ns else time_ns
            for time_ns, sequence in zip(times_ns, part.sequences, strict=False)
        ],
    )


def measured(part: Slice) -> Measured:
    """The slice, which is not empty, with its limits."""
    lengths = list(map(len, part.payloads))
    return Measured(part, stamps(times_of(part)), lengths, max(lengths))


def oldest_first(parts: Sequence[Measured], span_ns: int) -> Iterable[Measured]:
    """The slices, cut anew where they span more than that, which Loki takes in any order: none then lies behind."""
    if max(part.stamps.last_ns for part in parts) - min(part.stamps.first_ns for part in parts) <= span_ns:
        return parts
    order = sorted(
        (time_ns, number, place)
        for number, part in enumerate(parts)
        for place, time_ns in enumerate(times_of(part.part))
    )
    runs = groupby(order, key=itemgetter(1))
    return (measured(parts[number].part.pick([place for _, _, place in run])) for number, run in runs)
