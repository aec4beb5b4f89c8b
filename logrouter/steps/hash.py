"""Put a hash in the place of a field, or write one of several fields: to anonymise, to group, to spread.

    - hash: {fields: [user, client.ip], key: only an example}
    < {"user": "ann@example.com", "client": {"ip": "10.1.2.3"}}
    > {"user": "957351694484d82b67a3", "client": {"ip": "c5d7c838cb5d997d43f8"}}

Equal values have the same hash: here, in other processes, and after updates. So what a user did can still be counted
and followed. With a key nobody who has not got it can find out which value it was by trying; without one anybody can
try e-mail addresses, telephone numbers and the like, and `check` says so. The hash is that of `redact` with `hash`:
HMAC-SHA-256, in hexadecimal, of a string's UTF-8 or another value's compact JSON; without a key SHA-256.

With `into` one hash of all the fields together is written there, and they stay: a fingerprint of what is the same, or,
with `buckets`, a number below that for each, which spreads events evenly over partitions and shards.

    - hash: {fields: [service, error.type], into: fingerprint, digits: 8}
    < {"service": "cart", "error": {"type": "KeyError"}}
    > {"service": "cart", "error": {"type": "KeyError"}, "fingerprint": "3dfe0440"}

A tenant's events, say, all go to one of sixteen:

    - hash: {fields: [tenant], into: partition, buckets: 16}
    < {"tenant": "acme"}
    > {"tenant": "acme", "partition": 8}

What is hashed of several fields is the compact JSON of the list of their values, null for one that is missing. An
event that has none of the fields is left alone. A list is short for `{fields: [...]}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from logrouter.documents import Document, encode_value
from logrouter.errors import Complaints, refuse
from logrouter.facts import Facts
from logrouter.references import MISSING, lookup, parent_and_key
from logrouter.steps import Step, StepConfig
from logrouter.steps._hashing import DIGITS, digest_by, text_of, warnings_of
from logrouter.steps._paths import check_apart, field_paths, put, settable_path
from logrouter.values import Secret

_MOST_DIGITS: Final = 64
_FEWEST_DIGITS: Final = 4


class HashConfig(StepConfig, frozen=True, kw_only=True):
    """A list is short for `{fields: [...]}`."""

    fields: tuple[str, ...]
    """The fields to hash."""
    key: Secret | None = None
    """The key of the hashes, best kept in a file. Default: none."""
    into: str | None = None
    """A field for one hash of all the fields. Default: each is replaced by a hash of its own."""
    digits: int = DIGITS
    """How many hexadecimal digits are written, 4 to 64. Two values out of n have the same hash with a probability of
    about n² / 2 / 16^digits."""
    buckets: int | None = None
    """Instead of digits, a whole number from 0 up to, but not including, this."""


class Hash(Step[HashConfig]):
    """Hashes fields, each for itself or all together."""

    Config: ClassVar[type[StepConfig]] = HashConfig
    short = "fields", list | str

    def __init__(self, config: HashConfig) -> None:
        super().__init__(config)
        complaints = Complaints()
        with complaints:
            refuse(_problems(config))
        with complaints:
            self._paths = field_paths(config.fields, "hashed")
            check_apart(self._paths if config.into is None else ())
        with complaints:
            self._into = None if config.into is None else settable_path(config.into)
        complaints.conclude()
        self._digest = digest_by(config.key)

    @classmethod
    def warnings(cls, config: HashConfig) -> list[str]:
        """What is not wrong but may not be meant, for `logrouter check`."""
        if config.key is None and config.into is None:
            return ["without a key anybody can find out by trying which values were hashed"]
        return warnings_of(config.key)

    def apply(self, document: Document, facts: Facts) -> None:
        if self._into is None:
            for path in self._paths:
                if (place := parent_and_key(document, path)) is not None:
                    place[0][place[1]] = self._hash(text_of(place[0][place[1]]))
            return
        values = [lookup(document, path) for path in self._paths]
        if all(value is MISSING for value in values):
            return
        if len(values) == 1:
            text = text_of(values[0])
        else:
            text = encode_value([None if value is MISSING else value for value in values])
        put(document, self._into, self._hash(text))

    def _hash(self, text: bytes) -> str | int:
        digest = self._digest(text)
        if self.config.buckets is not None:
            return int.from_bytes(digest[:8], "big") * self.config.buckets >> 64
        return digest.hex()[: self.config.digits]


def _problems(config: HashConfig) -> Iterator[str]:
    if not config.fields:
        yield "expected at least one field to hash"
    if config.key is not None and not config.key.reveal():
        yield "key: expected some text"
    if not _FEWEST_DIGITS <= config.digits <= _MOST_DIGITS:
        yield f"digits: expected {_FEWEST_DIGITS} to {_MOST_DIGITS}, not {config.digits}"
    if config.buckets is not None and not 2 <= config.buckets <= 2**32:
        yield f"buckets: expected 2 or more, not {config.buckets}"
