from __future__ import annotations

import pytest
import trio

from logrouter.errors import DestinationError
from logrouter.instructions import Request, Response
from logrouter.testing import RespondingTransport, playing


async def test_it_answers_by_a_script_and_counts(autojump_clock: trio.testing.MockClock) -> None:
    transport = RespondingTransport(playing([Response(429)], after=Response(204)), seconds=2.0)
    answers: list[Response] = []

    async def ask(body: bytes) -> None:
        answers.append(await transport.perform(Request("POST", "/", body)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, b"a")
        nursery.start_soon(ask, b"bc")
    assert sorted(answer.status for answer in answers) == [204, 429]
    assert sorted(request.sent_bytes for request in transport.requests) == [1, 2]
    assert (transport.most_under_way, transport.under_way, trio.current_time()) == (2, 0, 2.0)


async def test_it_dies_and_hangs(autojump_clock: trio.testing.MockClock) -> None:
    transport = RespondingTransport()
    transport.dead = True
    with pytest.raises(DestinationError, match="nobody answers"):
        await transport.perform(Request("GET", "/"))
    transport.dead, transport.gate = False, trio.Event()
    with trio.move_on_after(10):
        await transport.perform(Request("GET", "/"))
    assert (transport.cancelled, transport.under_way) == (1, 0)
