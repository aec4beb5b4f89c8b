"""A topology on virtual time, and what its tests ask of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import trio

from logrouter.cursors import Ledger
from logrouter.runtime.topology import Topology
from tests.runtime.pipelines import payload

T = TypeVar("T")


async def run_at_once(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Stands in for `trio.to_thread.run_sync`: the mock clock does not know that a thread is waited for, and jumps."""
    await trio.lowlevel.checkpoint()
    return function(*arguments)


class Observed:
    """Base of those that run one."""

    topology: Topology
    said: list[dict[str, Any]]
    """Its log."""

    def ledger(self, sink: str) -> Ledger:
        (number,) = (delivery.number for delivery in self.topology.parts.deliveries if delivery.name == sink)
        return self.topology.parts.spool.ledger(number)

    def told(self, message: str) -> list[dict[str, Any]]:
        return [event for event in self.said if event["message"] == message]


def lines(first: int, count: int = 10) -> bytes:
    """Numbered events of a kilobyte each, as one read."""
    return b"".join(payload(number) + b"\n" for number in range(first, first + count))
