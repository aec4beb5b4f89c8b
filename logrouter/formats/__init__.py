"""How events look as bytes: lines of JSON, of raw text, of logfmt, or of text for people on a terminal.

Each format is one pure file with one function from a `Slice` to bytes. Sinks choose theirs once, by
`encoder`, which imports only the one that is asked for. `raw` differs from the rest: it joins the pieces of an
overlong line, so that it must know where it stopped (`raw.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Literal, TypeAlias

from logrouter.formats.include import Include

if TYPE_CHECKING:
    from logrouter.sinks import Slice

Encode: TypeAlias = "Callable[[Slice], bytes]"
"""Makes whole lines of the events of a slice, in their order: one line each, all in one piece."""

Format = Literal["json", "logfmt"]


def encoder(name: Format, include: Include) -> Encode:
    """The function of a format."""
    module, function = {"json": ("ndjson", "json_lines"), "logfmt": ("logfmt", "logfmt_lines")}[name]
    encode = getattr(import_module(f"logrouter.formats.{module}"), function)
    return partial(encode, include=include)


def encoder_for_people(include: Include, colour: bool) -> Encode:
    """The function of the format `pretty`."""
    from logrouter.formats.pretty import pretty_lines

    return partial(pretty_lines, include=include, colour=colour)
