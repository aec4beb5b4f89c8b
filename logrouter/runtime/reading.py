"""One source at work: what it reads becomes events, and these are appended to the spool.

The one place where anything upstream waits is `await spool.append(chunk)`; with `sync` it waits as well for what was
appended before to be safe, so that no more than one chunk is ever on its way.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import trio

from logrouter.chain import Chain
from logrouter.event import Chunk, Offset
from logrouter.framing import Frame
from logrouter.ingest import Ingest
from logrouter.runtime.log import Log
from logrouter.runtime.spool import Spool
from logrouter.sources import Source


class RunningSource:
    """A source, its ingest, and what it has in hand."""

    def __init__(self, name: str, source: Source[Any], ingest: Ingest, chain: Chain, spool: Spool, log: Log) -> None:
        self.name = name
        self.source = source
        self.ingest = ingest
        self.chain = chain
        self.in_hand = 0
        """Events that have been read and wait for room in the spool."""
        self._spool = spool
        self._log = log
        self._last: Offset | None = None
        """Where what was appended last ends: no more than that is ever on its way to be safe."""
        self._told_unmatched = False
        self._told_failed = 0

    async def emit(self, frame: Frame, received_ns: int) -> None:
        """Make events of a frame and append them, once there is room."""
        self.in_hand, before = len(frame.lines), self._last
        parts = deque(frame.cut(self._spool.chunk_bytes))
        del frame  # the block in it need not be held while there is no room
        while parts:
            self.in_hand -= len(parts[0].lines)
            chunks = self.ingest.chunks(parts.popleft(), received_ns)
            self.in_hand += sum(map(len, chunks))
            if self._last is not None:  # while that became safe, this one was read and taken apart
                await self._spool.safe(self._last, live=self.source.live)
            for chunk in chunks:
                await self._spool.append(chunk, live=self.source.live)
                self.in_hand -= len(chunk)
                self._look_for_unmatched(chunk)
                self._last = chunk.end
        if self._last == before:
            await trio.lowlevel.checkpoint()  # nothing was appended, which yields
        if (failed := self.chain.failed.total()) != self._told_failed:
            self._told_failed = failed
            self._log.warning("steps fail on some events", source=self.name, failed=dict(self.chain.failed))

    def _look_for_unmatched(self, chunk: Chunk) -> None:
        if not self._told_unmatched and chunk.routed is not None and chunk.routed.unmatched():
            self._told_unmatched = True
            self._log.warning("no sink wants some events: they are left out, and counted", source=self.name)

    async def run(self) -> None:
        """Read until it ends."""
        await self.source.run(self.emit)
        if self.source.trouble is not None:
            self._log.error("the input cannot be read any more", source=self.name, reason=self.source.trouble)
