"""Texts with places that are filled in from the event: `app-{date}`, `{service.name}: {message}`.

    {date} {hour} {date:%Y.%m.%d}     the event's time in UTC
    {time} {severity}                 as RFC 3339; by its name
    {http.status} {event["odd name"]} a field
    {service.name}                    a field, else the resource's key of that name
    {meta.stream} {resource["x"]}     an attribute; a static attribute of this process
    {{ }}                             braces

Texts stand as they are; numbers, true, false, null and lists as JSON has them; what is missing, or is an
object, is `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from logrouter import severity, times
from logrouter.documents import Document, encode_value
from logrouter.errors import ExpressionError
from logrouter.memo import Memo
from logrouter.references import MISSING, Field, Opaque, Reference, Resource, Severity, Time
from logrouter.values import ByText

if TYPE_CHECKING:
    from logrouter.facts import Facts

MISSING_TEXT: Final = "unknown"
"""What stands in the place of a missing value."""
MAX_LENGTH: Final = 10_000
"""Characters in a template."""
MAX_SEGMENT_BYTES: Final = 200
"""Linux takes 255 for a file name; the rest is left for what the template puts around the value."""

_PLACE = r"""\{(?P<name>(?:[^{}"':]|"[^"\n]*"|'[^'\n]*')*)(?P<colon>:(?P<format>[^{}]*))?\}"""
_DATES: Final = {"date": "%Y-%m-%d", "hour": "%H"}
_DIRECTIVE = r"%(-?[aAbBdeFGHIjklmMpRSTuUVwWyY]|%)?"
_STEPS = (("STcs", 1), ("MR", 60), ("HIklp", 3600))
"""How many seconds a text made from these directives holds good. Others: a day."""


class Place(msgspec.Struct, frozen=True):
    """A place that is filled in from a reference, else from another one."""

    reference: Reference
    otherwise: Resource | None = None
    format: str | None = None
    """Of a time, for strftime; None: RFC 3339."""


class Template(ByText):
    """A text with places. Immutable; equal by its text, and by what stands for what is missing."""

    __slots__ = ("_readers", "missing", "parts", "references")

    def __init__(self, text: str, parts: tuple[str | Place, ...], missing: str = MISSING_TEXT) -> None:
        self.text = text
        self.parts = parts
        self.missing = missing
        places = [part for part in parts if isinstance(part, Place)]
        self.references: frozenset[Reference] = frozenset(
            reference for place in places for reference in (place.reference, place.otherwise) if reference is not None
        )
        """All that it reads."""
        self._readers: dict[bool, Callable[[Document, Facts], str]] = {}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ExpressionError at the character that is wrong."""
        return cls(text, tuple(_parse(text)))

    def where_missing(self, text: str) -> Template:
        """The same with another text in the place of what an event does not have."""
        return Template(self.text, self.parts, text)

    @property
    def is_constant(self) -> bool:
        """Whether it is the same text for every event."""
        return not self.references

    @property
    def is_time(self) -> bool:
        """Whether it is the event's time, as RFC 3339, and nothing else."""
        return self.parts == (Place(Time()),)

    @property
    def is_severity(self) -> bool:
        """Whether it is the event's severity, by its name, and nothing else."""
        return self.parts == (Place(Severity()),)

    @property
    def holds_seconds(self) -> int | None:
        """For how long the text is the same, where it depends on nothing but the event's date or time of day.

        Counted from 1970 on. None where it depends on more, or is of a single moment.
        """
        if self.references != {Time()}:
            return None
        formats = [part.format for part in self.parts if isinstance(part, Place)]
        return None if None in formats else min(_step_seconds(form) for form in formats if form)

    def source(self, name: Callable[[Reference], str], constants: dict[str, object], *, segment: bool = False) -> str:
        """A Python expression that gives the text, as `Rule.source` does for rules.

        With `segment`, each value that comes from the event is made fit to stand in a file's name, as
        `path_segment` says; the template's own text, dates and the resource stand as they are.
        """
        from logrouter.rules.code import render

        pieces = [
            repr(part) if isinstance(part, str) else render(_code(part, segment, self.missing), name, constants)
            for part in self.parts
        ]
        return f"({' + '.join(pieces)})" if pieces else "''"

    def render(self, document: Document, facts: Facts, *, segment: bool = False) -> str:
        """The text for one event: the slow way, from its parsed document."""
        if segment not in self._readers:
            from logrouter.rules.code import compile_reader

            self._readers[segment] = compile_reader(
                lambda name, constants: self.source(name, constants, segment=segment)
            )
        return self._readers[segment](document, facts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Template):
            return NotImplemented
        return self.text == other.text and self.missing == other.missing

    __hash__ = ByText.__hash__


def text_of(value: Any) -> str:
    """A value as it stands in a text."""
    if value.__class__ is str:
        return value
    if value is MISSING or isinstance(value, dict | Opaque):
        return MISSING_TEXT
    try:
        return encode_value(value).decode()
    except ValueError:  # a lone surrogate in a list
        return MISSING_TEXT


def percent_decoded(path: str) -> str:
    """A template that stands in a URL: `{date:%d}` is no escape, and `%7B` is a literal brace."""
    from urllib.parse import unquote

    pieces = re.split(r"(\{[^{}]*\})", path)
    for place in range(0, len(pieces), 2):
        text = re.sub("%7b", "{{", pieces[place], flags=re.IGNORECASE)
        pieces[place] = unquote(re.sub("%7d", "}}", text, flags=re.IGNORECASE), errors="strict")
    return "".join(pieces)


def path_segment(text: str) -> str:
    """The text as a name that stays in its folder: at most 200 bytes, no slash or control character, not `..`."""
    name = re.sub(r"[/\x00-\x1f\x7f-\x9f]", "_", text).encode("utf-8", "replace")
    name = name[:MAX_SEGMENT_BYTES]
    kept = name.decode("utf-8", "ignore")  # a character that was cut goes
    return "_" if kept in ("", ".", "..") else kept


# ── from text to places ──


def _parse(text: str) -> list[str | Place]:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"a template has at most {MAX_LENGTH:,} characters", text[:40] + "…")
    parts: list[str | Place] = []
    plain = ""
    position = 0
    while position < len(text):
        if text.startswith(("{{", "}}"), position):
            plain += text[position]
            position += 2
        elif text[position] in "{}":
            match = re.compile(_PLACE).match(text, position)
            if match is None:
                raise _unpaired(text, position)
            parts += [plain] if plain else []
            plain = ""
            parts.append(_place(match, text))
            position = match.end()
        else:
            plain += text[position]
            position += 1
    return [*parts, plain] if plain else parts


def _unpaired(text: str, position: int) -> ExpressionError:
    brace = text[position]
    problem = "a brace is not closed" if brace == "{" else "a brace closes nothing"
    return ExpressionError(problem, text, position, f"a brace in the text itself is written {brace * 2}")


def _place(match: re.Match[str], text: str) -> Place:
    word = match["name"].strip()
    if word in _DATES or word == "time":
        return Place(Time(), None, _format(match, text) or _DATES.get(word))
    if match["colon"]:
        raise ExpressionError("only date, hour and time take a format", text, match.start("colon"))
    if not word:
        raise ExpressionError(
            "the braces name nothing", text, match.start(), "braces in the text itself are written {{ }}"
        )
    reference = _reference(match, text)
    if not isinstance(reference, Field) or word.startswith("event"):
        return Place(reference)
    return Place(reference, Resource(".".join(reference.path)))


def _reference(match: re.Match[str], text: str) -> Reference:
    from logrouter.rules import parse_reference

    try:
        return parse_reference(match["name"])
    except ExpressionError as error:
        raise ExpressionError(error.problem, text, match.start("name") + error.column, error.hint) from None


def _format(match: re.Match[str], text: str) -> str | None:
    if not match["colon"]:
        return None
    for directive in re.finditer(_DIRECTIVE, match["format"]):
        if directive[0] == "%":
            odd = match["format"][directive.start() : directive.start() + 2]
            column = match.start("format") + directive.start()
            raise ExpressionError(
                f"a date has no {odd!r}", text, column, "such as %Y-%m-%d, %H, %M; %% for a percent sign"
            )
    if not match["format"]:
        raise ExpressionError("the format is empty", text, match.start("colon"), "such as {date:%Y.%m.%d}")
    return str(match["format"])


# ── from places to code ──


def _code(place: Place, segment: bool, missing: str) -> Any:
    from logrouter.rules.code import Constant, joined

    reference = place.reference
    if isinstance(reference, Time):
        function = _dated(place.format) if place.format else times.format_rfc3339
        found = joined(Constant(function), "(", reference, ")")
    elif isinstance(reference, Severity):
        found = joined(Constant(_SEVERITY_TEXTS), "[", reference, "]")
    elif isinstance(reference, Resource) or not segment:
        # Nearly always it is a text: that is asked first, and needs no call.
        found = joined(Constant(text_of), "(", reference, ")")
        found = _where_absent(place, found, missing)
        return joined("(", reference, " if ", reference, ".__class__ is str else ", found, ")")
    else:
        found = joined(Constant(_segment_of), "(", reference, ")")
    return _where_absent(place, found, missing)


def _where_absent(place: Place, found: Any, missing: str) -> Any:
    """The code of a place, with what stands there where its reference has no value that can stand in a text."""
    from logrouter.rules.code import Constant, joined

    reference = place.reference
    if place.otherwise is not None:
        instead = joined(Constant(text_of), "(", place.otherwise, ")")
        if missing != MISSING_TEXT:
            instead = _unless_absent(place.otherwise, instead, joined(repr(missing)))
        return _unless_absent(reference, found, instead)
    return found if missing == MISSING_TEXT else _unless_absent(reference, found, joined(repr(missing)))


def _unless_absent(reference: Reference, found: Any, instead: Any) -> Any:
    """The one code; where the reference has no value that can stand in a text, the other."""
    from logrouter.rules.code import Constant, joined

    absent = joined(reference, ".__class__ in ", Constant((MISSING.__class__, Opaque)))
    return joined("(", instead, " if ", absent, " else ", found, ")")


def _severity_text(number: Any) -> str:
    return MISSING_TEXT if number is MISSING else severity.name_of(number)


_SEVERITY_TEXTS: Final = Memo(_severity_text, 64)


def _segment_of(value: Any) -> str:
    text = text_of(value)
    return _remembered_segment(text) if len(text) <= MAX_SEGMENT_BYTES else path_segment(text)


_remembered_segment = lru_cache(maxsize=4096)(path_segment)


@lru_cache(maxsize=64)
def _dated(form: str) -> Callable[[int], str]:
    """A function of a time that runs strftime only when what it shows has changed."""
    from datetime import UTC, datetime, timedelta

    step = _step_seconds(form)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    @lru_cache(maxsize=64)
    def text(index: int) -> str:
        try:
            moment = epoch + timedelta(seconds=index * step)
        except OverflowError:  # beyond the years 1 to 9999
            return MISSING_TEXT
        # The C library writes the year 33 without zeros.
        return moment.strftime(re.sub("%%|%Y", lambda found: f"{moment.year:04d}" if found[0] == "%Y" else "%%", form))

    step_ns = step * 1_000_000_000
    return lambda time_ns: text(time_ns // step_ns)


def _step_seconds(form: str) -> int:
    return next((seconds for directives, seconds in _STEPS if re.search(f"%-?[{directives}]", form)), 86_400)
