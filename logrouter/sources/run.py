"""The output of the app that `logrouter run -- app` runs.

Its lines are events of `meta.stream` `stdout` or `stderr`, in the order of each. A config need not name it: where it
names a source of the type `stdin`, or none, the app's output is read in its stead, with the same options, so that one
config serves `app | logrouter` and `logrouter run -- app`. Outside `logrouter run` there is no app, and it cannot be
used. See [running an app](../run.md) for how its output is captured, and what survives what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import trio

from logrouter.errors import StartError
from logrouter.sources import Emit, Source, SourceConfig
from logrouter.sources._captured import FromFiles
from logrouter.sources._piped import FromPipes
from logrouter.sources._wake import Wake
from logrouter.sources.stdin import StdinConfig, StdinSource
from logrouter.supervised import Connection, connection


class RunConfig(StdinConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options of run: those that every source has."""


class RunSource(Source[RunConfig]):
    """Reads an app's stdout and stderr: from its pipes, or from the files in which the supervisor captures them."""

    Config: ClassVar[type[SourceConfig]] = RunConfig
    only_once = True
    adjustable = StdinSource.adjustable
    leads = True
    ends = False
    """It does when the app does, at whose time is up to the supervisor. A signal is for this router alone."""

    def __init__(self, config: RunConfig, supervisor: Connection | None = None) -> None:
        """`supervisor`: default is that of this process. Raises StartError where there is none."""
        super().__init__(config)
        supervisor = supervisor or connection()
        if supervisor is None:
            raise StartError("a source of type run is the output of an app: logrouter run -- COMMAND")
        self._supervisor = supervisor
        self._wake = Wake(supervisor.wake)
        self._reading: FromFiles | FromPipes = (
            FromPipes(config, supervisor.streams, self._wake)
            if supervisor.capture_folder is None
            else FromFiles(config, supervisor.capture_folder, self._wake, self._lose, self._complain)
        )
        self._offsets: dict[str, int] = {}

    def adjust(self, config: RunConfig) -> None:
        """Go on with these options, as the whole router does with new settings: some of these are the supervisor's."""
        super().adjust(config)
        self._supervisor.say_changed()
        self._reading.adjust(config)

    def resume(self, positions: Mapping[str, bytes]) -> None:
        """Go on where a process before this one was."""
        if isinstance(self._reading, FromFiles):
            self._offsets = self._reading.resume(positions)

    def acknowledge(self, key: str, position: bytes) -> None:
        """What is safe need not be kept in capture files."""
        if isinstance(self._reading, FromFiles):
            self._reading.acknowledge(key, position)

    def stop(self) -> None:
        """Read no more."""
        self._reading.stop()

    async def run(self, emit: Emit) -> None:
        """Tell the supervisor that the app can be started, and read until it has ended."""
        async with trio.open_nursery() as listening:
            listening.start_soon(self._wake.listen, self.ending)
            self._supervisor.say_ready(self._offsets)
            await self._reading.run(emit)
            listening.cancel_scope.cancel()
        self.trouble = self._reading.trouble

    def _lose(self, stream: str, count: int) -> None:
        self.lost_bytes += count
        self.warn("output of the app is lost: it was gone before it could be read", about=stream, bytes=count)

    def _complain(self, error: OSError) -> None:
        message = "capture files that are in the spool cannot be deleted: it is tried again with the next"
        self.warn(message, file=error.filename, reason=error.strerror)
