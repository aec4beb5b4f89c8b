from __future__ import annotations

import threading

import trio

from logrouter.instructions import Request, Response
from logrouter.runtime.transports.late import LateTransport
from logrouter.testing import RespondingTransport

OK = Response(200)


def made_late() -> tuple[LateTransport, list[RespondingTransport], list[bool]]:
    """The transport, those that it has made, and for each whether that was in the thread of the loop."""
    made: list[RespondingTransport] = []
    in_loop: list[bool] = []
    loop = threading.get_ident()

    def make() -> RespondingTransport:
        in_loop.append(threading.get_ident() == loop)
        made.append(RespondingTransport(lambda request: OK))
        return made[-1]

    return LateTransport(make), made, in_loop


async def test_it_is_made_once_in_a_thread_when_it_is_first_needed() -> None:
    transport, made, in_loop = made_late()
    transport.reopen()
    assert made == []
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(transport.perform, Request("GET", "/"))
    assert in_loop == [False]
    assert len(made[0].requests) == 3


async def test_it_stands_for_what_was_made() -> None:
    transport, made, _ = made_late()
    assert await transport.perform(Request("GET", "/")) == OK
    transport.reopen()
    assert made[0].reopened == 1
    await transport.aclose()
    assert made[0].closed


async def test_what_was_never_needed_is_closed() -> None:
    transport, made, _ = made_late()
    await transport.aclose()
    assert made == []
