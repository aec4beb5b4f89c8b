"""What a text becomes where the config says that a field is a number or a truth; text that is none stays text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from logrouter.memo import Memo

Type = Literal["text", "int", "float", "bool"]
Cast: TypeAlias = Callable[[str], Any]

_INT: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_TRUTHS: Final[Mapping[str, bool]] = {
    "true": True, "yes": True, "on": True, "1": True, "t": True, "y": True,
    "false": False, "no": False, "off": False, "0": False, "f": False, "n": False,
}  # fmt: skip
"""`t` and `f` are PostgreSQL's."""


def _int(text: str) -> int | str:
    return int(text) if _INT.fullmatch(text) else text


def _float(text: str) -> float | str:
    if _FLOAT.fullmatch(text) is None:
        return text
    number = float(text)
    return number if abs(number) != float("inf") else text


def _bool(text: str) -> bool | str:
    truth = truth_of(text)
    return text if truth is None else truth


def truth_of(text: str) -> bool | None:
    """What a word says, in any case; None where it is neither true nor false."""
    return _TRUTHS.get(text.lower())


CASTS: Final[Mapping[Type, Cast]] = {"text": str, "int": _int, "float": _float, "bool": _bool}


def json_of(cast: Cast) -> Callable[[bytes], bytes]:
    """The same for UTF-8, as JSON."""
    return Memo[bytes, bytes](lambda text: msgspec.json.encode(cast(text.decode())), 1024).__getitem__
