"""One try of a batch: does what the sink asks for, and hears what became of the batch."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import trio

from logrouter.batch import Batch
from logrouter.concurrency import Concurrency
from logrouter.errors import ClosedByPeer, DestinationError, Moved
from logrouter.instructions import (
    Append,
    Delivered,
    Halve,
    Instruction,
    Keep,
    Now,
    Outcome,
    Pause,
    ReadFile,
    Rejected,
    Request,
    Retry,
    Seal,
    Write,
)
from logrouter.runtime.delivery.noting import Noting
from logrouter.runtime.log import Log
from logrouter.runtime.small_files import read_file
from logrouter.runtime.transports import Resumed, Transport
from logrouter.sinks import Conversation, Sink

_OF_ONE = (Delivered, Retry, Rejected)
_OF_ALL = (*_OF_ONE, Halve)

Insist = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Does something again and again, until it raises no DestinationError."""


class Conversing:
    """Converses with one sink about its batches."""

    def __init__(
        self,
        name: str,
        sink: Sink[Any],
        transport: Transport,
        log: Log,
        insist: Insist,
        concurrency: Concurrency,
        learn: Callable[[Batch, int], None],
    ) -> None:
        """`learn` is told how many bytes a batch was on its way, by requests."""
        self.sent_bytes = 0
        self.under_way = 0
        """Requests that are not answered yet."""
        self._name = name
        self._sink = sink
        self._transport = transport
        self._log = log
        self._insist = insist
        self._concurrency = concurrency
        self._learn = learn

    async def attempt(self, batch: Batch, noting: Noting, *, distrust: bool = False) -> Outcome:
        """Try once. `distrust`: a sync has failed since it was noted. Raises ClosedByPeer.

        Where nobody answers, it is a Retry. A sink that fails by itself must have met an event that it cannot cope
        with: halving finds it.
        """
        conversation = self._conversation(batch)
        reply: Any = None
        error: DestinationError | None = None
        sent_bytes = 0
        try:
            while True:
                instruction = conversation.throw(error) if error is not None else conversation.send(reply)
                reply = error = None
                try:
                    reply = await self._perform(instruction, batch, noting, distrust)
                except ClosedByPeer:
                    raise
                except DestinationError as raised:
                    error = raised
                except (MemoryError, OSError, RuntimeError) as raised:  # no thread can be started: no event's fault
                    error = DestinationError(f"{type(raised).__name__}: {raised}")
                if isinstance(instruction, Request):
                    sent_bytes += instruction.sent_bytes
        except StopIteration as done:
            self._learn(batch, sent_bytes)
            return _checked(done.value, batch)
        except ClosedByPeer:
            raise
        except DestinationError as raised:
            return Retry(str(raised))
        except Exception as raised:
            return Halve("sink_failed", f"{type(raised).__name__}: {raised}")
        finally:
            conversation.close()

    def _conversation(self, batch: Batch) -> Conversation:
        """What the sink says. One that cannot even begin fails here, as it would later."""
        return (yield from self._sink.send(batch))

    async def _perform(self, instruction: Instruction, batch: Batch, noting: Noting, distrust: bool) -> Any:
        match instruction:
            case Append() | Write():
                return await self._write(instruction, noting, distrust)
            case Request():
                await noting.ensure()
                return await self._request(instruction)
            case Seal(memo):
                await noting.seal(memo)
                batch.memo = memo
            case Keep():
                await self._transport.perform(instruction)
            case Now():
                return time.time_ns()
            case ReadFile(path):
                return await read_file(path)
            case Pause():
                await trio.lowlevel.checkpoint()
        return None

    # ── requests ──

    async def _request(self, request: Request) -> Any:
        self.under_way += 1
        begun = trio.current_time()
        try:
            response = await self._transport.perform(request)
            self._concurrency.answered(trio.current_time() - begun, self.under_way)
        finally:
            self.under_way -= 1
        self.sent_bytes += request.sent_bytes
        return response

    # ── files and streams: tried again until they succeed ──

    async def _write(self, instruction: Append | Write, noting: Noting, distrust: bool) -> Any:
        doubts = self._transport.doubts
        how = await self._resume(instruction, noting, distrust)
        if self._transport.doubts > doubts:
            place = getattr(instruction, "path", "")
            self._log.warning("sent again, as nobody can tell whether it has arrived", sink=self._name, place=place)
        if how == "new":
            await self._insist(partial(self._seal, instruction, noting))
        if how == "whole":
            return None
        while True:  # note again where it is about to be written, whenever that has changed
            try:
                reply = await self._insist(partial(self._transport.perform, instruction))
                break
            except Moved:
                await self._insist(partial(self._seal, instruction, noting))
        self.sent_bytes += len(instruction.data)
        return reply

    async def _resume(self, instruction: Append | Write, noting: Noting, distrust: bool) -> Resumed:
        place = noting.places.pop(getattr(instruction, "path", ""), None)
        if place is None:
            return "new"
        how: Resumed = await self._insist(partial(self._transport.resume, instruction, place, distrust))
        return how

    async def _seal(self, instruction: Append | Write, noting: Noting) -> None:
        """Write down what is about to be sent, and where to."""
        place = await self._transport.seal(instruction, noting.keeps)
        await noting.add_place(place, getattr(instruction, "of", 1))


def _checked(outcome: Outcome, batch: Batch) -> Outcome:
    """What a sink says, which may come from elsewhere, if it is about these events."""
    if isinstance(outcome, _OF_ALL):
        return outcome
    odd: Any = outcome
    if not isinstance(odd, Sequence) or not all(isinstance(each, _OF_ONE) for each in odd):
        return Halve("sink_failed", f"{type(odd).__name__} is no outcome")
    if len(outcome) != len(batch):
        return Halve("sink_failed", f"{len(outcome)} outcomes for {len(batch)} events")
    return outcome
