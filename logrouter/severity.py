"""The normalised level of an event: one ordered scale for every way in which apps write theirs.

The numbers are OpenTelemetry's SeverityNumber, and where syslog's levels stand on it is its appendix's
(https://opentelemetry.io/docs/specs/otel/logs/data-model-appendix/#appendix-b-severitynumber-example-mappings):

    trace 1 · debug 5 · info 9 · notice 10 · warning 13 · error 17 · critical 18 · alert 19 · fatal 21

Understood are names in any case and their usual abbreviations, single letters (klog, Android), syslog's
0 to 7 and the 10 to 60 of pino and bunyan, as numbers or as text. Python's own numbers are not: its 30 is
a warning where pino's is info, and Python's loggers write names. Anything else is MISSING.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from logrouter.references import MISSING, Field

FIELDS: Final = (Field(("level",)), Field(("severity",)), Field(("lvl",)), Field(("log", "level")))
"""Where an event's level is looked for. The first that holds a level counts."""

NAMES: Final[Mapping[str, int]] = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "notice": 10,
    "warning": 13,
    "error": 17,
    "critical": 18,
    "alert": 19,
    "fatal": 21,
}
"""The canonical names, lowest first."""

ALIASES: Final[Mapping[str, str]] = {
    "trace": "t trc trce v vrb verbose finest silly",
    "debug": "d dbg dbug fine finer config debug1 debug2 debug3 debug4 debug5",
    "info": "i inf information informational log success",
    "notice": "n note deprecation",
    "warning": "w warn wrn",
    "error": "e err eror fail severe",
    "critical": "c crit dpanic",
    "alert": "",
    "fatal": "f ftl emerg emergency panic pnc",
}
"""Other spellings, from .NET, Java, Serilog, zap, winston, Postgres, nginx, OpenSearch and Android."""

_SYSLOG = ("fatal", "alert", "critical", "error", "warning", "notice", "info", "debug")
_PINO = ("trace", "debug", "info", "warning", "error", "fatal")


def _known_spellings() -> dict[Any, int]:
    spellings: dict[Any, int] = {}
    for name, number in NAMES.items():
        for word in (name, *ALIASES[name].split()):
            spellings.update({word: number, word.upper(): number, word.capitalize(): number})
    for base, step, names in ((0, 1, _SYSLOG), (10, 10, _PINO)):
        for index, name in enumerate(names):
            spellings[base + index * step] = spellings[str(base + index * step)] = NAMES[name]
    return spellings


_KNOWN: Final = _known_spellings()
SPELLINGS: Final[Mapping[str, int]] = {word: number for word, number in _KNOWN.items() if isinstance(word, str)}
"""The texts among them."""
_NAME_OF: Final = {number: name for name, number in NAMES.items()}
NAME_OF_SPELLING: Final[Mapping[str, str]] = {word: _NAME_OF[number] for word, number in SPELLINGS.items()}
"""The canonical name of each."""
_LONGEST = 32
"""Longer text is no level: it is not worth lower-casing."""


def of(*values: Any) -> Any:
    """The level that the fields hold (one value per entry of `FIELDS`), or MISSING. Never raises."""
    for value in values:
        if value is MISSING or value is True or value is False:  # True is not syslog's 1
            continue
        try:
            number = _KNOWN.get(value)
        except TypeError:  # a list or an object
            continue
        if number is not None:
            return number
        if value.__class__ is str and len(value) <= _LONGEST:
            number = _KNOWN.get(value.strip().lower())
            if number is not None:
                return number
    return MISSING


def parse(value: Any) -> Any:
    """The number that a name, letter, syslog or pino number stands for, or MISSING."""
    return of(value)


def name_of(number: int) -> str:
    """The canonical name of a number on the scale: the highest that is not above it."""
    return max((name for name in NAMES if NAMES[name] <= number), key=NAMES.__getitem__, default="trace")
