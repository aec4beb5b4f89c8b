"""How long a text may be that a regular expression is searched for in, so that the search stays short.

What `backtracking` lets through costs at worst a power of the text's length, n. For most expressions it is n itself;
for the others a few thousand characters are too many. Which power it is tells the expression's automaton (`chains`):
one whose longest chain of pairs is d long makes about n**d / d! ways, and each of them is walked: n**(d+1) / (d+1)!
steps. To that come:

    - An expression that is not anchored has a loop over everything before it: the place where it begins. (One that
      begins with `.*` needs none: where it matches in a line, it matches from the beginning of that.)
    - What looks around without an end (`(?=.*x)`) is walked to its end in each way; directly behind the beginning of
      the text that is once.

Loops of at most ten rounds count as a constant. What cannot be followed to its end is taken for the worst.

That is for texts of which every character matters. Ways part only where a loop is left by a character that it could
read as well, and so could a later loop. Where a text has s of these, a pair makes s ways, and a chain n·s**d steps at
most: in a long line of an access log s are its blanks, and an expression of the third power is soon done with it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import dropwhile, takewhile
from math import factorial
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple

from logrouter.errors import ExpressionError
from logrouter.rules.backtracking import LOOKS, Classes, TooComplex, is_open, sequences
from logrouter.rules.chains import Search
from logrouter.rules.patterns import compile_pattern

WORK: Final = 2**25
"""Steps of the engine for one text: a third of a second, or a whole one."""
SHORTEST: Final = 256
"""An expression for lines no longer than this is of no use."""
MAX_LENGTH: Final = 65_536
"""Characters in an expression that may be put together from others."""
TOO_DEAR: Final = "the regular expression can take very long: its repetitions can share out a text in too many ways"
HINT: Final = 'begin it with ^, and write [^ ]* or [^"]* for .* where there is an end to it'
_WORST: Final = 16
"""The power that is believed of an expression of more states."""
_OTHERS: Final = "\ufffd"


class BoundedPattern:
    """A regular expression that is searched for in texts which are not too long for it.

    Raises ExpressionError where it is wrong, or would be too dear for texts of `SHORTEST` characters.
    """

    def __init__(self, text: str, shown: str | None = None) -> None:
        """`shown`: the text that an error is about, where that is not the expression itself."""
        self.compiled = compile_pattern(text, MAX_LENGTH)
        self.text = text
        self._bound = bound(text)
        self.longest = self._bound.longest
        self._search_line = self.compiled.match if _takes_anything(parser.parse(text)) else self.compiled.search
        if self.longest is not None and self.longest < SHORTEST:
            raise ExpressionError(TOO_DEAR, shown or text, 0, HINT)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match; None also where the text is too long to look for it."""
        if "\n" in text:
            limit, search = bound(self.text, of_lines=True), self.compiled.search
        else:
            limit, search = self._bound, self._search_line
        return search(text) if limit.allows(text) else None


class Bound(NamedTuple):
    """In which texts a search takes no more than `work` steps of the engine."""

    longest: int | None
    """Characters that any text may have; None: any number."""
    power: int
    work: int
    letters: str | None
    """The characters at which ways can part, as far as they are of ASCII, and U+FFFD for all others, if any is among
    them; None: it is not known which."""

    def allows(self, text: str) -> bool:
        """Whether the text is short enough, or has few enough characters at which ways can part."""
        if self.longest is None or len(text) <= self.longest:
            return True
        if self.letters is None:
            return False
        count = sum(map(text.count, self.letters))
        if _OTHERS in self.letters:
            count += len(text) - len(text.encode("ascii", "ignore"))
        ways: int = (count + 1) ** (self.power - 1)
        return len(text) * ways <= self.work * factorial(self.power - 1)


@lru_cache(maxsize=256)  # parsers are made anew at each reload
def bound(pattern: str, work: int = WORK, *, of_lines: bool = False) -> Bound:
    """The bound of a search in a line, or, `of_lines`, in several, as joining makes them: what is anchored at the end
    of one can fail there."""
    return bound_of(parser.parse(pattern), work, of_lines=of_lines)


def longest(pattern: str, work: int = WORK, *, of_lines: bool = False) -> int | None:
    """How many characters any text may have; None: any number."""
    return bound(pattern, work, of_lines=of_lines).longest


def longest_of(tree: Any, work: int, *, of_lines: bool = True) -> int | None:
    """The same for what `re` makes of an expression."""
    return bound_of(tree, work, of_lines=of_lines).longest


def bound_of(tree: Any, work: int, *, of_lines: bool = True) -> Bound:
    """The bound for what `re` makes of an expression."""
    is_anchored = _is_anchored(tree) or (not of_lines and _takes_anything(tree))
    classes = Classes(tree, without="" if of_lines else "\n")
    letters = 0
    try:
        search = Search(tree, classes, is_anchored=is_anchored)
        power, letters = search.longest_chain() + 1, search.partings()
        once = _asked_once(tree)
        again = 0
        for look in _open_looks(tree):
            search = Search(look, classes, is_anchored=True)
            its_power = search.longest_chain() + 1
            if any(look is one for one in once):
                power, letters = max(power, its_power), letters | search.partings()
            else:  # walked along each way, and in each way to its end
                again += its_power
        power += again
    except TooComplex:
        power, again = _WORST, _WORST
    found = None if again else {one if one.isascii() else _OTHERS for one in classes.texts(letters)}
    length = None if power == 1 else int((work * factorial(power)) ** (1 / power))
    return Bound(length, power, work, None if found is None else "".join(found))


def _open_looks(tree: Any) -> list[Any]:
    """What looks around without an end."""
    return [value[1] for items in sequences(tree) for code, value in items if code in LOOKS and is_open(value[1])]


def _asked_once(tree: Any) -> list[Any]:
    """What looks around directly behind the beginning of the text, where there is one way to come."""
    if not tree or tree[0][0] is not codes.AT or not _is_anchored(tree):
        return []
    behind = dropwhile(lambda item: item[0] is codes.AT, tree)
    return [value[1] for _, value in takewhile(lambda item: item[0] in LOOKS, behind)]


def _is_anchored(tree: Any) -> bool:
    """Whether it can match at the beginning of a text only."""
    for code, value in tree:
        if code is codes.AT:
            return value is codes.AT_BEGINNING_STRING or (
                value is codes.AT_BEGINNING and not tree.state.flags & re.MULTILINE
            )
        if code is codes.SUBPATTERN:
            return not value[1] & re.MULTILINE and _is_anchored(value[3])
        if code is codes.BRANCH:
            return all(map(_is_anchored, value[1]))
        return False
    return False


def _takes_anything(tree: Any) -> bool:
    """Whether it begins with `.*`: a match in a line is one from its beginning, and is looked for there alone."""
    for code, value in tree:
        if code is codes.SUBPATTERN:
            return _takes_anything(value[3])
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            lowest, highest, body = value
            return lowest == 0 and highest is codes.MAXREPEAT and [item[0] for item in body] == [codes.ANY]
        return False
    return False
