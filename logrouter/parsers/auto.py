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
events as they are, before anything is asked. Nothing is marked `meta.parse_error`: text is not wrong here.

In a list it stands for all of these formats. `formats` leaves out those that an app does not write:

    - parse: {auto: {formats: [clf], timezone: Europe/Stockholm}}
    < 2026/11/23 10:00:00 [error] 3#3: *1 timed out, client: ::1
    > {"time":"2026-11-23T09:00:00Z","level":"error","pid":3,"tid":3,"cid":1,"message":"timed out","client":"::1"}

`logrouter explain` tells for each line of a file which parser takes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final

from logrouter import component
from logrouter.errors import did_you_mean
from logrouter.memo import Memo
from logrouter.parsers import Looks, Parser, ParserConfig
from logrouter.parsers._dates import zone_named
from logrouter.possessive import portable

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
    def _formats(self) -> _Formats:
        names = {"json", *self.config.formats} if self.config.formats else component.names("parsers")
        found = [_Format(name, kind, self.config.timezone) for name in names if (kind := _kind_of(name)).looks]
        return _Formats(sorted(found, key=lambda format: (format.looks.rank, format.name)))

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        return self._formats.parse(line, received_ns)

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> Sequence[bytes | None]:
        return self._formats.parse_all(lines, block, received_ns)

    def taker(self, line: bytes, received_ns: int) -> str | None:
        return self._formats.taker(line, received_ns)


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


class _Formats:
    """Formats in their order. A line is of the first that takes it, among those that it begins like.

    A format's number is its place, from 1 on. Whatever is done for speed gives what `parse` does.
    """

    def __init__(self, formats: Sequence[_Format]) -> None:
        self._in_order = formats
        self._begins = [format.looks.begin for format in formats]
        self._begin = _compiled([b"(%b)" % format.looks.begin for format in formats]).match
        self._unlike = Memo(self._other_than, len(formats) + 1)
        self._after: Memo[int, _Formats] = Memo(lambda number: _Formats(formats[number:]), len(formats))

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
        first = self._look(lines[0])
        if self._unlike[first].search(block) is None:
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

    def _other_than(self, number: int) -> re.Pattern[bytes]:
        """Finds a line, but the first, that looks otherwise than lines of a format."""
        if number == TEXT:
            return _compiled(self._begins, b"\n")
        return _compiled([*self._begins[: number - 1], b"(?!%b)" % self._begins[number - 1]], b"\n")


def _compiled(one_of: Iterable[bytes], before: bytes = b"") -> re.Pattern[bytes]:
    return re.compile(portable(b"%b(?:%b)" % (before, b"|".join(one_of) or b"(?!)")))


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
        if _kind_of(name).looks is None:
            raise ValueError(f"formats: nearly any line could be {name}: name it in the list beside auto")
