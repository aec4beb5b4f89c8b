"""Bodies of Elasticsearch's bulk API: for each event a line that says what to do with it, and the event.

    {"create":{"_index":"app-2026-11-29","_id":"nUxfvJ-WPqA1f4"}}
    {"@timestamp":"2026-11-29T16:45:33.120Z","level":"info","message":"ready"}

https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk

An event's id is made of its epoch and sequence, so that it is the same whenever it is sent, and no other event has it:
8 bytes in base64url and the sequence in hexadecimal digits. Ids that begin alike and rise are also those that
Lucene finds quickest.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal

import msgspec

from logrouter import times
from logrouter.facts import Facts
from logrouter.templates import MISSING_TEXT, Template

NAME_BYTES: Final = 255
"""What Elasticsearch takes for the name of an index."""
ID_BYTES: Final = 512
"""What Elasticsearch takes for an id. One that is longer has the whole request refused."""

NAMING: Final = 'names are in lower case, without space \\ / * ? " < > | , # : and begin with none of - _ + .'

MISSING_IN_ID: Final = "\0"
"""What stands in an id for what the event does not have."""

Operation = Literal["create", "index"]
Texts = Sequence[str] | str
"""One for each event, or one for all."""

_ILLEGAL_IN_NAME = re.compile('[\\\\/*?"<>|,#:\x00-\x20\x7f\ud800-\udfff]')
_encode_text = msgspec.json.Encoder().encode


@lru_cache(maxsize=1024)
def legal_index(text: str) -> str:
    """The text as the name of an index: lower case, without what no name may hold, at most 255 bytes.

    No event chooses an index of the system, whose name begins with a dot.
    """
    name = _ILLEGAL_IN_NAME.sub("_", text.lower()).lstrip("-_+.")
    kept = name.encode()[:NAME_BYTES].decode("utf-8", "ignore")  # a character that was cut goes
    return kept or MISSING_TEXT


def legal_indices(texts: Sequence[str] | str) -> Sequence[str] | str:
    """A text for each event, or one for all, as names of indices."""
    return legal_index(texts) if isinstance(texts, str) else list(map(legal_index, texts))


class DatedIndices:
    """Names of indices that depend on nothing but the event's date: made once a day, and not asked of routing."""

    def __init__(self, index: Template, holds_seconds: int) -> None:
        self._length = _LENGTHS[holds_seconds]
        self._name = lru_cache(maxsize=1024)(
            lambda stamp: legal_index(index.render({}, Facts({}, times.parse(stamp) or 0, {})))
        )

    def __call__(self, stamps: Sequence[str]) -> Texts:
        """The name for each of these times, or one for all. Events of a slice are nearly always of one day."""
        first, last = min(stamps), max(stamps)
        if first[: self._length] == last[: self._length] and first[:1].isdigit():
            return self._name(f"{first[: self._length]}{_BEGINNING[self._length :]}")
        return [self._name(stamp) for stamp in stamps]


_BEGINNING: Final = "0000-01-01T00:00:00Z"
_LENGTHS: Final = {86_400: 10, 3600: 13, 60: 16, 1: 19}
"""How many letters of an RFC 3339 time tell what holds for so many seconds."""


def action_lines(
    operation: Operation, epoch: int, sequences: Sequence[int], indices: Texts | None, ids: Texts | Literal[True] | None
) -> list[bytes] | bytes:
    """The line before each event, or before all. `indices`: None where the URL says it. `ids`: True makes them of the
    offsets."""
    if ids is True:
        return _numbered(operation, _id_prefix(epoch), sequences, indices)
    if ids is None and (indices is None or isinstance(indices, str)):
        return _plain_action(operation, indices)
    names = _each(indices, len(sequences))
    if ids is None:
        return [_plain_action(operation, name) for name in names]
    texts = [ids] * len(sequences) if isinstance(ids, str) else ids
    return [
        _opening(operation, name) + b'"_id":' + _id_text(text, epoch, sequence) + b"}}"
        for name, text, sequence in zip(names, texts, sequences, strict=True)
    ]


def _numbered(operation: Operation, prefix: bytes, sequences: Sequence[int], indices: Texts | None) -> list[bytes]:
    """The lines with ids of offsets; those for one index in one go, in C."""
    if indices is None or isinstance(indices, str) or indices.count(indices[0]) == len(indices):
        index = indices if indices is None or isinstance(indices, str) else indices[0]
        if isinstance(sequences, range) and sequences.start > 0xFF:
            return _in_a_row(_opening(operation, index) + b'"_id":"' + prefix, sequences)
        form = _form(operation, index, prefix)
        return (form * len(sequences) % tuple(sequences)).split(b"\n")[:-1]
    pairs = zip(indices, sequences, strict=True)
    return [(_form(operation, name, prefix) % sequence)[:-1] for name, sequence in pairs]


def _in_a_row(beginning: bytes, sequences: range) -> list[bytes]:
    """The lines of events that follow each other. Of 256 only the last two digits differ, of which all are known."""
    lines: list[bytes] = []
    start = sequences.start
    while start < sequences.stop:
        end = min(start | 0xFF, sequences.stop - 1)
        lines += map((beginning + b"%x" % (start >> 8)).__add__, _LAST_DIGITS[start & 0xFF : (end & 0xFF) + 1])
        start = end + 1
    return lines


_LAST_DIGITS: Final = [b'%02x"}}' % number for number in range(0x100)]
"""And what follows them."""


@lru_cache(maxsize=1024)
def _form(operation: Operation, index: str | None, prefix: bytes) -> bytes:
    """A line with a place for the sequence."""
    return _opening(operation, index).replace(b"%", b"%%") + b'"_id":"' + prefix + b'%x"}}\n'


@lru_cache(maxsize=1024)
def _plain_action(operation: Operation, index: str | None) -> bytes:
    return _opening(operation, index).rstrip(b",") + b"}}"


@lru_cache(maxsize=1024)
def _opening(operation: Operation, index: str | None) -> bytes:
    named = b"" if index is None else b'"_index":"' + index.encode() + b'",'
    return b'{"' + operation.encode() + b'":{' + named


@lru_cache(maxsize=64)
def _id_prefix(epoch: int) -> bytes:
    return urlsafe_b64encode(epoch.to_bytes(8, "big")).rstrip(b"=")


def _id_text(text: str, epoch: int, sequence: int) -> bytes:
    """An id that the user's template made, as JSON.

    Where a part of it is missing, the event's own id stands for it: all those events would else be taken for one.
    """
    if not text or MISSING_IN_ID in text:
        return b'"%b%x"' % (_id_prefix(epoch), sequence)
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > ID_BYTES:
        return b'"' + blake2b(encoded, digest_size=32).hexdigest().encode() + b'"'
    return _encode_text(encoded.decode())


def _each(indices: Texts | None, count: int) -> Sequence[str | None]:
    return [indices] * count if indices is None or isinstance(indices, str) else indices
