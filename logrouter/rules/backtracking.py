"""Which regular expressions can take exponential time in an engine that backtracks, as Python's does.

That is the case when some loop can go once around over one text in two different ways: each round then doubles
the ways, and a text that fails at its end makes the engine try them all. The test is the classic one
(Weber and Seidl 1991, "On the degree of ambiguity of finite automata"):

    1. The loop becomes an automaton with one state for each character class in it (Glushkov's).
       (\\w+,?)+   has the states  w = \\w  and  c = [,]  and the edges
                  w→w (the inner loop)   w→c   c→w (the outer loop)   w→w (the outer loop, without a comma)
    2. Two walkers start in one state, part by taking different edges on the same character, and walk on in
       step. If they can meet again, the loop is ambiguous: here at once, by the two edges w→w.

Classes are compared on a sample of characters: all of ASCII, some others, and those that the pattern names.
Repetitions with a bound count as loops from 4 rounds on (from 11 in all, where a round is short); exact counts
are written out. What the automaton cannot say (back references, look-around, most atomic groups) is taken for more
than it matches: a pattern may be refused that is harmless, and hardly the other way round (random patterns, 25,000
that were taken, timed on texts made for them: one took a second).

What is let through costs a power of the text's length: `cost` tells which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from re import _compiler as compiler  # type: ignore[attr-defined]
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple

NESTED: Final = "the regular expression can take exponential time: a repetition can match the same text in several ways"
COMPLEX: Final = "the regular expression is too complex inside a repetition"

MAX_STATES: Final = 200
FEW: Final = 3
"""So many rounds or fewer are no loop."""
MANY: Final = 10
"""So many are none either, where each can be but short."""

_SAMPLE: Final = (
    *range(128), 0xA0, 0xB2, 0xDF, 0xE9, 0x130, 0x131, 0x17F, 0x416, 0x663, 0x2028, 0x20AC, 0x212A, 0x4E2D,
)  # fmt: skip
_LOOPS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_SINGLE = (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN)
LOOKS = (codes.ASSERT, codes.ASSERT_NOT)

Item = tuple[Any, Any]


def ambiguity(pattern: str) -> str | None:
    """Why a pattern is refused, or None. It has been compiled by `re` already."""
    tree = parser.parse(pattern)
    classes = Classes(tree)
    try:
        for item in _suspicious_loops(tree):
            automaton = Automaton(classes)
            empties = automaton.loop(item).empties
            if automaton.is_ambiguous() or (empties > 1 and item[1][0] > 1):
                return NESTED
    except TooComplex:
        return COMPLEX
    return None


# ── walking the tree that `re` makes ──


def _children(item: Item) -> Iterator[Any]:
    """The sequences inside an item."""
    code, value = item
    if code in _LOOPS:
        yield value[2]
    elif code is codes.SUBPATTERN:
        yield value[3]
    elif code is codes.BRANCH:
        yield from value[1]
    elif code is codes.ATOMIC_GROUP:
        yield value
    elif code in LOOKS:
        yield value[1]
    elif code is codes.GROUPREF_EXISTS:
        yield from (part for part in value[1:] if part is not None)


def sequences(tree: Iterable[Item]) -> Iterator[Any]:
    """The tree and every sequence in it."""
    yield tree
    for item in tree:
        for child in _children(item):
            yield from sequences(child)


def _is_loop(item: Item) -> bool:
    if item[0] not in _LOOPS:
        return False
    _, highest, body = item[1]
    return bool(highest > FEW) if is_open(body) else _rounds([item]) > MANY


def _rounds(sequence: Iterable[Item]) -> int:
    """How often the innermost part of nested repetitions may come."""
    rounds = 1
    for item in sequence:
        inner = max((_rounds(child) for child in _children(item)), default=1)
        rounds = max(rounds, inner * int(item[1][1]) if item[0] in _LOOPS else inner)
    return rounds


def is_open(sequence: Iterable[Item]) -> bool:
    """Whether what it matches may be long."""
    return any(
        item[0] is codes.GROUPREF
        or (item[0] in _LOOPS and item[1][1] > MANY)
        or any(is_open(child) for child in _children(item))
        for item in sequence
    )


def _has_choice(sequence: Iterable[Item]) -> bool:
    """Whether it may match in more than one way."""
    return any(
        (item[0] in _LOOPS and item[1][0] != item[1][1])
        or item[0] in (codes.BRANCH, codes.GROUPREF, codes.GROUPREF_EXISTS)
        or any(_has_choice(child) for child in _children(item))
        for item in sequence
    )


def _suspicious_loops(tree: Iterable[Item]) -> Iterator[Item]:
    """The outermost loops over what may match in more than one way; look-around is a world of its own."""
    for item in tree:
        if _is_loop(item) and _has_choice(item[1][2]):
            yield item
            for sequence in sequences(item[1][2]):
                yield from (loop for look in sequence if look[0] in LOOKS for loop in _suspicious_loops(look[1][1]))
        else:
            for child in _children(item):
                yield from _suspicious_loops(child)


# ── characters ──


class Classes:
    """Which of the sample's characters an item matches, as the bits of an int."""

    def __init__(self, tree: Any, *, without: str = "") -> None:
        """`without`: a character that no text has."""
        self._state = tree.state
        self._flags = tree.state.flags | (re.IGNORECASE if _ignores_case(tree) else 0)
        self._sample = [chr(code) for code in sorted({*_SAMPLE, *_named(tree)}) if chr(code) != without]
        self._known: dict[str, int] = {}

    def mask(self, item: Item) -> int:
        """The characters that a class, a dot or a character matches."""
        key = repr(item)
        if key not in self._known:
            match = compiler.compile(parser.SubPattern(self._state, [item]), self._flags).match
            self._known[key] = sum(1 << index for index, character in enumerate(self._sample) if match(character))
        return self._known[key]

    def texts(self, mask: int) -> list[str]:
        """The characters of a mask."""
        return [character for index, character in enumerate(self._sample) if mask >> index & 1]

    def __len__(self) -> int:
        return len(self._sample)

    @property
    def everything(self) -> int:
        """All characters."""
        return (1 << len(self._sample)) - 1


def _ignores_case(tree: Iterable[Item]) -> bool:
    """Whether any part does: then all are taken to, which can only find more ambiguity."""
    return any(
        item[0] is codes.SUBPATTERN and item[1][1] & re.IGNORECASE for sequence in sequences(tree) for item in sequence
    )


def _named(tree: Iterable[Item]) -> Iterator[int]:
    """The characters that a pattern names, ends of ranges too."""
    for sequence in sequences(tree):
        for code, value in sequence:
            for part_code, part in value if code is codes.IN else [(code, value)]:
                if part_code in (codes.LITERAL, codes.NOT_LITERAL):
                    yield part
                elif part_code is codes.RANGE:
                    yield from part


# ── the automaton ──


class TooComplex(Exception):
    """More states than are worth following."""


class Exit(NamedTuple):
    """A state in which a part may end."""

    state: int
    excluded: int = 0
    """The characters that may not follow, as a possessive loop took them all."""
    certain: bool = True
    """Whether it may end there whatever follows: no anchor and no look-around is in the way."""


class Part(NamedTuple):
    """A part of an expression, as states in which it may begin and end."""

    entries: list[int]
    exits: list[Exit]
    empties: int
    """In how many ways it matches nothing: each is a way past it."""
    certain: bool = True
    """Whether it matches nothing whatever follows, if it does."""


_EMPTY: Final = Part([], [], 1)
_ASSERTION: Final = Part([], [], 1, certain=False)
_ENDS: Final = (codes.AT_END, codes.AT_END_STRING)


class Automaton:
    """States and edges of an expression. Raises TooComplex where there are more than `most`."""

    def __init__(self, classes: Classes, most: int = MAX_STATES) -> None:
        self._classes = classes
        self._most = most
        self.masks: list[int] = []
        self.edges: list[list[tuple[int, int]]] = []
        """From each state: target, and the characters on which the edge is taken. Two alike are two ways."""
        self.looping: set[int] = set()
        """States in a loop of many rounds."""

    def loop(self, item: Item) -> Part:
        """A repetition without counting: any number of rounds, at least one unless it may be none."""
        lowest, highest, body = item[1]
        first = len(self.masks)
        part = self.sequence(body)
        if highest > MANY:
            self.looping.update(range(first, len(self.masks)))
        self._connect(part.exits, part.entries)
        exits = part.exits
        if item[0] is codes.POSSESSIVE_REPEAT and len(body) == 1 and body[0][0] in _SINGLE:
            exits = [end._replace(excluded=self.masks[end.state]) for end in exits]
        empties = 2 if part.empties else int(lowest == 0)  # nothing, matched once or twice, is two ways
        return Part(part.entries, exits, empties, lowest == 0 or part.certain)

    def sequence(self, items: Iterable[Item]) -> Part:
        """Items one after the other."""
        whole = _EMPTY
        for item in items:
            whole = (
                self._ended(whole) if item[0] is codes.AT and item[1] in _ENDS else self._then(whole, self._item(item))
            )
        return whole

    def _ended(self, whole: Part) -> Part:
        """With the end of the text behind it: certain is what can go on to there, whatever the text, or end there."""
        swallowing = {end.state for end in whole.exits if end.certain and self._swallows_all(end.state)}
        exits = [
            end._replace(certain=end.certain and not swallowing.isdisjoint(self._next_of_all(end.state)))
            for end in whole.exits
        ]
        return whole._replace(exits=exits, certain=False)

    def _next_of_all(self, state: int) -> Iterator[int]:
        """The states that follow whatever is read."""
        return (target for target, label in self.edges[state] if label == self._classes.everything)

    def _swallows_all(self, state: int) -> bool:
        return self.masks[state] == self._classes.everything and state in self._next_of_all(state)

    def _then(self, first: Part, second: Part) -> Part:
        self._connect(first.exits, second.entries)
        entries = first.entries + second.entries * first.empties
        ends = [end._replace(certain=end.certain and second.certain) for end in first.exits] * second.empties
        empties = min(first.empties * second.empties, 2)  # two are as bad as many
        return Part(entries, second.exits + ends, empties, first.certain and second.certain)

    def _item(self, item: Item) -> Part:
        code, value = item
        if code in _SINGLE:
            return self._state(self._classes.mask(item))
        if code in _LOOPS:
            return self._repetition(item)
        if code is codes.GROUPREF:  # any text at all
            state = self._state(self._classes.everything)
            self._connect(state.exits, state.entries)
            self.looping.update(state.entries)
            return Part(state.entries, [end._replace(certain=False) for end in state.exits], 1, certain=False)
        if code is codes.ATOMIC_GROUP and len(value) == 1 and value[0][0] is codes.MAX_REPEAT:
            return self._repetition((codes.POSSESSIVE_REPEAT, value[0][1]))
        if code is codes.BRANCH or code is codes.GROUPREF_EXISTS:
            parts = [self.sequence(child) for child in _children(item)]
            if code is codes.BRANCH:
                return self._choice(parts)
            return self._choice(parts if len(parts) > 1 else [*parts, _EMPTY])._replace(certain=False)
        if code in (codes.SUBPATTERN, codes.ATOMIC_GROUP):
            return self.sequence(next(_children(item)))
        return _ASSERTION

    def _repetition(self, item: Item) -> Part:
        lowest, highest, body = item[1]
        if highest > FEW and lowest != highest:
            return self.loop(item)
        whole = _EMPTY
        for number in range(int(highest)):
            part = self.sequence(body)
            whole = self._then(
                whole, part if number < lowest else part._replace(empties=part.empties + 1, certain=True)
            )
        return whole

    def _choice(self, parts: list[Part]) -> Part:
        entries = [entry for part in parts for entry in part.entries]
        exits = [end for part in parts for end in part.exits]
        certain = any(part.empties and part.certain for part in parts)
        return Part(entries, exits, min(sum(part.empties for part in parts), 2), certain)

    def _state(self, mask: int) -> Part:
        if len(self.masks) == self._most:
            raise TooComplex
        self.masks.append(mask)
        self.edges.append([])
        state = len(self.masks) - 1
        return Part([state], [Exit(state)], 0)

    def _connect(self, exits: list[Exit], entries: list[int]) -> None:
        for state, excluded, _ in exits:
            for entry in entries:
                if label := self.masks[entry] & ~excluded:
                    self.edges[state].append((entry, label))

    def is_ambiguous(self) -> bool:
        """Whether two walkers can part and meet again. All states are on the loop, so from there they can go on."""
        waiting: list[tuple[int, int]] = []
        for edges in self.edges:
            for number, (one, label) in enumerate(edges):
                waiting += [(one, other) for other, other_label in edges[:number] if label & other_label]
        seen: set[tuple[int, int]] = set()
        while waiting:
            one, other = pair = waiting.pop()
            if one == other:
                return True
            if pair in seen:
                continue
            seen |= {pair, (other, one)}
            waiting += [
                (next_one, next_other)
                for next_one, label in self.edges[one]
                for next_other, other_label in self.edges[other]
                if label & other_label
            ]
        return False
