"""A body made of one event: any structure whose texts are templates, filled in, as JSON.

    {text: "{service.name}: {message}", level: 3}
    → {"text":⟨column 0⟩,"level":3}

Each text that varies is a column, which routing renders; here it is quoted and put between pieces that never change. So
nothing that an event holds can end a string or add a key. A body that is a text alone is filled in and sent as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, repeat
from typing import Any

import msgspec

from logrouter.facts import Facts
from logrouter.sinks import Slice
from logrouter.templates import Template

_encode = msgspec.json.Encoder().encode
_NOTHING = Facts({}, 0, {})


class BodyTemplate:
    """What is sent for an event."""

    def __init__(self, body: Any) -> None:
        """Raises ExpressionError for a text that is no template."""
        self._quote: Callable[[str], bytes] = _plain if isinstance(body, str) else _quoted
        pieces = list(_merged(_pieces(body, self._quote)))
        self.templates: tuple[Template, ...] = tuple(piece for piece in pieces if isinstance(piece, Template))
        """Those that vary: the columns that `render` wants, in this order."""
        self._pieces = pieces

    def render(self, part: Slice) -> Iterator[bytes]:
        """The bodies for the events of a slice."""
        columns = iter(part.columns)
        pieces: list[Iterable[bytes]] = [repeat(b"", len(part))]
        for piece in self._pieces:
            if isinstance(piece, bytes):
                pieces.append(repeat(piece))
            else:
                column = next(columns)
                pieces.append(repeat(self._quote(column)) if isinstance(column, str) else map(self._quote, column))
        return map(b"".join, zip(*pieces, strict=False))


def _pieces(value: Any, quote: Callable[[str], bytes]) -> Iterator[bytes | Template]:
    """A structure as JSON, with its templates in between."""
    match value:
        case str():
            template = Template.parse(value)
            yield quote(template.render({}, _NOTHING)) if template.is_constant else template
        case dict():
            for number, (key, item) in enumerate(value.items()):
                yield (b"," if number else b"{") + _encode(str(key)) + b":"
                yield from _pieces(item, quote)
            yield b"}" if value else b"{}"
        case list() | tuple():
            for number, item in enumerate(value):
                yield b"," if number else b"["
                yield from _pieces(item, quote)
            yield b"]" if value else b"[]"
        case _:
            yield _encode(value)


def _merged(pieces: Iterable[bytes | Template]) -> Iterator[bytes | Template]:
    for is_bytes, group in groupby(pieces, lambda piece: isinstance(piece, bytes)):
        if is_bytes:
            yield b"".join(piece for piece in group if isinstance(piece, bytes))
        else:
            yield from group


def _plain(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _quoted(text: str) -> bytes:
    try:
        return _encode(text)
    except UnicodeEncodeError:  # a lone surrogate, which JSON can write and UTF-8 cannot
        return _encode(text.encode("utf-8", "replace").decode())
