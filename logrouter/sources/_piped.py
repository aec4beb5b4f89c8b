"""An app's output, read from its pipes. What was read cannot be asked for again; what was not is still in them, and
stays there for the next router should this one die."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from logrouter.framing import Frame
from logrouter.sources import Emit, Stream
from logrouter.sources._wake import Wake
from logrouter.sources.stdin import StdinConfig, StdinSource, has_bytes
from logrouter.supervisor.streams import QUIET_SECONDS


class FromPipes:
    """Reads some pipes, each a stream."""

    def __init__(self, config: StdinConfig, pipes: Mapping[str, int], wake: Wake) -> None:
        """`pipes`: stream → descriptor."""
        self.trouble: str | None = None
        self._fds = tuple(pipes.values())
        self._wake = wake
        self._streams = {Stream(name, {"stream": name}): StdinSource(config, fd) for name, fd in pipes.items()}
        self._one_at_a_time = trio.Lock()
        self._waiting_frames = 0
        """How many have been read and not yet been taken."""
        self._moved_at = float("-inf")

    def adjust(self, config: StdinConfig) -> None:
        """Go on with these options."""
        for source in self._streams.values():
            source.adjust(config)

    def stop(self) -> None:
        """Read no more."""
        self._wake.stop()
        for source in self._streams.values():
            source.stop()

    async def run(self, emit: Emit) -> None:
        """Read until the app has ended, and nothing comes any more. It may have closed its outputs long before."""
        async with trio.open_nursery() as listening:
            listening.start_soon(self._stop_when_quiet)
            async with trio.open_nursery() as reading:
                for stream, source in self._streams.items():
                    reading.start_soon(self._read, stream, source, emit)
            listening.cancel_scope.cancel()
        await self._wake.wait_for_end()

    async def _read(self, own: Stream, source: StdinSource, emit: Emit) -> None:
        async def hand_over(
            frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None
        ) -> None:
            self._waiting_frames += 1
            async with self._one_at_a_time:
                await emit(frame, received_ns, own)
            self._waiting_frames -= 1
            self._moved_at = trio.current_time()

        await source.run(hand_over)
        self.trouble = self.trouble or source.trouble

    async def _stop_when_quiet(self) -> None:
        """Once the app has ended: those whom it has left behind may go on for ever."""
        await self._wake.wait_for_end()
        if self._wake.seconds_left is None:  # only the supervisor has: the app may still be there
            return
        with trio.move_on_after(self._wake.seconds_left / 2):
            await self._wait_until_quiet()
        self.trouble = "a process that the app left behind holds it"
        self.stop()

    async def _wait_until_quiet(self) -> None:
        self._moved_at = trio.current_time()
        while trio.current_time() < (quiet_at := self._moved_at + QUIET_SECONDS):
            await trio.sleep_until(quiet_at)
            if self._waiting_frames or any(map(has_bytes, self._fds)):
                self._moved_at = trio.current_time()
