"""What structured loggers write behind a message for people to read.

listening on every address addr=:80 tls=false
listening on every address<tab>{"addr": ":80", "tls": false}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from logrouter.documents import decode_document
from logrouter.parsers._escapes import unescaped


class Trailing(NamedTuple):
    """One way of writing fields."""

    read: Callable[[str], tuple[str, Sequence[tuple[str, Any]]]]
    """Makes the message and the fields of one line."""
    mark: str
    """A line without these characters has none. As within `[…]`."""


_PAIR: Final = re.compile(
    r"(?:(?<! ) ++|\A)([A-Za-z_][\w.\-/]*+)="
    r'(?:"((?:[^"\\]|\\.)*+)"'
    r"|'((?:[^'\\]|\\.)*+)'"  # as Python shows texts
    r"|((?:[\w:]++(?: \{|\()|[\[{(&])[^\[\](){}]*+[\])}]"  # a list, an object, as Go and Rust show them
    r'|[^\s"]*+))(?= |\Z)'
)


def _pairs(text: str) -> tuple[str, Sequence[tuple[str, Any]]]:
    """As many as stand side by side up to the end."""
    start = end = 0
    pairs: list[tuple[str, str]] = []
    if "=" in text:
        for match in _PAIR.finditer(text):
            if match.start() != end or not pairs:
                start, pairs = match.start(), []
            key, double, single, bare = match.groups()
            pairs.append((key, unescaped(double or single or "") if bare is None else bare))
            end = match.end()
    return (text[:start], pairs) if pairs and not text[end:].strip(" ") else (text, ())


def _object(text: str) -> tuple[str, Sequence[tuple[str, Any]]]:
    """What stands behind the last tab, where that is a JSON object."""
    message, tab, last = text.rpartition("\t")
    if not tab or last[:1] != "{":
        return text, ()
    try:
        return message, list(decode_document(last.encode()).items())
    except (ValueError, RecursionError):
        return text, ()


def _pairs_of_structlog(text: str) -> tuple[str, Sequence[tuple[str, Any]]]:
    """Before its pairs structlog writes the logger's name, `[app]`, behind a message padded to 30 letters."""
    message, pairs = _pairs(text)
    match = _LOGGER.fullmatch(message)
    return (message[: match.start(1) - 2], [("logger", match[1]), *pairs]) if match else (message, pairs)


_LOGGER: Final = re.compile(r".{30,} \[([\w.-]++)\] *+", re.DOTALL)
PAIRS: Final = Trailing(_pairs, "=")
PAIRS_OF_STRUCTLOG: Final = Trailing(_pairs_of_structlog, r"=\]")
OBJECT: Final = Trailing(_object, r"\t")
