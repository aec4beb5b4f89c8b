"""Tries destinations without sending them an event: `check --connect`.

Each sink that makes requests says in `probe` what it wants to know; here that is asked, of all of them at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

import trio

from logrouter.errors import DestinationError
from logrouter.instructions import Instruction, Now, ReadFile, Request
from logrouter.runtime.small_files import read_file
from logrouter.runtime.transports import Transport, transport_for
from logrouter.runtime.transports.syncing import GroupSync
from logrouter.sinks import Sink

PATIENCE_SECONDS: Final = 20.0
"""How long a destination may take for all that it is asked: a connection alone may take 10 seconds."""


def _connected(sink: Sink[Any]) -> Transport:
    return transport_for(sink, GroupSync())


async def probe_all(
    sinks: Mapping[str, Sink[Any]], *, connect: Callable[[Sink[Any]], Transport] = _connected
) -> dict[str, list[str]]:
    """What is wrong with each destination that can be asked; an empty list where nothing is."""
    found: dict[str, list[str]] = {name: [] for name, sink in sinks.items() if sink.transport == "http"}

    async def ask(name: str) -> None:
        found[name] = await probe(sinks[name], connect(sinks[name]))

    async with trio.open_nursery() as nursery:
        for name in found:
            nursery.start_soon(ask, name)
    return found


async def probe(sink: Sink[Any], transport: Transport) -> list[str]:
    """What is wrong with one."""
    try:
        with trio.move_on_after(PATIENCE_SECONDS):
            return await _converse(sink.probe(), transport)
    except DestinationError as error:
        return [str(error)]
    finally:
        await transport.aclose()
    return [f"it has not said within {PATIENCE_SECONDS:.0f}s whether all is well"]


async def _converse(conversation: Generator[Instruction, Any, list[str]], transport: Transport) -> list[str]:
    reply: Any = None
    error: DestinationError | None = None
    while True:
        try:
            instruction = conversation.throw(error) if error is not None else conversation.send(reply)
        except StopIteration as done:
            wrong: list[str] = done.value
            return wrong
        reply = error = None
        try:
            reply = await _perform(instruction, transport)
        except DestinationError as raised:
            error = raised


async def _perform(instruction: Instruction, transport: Transport) -> Any:
    match instruction:
        case Request():
            return await transport.perform(instruction)
        case ReadFile(path):
            return await read_file(path)
        case Now():
            return time.time_ns()
    return await trio.lowlevel.checkpoint()
