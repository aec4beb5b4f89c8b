"""logfmt: `key=value key="two words"`, one event a line (https://brandur.org/logfmt).

Nested objects are flattened, their names joined by dots. A value is quoted, as JSON quotes it, where it is
empty or holds a space, `=`, `"`, `\\` or a control character; lists are JSON. In a key such characters become `_`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from logrouter.documents import Document
from logrouter.formats.events import documents
from logrouter.formats.include import Include
from logrouter.formats.values import compact, without_surrogates

if TYPE_CHECKING:
    from logrouter.sinks import Slice

MAX_DEPTH = 16
"""Objects nested deeper than this are written as JSON: nobody greps for a key of so many names."""
_NEEDS_QUOTES = re.compile(r'[\s="\\\x00-\x20\x7f-\x9f]')
_BEYOND_JSON = re.compile("[\x7f-\x9f]")
"""Control characters that JSON leaves as they are."""
_encode = msgspec.json.Encoder().encode


def logfmt_lines(part: Slice, include: Include) -> bytes:
    """All events of a slice as lines of logfmt."""
    lines = [" ".join(_pairs(document, "", MAX_DEPTH)) for document in documents(part, include)]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _pairs(document: Document, prefix: str, depth: int) -> Iterator[str]:
    for key, value in document.items():
        name = prefix + (_NEEDS_QUOTES.sub("_", key) or "_")
        if isinstance(value, dict) and value and depth > 1:
            yield from _pairs(value, f"{name}.", depth - 1)
        else:
            yield f"{name}={_value(value)}"


def _value(value: Any) -> str:
    text = without_surrogates(value) if isinstance(value, str) else compact(value)
    if text and not _NEEDS_QUOTES.search(text):
        return text
    return _BEYOND_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", _encode(text).decode())
