"""A topology on virtual time, and what its tests ask of it."""

from __future__ import annotations

from typing import Any

from logrouter.cursors import Ledger
from logrouter.runtime.topology import Topology
from tests.runtime.pipelines import payload


class Observed:
    """Base of those that run one."""

    topology: Topology
    said: list[dict[str, Any]]
    """Its log."""

    def ledger(self, sink: str) -> Ledger:
        (number,) = (delivery.number for delivery in self.topology.deliveries if delivery.name == sink)
        return self.topology.spool.ledger(number)

    def told(self, message: str) -> list[dict[str, Any]]:
        return [event for event in self.said if event["message"] == message]


def lines(first: int, count: int = 10) -> bytes:
    """Numbered events of a kilobyte each, as one read."""
    return b"".join(payload(number) + b"\n" for number in range(first, first + count))
