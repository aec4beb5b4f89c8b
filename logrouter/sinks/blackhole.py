"""Takes every event and does nothing with it: for measuring, and for events that are to be counted only.

As a URL: `blackhole:`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

from logrouter.sinks import Batch, Delivered, Instruction, Outcome, Sink, SinkConfig, Transport


class BlackholeConfig(SinkConfig, kw_only=True, frozen=True):
    """Options of the sink `blackhole`."""


class BlackholeSink(Sink[BlackholeConfig]):
    """Where nothing comes back from."""

    Config: ClassVar[type[SinkConfig]] = BlackholeConfig
    transport: ClassVar[Transport] = "none"
    ordered: ClassVar[bool] = False
    told_of_gaps: bool = False

    def send(self, batch: Batch) -> Generator[Instruction, Any, Outcome]:
        yield from ()
        return Delivered()
