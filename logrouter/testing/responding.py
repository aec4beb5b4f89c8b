"""An HTTP destination without sockets or bytes: a function is its server. For tests of delivery, on virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from logrouter.errors import DestinationError
from logrouter.instructions import Request, Response
from logrouter.runtime.transports import PlainTransport

Answering = Callable[[Request], Response]
"""Raises DestinationError where nobody is to answer."""
_OK = Response(200)


class RespondingTransport(PlainTransport):
    """Answers each `Request` as the function says, after `seconds`; keeps what it was asked."""

    def __init__(self, answer: Answering | None = None, *, seconds: float = 0.0) -> None:
        self.answer = answer or (lambda request: Response(200))
        self.seconds = seconds
        """How long a request takes. Time is trio's, so it may be virtual."""
        self.dead = False
        """Whether nobody answers."""
        self.gate = trio.Event()
        """Nothing is answered before it is set: give it a new one to make the destination hang."""
        self.gate.set()
        self.requests: list[Request] = []
        """All that was asked, in the order in which it came."""
        self.under_way = 0
        self.most_under_way = 0
        self.cancelled = 0
        """How many requests were given up before they were answered."""
        self.reopened = 0
        self.closed = False

    async def perform(self, instruction: Request) -> Response:
        """Ask the function. Raises DestinationError while it is dead, or where the function does."""
        self.requests.append(instruction)
        instruction.sent_bytes = len(instruction.whole_body)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
            await trio.sleep(self.seconds)
        except trio.Cancelled:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        if self.dead:
            raise DestinationError("nobody answers")
        return self.answer(instruction)

    async def aclose(self) -> None:
        """Note that it was closed."""
        await trio.lowlevel.checkpoint()
        self.closed = True

    def reopen(self) -> None:
        """Count it."""
        self.reopened += 1


def playing(script: Mapping[int, Response] | list[Response], after: Response = _OK) -> Answering:
    """Answers by a script: one after the other, or those at some places, counted from 0; every other is `after`."""
    given = script if isinstance(script, Mapping) else dict(enumerate(script))
    asked = 0

    def answer(request: Request) -> Response:
        nonlocal asked
        asked += 1
        return given.get(asked - 1, after)

    return answer
