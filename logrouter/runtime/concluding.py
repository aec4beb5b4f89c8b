"""What is left in the end: told for each sink, and as the exit code."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from logrouter.runtime.delivery import Delivery
from logrouter.runtime.log import Log
from logrouter.runtime.reading import RunningSource
from logrouter.runtime.spool.opening import OpenSpool

EXIT_OK: Final = 0
EXIT_LOST: Final = 74
"""EX_IOERR of sysexits.h: something was discarded because the spool was full, or lost."""
EXIT_UNDELIVERED: Final = 75
"""EX_TEMPFAIL: something could not be delivered in time, or not be read."""


class Conclusion:
    """Of one run."""

    def __init__(self, opened: OpenSpool, log: Log) -> None:
        self._opened = opened
        self._spool = opened.spool
        self._log = log
        self._lost_before: dict[str, int] = {}
        """By sinks that were removed, and are done."""

    def has_everything(self, delivery: Delivery) -> bool:
        """Whether nothing is left for a sink, nor unfinished at its destination."""
        return not self._spool.waiting(delivery.number) and self._spool.carried(delivery.number) is None

    def leave_out(self, delivery: Delivery) -> None:
        """A sink that was removed is done: what it has lost counts all the same."""
        if lost := self._spool.lost(delivery.number):
            self._lost_before[delivery.name] = self._lost_before.get(delivery.name, 0) + lost

    def tell_undelivered(self, delivery: Delivery) -> bool:
        """Say what of a sink's events was not delivered. False: there is nothing to say."""
        if undelivered := self._spool.undelivered(delivery.number):
            self._tell(delivery, "not delivered", events=undelivered)
        elif self._spool.carried(delivery.number) is not None:
            self._tell(delivery, "left unfinished at the destination")
        else:
            return False
        return True

    def exit_code(self, deliveries: Iterable[Delivery], sources: Collection[RunningSource]) -> int:
        """Say all that there is to say."""
        code = EXIT_OK
        lost = dict(self._lost_before)
        for delivery in deliveries:
            if self.tell_undelivered(delivery):
                code = EXIT_UNDELIVERED
            if now := self._spool.lost(delivery.number):
                lost[delivery.name] = lost.get(delivery.name, 0) + now
        for name, events in lost.items():
            self._log.error("discarded or lost in this run", sink=name, events=events)
            code = code or EXIT_LOST
        for running in sources:
            for path, reason in running.source.left_out.items():
                self._log.error("not read", about=path, source=running.name, file=path, reason=reason)
                code = EXIT_UNDELIVERED
        if in_hand := sum(running.in_hand for running in sources):
            self._log.error("read but not delivered to any sink", events=in_hand)
            code = EXIT_UNDELIVERED
        return code

    def _tell(self, delivery: Delivery, what: str, **figures: Any) -> None:
        reason = delivery.trouble.reason if delivery.trouble else "time was up"
        kept = {"kept": self._opened.directory.path} if self._opened.directory else {}
        self._log.error(what, sink=delivery.name, **figures, reason=reason, **kept)
