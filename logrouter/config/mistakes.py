"""Collects what is wrong, so that the user hears of all of it at once."""

from __future__ import annotations

import re

from logrouter.config.nodes import Node, Origin
from logrouter.errors import ExpressionError, Mistake

_LONGEST_PROBLEM = 400
_MOST_SHOWN = 100
"""A config with more mistakes than this is not a config; the rest is counted."""
_EXCERPT_WIDTH = 100
_LINE_AND_COLUMN = r"(?s)(.*):(\d+):(\d+)"


class Mistakes:
    """All mistakes found so far."""

    def __init__(self) -> None:
        self._found: dict[Mistake, None] = {}

    def __len__(self) -> int:
        return len(self._found)

    @property
    def found(self) -> list[Mistake]:
        """Each once, in the order of finding."""
        return list(self._found)

    def add(self, origin: Origin | str, problem: str, hint: str | None = None, excerpt: str | None = None) -> None:
        """Add one that is not about a value: `origin` or the name of a place, and a sentence without a full stop.

        Of a value that has a reference nobody could fill in nothing more is told.
        """
        if isinstance(origin, Origin) and origin.unfilled:
            return
        place = origin if isinstance(origin, str) else origin.place
        mistake = Mistake(printable(place), printable(shorten(problem)), hint, excerpt)
        self._found[mistake] = None

    def add_expression(self, node: Node, where: str, error: ExpressionError) -> None:
        """A rule or template is wrong at a character, which is shown."""
        if node.origin.unfilled:
            return
        place = node.origin.place_at(error.text, error.column)
        hint = _CUT_SHORT if error.unfinished and node.ends_at_comment else error.hint
        self.add(place, f"{where}: {error.problem}", hint, excerpt(error.text, error.column))

    def add_value(self, node: Node, where: str, error: ValueError, hint: str | None = None) -> None:
        """A value is not what was expected."""
        if isinstance(error, ExpressionError):
            self.add_expression(node, where, error)
        else:
            self.add(node.origin, f"{where}: {error}", hint)

    def sorted(self) -> list[Mistake]:
        """By place: documents in the order in which they came up, each from top to bottom."""
        order: dict[str, int] = {}

        def key(mistake: Mistake) -> tuple[int, int, int]:
            match = re.fullmatch(_LINE_AND_COLUMN, mistake.place)
            name, line, column = match.groups() if match else (mistake.place, "0", "0")
            return order.setdefault(name, len(order)), int(line), int(column)

        ordered = sorted(self.found, key=key)
        if len(ordered) <= _MOST_SHOWN:
            return ordered
        rest = len(ordered) - _MOST_SHOWN
        return [*ordered[:_MOST_SHOWN], Mistake("config", f"and {rest} more mistakes, not shown")]


_CUT_SHORT = "in YAML, ` #` starts a comment: put the rule in quotes, or after `>-`"


def excerpt(text: str, column: int) -> str:
    """The line of `text` that holds the character, and a caret under it."""
    start = text.rfind("\n", 0, column) + 1
    end = text.find("\n", column)
    line, column = text[start : end if end >= 0 else len(text)], column - start
    cut = max(0, column - _EXCERPT_WIDTH // 2)
    shown = "".join(
        character if character.isprintable() else "\ufffd" for character in line[cut : cut + _EXCERPT_WIDTH]
    )
    return f"{shown}\n{' ' * (column - cut)}^"


def shorten(text: str) -> str:
    """The text, cut where nobody would read on."""
    return text if len(text) <= _LONGEST_PROBLEM else text[:_LONGEST_PROBLEM] + "…"


def printable(text: str) -> str:
    """Escape what could drive a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shown(node: Node) -> str:
    """What a node is, for "expected …, not …"."""
    if node.secret:
        return "a value that is kept secret"
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    if node.value is None:
        return "nothing"
    text = node.text if node.text is not None else str(node.value)
    return repr(text) if len(text) <= 60 else repr(text[:60] + "…")
