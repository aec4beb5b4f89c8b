"""Where no thread can be started, what would have run in one runs all the same."""

from __future__ import annotations

import threading

import pytest
import trio

from logrouter.compression import compress
from logrouter.runtime.threads import in_thread
from logrouter.runtime.transports.compressing import compressed
from logrouter.testing import CrashingDisk
from tests.runtime.delivery.test_collecting import gathering
from tests.runtime.pipelines import make_router, routed_chunk
from tests.runtime.spool.model import open_spool, settings_for


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """None can be started: a limit of processes is reached."""

    async def run_sync(*args: object, **options: object) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


async def test_it_runs_in_a_thread() -> None:
    assert await in_thread(threading.get_ident) != threading.get_ident()


@pytest.mark.usefixtures("no_threads")
async def test_where_there_is_none_it_runs_here() -> None:
    assert await in_thread(threading.get_ident) == threading.get_ident()


async def test_what_it_raises_is_raised_and_it_is_called_once() -> None:
    calls: list[int] = []

    def failing() -> None:
        calls.append(1)
        raise RuntimeError("by itself")

    with pytest.raises(RuntimeError, match="by itself"):
        await in_thread(failing)
    assert calls == [1]


@pytest.mark.usefixtures("no_threads")
async def test_bodies_are_compressed_all_the_same() -> None:
    body = b"x" * 200_000
    assert await compressed([body], "gzip", 1) == compress(body, "gzip", 1)


@pytest.mark.usefixtures("no_threads")
async def test_a_sink_that_gathers_goes_on() -> None:
    run = gathering()
    await run.append(*range(0, 80, 10))
    await run.run()
    assert (run.ledger.delivered, run.said) == (80, [])


@pytest.mark.usefixtures("no_threads")
async def test_events_become_safe_all_the_same(nursery: trio.Nursery) -> None:
    """Where power loss may take nothing, the log is synced before they are."""
    disk, router = CrashingDisk(), make_router(["a"], {})
    spool = open_spool(disk, 1, settings_for("sync", "a"), [], router=router)
    nursery.start_soon(spool.maintain)
    chunk = routed_chunk(router, 0)
    await spool.append(chunk)
    with trio.fail_after(10):
        await spool.safe(chunk.end)
    disk.crash(power=True)
    again = open_spool(disk, 2, settings_for("sync", "a"), [], router=router)
    assert again.appended == len(chunk)
    nursery.cancel_scope.cancel()
