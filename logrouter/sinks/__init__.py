"""The contract of a sink: one pure file that says what to do, and a transport that does it.

`send(batch)` is a generator: it yields instructions (`Append`, `Write`, `Request`, …), receives a reply for each, and
returns what became of the batch or of each of its events. It imports neither trio nor httpx, opens nothing, reads no
clock. The shared loop in `runtime/delivery/` performs the instructions.

- `Append` and `Write` that fail are performed again, the same object, until they succeed or the process stops.
- A `Request` to which nobody answers raises DestinationError in `send`. Not caught there, it is a `Retry` of the whole
  batch: `send` is then called anew.
- A sink that *gathers* makes objects much larger than a batch in memory can be: it is given each slice once, to
  `encode`, and the spool need not hold the events any more. `send` gets what was made of them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec

from logrouter.batch import Batch as Batch
from logrouter.batch import Batching as Batching
from logrouter.batch import Chosen as Chosen
from logrouter.batch import Encoded as Encoded
from logrouter.batch import Memory as Memory
from logrouter.batch import Slice as Slice
from logrouter.endpoint import Endpoint
from logrouter.formats.include import Include
from logrouter.instructions import Append as Append
from logrouter.instructions import Delivered as Delivered
from logrouter.instructions import EventOutcome as EventOutcome
from logrouter.instructions import Halve as Halve
from logrouter.instructions import Instruction as Instruction
from logrouter.instructions import Keep as Keep
from logrouter.instructions import Now as Now
from logrouter.instructions import Outcome as Outcome
from logrouter.instructions import Pause as Pause
from logrouter.instructions import ReadFile as ReadFile
from logrouter.instructions import Rejected as Rejected
from logrouter.instructions import Request as Request
from logrouter.instructions import Response as Response
from logrouter.instructions import Retry as Retry
from logrouter.instructions import Seal as Seal
from logrouter.instructions import Write as Write
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
    start: Literal["beginning", "end"] = "end"
    """Where in the spool a sink begins that is new to it: at the `end`, with the events to come, or at the `beginning`,
    with the oldest that are still there. Later it goes on where it was."""


ConfigT = TypeVar("ConfigT", bound=SinkConfig)
Transport = Literal["files", "stream", "http", "state", "none"]
Conversation = Generator[Instruction, Any, Outcome]


class SinkContext(msgspec.Struct, frozen=True):
    """What a sink is told about where it stands."""

    name: str
    resource: Mapping[str, str] = msgspec.field(default_factory=dict)
    terminal: bool = False
    """Whether the stream that it writes to is a terminal."""
    colour: bool = False
    """Whether whoever reads that stream wants colour."""
    environ: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Environment variables that are the destination's own convention: `AWS_REGION`."""
    folder: str | None = None
    """The spool's, where there is one."""


class RetryPolicy(msgspec.Struct, frozen=True):
    """How long a destination that takes nothing is tried again."""

    initial_seconds: float = 0.2
    """The first wait is at most so long. Each is a random part of the longest, which doubles from try to try."""
    cap_seconds: float = 30.0
    give_up_seconds: float | None = None
    """After how long what was never taken is given up, by the reason `gave_up`: rejected, or discarded where the sink
    gathers. None: never."""


class Family(msgspec.Struct, frozen=True):
    """A metric that a sink adds to `/metrics`."""

    name: str
    """Of a counter it ends in `_total`."""
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]
    series: Mapping[tuple[str, ...], Any]
    """Label values → a number; of a histogram a list: how many values there were for each bucket and beyond, and their
    sum."""
    buckets: tuple[float, ...] = ()
    """Of a histogram, the upper bounds."""


class Sink(Generic[ConfigT]):
    """Base of all sinks."""

    Config: ClassVar[type[SinkConfig]]
    transport: ClassVar[Transport]
    """Which transport performs its instructions."""
    descriptor: ClassVar[int]
    """Which file descriptor the transport `stream` writes to."""
    endpoint: Endpoint
    """Where the transport `http` sends requests: such a sink sets it in its constructor."""
    names_by: ClassVar[tuple[str, ...]] = ()
    """Options, templates, that name what it writes to. Names are shown in errors: no secret may become part of one."""
    state_path: str | None = None
    """Where it keeps what it knows (`Keep`), to be given it at the next start (`restore`)."""
    claims: tuple[str, ...] = ()
    """What no other sink may have, in words: `the metric http_requests_total`."""
    known_path: str = ""
    """What it writes to, as far as it is known before the first event: a file, or a folder with a final slash."""
    ordered: ClassVar[bool] = True
    """Events of one source arrive in the order in which they were read: one batch is sent at a time."""
    gathers: ClassVar[bool] = False
    """Whether it is given each slice to `encode` as it comes, and `send` what was made of them."""
    segments: ClassVar[bool] = False
    """Whether its templates make paths: what comes from events then cannot leave its part of the path."""
    wants_times: ClassVar[bool] = False
    """Whether it needs to know when each event happened (`Slice.times_ns`)."""
    told_of_gaps: bool = True
    """Whether a discarded run is told in its stream, as an event at the gap."""
    batching: Batching = Batching()
    """How much makes a batch."""
    concurrency: int = 1
    """How many batches may be on their way at once, where it is not ordered."""
    retry: RetryPolicy = RetryPolicy()
    on_reject: Literal["keep", "discard"] = "keep"
    """What becomes of an event that the destination refuses: a dead letter, or nothing."""
    notice: str | None = None
    """What the operator should be told: logged after the next answer, and forgotten."""

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
    def for_rehearsal(cls, config: ConfigT) -> ConfigT:
        """The options with which it sends events without asking anybody for something before, such as credentials:
        for `explain` and `test`, which perform nothing."""
        return config

    @classmethod
    def keeps_lines(cls, config: ConfigT) -> bool:
        """Whether a line of text is written as it came: then a source makes fields of it only where it says so."""
        return getattr(config, "format", None) == "raw"

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        """The options that a URL stands for, without its query, which the config adds itself: here none.

        Raises ValueError when the URL makes no sense for this sink.
        """
        name, _, rest = url.partition(":")
        if rest.strip("/"):
            raise ValueError(f"a {name} sink takes nothing after its name: write {name}: alone")
        return {}

    def encode(self, part: Slice, before: Encoded | None = None) -> Encoded:
        """What it makes of a slice, where it gathers. Called in a thread, for one slice after the other.

        `before`: what it has made of the slices before in the same batch. What is given back then stands for these as
        well, and takes its place, so that small slices can be compressed together.
        """
        raise NotImplementedError

    def send(self, batch: Batch) -> Conversation:
        """Deliver a batch: yield instructions, return what became of it."""
        raise NotImplementedError

    def restore(self, kept: bytes | None) -> None:
        """Go on from what it has kept, where it keeps something: called once, before the first batch."""

    def families(self) -> Iterable[Family]:
        """What it adds to `/metrics`."""
        return ()

    def probe(self) -> Generator[Instruction, Any, list[str]]:
        """Try the destination without writing an event: yield requests, return what is wrong (`check --connect`)."""
        yield Pause()
        return []
