"""Loki's streams: which labels an event has, written as Loki reads them, and how many sets of labels there may be.

    {app="checkout",level="info"}        label names [a-zA-Z_][a-zA-Z0-9_]*, values quoted as in Go

Every set of labels is a stream, which costs Loki memory and chunks of its own: a label with many values (a user, a
request) makes it slow for everybody, and at 5,000 active streams Loki refuses new ones. So there is a guard: beyond
`max_streams` the label with most values gets `other` instead of each further value, and the operator is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from logrouter.sinks._loki_push import opening
from logrouter.templates import Template

OTHER: Final = "other"
"""The value that stands for all that are too many."""
IDLE_NS: Final = 30 * 60 * 1_000_000_000
"""After so long without an event a stream is forgotten, as Loki does itself (`chunk_idle_period`)."""
MOST_LABELS: Final = 15
"""`max_label_names_per_series`. What Loki adds itself does not count."""
LONGEST_VALUE_BYTES: Final = 2048
"""`max_label_value_length`"""
_LONGEST_NAME = 1024
"""`max_label_name_length`"""
_ODD_LETTER = re.compile(r"[^a-zA-Z0-9_]")
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ADDED_BY_LOKI: Final = frozenset(("service_name", "__stream_shard__", "__time_shard__"))
_ESCAPES = dict(zip('\\"\a\b\f\n\r\t\v', ("\\\\", '\\"', *(f"\\{letter}" for letter in "abfnrtv")), strict=True))


class Stream:
    """One set of labels."""

    __slots__ = ("is_known", "labels", "level_bytes", "newest_ns", "opening", "pieces", "used_ns", "values")

    def __init__(self, labels: str, values: tuple[str, ...]) -> None:
        self.labels = labels
        self.values = values
        """Of the labels that depend on the event."""
        self.opening = opening(labels)
        self.newest_ns = -(2**64)
        """Loki has an event of this stream that is at least so new."""
        self.is_known = False
        """Whether Loki has taken something of it, and so has it."""
        self.level_bytes = 0.0
        """How much was sent of it beyond what Loki takes of one stream at a steady rate."""
        self.used_ns = 0
        """When an event of it was last sent."""
        self.pieces: list[bytes] = []
        """Of entries that are being encoded."""

    def taken(self) -> bytes:
        """The pieces in one. None are left."""
        entries = b"".join(self.pieces)
        self.pieces.clear()
        return entries

    def is_named(self, labels: str) -> bool:
        """Whether Loki means this stream when it writes these labels: in its own order, with some of its own."""
        own, named = dict(_LABEL.findall(self.labels)), dict(_LABEL.findall(labels))
        added = named.keys() - own.keys()
        return added <= _ADDED_BY_LOKI and {name: named[name] for name in named.keys() - added} == own


class Streams:
    """All streams of one sink. `names` are those of labels whose values depend on the event."""

    def __init__(
        self, fixed: Sequence[tuple[str, str]], names: Sequence[str], most: int, default: tuple[str, str]
    ) -> None:
        """`default` is the label of events that have no other."""
        self._default = default
        self._fixed = tuple(fixed)
        self._names = tuple(names)
        self._most = most
        self._streams: dict[tuple[str, ...], Stream] = {}
        self._folded: list[int] = []
        """Which of the labels get no new values any more."""

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams.values())

    @property
    def folded(self) -> list[str]:
        """The labels that get no new values any more."""
        return [self._names[place] for place in self._folded]

    @property
    def _limit(self) -> int:
        """How many there may be: a tenth more for each label that is folded, as the others still make some."""
        return self._most + max(10, self._most // 10) * len(self._folded)

    def of(self, values: tuple[str, ...]) -> Stream:
        """The stream of events with these values, one for each name. An empty value is no label."""
        found = self._streams.get(values)
        return self._add(values) if found is None else found

    def forget_idle(self, now_ns: int) -> bool:
        """Forget streams that have had no event for long: whether there were any.

        Where half of them are gone, new values are taken again.
        """
        idle = [values for values, stream in self._streams.items() if stream.used_ns < now_ns - IDLE_NS]
        for values in idle:
            del self._streams[values]
        if idle and 2 * len(self._streams) <= self._most:
            self._folded = []
        return bool(idle)

    def _add(self, values: tuple[str, ...]) -> Stream:
        values = self._fold(values)
        while values not in self._streams and len(self._streams) >= self._limit and self._fold_another():
            values = self._fold(values)
        if values not in self._streams:
            self._streams[values] = Stream(self._labels(values), values)
        return self._streams[values]

    def _fold(self, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(OTHER if place in self._folded else value for place, value in enumerate(values))

    def _fold_another(self) -> bool:
        """Take no more values of the label that has most of them. False: none is left."""
        counts = {
            place: len({values[place] for values in self._streams})
            for place in range(len(self._names))
            if place not in self._folded
        }
        most = max(counts, key=counts.__getitem__, default=None)
        if most is None:
            return False
        self._folded.append(most)
        return True

    def _labels(self, values: tuple[str, ...]) -> str:
        given = [*self._fixed, *zip(self._names, values, strict=True)]
        return label_text([(name, value) for name, value in given if value] or [self._default])


def legal_name(name: str) -> str:
    """A label's name as Loki takes it: `k8s.pod` is `k8s_pod`. Raises ValueError where none can be made of it."""
    legal = _ODD_LETTER.sub("_", name)
    if legal[:1].isdigit():
        legal = f"_{legal}"
    if not legal.strip("_"):
        raise ValueError(f"{name!r} names no label")
    if legal.startswith("__"):
        raise ValueError(f"{name!r}: names that begin with __ are Loki's own")
    if len(legal) > _LONGEST_NAME:
        raise ValueError(f"{name[:20]!r}…: a label's name has at most {_LONGEST_NAME} letters")
    return legal


def legal_names(labels: Mapping[str, Template]) -> dict[str, Template]:
    """The labels by the names that Loki takes. Raises ValueError where there are none, or two are the same."""
    legal: dict[str, Template] = {}
    for name, text in labels.items():
        try:
            as_sent = legal_name(name)
        except ValueError as error:
            raise ValueError(f"labels: {error}") from None
        if as_sent in legal:
            raise ValueError(f"labels: two of them are {as_sent!r}, as Loki takes it")
        legal[as_sent] = text
    return legal


def label_text(labels: Sequence[tuple[str, str]]) -> str:
    """`{app="shop",level="info"}`, sorted, each value cut to what Loki takes."""
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in sorted(labels)) + "}"


def _quoted(value: str) -> str:
    value = value.encode("utf-8", "replace")[:LONGEST_VALUE_BYTES].decode("utf-8", "ignore")
    return value if value.isprintable() and not {'"', "\\"} & set(value) else "".join(map(_escaped, value))


def _escaped(letter: str) -> str:
    """As Go's strconv.Quote writes it, so that what Loki says of a stream can be compared."""
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    number = ord(letter)
    if letter.isprintable():
        return letter
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
