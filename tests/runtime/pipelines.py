"""Small pipelines for tests: routed chunks without a source, delivered to sinks that do as they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from logrouter.cursors import Ledger, State
from logrouter.event import Chunk, Flag
from logrouter.policy import SinkRouting
from logrouter.routing import Router
from logrouter.rules import Rule
from logrouter.runtime.delivery import Delivery
from logrouter.runtime.log import Log
from logrouter.runtime.spool.cursor import Cursor, WhenFull
from logrouter.runtime.spool.local import LocalSpool
from logrouter.sinks import SinkConfig, SinkContext
from logrouter.testing import RecordingSink, RecordingTransport

EVENT_BYTES = 1000
CHUNK_BYTES = 10 * (EVENT_BYTES + 60) + 900
"""What a chunk of ten such events costs in the spool."""


class Pipeline:
    """A router, a spool and a delivery for each sink."""

    def __init__(
        self,
        sinks: dict[str, RecordingTransport],
        *,
        matches: dict[str, str] | None = None,
        when_full: dict[str, WhenFull] | None = None,
        chunks: int = 10,
        block_timeout_seconds: float = 10.0,
    ) -> None:
        self.transports = sinks
        self.router = make_router(list(sinks), matches or {})
        policies = when_full or {}
        self.said: list[bytes] = []
        log = Log("info", write=self.said.append)
        self.spool = memory_spool(
            [new_cursor(name, policies.get(name, "block")) for name in sinks],
            self.router,
            log,
            epoch=7,
            budget_bytes=chunks * CHUNK_BYTES,
            block_timeout_seconds=block_timeout_seconds,
        )
        self.deliveries = [
            Delivery(number, name, RecordingSink(SinkConfig(), SinkContext(name)), transport, self.spool, log)
            for number, (name, transport) in enumerate(sinks.items())
        ]

    def chunk(self, first: int, events: int = 10) -> Chunk:
        """Routed events numbered from `first`."""
        return routed_chunk(self.router, first, events)

    async def append(self, first: int, events: int = 10, *, live: bool = True) -> None:
        await self.spool.append(self.chunk(first, events), live=live)


def new_cursor(name: str, when_full: WhenFull = "block") -> Cursor:
    """Of a sink that has seen nothing yet."""
    return Cursor(name, when_full, State(name, 0, 0, Ledger()))


def memory_spool(cursors: Sequence[Cursor], router: Router, log: Log | None = None, **options: Any) -> LocalSpool:
    """A spool without a folder."""
    return LocalSpool(dict(enumerate(cursors)), router, log or Log("error", write=lambda line: None), **options)


def make_router(names: Sequence[str], matches: dict[str, str]) -> Router:
    return Router([SinkRouting(name, Rule.parse(matches[name]) if name in matches else None) for name in names])


def payload(number: int) -> bytes:
    """An event of EVENT_BYTES that knows its number."""
    start = b'{"n":%d,"x":"' % number
    return start + b"x" * (EVENT_BYTES - len(start) - 2) + b'"}'


def routed_chunk(router: Router, first: int, events: int = 10) -> Chunk:
    payloads = [payload(number) for number in range(first, first + events)]
    (chunk,) = router.route(Chunk(payloads, bytes([Flag.JSON]) * events, {"source": "test"}, first))
    return chunk


def numbers(lines: Sequence[bytes]) -> list[int]:
    """The numbers of events that were delivered, notices left out."""
    return [int(line[5 : line.index(b",")]) for line in lines if line.startswith(b'{"n":')]
