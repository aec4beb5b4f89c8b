"""Writes events to stdout, one line each: for people on a terminal, for programs as JSON.

A reader that is slow holds up this sink and no other. When its reader goes (`| head`), this sink ends quietly, and so
does logrouter if it has no other. Where stdout is closed from the start (`>&-`), the start is refused.

As a URL: `stdout:`, `stdout:?format=raw`.
"""

from __future__ import annotations

from typing import ClassVar

from logrouter.sinks import SinkConfig
from logrouter.sinks._stream import StreamConfig, StreamSink


class StdoutConfig(StreamConfig, kw_only=True, frozen=True):
    """Options of the sink `stdout`."""


class StdoutSink(StreamSink[StdoutConfig]):
    """The stream with file descriptor 1."""

    Config: ClassVar[type[SinkConfig]] = StdoutConfig
    descriptor: ClassVar[int] = 1
