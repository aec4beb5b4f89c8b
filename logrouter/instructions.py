"""What a sink can ask for (instructions), what it hears (replies), and what it says in the end (outcomes).

instruction   done by             reply
Append        transport files     None
Write         transport stream    None
Request       transport http      Response; DestinationError is raised where none came
Seal          the spool           None, once it is written down
ReadFile      the delivery        bytes; None where there is no such file
Keep          transport state     None
Now           the delivery        nanoseconds since 1970
Pause         the delivery        None, once others have had their turn
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from logrouter.batch import Memory
from logrouter.cursors import Place


class Append(msgspec.Struct):
    """Append whole lines to a file."""

    path: str
    data: bytes
    of: int = 1
    """How many such instructions the batch makes."""
    written: int = 0
    """How much a failed try has already written, so that the next goes on there: bytes of `packed` if there is one."""
    packed: bytes | None = None
    """`data` as the transport has compressed it, kept so that another try writes the same."""
    sealed: Place | None = None
    """Where the transport has said that it will stand."""


class Write(msgspec.Struct):
    """Write to this process's stdout or stderr."""

    data: bytes
    written: int = 0


ContentCoding = Literal["none", "gzip", "zstd", "snappy"]
"""How a body is compressed on the way: RFC 9110 §8.4. `snappy`: one raw block, of which no header tells."""


class Request(msgspec.Struct):
    """An HTTP request. Whatever is answered is a reply; only where nothing is, DestinationError is raised."""

    method: str
    target: str
    """Path and query, from the endpoint's URL on; or a whole URL."""
    body: bytes = b""
    """As it is before `coding`."""
    headers: tuple[tuple[str, str], ...] = ()
    """Beside those of the endpoint, and before them where both have one of the same name."""
    coding: ContentCoding = "none"
    level: int | None = None
    """How hard to compress. None: as the library does."""
    pieces: Sequence[bytes] = ()
    """The rest of the body: megabytes need not be copied into one, which would hold all others up."""
    direct: bool = False
    """Whether it goes to a service of this machine itself (credentials of a cloud): past any proxy, and not waited for
    longer than a second or two, as most machines have none."""
    repeatable: bool = False
    """Whether the destination tells what it has already, so that a POST may be sent once more where a kept connection
    was closed in that very moment. Other methods say so themselves: RFC 9110 §9.2.2."""
    sent_bytes: int = 0
    """How long the body was on the way: set by the transport."""

    @property
    def whole_body(self) -> bytes:
        """The body with its pieces, as it is before `coding`."""
        return b"".join((self.body, *self.pieces))


class Response(msgspec.Struct, frozen=True):
    """What an HTTP server has answered."""

    status: int
    headers: Mapping[str, str] = {}
    """By lower-case name."""
    body: bytes = b""
    """As it is after any coding; at most the first megabytes of it."""
    retry_after_seconds: float | None = None
    """What `Retry-After` asks for: RFC 9110 §10.2.3."""


class Seal(msgspec.Struct):
    """Write down for the batch what must be known when it is sent again, after a crash or a `Retry` (`Batch.memo`)."""

    memo: Memory


class ReadFile(msgspec.Struct):
    """Read a small file, such as a token that is renewed while we run. None is the reply where there is no such file;
    DestinationError is raised where it cannot be read."""

    path: str


class Keep(msgspec.Struct, eq=False):
    """Keep what the sink has made of all events so far (`Sink.state_path`): on the disk before they are settled."""

    encode: Callable[[], bytes]
    """What is to be kept, as it is when it is written."""
    told: Callable[[], bytes]
    """What this batch has added, for people: one line each."""

    def __eq__(self, other: object) -> bool:
        return self.encode() == other.encode() if isinstance(other, Keep) else NotImplemented


class Now(msgspec.Struct):
    """Tell the time."""


class Pause(msgspec.Struct):
    """Let others have their turn: between pieces of work of some milliseconds."""


Instruction = Append | Write | Request | Seal | ReadFile | Keep | Now | Pause


class Delivered(msgspec.Struct, frozen=True):
    """It is at the destination."""

    duplicates: int = 0
    """How many of the events had been there before."""
    carried: Memory | None = None
    """What is left open at the destination for batches to come: kept with the cursor."""
    doubts: int = 0
    """How many of the events may be there twice, as nobody can tell."""
    lost: int = 0
    """How many events of batches before, told to be delivered and left open, the destination has lost since."""


class Retry(msgspec.Struct, frozen=True):
    """Nothing of it was taken now; send it again, after so many seconds where the destination said so."""

    reason: str
    after_seconds: float | None = None
    congested: bool = False
    """Whether the destination has said that it gets too much at once (429, 503)."""


class Rejected(msgspec.Struct, frozen=True):
    """The destination will never take it as it is: a dead letter."""

    reason: str
    """Of a few words, always the same ones for the same: metrics count by it."""
    detail: str = ""
    """What the destination has said of it."""


class Halve(msgspec.Struct, frozen=True):
    """It is too large, or something in it is refused: send each half of it alone. A single event is Rejected."""

    reason: str
    detail: str = ""


EventOutcome = Delivered | Retry | Rejected
Outcome = EventOutcome | Halve | Sequence[EventOutcome]
"""Of the whole batch; or of each of its events, in their order."""
