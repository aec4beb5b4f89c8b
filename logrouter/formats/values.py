"""Values as text for people, and what keeps text from driving their terminal."""

from __future__ import annotations

import re
from typing import Any, Final

from logrouter.documents import encode_value

_CONTROLS: Final = (  # compiled when it is first used, as what starts has nothing to escape
    "["
    "\x00-\x08\x0a-\x1f\x7f-\x9f"  # C0 (but for the tab), DEL, C1: colours, titles, cursor, keyboard input
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks: text that reads other than it is
    "\u2028\u2029"  # line and paragraph separators
    "\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible
    "\ud800-\udfff"  # half a character: cannot be written
    "\U000e0000-\U000e007f"  # tags: invisible text
    "]"
)
_SURROGATES: Final = "[\ud800-\udfff]"


def escape_controls(text: str) -> str:
    """The text with every character that could drive a terminal or hide itself written as `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    return re.sub(_CONTROLS, _escaped, text)


def compact(value: Any) -> str:
    """A value as compact JSON."""
    try:
        return encode_value(value).decode()
    except (ValueError, RecursionError):  # half a character somewhere, or nested too deep
        return without_surrogates(value) if isinstance(value, str) else "…"


def without_surrogates(text: str) -> str:
    """The text, with U+FFFD for what stands for half a character and cannot be written."""
    return re.sub(_SURROGATES, "\ufffd", text)


def _escaped(match: re.Match[str]) -> str:
    character = ord(match[0])
    if character < 0x100:
        return {0x0A: "\\n", 0x0D: "\\r"}.get(character, f"\\x{character:02x}")
    return f"\\u{character:04x}" if character < 0x10000 else f"\\U{character:08x}"
