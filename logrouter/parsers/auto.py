r"""Recognises by the line what it is: the parser of its format makes its fields. What is of no format stays text.

    - parse: auto
    < level=info msg=ready port=80
    > {"level":"info","msg":"ready","port":"80"}
    < ::1 - - [23/Nov/2026:10:00:00 +0100] "GET /a HTTP/1.1" 304 -
    > {"client":"::1","time":"2026-11-23T09:00:00Z","method":"GET","path":"/a","protocol":"HTTP/1.1","status":304}
    < {"level": "info", "n": 1.50}
    > {"level": "info", "n": 1.50}

It is what a source does that says nothing else, unless a sink keeps lines as they came (Loki, `format: raw`): there
text stays whole, as with `parse: json_or_text`, unless the source says `parse: auto`.

A format takes part whose lines begin in a way of their own: those of `csv`, `key_value` or `regex` do not. Every line
is judged alone, so formats may be mixed, and what a line becomes never depends on what came before. JSON objects are
events as they are, before anything is asked. Colours of a terminal are no part of a format. Nothing is marked
`meta.parse_error`: text is not wrong here.

Of an event of several lines ([`multiline`](../multiline.md)) which holds an exception the first is recognised, and the
exception has fields of its own, as [`traceback`](traceback.md) says.

In a list it stands for all of these formats. `formats` leaves out those that an app does not write:

    - parse: {auto: {formats: [clf], timezone: Europe/Stockholm}}
    < 2026/11/23 10:00:00 [error] 3#3: *1 timed out, client: ::1
    > {"time":"2026-11-23T09:00:00Z","level":"error","pid":3,"tid":3,"cid":1,"message":"timed out","client":"::1"}

`logrouter explain` tells for each line of a file which parser takes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import compress, repeat
from operator import contains, itemgetter
from typing import Any, Final

from logrouter import component
from logrouter.errors import did_you_mean
from logrouter.memo import Memo
from logrouter.parsers import Looks, Parser, ParserConfig
from logrouter.parsers._beginnings import alternatives_of, any_of, narrowed, needed_bytes
from logrouter.parsers._colours import ESCAPE, without_colours
from logrouter.parsers._dates import zone_named
from logrouter.parsers._exceptions import with_exception
from logrouter.possessive import portable

EXCEPTIONS: Final = "traceback"
"""The parser of events of several lines. Not by how they begin does it tell them, but by what they hold."""
_NEWLINE: Final = ord("\n")
TEXT: Final = 0
"""In place of a format's number: the line looks like none."""


class AutoConfig(ParserConfig, frozen=True, kw_only=True):
    """It needs no options."""

    formats: tuple[str, ...] = ()
    """Which formats are recognised beside JSON, by the names of their parsers. Default: all that can be."""
    timezone: str = "UTC"
    """The zone of times that do not say theirs, by its IANA name, such as `Europe/Stockholm`."""


class Auto(Parser[AutoConfig]):
    """Loads parsers when the first line of text comes: an app that writes JSON alone pays for none of them."""

    Config = AutoConfig

    def __init__(self, config: AutoConfig) -> None:
        super().__init__(config)
        zone_named(config.timezone)
        if config.formats:
            _check(config.formats)

    @cached_property
    def _formats(self) -> _Sorts:
        names = {"json", *self.config.formats} if self.config.formats else component.names("parsers")
        found = [_Format(name, kind, self.config.timezone) for name in names if (kind := _kind_of(name)).looks]
        return _Sorts(sorted(found, key=lambda format: (format.looks.rank, format.name)))

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        line = without_colours(line)
        made = self._parse(line, received_ns)
        return self._with_exception(line, made, received_ns) or made

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> Sequence[bytes | None]:
        if ESCAPE in block:
            lines = list(map(without_colours, lines))
            block = b"\n".join(lines)
        made = self._formats.parse_all(lines, block, received_ns)
        if not any(map(contains, lines, repeat(_NEWLINE))):  # a number: `in` tries that first, and raises for bytes
            return made
        return [self._with_exception(line, one, received_ns) or one for line, one in zip(lines, made, strict=True)]

    def parse_exception(self, line: bytes, received_ns: int) -> bytes | None:
        """As `parse`, but None where the event holds no exception."""
        if b"\n" not in line:
            return None
        line = without_colours(line)
        return self._with_exception(line, self._parse(line, received_ns), received_ns)

    def taker(self, line: bytes, received_ns: int) -> str | None:
        line = without_colours(line)
        name = self._formats.of(line).taker(line, received_ns)
        return EXCEPTIONS if name is None and self._with_exception(line, None, received_ns) else name

    def _parse(self, line: bytes, received_ns: int) -> bytes | None:
        return self._formats.of(line).parse(line, received_ns)

    def _with_exception(self, line: bytes, made: bytes | None, received_ns: int) -> bytes | None:
        """The event's object, where it is one of several lines that hold an exception."""
        if not self._has_exceptions or b"\n" not in line:
            return None
        return with_exception(line, made, lambda head: self._parse(head, received_ns))

    @property
    def _has_exceptions(self) -> bool:
        return not self.config.formats or EXCEPTIONS in self.config.formats


class _Format:
    """One that can be recognised, and its parser once there is a line that looks like it."""

    def __init__(self, name: str, kind: type[Parser[Any]], timezone: str) -> None:
        assert kind.looks is not None
        self.name = name
        self.looks: Looks = kind.looks
        self._kind = kind
        self._options = {"timezone": timezone} if "timezone" in kind.Config.__struct_fields__ else {}

    @cached_property
    def parser(self) -> Parser[Any]:
        return self._kind(self._kind.Config(**self._options))


_SORTS: Final = (b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0123456789", b"[", b" \t", b"<", b"{")
"""Lines are sorted by their first byte: what few formats begin with need not be looked for by all."""
_REST: Final = len(_SORTS)
_SORT_OF: Final = bytes(next((sort for sort, some in enumerate(_SORTS) if byte in some), _REST) for byte in range(256))
_IS_OF: Final = [bytes(byte == sort for byte in range(256)) for sort in range(_REST + 1)]
_FIRST: Final = itemgetter(0)


class _Sorts:
    """Formats, for each sort of lines those of which it can be."""

    def __init__(self, formats: Sequence[_Format]) -> None:
        self._formats = formats
        self._of_sort = Memo(self._possible, _REST + 1)

    def _possible(self, sort: int) -> _Formats:
        some = frozenset(byte for byte in range(256) if _SORT_OF[byte] == sort)
        begins = [narrowed(format.looks.begin, some) for format in self._formats]
        kept = [(format, begin) for format, begin in zip(self._formats, begins, strict=True) if begin]
        return _Formats([format for format, _ in kept], [begin for _, begin in kept])

    def of(self, line: bytes) -> _Formats:
        """Those of which a line can be."""
        return self._of_sort[_SORT_OF[line[0]] if line else _REST]

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> list[bytes | None]:
        """As of a `Parser`: one sort after the other."""
        if not all(lines):
            return [self.of(line).parse(line, received_ns) for line in lines]
        sorts = bytes(map(_FIRST, lines)).translate(_SORT_OF)
        if sorts.count(sorts[0]) == len(sorts):
            return self._of_sort[sorts[0]].parse_all(lines, block, received_ns)
        made: list[bytes | None] = [None] * len(lines)
        for sort in set(sorts):
            is_of = sorts.translate(_IS_OF[sort])
            some = list(compress(lines, is_of))
            found = self._of_sort[sort].parse_all(some, b"\n".join(some), received_ns)
            if any(found):
                for place, one in zip(compress(range(len(lines)), is_of), found, strict=True):
                    made[place] = one
        return made


class _Formats:
    """Formats in their order. A line is of the first that takes it, among those that it begins like.

    A format's number is its place, from 1 on. Whatever is done for speed gives what `parse` does.
    """

    def __init__(self, formats: Sequence[_Format], begins: Sequence[bytes]) -> None:
        """`begins`: how lines of each begin."""
        self._in_order = formats
        self._begins = begins
        self._begin = _compiled(b"|".join(b"(%b)" % begin for begin in begins) or b"(?!)").match
        self._unlike = Memo(self._other_than, len(formats) + 1)
        self._needed = [needed_bytes(part) for begin in begins for part in alternatives_of(begin)]
        """For each way in which a line can begin bytes that it has then."""
        self._marks = frozenset().union(*self._needed)
        self._after: Memo[int, _Formats] = Memo(
            lambda number: _Formats(formats[number:], begins[number:]), len(formats)
        )

    def _look(self, line: bytes) -> int:
        """The number of the first format that a line begins like."""
        match = self._begin(line)
        return TEXT if match is None else match.lastindex or TEXT

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        """As of a `Parser`."""
        number = self._look(line)
        if number == TEXT:
            return None
        made = self._in_order[number - 1].parser.parse(line, received_ns)
        return self._after[number].parse(line, received_ns) if made is None else made

    def taker(self, line: bytes, received_ns: int) -> str | None:
        """The name of the format that takes a line."""
        number = self._look(line)
        if number == TEXT:
            return None
        name = self._in_order[number - 1].parser.taker(line, received_ns)
        return name or self._after[number].taker(line, received_ns)

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> list[bytes | None]:
        """As of a `Parser`. Nearly always all lines of a block look alike, which one look at the block tells."""
        present = frozenset(byte for byte in self._marks if byte in block)
        if not any(needed <= present for needed in self._needed):
            return [None] * len(lines)
        first = self._look(lines[0])
        if self._look(lines[len(lines) // 2]) == self._look(lines[-1]) == first and not self._unlike[first](block):
            return self._parsed(first, lines, block, received_ns)
        made: list[bytes | None] = [None] * len(lines)
        for number, places in _grouped(map(self._look, lines)):
            some = [lines[place] for place in places]
            for place, one in zip(places, self._parsed(number, some, b"\n".join(some), received_ns), strict=True):
                made[place] = one
        return made

    def _parsed(self, number: int, lines: list[bytes], block: bytes, received_ns: int) -> list[bytes | None]:
        """What becomes of lines that all look like the same format; those behind it are asked for what it refuses."""
        if number == TEXT:
            return [None] * len(lines)
        made = list(self._in_order[number - 1].parser.parse_all(lines, block, received_ns))
        if None in made:
            refused = [place for place, one in enumerate(made) if one is None]
            some = [lines[place] for place in refused]
            others = self._after[number].parse_all(some, b"\n".join(some), received_ns)
            for place, one in zip(refused, others, strict=True):
                made[place] = one
        return made

    def _other_than(self, number: int) -> Callable[[bytes], re.Match[bytes] | None]:
        """Finds a line, but the first, that looks otherwise than lines of a format, or like one of a format before."""
        if number == TEXT:
            return _compiled(rb"\n" + any_of(self._begins)).search
        others = [any_of(self._begins[: number - 1])] if number > 1 else []
        if not self._in_order[number - 1].looks.takes_no_other:
            others.append(b"(?!%b)" % self._begins[number - 1])
        return _compiled(rb"\n(?:%b)" % b"|".join(others)).search if others else lambda block: None


def _compiled(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(portable(expression))


def _grouped(numbers: Iterable[int]) -> list[tuple[int, list[int]]]:
    """The places at which each number stands."""
    places: dict[int, list[int]] = {}
    for place, number in enumerate(numbers):
        places.setdefault(number, []).append(place)
    return list(places.items())


def _kind_of(name: str) -> type[Parser[Any]]:
    return component.load("parsers", name)


def _check(names: Iterable[str]) -> None:
    """Raises ValueError where one cannot be recognised."""
    known = [name for name in component.names("parsers") if name != "auto"]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f"formats: unknown parser {name!r}" + (f" ({hint})" if hint else ""))
        if name != EXCEPTIONS and _kind_of(name).looks is None:
            raise ValueError(f"formats: nearly any line could be {name}: name it in the list beside auto")
