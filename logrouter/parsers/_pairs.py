r"""Lines of keys and values: `logfmt`, `key_value`, `ltsv`.

The careful way reads pair by pair. For the quick one a line's *skeleton*, which is all but the values, makes an
expression for the lines that have the same: an app writes few.

    at=info msg="ready to go" port=80
    at=     msg="           " port=
    at=([^ "\n]*+) msg="([^"]*+)" port=([^ "\n]*+)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

import msgspec

from logrouter.documents import Document, Names, encode_document
from logrouter.memo import Memo
from logrouter.parsers._escapes import unescaped
from logrouter.parsers._own_times import TIME, OwnTime, OwnTimeConfig
from logrouter.parsers._shapes import ESCAPED, ROUNDS, Column, Shape, ShapedParser, to_escape
from logrouter.parsers._types import CASTS, Cast, Type, json_of
from logrouter.possessive import portable

SHAPES: Final = 256
"""So many are remembered of a source."""


class PairsConfig(OwnTimeConfig, frozen=True, kw_only=True):
    """Of all parsers of keys and values"""

    types: dict[str, Type] = msgspec.field(default_factory=dict)
    """Key → `int`, `float` or `bool`. Default: all are text."""


class Grammar(NamedTuple):
    """How the pairs of a line are written."""

    between_pairs: str = " "
    """One letter. A blank stands for several."""
    after_key: str = "="
    """One letter."""
    quotes: str = '"'
    """Each of these letters may stand around a value."""
    key: str = ""
    """An expression for keys. Default: whatever is no separator and no quotation mark."""
    trims: bool = False
    """Whether blanks around keys and values do not count."""
    bare_keys: bool = False
    """Whether a key may stand alone."""


class _Pair(NamedTuple):
    key: str
    value: str | bool
    start: int
    """Of the value in the line."""
    end: int


class _Skeleton(NamedTuple):
    keys: tuple[bytes, ...]
    pieces: tuple[bytes, ...]
    """What stands before each value, and at last what stands behind them all."""
    is_usual: bool = False
    """No value without quotation marks has a letter that is not of ASCII, or an exclamation mark."""


ConfigT = TypeVar("ConfigT", bound=PairsConfig)


class PairsParser(ShapedParser[ConfigT]):
    """Base of the parsers of keys and values."""

    def __init__(self, config: ConfigT, grammar: Grammar, casts: Mapping[str, Cast] | None = None) -> None:
        """`casts`: what is made of the values of some keys, unless `types` says otherwise."""
        super().__init__(config)
        self._grammar = grammar
        self._pair = _pair(grammar)
        self._casts = {**(casts or {}), **{key: CASTS[kind] for key, kind in config.types.items()}}
        self._own_time = OwnTime(config)
        self._time_column = self._own_time.column()
        self._shapes = Memo(self._shape, SHAPES)
        self.escaped = ESCAPED - {ord(grammar.between_pairs)}

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        pairs = self._read(line.decode("utf-8", "replace"))
        if pairs is None:
            return None
        fields: Document = {}
        names = Names(())
        for key, value, *_ in pairs:
            cast = None if self._own_time.converts(key) else self._casts.get(key)
            fields[names.unused(key)] = cast(value) if cast and isinstance(value, str) else value
        return encode_document(self._own_time.placed(fields, received_ns))

    def _read(self, line: str) -> list[_Pair] | None:
        """The pairs of a line, or None where it has something else, or no value at all."""
        if self._grammar.after_key not in line:
            return None
        place = len(line) - len(line.lstrip(" ")) if self._skips_blanks else 0
        pairs = []
        while place < len(line):
            match = self._pair.match(line, place)
            if match is None:
                return None
            pairs.append(self._pair_of(match))
            place = match.end()
        return pairs if any(pair.value is not True for pair in pairs) else None

    @property
    def _skips_blanks(self) -> bool:
        return self._grammar.trims or self._grammar.between_pairs == " "

    def _pair_of(self, match: re.Match[str]) -> _Pair:
        key, *values = match.groups()
        if self._grammar.trims:
            key = key.rstrip(" ")
        number = match.lastindex or 1
        if number == 1:
            return _Pair(key, True, match.end(), match.end())
        start, end = match.span(number)
        text = values[number - 2]
        if number <= len(self._grammar.quotes) + 1:
            return _Pair(key, unescaped(text), start, end)
        if self._grammar.trims:
            text = text.rstrip(" ")
        return _Pair(key, text, start, start + len(text))

    def shape_of(self, line: bytes) -> Shape | None:
        pairs = self._read(line.decode("latin-1"))  # so that places are those of bytes
        if pairs is None or any(pair.value is True for pair in pairs):
            return None
        keys = tuple(pair.key.encode("latin-1") for pair in pairs)
        if len(set(keys)) < len(keys) or not self._is_quick(keys):
            return None
        starts, ends = [pair.start for pair in pairs], [0, *(pair.end for pair in pairs)]
        pieces = tuple(line[end:start] for end, start in zip(ends, [*starts, len(line)], strict=True))
        skeleton = _Skeleton(keys, pieces)
        if self._grammar.between_pairs == " " and len(self._recent) < ROUNDS // 2:  # two of each are not too many
            usual = self._shapes[skeleton._replace(is_usual=True)]
            if usual.takes(line):
                return usual
        return self._shapes[skeleton]

    def _is_quick(self, keys: tuple[bytes, ...]) -> bool:
        """Whether a time of one's own among the fields, if there is any, can be read the quick way."""
        if not any(self._own_time.converts(key.decode("utf-8", "replace")) for key in keys):
            return True
        return self._time_column is not None and (self._own_time.key == TIME or TIME.encode() not in keys)

    def _shape(self, skeleton: _Skeleton) -> Shape:
        marks = re.escape(self._grammar.quotes.replace('"', "") + '"').encode()
        separator = re.escape(self._grammar.between_pairs).encode()
        needs_all = any("#" <= letter <= "~" for letter in self._grammar.between_pairs + self._grammar.quotes)
        usual = b"" if needs_all else b"[#-~]*+"  # a single range takes half the time, and most values are of it
        rest = b"" if skeleton.is_usual and usual else rb"[^%b%b\n]*+" % (separator, marks)
        plain = rb"(%b%b)" % (usual, rest)
        if self._grammar.trims:
            plain = rb"(?! )%b(?<! )" % plain
        quoted = rb"([^%b%b]*+)" % (marks, to_escape(self._grammar.between_pairs))
        expression, columns = b"", []
        for key, piece in zip(skeleton.keys, skeleton.pieces, strict=False):
            name = key.decode()
            if self._time_column is not None and self._own_time.converts(name):
                columns.append(self._time_column)
            else:
                cast = self._casts.get(name)
                columns.append(Column(name, json_of(cast) if cast else None))
            is_quoted = piece[-1:].decode("latin-1") in self._grammar.quotes
            expression += re.escape(piece) + (quoted if is_quoted else plain)
        return Shape(expression + re.escape(skeleton.pieces[-1]), columns, is_rare=not skeleton.is_usual)


def _pair(grammar: Grammar) -> re.Pattern[str]:
    """One pair and what ends it: groups for the key, the value in each kind of quotation marks, and the one without."""
    separator, equals = re.escape(grammar.between_pairs), re.escape(grammar.after_key)
    quotes = [re.escape(quote) for quote in grammar.quotes]
    blanks = " *+" if grammar.trims else ""
    key = grammar.key or f"[^{separator}{equals}{''.join(quotes)}]++"
    values = [rf"{quote}((?:[^{quote}\\]++|\\.)*+){quote}{blanks}(?={separator}|\Z)" for quote in quotes]
    unquoted = f"(?![{''.join(quotes)}])" if quotes else ""
    values.append(f"{unquoted}([^{separator}]*+)")
    value = f"(?:{equals}{blanks}(?:{'|'.join(values)})){'?' if grammar.bare_keys else ''}"
    end = " ++" if grammar.between_pairs == " " else f"{separator}{blanks}"
    return re.compile(portable(rf"({key}){value}(?:{end}|\Z)"), re.DOTALL)
