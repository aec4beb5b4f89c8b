r"""Regular expressions as grok has them, those of Oniguruma, written as Python's `re` has them; with grok's own `%{…}`.

    %{INT:status:int} (?<rest>\h+)   →   ((?:[+-]?[0-9]+)) ([0-9a-fA-F]+)     and the fields of its groups

What is written otherwise: `(?<name>…)` is a field; `(…)` captures nothing; `\h`, `\H`, `\R`, `\z`, `\Z`, `\e`,
`\x{…}`, `\p{…}`; `[[:alpha:]]` and sets in sets; `(?m)` is `(?s)`; `(?i)` in the middle holds to the end of its group;
`\k<name>`. What Python cannot say (`[a&&b]`, `\G`, `\K`, `\X`, `\g<name>`, `(?~…)`, `(?x)`, `\1`) is refused, with
its place.
Classes such as `\w` and `\d` are those of Unicode, as in Elasticsearch's grok. `^` and `$` are the ends of the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, NoReturn

from logrouter.errors import ExpressionError, did_you_mean
from logrouter.parsers._types import Type

Path = tuple[str, ...]

MAX_LENGTH: Final = 65_536
"""Characters of an expression with all that its names stand for."""
_MOST_GROUPS: Final = 99
"""`re` knows no reference to more."""
_TYPES: Final[Mapping[str, Type]] = {
    "int": "int", "integer": "int", "long": "int", "float": "float", "double": "float", "bool": "bool",
    "boolean": "bool", "text": "text", "string": "text",
}  # fmt: skip
"""Logstash's, Elasticsearch's and our own."""
_LETTERS: Final = (
    r"A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02c1\u0370-\u1fff\u3040-\u9fff\uac00-\ud7a3"
)
_POSIX: Final[Mapping[str, str]] = {
    "alnum": _LETTERS + r"\d", "alpha": _LETTERS, "ascii": r"\x00-\x7f", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f",
    "digit": r"\d", "graph": r"\x21-\x7e\u00a1-\U0010ffff", "lower": "a-z\u00df-\u00f6\u00f8-\u00ff",
    "print": r"\x20-\x7e\u00a0-\U0010ffff", "punct": r"!-/:-@\[-`{-~", "space": r"\s",
    "upper": "A-Z\u00c0-\u00d6\u00d8-\u00de", "word": r"\w", "xdigit": "0-9a-fA-F",
}  # fmt: skip
"""What stands in a set for each class; letters by the blocks of Unicode that hold them."""
_PROPERTIES: Final[Mapping[str, str]] = {"l": "alpha", "n": "digit", "nd": "digit", "lu": "upper", "ll": "lower"}
_ESCAPES: Final[Mapping[str, str]] = {
    "h": "[0-9a-fA-F]", "H": "[^0-9a-fA-F]", "z": r"\Z", "Z": "$", "e": r"\x1b",
    "R": r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])",
}  # fmt: skip
_IN_SETS: Final[Mapping[str, str]] = {"h": "0-9a-fA-F", "e": r"\x1b", "b": r"\x08"}
_KNOWN_ESCAPES: Final = frozenset("AbBdDsSwWnrtfvau0")

_TOKEN: Final = re.compile(
    r"""
      (?P<use>%\{[^}]*\}?)
    | \\(?:(?P<reference>k<[^>]*>)|x\{(?P<code>[0-9a-fA-F]{1,6})\}|(?P<hexadecimal>x[0-9a-fA-F]{2})
        |(?P<property>[pP]\{[^}]*\})|(?P<escaped>.?))
    | (?P<comment>\(\?\#[^)]*\))
    | \(\?P?<(?P<field>[^>=!]+)>
    | (?P<look>\(\?(?:<?[=!]|>|:))
    | \(\?(?P<flags>[a-zA-Z-]+)(?P<end>[:)])
    | (?P<unknown>\(\?.?)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<set>\[)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_USE: Final = re.compile(r"%\{(?P<name>\w+)(?::(?P<field>[^:}]+)(?::(?P<type>\w+))?)?\}")
_SET_PIECE: Final = re.compile(
    r"\[:(?P<negated>\^?)(?P<posix>\w+):\]|\\(?:x\{(?P<code>[0-9a-fA-F]{1,6})\}|(?P<hexadecimal>x[0-9a-fA-F]{2})"
    r"|(?P<property>[pP]\{[^}]*\})|(?P<escaped>.))|(?P<and>&&)|(?P<open>\[)|(?P<close>\])|(?P<other>.)",
    re.DOTALL,
)


class Capture(NamedTuple):
    """The field of a group."""

    path: Path
    """Its name, or the names of the objects that it is in, and its own."""
    type: Type = "text"


class Written(NamedTuple):
    """An expression for Python's `re`."""

    expression: str
    captures: tuple[Capture, ...]
    """One for each of its groups."""


def written(text: str, patterns: Mapping[str, str]) -> Written:
    """An expression of grok's, `patterns` being what its names stand for. Raises ExpressionError."""
    writer = _Writer(patterns)
    expression = writer.write(text, ())
    return Written(expression, tuple(writer.captures))


def path_of(field: str) -> Path:
    """`[http][method]` as ("http", "method"); any other name, also one with dots, is one. Raises ValueError."""
    if field[:1] != "[":
        return (field,)
    if re.fullmatch(r"(?:\[[^][]+\])+", field) is None:
        raise ValueError(f"expected a field such as [http][method], not {field!r}")
    return tuple(field[1:-1].split("]["))


class _Writer:
    """Writes one expression, and gathers the fields of its groups."""

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._patterns = patterns
        self._length = 0
        self.captures: list[Capture] = []

    def write(self, text: str, inside: tuple[str, ...]) -> str:
        """`inside`: the names that it stands for."""
        made: list[str] = []
        opened: list[tuple[int, int]] = []
        """Of each group that is open: its place, and how many flags have opened one in it."""
        flags = place = 0
        while place < len(text):
            token = _TOKEN.match(text, place)
            assert token is not None  # `other` matches whatever there is
            kind, place = token.lastgroup, token.end()
            if kind == "set":
                piece, place = self._set(text, place)
                made.append(f"[{piece}]")
            elif kind == "close":
                if not opened:
                    _refuse("`)` closes nothing", text, token.start())
                made.append(")" * (flags + 1))
                _, flags = opened.pop()
            elif kind in ("open", "look", "field"):
                opened.append((token.start(), flags))
                flags = 0
                made.append(self._opening(token, text))
            elif kind == "end":
                made.append(_flagged(token, text))
                if token["end"] == ":":
                    opened.append((token.start(), flags))
                    flags = 0
                else:
                    flags += 1
            else:
                made.append(self._piece(token, text, inside))
        if opened:
            _refuse("`(` is not closed", text, opened[-1][0])
        self._length += sum(map(len, made))
        if self._length > MAX_LENGTH:
            _refuse("with all that its names stand for, the expression is too long", text, 0)
        return "".join(made) + ")" * flags

    def _opening(self, token: re.Match[str], text: str) -> str:
        if (field := token["field"]) is not None:
            return self._capture(field, None, text, token.start())
        return token["look"] or "(?:"

    def _piece(self, token: re.Match[str], text: str, inside: tuple[str, ...]) -> str:
        if (use := token["use"]) is not None:
            return self._used(use, text, token.start(), inside)
        if token["reference"] is not None:
            return self._reference(token["reference"][2:-1], text, token.start())
        if token["code"] is not None:
            return _character(token["code"], text, token.start())
        if token["hexadecimal"] is not None:
            return token[0]
        if token["property"] is not None:
            negated, name = _property(token["property"], text, token.start())
            return f"[{'^' if negated else ''}{name}]"
        if token["escaped"] is not None:
            return _escape(token["escaped"], text, token.start())
        if token["unknown"] is not None:
            _refuse(f"`{token[0]}` is not known here", text, token.start())
        return token["other"] or ""

    def _used(self, use: str, text: str, column: int, inside: tuple[str, ...]) -> str:
        match = _USE.fullmatch(use)
        if match is None:
            _refuse("expected %{NAME}, %{NAME:field} or %{NAME:field:type}", text, column)
        name = match["name"]
        if name not in self._patterns:
            hint = did_you_mean(name, self._patterns)
            raise ExpressionError(f"there is no pattern {name}", text, column + 2, hint)
        if name in inside:
            _refuse(f"the pattern {name} is a part of itself", text, column)
        opening = "(?:"
        if (field := match["field"]) is not None:
            opening = self._capture(field, match["type"], text, column)
        return f"{opening}{self.write(self._patterns[name], (*inside, name))})"

    def _capture(self, field: str, kind: str | None, text: str, column: int) -> str:
        try:
            path = path_of(field)
        except ValueError as error:
            raise ExpressionError(str(error), text, column) from None
        if kind is not None and kind not in _TYPES:
            hint = did_you_mean(kind, _TYPES) or f"known are: {', '.join(_TYPES)}"
            raise ExpressionError(f"there is no type {kind!r}", text, column, hint)
        self.captures.append(Capture(path, _TYPES[kind] if kind else "text"))
        return "("

    def _reference(self, field: str, text: str, column: int) -> str:
        numbers = [number for number, one in enumerate(self.captures, 1) if one.path == (field,)]
        if not numbers or numbers[-1] > _MOST_GROUPS:
            _refuse(f"there is no group {field!r} before it", text, column)
        return rf"(?:\{numbers[-1]})"

    def _set(self, text: str, place: int) -> tuple[str, int]:
        """What a set holds, from behind its bracket; and where it ends."""
        begin = place - 1
        made = "^" if text[place : place + 1] == "^" else ""
        place += len(made)
        is_first = True
        while True:
            piece = _SET_PIECE.match(text, place)
            if piece is None:
                _refuse("`[` is not closed", text, begin)
            place = piece.end()
            if piece["close"] and not is_first:
                return made, place
            if piece["open"]:
                inner, place = self._set(text, place)
                if inner[:1] == "^":
                    _refuse("a set in a set cannot be negated here", text, piece.start())
                made += inner
            else:
                made += _of_set(piece, text)
            is_first = False


def _of_set(piece: re.Match[str], text: str) -> str:
    column = piece.start()
    if (posix := piece["posix"]) is not None:
        if posix not in _POSIX or piece["negated"]:
            _refuse(f"the class {piece[0]} is not known here", text, column)
        return _POSIX[posix]
    if piece["code"] is not None:
        return _character(piece["code"], text, column)
    if piece["hexadecimal"] is not None:
        return piece[0]
    if piece["property"] is not None:
        negated, name = _property(piece["property"], text, column)
        if negated:
            _refuse("what has not a property cannot stand in a set here", text, column)
        return name
    if piece["and"]:
        _refuse("`&&` in a set is not known here", text, column)
    if (escaped := piece["escaped"]) is not None:
        return _IN_SETS.get(escaped) or _escape(escaped, text, column)
    return {"]": r"\]", "~": r"\~", "|": r"\|", "&": r"\&"}.get(piece[0], piece[0])


def _escape(letter: str, text: str, column: int) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter == "" or (letter.isascii() and letter.isalnum() and letter not in _KNOWN_ESCAPES):
        _refuse(f"`\\{letter}` is not known here", text, column)
    return "\\" + letter


def _character(code: str, text: str, column: int) -> str:
    if int(code, 16) > 0x10FFFF:
        _refuse("there is no such character", text, column)
    return re.escape(chr(int(code, 16)))


def _property(said: str, text: str, column: int) -> tuple[bool, str]:
    r"""Of `\p{…}`: whether it is negated, and what stands for it in a set."""
    name = said[2:-1].lower().replace("_", "")
    negated = (said[0] == "P") != (name[:1] == "^")
    name = _PROPERTIES.get(name.lstrip("^"), name.lstrip("^"))
    if name not in _POSIX:
        _refuse(f"the property `\\{said}` is not known here", text, column)
    return negated, _POSIX[name]


def _flagged(token: re.Match[str], text: str) -> str:
    """What `(?i)` or `(?i:` opens. Ruby's `m` is Python's `s`."""
    flags = token["flags"].replace("m", "s")
    if re.fullmatch("[is]*(?:-[is]+)?", flags) is None:
        _refuse(f"of the flags in `(?{token['flags']})` only i and m are known here", text, token.start())
    return f"(?{flags}:"


def _refuse(problem: str, text: str, column: int) -> NoReturn:
    raise ExpressionError(problem, text, column)
