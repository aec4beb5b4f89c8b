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
is judged by itself, so formats may be mixed. Where two would take a line, that is asked first which was written before
to the same stream (a file, a container's stdout), and so an app's lines all become the same fields, whatever the
source reads beside. JSON objects are events as they are, before anything
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

from collections.abc import Hashable, Sequence
from functools import cached_property, lru_cache
from itertools import repeat
from operator import contains
from typing import Any, Final

from logrouter import component
from logrouter.errors import Complaints, did_you_mean, each
from logrouter.parsers import Parser, ParserConfig
from logrouter.parsers._colours import ESCAPE, without_colours
from logrouter.parsers._dates import zone_named
from logrouter.parsers._exceptions import with_exception
from logrouter.parsers._recognition import Format, Memory, Recognition, Sorts

EXCEPTIONS: Final = "traceback"
"""The parser of events of several lines. Not by how they begin does it tell them, but by what they hold."""
_NEWLINE: Final = ord("\n")


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
        complaints = Complaints()
        with complaints:
            zone_named(config.timezone)
        with complaints:
            each(_check, config.formats)
        complaints.conclude()
        self._memory = Memory()

    @cached_property
    def _recognition(self) -> Recognition:
        return Recognition(_sorts(self.config.formats, self.config.timezone), self._memory)

    def for_source(self) -> Auto:
        return Auto(self.config)

    def turn_to(self, stream: Hashable) -> None:
        self._memory.turn_to(stream)

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


@lru_cache(maxsize=16)
def _sorts(formats: tuple[str, ...], timezone: str) -> Sorts:
    names = {"json", *formats} if formats else component.names("parsers")
    found = [Format(name, kind, timezone) for name in names if (kind := _kind_of(name)).looks]
    return Sorts(sorted(found, key=lambda format: (format.looks.rank, format.name)))


def _kind_of(name: str) -> type[Parser[Any]]:
    return component.load("parsers", name)


def _check(name: str) -> None:
    """Raises ValueError where a format cannot be recognised."""
    known = [name for name in component.names("parsers") if name != "auto"]
    if name not in known:
        hint = did_you_mean(name, known)
        raise ValueError(f"formats: unknown parser {name!r}" + (f" ({hint})" if hint else ""))
    if name != EXCEPTIONS and _kind_of(name).looks is None:
        raise ValueError(f"formats: nearly any line could be {name}: name it in the list beside auto")
