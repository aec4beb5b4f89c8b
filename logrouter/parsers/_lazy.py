"""Regular expressions that are compiled when they are first used.

`parse: auto` imports every parser at an app's first line of text. Large expressions take a millisecond or more each,
and most of them are never used.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import AnyStr, Generic

from logrouter.possessive import portable


class LazyPattern(Generic[AnyStr]):
    """As `re.compile`; what it gives is `pattern`."""

    def __init__(self, expression: AnyStr, flags: int = 0) -> None:
        self.expression: AnyStr = expression
        self._flags = flags

    @cached_property
    def pattern(self) -> re.Pattern[AnyStr]:
        """The expression, compiled."""
        return re.compile(portable(self.expression), self._flags)
