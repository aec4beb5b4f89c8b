"""One source at work: what it reads becomes events, and these are appended to the spool.

The one place where anything upstream waits is `await spool.append(chunk)`; with `sync` it waits as well for what was
appended before to be safe, so that no more than one chunk is ever on its way.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import trio

from logrouter.chain import AnyStep, Chain, Event
from logrouter.event import Attributes, Chunk, Offset
from logrouter.framing import Frame
from logrouter.ingest import Ingest
from logrouter.routing import Router
from logrouter.runtime.failing import tell_failed
from logrouter.runtime.log import Log
from logrouter.runtime.progress import Progress, Skip
from logrouter.runtime.spool import Spool
from logrouter.sources import Source, SourceConfig, Stream

_MULTIPLIED: Final = 64
"""Where steps make several events of one, so much smaller are the parts of a read that are taken apart at once: what
they become is in memory before any of it has to wait for room."""


def attributes_of(name: str, source: Source[Any]) -> Attributes:
    """What is known of all events of a source."""
    return {"source": name, "host": socket.gethostname(), **source.attributes}


class RunningSource:
    """A source, its ingest, and what it has in hand. A reload may put another in its place, which reads on there."""

    def __init__(self, name: str, source: Source[Any], ingest: Ingest, chain: Chain, spool: Spool, log: Log) -> None:
        self.name = name
        self.source = source
        self.ingest = ingest
        self.chain = chain
        self.was_removed = False
        """It is not in the config any more."""
        self.has_ended = False
        """Nothing more will come of it."""
        self.in_hand = 0
        """Events that have been read and wait for room in the spool."""
        self._spool = spool
        self._log = log
        self._let_warn(source)
        self._last: Offset | None = None
        """Where what was appended last ends: no more than that is ever on its way to be safe."""
        self._progress = Progress(name, spool.positions(name))
        self._kept: dict[str, bytes] = {}
        """By the keys of streams: how far they are, where no chunk tells it, but the spool will write it."""
        self._kept_since = spool.positions_written
        """Since which writing."""
        self._known: WeakKeyDictionary[Stream, tuple[Attributes, tuple[object, ...]]] = WeakKeyDictionary()
        self._following: Source[Any] | None = None
        """What reads on when this one has stopped."""
        self._has_to_stop = False
        self._told_unmatched = False
        self._to_tell: list[tuple[Event, Attributes]] = []
        """Events that steps have made by themselves before they went."""

    async def emit(
        self, frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None
    ) -> None:
        """Make events of a frame and append them, once there is room."""
        self.in_hand += len(frame.lines)
        was_appended = False
        parts = deque(frame.cut(self._spool.chunk_bytes // (_MULTIPLIED if self.chain.multiplies else 1)))
        del frame  # the block in it need not be held while there is no room
        moving = stream if position is not None else None
        done = 0  # lines behind the stream's position whose events are in the spool
        while parts:
            part = parts.popleft()
            self.in_hand -= len(part.lines)
            chunks, events = self._taken_apart(part, received_ns, stream)
            self.in_hand += sum(map(len, chunks))
            if self._last is not None:  # while that became safe, this one was read and taken apart
                await self._make_safe(self._last)
            for chunk in chunks:
                begun, events = events, events + len(chunk)
                if moving is not None and position is not None:
                    chunk.begun = self._progress.begun(moving, done, begun)
                    if chunk is not chunks[-1]:
                        self._progress.is_at(moving, done, events)
                    elif parts:
                        self._progress.is_at(moving, done + len(part.lines), 0)
                    else:
                        self._progress.has_reached(moving, position)
                        moving = None
                chunk.position = self._progress.carried()
                await self._append(chunk)
                was_appended = True
            done += len(part.lines)
        if moving is not None and position is not None:
            self._progress.has_reached(moving, position)
        if not was_appended:
            if stream is not None:
                self._keep_position(stream)
            await trio.lowlevel.checkpoint()  # nothing was appended, which yields
        self._look_for_failed()

    def _taken_apart(self, frame: Frame, received_ns: int, stream: Stream | None) -> tuple[list[Chunk], int]:
        """The chunks of a frame, and how many of its events are in the spool already, and left out. Lines that are done
        with are left out before anything is made of them."""
        if stream is None:
            return self.ingest.chunks(frame, received_ns, chunk_bytes=self._spool.chunk_bytes), 0
        before = self.ingest.skipped
        (attributes, name), to_skip = self._known_of(stream), self._progress.to_skip(stream)
        lines = min(to_skip.lines, len(frame.lines))
        chunks = self.ingest.chunks(
            frame, received_ns, attributes, lines, to_skip.events, chunk_bytes=self._spool.chunk_bytes, stream=name
        )
        events = self.ingest.skipped - before - lines
        if lines or events:
            self._progress.skipped(stream, Skip(lines, events))
        return chunks, events

    def _known_of(self, stream: Stream) -> tuple[Attributes, tuple[object, ...]]:
        """What is known of its events, made once, as chunks share it; and its name to parsers: a file's is its path, as
        what comes into the next file after a rotation is of the same app."""
        known = self._known.get(stream)
        if known is None:
            attributes = {**self.ingest.attributes, **stream.attributes}
            known = self._known[stream] = attributes, tuple(stream.attributes.values())
        return known

    async def tell_overdue(self, *, ending: bool = False, kept: Collection[AnyStep] = ()) -> None:
        """Append the events that steps make by themselves, as far as it is time. `ending`: no more events come, but for
        the steps that are `kept`. These events are behind no position, as nobody could read them again."""
        now_ns = time.time_ns()
        told, self._to_tell = self._to_tell, []
        told += self.chain.overdue(now_ns, self.ingest.resource, ending=ending, kept=kept)
        chunks = self.ingest.told(told, now_ns, self._spool.chunk_bytes)
        self.in_hand += sum(map(len, chunks))
        for chunk in chunks:
            await self._append(chunk)

    async def _append(self, chunk: Chunk) -> None:
        await self._spool.append(chunk, live=self.source.live)
        self.in_hand -= len(chunk)
        self._last = chunk.end
        self._look_for_unmatched(chunk)

    async def _make_safe(self, end: Offset) -> None:
        """Wait until it is, and tell the source. A live one goes on without, and is told later."""
        carried = self._progress.take_carried()
        if await self._spool.safe(end, live=self.source.live):
            self._acknowledge(carried)
        else:
            self._progress.put_back(carried)

    def _keep_position(self, stream: Stream) -> None:
        """Remember how far a stream is, where all of it was left out: a source may wait for that to be safe as well."""
        if self._kept and self._spool.positions_written != self._kept_since:
            self._acknowledge(self._kept)
        self._kept_since = self._spool.positions_written
        told = self._progress.told_by_no_chunk(stream)
        if told is not None and self._spool.keep_positions(told):
            self._kept[stream.key] = stream.position

    def _acknowledge(self, positions: Mapping[str, bytes]) -> None:
        for key, position in list(positions.items()):
            self._kept.pop(key, None)  # it is not behind this
            self.source.acknowledge(key, position)

    def _look_for_unmatched(self, chunk: Chunk) -> None:
        if not self._told_unmatched and chunk.routed is not None and chunk.routed.unmatched():
            self._told_unmatched = True
            self._log.warning("no sink wants some events: they are left out, and counted", source=self.name)

    def _look_for_failed(self) -> None:
        tally = self.chain.tally
        if tally.has_news():
            tell_failed(self._log, tally, source=self.name)

    async def run(self) -> None:
        """Read until it ends."""
        while True:
            self.source.resume(dict(self._progress.reached))
            await self.source.run(self.emit)
            if self._last is not None:
                await self._make_safe(self._last)
            self._acknowledge(self._kept)  # killed before that is written, it reads and leaves out the same again
            if self.source.trouble is not None:
                self._log.error("the input cannot be read any more", source=self.name, reason=self.source.trouble)
            if self._following is None or self._has_to_stop:
                return
            self._take_up(self._following)

    def stop(self) -> None:
        """Read no more."""
        self._has_to_stop = True
        self.source.stop()

    def go_on(self, router: Router, config: SourceConfig, chain: Chain) -> None:
        """Make events of what is read from now on like this."""
        if chain is not self.chain:
            kept = [named.step for named in chain.steps]
            self._to_tell += self.chain.overdue(time.time_ns(), self.ingest.resource, ending=True, kept=kept)
            chain.tally.go_on_from(self.chain.tally)
            self.chain = chain
        self.ingest.go_on(router, config.parse, chain, keep_original=config.keep_original)

    def read_on_with(self, source: Source[Any]) -> None:
        """Let another source read on where this one stops."""
        self._following = source
        self.source.stop()

    def _let_warn(self, source: Source[Any]) -> None:
        source.warn = partial(self._log.warning, source=self.name)

    def _take_up(self, source: Source[Any]) -> None:
        self.source, self._following = source, None
        self._let_warn(source)
        self.ingest.attributes = attributes_of(self.name, source)
