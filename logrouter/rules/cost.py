"""How long a text may be that a regular expression is searched for in, so that the search stays short.

What `backtracking` lets through costs at worst a power of the text's length, n. For most expressions it is n itself;
for the others a few thousand characters are too many. Which power it is tells the expression's automaton (Weber and
Seidl 1991, "On the degree of ambiguity of finite automata"), of which the engine walks every way until one succeeds:

    1. Where a loop p can be left for a later loop q, and one text w leads from p to p, from p to q and from q to q,
       then in w repeated p can be left for q nearly anywhere: n ways.
           (\\S+) (\\S+)#     none: a w would have a blank, and these loops have not
           (.*),(.*)#       w = ","
    2. A chain of d such pairs, each reachable from the one before, makes about n**d / d! ways, and each of them is
       walked: n**(d+1) / (d+1)! steps.
    3. An expression that is not anchored has a loop over everything before it: the place where it begins. (One that
       begins with `.*` needs none: where it matches in a line, it matches from the beginning of that.)
    4. The way that succeeds ends the search. So where nothing can fail any more is no q, no way leads through it, and
       no w counts of which several let q succeed:
           (.*) (.*) (.*)   none: where there are two blanks, it matches
    5. What looks around without an end (`(?=.*x)`) is walked to its end in each way; directly behind the beginning of
       the text that is once.

Loops of at most ten rounds count as a constant. What cannot be followed to its end is taken for the worst.

That is for texts of which every character matters. Ways part only where a loop is left by a character that it could
read as well, and so could a later loop. Where a text has s of these, 1. makes s ways, and 2. n·s**d steps at most: in a
long line of an access log s are its blanks, and an expression of the third power is soon done with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache, reduce
from itertools import dropwhile, product, takewhile
from math import factorial
from operator import or_
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple

from logrouter.errors import ExpressionError
from logrouter.rules.backtracking import LOOKS, Automaton, Classes, TooComplex, is_open, sequences
from logrouter.rules.patterns import compile_pattern

WORK: Final = 2**25
"""Steps of the engine for one text: a third of a second, or a whole one."""
SHORTEST: Final = 256
"""An expression for lines no longer than this is of no use."""
MAX_LENGTH: Final = 65_536
"""Characters in an expression that may be put together from others."""
MOST_STATES: Final = 4_000
TOO_DEAR: Final = "the regular expression can take very long: its repetitions can share out a text in too many ways"
HINT: Final = 'begin it with ^, and write [^ ]* or [^"]* for .* where there is an end to it'
_WORST: Final = 16
"""The power that is believed of an expression of more states."""
_OTHERS: Final = "\ufffd"
_MOST_LOOKS: Final = 2_000
"""So many places of walkers are looked at for two loops, and then they are believed to be a pair."""


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
        search = _Search(tree, classes, is_anchored=is_anchored)
        power, letters = search.longest_chain() + 1, search.partings()
        once = _asked_once(tree)
        again = 0
        for look in _open_looks(tree):
            search = _Search(look, classes, is_anchored=True)
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


class _Loop(NamedTuple):
    """A state that can be come back to."""

    home: Set[int]
    """The states by way of which."""
    alphabet: int
    """The characters that may be read on the way."""


class _Search:
    """The automaton of a search, and what is ambiguous in it. Raises TooComplex."""

    def __init__(self, tree: Any, classes: Classes, *, is_anchored: bool) -> None:
        automaton = Automaton(classes, MOST_STATES)
        part = automaton.sequence(tree)
        loops = set(automaton.looping)
        self._successes = {end.state for end in part.exits if end.certain}
        self._next = [_merged(edges) for edges in automaton.edges]
        if not is_anchored:
            begin = len(self._next)
            self._next.append({begin: classes.everything} | {entry: automaton.masks[entry] for entry in part.entries})
            loops.add(begin)
        self._before: list[dict[int, int]] = [{} for _ in self._next]
        for state, edges in enumerate(self._next):
            for other, label in edges.items():
                self._before[other][state] = label
        self._letters = _letters(automaton.masks, len(classes))
        self._loops = {state: self._loop(state) for state in loops}
        self._reach = {state: _reached(self._next, state, closed=self._successes) for state in loops}
        self._ways: dict[tuple[int, int], set[int]] = {}
        self._ways_back: dict[tuple[int, int], set[int]] = {}

    def _loop(self, state: int) -> _Loop:
        home = _reached(self._next, state) & _reached(self._before, state)
        labels = [label for one in home for other, label in self._next[one].items() if other in home]
        return _Loop(home, reduce(or_, labels, 0))

    def longest_chain(self) -> int:
        """Of how many pairs: from the end to the beginning, as what a loop can reach comes after it."""
        longest: dict[int, int] = {}
        for first in sorted(self._loops, key=lambda state: len(self._reach[state])):
            longest[first] = 0
            seconds = self._loops.keys() & self._reach[first] - self._loops[first].home
            behind = {
                second: max(longest[third] for third in longest.keys() & self._reach[second]) for second in seconds
            }
            for second in sorted(seconds, key=lambda second: (-behind[second], second)):
                if self._is_pair(first, second):
                    longest[first] = 1 + behind[second]
                    break  # no other can make it longer
        return max(longest.values(), default=0)

    def partings(self) -> int:
        """The characters by which a loop can be left that it could read as well, and so could a later loop."""
        found = 0
        for first, loop in self._loops.items():
            later = self._loops.keys() & self._reach[first] - loop.home
            left = [label for one in loop.home for other, label in self._next[one].items() if other not in loop.home]
            shared = reduce(or_, (self._loops[second].alphabet for second in later), 0)
            found |= loop.alphabet & shared & reduce(or_, left, 0)
        return found

    def _is_pair(self, first: int, second: int) -> bool:
        """Whether one text leads from first to first and second, and from second to second, and never to success.

        Three walkers go in step: two from `first`, of which one stays at home and one takes the `ways`, and one from
        `second`; beside them goes the set of all states where one from `second` could be. When they have arrived they
        set out again, with that set, until it stays the same: then they can go round for ever.
        """
        shared = self._loops[first].alphabet & self._loops[second].alphabet
        ways = self._ways_from(first, shared)
        if second not in ways:
            return False
        ways = ways & self._ways_to(second, shared)
        letters = [letter for letter in self._letters if shared >> letter & 1]
        homes = self._loops[first].home, ways, self._loops[second].home
        goal = (first, second, second)
        begin = (first, first, second, frozenset((second,)), frozenset((second,)))
        seen: set[tuple[Any, ...]] = {begin}
        waiting: list[tuple[Any, ...]] = [begin]
        while waiting and len(seen) < _MOST_LOOKS:
            *walkers, could_be, had_been = waiting.pop()
            for letter in letters:
                steps = [self._steps(walker, letter, home) for walker, home in zip(walkers, homes, strict=True)]
                now = frozenset(state for could in could_be for state in self._steps(could, letter))
                if not self._successes.isdisjoint(now):
                    continue
                for places in product(*steps):
                    if places == goal and now == had_been:
                        return True
                    new = (first, first, second, now, now) if places == goal else (*places, now, had_been)
                    if new not in seen:
                        seen.add(new)
                        waiting.append(new)
        return bool(waiting)

    def _ways_from(self, first: int, shared: int) -> Set[int]:
        """The states that the second walker can reach."""
        if (first, shared) not in self._ways:
            closed = self._successes - self._loops[first].home
            self._ways[first, shared] = _reached(self._next, first, shared, closed)
        return self._ways[first, shared]

    def _ways_to(self, second: int, shared: int) -> Set[int]:
        if (second, shared) not in self._ways_back:
            self._ways_back[second, shared] = _reached(self._before, second, shared)
        return self._ways_back[second, shared]

    def _steps(self, state: int, letter: int, home: Set[int] | None = None) -> list[int]:
        return [
            other
            for other, label in self._next[state].items()
            if label >> letter & 1 and (home is None or other in home)
        ]


def _reached(
    edges: Sequence[Mapping[int, int]], start: int, alphabet: int = -1, closed: Set[int] = frozenset()
) -> set[int]:
    """Which states can be reached by texts of some characters, by way of no closed one."""
    reached, waiting = {start}, [start]
    while waiting:
        for other, label in edges[waiting.pop()].items():
            if label & alphabet and other not in reached and other not in closed:
                reached.add(other)
                waiting.append(other)
    return reached


def _merged(edges: list[tuple[int, int]]) -> dict[int, int]:
    """Target → the characters on which it is reached."""
    merged: dict[int, int] = {}
    for target, label in edges:
        merged[target] = merged.get(target, 0) | label
    return merged


def _letters(masks: list[int], count: int) -> list[int]:
    """One character of each kind that the classes tell apart."""
    kinds = {tuple(mask >> letter & 1 for mask in set(masks)): letter for letter in range(count)}
    return list(kinds.values())
