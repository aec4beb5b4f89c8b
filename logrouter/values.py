"""The value types of the config that YAML does not have: durations, sizes, rates, secrets, patterns.

Each has a `parse(text)` that raises ValueError with what was expected; `config/` calls it for every
field so annotated. Rules and templates (`rules.Rule`, `templates.Template`) follow the same protocol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Self, TypeAlias

MASK: Final = "********"
"""What is shown of a secret."""

_DURATION_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_UNITS = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
"""So many digits a float keeps exact, and no quantity of anything needs more."""
_QUANTITY = rf"({NUMBER})([A-Za-z]+)"
_RATE = rf"({NUMBER})/([{''.join(_DURATION_UNITS)}])"
_DURATION = rf"(?:{NUMBER}(?:ms|s|m|h|d))+"


class Duration(float):
    """Seconds. Written `250ms`, `25s`, `1m30s`, `2h`, `7d`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with what was expected."""
        if not re.fullmatch(_DURATION, text):
            raise ValueError(f"expected a duration such as 250ms, 25s, 1m30s or 2h, not {text!r}")
        return cls(sum(_seconds(float(number), unit) for number, unit in re.findall(_QUANTITY, text)))

    def __str__(self) -> str:
        for unit, seconds in reversed(_DURATION_UNITS.items()):
            if self >= seconds and (self / seconds).is_integer():
                return f"{int(self / seconds)}{unit}"
        milliseconds = round(self * 1000)
        if milliseconds and milliseconds / 1000 == self:
            return f"{milliseconds}ms"
        return f"{float(self):.9f}".rstrip("0").rstrip(".") + "s"


def _seconds(number: float, unit: str) -> float:
    return number / 1000 if unit == "ms" else number * _DURATION_UNITS[unit]  # times 0.001 would round twice


class Size(int):
    """Bytes. Written `512B`, `64KiB`, `16MiB`, `1GiB`, or decimal: `64kB`, `1GB`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with what was expected. A part of a byte is left out."""
        match = re.fullmatch(_QUANTITY, text)
        if match is None or match[2] not in _SIZE_UNITS:
            raise ValueError(f"expected a size such as 512B, 64KiB, 16MiB or 1GB, not {text!r}")
        number = float(match[1]) if "." in match[1] else int(match[1])
        return cls(number * _SIZE_UNITS[match[2]])

    def __str__(self) -> str:
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if self >= _SIZE_UNITS[unit] and self % _SIZE_UNITS[unit] == 0:
                return f"{self // _SIZE_UNITS[unit]}{unit}"
        return f"{int(self)}B"


class Rate:
    """So many events in a time. Written `100/s`, `10/m`, `1000/h`, `5/d`. Immutable."""

    __slots__ = ("events", "unit")

    def __init__(self, events: float, unit: str = "s") -> None:
        self.events = float(events)
        """In the time that the unit is."""
        self.unit = unit

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with what was expected."""
        match = re.fullmatch(_RATE, text)
        if match is None:
            raise ValueError(f"expected a rate such as 100/s, 10/m or 1000/h, not {text!r}")
        if not float(match[1]):
            raise ValueError(f"expected a rate of more than 0, not {text!r}")
        return cls(float(match[1]), match[2])

    @property
    def as_whole_numbers(self) -> tuple[int, int]:
        """Into how many ticks a nanosecond is to be divided, so that an event takes so many whole ones."""
        from fractions import Fraction  # here, as few configs have a rate

        span_ns = int(_DURATION_UNITS[self.unit]) * 10**9
        each_ns = span_ns / Fraction(repr(self.events))
        return each_ns.denominator, each_ns.numerator

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rate):
            return NotImplemented
        return (self.events, self.unit) == (other.events, other.unit)

    def __hash__(self) -> int:
        return hash((self.events, self.unit))

    def __repr__(self) -> str:
        return f"Rate({str(self)!r})"

    def __str__(self) -> str:
        events = int(self.events) if self.events.is_integer() else self.events
        return f"{events}/{self.unit}"


class ByText:
    """Something that its text in the config says all of: equal, hashed and shown by it. Immutable."""

    __slots__ = ("text",)

    text: str

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __str__(self) -> str:
        return self.text


class CodeFile:
    """The path of a file with code, and what it held when the config was read. Immutable."""

    __slots__ = ("held", "path")

    def __init__(self, path: str, held: str) -> None:
        self.path = path
        self.held = held

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that tell one content from another."""
        from hashlib import sha256

        return sha256(self.held.encode()).hexdigest()[:12]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CodeFile):
            return NotImplemented
        return (self.path, self.held) == (other.path, other.held)

    def __hash__(self) -> int:
        return hash((self.path, self.held))

    def __repr__(self) -> str:
        return f"CodeFile({self.path!r})"

    def __str__(self) -> str:
        return self.path


class Secret(str):
    """A string that is never shown: `repr` and the effective config mask it. Use `reveal()`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Any text will do."""
        return cls(str.__str__(text))  # a secret's own `str` is its mask

    def reveal(self) -> str:
        """The text itself: for the destination, and nobody else."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return repr(MASK)

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)


MaybeSecret: TypeAlias = str | Secret
"""The type of an option that is shown, unless its value came out of `${file:…}`: then it is a Secret."""


def kept_as(text: str, given: MaybeSecret) -> MaybeSecret:
    """A text that was made of another one: a secret, if that is."""
    return Secret(text) if isinstance(given, Secret) else text


def revealed(text: str) -> str:
    """The text itself, also where it is a secret."""
    return text.reveal() if isinstance(text, Secret) else text


def all_revealed(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts themselves, also those that are secrets."""
    return {key: revealed(text) for key, text in texts.items()}
