"""The contract of a sink: one pure file that says what to do, and a transport that does it.

`send(batch)` is a generator: it yields instructions (`Append`, `Write`, …), receives a reply for each, and
returns what became of the batch. It imports neither trio nor httpx, opens nothing, reads no clock. The shared
loop in `runtime/delivery.py` performs the instructions; one that fails is performed again, the same object,
until it succeeds or the process stops.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from itertools import compress
from typing import Any, ClassVar, Generic, Literal, TypeVar, overload

import msgspec

from logrouter.cursors import Place
from logrouter.event import Attributes
from logrouter.formats.include import Include
from logrouter.rules import Rule
from logrouter.templates import Template


class SinkConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options that every sink has."""

    match: Rule | None = None
    """Which events it takes, as a rule. Default: all."""
    include: tuple[str, ...] = ()
    """What to add to each event: `meta`, `resource`, or single ones such as `meta.host` or `service.name`. A key
    `meta.…` that the event has itself is replaced, so that no line can forge it; one of `resource` is left as it is."""
    when_full: Literal["block", "discard_oldest"] | None = None
    """What happens when this sink lags and the spool is full: `block` makes the sources wait, `discard_oldest` discards
    this sink's oldest events, counted. Default: what `spool.when_full` says."""


ConfigT = TypeVar("ConfigT", bound=SinkConfig)


class Chosen(Sequence[int]):
    """Some numbers of a range, those where `chosen` is 1. Most sinks never ask, so they are picked when one does."""

    __slots__ = ("_chosen", "_numbers", "_range")

    def __init__(self, numbers: range, chosen: bytes) -> None:
        self._range = numbers
        self._chosen = chosen
        self._numbers: list[int] | None = None

    def __len__(self) -> int:
        return self._chosen.count(1)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        if self._numbers is None:
            self._numbers = list(compress(self._range, self._chosen))
        return self._numbers[place]


class Slice(msgspec.Struct):
    """What one sink gets of one chunk: some of its events, and what they share."""

    payloads: list[bytes]
    flags: bytes
    """One byte an event: `event.Flag`."""
    attributes: Attributes
    received_ns: int
    epoch: int
    sequences: Sequence[int]
    """With the epoch, each event's id."""
    columns: tuple[list[str] | str, ...] = ()
    """For each of the sink's `templates`, in order: the text for each event, or one text for all."""
    collides: bytes | None = None
    """One byte an event: not 0 where it has a key that `include` would add. None: no event has."""

    def pick(self, places: Sequence[int]) -> Slice:
        """The events at these places, without columns."""
        if len(places) == len(self.payloads):
            return self
        return Slice(
            [self.payloads[place] for place in places],
            bytes([self.flags[place] for place in places]),
            self.attributes,
            self.received_ns,
            self.epoch,
            [self.sequences[place] for place in places],
            collides=None if self.collides is None else bytes([self.collides[place] for place in places]),
        )


class Batch(msgspec.Struct):
    """What one sink sends and settles at once."""

    slices: list[Slice]

    def __len__(self) -> int:
        return sum(len(part.payloads) for part in self.slices)


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


Instruction = Append | Write


class Delivered(msgspec.Struct, frozen=True):
    """All of the batch is at the destination."""


class Retry(msgspec.Struct, frozen=True):
    """Nothing of it was taken now; send it again, after so many seconds where the destination said so."""

    reason: str
    after_seconds: float | None = None


Outcome = Delivered | Retry


class SinkContext(msgspec.Struct, frozen=True):
    """What a sink is told about where it stands."""

    name: str
    resource: Mapping[str, str] = msgspec.field(default_factory=dict)
    terminal: bool = False
    """Whether the stream that it writes to is a terminal."""
    colour: bool = False
    """Whether whoever reads that stream wants colour."""


class Sink(Generic[ConfigT]):
    """Base of all sinks."""

    Config: ClassVar[type[SinkConfig]]
    transport: ClassVar[Literal["files", "stream", "none"]]
    """Which transport performs its instructions."""
    descriptor: ClassVar[int]
    """Which file descriptor the transport `stream` writes to."""
    names_by: ClassVar[tuple[str, ...]] = ()
    """Options, templates, that name what it writes to. Names are shown in errors: no secret may become part of one."""
    known_path: str = ""
    """What it writes to, as far as it is known before the first event: a file, or a folder with a final slash."""
    ordered: ClassVar[bool] = True
    """Events of one source arrive in the order in which they were read."""
    told_of_gaps: bool = True
    """Whether a discarded run is told in its stream, as an event at the gap."""

    def __init__(self, config: ConfigT, context: SinkContext) -> None:
        self.config = config
        self.context = context
        self.include = Include(config.include, context.resource)
        self.included_keys: tuple[str, ...] = self.include.keys
        """Keys that it may add to events: routing marks the events that have one already (`Slice.collides`)."""
        self.templates: tuple[Template, ...] = ()
        """Texts that depend on the event, rendered by routing into each slice's `columns`."""

    @classmethod
    def warnings(cls, config: ConfigT) -> list[str]:
        """What is odd about the options, though not wrong: `check` tells it."""
        return []

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        """The options that a URL stands for, without its query, which the config adds itself: here none.

        Raises ValueError when the URL makes no sense for this sink.
        """
        name, _, rest = url.partition(":")
        if rest.strip("/"):
            raise ValueError(f"a {name} sink takes nothing after its name: write {name}: alone")
        return {}

    def send(self, batch: Batch) -> Generator[Instruction, Any, Outcome]:
        """Deliver a batch: yield instructions, return what became of it."""
        raise NotImplementedError
