"""What comparing two values of an event means, where Python would mean something else or raise.

A value is of one kind: string, number, boolean, null, list or object. Values of unlike kinds are never
equal and have no order; True is not 1; a list or an object is like nothing, not even itself; and what is
MISSING is not equal to anything. Python's own operators are used wherever they give just that: these
functions are for where they do not.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from logrouter.references import MISSING

NUMBERS: Final = frozenset({int, float, Decimal})
"""bool is not among them: it is a class of its own here."""
_SCALARS: Final = NUMBERS | {str, bool, type(None)}


def same(left: Any, right: Any) -> bool:
    """Whether two values are of one kind and equal."""
    if left.__class__ is right.__class__:
        return left.__class__ in _SCALARS and bool(left == right)
    return left.__class__ in NUMBERS and right.__class__ in NUMBERS and bool(left == right)


def holds(container: Any, item: Any) -> bool:
    """`item in container`: a part of a string, or an element of a list."""
    if container.__class__ is str:
        return item.__class__ is str and item in container
    return container.__class__ is list and any(same(item, element) for element in container)


def holds_any(container: Any, items: Iterable[Any]) -> bool:
    """Whether the container holds one of the items, as `holds` says."""
    return any(holds(container, item) for item in items)


def one_of(value: Any, items: Iterable[Any]) -> bool:
    """Whether the value is the same as one of the items."""
    return any(same(value, item) for item in items)


def between(value: Any, low: Any, high: Any) -> bool:
    """Whether the value is neither below `low` nor above `high`."""
    return at_most(low, value) and at_most(value, high)


def _ordered(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if left.__class__ is str:
            return right.__class__ is str and bool(compare(left, right))
        return left.__class__ in NUMBERS and right.__class__ in NUMBERS and bool(compare(left, right))

    return ordered


below: Final = _ordered(operator.lt)
at_most: Final = _ordered(operator.le)
above: Final = _ordered(operator.gt)
at_least: Final = _ordered(operator.ge)


def if_string(value: Any, test: Callable[[str], bool]) -> bool:
    """The test of a text; False for what is none."""
    return value.__class__ is str and test(value)


def lower(value: Any) -> Any:
    """A text in lower case; MISSING for what is none."""
    return value.lower() if value.__class__ is str else MISSING


def upper(value: Any) -> Any:
    """A text in upper case; MISSING for what is none."""
    return value.upper() if value.__class__ is str else MISSING


def length(value: Any) -> Any:
    """Of a text in characters, of a list in elements; else MISSING."""
    return len(value) if value.__class__ is str or value.__class__ is list else MISSING


@lru_cache(maxsize=4096)
def _address(text: str) -> Any:
    from ipaddress import IPv6Address, ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 client of an IPv6 socket is written ::ffff:10.0.0.1, and is meant by 10.0.0.0/8.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


_LONGEST_ADDRESS = 64
"""Longer text is no address, and not worth remembering."""


def in_networks(value: Any, networks: Iterable[Any]) -> bool:
    """Whether a string is an address in one of the networks (`ipaddress` objects)."""
    if value.__class__ is not str or len(value) > _LONGEST_ADDRESS:
        return False
    address = _address(value)
    return address is not None and any(address in network for network in networks)
