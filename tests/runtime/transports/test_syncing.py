"""Group commit: who shares a hop to a thread, and who does not wait for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from logrouter.runtime.transports.files import Files
from logrouter.runtime.transports.syncing import GroupSync
from logrouter.sinks import Append, SinkContext
from logrouter.sinks.file import FileConfig, FileSink
from logrouter.templates import Template
from logrouter.testing import FaultyDisk

PATIENCE_SECONDS = 5.0
"""What a test waits for a thread before it fails."""
ONE, OTHER = frozenset((1,)), frozenset((2,))


class Gate:
    """A job that hangs until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self._open.wait(PATIENCE_SECONDS)

    def open(self) -> None:
        self._open.set()


def failing(reason: str) -> Callable[[], None]:
    def job() -> None:
        raise OSError(reason)

    return job


async def test_what_comes_at_one_moment_shares_a_hop() -> None:
    syncs, done = GroupSync(), list[str]()
    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(syncs.run, ONE, lambda name=name: done.append(name))
    assert sorted(done) == ["a", "b", "c"]
    assert syncs.hops == 1


async def test_what_comes_meanwhile_goes_together_afterwards() -> None:
    syncs, gate, done = GroupSync(), Gate(), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(syncs.run, ONE, gate)
        await trio.to_thread.run_sync(gate.reached.wait, PATIENCE_SECONDS)
        for name in "ab":
            nursery.start_soon(syncs.run, ONE, lambda name=name: done.append(name))
            await trio.testing.wait_all_tasks_blocked()
        assert not done
        gate.open()
    assert done == ["a", "b"]
    assert syncs.hops == 2


async def test_a_device_that_hangs_holds_up_no_other() -> None:
    syncs, gate, done = GroupSync(), Gate(), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(syncs.run, ONE, gate)
        await trio.to_thread.run_sync(gate.reached.wait, PATIENCE_SECONDS)
        await syncs.run(OTHER, lambda: done.append("other"))
        assert done == ["other"]
        gate.open()


async def test_each_hears_of_its_own_failure_alone() -> None:
    syncs, done = GroupSync(), list[str]()

    async def expect(reason: str) -> None:
        with pytest.raises(OSError, match=reason):
            await syncs.run(ONE, failing(reason))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect, "first")
        nursery.start_soon(syncs.run, ONE, lambda: done.append("between"))
        nursery.start_soon(expect, "last")
    assert done == ["between"]
    assert syncs.hops == 1


async def test_what_has_begun_is_not_cancelled() -> None:
    """The job uses descriptors that its caller closes afterwards."""
    syncs, gate, done = GroupSync(), Gate(), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(syncs.run, ONE, gate)
        nursery.start_soon(syncs.run, ONE, lambda: done.append("waited for"))
        await trio.to_thread.run_sync(gate.reached.wait, PATIENCE_SECONDS)
        nursery.cancel_scope.cancel()
        gate.open()
    assert done == ["waited for"]


async def test_nothing_is_begun_for_who_is_cancelled() -> None:
    syncs, done = GroupSync(), list[str]()
    with trio.CancelScope() as scope:
        scope.cancel()
        await syncs.run(ONE, lambda: done.append("done"))
    assert not done


async def test_those_with_something_to_sync_join(tmp_path: Path) -> None:
    """Two sinks on one device: the sync of the first covers the second, which says that it was asked."""
    syncs, disk = GroupSync(), FaultyDisk()
    sinks = [FileSink(FileConfig(path=Template.parse(name)), SinkContext(name)) for name in "ab"]
    first, second = (Files(sink.handling, syncs, disk=disk) for sink in sinks)
    await first.perform(Append(str(tmp_path / "a"), b"1\n"))
    await second.perform(Append(str(tmp_path / "b"), b"1\n"))
    async with trio.open_nursery() as nursery:
        second.on_sync(lambda: nursery.start_soon(second.sync))
        await first.sync()
    assert disk.calls["fdatasync"] == 2
    assert syncs.hops == 1
    await first.aclose()
    await second.aclose()
