"""What the sinks `stdout` and `stderr` share."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar, Literal, TypeVar

from logrouter import formats
from logrouter.sinks import Batch, Delivered, Instruction, Outcome, Sink, SinkConfig, SinkContext, Transport, Write

StreamFormat = Literal["auto", "json", "raw", "pretty", "logfmt"]


class StreamConfig(SinkConfig, kw_only=True, frozen=True):
    """Options of a sink that writes to a stream of this process."""

    format: StreamFormat = "auto"
    """What a line looks like: a JSON object, the bytes as they came, text for people, or logfmt. `auto`: `pretty` on
    a terminal, else `json`."""
    colour: Literal["auto", "always", "never"] = "auto"
    """Whether `pretty` uses colour. `auto`: on a terminal, unless the environment variable `NO_COLOR` is set or `TERM`
    is `dumb`."""


ConfigT = TypeVar("ConfigT", bound=StreamConfig)


class StreamSink(Sink[ConfigT]):
    """Encodes each batch in one piece."""

    transport: ClassVar[Transport] = "stream"
    descriptor: ClassVar[int]
    """The file descriptor of the stream."""

    def __init__(self, config: ConfigT, context: SinkContext) -> None:
        super().__init__(config, context)
        self.format = _chosen(config.format, context.terminal)
        if self.format == "raw" and config.include:
            raise ValueError("include: raw lines have no room for attributes; use format: json or logfmt")
        self.told_of_gaps = self.format != "raw"
        colour = context.colour if config.colour == "auto" else config.colour == "always"
        self._encode = formats.encoder(self.format, self.include, colour)

    def send(self, batch: Batch) -> Generator[Instruction, Any, Outcome]:
        if data := b"".join([self._encode(part) for part in batch.slices]):
            yield Write(data)
        return Delivered()


def _chosen(wanted: StreamFormat, terminal: bool) -> formats.Format:
    if wanted == "auto":
        return "pretty" if terminal else "json"
    return wanted
