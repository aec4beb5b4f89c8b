"""Whose turn it is while there is trouble: somebody always tries, whatever the trouble was and however it ended."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from logrouter.batch import Batching
from logrouter.errors import DestinationError
from logrouter.instructions import Request, Response
from tests.runtime.delivery.answering import Answered, answer, events_of


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


def refusing(number: int) -> Callable[[Request], Response]:
    """Takes all events but one of each batch in which such a number is."""

    def answering(request: Request) -> Response:
        return answer(*("refuse" if sequence % number == 5 else "ok" for sequence, _ in events_of(request)))

    return answering


async def test_full_dead_letters_are_trouble_until_there_is_room_whatever_is_answered_meanwhile(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """One batch in three holds an event that is refused; the others are taken."""
    run = Answered(refusing(30), seconds=0.1, concurrency=4, batching=Batching(events=10), chunks=10_000)
    run.delivery._concurrency.limit = 4.0
    run.letters.problem = DestinationError("the dead letters are full")
    await run.append(*range(0, 1000, 10))
    nursery.start_soon(run.delivery.run)
    await trio.sleep(1)
    asked = len(run.transport.requests)
    for _ in range(200):
        assert run.delivery.trouble is not None
        assert run.delivery.trouble.reason == "the dead letters are full"
        await trio.sleep(1)
    assert len(run.transport.requests) == asked <= 8, "that sink stops"
    assert [line["message"] for line in run.said].count("delivering again") == 0

    run.letters.problem = None
    run.spool.end()
    await trio.sleep(100)
    assert run.delivery.trouble is None
    assert (run.ledger.delivered, run.ledger.dead_lettered) == (966, {"refused": 34})
    assert [line["message"] for line in run.said].count("delivering again") == 1


async def test_who_tries_a_destination_leaves_it_to_those_that_wait_for_dead_letters(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """The second batch is refused while the first one waits to try again, as nobody has answered it."""
    hangs = trio.Event()

    async def perform(request: Request) -> Response:
        if events_of(request)[0][0] == 0:
            if not hangs.is_set():
                hangs.set()
                raise DestinationError("nobody answers")
            return Response(200)
        await hangs.wait()
        await wait_all_tasks_blocked()
        return answer("refuse", *["ok"] * 9)

    run = Answered(concurrency=2, batching=Batching(events=10), chunks=1000)
    run.transport.perform = perform  # type: ignore[method-assign]
    run.delivery._concurrency.limit = 2.0
    run.letters.problem = DestinationError("the dead letters are full")
    await run.append(0, 10)
    nursery.start_soon(run.delivery.run)
    await trio.sleep(300)
    assert run.delivery.trouble is not None
    run.letters.problem = None
    run.spool.end()
    await trio.sleep(100)
    assert run.delivery.trouble is None
