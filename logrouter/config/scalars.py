"""One scalar to one type. Every function raises ValueError with what was expected.

Where an option's type is known, quotes do not matter: `keep: 7` and `keep: "7"` are the same. So a value that
was substituted, or stands in a variable, is read as one in a file is.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, get_args

from logrouter.config.mistakes import shown
from logrouter.config.nodes import Node, resolve_plain
from logrouter.errors import did_you_mean
from logrouter.values import NUMBER


class ScalarError(ValueError):
    """A scalar is not what was expected, with a hint."""

    def __init__(self, problem: str, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(problem)


def read_bool(node: Node) -> bool:
    """`true` or `false`. Raises ScalarError."""
    value = _resolved(node)
    if isinstance(value, bool):
        return value
    words = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
    word = words.get(str(value).lower())
    raise ScalarError(f"expected true or false, not {shown(node)}", f"write {word}" if word else None)


def read_int(node: Node) -> int:
    """A whole number of any size; `true` is none. Raises ScalarError."""
    value = _resolved(node)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ScalarError(f"expected a whole number, not {shown(node)}")


def read_float(node: Node) -> float:
    """A finite number. Raises ScalarError."""
    value = _resolved(node)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and isfinite(value):
        return float(value)
    raise ScalarError(f"expected a number, not {shown(node)}")


def read_str(node: Node) -> str:
    """Text; a number is taken as it was written."""
    if isinstance(node.value, str):
        return node.value
    if node.is_scalar and node.text and node.value is not None and not isinstance(node.value, bool):
        return node.text
    hint = f'write "{node.text}"' if isinstance(node.value, bool) else None
    raise ScalarError(f"expected text, not {shown(node)}", hint)


def read_literal(node: Node, kind: Any) -> Any:
    """One of a Literal's choices."""
    choices = {str(choice): choice for choice in get_args(kind)}
    text = node.text if node.is_scalar else None
    if text in choices:
        return choices[text]
    names = list(choices)
    expected = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    raise ScalarError(f"expected {expected}, not {shown(node)}", did_you_mean(text, names) if text else None)


def read_parsed(node: Node, kind: Any) -> Any:
    """A type with its own `parse(text)`: Duration, Size, Secret, Rule, Template …"""
    text = node.text if node.is_scalar and node.value is not None else None
    if text is None:
        raise ScalarError(f"expected {_noun(kind)}, not {shown(node)}")
    try:
        return kind.parse(text)
    except ValueError as error:
        if hint := _units_hint(text, kind):
            raise ScalarError(str(error), hint) from None
        raise


_UNITS = {"Duration": ("ms", "s", "m", "h"), "Size": ("B", "KiB", "MiB", "GiB"), "Rate": ("/s", "/m", "/h", "/d")}


def _units_hint(text: str, kind: Any) -> str | None:
    """What to write instead of a bare number: which unit was meant, only the user knows."""
    units = _UNITS.get(kind.__name__, ())
    if not units or not re.fullmatch(NUMBER, text):
        return None
    *others, last = (f"{text}{unit}" for unit in units)
    return f"{text} has no unit: write {', '.join(others)} or {last}"


def _noun(kind: Any) -> str:
    return {
        "Duration": "a duration such as 25s",
        "Size": "a size such as 16MiB",
        "Rate": "a rate such as 100/s",
        "Rule": "a rule such as 'severity >= \"error\"'",
        "Template": 'a template such as "app-{date}"',
        "Pattern": "a regular expression",
        "Condition": "a regular expression",
        "Address": "an address such as 127.0.0.1:9598",
    }.get(kind.__name__, "text")


def _resolved(node: Node) -> Any:
    return resolve_plain(node.value) if isinstance(node.value, str) else node.value
