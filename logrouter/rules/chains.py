"""What is ambiguous in the automaton of a regular expression: in how many ways a search can share out a text.

The engine walks every way until one succeeds. How their number grows with the text's length n tells the automaton
(Weber and Seidl 1991, "On the degree of ambiguity of finite automata"):

    1. Where a loop p can be left for a later loop q, and one text w leads from p to p, from p to q and from q to q,
       then in w repeated p can be left for q nearly anywhere: n ways.
           (\\S+) (\\S+)#     none: a w would have a blank, and these loops have not
           (.*),(.*)#       w = ","
    2. A chain of d such pairs, each reachable from the one before, makes about n**d / d! ways.
    3. The way that succeeds ends the search. So where nothing can fail any more is no q, no way leads through it, and
       no w counts of which several let q succeed:
           (.*) (.*) (.*)   none: where there are two blanks, it matches
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import reduce
from itertools import product
from operator import or_
from typing import Any, Final, NamedTuple

from logrouter.rules.backtracking import Automaton, Classes

MOST_STATES: Final = 4_000
_MOST_LOOKS: Final = 2_000
"""So many places of walkers are looked at for two loops, and then they are believed to be a pair."""


class _Loop(NamedTuple):
    """A state that can be come back to."""

    home: Set[int]
    """The states by way of which."""
    alphabet: int
    """The characters that may be read on the way."""


class Search:
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
