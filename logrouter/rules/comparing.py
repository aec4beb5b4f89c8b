"""The code of comparisons with literals: the quickest text that means what `semantics` says, and never raises.

One operator of Python's is enough where nothing of another kind is equal to the literal; a guard by class stands
before an order and before a set, which is quicker than a tuple from three elements on (60 ns for 90 where the value
is a number, 35 for 130 where it is missing). Code of more than one part is a call, and must not be written twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from logrouter.references import MISSING
from logrouter.rules import semantics
from logrouter.rules.code import Code, Constant, call, joined, literal

ORDERS: Final = {"<": semantics.below, "<=": semantics.at_most, ">": semantics.above, ">=": semantics.at_least}
FEW: Final = 2
"""Up to so many texts a tuple is as quick as a set, and shorter."""

_IS_NUMBER: Final = joined(".__class__ in ", Constant(semantics.NUMBERS))


def negated(code: Code) -> Code:
    """True where the condition is false."""
    return joined("(not ", code, ")")


def all_of(conditions: Sequence[Code]) -> Code:
    """True where all conditions are; the first that is false ends the asking."""
    return _chained(conditions, " and ")


def any_of(conditions: Sequence[Code]) -> Code:
    """True where one of the conditions is."""
    return _chained(conditions, " or ")


def _chained(conditions: Sequence[Code], word: str) -> Code:
    if len(conditions) == 1:
        return conditions[0]
    rest = (part for condition in conditions[1:] for part in (word, condition))
    return joined("(", conditions[0], *rest, ")")


def is_boolean_like(value: Any) -> bool:
    """Whether Python takes True or False for equal to it: 0, 1 and themselves."""
    return isinstance(value, int | float) and value in (0, 1)


def equal(code: Code, value: Any) -> Code:
    """Whether a value is equal to a literal, as `semantics.same` says."""
    if value is None or isinstance(value, bool):
        return joined("(", code, " is ", literal(value), ")")
    if not is_boolean_like(value):
        return joined("(", code, " == ", literal(value), ")")
    if len(code) > 1:
        return call(semantics.same, code, literal(value))
    return joined("(", code, " == ", literal(value), " and ", code, f" is not {value == 1})")


def ordered(code: Code, sign: str, value: str | float) -> Code:
    """Whether a value stands on this side of a literal: `sign` is one of `ORDERS`."""
    if len(code) > 1:
        return call(ORDERS[sign], code, literal(value))
    guard = joined(".__class__ is str") if isinstance(value, str) else _IS_NUMBER
    return joined("(", code, guard, " and ", code, f" {sign} ", literal(value), ")")


def between(code: Code, low: str | float, high: str | float) -> Code:
    """For code of one part; the bounds are of one kind."""
    guard = joined(".__class__ is str") if isinstance(low, str) else _IS_NUMBER
    return joined("(", code, guard, " and ", literal(low), " <= ", code, " <= ", literal(high), ")")


def on_scale(code: Code, sign: str, number: int) -> Code:
    """Severity and time are ints, or MISSING, which is equal to no int and has no order."""
    if sign == "==":
        return joined("(", code, f" == {number})")
    return joined("(", code, " is not ", Constant(MISSING), " and ", code, f" {sign} {number})")


def one_of_numbers(code: Code, numbers: Sequence[int]) -> Code:
    """Whether a value on a scale is among these numbers."""
    return joined("(", code, f" in {tuple(numbers)!r})")


def one_of(code: Code, values: Sequence[Any]) -> Code:
    """One test for each kind: `in` alone would take True for 1, and a set is no place for a list."""
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) == len(values) and (len(code) > 1 or len(texts) <= FEW):
        return joined("(", code, f" in {tuple(texts)!r})")
    if len(code) > 1:
        return call(semantics.one_of, code, joined(Constant(tuple(values))))
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    tests = []
    if texts:
        tests.append(joined("(", code, ".__class__ is str and ", code, " in ", Constant(frozenset(texts)), ")"))
    if numbers:
        tests.append(joined("(", code, _IS_NUMBER, " and ", code, " in ", Constant(frozenset(numbers)), ")"))
    tests += [equal(code, word) for word in (True, False, None) if any(value is word for value in values)]
    return any_of(tests)


def holds(container: Code, item: Any) -> Code:
    """Whether a text contains a part, or a list an element, as `semantics.holds` says."""
    general = call(semantics.holds, container, literal(item))
    if not isinstance(item, str) or len(container) > 1:
        return general
    part = joined(literal(item), " in ", container)
    return joined("(", part, " if ", container, ".__class__ is str else ", general, ")")
