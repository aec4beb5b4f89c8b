r"""Possessive groups for every Python 3.11: before 3.11.5, as Debian 12 has it, `re` gets them wrong.

There a group repeated possessively keeps what its last repetition had matched before it failed (CPython gh-106052):
`a(?:\n x)*+` takes the newline, and the blank, of "a\n y". An atomic group around a plain repetition is the same
expression, and right everywhere. Single characters (`[a-z]*+`) are not concerned.
"""

from __future__ import annotations

import re
from typing import AnyStr, Final

_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPETITION: Final = re.compile(r"([*+?]|\{\d*,?\d*\})\+")


def _is_broken() -> bool:
    match = re.match("a(?:bx*c)*+", "abd")
    return match is None or match.end() != 1


IS_BROKEN: Final = _is_broken()


def portable(pattern: AnyStr) -> AnyStr:
    """The expression as this Python matches it right. Groups keep their numbers and names."""
    if not IS_BROKEN:
        return pattern
    if isinstance(pattern, str):
        return with_atomic_groups(pattern)
    return with_atomic_groups(pattern.decode("latin-1")).encode("latin-1")


def with_atomic_groups(pattern: str) -> str:
    """`(…)*+` written as `(?>(…)*)`, wherever it stands."""
    written: list[str] = []
    opened: list[int] = []
    place = 0
    while place < len(pattern):
        character = pattern[place]
        end = place + 1
        if character == "\\":
            end += 1
        elif character == "[" and (found := _CLASS.match(pattern, place)):
            end = found.end()
        elif character == "(":
            opened.append(len(written))
        elif character == ")" and opened:
            start = opened.pop()
            if repetition := _REPETITION.match(pattern, end):
                written.insert(start, "(?>")
                written.append(f"){repetition[1]})")
                place = repetition.end()
                continue
        written.append(pattern[place:end])
        place = end
    return "".join(written)
