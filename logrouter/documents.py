"""A JSON payload as a Python dict, and back: the slow way, for an event that must be read or changed whole.

msgspec is the quicker of the fast libraries for both directions and keeps integers of any size exact.
What it refuses and JSON allows (1e400, integers beyond 64 bits on the way out) goes through the standard
library, with numbers that no machine type holds kept as `Decimal`, so that nothing is rounded by passing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

import msgspec

from logrouter.event import Flag

Document = dict[str, Any]
T = TypeVar("T")

_LARGEST: Final = Decimal("1e999999999999999999")
"""What is larger still becomes this."""

decode_plain = msgspec.json.Decoder(Document).decode
"""Parse a JSON object in C alone. Raises one of `NOT_JSON` for what is none, and for numbers that C has no type for."""
decode_shallow = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""The same with the values as they stand there, checked but not parsed: a quarter quicker, with writing them again. It
lets numbers out of range through, and bytes that are not UTF-8."""
NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoders of msgspec raise."""
_encode_sorted = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode
encode_plain = msgspec.json.Encoder(decimal_format="number").encode
"""Write compact JSON in C alone. Raises TypeError also for integers beyond 64 bits."""


def decode_each(decode: Callable[[bytes], T], payloads: Iterable[bytes], instead: T) -> tuple[list[T], list[int]]:
    """Decode all in C, with `instead` for those where it raises; and the places of these.

    An exception costs its microsecond and no more: a `map` goes on with the next, and `extend` keeps what it has got.
    """
    decoded: list[T] = []
    refused: list[int] = []
    rest = map(decode, payloads)
    while True:
        try:
            decoded.extend(rest)
            return decoded, refused
        except NOT_JSON:
            refused.append(len(decoded))
            decoded.append(instead)


def decode_document(payload: bytes) -> Document:
    """Parse a payload flagged JSON.

    Raises ValueError when it is no JSON object (or, as `RecursionError`, nested too deep).
    """
    try:
        return decode_plain(payload)
    except msgspec.ValidationError:  # a number out of range, or no object
        import json

        document = json.loads(
            payload, parse_float=_exact_float, parse_int=_exact_integer, parse_constant=_refuse_constant
        )
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def encode_value(value: Any) -> bytes:
    """Serialise to compact JSON in UTF-8. Raises ValueError where a text holds half a character, which is none."""
    try:
        return encode_plain(value)
    except TypeError:  # an integer beyond 64 bits
        return encode_plain(_with_exact_integers(value))


encode_document: Final[Callable[[Document], bytes]] = encode_value
"""The same for all of an event."""


def encode_sorted(value: Any) -> bytes:
    """The same with the keys of all objects in order, so that what is equal is written in one way."""
    try:
        return _encode_sorted(value)
    except TypeError:
        return _encode_sorted(_with_exact_integers(value))


def decode_text(payload: bytes) -> Document:
    """The document that a text payload stands for; bytes that are not UTF-8 become U+FFFD."""
    return {"message": payload.decode("utf-8", "replace")}


def read_document(payload: bytes, flags: int) -> Document:
    """An event's document. Raises as `decode_document` does."""
    return decode_document(payload) if flags & Flag.JSON else decode_text(payload)


def write_document(document: Document, payload: bytes, flags: int) -> tuple[bytes, int]:
    """Payload and flags of an event whose document has changed. Text stays text while nothing but its message is there.

    Raises ValueError, or TypeError, where something is no JSON.
    """
    if flags & Flag.JSON:
        return encode_document(document), flags
    message = document.get("message")
    if len(document) == 1 and isinstance(message, str) and message and "\n" not in message:
        if message == payload.decode("utf-8", "replace"):
            return payload, flags
        return message.encode(), flags & ~Flag.INVALID_UTF8
    return encode_document(document), flags | Flag.JSON


def quoted(name: str) -> bytes | None:
    """The name of a field in quotes; None for those that JSON may write in several ways without `\\u`."""
    is_plain = name.isascii() and all(letter.isalnum() or letter in "_-." for letter in name)
    return f'"{name}"'.encode() if is_plain else None


def with_field(payload: bytes, name: bytes, value: bytes) -> bytes | None:
    """A JSON object with a field more, spliced in at its end; None where it may have that field already, or has none.

    `name` is `quoted`.
    """
    if name in payload or b"\\u" in payload or b":" not in payload or not payload.endswith(b"}"):
        return None
    return b"%b,%b:%b}" % (payload[:-1], name, value)


class Names:
    """Gives each name once: one that is taken gets a number, so that no value is lost where two names became alike.

    The number is remembered: an event of many such names costs no more than it is long.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def unused(self, name: str) -> str:
        """The name, or `name#2` …, taken from now on."""
        found, number = name, self._numbers.get(name, 1)
        while found in self._taken:
            number += 1
            found = f"{name}#{number}"
        self._numbers[name] = number
        self._taken.add(found)
        return found


def _exact_float(text: str) -> float | Decimal:
    number = float(text)
    if number not in (float("inf"), float("-inf")):
        return number
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of more than 18 digits: not even Decimal holds it
        return _LARGEST.copy_sign(Decimal(number))


def _exact_integer(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # more digits than Python makes an int of (4300)
        return Decimal(text)


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _with_exact_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_exact_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_exact_integers(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return Decimal(value)
    return value
