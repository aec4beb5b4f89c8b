r"""Whether a regular expression is found in a text, for rules and for joining: in about 0.1 s at most.

`cost` tells how the search grows with the text. Where that is with its length, the whole text is searched; where it is
faster, as many characters of it as `WORK` allows; where those are too few to be of use, the expression is refused.
`shortening` makes of most expressions such that are found where these are, and grow with the length.

All that looks into expressions is loaded by the first one: most configs have none.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from re import _compiler as compiler  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Final, Self

from logrouter.rules.patterns import PatternError, compile_pattern
from logrouter.values import ByText

WORK: Final = 2**22
"""Steps of the engine for one text: a tenth of a second at most, or nearly."""


class Condition(ByText):
    """A regular expression that is asked for yes or no. Raises PatternError, a ValueError."""

    __slots__ = ("longest", "search")

    search: Callable[[str], re.Match[str] | None]
    """Gives None where it is not found."""
    longest: int | None
    """Characters that are looked at, from the beginning, where many can share out the text; None: all."""

    def __init__(self, text: str) -> None:
        from logrouter.possessive import portable
        from logrouter.rules.cost import HINT, SHORTEST, TOO_DEAR, bound_of
        from logrouter.rules.shortening import shortened, without_ways

        self.text = text
        search = compile_pattern(text).search
        written = parser.parse(portable(text))
        tree = shortened(written)
        if tree is not written:
            search = compiler.compile(tree, tree.state.flags).search
        bound = bound_of(tree, WORK)
        self.longest = short = bound.longest
        if short is None:
            self.search = search
            return
        better = without_ways(tree, WORK)
        if better is not None:
            search_long, self.longest = better[0].search, better[1]
        else:
            search_long = search
        if self.longest is not None and self.longest < SHORTEST:
            raise PatternError(TOO_DEAR, hint=HINT)
        end = sys.maxsize if self.longest is None else self.longest
        self.search = lambda text: (
            search(text) if len(text) <= short or bound.allows(text) else search_long(text, 0, end)
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with what is wrong."""
        try:
            return cls(text)
        except PatternError as error:
            raise ValueError(f"{error} ({error.hint})" if error.hint else str(error)) from None
