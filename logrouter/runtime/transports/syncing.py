"""Group commit: what several sinks have to sync at one moment shares one hop to a thread.

Sinks that are fed by the same chunks have their syncs due together. A thread for each costs more than the syncs
themselves: whenever a system call returns, it wants the interpreter from the loop, and the loop wants it back. Files
on one device wait for the same disk anyway, so that they are synced one after the other, in one thread: those whose
sync is due, and those who have something to sync and can `join`. What comes while that is at work goes together when
it is done. A device that hangs holds up nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import trio

Devices = frozenset[int]
"""The numbers of the devices (`st_dev`) that a job waits for."""


_PASSES: Final = 3
"""How often the others are let run before a group is closed: to be woken, to take their lock, to come here."""


class _Group:
    """Jobs that go together, and what became of each."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []
        self.errors: list[BaseException | None] = []

    def add(self, job: Callable[[], None]) -> Callable[[], None]:
        """Gives a function to be called once the group is done: it raises what the job has raised."""
        self.jobs.append(job)
        return partial(self._conclude, len(self.jobs) - 1)

    def do(self) -> None:
        """Do each, whatever becomes of the others. Call it in a thread."""
        for job in self.jobs:
            try:
                job()
            except BaseException as error:
                self.errors.append(error)
            else:
                self.errors.append(None)

    def _conclude(self, number: int) -> None:
        error = self.errors[number]
        if error is not None:
            raise error


class GroupSync:
    """Runs jobs in threads, those for the same devices in groups."""

    def __init__(self) -> None:
        self.hops = 0
        """How many threads it took so far."""
        self.joins: list[Callable[[], None]] = []
        """Called when a group is about to be closed, for those who have something to sync as well."""
        self._coming: dict[Devices, _Group] = {}
        """Those whose turn has not come."""
        self._turns: dict[Devices, trio.Lock] = {}

    async def run(self, devices: Devices, job: Callable[[], None]) -> None:
        """Do the job, and raise what it raises. Once begun, it is not cancelled: it uses what the caller holds."""
        await trio.lowlevel.checkpoint_if_cancelled()
        group = self._coming.setdefault(devices, _Group())
        conclude = group.add(job)
        with trio.CancelScope(shield=True):
            async with self._turns.setdefault(devices, trio.Lock()):
                if self._coming.get(devices) is group:  # whoever has come first does it for all
                    await self._gather()
                    del self._coming[devices]
                    self.hops += 1
                    await trio.to_thread.run_sync(group.do)
        conclude()

    async def _gather(self) -> None:
        for join in self.joins:
            join()
        for _ in range(_PASSES):
            await trio.lowlevel.checkpoint()
