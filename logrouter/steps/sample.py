"""Keep a part of the events, and discard the rest, counted.

    - sample: {keep: 0.05, by: trace_id}
    < {"trace_id": "trace-2", "path": "/cart"}
    > {"trace_id": "trace-2", "path": "/cart", "sample_rate": 0.05}
    < {"trace_id": "trace-3", "path": "/cart"}
    > (discarded)
    < {"path": "/about"}
    > {"path": "/about"}

With `by`, all events that have the same value there stay or go together: in this process and all others, today and
after an update. The value's text (a number as JSON writes it; of a list of fields, their texts with a NUL between two)
is hashed: its BLAKE2b digest of eight bytes, as a big-endian number, divided by 2^64; the event is kept if that is less
than `keep`. So what is kept at 0.01 is also kept at 0.05. An event that has nothing in any of the fields is kept.

Without `by`, each event is decided for itself, evenly: of any run of events nearly that part is kept, with no pattern
that could fall in step with one in the log (the multiples of the golden ratio, started from a hash of the first event).

The rate is written into each kept event that was sampled, so that counts can be corrected: it stands for 1/rate events.
An event that has a rate already, a number up to 1, gets the product.

Let it stand before steps that change events: then those that are left out need not be read whole.

    - sample: {keep: 1, rate_field: kept.of}
    < {"message": "a", "kept": {"of": 0.5}}
    > {"message": "a", "kept": {"of": 0.5}}
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import compress
from typing import ClassVar, Final, Literal

from logrouter.documents import Document, encode_document, encode_value, quoted
from logrouter.errors import Complaints
from logrouter.facts import Facts
from logrouter.references import lookup
from logrouter.steps import DISCARD, Asked, Step, StepConfig
from logrouter.steps._keys import By, Key
from logrouter.steps._paths import put, settable_path

_RANGE: Final = 2**64
_ABOVE_ALL: Final = b"\xff" * 9
"""Greater than all hashes, of 8 bytes."""
_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio, odd: the step whose multiples spread most evenly over the range."""


class SampleConfig(StepConfig, frozen=True, kw_only=True):
    """How much to keep, and which events stay together. A number alone is short for `{keep: …}`."""

    keep: float
    """The part of the events to keep: more than 0, at most 1."""
    by: By | None = None
    """A field, an attribute or a template (`"{client} {path}"`), or a list of these: events that are alike in all of
    them stay or go together. Default: each for itself."""
    rate_field: str = "sample_rate"
    """The field of kept events that `keep` is written into."""


class Sample(Step[SampleConfig]):
    """Keeps a part. Places each event, or its `by`, in a range of 2^64, of which the lower part is kept."""

    Config: ClassVar[type[StepConfig]] = SampleConfig
    short = "keep", str | int | float
    decides: ClassVar[bool] = True
    thins = True

    def __init__(self, config: SampleConfig) -> None:
        super().__init__(config)
        complaints = Complaints()
        with complaints:
            if not 0 < config.keep <= 1:
                raise ValueError(f"keep: expected a part of the events, more than 0 and at most 1, not {config.keep:g}")
        with complaints:
            if config.by is not None:
                self.key = Key.parse(config.by, whole=True)
                self.templates = self.key.templates
        with complaints:
            self._rate_path = settable_path(config.rate_field)
        complaints.conclude()
        self._limit = int(config.keep * _RANGE)
        self._limit_bytes = self._limit.to_bytes(8, "big") if self._limit < _RANGE else _ABOVE_ALL
        self._quoted_name = None if len(self._rate_path) > 1 else quoted(self._rate_path[0])
        self._rate = encode_value(config.keep)
        self._place: int | None = None

    def apply(self, document: Document, facts: Facts) -> Literal["discard"] | None:
        if self.key is None:
            is_kept = self._next_place(document) < self._limit
        else:
            key = self.key.of(document, facts)
            if key is None:
                return None
            is_kept = self._keeps(key)
        if not is_kept:
            return DISCARD
        self._write_rate(document)
        return None

    def thin_out(self, asked: Asked) -> None:
        keys = asked.keys
        if self.key is None:
            places = [self._next_place(asked.document(0)), *(self._next_place({}) for _ in keys[1:])]
            asked.kept[:] = bytes(map(self._limit.__gt__, places))
        else:
            asked.kept[:] = bytes([key is None or self._keeps(key) for key in keys])
        for number in compress(range(len(keys)), asked.kept):
            if self.key is not None and keys[number] is None:
                continue
            if self._quoted_name is None or not asked.add(number, self._quoted_name, self._rate):
                asked.change(number, self._write_rate)

    def _keeps(self, key: str) -> bool:
        return self._hash(key.encode("utf-8", "surrogatepass")) < self._limit_bytes

    def _next_place(self, document: Document) -> int:
        """The next of a sequence that differs between processes, as their first events do."""
        if self._place is None:
            self._place = int.from_bytes(self._hash(encode_document(document)), "big")
        else:
            self._place = (self._place + _GOLDEN) % _RANGE
        return self._place

    def _hash(self, text: bytes) -> bytes:
        return blake2b(text, digest_size=8).digest()

    def _write_rate(self, document: Document) -> None:
        before = lookup(document, self._rate_path)
        rate = self.config.keep
        if isinstance(before, int | float) and not isinstance(before, bool) and 0 < before <= 1:
            rate *= before
        put(document, self._rate_path, rate)
