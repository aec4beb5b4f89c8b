r"""Lines that begin with what a logger writes before each message: time, level, name, thread, in an order of its own.

A layout is an expression with the fields in angle brackets:

    <time> \[<thread>\] <level> ++<logger> - <message>

What a field looks like stands once (`KINDS`). The careful expression and the quick one, for a block (`_shapes.py`), are
the same but for the message. Of an event of several lines the first is looked at; the rest belongs to the message,
or is an exception, with fields of its own.  Colours of a terminal (`\x1b[32m`) are taken off before anything else.

The layouts of one parser must exclude each other: no line is of two, so that it does not matter which is tried first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from logrouter.documents import Document, Names, encode_document
from logrouter.memo import Memo
from logrouter.parsers import Looks, ParserConfig
from logrouter.parsers._colours import ESCAPE, without_colours
from logrouter.parsers._exceptions import move_exception
from logrouter.parsers._local_times import LocalTimes
from logrouter.parsers._shapes import ESCAPED, Column, Shape, ShapedParser, escaped
from logrouter.parsers._trailing import Tail, Trailing
from logrouter.possessive import portable

_FIELD: Final = re.compile(r"<([a-z][\w.]*)(?::(\w+))?>")
_FIRST: Final = ("time", "level", "message")
"""These come first in every event."""
SHAPES: Final = 256
"""So many are remembered of a parser: layouts, and the keys of pairs behind their messages."""
_TIMES: Final = 4096
"""So many texts of times are remembered: those of four seconds, in milliseconds."""


class Kind(NamedTuple):
    """How a field looks: neither of quotation marks, nor of control characters, and the same as UTF-8 and decoded."""

    expression: str
    """Without groups that capture."""
    value: Callable[[str], Any] | None = None
    """What the text becomes. Default: itself; None: it says that there is none. Of a time: ISO 8601, as `LocalTimes`
    reads it. Raises ValueError where it is nothing of the kind."""
    is_number: bool = False
    is_time: bool = False
    is_cut_short: bool = False
    """It is a time without its date, or its year: which, depends on when the line was received."""
    holds_quotes: bool = False
    """There may be quotation marks, after all."""


def number(expression: str = "0|[1-9][0-9]{0,17}") -> Kind:
    """A number that JSON has too."""
    return Kind(expression, is_number=True)


def iso_time(expression: str, value: Callable[[str], str] | None = None, *, is_cut_short: bool = False) -> Kind:
    """A time, and what makes ISO 8601 of it."""
    return Kind(expression, value, is_time=True, is_cut_short=is_cut_short)


CLOCK: Final = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?+"
ZONE: Final = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)(?!\w))?+"
WORD: Final = r'[^\s"\[\](){}<>|:,;=]++'
KINDS: Final[Mapping[str, Kind]] = {
    "time": iso_time(rf"\d\d\d\d-\d\d-\d\d[T ]{CLOCK}{ZONE}"),
    "clock": iso_time(CLOCK, "T".__add__, is_cut_short=True),
    "level": Kind("TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|FATAL"),
    "logger": Kind(r"[\w.$/@#*-]++"),
    "thread": Kind(r'[^\]"\n\t]*+'),
    "message": Kind(""),
    "line": number("0|[1-9][0-9]{0,8}"),
    "pid": number(),
}
"""Of all layouts; a parser may say otherwise. What is not named here is a word."""
_WORD: Final = Kind(WORD)
_MESSAGE: Final = r"[^\n]*"


class Layout:
    """One of a parser's. Immutable."""

    def __init__(
        self,
        text: str,
        kinds: Mapping[str, Kind] | None = None,
        trailing: Trailing | None = None,
        *,
        telling: int | None = None,
    ) -> None:
        """`trailing`: what may stand behind the message and becomes fields. `telling`: by so many fields, and what
        stands behind, one knows it from all others; less is compiled to recognise it. Default: all before the message.
        """
        self._trailing = trailing
        self._telling = telling
        self.lines = 1 + text.count(r"\n")
        """So many of an event belong to it."""
        self._between = [part for n, part in enumerate(_FIELD.split(text)) if n % 3 == 0]
        known = {**KINDS, **(kinds or {})}
        self._fields = [(name, known.get(kind or name, _WORD)) for name, kind in _FIELD.findall(text)]
        names = [name for name, _ in self._fields]
        self._order = sorted(range(len(names)), key=lambda n: _FIRST.index(names[n]) if names[n] in _FIRST else 3)

    @cached_property
    def _careful(self) -> re.Pattern[str]:
        return re.compile(portable(self._expression(_MESSAGE, "(%s)")), re.ASCII)

    def _expression(self, message: str, group: str) -> str:
        whole = self._between[0]
        for (name, kind), text in zip(self._fields, self._between[1:], strict=True):
            whole += group % (message if name == "message" else kind.expression) + text
        return whole

    @property
    def begin(self) -> tuple[str, str]:
        """What a line begins with, up to its first field; and what else stands before the message, or around it, as
        expressions without groups that capture. Where the first field may lack, all is one."""
        pieces = [self._between[0]]
        for number, ((name, kind), text) in enumerate(zip(self._fields, self._between[1:], strict=True), 1):
            if name == "message" and not text:
                break
            if number == self._telling:
                pieces += [f"(?:{_quick_to_fail(kind.expression)})", text.partition("(?")[0]]
                break
            pieces += [_MESSAGE if name == "message" else f"(?:{_quick_to_fail(kind.expression)})", text]
        if "(?" in pieces[0]:
            return "".join(pieces), ""
        return "".join(pieces[:2]), "".join(pieces[2:])

    def read(self, text: str, times: LocalTimes) -> Document | None:
        """The fields of an event, or None."""
        head, rest = _split(text, self.lines)
        match = self._careful.fullmatch(head)
        if match is None:
            return None
        document: Document = {}
        for number in self._order:
            (name, kind), said = self._fields[number], match[number + 1]
            if name == "message":
                document[name] = said + rest
            elif said:
                try:
                    value = _value(kind, said, times)
                except ValueError:
                    return None
                if value is not None:
                    document[name] = value
        if "message" not in document and rest:
            document["message"] = rest[1:]
        elif self._trailing is not None:
            _add_trailing(self._trailing, document, len(rest))
        if rest:
            move_exception(document)
        return document

    def tail_of(self, line: str) -> tuple[bool, Tail | None]:
        """Whether a line is of this layout, and what stands behind its message."""
        match = self._careful.fullmatch(line)
        if match is None or self._trailing is None:
            return match is not None, None
        place = next(n for n, (name, _) in enumerate(self._fields, 1) if name == "message")
        tail = self._trailing.tail_of(match[place])
        names = {name for name, _ in self._fields}
        return True, tail if tail and names.isdisjoint(tail.names) else None

    def shape(self, times: LocalTimes, tail: Tail | None) -> Shape | None:
        """The quick way, where there is one."""
        if self.lines > 1:
            return None
        message = r"[^\n\t]*"
        if self._trailing is not None:
            message = rf"[^\n\t{self._trailing.mark}]*" + ("?" if tail else "(?<! )")
        expression = self._expression(message, "(%s)") + (tail.expression if tail else "")
        columns = [_column(*self._fields[group], group, times) for group in self._order]
        if tail:
            columns += tail.columns(len(self._fields), {name for name, _ in self._fields})
        return Shape(expression.encode(), columns)


def _quick_to_fail(expression: str) -> str:
    """Of words, `DEBUG|ERROR`, only their first letters and their sort, `[DE][A-Z]{4}`: it is compiled soon, too."""
    if not re.fullmatch(r"\w+(?:\|\w+)+", expression):
        return expression
    words = expression.split("|")
    letters = next(letters for letters in ("[A-Z]", "[a-z]", r"\w") if re.fullmatch(f"(?:{letters}|\\|)+", expression))
    least, most = min(map(len, words)) - 1, max(map(len, words)) - 1
    return f"[{''.join(dict.fromkeys(word[0] for word in words))}]{letters}{{{least},{most}}}"


def _split(text: str, lines: int) -> tuple[str, str]:
    """The first few lines, and the rest, which begins with its newline."""
    end = -1
    for _ in range(lines):
        end = text.find("\n", end + 1)
        if end < 0:
            return text, ""
    return text[:end], text[end:]


def _value(kind: Kind, text: str, times: LocalTimes) -> Any:
    if kind.is_number:
        return msgspec.Raw(text.encode())
    made = kind.value(text) if kind.value else text
    return times.utc_text(made) if kind.is_time else made


def _column(name: str, kind: Kind, group: int, times: LocalTimes) -> Column:
    if name == "message":
        return Column(name, at_once=escaped, group=group)
    if kind.value is None and not kind.is_time:
        return Column(
            name, is_json=kind.is_number, may_lack=True, at_once=escaped if kind.holds_quotes else None, group=group
        )

    def json(text: bytes) -> bytes:
        value = _value(kind, text.decode(), times)
        return b"" if value is None else msgspec.json.encode(value)

    look_up = json if kind.is_cut_short else Memo(json, _TIMES).__getitem__
    return Column(name, look_up, may_lack=True, group=group)


def _add_trailing(trailing: Trailing, document: Document, rest: int) -> None:
    """Make fields of what stands behind the message's first line, which `rest` letters follow."""
    message = document["message"]
    end = len(message) - rest
    text, fields = trailing.read(message[:end])
    document["message"] = text.rstrip(" ") + message[end:]
    if fields:
        names = Names(document)
        for name, value in fields:
            document[names.unused(name)] = value


class LayoutsConfig(ParserConfig, frozen=True, kw_only=True):
    """It knows the layout by the line."""

    timezone: str = "UTC"
    """The zone of times that do not say theirs, by its IANA name, such as `Europe/Stockholm`."""


ConfigT = TypeVar("ConfigT", bound=LayoutsConfig)


class LayoutsParser(ShapedParser[ConfigT]):
    """Base of the parsers of layouts."""

    layouts: Sequence[Layout]
    escaped = ESCAPED - {ord("\t")}  # which are in no field of the quick way: only lines that have one are slow

    def __init__(self, config: ConfigT) -> None:
        super().__init__(config)
        self._times = LocalTimes(config.timezone)
        self._latest: Layout | None = None
        self._shapes = Memo[tuple[Layout, Tail | None], Shape | None](self._shape, SHAPES)

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        self._times.are_received(received_ns)
        document = self.read(without_colours(line).decode("utf-8", "replace"))
        return None if document is None else encode_document(document)

    def read(self, text: str) -> Document | None:
        """The fields of an event without colours, or None."""
        if self._latest is not None and (document := self._latest.read(text, self._times)) is not None:
            return document
        for layout in self.layouts:
            if (document := layout.read(text, self._times)) is not None:
                self._latest = layout  # as no line is of two, it does not matter which is tried first
                return document
        return None

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> Sequence[bytes | None]:
        self._times.are_received(received_ns)
        if ESCAPE in block:  # where some is left there was one within another: `parse` takes off only those outside
            lines = [line if ESCAPE in (plain := without_colours(line)) else plain for line in lines]
        if block.count(b"\n") < len(lines):
            return super().parse_all(lines, block, received_ns)
        are_joined = [b"\n" in line for line in lines]  # with their tracebacks; these keep no other from the quick way
        alone = [line for line, is_joined in zip(lines, are_joined, strict=True) if not is_joined]
        made = iter(super().parse_all(alone, b"\n".join(alone), received_ns))
        return [
            self.parse_alike(line, received_ns) if is_joined else next(made)
            for line, is_joined in zip(lines, are_joined, strict=True)
        ]

    def shape_of(self, line: bytes) -> Shape | None:
        text = line.decode()
        for layout in self.layouts:
            is_of_it, tail = layout.tail_of(text)
            if is_of_it:
                shape = self._shapes[layout, tail]
                return shape if shape is not None and shape.takes(line) else None
        return None

    def _shape(self, key: tuple[Layout, Tail | None]) -> Shape | None:
        layout, tail = key
        return layout.shape(self._times, tail)


def looks_of(layouts: Sequence[Layout], rank: int) -> Looks:
    """How lines of one of these begin. What several begin with is tried once."""
    after: dict[str, list[str]] = {}
    for layout in layouts:
        first, rest = layout.begin
        after.setdefault(first, []).append(rest)
    alternatives = [first + (f"(?:{'|'.join(rests)})" if any(rests) else "") for first, rests in after.items()]
    return Looks("|".join(alternatives).encode(), rank)
