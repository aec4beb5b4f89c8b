r"""Structured messages of klog: `"Sync failed" pod="a/b" retry=3 status={"phase":"Ready"} diff=<⏎⇥line⏎ >`.

(https://github.com/kubernetes/klog, internal/serialize/keyvalues.go: texts and errors are quoted as Go quotes them; of
several lines they stand as they are, each behind a tab; all else is as Go's `%+v` prints it, or as JSON, by version.)
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec

from logrouter.documents import NOT_JSON
from logrouter.parsers._escapes import unescaped
from logrouter.possessive import portable

QUOTED: Final = r'"((?:[^"\\\n]++|\\.)*+)"'
_MESSAGE: Final = re.compile(portable(QUOTED))
_KEY: Final = re.compile(r' ([^\s="]++)=', re.ASCII)
_LINES: Final = re.compile(portable(r"<\n((?:\t[^\n]*+\n)*+) >"))
_PIECE: Final = re.compile(portable(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}" ]'), re.DOTALL)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?(?:e[+-][0-9]{2})?")
_WORDS: Final = {"true": True, "false": False, "<nil>": None, "null": None}


class Pair(NamedTuple):
    """A key and its value, and where that stands."""

    key: str
    """Empty for the message."""
    value: Any
    start: int
    """Of what stands for the value, without its quotation marks."""
    end: int
    is_quoted: bool


def pairs_of(text: str) -> list[Pair] | None:
    """The message and the pairs behind it; None where the text is something else."""
    match = _MESSAGE.match(text)
    if match is None:
        return None
    pairs = [Pair("", unescaped(match[1]), *match.span(1), True)]
    place = match.end()
    while place < len(text):
        key = _KEY.match(text, place)
        if key is None:
            return None
        start = key.end()
        if quoted := _MESSAGE.match(text, start):
            pairs.append(Pair(key[1], unescaped(quoted[1]), *quoted.span(1), True))
            place = quoted.end()
        elif lines := _LINES.match(text, start):
            pairs.append(Pair(key[1], _without_tabs(lines[1]), *lines.span(), False))
            place = lines.end()
        elif (end := _end_of_unquoted(text, start)) is not None:
            pairs.append(Pair(key[1], value_of(text[start:end]), start, end, False))
            place = end
        else:
            return None
    return pairs


def _without_tabs(lines: str) -> str:
    return lines.removeprefix("\t").replace("\n\t", "\n").removesuffix("\n")


def _end_of_unquoted(text: str, start: int) -> int | None:
    """Where a blank ends it outside of brackets; None where brackets or quotation marks are left open."""
    depth = 0
    for match in _PIECE.finditer(text, start):
        piece = match[0]
        if piece == " " and depth == 0:
            return match.start()
        if piece == '"':
            return None
        depth += (piece in "[{") - (piece in "]}")
    return len(text) if depth == 0 else None


def value_of(text: str) -> Any:
    """What is not in quotation marks: a number, a truth, nothing or JSON; else it is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return msgspec.Raw(text.encode())
    if text.startswith(("{", "[")):
        try:
            msgspec.json.decode(text)
        except NOT_JSON:
            return text
        return msgspec.Raw(text.encode())
    return text
