r"""How lines of formats begin, so that a look at one tells quickly which they can be of.

`any_of` writes one expression for what any of several match, with what they have in common written once. Most formats
begin with a time: tried one after the other, each would look at it again.

    \d\d:\d\d INFO|\d\d:\d\d \[|\[\d      →      \d\d:\d\d (?:INFO|\[)|\[\d

`narrowed` leaves of an expression those alternatives that can begin with one of some bytes: of the alternatives of all
formats two can begin with a small letter, as most text does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final, TypeAlias

from logrouter.possessive import portable

_ATOM: Final = re.compile(rb"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_QUANTIFIER: Final = re.compile(rb"(?:[*+?]|\{\d*,?\d*\})[+?]?")
_PLAIN_GROUP: Final = b"(?:"
_EXACTLY: Final = re.compile(rb"(\\d|\[0-9\])\{(\d)\}")
_Tree: TypeAlias = dict[bytes, "_Tree"]
_END: Final = b""

# ── several expressions as one ──


def any_of(expressions: Iterable[bytes]) -> bytes:
    """Matches where any of the expressions does, though perhaps not as far. They have no groups that capture."""
    tree: _Tree = {}
    for expression in expressions:
        for sequence in _sequences(expression):
            _add(tree, sequence)
    return _written(tree)


def _add(tree: _Tree, sequence: list[bytes]) -> None:
    for token in sequence:
        if _END in tree:  # a shorter one matches wherever this does
            return
        tree = tree.setdefault(token, {})
    tree.clear()
    tree[_END] = {}


def _written(tree: _Tree) -> bytes:
    branches = [token + (_written(below) if below else b"") for token, below in tree.items()]
    return branches[0] if len(branches) == 1 else b"(?:%b)" % b"|".join(branches)


def _sequences(expression: bytes) -> Iterator[list[bytes]]:
    """The alternatives of an expression, each as its tokens: an atom or a group, with how often it comes."""
    for alternative in _alternatives(expression):
        yield from _expanded(alternative)


def _expanded(tokens: list[bytes]) -> Iterator[list[bytes]]:
    """Without groups that only hold together: at the end of a sequence alternatives of a group are such of it all."""
    for place, token in enumerate(tokens):
        if not token.startswith(_PLAIN_GROUP) or not token.endswith(b")"):
            continue
        inner = list(_sequences(token[len(_PLAIN_GROUP) : -1]))
        if len(inner) == 1:
            yield from _expanded([*tokens[:place], *inner[0], *tokens[place + 1 :]])
            return
        if place == len(tokens) - 1:
            yield from ([*tokens[:place], *each] for each in inner)
            return
    yield tokens


def _alternatives(expression: bytes) -> Iterator[list[bytes]]:
    tokens: list[bytes] = []
    place = 0
    while place < len(expression):
        if expression[place : place + 1] == b"|":
            yield tokens
            tokens, place = [], place + 1
            continue
        end = _end_of_atom(expression, place)
        if quantifier := _QUANTIFIER.match(expression, end):
            end = quantifier.end()
        tokens += _same_for_all(expression[place:end])
        place = end
    yield tokens


def _end_of_atom(expression: bytes, place: int) -> int:
    depth = 0
    while True:
        atom = _ATOM.match(expression, place)
        assert atom is not None
        depth += (atom[0] == b"(") - (atom[0] == b")")
        place = atom.end()
        if depth == 0:
            return place


def _same_for_all(token: bytes) -> list[bytes]:
    """Digits, written in one way."""
    if match := _EXACTLY.fullmatch(token):
        return [rb"\d"] * int(match[2])
    return [token.replace(b"[0-9]", rb"\d")]


# ── first bytes ──

_ALL: Final = frozenset(range(256))
_CATEGORIES: Final = {
    getattr(codes, f"CATEGORY_{name}"): frozenset(b"".join(re.findall(escape, bytes(_ALL))))
    for name, escape in (
        ("DIGIT", rb"\d"), ("NOT_DIGIT", rb"\D"), ("SPACE", rb"\s"), ("NOT_SPACE", rb"\S"), ("WORD", rb"\w"),
        ("NOT_WORD", rb"\W"),
    )
}  # fmt: skip
_REPETITIONS: Final = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_WITHOUT_WIDTH: Final = (codes.ASSERT, codes.ASSERT_NOT, codes.AT)


def narrowed(expression: bytes, to: Set[int]) -> bytes:
    """An expression that matches where this one does and the first byte is one of `to`, and never where this one does
    not; empty where there can be none such."""
    return b"|".join(part for part in alternatives_of(expression) if not to.isdisjoint(first_bytes(part)))


def alternatives_of(expression: bytes) -> list[bytes]:
    """What stands between the bars of an expression that are in no parentheses."""
    return [b"".join(tokens) for tokens in _alternatives(expression)]


@lru_cache(maxsize=512)
def first_bytes(expression: bytes) -> frozenset[int]:
    """Those that what it matches can begin with: perhaps more, never fewer. All where that may be nothing."""
    found, may_be_empty = _first(parser.parse(portable(expression)))
    return _ALL if may_be_empty else found


@lru_cache(maxsize=512)
def needed_bytes(expression: bytes) -> frozenset[int]:
    """Some that are in whatever it matches; those of one alternative, where it is one."""
    return frozenset(_needed(parser.parse(portable(expression))))


def _needed(tree: Iterable[tuple[Any, Any]]) -> Iterator[int]:
    for code, value in tree:
        if code is codes.LITERAL:
            yield value
        elif code in (codes.SUBPATTERN, codes.ATOMIC_GROUP):
            yield from _needed(value[-1] if code is codes.SUBPATTERN else value)
        elif code in _REPETITIONS and value[0] > 0:
            yield from _needed(value[2])


def _first(tree: Iterable[tuple[Any, Any]]) -> tuple[frozenset[int], bool]:
    """The first bytes, and whether it may match without any."""
    found: frozenset[int] = frozenset()
    for code, value in tree:
        if code in _WITHOUT_WIDTH:
            continue
        first, may_be_empty = _first_of_item(code, value)
        found |= first
        if not may_be_empty:
            return found, False
    return found, True


def _first_of_item(code: Any, value: Any) -> tuple[frozenset[int], bool]:
    if code is codes.LITERAL:
        return frozenset((value,)), False
    if code is codes.NOT_LITERAL:
        return _ALL - {value}, False
    if code is codes.IN:
        found = frozenset().union(*map(_first_of_set, value))
        return _ALL - found if value[0][0] is codes.NEGATE else found, False
    if code in _REPETITIONS:
        least, _, what = value
        found, may_be_empty = _first(what)
        return found, may_be_empty or least == 0
    if code in (codes.SUBPATTERN, codes.ATOMIC_GROUP):
        return _first(value[-1] if code is codes.SUBPATTERN else value)
    if code is codes.BRANCH:
        each = [_first(branch) for branch in value[1]]
        return frozenset().union(*(found for found, _ in each)), any(empty for _, empty in each)
    return _ALL, code is not codes.ANY


def _first_of_set(item: tuple[Any, Any]) -> frozenset[int]:
    code, value = item
    if code is codes.RANGE:
        return frozenset(range(value[0], value[1] + 1))
    if code is codes.CATEGORY:
        return _CATEGORIES[value]
    return frozenset((value,) if code is codes.LITERAL else ())
