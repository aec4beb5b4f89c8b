"""What finds one kind of private text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

Span = tuple[int, int]


class Detector(NamedTuple):
    """Finds one kind of private text."""

    name: str
    """The preset's name; "" for a pattern of the user's own."""
    spans: Callable[[str], Iterable[Span]]
    """Where it stands in a text: from left to right, apart, none empty."""
    hints: tuple[str, ...] = ()
    """A text that has none of these has nothing to find. None given: see `candidate`."""
    candidate: Callable[[str], object] | None = None
    """A quick search: a text in which it finds nothing has nothing to find. Neither given: any text may."""
    shortest: int = 1
    """A text of fewer characters has nothing to find."""
    names: re.Pattern[str] | None = None
    """The value of a field with such a name is private as a whole."""
    numbers: bool = False
    """Whether it may be written as a JSON number."""


def span_of(match: re.Match[str]) -> Span:
    """Of the group `secret`, where the expression has one and it took part, else of all."""
    if "secret" in match.re.groupindex and match.start("secret") >= 0:
        return match.span("secret")
    return match.span()


def matches(pattern: re.Pattern[str]) -> Callable[[str], Iterable[Span]]:
    """All that an expression matches."""
    return lambda text: (span for span in map(span_of, pattern.finditer(text)) if span[0] < span[1])
