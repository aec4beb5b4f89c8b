"""Which format a line of text is of: the formats that `parse: auto` knows, and those that one source has written.

    Recognition   of one source: the formats of which lines have come are asked first, each for a whole block
    Memory        which these are, of each of its streams
    Sorts         what is left: lines by their first byte, and with it the formats that they can be of
    Format        a parser, loaded where there is a line that looks like it

A block is looked at as a whole wherever that is possible: most are of one format, or text.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import compress
from typing import Any, Final

from logrouter.memo import Memo
from logrouter.parsers import Looks, Parser
from logrouter.parsers._beginnings import alternatives_of, any_of, narrowed, needed_bytes
from logrouter.parsers._lazy import LazyPattern
from logrouter.possessive import portable

_SAMPLE: Final = 16
"""So many lines of a block, at most, say what the others look like."""
_FEW: Final = 4
"""For so many lines, as an app's first ones, no expression is compiled that tells of a block what looks like any."""
_SAME: Final = 256
STREAMS: Final = 16_384
"""So many streams of a source are remembered. Each costs some 200 bytes, but nothing where all of it is JSON, or text
of no format."""


class Format:
    """One that can be recognised, and its parser once there is a line that looks like it."""

    def __init__(self, name: str, kind: type[Parser[Any]], timezone: str) -> None:
        assert kind.looks is not None
        self.name = name
        self.looks: Looks = kind.looks
        self._kind = kind
        options = kind.Config.__struct_fields__
        of_lines = "timezone" in options and "time_format" not in options  # else it is that of a format alone
        self._options = {"timezone": timezone} if of_lines else {}

    @cached_property
    def parser(self) -> Parser[Any]:
        """Its parser, which takes no other lines."""
        parser = self._kind(self._kind.Config(**self._options))
        parser.only_alike()
        return parser

    @cached_property
    def _begins(self) -> re.Pattern[bytes]:
        return re.compile(portable(self.looks.begin))

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        """As of a `Parser`; of lines alone that look like it."""
        return self.parser.parse(line, received_ns) if self._begins.match(line) else None

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> Sequence[bytes | None]:
        """As `parse`. Where only some look like it, the parser, which takes long over others, is shown these alone."""
        sample = lines[:: len(lines) // _SAMPLE | 1]  # an odd number, as lines may come in pairs
        if all(map(self._begins.match, lines[:_FEW])) and all(map(self._begins.match, sample)):
            return self.parser.parse_all(lines, block, received_ns)
        alike = list(map(self._begins.match, lines))
        some = list(compress(lines, alike))
        found = iter(self.parser.parse_all(some, b"\n".join(some), received_ns) if some else ())
        return [None if match is None else next(found) for match in alike]


class Memory:
    """The formats of which lines have come, of each stream of a source; of so many as were read last."""

    def __init__(self) -> None:
        self.seen: tuple[Format, ...] = ()
        """Those of the stream whose lines come now, in the order in which they came."""
        self._stream: Hashable = None
        self._others: dict[Hashable, tuple[Format, ...]] = {}
        """Those of the others of which any have come; whoever was read last is the last."""
        self._same = Memo[tuple[Format, ...], tuple[Format, ...]](lambda seen: seen, _SAME)
        """Most streams are of the same few formats, which are kept once."""

    def turn_to(self, stream: Hashable) -> None:
        """The lines that come now are of this stream."""
        if stream == self._stream:
            return
        seen = self._others.pop(stream, ())
        if self.seen:
            self._others[self._stream] = self._same[self.seen]
            if len(self._others) > STREAMS:
                del self._others[next(iter(self._others))]
        self._stream, self.seen = stream, seen


Taken = tuple[Format, bytes]


class Recognition:
    """What one source writes: the formats of which lines of a stream have been so far are asked before all others.

    In the order in which they came. Then a line of none of them is looked at: it may be the first of another.
    """

    def __init__(self, sorts: Sorts, memory: Memory | None = None) -> None:
        self._sorts = sorts
        self._memory = memory or Memory()

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        """As of a `Parser`."""
        found = self.taken(line, received_ns)
        return None if found is None else found[1]

    def taken(self, line: bytes, received_ns: int) -> Taken | None:
        """The format that takes a line, and what it makes of it."""
        for known in self._memory.seen:
            if (made := known.parse(line, received_ns)) is not None:
                return known, made
        found = self._sorts.taken(line, received_ns)
        if found is not None:
            self._memory.seen += (found[0],)
        return found

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> list[bytes | None]:
        """As of a `Parser`. Nearly always all lines of a block are of the first format."""
        made: list[bytes | None] = [None] * len(lines)
        left: Sequence[int] = range(len(lines))
        for known in self._memory.seen:
            if left := _asked(known, lines, block, left, made, received_ns):
                continue
            return made
        while left:
            found = self._sorts.first_taken(lines, left, received_ns)
            if found is None:
                break
            place, new = found
            self._memory.seen += (new,)
            left = _asked(new, lines, block, left[place:], made, received_ns)
        return made


def _asked(
    format: Format,
    lines: list[bytes],
    block: bytes,
    places: Sequence[int],
    made: list[bytes | None],
    received_ns: int,
) -> Sequence[int]:
    """Let a format make what it can of the lines at some places. Gives the places that are left."""
    if len(places) == len(lines):
        made[:] = format.parse_all(lines, block, received_ns)
        return () if all(made) else [place for place, one in enumerate(made) if one is None]
    some = [lines[place] for place in places]
    found = format.parse_all(some, b"\n".join(some), received_ns)
    for place, one in zip(places, found, strict=True):
        made[place] = one
    return [place for place in places if made[place] is None]


_SORTS: Final = (b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0123456789", b"[", b" \t", b"<", b"{")
"""Lines are sorted by their first byte: what few formats begin with need not be looked for by all."""
_REST: Final = len(_SORTS)
_SORT_OF: Final = bytes(next((sort for sort, some in enumerate(_SORTS) if byte in some), _REST) for byte in range(256))
_IS_OF: Final = [bytes(byte == sort for byte in range(256)) for sort in range(_REST + 1)]


class Sorts:
    """Formats, for each sort of lines those of which it can be."""

    def __init__(self, formats: Sequence[Format]) -> None:
        self._formats = formats
        self._of_sort = Memo(self._possible, _REST + 1)

    def _possible(self, sort: int) -> _OfSort:
        some = frozenset(byte for byte in range(256) if _SORT_OF[byte] == sort)
        begins = ((format, narrowed(format.looks.begin, some)) for format in self._formats)
        return _OfSort([(format, begin) for format, begin in begins if begin])

    def taken(self, line: bytes, received_ns: int) -> Taken | None:
        """The first format that takes a line, among those that it begins like, and what it makes of it."""
        return self._of_sort[_SORT_OF[line[0]] if line else _REST].taken(line, received_ns)

    def first_taken(self, lines: list[bytes], places: Sequence[int], received_ns: int) -> tuple[int, Format] | None:
        """The first of some lines that a format takes, by its number among the places; and the format."""
        some = lines if len(places) == len(lines) else [lines[place] for place in places]
        for number in self._suspects(some):
            if (found := self.taken(some[number], received_ns)) is not None:
                return number, found[0]
        return None

    def _suspects(self, lines: list[bytes]) -> Iterable[int]:
        """The numbers of those lines, in order, that may look like one."""
        if len(lines) <= _FEW:
            return range(len(lines))
        sorts = b"".join([line[:1] or b"\n" for line in lines]).translate(_SORT_OF)
        found: list[int] = []
        for sort in set(sorts):
            is_of = sorts.translate(_IS_OF[sort])
            if suspects := self._of_sort[sort].suspects(list(compress(lines, is_of))):
                numbers = list(compress(range(len(lines)), is_of))
                found += [numbers[suspect] for suspect in suspects]
        return sorted(found)


class _OfSort:
    """The formats that lines of one sort can be of, in their order, and how such lines of them begin.

    A line is of the first that takes it, among those that it begins like.
    """

    def __init__(self, begins: Sequence[tuple[Format, bytes]]) -> None:
        self._begins = [(format, LazyPattern(begin)) for format, begin in begins]

    @cached_property
    def _like_any(self) -> re.Pattern[bytes]:
        any_begin = any_of([begin.expression for _, begin in self._begins]) if self._begins else b"(?!)"
        return re.compile(portable(rb"\n(?:%b)" % any_begin))

    @cached_property
    def _needed(self) -> list[frozenset[int]]:
        """For each way in which a line can begin bytes that it has then."""
        return [needed_bytes(way) for _, begin in self._begins for way in alternatives_of(begin.expression)]

    @cached_property
    def _marks(self) -> frozenset[int]:
        return frozenset().union(*self._needed)

    def taken(self, line: bytes, received_ns: int) -> Taken | None:
        """The format that takes a line, and what it makes of it."""
        for format, begin in self._begins:
            if begin.pattern.match(line) and (made := format.parser.parse(line, received_ns)) is not None:
                return format, made
        return None

    def suspects(self, lines: list[bytes]) -> Sequence[int]:
        """The numbers of those lines that look like any, as one look at all of them tells."""
        block = b"\n".join((b"", *lines))
        present = frozenset(byte for byte in self._marks if byte in block)
        if not any(needed <= present for needed in self._needed):
            return ()
        numbers = list(_numbers(block, self._like_any.finditer(block)))
        are_joined = numbers and block.count(b"\n") > len(lines)  # there are events of several lines
        return range(len(lines)) if are_joined else numbers


def _numbers(block: bytes, matches: Iterable[re.Match[bytes]]) -> Iterator[int]:
    """Those of the lines of a block that begin where there is a match; each line has its newline before it."""
    number = end = 0
    for match in matches:
        number += block.count(b"\n", end, match.start())
        yield number
        end = match.start()
