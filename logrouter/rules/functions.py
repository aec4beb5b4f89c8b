"""The functions that a rule may call: one table, which the documentation is made from.

The first argument is what is asked about: a field, an attribute, or the value of `lower`, `upper` or `len`.
The others are literals, checked and prepared once, when the rule is parsed. No function raises: given what
is missing or of an unlike kind, a test is false and a value is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from logrouter.references import MISSING
from logrouter.rules import comparing, semantics
from logrouter.rules.bounded import Condition
from logrouter.rules.code import Code, Constant, call, joined
from logrouter.rules.code import literal as literal_code
from logrouter.rules.patterns import PatternError


class ArgumentError(ValueError):
    """A literal that a function cannot use: which of the literals, and how far inside its text."""

    def __init__(self, problem: str, index: int, inside: int | None = None, hint: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.index = index
        self.inside = inside
        self.hint = hint


class Function(msgspec.Struct, frozen=True):
    """A row of the table."""

    name: str
    signature: str
    doc: str
    """For users: what it is true for, or what it gives."""
    example: str
    gives: Literal["test", "value"]
    minimum: int
    """Literal arguments after the first, at least."""
    maximum: int
    code: Callable[[Code, list[Any]], Code]
    """From the code of the first argument and the literals to the code of the call."""
    takes: Literal["value", "scale", "reference"] = "value"
    """What the first argument may be: a value, `severity` and `time` as well, or a reference of any kind alone."""


def _exists(value: Code, _literals: list[Any]) -> Code:
    return joined(value, " is not ", Constant(MISSING))


def _matches(value: Code, literals: list[Any]) -> Code:
    try:
        condition = Condition(_string(literals, 0))
    except PatternError as error:
        raise ArgumentError(str(error), 0, error.position, error.hint) from None
    if len(value) > 1:
        return _if_string(value, lambda text: condition.search(text) is not None)
    return joined("(", value, ".__class__ is str and ", Constant(condition.search), "(", value, ") is not None)")


def _affix(method: Literal["startswith", "endswith"]) -> Callable[[Code, list[Any]], Code]:
    def code(value: Code, literals: list[Any]) -> Code:
        affixes = tuple(_string(literals, index) for index in range(len(literals)))
        if len(value) > 1:
            return _if_string(value, lambda text: bool(getattr(text, method)(affixes)))
        shown = repr(affixes[0] if len(affixes) == 1 else affixes)
        return joined("(", value, ".__class__ is str and ", value, f".{method}({shown}))")

    return code


def _contains(value: Code, literals: list[Any]) -> Code:
    if len(value) > 1 or len(literals) > FEW:
        return call(semantics.holds_any, value, joined(Constant(tuple(literals))))
    return comparing.any_of([comparing.holds(value, literal) for literal in literals])


def _between(value: Code, literals: list[Any]) -> Code:
    low, high = literals
    for index, literal in enumerate(literals):
        if literal is None or isinstance(literal, bool):
            raise ArgumentError("between needs numbers or texts", index)
    if isinstance(low, str) is not isinstance(high, str):
        raise ArgumentError("the bounds of between are unlike", 1)
    if low > high:
        raise ArgumentError("between finds nothing: its lower bound is the higher", 0)
    if len(value) > 1:
        return call(semantics.between, value, literal_code(low), literal_code(high))
    return comparing.between(value, low, high)


def _cidr(value: Code, literals: list[Any]) -> Code:
    networks = tuple(_network(_string(literals, index), index) for index in range(len(literals)))
    return call(semantics.in_networks, value, joined(Constant(networks)))


def _network(text: str, index: int) -> Any:
    from ipaddress import ip_network

    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        hint = f"did you mean {ip_network(text, strict=False)}?"
    except ValueError:
        hint = 'such as "10.0.0.0/8" or "2001:db8::/32"'
    raise ArgumentError(f"{text[:60]!r} is no network", index, hint=hint)


def _value_of(function: Callable[[Any], Any]) -> Callable[[Code, list[Any]], Code]:
    return lambda value, _literals: call(function, value)


def _if_string(value: Code, test: Callable[[str], bool]) -> Code:
    """For the value of a call, which the text must not work out twice."""
    return call(semantics.if_string, value, joined(Constant(test)))


def _string(literals: list[Any], index: int) -> str:
    value = literals[index]
    if not isinstance(value, str):
        raise ArgumentError("expected a text in quotes", index)
    return value


MANY: Final = 1_000
FEW: Final = 4
"""So many literals are tested in the text itself."""

FUNCTIONS: Final = {
    function.name: function
    for function in (
        Function(
            "exists", "exists(x)", "`x` is there. Null counts as there.",
            "exists(trace_id)", "test", 0, 0, _exists, takes="reference",
        ),
        Function(
            "matches", "matches(x, pattern)",
            "The regular expression is found in the string `x`, anywhere unless anchored by `^` and `$`.",
            'matches(path, r"^/api/v\\d+/")', "test", 1, 1, _matches,
        ),
        Function(
            "startswith", "startswith(x, text, …)", "The string `x` begins with one of the texts.",
            'startswith(path, "/api/", "/v2/")', "test", 1, MANY, _affix("startswith"),
        ),
        Function(
            "endswith", "endswith(x, text, …)", "The string `x` ends with one of the texts.",
            'endswith(host, ".example.com")', "test", 1, MANY, _affix("endswith"),
        ),
        Function(
            "contains", "contains(x, value, …)",
            "The string `x` has one of the texts in it, or the list `x` one of the values as an element.",
            'contains(message, "timeout", "timed out")', "test", 1, MANY, _contains,
        ),
        Function(
            "between", "between(x, low, high)", "`low <= x <= high`: numbers, strings, `severity` or `time`.",
            "between(http.status, 500, 599)", "test", 2, 2, _between, takes="scale",
        ),
        Function(
            "cidr", "cidr(x, network, …)", "The string `x` is an IP address in one of the networks.",
            'cidr(client, "10.0.0.0/8", "fd00::/8")', "test", 1, MANY, _cidr,
        ),
        Function(
            "lower", "lower(x)", "The string `x` in lower case.",
            'lower(user.name) == "root"', "value", 0, 0, _value_of(semantics.lower),
        ),
        Function(
            "upper", "upper(x)", "The string `x` in upper case.",
            'upper(method) in ("PUT", "POST")', "value", 0, 0, _value_of(semantics.upper),
        ),
        Function(
            "len", "len(x)", "The number of characters of the string `x`, or of elements of the list `x`.",
            "len(message) > 1000", "value", 0, 0, _value_of(semantics.length),
        ),
    )
}  # fmt: skip
"""All functions, in the order of the documentation."""


def function_table() -> str:
    """The table as Markdown, for docs/rules.md."""
    rows = ["| function | is true, or gives | example |", "|---|---|---|"]
    for function in FUNCTIONS.values():
        gives = function.doc if function.gives == "test" else f"Gives {function.doc[0].lower()}{function.doc[1:]}"
        rows.append(f"| `{function.signature}` | {gives} | `{function.example}` |")
    return "\n".join(rows) + "\n"
