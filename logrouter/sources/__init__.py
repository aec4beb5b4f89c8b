"""The contract of a source: where bytes come from.

A source reads, frames, and hands each frame to `emit`, which makes events of it, appends them to the spool and
returns when there was room: that is all the backpressure there is. It keeps reading until its input ends or
`stop()` is called, then emits what it still holds and returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Generic, Literal, TypeVar

import msgspec

from logrouter.framing import Frame
from logrouter.values import Size

Emit = Callable[[Frame, int], Awaitable[None]]
"""Takes a frame and when it was received (nanoseconds since 1970)."""


class SourceConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options that every source has."""

    parse: Literal["auto", "json", "none"] = "auto"
    """How lines become events. `auto`: JSON objects are recognised, all else is text. `json`: the same, and what is
    not JSON is marked `meta.parse_error` and counted. `none`: all is text."""
    max_line: Size = Size(1024 * 1024)
    """Longer lines are split into pieces, marked `meta.partial` (`start`, `middle`, `end`); nothing is lost.
    At least 64B; at most, and by default where that is less, an eighth of `spool.memory`, or of `spool.max_size` where
    the spool has a folder and that is less."""

    def __post_init__(self) -> None:
        if self.max_line < 64:
            raise ValueError(f"max_line: at least 64B, not {self.max_line}")


ConfigT = TypeVar("ConfigT", bound=SourceConfig)


class Source(Generic[ConfigT]):
    """Base of all sources."""

    Config: ClassVar[type[SourceConfig]]
    only_once: ClassVar[bool] = False
    """Whether a config may have no more than one source of this kind."""
    live: bool = True
    """Whether it cannot wait for ever: an app hangs on it. See `spool.block_timeout`."""
    trouble: str | None = None
    """Why it could read no more, where that was not the end of its input: to be said once `run` has returned."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @property
    def attributes(self) -> dict[str, str | int | bool]:
        """What is known of all its events, beside `source` and `host`; named in `event.ATTRIBUTES`."""
        return {}

    async def run(self, emit: Emit) -> None:
        """Read until the input ends or `stop` is called; everything that was read has been emitted on return.

        An input that cannot be read any more has ended as well: it is no error to raise, but `trouble`.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Read no more."""
        raise NotImplementedError
