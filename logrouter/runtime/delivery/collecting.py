"""From the spool to batches: reads a sink's share of chunk after chunk until there is enough to send.

    enough is    what is there                       by default
                 `batching`: size, events, or age    of sinks that make requests; what would be too much for one
                                                     request is cut by `pieces`
                 the sink's share of the memory      always
                 what there is                       when sources wait for room and nobody is further behind; at the end

A sink that gathers is given each slice as it comes, to encode, and its chunk need not be held any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import ceil, inf
from typing import Any, Final

import msgspec
import trio

from logrouter import times
from logrouter.batch import Batch, Encoded, Slice
from logrouter.cursors import Gap, Memory, Note
from logrouter.documents import encode_document
from logrouter.event import Chunk, Flag, Offset
from logrouter.runtime.delivery.destination import Destination
from logrouter.runtime.failing import tell_failed
from logrouter.runtime.log import Log
from logrouter.runtime.spool import Spool
from logrouter.runtime.threads import in_thread
from logrouter.sinks import Sink

_VERBS: Final = {"discarded": "discarded", "lost": "has lost"}
_RATIO_SHARE: Final = 0.2
"""What one request counts in how well bodies compress."""
_GROWTH: Final = 1.01
"""How much more is allowed after a request that was about as large as it may be."""
_RATIO_FIRST: Final = 16
_RATIO_EVERY: Final = 8
"""The first requests are looked at, then one of so many: it is a loop over all payloads."""


class Taken(msgspec.Struct):
    """What was read for one batch."""

    batch: Batch
    delivered: int = 0
    """How many of its events are for this sink, notices left out."""
    unmatched: int = 0
    size_bytes: int = 0
    """What the spool holds for it."""
    payload_bytes: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it is to be sent."""
        return not self.batch.slices and not self.batch.encoded and not self.batch.last


class Collector:
    """Makes the batches of one sink."""

    def __init__(
        self,
        number: int,
        name: str,
        sink: Sink[Any],
        spool: Spool,
        log: Log,
        destination: Destination,
    ) -> None:
        """`destination` is told when the spool cannot be read, and says when to try again."""
        self.carried: Memory | None = None
        """What the last batch left open at the destination."""
        self._number = number
        self._name = name
        self._sink = sink
        self._spool = spool
        self._log = log
        self._destination = destination
        self._ratio = 1.0
        """How long a body is on its way, against the payloads in it."""
        self._learned = 0
        self._most_events: float = inf
        """What the destination takes at once, as far as it has said that more is too much."""
        self._opened_at = inf
        """When the first event of what is open was read, in trio's time."""

    # ── how much ──

    def learn(self, batch: Batch, sent_bytes: int) -> None:
        """A batch took so many bytes on its way."""
        if sent_bytes and batch.slices:
            self._learned += 1
            if self._learned <= _RATIO_FIRST or self._learned % _RATIO_EVERY == 0:
                self._ratio += _RATIO_SHARE * (sent_bytes / max(1, batch.payload_bytes) - self._ratio)

    def was_too_much(self, events: int) -> None:
        """The destination has refused so many events at once, again and again: no request holds as many for a while."""
        self._most_events = max(1.0, min(self._most_events, events / 2))

    def was_taken(self, events: int) -> None:
        """The destination has taken so many events at once: if that is about what it may be given, it may be more.

        If it is more than that, it was not their number that it had refused: it was down, and now it is back.
        """
        if events * 2 > self._most_events:
            self._most_events = max(events, self._most_events * _GROWTH)

    @property
    def places(self) -> int:
        """How many batches may be on their way at once, as far as memory for them is concerned."""
        return int(self._spool.encoded_bytes / (self._ratio * self._batch_bytes))

    def pieces(self, taken: Taken) -> Iterator[Batch]:
        """The batch in pieces that are small enough for one request. Each is cut when the one before is settled: what
        that one has shown to be too much, or not to be, counts."""
        batch, events = taken.batch, len(taken.batch)
        if batch.encoded or events < 2:
            yield batch
            return
        begun = 0
        while begun < events:
            rest = events - begun
            end = begun + rest // self._requests(rest, taken.payload_bytes * rest / events)
            yield batch if end - begun == events else batch.cut((begun, end))[0]
            begun = end

    def _requests(self, events: int, payload_bytes: float) -> int:
        """In how many requests so much is sent."""
        limits = self._sink.batching
        count = ceil(events / min(self._most_events, limits.events or inf))
        if limits.size_bytes:
            count = max(count, min(events, ceil(self._ratio * payload_bytes / limits.size_bytes)))
        return max(1, count)

    @property
    def _batch_bytes(self) -> int:
        """How much of what is read makes a batch at most."""
        return min(self._sink.batching.read_bytes, self._spool.batch_bytes)

    def _is_full(self, taken: Taken) -> bool:
        limits = self._sink.batching
        if self._sink.gathers:
            gathered = sum(part.size_bytes for part in taken.batch.encoded)
            return limits.size_bytes is not None and gathered >= limits.size_bytes
        return (
            taken.size_bytes >= self._batch_bytes
            or (limits.events is not None and len(taken.batch) >= limits.events)
            or (limits.size_bytes is not None and taken.payload_bytes * self._ratio >= limits.size_bytes)
        )

    @property
    def has_open(self) -> bool:
        """Whether something is open at the destination."""
        return self.carried is not None

    @property
    def _is_due(self) -> bool:
        """Whether what there is is old enough, or the end is near."""
        is_old = trio.current_time() >= self._opened_at + self._sink.batching.age_seconds
        return is_old or self._spool.is_over(self._number)

    async def _comes_more(self) -> bool:
        """Wait for more to come. False: what has been taken, if anything, is to be sent although it is little."""
        if self._is_due or self._opened_at == inf or self._spool.is_pressed(self._number):
            return False
        with trio.move_on_at(self._opened_at + self._sink.batching.age_seconds):
            await self._spool.wait_readable(self._number)
        return True

    # ── reading ──

    async def take(self, note: Note | None = None, until: int | None = None) -> Taken | None:
        """The next batch; None where there is nothing to send now.

        `until`: exactly up to this sequence. `note`: it was noted before, and is cut the same.
        """
        first = self._spool.next(self._number)
        taken = Taken(Batch([], first=first, carried=self.carried))
        if not self.has_open:
            self._opened_at = inf
        elif self._opened_at == inf:
            self._opened_at = trio.current_time()  # by the process before
        if note is not None:
            taken.batch.memo, taken.batch.again = note.memo, True
            until = note.end
        while until is not None or not self._is_full(taken):
            found = await self._read()
            if found is not None:
                await self._put(found, taken)
            elif until is not None or not await self._comes_more():
                break
            if until is not None and self._spool.next(self._number) >= until:
                break
        taken.batch.end = self._spool.next(self._number)
        if self._sink.gathers and until is None:
            taken.batch.last = self._is_due or not self._is_full(taken)
        if taken.batch.end == first and not (taken.batch.last and self.has_open):
            return None
        return taken

    async def _put(self, found: Chunk | Gap, taken: Taken) -> None:
        """Add what was read."""
        batch = taken.batch
        self._opened_at = min(self._opened_at, trio.current_time())
        if isinstance(found, Chunk):
            parts = self._spool.routers.slices(found, self._number)
            for route, tally in self._spool.routers.tallies:
                if tally.has_news():
                    tell_failed(self._log, tally, route=route)
            batch.epoch = found.offset.epoch
            wanted = sum(map(len, parts))
            taken.delivered += wanted
            taken.unmatched += len(found) - wanted
            taken.size_bytes += found.size_bytes
        else:
            parts = self._notices(found)
        for part in parts:
            await self._add(part, found, taken)
        if self._sink.gathers:
            self._spool.hand_over(self._number)
            taken.size_bytes = 0

    async def _add(self, part: Slice, found: Chunk | Gap, taken: Taken) -> None:
        if not self._sink.gathers:
            taken.batch.slices.append(part)
            taken.payload_bytes += _payload_bytes(part, found) if self._sink.batching.size_bytes else 0
            return
        before: Encoded | None = taken.batch.encoded[0] if taken.batch.encoded else None
        taken.batch.encoded = [await in_thread(partial(self._sink.encode, part, before))]

    async def _read(self) -> Chunk | Gap | None:
        while True:
            try:
                found = self._spool.read(self._number)
            except OSError as error:
                await self._destination.failed(f"cannot read the spool: {error.strerror}")
            else:
                self._destination.got_through()
                return found

    def _notices(self, gap: Gap) -> list[Slice]:
        """An event that tells of a gap, where the sink's stream can hold one."""
        if not gap.events:
            return []
        self._log.warning(
            f"events {gap.outcome}", about=gap.reason, sink=self._name, reason=gap.reason, events=gap.events
        )
        if not self._sink.told_of_gaps:
            return []
        since, until = gap.first_received_ns or gap.last_received_ns, gap.last_received_ns
        event: dict[str, object] = {
            "time": times.format_rfc3339(until),
            "severity": "warning",
            "message": f"logrouter {_VERBS[gap.outcome]} {gap.events} events here ({gap.reason})",
            f"logrouter.{gap.outcome}": gap.events,
            "logrouter.reason": gap.reason,
            "logrouter.sink": self._name,
            "logrouter.from": times.format_rfc3339(since),
            "logrouter.to": times.format_rfc3339(until),
        }
        chunk = Chunk([encode_document(event)], bytes((Flag.JSON | Flag.NOTICE,)), {}, until)
        chunk.offset = Offset(gap.epoch, gap.first)
        return [self._spool.routers.whole(chunk, self._number)]


def _payload_bytes(part: Slice, found: Chunk | Gap) -> int:
    """Nearly always a sink gets a chunk as it is, whose bytes are known: they need not be counted one by one."""
    if isinstance(found, Chunk) and part.payloads is found.payloads:
        return found.payload_bytes
    return sum(map(len, part.payloads))
