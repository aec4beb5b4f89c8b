"""logfmt: `key=value key="two words"`, one event a line (https://brandur.org/logfmt).

Nested objects are flattened, their names joined by dots. A value is quoted, as JSON quotes it, where it is
empty or holds a space, `=`, `"`, `\\` or a control character; lists are JSON. In a key such characters become `_`.
Keys that become alike that way are told apart by a number, `http.status#2`. An event without fields is `message=""`:
an empty line would be none, as readers skip those.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from logrouter.documents import Document
from logrouter.formats.events import documents, flat_fields
from logrouter.formats.include import Include
from logrouter.formats.values import compact, without_surrogates

if TYPE_CHECKING:
    from logrouter.batch import Slice

MAX_DEPTH: Final = 15
"""Objects nested deeper than this are written as JSON: nobody greps for a key of so many names."""
_NOTHING: Final = 'message=""'
_NEEDS_QUOTES = re.compile(r'[\s="\\\x00-\x20\x7f-\x9f]')
_BEYOND_JSON = re.compile("[\x7f-\x9f]")
"""Control characters that JSON leaves as they are."""
_encode = msgspec.json.Encoder().encode


def logfmt_lines(part: Slice, include: Include) -> bytes:
    """All events of a slice as lines of logfmt."""
    lines = [_line(document, include) for document in documents(part, include)]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _line(document: Document, include: Include) -> str:
    fields = flat_fields(document, include.reserved, MAX_DEPTH, _key)
    return " ".join([f"{name}={_value(value)}" for name, value in fields.items()]) or _NOTHING


def _key(key: str) -> str:
    return _NEEDS_QUOTES.sub("_", key) or "_"


def _value(value: Any) -> str:
    text = without_surrogates(value) if isinstance(value, str) else compact(value)
    if text and not _NEEDS_QUOTES.search(text):
        return text
    return _BEYOND_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", _encode(text).decode())
