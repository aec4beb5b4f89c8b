"""Regular expressions whose cost is bounded, for `matches` and for the steps that take patterns.

Python's engine backtracks, so that `(a+)+$` needs hours for 40 characters: one line of a log, which others
may write, could stop the program. So a pattern that can backtrack exponentially is refused, `backtracking`
says which. What is left costs at worst a power of the text's length: whoever searches bounds that, by `cost`.
"""

from __future__ import annotations

import re
import warnings
from typing import Final, Self

from logrouter.values import ByText

MAX_LENGTH: Final = 4_096
"""Characters in a pattern."""


class PatternError(ValueError):
    """A regular expression cannot be used. `position` counts its characters from 0."""

    def __init__(self, problem: str, position: int = 0, hint: str | None = None) -> None:
        super().__init__(problem)
        self.position = position
        self.hint = hint


def compile_pattern(text: str, max_length: int = MAX_LENGTH) -> re.Pattern[str]:
    """Compile a regular expression of Python's `re`, for use with text. Raises PatternError, a ValueError."""
    from logrouter.possessive import portable  # loaded by the first expression that a config has
    from logrouter.rules.backtracking import ambiguity

    if len(text) > max_length:
        raise PatternError(f"a regular expression has at most {max_length:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read differently
            re.compile(text)  # an error counts the characters of what was written
            pattern = re.compile(portable(text))
            reason = ambiguity(text)
    except re.error as error:
        raise PatternError(f"the regular expression is wrong: {error.msg}", error.pos or 0) from None
    except (OverflowError, RecursionError, MemoryError):
        raise PatternError("the regular expression is too large or nested too deep") from None
    if reason is not None:
        raise PatternError(reason)
    return pattern


class Pattern(ByText):
    """A regular expression in the config. Whoever searches with it bounds what that costs."""

    __slots__ = ("compiled",)

    def __init__(self, text: str) -> None:
        self.text = text
        self.compiled = compile_pattern(text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with what is wrong."""
        return cls(text)
