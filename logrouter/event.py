"""Events and the chunks they travel in.

An event is one payload (bytes: a JSON object, or a line of text) and what is known about it. Events
are never handled one by one: a *chunk* is a run of events that were read together, and what they share
is stored once. What differs from event to event, and is not in the payload, is one byte of flags each.

    Chunk ── payloads    [b'{"level":"info",…}', b'plain text', …]
          ├─ flags       one byte per event, see `Flag`
          ├─ attributes  {"source": "app", "stream": "stdin", …}, shared by all of them
          ├─ received_ns when they were read, nanoseconds since 1970
          ├─ position    how far the source has been read with them, as `positions.encode` writes it
          ├─ begun       how far it had been read before them
          └─ offset      (epoch, sequence) of the first; the others follow. Given by the spool
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from logrouter.positions import Begun

EVENT_OVERHEAD_BYTES = 60
"""What an event costs in memory beside its payload: a bytes header (33), a list slot (8), flags, class."""

CHUNK_OVERHEAD_BYTES = 900
"""What a chunk costs beside its events: its own objects, what routing found out, its place in the spool."""


def parts(payloads: Sequence[bytes], limit_bytes: int) -> Iterator[slice]:
    """Where to cut events into runs that cost at most so much in memory, or are a single one."""
    costs = list(accumulate((len(payload) + EVENT_OVERHEAD_BYTES for payload in payloads), initial=0))
    start = 0
    while start < len(payloads):
        stop = max(start + 1, bisect_right(costs, costs[start] + limit_bytes) - 1)
        yield slice(start, stop)
        start = stop


Attributes = Mapping[str, str | int | bool]
"""What is known of all events in a chunk (`meta.…` in rules). Never changed once made: chunks share it."""


class Flag:
    """What is known of one event: one byte, kept beside its payload. Plain ints: `enum` takes a microsecond for `&`."""

    JSON: Final = 1
    """The payload is a JSON object, in valid UTF-8. Otherwise it is text."""
    INVALID_UTF8: Final = 2
    """A text payload holds bytes that are not UTF-8; JSON output carries U+FFFD in their place."""
    PARTIAL_START: Final = 4
    PARTIAL_END: Final = 8
    PARTIAL_MIDDLE: Final = 12
    """A line over `max_line`, in pieces: the first, the last, and (both bits) those between."""
    PARSE_ERROR: Final = 16
    """The parser that the config names did not take this line."""
    STEP_FAILED: Final = 32
    """A step could not be done on this event, which was passed on as it was."""
    NOTICE: Final = 64
    """Written by logrouter itself into a sink's stream: so many events are missing here, and why."""


PLAIN: Final = bytes((0, Flag.JSON))
"""The flags of events about which there is nothing to say but whether they are JSON."""


class Offset(NamedTuple):
    """Where an event stands in the spool, and its id: never used twice."""

    epoch: int
    """Random, new at every start (64 bits)."""
    sequence: int
    """Counts events from 0 within an epoch."""

    @property
    def name(self) -> str:
        """As text: `9f3c5b7a11d0e264-1042`."""
        return f"{self.epoch:016x}-{self.sequence}"


class Shares(Protocol):
    """How many events of a chunk go where, as routing found out (`routing.Routed`)."""

    def count(self, sink: int) -> int:
        """How many events the sink gets; of one that came later, how many there are."""

    def unmatched(self) -> int:
        """How many events no sink gets."""


class Chunk:
    """A run of events appended together. Immutable once the spool has given it an offset."""

    __slots__ = (
        "attributes", "begun", "flags", "offset", "payload_bytes", "payloads", "position", "received_ns", "routed",
    )  # fmt: skip

    def __init__(
        self,
        payloads: Sequence[bytes],
        flags: bytes,
        attributes: Attributes,
        received_ns: int,
        payload_bytes: int | None = None,
        position: bytes | None = None,
    ) -> None:
        self.payloads = tuple(payloads)
        """A tuple: the garbage collector leaves one alone that it has seen to hold only bytes. Lists of all that waits
        it would walk through again and again, for milliseconds."""
        self.flags = flags
        self.attributes = attributes
        self.received_ns = received_ns
        self.payload_bytes = sum(map(len, payloads)) if payload_bytes is None else payload_bytes
        self.position = position
        self.begun: Begun | None = None
        self.offset = Offset(0, 0)
        self.routed: Shares | None = None

    def __len__(self) -> int:
        return len(self.payloads)

    @property
    def size_bytes(self) -> int:
        """What the chunk costs in memory."""
        return self.payload_bytes + EVENT_OVERHEAD_BYTES * len(self.payloads) + CHUNK_OVERHEAD_BYTES

    @property
    def end(self) -> Offset:
        """The offset just after its last event."""
        return Offset(self.offset.epoch, self.offset.sequence + len(self.payloads))


MARKS: Final = {
    "invalid_utf8": Flag.INVALID_UTF8,
    "partial": Flag.PARTIAL_MIDDLE,
    "parse_error": Flag.PARSE_ERROR,
    "step_failed": Flag.STEP_FAILED,
    "notice": Flag.NOTICE,
}
"""Attributes that single events have (`flag_attributes`), and the bits of which any says so."""

ATTRIBUTES: Final = ("source", "host", "stream", "file", "namespace", "pod", "container", "written", "received", *MARKS)
"""All that `meta.…` can name: what sources know, and the marks. A source has no attribute that is not listed here, so
that a misspelt one is told, and routing can look for events that have such a key themselves."""

PARTIAL_NAMES = {Flag.PARTIAL_START: "start", Flag.PARTIAL_MIDDLE: "middle", Flag.PARTIAL_END: "end"}


def flag_attributes(flags: int) -> dict[str, str | bool]:
    """The flags of one event as attributes, as rules (`meta.partial`) and `include` see them."""
    attributes: dict[str, str | bool] = {}
    if flags & Flag.INVALID_UTF8:
        attributes["invalid_utf8"] = True
    if partial := flags & Flag.PARTIAL_MIDDLE:
        attributes["partial"] = PARTIAL_NAMES[partial]
    if flags & Flag.PARSE_ERROR:
        attributes["parse_error"] = True
    if flags & Flag.STEP_FAILED:
        attributes["step_failed"] = True
    if flags & Flag.NOTICE:
        attributes["notice"] = True
    return attributes
