"""Classes of events: which there are, what each means to each sink, and rows whose class is known.

All rules together give an event one integer, a bit for each rule. Each combination of bits that occurs is a *class*;
it says for every sink whether it gets the event, and in which shape. There are few of them, so a class number is a
byte, and a sink's share of a chunk is found by `bytes.translate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from logrouter.compiling import Generated
from logrouter.facts import Facts
from logrouter.policy import Shapes
from logrouter.projection import Row

MEMO_LIMIT: Final = 4096
"""Rows remembered at once; when there are more the memo starts again. 4096 rows are about 1 MiB."""
MAX_CLASSES: Final = 256
"""So that a class number is a byte."""

_NO_SINK: Final = -1


class TooManyClasses(Exception):
    """A class would not fit into a byte."""


class Classes(dict[int, int]):
    """Combination of rule results → class number, and what each class means to each sink.

    Shared by the chunks that were routed with it; only ever grows.
    """

    def __init__(self, decide: Callable[[int], Shapes], collisions: Sequence[int]) -> None:
        super().__init__()
        self._decide = decide
        self._collisions = collisions
        self.shapes: list[Shapes] = []
        """Class → sink → shape, or None where the sink does not get it."""
        self._bits: list[int] = []
        self._tables: dict[int, tuple[int, bytes]] = {}

    def __missing__(self, bits: int) -> int:
        """A combination that has not occurred yet is a new class."""
        number = len(self.shapes)
        if number == MAX_CLASSES:
            raise TooManyClasses
        self[bits] = number
        self.shapes.append(self._decide(bits))
        self._bits.append(bits)
        return number

    def wanted(self, sink: int) -> bytes:
        """For `bytes.translate`: 1 for each class that the sink gets."""
        return self._table(sink, lambda shapes: shapes[sink] is not None)

    def changed(self, sink: int) -> bytes:
        """For `bytes.translate`: 1 for each class whose events a route changes for the sink."""
        return bytes(bool(shapes[sink]) for shapes in self.shapes).ljust(MAX_CLASSES, b"\0")

    def colliding(self, sink: int) -> bytes:
        """For `bytes.translate`: 1 for each class whose events have a key that the sink would add."""
        mask = self._collisions[sink]
        return bytes(bool(bits & mask) for bits in self._bits).ljust(MAX_CLASSES, b"\0")

    def unwanted(self) -> bytes:
        """For `bytes.translate`: 1 for each class that no sink gets."""
        return self._table(_NO_SINK, lambda shapes: all(shape is None for shape in shapes))

    def _table(self, key: int, holds: Callable[[Shapes], bool]) -> bytes:
        """1 for each class whose shapes are such, made anew only when there are more classes."""
        known, table = self._tables.get(key, (0, b""))
        if known != len(self.shapes):
            table = bytes(map(holds, self.shapes)).ljust(MAX_CLASSES, b"\0")
            self._tables[key] = len(self.shapes), table
        return table


class Memo(dict[Row, int]):
    """Row → class number, for one set of attributes.

    A row that is not known costs five times what the function alone would. So where rows hold what differs from event
    to event (a time, an id), remembering them does not pay.
    """

    def __init__(self, classify: Generated, facts: Facts, classes: Classes) -> None:
        super().__init__()
        self._classify = classify
        self._facts = facts
        self._classes = classes
        self._asked = 0
        self._missed = 0

    def numbers(self, rows: Sequence[Row]) -> bytes:
        """The class number of each row. Raises TypeError where a row holds a list, which cannot be remembered."""
        self._asked += len(rows)
        return bytes(map(self.__getitem__, rows))

    @property
    def pays(self) -> bool:
        """Whether most rows were known, as far as one can tell by now."""
        return self._asked < MEMO_LIMIT or self._missed * 4 < self._asked

    def __missing__(self, row: Row) -> int:
        if len(self) >= MEMO_LIMIT:
            self.clear()
        self._missed += 1
        number = self[row] = self._classes[self._classify([row], self._facts)[0]]
        return number
