"""What `parse` says of a source: which parsers its lines of text are shown to, in order. The first that takes one wins.

    parse: auto                      JSON objects are events as they are, of text is recognised what it is
    parse: json_or_text              JSON objects are events as they are, all else is text
    parse: none                      all is text
    parse: json                      as json_or_text; text is marked `meta.parse_error`, and counted
    parse: logfmt                    a parser, by its name
    parse: [json, logfmt, {regex: …}]

A line that no parser takes stays as it is: nothing is lost by a wrong guess.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

from logrouter.documents import encode_document
from logrouter.parsers import Parser

ORIGINAL = "original"
"""The key of the line itself, beside the fields of it, with `keep_original`."""


class Parse:
    """How lines become events. Immutable, but for the stream that one of a source has turned to."""

    __slots__ = ("_parsers", "_stream", "marks", "reads_json", "said")

    def __init__(
        self,
        said: Any,
        *,
        reads_json: bool,
        marks: bool,
        parsers: Sequence[Parser[Any]] | Callable[[], Sequence[Parser[Any]]] = (),
    ) -> None:
        """`parsers`, or what makes them when the first line of text is there."""
        self.said = said
        """As the config has it."""
        self.reads_json = reads_json
        """Whether a line that is a JSON object is an event as it is, before any parser is asked."""
        self.marks = marks
        """Whether what is neither is marked `meta.parse_error`."""
        self._parsers = parsers
        self._stream: Hashable = None

    def __eq__(self, other: object) -> bool:
        return self.said == other.said if isinstance(other, Parse) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self.said))

    def __str__(self) -> str:
        return str(self.said)

    @property
    def parsers(self) -> Sequence[Parser[Any]]:
        """In the order in which they are asked."""
        if callable(self._parsers):
            self._parsers = self._parsers()
            self.turn_to(self._stream)
        return self._parsers

    def for_source(self) -> Parse:
        """The same for one source, with nothing of what others have written."""
        parsers = partial(_for_source, self)
        return Parse(self.said, reads_json=self.reads_json, marks=self.marks, parsers=parsers)

    def turn_to(self, stream: Hashable) -> None:
        """The lines that come now are of this stream of the source; None, as at first: of the only one."""
        self._stream = stream
        if not callable(self._parsers):
            for parser in self._parsers:
                parser.turn_to(stream)

    def name_of_taker(self, line: bytes, received_ns: int) -> str | None:
        """The name of the parser that takes a line of text."""
        return next(filter(None, (parser.taker(line, received_ns) for parser in self.parsers)), None)

    def parsed(
        self, lines: list[bytes], block: bytes, received_ns: int, *, keep_original: bool = False
    ) -> list[bytes | None]:
        """For each line of text the JSON object that the first parser makes of it which takes it; None: none does.

        `block` is the lines joined by newlines; `received_ns`, when they were read.
        """
        found = list(self.parsers[0].parse_all(lines, block, received_ns))
        for parser in self.parsers[1:]:
            places = [place for place, made in enumerate(found) if made is None]
            if not places:
                break
            left = [lines[place] for place in places]
            for place, made in zip(places, parser.parse_all(left, b"\n".join(left), received_ns), strict=True):
                found[place] = made
        if keep_original:
            return [made and _with_original(made, line) for made, line in zip(found, lines, strict=True)]
        return found


def _for_source(parse: Parse) -> list[Parser[Any]]:
    return [parser.for_source() for parser in parse.parsers]


def _auto() -> list[Parser[Any]]:
    from logrouter.parsers.auto import Auto, AutoConfig  # an app that writes JSON alone does not pay for it

    return [Auto(AutoConfig())]


AUTO = Parse("auto", reads_json=True, marks=False, parsers=_auto)
JSON_OR_TEXT = Parse("json_or_text", reads_json=True, marks=False)
NONE = Parse("none", reads_json=False, marks=False)
JSON = Parse("json", reads_json=True, marks=True)
WORDS = {"auto": AUTO, "json_or_text": JSON_OR_TEXT, "none": NONE, "json": JSON}
"""What stands alone; `auto` and `json` are also names of parsers in a list."""


def _with_original(made: bytes, line: bytes) -> bytes:
    original = encode_document({ORIGINAL: line.decode("utf-8", "replace")})
    return original if made == b"{}" else b"%b,%b" % (made[:-1], original[1:])
