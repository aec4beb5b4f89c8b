"""Which router routes what, where one has followed another: each chunk the one that was in force when it was appended.

    sequence    0 ──────────── 1200 ─────────── 4810 ───────▶
    router      │ first        │ second         │ third: new chunks
    sinks       │ 0, 1         │ 0, 1, 2        │ 0, 3         removed: 1 and 2; 3 takes over from 1

So a reload changes nothing of what was read before it: a batch that is noted comes out the same when it is made again,
and a sink that was removed gets what it was to get. A number is one sink with one set of options, and is never used
again. A sink that came later, and begins with older events or takes over from another, has them routed by the first
router that knows it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

from logrouter.batch import Slice
from logrouter.chain.named import Tally
from logrouter.event import Chunk
from logrouter.positions import encode_behind
from logrouter.routing import Routed, Router


class Routers:
    """The routers whose chunks somebody may still read, and from where on each is in force."""

    def __init__(self, router: Router) -> None:
        self._routers = [router]
        self._firsts = [0]
        self._slow_events = 0
        self._failed: Counter[tuple[str, str]] = Counter()
        """Both of those that are forgotten."""

    @property
    def current(self) -> Router:
        """The one that routes what is new."""
        return self._routers[-1]

    @property
    def slow_events(self) -> int:
        """How many events went the slow way so far."""
        return self._slow_events + sum(router.projection.slow_events for router in self._routers)

    @property
    def tallies(self) -> list[tuple[str, Tally]]:
        """What is counted of the steps of routes, with the names of these."""
        return [named for router in self._routers for named in router.tallies.items()]

    @property
    def failed(self) -> Counter[tuple[str, str]]:
        """By route and step: events on which it has failed, each as often as it was made for some sink."""
        return sum((_failed(router) for router in self._routers), self._failed)

    def follow(self, router: Router, first: int) -> None:
        """From this sequence on another router is in force."""
        self._routers.append(router)
        self._firsts.append(first)

    def forget(self, before: int) -> None:
        """Nobody will read what stands before this sequence."""
        while len(self._routers) > 1 and self._firsts[1] <= before:
            forgotten = self._routers.pop(0)
            self._slow_events += forgotten.projection.slow_events
            self._failed += _failed(forgotten)
            self._firsts.pop(0)

    def route(self, chunk: Chunk) -> list[Chunk]:
        """Route a chunk that was appended once. Gives the chunk, or its pieces where it must be cut."""
        place = bisect_right(self._firsts, chunk.offset.sequence) - 1
        return _routed(self._routers[max(0, place)], chunk)

    def renewed(self, chunk: Chunk) -> list[Chunk]:
        """A chunk that is about to be appended, at its offset. Routed anew where its router is not in force any more:
        while it waited for room another one has followed."""
        assert isinstance(chunk.routed, Routed)
        return [chunk] if chunk.routed.router is self.current else _routed(self.current, chunk)

    def slices(self, chunk: Chunk, sink: int) -> list[Slice]:
        """What a sink gets of a routed chunk: nearly always one slice, none where that is nothing."""
        assert isinstance(chunk.routed, Routed)
        router, pieces = chunk.routed.router, [chunk]
        if sink not in router.places:
            router = self._that_knows(sink)
            pieces = _routed(router, _copy_of(chunk))
        return [part for piece in pieces if (part := router.slice(piece, sink)) is not None]

    def whole(self, chunk: Chunk, sink: int) -> Slice:
        """All of a chunk for one sink, whatever the rules say."""
        return self._that_knows(sink).whole(chunk, sink)

    def _that_knows(self, sink: int) -> Router:
        return next(router for router in self._routers if sink in router.places)


def _failed(router: Router) -> Counter[tuple[str, str]]:
    counts = {(route, step): count for route, tally in router.tallies.items() for step, count in tally.failed.items()}
    return Counter(counts)


def _routed(router: Router, chunk: Chunk) -> list[Chunk]:
    """The chunk, routed, or its pieces: each at its offset, and with how far its source has been read by then."""
    first, begun = chunk.offset, chunk.begun
    pieces = router.route(chunk)
    for piece in pieces:
        piece.offset = first
        first = piece.end
    if begun is not None:  # one after the other is written down, and a kill may come between
        for piece in pieces[:-1]:
            piece.position = encode_behind(begun, piece.end.sequence - chunk.offset.sequence)
    return pieces


def _copy_of(chunk: Chunk) -> Chunk:
    """The same events, not routed: others share the chunk."""
    copy = Chunk(chunk.payloads, chunk.flags, chunk.attributes, chunk.received_ns, chunk.payload_bytes)
    copy.offset = chunk.offset
    return copy
