"""Group commit: what several sinks have to sync at one moment shares one hop to a thread.

Sinks that are fed by the same chunks have their syncs due together. A thread for each costs more than the syncs
themselves: whenever a system call returns, it wants the interpreter from the loop, and the loop wants it back. Files
on one device wait for the same disk anyway, so that they are synced one after the other, in one thread: those whose
sync is due, and those who have something to sync and can `join`. What comes while that is at work goes together when
it is done. A device that hangs holds up nobody else's.

While events pour in each turn of the loop reads and takes apart half a MiB, which takes a millisecond: so a sync begins
after few of them, and no lock is waited for that is free.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import trio

from logrouter.runtime.threads import in_thread

Devices = frozenset[int]
"""The numbers of the devices (`st_dev`) that a job waits for."""


_TURNS: Final = 2
"""How often the others are let run before a group is closed: to be woken, and to come here."""


class _Group:
    """Jobs that go together, and what became of each."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self._jobs: list[Callable[[], None]] = []
        self._errors: list[BaseException | None] = []

    def add(self, job: Callable[[], None]) -> Callable[[], None]:
        """Gives a function to be called once the group is done: it raises what the job has raised."""
        self._jobs.append(job)
        return partial(self._conclude, len(self._jobs) - 1)

    def do(self) -> None:
        """Do each, whatever becomes of the others. Call it in a thread."""
        for job in self._jobs:
            try:
                job()
            except BaseException as error:
                self._errors.append(error)
            else:
                self._errors.append(None)

    def _conclude(self, number: int) -> None:
        error = self._errors[number]
        if error is not None:
            raise error


class GroupSync:
    """Runs jobs in threads, those for the same devices in groups."""

    def __init__(self) -> None:
        self.hops = 0
        """How many threads it took so far."""
        self.joins: list[Callable[[], None]] = []
        """Called when a group begins, for those who have something to sync as well."""
        self._coming: dict[Devices, _Group] = {}
        """Those whose turn has not come."""
        self._at_work: dict[Devices, _Group] = {}

    async def run(self, devices: Devices, job: Callable[[], None]) -> None:
        """Do the job, and raise what it raises. Once begun, it is not cancelled: it uses what the caller holds."""
        await trio.lowlevel.checkpoint_if_cancelled()
        group = self._coming.get(devices)
        leads = group is None
        if group is None:
            group = self._coming[devices] = _Group()
        conclude = group.add(job)
        with trio.CancelScope(shield=True):
            if leads:
                await self._gather(devices)
                await self._do(devices, group)
            else:
                await group.done.wait()
        conclude()

    async def _gather(self, devices: Devices) -> None:
        """Let others come, and those that went before for the same devices finish."""
        for join in self.joins:
            join()
        for _ in range(_TURNS):
            await trio.lowlevel.checkpoint()
        while (before := self._at_work.get(devices)) is not None:
            await before.done.wait()

    async def _do(self, devices: Devices, group: _Group) -> None:
        self._at_work[devices] = self._coming.pop(devices)
        self.hops += 1
        await in_thread(group.do)
        del self._at_work[devices]
        group.done.set()


async def acquire(lock: trio.Lock) -> None:
    """Acquire a lock: at once where it is free. (`async with` lets others run even then.)"""
    try:
        lock.acquire_nowait()
    except trio.WouldBlock:
        await lock.acquire()
