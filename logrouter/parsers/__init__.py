"""The contract of a parser: a line of text becomes a JSON object of its fields.

`parse` is the definition: one line, alone. `parse_all` gives the same for the lines of a chunk, and is where speed
comes from: where a chunk needs no escaping, one regular expression over all of it and `bytes % tuple` make the objects,
without a line of Python for each. What that does not take goes the slow way, line by line.

A parser is a pure function of the line and its config (`auto` alone remembers which formats a stream has had). It
raises for no line, and takes no more than linear time.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec


class ParserConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """It has no options."""


ConfigT = TypeVar("ConfigT", bound=ParserConfig)


class Looks(msgspec.Struct, frozen=True):
    """What lines of a format look like."""

    begin: bytes
    """How every line of it begins, as an expression without groups that capture: cheap, and seldom of other lines. It
    matches no newline: where one ends the line, write `(?![^\n])`."""
    rank: int = 50
    """Where lines of two formats begin alike, the parser of the lower rank is asked first: the stricter one."""


class Parser(Generic[ConfigT]):
    """Base of all parsers. Its constructor raises ValueError where options do not go together."""

    Config: ClassVar[type[ParserConfig]] = ParserConfig
    looks: ClassVar[Looks | None] = None
    """How `parse: auto` recognises its lines; None: it takes no part in that, as nearly any line could be one of it."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @classmethod
    def options_from(cls, value: Any) -> Any:
        """The long form of what stands after the parser's name, where it has a short one (`regex: '…'`)."""
        return value

    def for_source(self) -> Parser[ConfigT]:
        """The same for one source: where it remembers something, nothing of others."""
        return self

    def turn_to(self, stream: Hashable) -> None:
        """The lines that come now are of this stream of its source: where it remembers something, nothing of others."""

    def only_alike(self) -> None:
        """From now on `parse_all` takes no line that does not begin as `looks` says: so `auto` need not ask how lines
        of a known format begin, which takes as long as a fifth of their parsing. Here it does nothing, as most parsers
        take no others."""

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        """The JSON object, in UTF-8, that a line stands for; None where it is not of this format.

        Bytes of the line that are not UTF-8 become U+FFFD. `received_ns`, when it was read, in nanoseconds since 1970:
        for formats that leave out the year.
        """
        raise NotImplementedError

    def taker(self, line: bytes, received_ns: int) -> str | None:
        """The name of the parser that takes a line, which is this one; None where none does."""
        return None if self.parse(line, received_ns) is None else self.__class__.__module__.rpartition(".")[2]

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> Sequence[bytes | None]:
        """The same for each of several lines. `block` is the lines joined by newlines; a line may hold some itself."""
        return [self.parse(line, received_ns) for line in lines]
