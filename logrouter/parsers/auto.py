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
is judged by itself, so formats may be mixed. Where two would take a line, that is asked first which the source has
written before, and so an app's lines all become the same fields. JSON objects are events as they are, before anything
is asked. Colours of a terminal are no part of a format. Nothing is marked `meta.parse_error`: text is not wrong here.

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
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import compress, repeat
from operator import contains
from typing import Any, Final

from logrouter import component
from logrouter.errors import did_you_mean
from logrouter.memo import Memo
from logrouter.parsers import Looks, Parser, ParserConfig
from logrouter.parsers._beginnings import alternatives_of, any_of, narrowed, needed_bytes
from logrouter.parsers._colours import ESCAPE, without_colours
from logrouter.parsers._dates import zone_named
from logrouter.parsers._exceptions import with_exception
from logrouter.parsers._lazy import LazyPattern
from logrouter.possessive import portable

EXCEPTIONS: Final = "traceback"
"""The parser of events of several lines. Not by how they begin does it tell them, but by what they hold."""
_NEWLINE: Final = ord("\n")
_SAMPLE: Final = 16
"""So many lines of a block, at most, say what the others look like."""
_FEW: Final = 4
"""For so many lines, as an app's first ones, no expression is compiled that tells of a block what looks like any."""


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
    def _recognition(self) -> Recognition:
        return Recognition(_sorts(self.config.formats, self.config.timezone))

    def for_source(self) -> Auto:
        return Auto(self.config)

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        line = without_colours(line)
        made = self._parse(line, received_ns)
        return self._with_exception(line, made, received_ns) or made

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> Sequence[bytes | None]:
        if ESCAPE in block:
            lines = list(map(without_colours, lines))
            block = b"\n".join(lines)
        made = self._recognition.parse_all(lines, block, received_ns)
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
        found = self._recognition.taken(line, received_ns)
        if found is None:
            return EXCEPTIONS if self._with_exception(line, None, received_ns) else None
        return found[0].name

    def _parse(self, line: bytes, received_ns: int) -> bytes | None:
        return self._recognition.parse(line, received_ns)

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
        options = kind.Config.__struct_fields__
        of_lines = "timezone" in options and "time_format" not in options  # else it is that of a format alone
        self._options = {"timezone": timezone} if of_lines else {}

    @cached_property
    def parser(self) -> Parser[Any]:
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
        if all(map(self._begins.match, lines[:4])) and all(map(self._begins.match, sample)):
            return self.parser.parse_all(lines, block, received_ns)
        alike = list(map(self._begins.match, lines))
        some = list(compress(lines, alike))
        found = iter(self.parser.parse_all(some, b"\n".join(some), received_ns) if some else ())
        return [None if match is None else next(found) for match in alike]


Taken = tuple[_Format, bytes]


class Recognition:
    """What one source writes: the formats of which its lines have been so far are asked before all others.

    In the order in which they came. Then a line of none of them is looked at: it may be the first of another.
    """

    def __init__(self, sorts: _Sorts) -> None:
        self._sorts = sorts
        self._seen: list[_Format] = []

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        """As of a `Parser`."""
        found = self.taken(line, received_ns)
        return None if found is None else found[1]

    def taken(self, line: bytes, received_ns: int) -> Taken | None:
        """The format that takes a line, and what it makes of it."""
        for known in self._seen:
            if (made := known.parse(line, received_ns)) is not None:
                return known, made
        found = self._sorts.taken(line, received_ns)
        if found is not None:
            self._seen.append(found[0])
        return found

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> list[bytes | None]:
        """As of a `Parser`. Nearly always all lines of a block are of the first format."""
        made: list[bytes | None] = [None] * len(lines)
        left: Sequence[int] = range(len(lines))
        for known in self._seen:
            if left := _asked(known, lines, block, left, made, received_ns):
                continue
            return made
        while left:
            found = self._sorts.first_taken(lines, left, received_ns)
            if found is None:
                break
            place, new = found
            self._seen.append(new)
            left = _asked(new, lines, block, left[place:], made, received_ns)
        return made


def _asked(
    format: _Format,
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


@lru_cache(maxsize=16)
def _sorts(formats: tuple[str, ...], timezone: str) -> _Sorts:
    names = {"json", *formats} if formats else component.names("parsers")
    found = [_Format(name, kind, timezone) for name in names if (kind := _kind_of(name)).looks]
    return _Sorts(sorted(found, key=lambda format: (format.looks.rank, format.name)))


_SORTS: Final = (b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0123456789", b"[", b" \t", b"<", b"{")
"""Lines are sorted by their first byte: what few formats begin with need not be looked for by all."""
_REST: Final = len(_SORTS)
_SORT_OF: Final = bytes(next((sort for sort, some in enumerate(_SORTS) if byte in some), _REST) for byte in range(256))
_IS_OF: Final = [bytes(byte == sort for byte in range(256)) for sort in range(_REST + 1)]


class _Sorts:
    """Formats, for each sort of lines those of which it can be."""

    def __init__(self, formats: Sequence[_Format]) -> None:
        self._formats = formats
        self._of_sort = Memo(self._possible, _REST + 1)

    def _possible(self, sort: int) -> _Formats:
        some = frozenset(byte for byte in range(256) if _SORT_OF[byte] == sort)
        begins = ((format, narrowed(format.looks.begin, some)) for format in self._formats)
        return _Formats([(format, begin) for format, begin in begins if begin])

    def taken(self, line: bytes, received_ns: int) -> Taken | None:
        """The first format that takes a line, among those that it begins like, and what it makes of it."""
        return self._of_sort[_SORT_OF[line[0]] if line else _REST].taken(line, received_ns)

    def first_taken(self, lines: list[bytes], places: Sequence[int], received_ns: int) -> tuple[int, _Format] | None:
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


class _Formats:
    """Formats in their order, and how their lines begin. A line is of the first that takes it, among those that it
    begins like."""

    def __init__(self, begins: Sequence[tuple[_Format, bytes]]) -> None:
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
        first = self._like_any.search(block)
        if first is None:
            return ()
        if block.count(b"\n") > len(lines):  # there are events of several lines
            return range(len(lines))
        return list(_numbers(block, self._like_any.finditer(block, first.start())))


def _numbers(block: bytes, matches: Iterable[re.Match[bytes]]) -> Iterator[int]:
    """Those of the lines of a block that begin where there is a match; each line has its newline before it."""
    number = end = 0
    for match in matches:
        number += block.count(b"\n", end, match.start())
        yield number
        end = match.start()


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
