"""Whether a sink keeps up: where it does not, although its destination works, that is said once a minute.

A sink lags when, for half a minute, the oldest event that waits for it has been older than half a minute (beside what
the sink waits for others to come), and it has not taken clearly more than has come, nor does it now. So neither a
backlog that is being worked off is told of, as after an outage, nor a burst; a full spool is, where sources wait and no
more comes than the sink takes.

It is looked at every few seconds. A destination that has taken nothing at all for half a minute, or leaves some events
of a batch, is in trouble, which says more: then nothing is known of a lag.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
import trio

from logrouter import times
from logrouter.concurrency import Concurrency
from logrouter.cursors import Ledger
from logrouter.runtime.delivery.collecting import Collector
from logrouter.runtime.delivery.conversing import Conversing
from logrouter.runtime.delivery.destination import TELL_SECONDS, Destination
from logrouter.runtime.log import Log
from logrouter.runtime.spool import Spool
from logrouter.sinks import Sink

LOOK_SECONDS: Final = 5.0
"""How often is looked."""
LAG_SECONDS: Final = 30.0
"""How old the oldest event may be, and for how long it may be older."""
CATCHING_UP: Final = 1.1
"""A sink that takes so many times what comes will have caught up some time."""
_BUSY: Final = 0.75
"""Requests hold a sink back when so much of what was allowed to be under way was, on average."""


class Lag(msgspec.Struct, frozen=True):
    """How far behind a sink is that does not keep up. Events are all that were read, also those it does not want."""

    since: str
    """RFC 3339."""
    behind_seconds: float
    """How old the oldest event is that waits."""
    behind_events: int
    behind_bytes: int
    """About what they take in the spool."""
    comes_per_second: float
    takes_per_second: float
    """Both in events, over the last half minute."""
    limit: str | None
    """What holds it back, as far as that is known."""


class _Look(msgspec.Struct, frozen=True):
    """What was seen at one time."""

    at: float
    """In trio's time."""
    behind_seconds: float
    read: int
    """Events that have come since the log began."""
    taken: int
    """Those that the sink has settled, without what was given up."""
    retries: int
    """Tries that have failed."""
    under_way: int
    """Requests."""
    allowed: int
    """Requests that could be under way: what its destination takes at once, as far as there is memory for them."""


class Lagging:
    """Looks after one sink."""

    def __init__(
        self,
        number: int,
        name: str,
        sink: Sink[Any],
        spool: Spool,
        collector: Collector,
        conversing: Conversing,
        destination: Destination,
        concurrency: Concurrency,
        log: Log,
        clock_ns: Callable[[], int],
    ) -> None:
        """`clock_ns` gives nanoseconds since 1970: when events were received is told so."""
        self._number = number
        self._name = name
        self._sink = sink
        self._spool = spool
        self._collector = collector
        self._conversing = conversing
        self._destination = destination
        self._concurrency = concurrency
        self._log = log
        self._clock_ns = clock_ns
        self._looks: deque[_Look] = deque()
        """Those of the last half minute, and the one before."""
        self._since: str | None = None
        """Since when it lags, as RFC 3339; None: it keeps up."""
        self._told_at = float("-inf")

    def look(self) -> None:
        """Look whether it keeps up, if it is time to, and say so if not."""
        now = trio.current_time()
        if self._looks and now < self._looks[-1].at + LOOK_SECONDS:
            return
        self._looks.append(self._see(now))
        while len(self._looks) > 1 and self._looks[1].at <= now - LAG_SECONDS:
            self._looks.popleft()
        if self._destination.leaves_some or self._destination.failing_seconds > LAG_SECONDS:
            self._looks.clear()
            self._since = None
        elif self._looks[-1].behind_seconds <= self._tolerated_seconds:
            self._keeps_up()
        elif self._falls_behind(now):
            self._since = self._since or times.format_rfc3339((self._clock_ns() // 10**9 - int(LAG_SECONDS)) * 10**9)
            self._tell(now)

    @property
    def lag(self) -> Lag | None:
        """How far behind it is; None: it keeps up."""
        if self._since is None:
            return None
        seconds = self._looks[-1].at - self._looks[0].at
        come, taken = self._since_look(0)
        return Lag(
            since=self._since,
            behind_seconds=round(self._behind_seconds(), 3),
            behind_events=self._spool.waiting(self._number),
            behind_bytes=self._spool.waiting_bytes(self._number),
            comes_per_second=round(come / seconds, 1),
            takes_per_second=round(taken / seconds, 1),
            limit=self._limit(),
        )

    # ── looking ──

    def _see(self, now: float) -> _Look:
        ledger = self._spool.ledger(self._number)
        return _Look(
            at=now,
            behind_seconds=self._behind_seconds(),
            read=ledger.read,
            taken=_taken_in(ledger),
            retries=self._destination.retries,
            under_way=self._conversing.under_way,
            allowed=min(self._concurrency.places, self._memory_places),
        )

    @property
    def _memory_places(self) -> int:
        """Requests that there is memory for."""
        return max(1, self._collector.places) if self._concurrency.most > 1 else 1

    def _behind_seconds(self) -> float:
        oldest_ns = self._spool.oldest_received_ns(self._number)
        return 0.0 if oldest_ns is None else max(0.0, (self._clock_ns() - oldest_ns) / 1e9)  # a clock may be put back

    @property
    def _tolerated_seconds(self) -> float:
        return LAG_SECONDS + self._sink.batching.age_seconds

    def _since_look(self, number: int) -> tuple[int, int]:
        """How many events have come, and how many were settled, from that look to the last."""
        first, last = self._looks[number], self._looks[-1]
        return last.read - first.read, last.taken - first.taken

    def _falls_behind(self, now: float) -> bool:
        """Whether it has been behind all the time, and is not catching up: neither in all of it, nor lately."""
        if self._looks[0].at > now - LAG_SECONDS:
            return False
        is_behind = all(look.behind_seconds > self._tolerated_seconds for look in self._looks)
        return is_behind and all(taken <= CATCHING_UP * come for come, taken in map(self._since_look, (0, -2)))

    # ── telling ──

    def _tell(self, now: float) -> None:
        if now >= self._told_at + TELL_SECONDS and (lag := self.lag) is not None:
            self._told_at = now
            self._log.error("cannot keep up", sink=self._name, **msgspec.structs.asdict(lag))

    def _keeps_up(self) -> None:
        if self._since is not None:
            self._log.over("keeps up again", trouble="cannot keep up", sink=self._name, since=self._since)
            self._since = None

    def _limit(self) -> str | None:
        """What holds it back: the destination, what may be under way to it, or logrouter itself."""
        if self._looks[-1].retries > self._looks[0].retries:
            return f"some tries fail: {self._destination.last_failure}"
        if self._sink.transport != "http":
            return None
        seconds = self._concurrency.usual_seconds
        if seconds is None:
            return "no request has been answered yet"
        places, most, memory = self._concurrency.places, self._concurrency.most, self._memory_places
        if sum(look.under_way for look in self._looks) < _BUSY * sum(look.allowed for look in self._looks):
            return f"logrouter itself: it seldom waits for requests, {seconds:.2f}s each"
        if most == 1:
            return f"requests: one after the other, {seconds:.2f}s each"
        if memory < places:
            why = "the most that spool.memory allows"
        elif places < most:
            why = "as it takes longer with more"
        else:
            why = "the most that concurrency allows"
        return f"requests: {min(places, memory)} at once, {why}, {seconds:.2f}s each"


def _taken_in(ledger: Ledger) -> int:
    return ledger.settled - ledger.discarded.get("spool_full", 0) - sum(ledger.lost.values())
