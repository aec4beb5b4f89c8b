"""Sinks that send to a real server without the runtime: what they ask for is done by the real transport."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import trio

from logrouter.endpoint import Endpoint
from logrouter.event import Chunk, Offset
from logrouter.policy import SinkRouting
from logrouter.projection import Projection
from logrouter.routing import Router
from logrouter.runtime.transports.http import HttpTransport
from logrouter.sinks import Batch, Outcome, Request, Response
from logrouter.testing import converse

EPOCH = 2**63 + 5
ATTRIBUTES = {"source": "app", "stream": "stdin", "host": "web-1"}


def batch_for(sink: Any, lines: list[bytes], first: int = 0, received_ns: int | None = None) -> Batch:
    """The lines as routing hands them to the sink, the first of them under this sequence; received now if not said."""
    router = Router([SinkRouting("sink", None, sink.templates, sink.included_keys, sink.wants_times)])
    flags, _ = Projection([]).recognise(lines, b"\n".join(lines))
    chunk = Chunk(lines, flags, ATTRIBUTES, time.time_ns() if received_ns is None else received_ns)
    chunk.offset = Offset(EPOCH, first)
    parts = [router.slice(piece, 0) for piece in router.route(chunk)]
    return Batch([part for part in parts if part is not None])


def over_http(endpoint: Endpoint) -> Callable[[Request], Response]:
    """What performs requests there, each on a connection of its own."""

    async def once(request: Request) -> Response:
        transport = HttpTransport(endpoint)
        try:
            return await transport.perform(request)
        finally:
            await transport.aclose()

    return lambda request: trio.run(once, request)


def send(sink: Any, batch: Batch) -> Outcome:
    """What the sink says of a batch."""
    return converse(sink.send(batch), over_http(sink.endpoint), time.time_ns())[1]


def probe(sink: Any) -> list[str]:
    """What the sink finds wrong with its server."""
    found = converse(sink.probe(), over_http(sink.endpoint))[1]
    assert isinstance(found, list), found
    return found
