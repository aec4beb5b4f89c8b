"""What structured loggers write behind a message for people to read.

listening on every address addr=:80 tls=false
listening on every address<tab>{"addr": ":80", "tls": false}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from functools import partial
from typing import Any, Final, NamedTuple

from logrouter.documents import decode_document, encode_document
from logrouter.parsers._escapes import unescaped
from logrouter.parsers._shapes import Column
from logrouter.possessive import portable


class Tail(NamedTuple):
    """What stands behind the message of some lines, for the quick way (`_shapes.py`)."""

    expression: str
    """With a group for each value."""
    names: tuple[str, ...]
    """Of the values; none where the value is a JSON object with names of its own."""

    def columns(self, groups: int, taken: Set[str]) -> list[Column]:
        """Its columns, behind so many groups before, whose names are taken."""
        if not self.names:
            return [Column("", partial(_members, taken=taken), may_lack=True, group=groups, part=b"%b")]
        return [Column(name, group=groups + place) for place, name in enumerate(self.names)]


class Trailing(NamedTuple):
    """One way of writing fields."""

    read: Callable[[str], tuple[str, Sequence[tuple[str, Any]]]]
    """Makes the message and the fields of one line."""
    tail_of: Callable[[str], Tail | None]
    """What stands behind the message; None where that is nothing, or only `read` can tell."""
    mark: str
    """A line without these characters has none, and a message of the quick way none of them. As within `[…]`."""


_PAIR: Final = re.compile(
    portable(
        r"(?:(?<! ) ++|\A)([A-Za-z_][\w.\-/]*+)="
        r'(?:"((?:[^"\\]|\\.)*+)"'
        r"|'((?:[^'\\]|\\.)*+)'"  # as Python shows texts
        r"|((?:[\w:]++(?: \{|\()|&?[\[{(])[^\[\](){}]*+[\])}]"  # a list, an object, as Go and Rust show them
        r'|[^ \t\n\r\f\v"]*+))(?= |\Z)'  # blanks of ASCII alone, as the quick way has them
    )
)


_QUICK: Final = {'"': r'"([^"\n\t]*+)"', "": r"""([^\s"'=\[\](){}&]*+)"""}
"""How a value looks in the quick way: in quotation marks, or without them."""


def _pairs(text: str) -> tuple[str, Sequence[tuple[str, Any]]]:
    """As many as stand side by side up to the end."""
    found = _found(text)
    if not found:
        return text, ()
    pairs = []
    for key, double, single, bare in (match.groups() for match in found):
        pairs.append((key, unescaped(double or single or "") if bare is None else bare))
    return text[: found[0].start()], pairs


def _found(text: str) -> list[re.Match[str]]:
    found: list[re.Match[str]] = []
    if "=" not in text:
        return found
    for match in _PAIR.finditer(text):
        if found and match.start() != found[-1].end():
            found = []
        found.append(match)
    return [] if found and text[found[-1].end() :].strip(" ") else found


def _tail_of_pairs(text: str, before: str = "") -> Tail | None:
    """`before`: what stands between the message and its pairs."""
    found = _found(text)
    keys = tuple(match[1] for match in found)
    if not found or len(set(keys)) < len(keys) or not text[: found[0].start()].endswith(before):
        return None
    expression = before
    for match in found:
        mark = text[match.end(1) + 1 : match.end(1) + 2].replace("'", "")
        expression += rf"(?<! ) ++{re.escape(match[1])}=" + _QUICK['"' if mark == '"' else ""]
    return Tail(expression, keys)


def _pairs_of_structlog(text: str) -> tuple[str, Sequence[tuple[str, Any]]]:
    """Before its pairs structlog writes the logger's name, `[app]`, behind a message padded to 30 letters."""
    message, pairs = _pairs(text)
    match = _LOGGER.fullmatch(message)
    return (message[: match.start(1) - 2], [("logger", match[1]), *pairs]) if match else (message, pairs)


_LOGGER: Final = re.compile(r".{30,} \[([\w.-]++)\] *+", re.DOTALL)


def _pairs_of_hclog(text: str) -> tuple[str, Sequence[tuple[str, Any]]]:
    """Between the message and its pairs hclog writes a colon."""
    message, pairs = _pairs(text)
    return (message.removesuffix(":") if pairs else message), pairs


def _object(text: str) -> tuple[str, Sequence[tuple[str, Any]]]:
    """What stands behind the last tab, where that is a JSON object."""
    message, tab, last = text.rpartition("\t")
    if not tab or last[:1] != "{":
        return text, ()
    try:
        return message, list(decode_document(last.encode()).items())
    except (ValueError, RecursionError):
        return text, ()


def _tail_of_object(text: str) -> Tail | None:
    return Tail(r"\t(\{[^\n\t]*+)", ()) if "\t{" in text else None


def _members(text: bytes, taken: Set[str]) -> bytes:
    """The members of an object, each behind a comma. Raises ValueError where only the careful way can name them."""
    try:
        document = decode_document(text)
    except RecursionError as error:
        raise ValueError from error
    if not taken.isdisjoint(document):
        raise ValueError
    return b"," + encode_document(document)[1:-1] if document else b""


PAIRS: Final = Trailing(_pairs, _tail_of_pairs, "=")
PAIRS_OF_HCLOG: Final = Trailing(_pairs_of_hclog, partial(_tail_of_pairs, before=":"), "=")
PAIRS_OF_STRUCTLOG: Final = Trailing(_pairs_of_structlog, _tail_of_pairs, r"=\]")
OBJECT: Final = Trailing(_object, _tail_of_object, r"\t")
