"""Whether a destination takes anything at present: told by all batches on their way to it, waited for by all.

    works ── failed ──▶ in trouble: one batch tries again, after longer and longer waits; all others wait for it
      ▲                     │
      └──── an answer ──────┘

So a destination that is down sees one request at a time, after random waits of up to `cap_seconds`, however many
batches wait; and what is wrong with it is said once. Where it takes some events of a batch, it works: those that it
leaves are tried again alone, stop nobody, and are trouble when that lasts.

What is not the destination's (`ours`: dead letters that cannot be kept, a spool that cannot be written) no answer of it
puts right. While that lasts, only those try that wait for it, and nothing is sent.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import trio
from msgspec.structs import replace

from logrouter import times
from logrouter.backoff import Backoff
from logrouter.errors import ClosedByPeer, DestinationError, Moved
from logrouter.runtime.log import Log
from logrouter.sinks import RetryPolicy

LASTING_SECONDS: Final = 60.0
"""Events that are not taken for so long, while others are, are trouble."""
LONGEST_WAIT_SECONDS: Final = 3600.0
"""How long a destination is left alone at most, whatever it asks for: a slip in a `Retry-After` is not to stop a sink
for years."""
TELL_SECONDS: Final = 60.0
"""How often it is said that nothing is taken, while a wait lasts."""
HURRIED_SECONDS: Final = 1.0
"""How long a try that has failed is waited after, at most, once the end is near."""


class Trouble(msgspec.Struct, frozen=True):
    """Why a sink gets nothing at present, and since when (seconds since 1970)."""

    reason: str
    since: float

    @property
    def began(self) -> str:
        """Since when, as RFC 3339."""
        return times.format_rfc3339(int(self.since) * 10**9)


class _Left(msgspec.Struct, frozen=True):
    """Events of one batch that are not taken while others are."""

    trouble: Trouble
    at: float
    """In trio's time."""


class Destination:
    """What is known of one sink's destination."""

    def __init__(self, sink: str, log: Log, retry: RetryPolicy) -> None:
        self.trouble: Trouble | None = None
        self.retries = 0
        """Tries that have failed."""
        self.last_failure = ""
        """Why the last of them did, of those that took nothing."""
        self._sink = sink
        self._log = log
        self._retry = retry
        self._backoff = self.new_backoff()
        self._hurried = trio.Event()
        self._failing_since: float | None = None
        self._has_worked = False
        self._ours: set[trio.lowlevel.Task] = set()
        """Who waits for what is not the destination's."""
        self._trying: trio.lowlevel.Task | None = None
        """Who tries, while there is trouble."""
        self._left: dict[int, _Left] = {}
        """By the first event of the batch, the oldest first."""
        self._changed = trio.lowlevel.ParkingLot()
        self.is_trusted: Callable[[], bool] = lambda: True
        """Whether an answer says that all is well: not while a sync has failed that no other has made good."""
        self.before_waiting: Callable[[], None] = lambda: None
        """Called when a try has failed: what was sent before may be due."""

    @property
    def failing_seconds(self) -> float:
        """For how long nothing has been taken."""
        return 0.0 if self._failing_since is None else trio.current_time() - self._failing_since

    def new_backoff(self) -> Backoff:
        """For somebody who waits by himself."""
        return Backoff(random.random, self._retry.initial_seconds, self._retry.cap_seconds)

    async def insist(self, act: Callable[[], Awaitable[Any]], *, ours: bool = False) -> Any:
        """Do something again and again, until it succeeds. `ours`: it is none of the destination's.

        Raises ClosedByPeer, Moved.
        """
        task = trio.lowlevel.current_task()
        try:
            while True:
                try:
                    reply = await act()
                    break
                except (ClosedByPeer, Moved):
                    raise
                except DestinationError as error:
                    if ours:
                        self._ours.add(task)
                    await self.failed(str(error))
        finally:
            self._ours.discard(task)
        self.got_through()
        return reply

    async def wait_turn(self) -> None:
        """Until it works, or the caller is the one that tries it."""
        task = trio.lowlevel.current_task()
        if self._trying is task and not self._may_try(task):
            self.let_others_try()
        while self.trouble is not None and not self._may_try(task):
            await self._changed.park()
        if self.trouble is not None:
            self._trying = task

    def _may_try(self, task: trio.lowlevel.Task) -> bool:
        return self._trying in (None, task) and (not self._ours or task in self._ours)

    async def failed(self, reason: str, after_seconds: float | None = None) -> None:
        """Nothing was taken: returns when the caller may try again."""
        task = trio.lowlevel.current_task()
        self.before_waiting()
        self.retries += 1
        self.last_failure = reason
        self._tell(reason)
        if not self._may_try(task):
            await self.wait_turn()  # somebody else tries it
            return
        self._trying = task
        try:
            await self._wait_and_tell(max(self._backoff.next_seconds(), after_seconds or 0.0))
        except BaseException:
            self.let_others_try()
            raise

    async def left_some_of(self, first: int, reason: str, seconds: float) -> None:
        """Some events of the batch that begins there were not taken, while others were: waits for so long."""
        self.retries += 1
        self._left.setdefault(first, _Left(Trouble(reason, time.time()), trio.current_time()))
        await self.pause(seconds)

    def takes_all_of(self, first: int) -> None:
        """The batch that begins there is settled."""
        if self._left.pop(first, None) is not None and not self._left:
            self._log.over("what was not taken is settled", trouble="some events are not taken", sink=self._sink)

    @property
    def leaves_some(self) -> bool:
        """Whether it does not take some events, for however short a time, though it takes others."""
        return bool(self._left)

    @property
    def trouble_with_some(self) -> Trouble | None:
        """Why it does not take some events for long, though it takes others."""
        for left in self._left.values():
            return left.trouble if trio.current_time() >= left.at + LASTING_SECONDS else None
        return None

    async def pause(self, seconds: float) -> None:
        """Leave it alone for so long, or less where the end is near."""
        seconds = min(seconds, LONGEST_WAIT_SECONDS)
        if self._hurried.is_set():
            await trio.sleep(min(seconds, HURRIED_SECONDS))
        else:
            with trio.move_on_after(seconds):
                await self._hurried.wait()

    def got_through(self) -> None:
        """What the caller may have failed at before is done: no answer, but nobody else is to wait for it to try."""
        if self._trying is trio.lowlevel.current_task():
            self.works()

    def works(self) -> None:
        """It has answered."""
        if not self.is_trusted():
            return
        if self._ours:
            if self._trying is trio.lowlevel.current_task():
                self.let_others_try()
            return
        self._backoff.reset()
        if self.trouble is not None:
            self._log.over("delivering again", trouble="cannot deliver", sink=self._sink, since=self.trouble.began)
            self.trouble = self._failing_since = None
            self.let_others_try()
        elif not self._has_worked:  # after a reload that has mended it
            self._log.over("delivering again", trouble="cannot deliver", sink=self._sink)
        self._has_worked = True

    def let_others_try(self) -> None:
        """Whoever tries it has ended."""
        self._trying = None
        self._changed.unpark_all()

    def hurry(self) -> None:
        """The end is near: try again now, and often."""
        self._hurried.set()

    async def _wait_and_tell(self, seconds: float) -> None:
        """Wait as `pause` does, and say once a minute what for."""
        rest = min(seconds, LONGEST_WAIT_SECONDS)
        while rest > TELL_SECONDS and not self._hurried.is_set() and self.trouble is not None:
            await self.pause(TELL_SECONDS)
            self._tell(self.trouble.reason)
            rest -= TELL_SECONDS
        await self.pause(rest)

    def _tell(self, reason: str) -> None:
        if self.trouble is None:
            self.trouble = Trouble(reason, time.time())
            self._failing_since = trio.current_time()
        self.trouble = replace(self.trouble, reason=reason)
        self._log.error("cannot deliver", sink=self._sink, reason=reason, since=self.trouble.began)
