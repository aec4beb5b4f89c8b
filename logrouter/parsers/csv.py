r"""CSV and TSV: values by their place in the line, as RFC 4180 writes them.

    - parse: {csv: {columns: [time, level, message, code], types: {code: int}}}
    < 2026-11-23T10:00:00Z,WARN,"disk ""a"", nearly full",
    > {"time":"2026-11-23T10:00:00Z","level":"WARN","message":"disk \"a\", nearly full"}

A line with more or fewer values than columns is not taken. A value that is empty and not quoted is no field, as in
PostgreSQL's csvlog; `""` is an empty text. Tab-separated values have no quotation marks:

    - parse: {csv: {columns: [a, b], separator: "\t", quote: ""}}
    < x	say "y"
    > {"a":"x","b":"say \"y\""}

Times of another format than RFC 3339 are read by [`time_format`](../times.md):

    - parse: {csv: {columns: [at, n], time_key: at, time_format: '%d.%m.%Y %H:%M', timezone: Europe/Stockholm}}
    < 23.11.2026 10:00,7
    > {"time":"2026-11-23T09:00:00Z","n":"7"}
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from logrouter.documents import Document, encode_document
from logrouter.errors import refuse
from logrouter.memo import Memo
from logrouter.parsers._own_times import OwnTime, OwnTimeConfig
from logrouter.parsers._shapes import ESCAPED, Column, Shape, ShapedParser, to_escape
from logrouter.parsers._types import CASTS, Type, json_of
from logrouter.possessive import portable


class CsvConfig(OwnTimeConfig, frozen=True, kw_only=True):
    """The columns must be named: lines are not looked at together, and a header would be one of them."""

    columns: list[str]
    """The fields' names, in the order of the values."""
    separator: str = ","
    """The character between values; `"\\t"` for TSV."""
    quote: str = '"'
    """The character around values that hold separators; doubled in a value it stands for itself. Empty: none."""
    types: dict[str, Type] = msgspec.field(default_factory=dict)
    """Column → `int`, `float` or `bool`. Default: all are text."""


class Csv(ShapedParser[CsvConfig]):
    """The shape of a line is which of its values are quoted."""

    Config = CsvConfig

    def __init__(self, config: CsvConfig) -> None:
        super().__init__(config)
        refuse(_problems(config))
        self._own_time = OwnTime(config, config.columns)
        self._time_column = self._own_time.column()
        self._casts = {name: CASTS[kind] for name, kind in config.types.items() if not self._own_time.converts(name)}
        separator, quote = re.escape(config.separator), re.escape(config.quote)
        quoted = f"{quote}((?:[^{quote}]++|{quote}{quote})*+){quote}|" if quote else "(?!)()|"
        plain = f"((?!{quote})[^{separator}]*+)" if quote else f"([^{separator}]*+)"
        self._value = re.compile(portable(f"(?:{quoted}{plain})({separator}|\\Z)"))
        self._shapes = Memo(self._shape, 256)
        self.escaped = ESCAPED - {ord(config.separator)}

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        values = self._read(line.decode("utf-8", "replace"))
        if values is None:
            return None
        quote = self.config.quote
        document: Document = {}
        for name, (text, is_quoted) in zip(self.config.columns, values, strict=True):
            if text or is_quoted:
                text = text.replace(quote * 2, quote) if is_quoted else text
                document[name] = self._casts[name](text) if name in self._casts else text
        return encode_document(self._own_time.placed(document, received_ns))

    def _read(self, line: str) -> list[tuple[str, bool]] | None:
        """The values, each with whether it is quoted; None where there are not as many as columns."""
        values, place, end = [], 0, self.config.separator
        for _ in self.config.columns:
            match = self._value.match(line, place) if end else None
            if match is None:
                return None
            values.append((match[2] or match[1] or "", match[1] is not None))
            place, end = match.end(), match[3]
        return values if end == "" else None

    def shape_of(self, line: bytes) -> Shape | None:
        if self._time_column is None and self.config.time_format is not None:
            return None
        values = self._read(line.decode("latin-1"))
        return None if values is None else self._shapes[tuple(is_quoted for _, is_quoted in values)]

    def _shape(self, are_quoted: tuple[bool, ...]) -> Shape:
        separator, quote = re.escape(self.config.separator).encode(), re.escape(self.config.quote).encode()
        plain = rb'([^%b%b"\n]*+)' % (separator, quote.replace(b'"', b""))
        quoted = rb'%b([^%b%b"]*+)%b' % (quote, quote.replace(b'"', b""), to_escape(self.config.separator), quote)
        columns = []
        for name, is_quoted in zip(self.config.columns, are_quoted, strict=True):
            cast = self._casts.get(name)
            if self._time_column is not None and self._own_time.converts(name):
                columns.append(self._time_column._replace(may_lack=not is_quoted))
                continue
            columns.append(Column(name, json_of(cast) if cast else None, may_lack=not is_quoted))
        return Shape(separator.join(quoted if each else plain for each in are_quoted), columns)


def _problems(config: CsvConfig) -> Iterator[str]:
    if not config.columns or len(set(config.columns)) < len(config.columns):
        yield "columns: expected at least one name, and none twice"
    for name in config.types:
        if name not in config.columns:
            yield f"types: there is no column {name!r}"
    for option, text, most in (("separator", config.separator, 1), ("quote", config.quote, 0)):
        if not most <= len(text) <= 1 or not text.isascii() or text in ("\n", "\r", "\\"):
            yield f"{option}: expected one ASCII character, not {text!r}"
    if config.separator == config.quote:
        yield "quote: it must not be the separator"
