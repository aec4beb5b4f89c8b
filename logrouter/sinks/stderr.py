"""Writes events to stderr, one line each: for people on a terminal, for programs as JSON.

A reader that is slow holds up this sink and no other. logrouter's own log is written there too.

As a URL: `stderr:`, `stderr:?format=raw`.
"""

from __future__ import annotations

from typing import ClassVar

from logrouter.sinks import SinkConfig
from logrouter.sinks._stream import StreamConfig, StreamSink


class StderrConfig(StreamConfig, kw_only=True, frozen=True):
    """Options of the sink `stderr`."""


class StderrSink(StreamSink[StderrConfig]):
    """The stream with file descriptor 2."""

    Config: ClassVar[type[SinkConfig]] = StderrConfig
    descriptor: ClassVar[int] = 2
