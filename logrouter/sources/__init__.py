"""The contract of a source: where bytes come from.

A source reads, frames, and hands each frame to `emit`, which makes events of it, appends them to the spool and
returns when there was room: that is all the backpressure there is. It keeps reading until its input ends or
`stop()` is called, then emits what it still holds and returns.

What can be read again has a position. A source that reads such *streams* (files, say) tells with each frame how far
its stream has been read, in words of its own. The position is kept with the events, and `resume` gives it back at the
next start: each event is in the spool once, whenever the process is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from logrouter.errors import refuse
from logrouter.event import Attributes
from logrouter.framing import Frame, LineFraming
from logrouter.joining import JoiningFraming
from logrouter.joining.options import Multiline, joiner_of, quiet_seconds
from logrouter.parsing import AUTO, Parse
from logrouter.values import Size


class Stream:
    """One thing that a source reads in order: a file, the stdout of an app."""

    __slots__ = ("__weakref__", "attributes", "has_gap", "key", "position")

    def __init__(self, key: str, attributes: Attributes, position: bytes = b"") -> None:
        """`key` names it among the streams of its source, over restarts. `position`: where it is read from now."""
        self.key = key
        self.attributes = attributes
        """What is known of its events alone; named in `event.ATTRIBUTES`."""
        self.position = position
        """How far it has been read, and is in the spool."""
        self.has_gap = False
        """Set by the source when it comes to the end of what is missing: nothing behind that is in the spool yet. Taken
        back once the position that is told next is reached."""


class Emit(Protocol):
    """What a source is given to hand over what it has read."""

    async def __call__(
        self, frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None
    ) -> None:
        """Takes a frame and when it was received (nanoseconds since 1970); returns when all of it is in the spool.

        `position`: how far the stream has been read with it. Empty: it is gone, and need not be remembered. None: what
        was read cannot be asked for again.
        """


class Tell(Protocol):
    """What a source is given to say what is wrong with what it reads."""

    def __call__(self, message: str, *, about: str = "", **fields: object) -> None:
        """The same message, about the same thing, is written once a minute: see `runtime.log.Log`."""


def _say_nothing(message: str, *, about: str = "", **fields: object) -> None:
    """Nobody runs it."""


def _go_on(seconds: float) -> None:
    """Nobody runs it."""


class SourceConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options that every source has."""

    parse: Parse = AUTO
    """How lines become events. `auto`: JSON objects are recognised, and in text the formats that the parser `auto`
    knows; all else is text. `json_or_text`: JSON objects are recognised, and text stays whole;
    the default where a sink keeps lines as they came (Loki, `format: raw`). `none`: all is text. `json`, or the name of
    another parser: a line that it does not take stays text, is marked `meta.parse_error`, and counted. A list: each in
    turn, until one takes the line."""
    keep_original: bool = False
    """Whether a line that a parser took stays beside its fields, as `original`."""
    max_line: Size = Size(1024 * 1024)
    """Longer lines are split into pieces, marked `meta.partial` (`start`, `middle`, `end`); nothing is lost.
    At least 64B; at most, and by default where that is less, an eighth of `spool.memory`, or of `spool.max_size` where
    the spool has a folder and that is less."""

    def __post_init__(self) -> None:
        refuse(self.problems())

    def problems(self) -> Iterator[str]:
        """What is wrong with the options, in one sentence each, which begins with the name of one."""
        if self.max_line < 64:
            yield f"max_line: at least 64B, not {self.max_line}"


class LinesConfig(SourceConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options of sources that read lines."""

    multiline: Multiline = "none"
    """Which lines are one event together. `auto`: the tracebacks of all languages, with the line that logged them. One
    language or a list: of these alone (`python`, `java`, `go`, `node`, `ruby`, `dotnet`, `php`, `rust`). Or a pattern
    of your own: see [lines that belong together](../multiline.md)."""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if not self.multiline:
            yield "multiline: expected at least one language"

    def framing(self, memo: bytes = b"", *, at_start: bool = False) -> LineFraming:
        """What makes events of the bytes of a stream. `memo`: that of the framing from which it goes on; `at_start`: it
        goes on from none."""
        joiner = joiner_of(self.multiline)
        if joiner is None:
            return LineFraming(self.max_line, memo, at_start=at_start)
        return JoiningFraming(self.max_line, joiner, memo, at_start=at_start)

    @property
    def quiet_seconds(self) -> float:
        """After how long without a new line the whole lines that a framing holds are given out."""
        return quiet_seconds(self.multiline)


ConfigT = TypeVar("ConfigT", bound=SourceConfig)


class Source(Generic[ConfigT]):
    """Base of all sources."""

    Config: ClassVar[type[SourceConfig]]
    only_once: ClassVar[bool] = False
    """Whether a config may have no more than one source of this kind. It reads what the process was given when it
    started, so that a reload can neither open nor close it, nor let another read on."""
    adjustable: ClassVar[frozenset[str]] = frozenset({"parse", "keep_original"})
    """Options that a reload may change while it reads (`adjust`). Where others differ, another source reads on."""
    live: bool = True
    """Whether it cannot wait for ever: an app hangs on it. See `spool.block_timeout`."""
    ends: bool = True
    """Whether its input ends when whoever writes it does: at SIGTERM it is given time for that, and else stopped."""
    trouble: str | None = None
    """Why it could read no more, where that was not the end of its input: to be said once `run` has returned."""
    left_out: Mapping[str, str] = MappingProxyType({})
    """What it was to read and could not, by its name, and why: to be said in the end. Somebody may try again."""

    lost_events: int = 0
    """How many were gone before they could be read, where that can be told."""
    lost_bytes: int = 0
    """What was gone before it could be read."""
    leads: ClassVar[bool] = False
    """Whether the others are read only as long as this one is: it reads an app's output, under `logrouter run`."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config
        self.ending: Callable[[float], None] = _go_on
        """To say that its input has ended, and in how many seconds all must be over. Set by whoever runs it."""
        self.warn: Tell = _say_nothing
        """To say what it cannot read, and when it can again. Set by whoever runs it."""

    @classmethod
    def problem_with(cls, config: Any) -> str | None:
        """Asked before the start: why it cannot work so, where no waiting would mend that. None: nothing is known."""
        return None

    @classmethod
    def reads(cls, config: Any, path: str) -> bool:
        """Whether it would read a file at that absolute path: nothing of ours may write there."""
        return False

    @property
    def attributes(self) -> dict[str, str | int | bool]:
        """What is known of all its events, beside `source` and `host`; named in `event.ATTRIBUTES`."""
        return {}

    def adjust(self, config: ConfigT) -> None:
        """Go on with these options, of which only those that are `adjustable` differ."""
        self.config = config

    def resume(self, positions: Mapping[str, bytes]) -> None:
        """Called before `run`: how far streams had been read when the process ended before, by their keys."""

    def acknowledge(self, key: str, position: bytes) -> None:
        """What was read of a stream up to this position is safe: nobody will ask for it again."""

    async def run(self, emit: Emit) -> None:
        """Read until the input ends or `stop` is called; everything that was read has been emitted on return.

        An input that cannot be read any more has ended as well: it is no error to raise, but `trouble`.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Read no more."""
        raise NotImplementedError
