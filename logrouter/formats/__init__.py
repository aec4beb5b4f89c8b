"""How events look as bytes: lines of JSON, of raw text, of logfmt, or of text for people on a terminal.

Each format is one pure file with one function from a `Slice` to bytes. Sinks choose theirs once, by
`encoder`, which imports only the one that is asked for. `raw` differs from the rest: it joins the pieces of an
overlong line, so that it must know where it stopped, for each path (`raw.py`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from logrouter.formats.include import Include

if TYPE_CHECKING:
    from logrouter.batch import Slice

Format = Literal["json", "raw", "pretty", "logfmt"]


class Encode(Protocol):
    """Makes whole lines of the events of a slice, in their order: one line each, all in one piece."""

    def __call__(self, part: Slice, path: str = "") -> bytes:
        """`path`: where the lines go, of a sink that writes to several places."""
        ...


def encoder(name: Format, include: Include, colour: bool = False) -> Encode:
    """The encoder of a format. `colour`: for people, where they want it."""
    match name:
        case "raw":
            from logrouter.formats.raw import RawLines

            return RawLines()
        case "json":
            from logrouter.formats.ndjson import json_lines

            lines = partial(json_lines, include=include)
        case "logfmt":
            from logrouter.formats.logfmt import logfmt_lines

            lines = partial(logfmt_lines, include=include)
        case "pretty":
            from logrouter.formats.pretty import pretty_lines

            lines = partial(pretty_lines, include=include, colour=colour)
    return lambda part, path="": lines(part)
