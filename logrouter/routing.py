"""★ Chunk → which sinks get which events: one generated function, one byte an event.

All rules become the bits of one integer, computed by one generated function over the rows of a chunk. Each
combination of bits that occurs is a *class*; a class says, for every sink, whether it gets the event and in
which shape. So a routed chunk carries a byte an event, and a sink's share of it is taken in C:

    classes  00 02 02 01 00 …            translate → 0 1 1 0 0 …   compress → its payloads

Where the outcome depends only on values that compare (no numbers ordered, no patterns matched), rows that are
equal have the same class: a dict from row to class then replaces the function.

Measured on one core (AMD EPYC, Python 3.11 without PGO), 280-byte events, three rules on three fields: 0.22 µs an
event to class, 0.06 µs to select for three sinks. The decoding before it costs 0.55 µs.

Everything here is a pure function of the events and the config: it is done again after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import or_
from typing import Any, Final

from logrouter.chain import Chain
from logrouter.compiling import Generated, Generator
from logrouter.event import Chunk, Flag
from logrouter.facts import Facts
from logrouter.projection import Projection, Row
from logrouter.references import Field, Meta, Reference
from logrouter.rules import Rule
from logrouter.sinks import Chosen, Slice
from logrouter.templates import Template

UNCHANGED: Final = 0
"""The shape of an event that no route changes. Others are 1 + the number of the route."""

_MEMO_LIMIT = 4096
"""Rows remembered at once; when there are more the memo starts again. 4096 rows are about 1 MiB."""
_MAX_CLASSES = 256
"""So that a class is a byte."""
FLAG_ATTRIBUTES: Final = frozenset({"invalid_utf8", "partial", "parse_error", "step_failed", "notice"})
_USUAL_FLAGS = bytes((0, Flag.JSON))


@dataclass(frozen=True)
class SinkRouting:
    """What routing must know of a sink."""

    name: str
    match: Rule | None = None
    templates: tuple[Template, ...] = ()
    included_keys: tuple[str, ...] = ()
    """Keys that the sink adds to events: those that have one already are marked."""
    segments: bool = False
    """Its templates make paths: values from events are kept from leaving their segment."""


@dataclass(frozen=True)
class Route:
    """A rule and the sinks it feeds."""

    name: str
    match: Rule | None
    to: tuple[str, ...]
    chain: Chain | None = None
    """Steps that change what these sinks get."""
    stop: bool = False


class _TooManyClasses(Exception):
    """A class would not fit into a byte."""


class Classes(dict[int, int]):
    """Combination of rule results → class number, and what each class means to each sink.

    Shared by the chunks that were routed with it; only ever grows.
    """

    def __init__(self, decide: Callable[[int], tuple[int | None, ...]], collisions: Sequence[int]) -> None:
        super().__init__()
        self._decide = decide
        self._collisions = collisions
        self.shapes: list[tuple[int | None, ...]] = []
        """Class → sink → shape, or None where the sink does not get it."""
        self._bits: list[int] = []
        self._tables: dict[int, tuple[int, bytes]] = {}

    def __missing__(self, bits: int) -> int:
        """A combination that has not occurred yet is a new class."""
        number = len(self.shapes)
        if number == _MAX_CLASSES:
            raise _TooManyClasses
        self[bits] = number
        self.shapes.append(self._decide(bits))
        self._bits.append(bits)
        return number

    def wanted(self, sink: int) -> bytes:
        """For `bytes.translate`: 1 for each class that the sink gets."""
        known, table = self._tables.get(sink, (0, b""))
        if known != len(self.shapes):
            table = bytes(shapes[sink] is not None for shapes in self.shapes).ljust(_MAX_CLASSES, b"\0")
            self._tables[sink] = len(self.shapes), table
        return table

    def changed(self, sink: int) -> bytes:
        """For `bytes.translate`: 1 for each class whose events a route changes for the sink."""
        return bytes(bool(shapes[sink]) for shapes in self.shapes).ljust(_MAX_CLASSES, b"\0")

    def colliding(self, sink: int) -> bytes:
        """For `bytes.translate`: 1 for each class whose events have a key that the sink would add."""
        mask = self._collisions[sink]
        return bytes(bool(bits & mask) for bits in self._bits).ljust(_MAX_CLASSES, b"\0")

    def unwanted(self) -> bytes:
        """For `bytes.translate`: 1 for each class that no sink gets."""
        return bytes(all(shape is None for shape in shapes) for shapes in self.shapes).ljust(_MAX_CLASSES, b"\0")


class Routed:
    """What routing found out about a chunk."""

    __slots__ = ("classes", "columns", "numbers")

    def __init__(self, classes: Classes, numbers: bytes, columns: tuple[tuple[list[str] | str, ...], ...]) -> None:
        self.classes = classes
        self.numbers = numbers
        """One class number an event."""
        self.columns = columns
        """Sink → template → the text for each event, or one for all."""

    def count(self, sink: int) -> int:
        """How many events the sink gets."""
        return self.numbers.translate(self.classes.wanted(sink)).count(1)

    def unmatched(self) -> int:
        """How many events no sink gets."""
        return self.numbers.translate(self.classes.unwanted()).count(1)


class Router:
    """Routes chunks. Sinks are known by their number: their place in `sinks`."""

    def __init__(
        self,
        sinks: Sequence[SinkRouting],
        routes: Sequence[Route] = (),
        resource: Mapping[str, str] | None = None,
        further: Iterable[Reference] = (),
    ) -> None:
        self.sinks = sinks
        self.routes = routes
        self.resource = resource or {}
        rules = [rule for rule in (*(s.match for s in sinks), *(r.match for r in routes)) if rule is not None]
        self._rules = list(dict.fromkeys(rules))
        self._keys = list(dict.fromkeys(key for sink in sinks for key in sink.included_keys))
        references = _references(self._rules, self._keys, sinks)
        self.projection = Projection([*references, *further])
        generator = Generator(self.projection, self.resource)
        self._classify = generator.bits(self._rules, self._keys)
        self._memoisable = all(rule.memoisable for rule in self._rules) and not self._classify.reads_received
        self._reads_flags = any(isinstance(ref, Meta) and ref.name in FLAG_ATTRIBUTES for ref in references)
        self._columns = [
            [generator.column(template, segment=sink.segments) for template in sink.templates] for sink in sinks
        ]
        self._feeding = [[number for number, route in enumerate(routes) if sink.name in route.to] for sink in sinks]
        self._renew()

    def _renew(self) -> None:
        """Start with no classes. Chunks that are routed already keep theirs."""
        masks = [sum(self._key_bit(key) for key in sink.included_keys) for sink in self.sinks]
        self.classes = Classes(self._decide, masks)
        self._memos: dict[tuple[Any, ...], _Memo] = {}

    def route(self, chunk: Chunk, rows: list[Row] | None = None) -> list[Chunk]:
        """Set `routed` on a chunk. Gives the chunk, or its pieces where it holds too many classes for one.

        `rows` are the projection's rows of its events, where the caller has them.
        """
        if rows is None:
            rows = self.projection.rows(chunk.payloads, chunk.flags)
        try:
            chunk.routed = self._routed(chunk, rows)
        except _TooManyClasses:
            self._renew()
            if len(chunk) > _MAX_CLASSES:
                return self._route_pieces(chunk, rows)
            chunk.routed = self._routed(chunk, rows)
        return [chunk]

    def slice(self, chunk: Chunk, sink: int) -> Slice | None:
        """What a sink gets of a routed chunk. None: nothing."""
        routed = chunk.routed
        assert routed is not None
        wanted = routed.numbers.translate(routed.classes.wanted(sink))
        count = wanted.count(1)
        if not count:
            return None
        columns = routed.columns[sink]
        numbers = routed.numbers
        payloads, flags = chunk.payloads, chunk.flags
        epoch, first = chunk.offset
        sequences: range | Chosen = range(first, first + len(payloads))
        if count < len(payloads):
            sequences = Chosen(range(first, first + len(payloads)), wanted)
            payloads = list(compress(payloads, wanted))
            flags = flags[:count] if flags.count(flags[0]) == len(flags) else bytes(compress(flags, wanted))
            numbers = bytes(compress(numbers, wanted))
            columns = tuple(text if isinstance(text, str) else list(compress(text, wanted)) for text in columns)
        part = Slice(payloads, flags, chunk.attributes, chunk.received_ns, epoch, sequences, columns)
        if self.sinks[sink].included_keys:
            collides = numbers.translate(routed.classes.colliding(sink))
            part.collides = collides if 1 in collides else None
        return self._shaped(part, sink, numbers, routed.classes) if self._feeding[sink] else part

    def whole(self, chunk: Chunk, sink: int) -> Slice:
        """All of a chunk for one sink, whatever the rules say: for what logrouter itself has to tell it."""
        facts = Facts(chunk.attributes, chunk.received_ns, self.resource)
        rows = self.projection.rows(chunk.payloads, chunk.flags)
        columns = tuple(column(rows, facts) for column in self._columns[sink])
        epoch, first = chunk.offset
        sequences = range(first, first + len(chunk))
        return Slice(chunk.payloads, chunk.flags, chunk.attributes, chunk.received_ns, epoch, sequences, columns)

    def _routed(self, chunk: Chunk, rows: list[Row]) -> Routed:
        facts = Facts(chunk.attributes, chunk.received_ns, self.resource)
        numbers = self._numbers(rows, facts)
        columns = tuple(tuple(column(rows, facts) for column in columns) for columns in self._columns)
        if self._reads_flags and chunk.flags.translate(None, _USUAL_FLAGS):
            numbers, columns = self._with_flags(chunk, rows, numbers, columns)
        return Routed(self.classes, numbers, columns)

    def _numbers(self, rows: list[Row], facts: Facts) -> bytes:
        if self._memoisable:
            constants = self._classify.constants(facts)
            memo = self._memos.get(constants)
            if memo is None:
                memo = self._memos[constants] = _Memo(self._classify, facts, self.classes)
            try:
                return bytes(map(memo.__getitem__, rows))
            except TypeError:  # a list is not hashable
                pass
        return bytes(map(self.classes.__getitem__, self._classify(rows, facts)))

    def _with_flags(self, chunk: Chunk, rows: list[Row], numbers: bytes, columns: Any) -> tuple[bytes, Any]:
        """Once more, event by event, for those whose flags are attributes that somebody reads."""
        classes = bytearray(numbers)
        texts = [[[text] * len(rows) if isinstance(text, str) else text for text in sink] for sink in columns]
        for place, flags in enumerate(chunk.flags):
            if flags in _USUAL_FLAGS:
                continue
            facts = Facts(chunk.attributes, chunk.received_ns, self.resource, flags)
            row = rows[place : place + 1]
            classes[place] = self.classes[self._classify(row, facts)[0]]
            for sink, sink_columns in enumerate(self._columns):
                for number, column in enumerate(sink_columns):
                    text = column(row, facts)
                    texts[sink][number][place] = text if isinstance(text, str) else text[0]
        return bytes(classes), tuple(map(tuple, texts))

    def _route_pieces(self, chunk: Chunk, rows: list[Row]) -> list[Chunk]:
        pieces = []
        for start in range(0, len(chunk), _MAX_CLASSES):
            cut = slice(start, start + _MAX_CLASSES)
            piece = Chunk(chunk.payloads[cut], chunk.flags[cut], chunk.attributes, chunk.received_ns)
            pieces += self.route(piece, rows[cut])
        pieces[-1].position = chunk.position
        return pieces

    def _decide(self, bits: int) -> tuple[int | None, ...]:
        """For every sink the shape in which it gets an event with these rule results, or None."""
        return tuple(self._shape(bits, number, sink) for number, sink in enumerate(self.sinks))

    def _shape(self, bits: int, number: int, sink: SinkRouting) -> int | None:
        if not self._holds(bits, sink.match):
            return None
        if not self._feeding[number]:
            return UNCHANGED
        for place, route in enumerate(self.routes):
            if self._holds(bits, route.match):
                if sink.name in route.to:
                    return place + 1 if route.chain else UNCHANGED
                if route.stop:
                    return None
        return None

    def _holds(self, bits: int, rule: Rule | None) -> bool:
        return rule is None or bool(bits >> self._rules.index(rule) & 1)

    def _key_bit(self, key: str) -> int:
        return 1 << (len(self._rules) + self._keys.index(key))

    def _shaped(self, part: Slice, sink: int, numbers: bytes, classes: Classes) -> Slice:
        """Run the steps of the routes that feed a sink on copies of what they change."""
        if 1 not in numbers.translate(classes.changed(sink)):
            return part
        payloads, flags = part.payloads.copy(), bytearray(part.flags)
        for place, number in enumerate(numbers):
            shape = classes.shapes[number][sink]
            chain = self.routes[shape - 1].chain if shape else None
            if chain is not None:
                facts = Facts(part.attributes, part.received_ns, self.resource, flags[place])
                payloads[place], flags[place] = chain.change(payloads[place], flags[place], facts)
        part.payloads, part.flags = payloads, bytes(flags)
        if self.sinks[sink].included_keys:
            changed = numbers.translate(classes.changed(sink))  # a step may have added any key: the careful way
            part.collides = bytes(map(or_, part.collides or bytes(len(payloads)), changed))
        return part


class _Memo(dict[Row, int]):
    """Row → class number, for one set of attributes."""

    def __init__(self, classify: Generated, facts: Facts, classes: Classes) -> None:
        super().__init__()
        self._classify = classify
        self._facts = facts
        self._classes = classes

    def __missing__(self, row: Row) -> int:
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        number = self[row] = self._classes[self._classify([row], self._facts)[0]]
        return number


def _references(rules: Sequence[Rule], keys: Sequence[str], sinks: Sequence[SinkRouting]) -> list[Reference]:
    found: dict[Reference, None] = {}
    for rule in rules:
        found |= dict.fromkeys(rule.references)
    for sink in sinks:
        for template in sink.templates:
            found |= dict.fromkeys(template.references)
    found |= dict.fromkeys(Field((key,)) for key in keys)
    return list(found)
