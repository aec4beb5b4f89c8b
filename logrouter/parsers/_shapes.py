"""The fast way of the parsers whose lines come in few shapes: one expression over a whole block of lines.

    block       host=a n=1⏎host=b n=2⏎hello⏎…
    expression  ^(?:host=(\\S*+) n=(\\S*+)$|(.+))       one group a column, and one for lines of another shape
    found       (a, 1, ""), (b, 2, ""), ("", "", hello)
    objects     {"host":"a","n":"1"}, {"host":"b","n":"2"}, left for the next shape, in the end for `parse`

Nothing in it is escaped but messages: lines go this way in blocks that have no control character and are UTF-8, and no
backslash unless a parser's shapes allow for it. And no other group holds a quotation mark. A group may run over a
newline, which makes it twice as quick (`[^"]*+`): then there are fewer matches than lines. A block in which there is
one of these is halved, until few lines are left that `parse` takes one by one.

Measured on one core (AMD EPYC, Python 3.11): 1.4 µs for a line of the combined format, of 11 fields; `parse` takes 15.
"""

from __future__ import annotations

import gc
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress, repeat
from operator import attrgetter, contains, itemgetter, not_
from typing import Final, NamedTuple, cast

from logrouter.documents import encode_document
from logrouter.parsers import ConfigT, Parser
from logrouter.possessive import portable
from logrouter.projection import is_utf8

ROUNDS: Final = 16
"""So many shapes are tried on a block. A line of another shape takes 0.2 µs, so more would cost as much as `parse`."""
PIECE: Final = 512
"""So many lines are taken at once: of more, what is made of them does not stay in the cache, and costs a fifth more."""
FEW: Final = 4
"""So many lines are not halved again."""
ESCAPED: Final = frozenset((*range(32), ord("\\"))) - {ord("\n")}
"""What JSON escapes, but for quotation marks and what ends a line."""
_NEWLINE: Final = ord("\n")
_LAST: Final = itemgetter(-1)
_IS_RARE: Final = attrgetter("is_rare")
_TEXT: Final = b'"%b"'
_AS_IT_IS: Final = b"%b"


class Column(NamedTuple):
    """What one group of an expression becomes."""

    name: str
    value: Callable[[bytes], bytes] | None = None
    """Makes JSON of the group; raises ValueError where the line must go the careful way. Default: it is a text."""
    is_json: bool = False
    """The group is JSON as it stands: a number."""
    may_lack: bool = False
    """An empty group means that the line has no such field."""
    at_once: Callable[[Sequence[bytes]], Sequence[bytes] | bytes] | None = None
    """As `value`, of the groups of many lines, which hold no newline: also of those that are empty. It may give one
    for all. `escaped`: for a group that may hold quotation marks, and backslashes where the parser lets them be."""
    group: int | None = None
    """The number of the group, from 0, where columns stand in another order, or two of them for one group. Default: the
    place of the column."""
    part: bytes = b""
    """A template that stands in the object instead of the member, where one is made of several columns."""

    def values(self, texts: Sequence[bytes]) -> Sequence[bytes] | bytes:
        """What stands in the objects, or in each of them. Raises ValueError as `value` does."""
        if self.at_once is not None:
            return self.at_once(texts)
        if self.value is None:
            return texts
        if texts and texts[0] == texts[-1] != b"" and len(set(texts)) == 1:
            return self.value(texts[0])
        if not self.may_lack or all(texts):
            return list(map(self.value, texts))
        return [self.value(text) if text else b"" for text in texts]

    @property
    def piece(self) -> bytes:
        """The member of an object, as a template."""
        if self.part:
            return self.part
        key = encode_document({self.name: 0})[1:-2].replace(b"%", b"%%")
        return b"," + key + (_AS_IT_IS if self.is_json or self.value else _TEXT)


def escaped(texts: Sequence[bytes]) -> Sequence[bytes]:
    """As JSON has them: all at once, for a tenth of what one by one takes."""
    joined = b"\n".join(texts)
    if b'"' not in joined and b"\\" not in joined:
        return texts
    return joined.replace(b"\\", rb"\\").replace(b'"', rb"\"").split(b"\n")


class Shape:
    """An expression, one group a column, that matches a line of the shape as a whole. Immutable.

    What its groups match is what `parse` makes of the same lines, and no quotation mark unless its column says so.
    Where the line for which it was made begins as `looks` of the parser says, all of the shape do.
    """

    def __init__(self, expression: bytes, columns: Sequence[Column], *, is_rare: bool = False) -> None:
        """`is_rare`: lines of it may be of other shapes too, which take less time."""
        self.is_rare = is_rare
        self._expression = re.compile(portable(rb"^(?:%b$|([^\n]++))" % expression), re.MULTILINE)
        self._columns = [(column, column.piece) for column in columns]
        self._groups = [place if column.group is None else column.group for place, column in enumerate(columns)]
        self._template = b""
        if all(column == Column(column.name, is_json=column.is_json) for column in columns):
            self._template = b"{%b}%%b" % b"".join(piece for _, piece in self._columns)[1:]

    def takes(self, line: bytes) -> bool:
        """Whether a line that needs no escaping is of this shape."""
        match = self._expression.fullmatch(line)
        return match is not None and match.lastindex != self._expression.groups

    def objects(self, block: bytes, count: int) -> tuple[list[bytes], list[bytes]] | None:
        """The objects of those lines of a block that are of this shape; and for each line "", or itself where it is of
        another, unless none is. `count`: how many lines it has.

        None where the expression has run over the end of a line.
        """
        found = self._expression.findall(block)
        if len(found) != count:
            return None
        others = list(map(_LAST, found))
        if any(others):
            found = list(compress(found, map(not_, others)))
        else:
            others = []
        try:
            return self._made(found), others
        except ValueError:
            return None

    def _made(self, found: list[tuple[bytes, ...]]) -> list[bytes]:
        """The objects, column by column: one that all have is part of the template, one that none has is left out."""
        if self._template:  # in which the last group stands too, as it is empty
            return list(map(self._template.__mod__, found))
        template, columns = b"", []
        groups = list(zip(*found, strict=True)) or [()] * (max(self._groups) + 1)
        for (column, piece), group in zip(self._columns, self._groups, strict=True):
            values = column.values(groups[group])
            if isinstance(values, bytes):
                template += (piece % values).replace(b"%", b"%%") if values or not column.may_lack else b""
                continue
            if not column.may_lack or all(values):
                template += piece
            elif any(values):
                template += _AS_IT_IS
                values = [piece % value if value else b"" for value in values]
            else:
                continue
            columns.append(values)
        if not columns:
            return [b"{%b}" % template[1:].replace(b"%%", b"%")] * len(found)
        rows = zip(*columns, strict=True)
        if template[:1] == b",":
            return list(map((b"{" + template[1:] + b"}").__mod__, rows))
        return [b"{%b}" % (template % values)[1:] for values in rows]


def to_escape(separator: str) -> bytes:
    """The separator of values, for a set of an expression, where JSON must escape it: as a tab in quotation marks."""
    return re.escape(separator).encode() if ord(separator) in ESCAPED else b""


class ShapedParser(Parser[ConfigT]):
    """Base of the parsers that tell the shape of a line."""

    escaped: frozenset[int] = ESCAPED
    """The characters of which none may be in a block. One that no group holds but those that are escaped may be."""

    def __init__(self, config: ConfigT) -> None:
        super().__init__(config)
        self._recent: list[Shape] = []
        """What lines were of before: a look is quicker than `shape_of`."""
        self._begins: Callable[[bytes], object] | None = None
        """Tells of a line whether it may be taken, if not all may be."""

    def only_alike(self) -> None:
        if self.looks is not None:
            self._begins = re.compile(portable(self.looks.begin)).match

    @abstractmethod
    def shape_of(self, line: bytes) -> Shape | None:
        """The shape of a line that needs no escaping, perhaps; None where it has none. Asked of one line for many."""

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> Sequence[bytes | None]:
        made: list[bytes | None] = []
        with _uncollected():
            for start in range(0, len(lines), PIECE):
                made += self._parse_piece(lines[start : start + PIECE], received_ns)
        return made

    def _parse_piece(self, lines: list[bytes], received_ns: int) -> list[bytes | None]:
        block = b"\n".join(lines)
        if not self._needs_care(lines, block) and (made := self._by_shapes(lines, block, received_ns)) is not None:
            return made
        if len(lines) <= FEW:
            return [self.parse_alike(line, received_ns) for line in lines]
        half = len(lines) // 2
        return self._parse_piece(lines[:half], received_ns) + self._parse_piece(lines[half:], received_ns)

    def _needs_care(self, lines: list[bytes], block: bytes) -> bool:
        return (
            any(map(contains, lines, repeat(_NEWLINE)))  # a number: `in` tries that first, and raises for bytes
            or any(map(block.__contains__, self.escaped))
            or not is_utf8(block)
        )

    def _by_shapes(
        self, lines: list[bytes], block: bytes, received_ns: int, rounds: int = ROUNDS
    ) -> list[bytes | None] | None:
        """Those of one shape at once, then the others among themselves. None where a shape cannot."""
        shape, shapeless = self._next_shape(lines) if rounds else (None, len(lines))
        careful, lines = lines[:shapeless], lines[shapeless:]
        made: list[bytes | None] = []
        if shape is not None:
            found = shape.objects(b"\n".join(lines) if careful else block, len(lines))
            if found is None:
                return None
            made, others = cast("tuple[list[bytes | None], list[bytes]]", found)
            if others:
                left = list(filter(None, others))
                made_of_left = self._by_shapes(left, b"\n".join(left), received_ns, rounds - 1)
                if made_of_left is None:
                    return None
                for place, one in zip(compress(range(len(others)), others), made_of_left, strict=True):
                    made.insert(place, one)
        return [*(self.parse_alike(line, received_ns) for line in careful), *made] if careful else made

    def parse_alike(self, line: bytes, received_ns: int) -> bytes | None:
        """As `parse`, of lines that may be taken."""
        return self.parse(line, received_ns) if self._is_alike(line) else None

    def _is_alike(self, line: bytes) -> bool:
        return self._begins is None or self._begins(line) is not None

    def _next_shape(self, lines: list[bytes]) -> tuple[Shape | None, int]:
        """The shape of the first of some lines that has one, and how many before it have none."""
        for number, line in enumerate(lines):
            for shape in self._recent:
                if shape.takes(line):
                    return shape, number
            if self._is_alike(line) and (new := self.shape_of(line)) is not None and new.takes(line):
                self._recent = sorted([new, *self._recent[: ROUNDS - 1]], key=_IS_RARE)
                return new, number
        return None, len(lines)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which would look through thousands of tuples of what groups have matched, though
    they hold but bytes and are let go at once: a fifteenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
