"""A sink that makes requests, its server as a dictionary, and a pipeline of them, for tests of delivery."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec

from logrouter.batch import Batch, Batching
from logrouter.cursors import State
from logrouter.dead_letters import DeadLetter
from logrouter.instructions import Delivered, EventOutcome, Halve, Outcome, Rejected, Request, Response, Retry
from logrouter.policy import SinkRouting
from logrouter.routing import Router
from logrouter.runtime.delivery import Delivery
from logrouter.runtime.log import Log
from logrouter.runtime.spool.local import LocalSpool
from logrouter.sinks import Conversation, RetryPolicy, Sink, SinkConfig, SinkContext, Transport
from logrouter.testing import RespondingTransport
from tests.runtime.pipelines import CHUNK_BYTES, memory_spool, new_cursor, routed_chunk

OUTCOMES: dict[str, EventOutcome] = {
    "ok": Delivered(),
    "there": Delivered(duplicates=1),
    "doubtful": Delivered(doubts=1),
    "retry": Retry("later"),
    "too much": Retry("too much", congested=True),
    "refuse": Rejected("refused", "it said so"),
    "too long": Rejected("too_long", "300 of 200 bytes"),
}


class AnsweredSink(Sink[SinkConfig]):
    """Sends `[[sequence, payload], …]`. The answer's body is a word of OUTCOMES for each event; nothing: all well."""

    Config = SinkConfig
    transport: ClassVar[Transport] = "http"
    ordered: ClassVar[bool] = False

    def send(self, batch: Batch) -> Conversation:
        events = [
            (sequence, payload.decode())
            for part in batch.slices
            for sequence, payload in zip(part.sequences, part.payloads, strict=True)
        ]
        response = yield Request("POST", "/", msgspec.json.encode(events))
        return outcome_of(response)


def outcome_of(response: Response) -> Outcome:
    if response.status in (400, 413):
        return Halve(f"status {response.status}")
    if response.status != 200:
        return Retry(f"status {response.status}", response.retry_after_seconds, response.status == 429)
    return [OUTCOMES[word] for word in msgspec.json.decode(response.body)] if response.body else Delivered()


def events_of(request: Request) -> list[tuple[int, str]]:
    """What a request holds: sequence and payload of each event."""
    return msgspec.json.decode(request.body, type=list[tuple[int, str]])


def answer(*words: str) -> Response:
    """A word for each event."""
    return Response(200, body=msgspec.json.encode(words))


class Letters:
    """Keeps dead letters as the real store does: each once."""

    def __init__(self) -> None:
        self.kept: dict[int, DeadLetter] = {}
        self.problem: Exception | None = None
        """Raised instead of keeping any."""

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        if self.problem is not None:
            raise self.problem
        for letter in letters:
            self.kept.setdefault(letter.sequence, letter)


class Answered:
    """A router, a spool in memory and one delivery, whose destination answers as a function says."""

    def __init__(
        self,
        answering: Callable[[Request], Response] | None = None,
        *,
        seconds: float = 0.0,
        batching: Batching | None = None,
        concurrency: int = 1,
        retry: RetryPolicy | None = None,
        chunks: int = 100,
        on_reject: str = "keep",
        sink: type[Sink[Any]] = AnsweredSink,
        state: State | None = None,
        when_full: Any = "block",
        log_clock: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.router = Router([SinkRouting("a")])
        self.said: list[dict[str, Any]] = []
        log = Log("info", write=lambda line: self.said.append(msgspec.json.decode(line)), monotonic=log_clock)
        cursor = new_cursor("a", when_full)
        if state is not None:
            cursor.state = state
            cursor.next = state.committed
        self.spool: LocalSpool = memory_spool(
            [cursor], self.router, log, epoch=7, budget_bytes=chunks * CHUNK_BYTES, block_timeout_seconds=10
        )
        self.transport = RespondingTransport(answering, seconds=seconds)
        self.letters = Letters()
        self.sink = sink(SinkConfig(), SinkContext("a"))
        self.sink.concurrency = concurrency
        self.sink.batching = batching or Batching()
        self.sink.retry = retry or RetryPolicy()
        self.sink.on_reject = on_reject  # type: ignore[assignment]  # one of its words
        self.delivery = Delivery(
            *(0, "a", self.sink, self.transport, self.spool, log),
            dead_letters=self.letters,
            clock_ns=clock_ns,
        )

    async def append(self, *numbers: int, events: int = 10) -> None:
        """Chunks of events that are numbered from these."""
        for number in numbers:
            await self.spool.append(routed_chunk(self.router, number, events))

    async def run(self) -> None:
        """Deliver all there is."""
        self.spool.end()
        await self.delivery.run()

    @property
    def ledger(self) -> Any:
        return self.spool.ledger(0)

    @property
    def sequences(self) -> list[list[int]]:
        """Those of each request."""
        return [[sequence for sequence, _ in events_of(request)] for request in self.transport.requests]
