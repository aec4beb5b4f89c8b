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
from typing import Final, TypeAlias

_SET_OR_ESCAPE: Final = rb"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
_ATOM: Final = re.compile(_SET_OR_ESCAPE + b"|.", re.DOTALL)
_PIECE: Final = re.compile(_SET_OR_ESCAPE + rb"|[()|]|[^\\\[()|]+", re.DOTALL)
_QUANTIFIER: Final = re.compile(rb"(?:[*+?]|\{\d*,?\d*\})[+?]?")
_MAY_LACK: Final = re.compile(rb"[*?]|\{0?,")
_EXACTLY: Final = re.compile(rb"(\\d|\[0-9\])\{(\d)\}")
_GROUPS: Final = (b"(?:", b"(?>")
_LOOKS_AROUND: Final = (b"(?=", b"(?!", b"(?<=", b"(?<!")
_BYTES: Final = bytes(range(256))
_Tree: TypeAlias = dict[bytes, "_Tree"]
_END: Final = b""

# ── several expressions as one ──


def any_of(expressions: Iterable[bytes]) -> bytes:
    """Matches where any of the expressions does, though perhaps not as far."""
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
    """The alternatives of an expression, each as its tokens: an atom, and how often it comes."""
    for alternative in alternatives_of(expression):
        tokens = [token for atom, quantifier in _atoms(alternative) for token in _same_for_all(atom + quantifier)]
        yield from _expanded(tokens)


def _expanded(tokens: list[bytes]) -> Iterator[list[bytes]]:
    """Without groups that only hold together: at the end of a sequence alternatives of a group are such of it all."""
    for place, token in enumerate(tokens):
        if not token.startswith(b"(?:") or not token.endswith(b")"):
            continue
        inner = list(_sequences(token[len(b"(?:") : -1]))
        if len(inner) == 1:
            yield from _expanded([*tokens[:place], *inner[0], *tokens[place + 1 :]])
            return
        if place == len(tokens) - 1:
            yield from ([*tokens[:place], *each] for each in inner)
            return
    yield tokens


def _same_for_all(token: bytes) -> list[bytes]:
    """Digits, written in one way."""
    if match := _EXACTLY.fullmatch(token):
        return [rb"\d"] * int(match[2])
    return [token.replace(b"[0-9]", rb"\d")]


# ── what matches begin with ──


def narrowed(expression: bytes, to: Set[int]) -> bytes:
    """An expression that matches where this one does and the first byte is one of `to`, and never where this one does
    not; empty where there can be none such."""
    return b"|".join(part for part in alternatives_of(expression) if not to.isdisjoint(first_bytes(part)))


def alternatives_of(expression: bytes) -> list[bytes]:
    """What stands between the bars of an expression that are in no parentheses."""
    found, start, depth = [], 0, 0
    for piece in _PIECE.finditer(expression):
        depth += (piece[0] == b"(") - (piece[0] == b")")
        if depth == 0 and piece[0] == b"|":
            found.append(expression[start : piece.start()])
            start = piece.end()
    return [*found, expression[start:]]


@lru_cache(maxsize=512)
def first_bytes(expression: bytes) -> frozenset[int]:
    """Those that what it matches can begin with: perhaps more, never fewer. All where that may be nothing.

    It has neither anchors nor flags nor groups that capture.
    """
    found, may_be_empty = _first(expression)
    return frozenset(_BYTES) if may_be_empty else found


@lru_cache(maxsize=512)
def needed_bytes(expression: bytes) -> frozenset[int]:
    """Some that are in whatever it matches, or right behind it."""
    return frozenset.intersection(*(frozenset(_needed(alternative)) for alternative in alternatives_of(expression)))


def _needed(sequence: bytes) -> Iterator[int]:
    for atom, quantifier in _atoms(sequence):
        if _MAY_LACK.match(quantifier):
            continue
        if atom.startswith((*_GROUPS, b"(?=")):
            yield from needed_bytes(atom[len(b"(?:") : -1])
        elif atom[:1] != b"(" and len(_matched(atom)) == 1:
            yield from _matched(atom)


def _first(expression: bytes) -> tuple[frozenset[int], bool]:
    """The first bytes, and whether it may match without any."""
    each = [_first_of_sequence(alternative) for alternative in alternatives_of(expression)]
    return frozenset().union(*(found for found, _ in each)), any(may_be_empty for _, may_be_empty in each)


def _first_of_sequence(sequence: bytes) -> tuple[frozenset[int], bool]:
    found: frozenset[int] = frozenset()
    for atom, quantifier in _atoms(sequence):
        may_lack = _MAY_LACK.match(quantifier) is not None
        if atom.startswith(_GROUPS):
            first, may_be_empty = _first(atom[len(b"(?:") : -1])
            may_lack = may_lack or may_be_empty
        elif atom.startswith(_LOOKS_AROUND):
            continue
        else:
            first = _matched(atom) if atom[:1] != b"(" else frozenset()
            assert first, "anchors, flags and groups that capture do not belong there"
        found |= first
        if not may_lack:
            return found, False
    return found, True


@lru_cache(maxsize=64)
def _matched(atom: bytes) -> frozenset[int]:
    return frozenset(b"".join(re.findall(atom, _BYTES)))


def _atoms(sequence: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Characters, sets and groups, and how often each comes."""
    place = 0
    while place < len(sequence):
        end = _end_of_atom(sequence, place)
        quantifier = _QUANTIFIER.match(sequence, end)
        yield sequence[place:end], quantifier[0] if quantifier else b""
        place = quantifier.end() if quantifier else end


def _end_of_atom(expression: bytes, start: int) -> int:
    atom = _ATOM.match(expression, start)
    assert atom is not None
    end, depth = atom.end(), int(atom[0] == b"(")
    while depth:
        piece = _PIECE.match(expression, end)
        assert piece is not None
        depth += (piece[0] == b"(") - (piece[0] == b")")
        end = piece.end()
    return end
