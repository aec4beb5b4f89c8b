"""What a sink gets: its share of some chunks, sent and settled at once.

    Batch ── slices    what it gets of each chunk, in order; of a sink that gathers, `encoded` instead
          ├─ first,    the sequences that it stands for: from the first to before the end. What lies between and is
          │  end       not in it is not for this sink
          └─ memo, carried, last, again: what is known from before, see below

How much makes a batch is said by `Batching`.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, compress, pairwise
from typing import Final, overload

import msgspec

from logrouter.cursors import Memory as Memory
from logrouter.event import Attributes

READ_BYTES: Final = 1024 * 1024
"""What a sink takes in hand at once, of chunks: enough to make system calls rare."""


class Chosen(Sequence[int]):
    """Some numbers of a range, those where `chosen` is 1. Most sinks never ask, so they are picked when one does."""

    __slots__ = ("_chosen", "_numbers", "_range")

    def __init__(self, numbers: range, chosen: bytes) -> None:
        self._range = numbers
        self._chosen = chosen
        self._numbers: list[int] | None = None

    def __len__(self) -> int:
        return self._chosen.count(1)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        if self._numbers is None:
            self._numbers = list(compress(self._range, self._chosen))
        return self._numbers[place]


class Joined(Sequence[int]):
    """The numbers of several slices, one after the other: put together when somebody asks."""

    __slots__ = ("_numbers", "_parts")

    def __init__(self, parts: Sequence[Sequence[int]]) -> None:
        self._parts = parts
        self._numbers: list[int] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        if self._numbers is None:
            self._numbers = list(chain.from_iterable(self._parts))
        return self._numbers[place]


class Slice(msgspec.Struct):
    """What one sink gets of one chunk: some of its events, and what they share."""

    payloads: Sequence[bytes]
    flags: bytes
    """One byte an event: `event.Flag`."""
    attributes: Attributes
    received_ns: int
    epoch: int
    sequences: Sequence[int]
    """With the epoch, each event's id."""
    columns: tuple[Sequence[str] | str, ...] = ()
    """For each of the sink's `templates`, in order: the text for each event, or one text for all."""
    collides: bytes | None = None
    """One byte an event: not 0 where it has a key that `include` would add. None: no event has."""
    times_ns: array[int] | None = None
    """When each event happened, nanoseconds since 1970, where its sink asks for it (`Sink.wants_times`)."""

    def __len__(self) -> int:
        return len(self.payloads)

    @property
    def time_ns(self) -> int:
        """When events happened that do not tell it: when they were written, where that is known, else received."""
        return int(self.attributes.get("written", self.received_ns))

    def cut(self, start: int, stop: int) -> Slice:
        """The events from one place to before another."""
        if start <= 0 and stop >= len(self.payloads):
            return self
        here = slice(start, stop)
        return Slice(
            self.payloads[here],
            self.flags[here],
            self.attributes,
            self.received_ns,
            self.epoch,
            self.sequences[here],
            tuple(text if isinstance(text, str) else text[here] for text in self.columns),
            None if self.collides is None else self.collides[here],
            None if self.times_ns is None else self.times_ns[here],
        )

    def pick(self, places: Sequence[int]) -> Slice:
        """The events at these places, in this order."""
        return Slice(
            [self.payloads[place] for place in places],
            bytes([self.flags[place] for place in places]),
            self.attributes,
            self.received_ns,
            self.epoch,
            [self.sequences[place] for place in places],
            tuple(text if isinstance(text, str) else [text[place] for place in places] for text in self.columns),
            None if self.collides is None else bytes([self.collides[place] for place in places]),
            None if self.times_ns is None else array("q", [self.times_ns[place] for place in places]),
        )

    def by_text(self, column: Sequence[str] | str) -> list[tuple[str, Slice]]:
        """The events of each text of a column, which is one of `columns` or like one. Nearly always it is one text."""
        if isinstance(column, str):
            return [(column, self)]
        if column and column.count(column[0]) == len(column):
            return [(column[0], self)]
        places: dict[str, list[int]] = {}
        for place, text in enumerate(column):
            places.setdefault(text, []).append(place)
        return [(text, self.pick(chosen)) for text, chosen in places.items()]


def merged(slices: Sequence[Slice]) -> Slice:
    """Several slices of one epoch as one, for somebody who looks at nothing else that they may differ in."""
    payloads: list[bytes] = []
    for part in slices:
        payloads += part.payloads  # a third of the time that `chain` takes
    return msgspec.structs.replace(
        slices[0],
        payloads=payloads,
        flags=b"".join(part.flags for part in slices),
        sequences=Joined([part.sequences for part in slices]),
    )


class Encoded(msgspec.Struct):
    """What a sink that gathers has made of a slice. Sinks derive their own."""

    events: int
    size_bytes: int
    """What it costs in memory, and at the destination."""


class Batch(msgspec.Struct):
    """What one sink sends and settles at once."""

    slices: list[Slice]
    epoch: int = 0
    first: int = 0
    end: int = 0
    encoded: list[Encoded] = []
    """Of a sink that gathers (`Sink.gathers`): what it has made of the slices, which are not held any more."""
    memo: Memory | None = None
    """What the sink has written down for this batch (`Seal`) when it was last sent."""
    carried: Memory | None = None
    """What its batch before left open (`Delivered.carried`)."""
    last: bool = False
    """Whether what is open is to be closed now: it is old enough, or the end is near."""
    again: bool = False
    """Whether some of it may have arrived: it was sent before, and nobody knows what became of it."""

    def __len__(self) -> int:
        return sum(map(len, self.slices)) + sum(part.events for part in self.encoded)

    @property
    def payload_bytes(self) -> int:
        """Of the payloads in its slices. A loop over all of them."""
        return sum(sum(map(len, part.payloads)) for part in self.slices)

    def pick(self, places: Sequence[int]) -> Batch:
        """The events at these places, which are in order, counted over all slices."""
        slices, base, chosen = [], 0, 0
        for part in self.slices:
            start = chosen
            while chosen < len(places) and places[chosen] < base + len(part):
                chosen += 1
            if chosen > start:
                is_whole = chosen - start == len(part)
                slices.append(part if is_whole else part.pick([place - base for place in places[start:chosen]]))
            base += len(part)
        return msgspec.structs.replace(self, slices=slices)

    def cut(self, bounds: Sequence[int]) -> list[Batch]:
        """The events between these places, counted over all slices."""
        pieces = []
        for start, stop in pairwise(bounds):
            slices, base = [], 0
            for part in self.slices:
                if max(start, base) < min(stop, base + len(part)):
                    slices.append(part.cut(max(0, start - base), stop - base))
                base += len(part)
            pieces.append(msgspec.structs.replace(self, slices=slices))
        return pieces

    def halves(self) -> list[Batch]:
        """The first and the second half of its events, of which there are at least two."""
        return self.cut((0, len(self) // 2, len(self)))


class Batching(msgspec.Struct, frozen=True):
    """When a batch is sent: as soon as one of these is reached. By default with what is there."""

    size_bytes: int | None = None
    """As it is sent, so compressed. None: as much as `read_bytes` says. More cannot be had, but by a sink that
    gathers."""
    events: int | None = None
    age_seconds: float = 0.0
    """How long its first event may wait for others."""
    read_bytes: int = READ_BYTES
    """As it is read, so before it is compressed: what its chunks cost in memory. The spool may allow less
    (`Spool.batch_bytes`)."""
