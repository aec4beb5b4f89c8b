"""Whose turn it is while there is trouble: somebody always tries, whatever the trouble was and however it ended."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from logrouter.batch import Batching
from logrouter.errors import DestinationError
from logrouter.instructions import Request, Response
from tests.runtime.delivery.answering import Answered, events_of


def failing_once(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but for the first time, when there are no descriptors left."""
    calls = 0

    def failing(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return call(*args)

    return failing


async def test_who_reads_the_spool_leaves_the_trying_to_those_who_send(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Answered(concurrency=4, batching=Batching(events=10), chunks=1000)
    monkeypatch.setattr(run.spool, "read", failing_once(run.spool.read))
    await run.append(0, 10, 20)
    with trio.fail_after(100):
        await run.run()
    assert run.ledger.delivered == 30
    assert run.delivery.trouble is None


async def test_who_could_not_note_leaves_the_trying_to_others(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second batch is there, but cannot be noted as settled at once; then the first one fails."""
    run = Answered(concurrency=4, batching=Batching(events=10), chunks=1000)
    cursor = run.spool.cursors[0]
    monkeypatch.setattr(type(cursor), "keeps_notes", True)
    first = 0

    async def note(sink: int, note: Any) -> None:
        if note.settled and not run.delivery.destination.retries:
            raise OSError(errno.ENOSPC, "No space left on device")
        await trio.lowlevel.checkpoint()

    async def perform(request: Request) -> Response:
        nonlocal first
        if events_of(request)[0][0] == 0:
            first += 1
            await trio.sleep(5)
            if first == 1:
                raise DestinationError("nobody answers")
        return Response(200)

    monkeypatch.setattr(run.spool, "note", note)
    monkeypatch.setattr(run.transport, "perform", perform)
    run.delivery._concurrency.limit = 4.0
    await run.append(0, 10)
    with trio.fail_after(100):
        await run.run()
    assert run.ledger.delivered == 20
