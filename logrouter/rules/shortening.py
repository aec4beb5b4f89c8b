r"""Expressions that are found in a text where another one is, and are soon done: for yes or no.

A repetition at either end of an expression need not take more than it must: `.*ERROR.*` is found where `ERROR` is,
`(\w+)=(.+)` where `\w=.` is. That alone makes most expressions grow with the length of the text.

Much that is written in rules is of the form `A.*B.*C`, and grows with a high power. For yes or no it need not: where
the A that ends first leads to no B and C, no later A of that line does, as its `.*` takes what the later one's takes,
and what is between. So it is searched for as

    (?m:^)(?>.*?A)(?>.*?B).*?C          of which nothing is tried twice before C

if A, B and C take no newline (unless `.` does) and of A and B the one that begins first is the one that ends first:
they are always of one length, or a choice of words of which none is in another but at its end. A group that is referred
to prevents it, and so does what looks far around. Short texts are searched for what was written, which is faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from re import _compiler as compiler  # type: ignore[attr-defined]
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

from logrouter.rules.backtracking import LOOKS, is_open, sequences
from logrouter.rules.cost import longest_of

_MOST_WORDS: Final = 64
_REPETITIONS: Final = {
    0: (codes.MAX_REPEAT, codes.MIN_REPEAT),
    -1: (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT),
}
"""Those that need not take more than they must, at the beginning and at the end: a possessive one at the beginning
leaves nothing to what follows."""

_Gap = tuple[int, list[Any]]
"""`.{least,}` and what comes after it."""


def shortened(tree: Any) -> Any:
    """The expression that is found where this one is, without what it need not take at either end."""
    if _refers(tree):
        return tree
    items = _shortened_at(tree, _shortened_at(tree, list(tree), 0), -1)
    return tree if items == list(tree) else _sequence(tree, items)


def _shortened_at(tree: Any, items: list[Any], end: int) -> list[Any]:
    """The same at one end: 0, the beginning, as the search may begin later; or -1, as it may stop earlier."""
    while items:
        code, value = items[end]
        if code in _REPETITIONS[end] and value[0] <= 1:
            body = list(value[2]) if value[0] else []
            items = [*body, *items[1:]] if end == 0 else [*items[:-1], *body]
            continue
        if code in _REPETITIONS[end]:
            value = (value[0], *value[::2])
        elif code is codes.SUBPATTERN and not value[1] | value[2]:
            inner = _shortened_at(tree, list(value[3]), end)
            value = (*value[:3], _sequence(tree, inner))
            if not inner:
                del items[end]
                continue
        elif code is codes.BRANCH:
            value = (value[0], [_sequence(tree, _shortened_at(tree, list(branch), end)) for branch in value[1]])
        items[end] = code, value
        break
    return items


def without_ways(tree: Any, work: int) -> tuple[re.Pattern[str], int | None] | None:
    """The expression that is found where this one is, of which nothing is tried twice, and up to which length `work`
    steps allow that; None: there is none."""
    first, gaps = _gaps(tree)
    pieces = [first, *(piece for _, piece in gaps)]
    if not gaps or _refers(tree) or not all(_stays_in_line(tree, piece) for piece in pieces):
        return None
    if not all(_ends_first(tree, piece) for piece in pieces[:-1]):
        return None
    begin = codes.AT_BEGINNING_STRING if tree.state.flags & re.DOTALL else codes.AT_BEGINNING_LINE
    items: list[Any] = [(codes.AT, begin)]
    for least, piece in ((0, first), *gaps[:-1]):
        items.append((codes.ATOMIC_GROUP, _sequence(tree, [_anything(tree, least), *piece])))
    least, last = gaps[-1]
    rest = [_anything(tree, least), *last]
    pattern = compiler.compile(_sequence(tree, [*items, *rest]), tree.state.flags)
    return pattern, longest_of(_sequence(tree, [(codes.AT, codes.AT_BEGINNING_STRING), *rest]), work)


def _sequence(tree: Any, items: list[Any]) -> Any:
    return parser.SubPattern(tree.state, items)


def _anything(tree: Any, least: int) -> Any:
    return codes.MIN_REPEAT, (least, codes.MAXREPEAT, _sequence(tree, [(codes.ANY, None)]))


def _gaps(tree: Any) -> tuple[list[Any], list[_Gap]]:
    """What comes before the first `.*`, and each `.*` with what follows it up to the next."""
    first: list[Any] = []
    gaps: list[_Gap] = []
    for code, value in tree:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT) and _is_anything(value):
            gaps.append((value[0], []))
        else:
            (gaps[-1][1] if gaps else first).append((code, value))
    return first, gaps


def _is_anything(repetition: Any) -> bool:
    return repetition[1] is codes.MAXREPEAT and [item[0] for item in repetition[2]] == [codes.ANY]


def _refers(tree: Any) -> bool:
    return any(code in (codes.GROUPREF, codes.GROUPREF_EXISTS) for items in sequences(tree) for code, _ in items)


def _stays_in_line(tree: Any, piece: list[Any]) -> bool:
    """Whether `.` could take all that it takes or looks at, as far as can be told simply."""
    newline_counts = not tree.state.flags & re.DOTALL
    for items in sequences(piece):
        for code, value in items:
            if code is codes.SUBPATTERN and value[1] | value[2]:  # flags of its own
                return False
            if code in LOOKS and is_open(value[1]):
                return False
            if newline_counts and code in (codes.LITERAL, codes.NOT_LITERAL, codes.IN):
                one = compiler.compile(_sequence(tree, [(code, value)]), tree.state.flags)
                if one.match("\n"):
                    return False
    return True


def _ends_first(tree: Any, piece: list[Any]) -> bool:
    """Whether the match that begins first is none that ends after another."""
    least, most = _sequence(tree, piece).getwidth()
    if least == most:
        return True
    words = _words(tree, piece)
    return words is not None and not any(
        _is_in(one, other[:-1]) for one in words for other in words if other is not one
    )


_Word = tuple[str, ...]


def _words(tree: Any, items: Iterable[Any]) -> list[_Word] | None:
    """All texts that are matched, where they are few and made of letters alone; in lower case if that is ignored."""
    parts: list[list[_Word]] = []
    for code, value in items:
        choice: list[_Word] | None
        if code is codes.LITERAL:
            choice = [(chr(value),)]
        elif code is codes.SUBPATTERN and not value[1] | value[2]:
            choice = _words(tree, value[3])
        elif code is codes.BRANCH:
            branches = [_words(tree, branch) for branch in value[1]]
            choice = None if None in branches else [word for branch in branches for word in branch or ()]
        else:
            choice = None
        if choice is None:
            return None
        parts.append(choice)
        if _count(parts) > _MOST_WORDS:
            return None
    words = [tuple(letter for part in parts_of for letter in part) for parts_of in product(*parts)]
    if tree.state.flags & re.IGNORECASE:
        if not all(letter.isascii() for word in words for letter in word):
            return None  # of which some letters are alike without being so in lower case
        words = [tuple(letter.lower() for letter in word) for word in words]
    return words


def _count(parts: list[list[_Word]]) -> int:
    count = 1
    for part in parts:
        count *= len(part)
    return count


def _is_in(word: _Word, other: _Word) -> bool:
    return any(other[start : start + len(word)] == word for start in range(len(other) - len(word) + 1))
