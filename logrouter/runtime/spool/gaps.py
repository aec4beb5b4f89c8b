"""Runs of events that a sink does not get, each told in its stream where they would have been."""

from __future__ import annotations

from collections.abc import Iterable

from logrouter.cursors import Gap, Outcome
from logrouter.event import Chunk


def gap_of(chunk: Chunk, wanted: int, outcome: Outcome, reason: str) -> Gap:
    """The gap that a chunk leaves which is not sent."""
    first = chunk.offset
    return Gap(
        *(first.epoch, first.sequence, chunk.end.sequence, wanted, outcome, reason),
        first_received_ns=chunk.received_ns,
        last_received_ns=chunk.received_ns,
    )


def with_gap(gap: Gap, gaps: Iterable[Gap]) -> list[Gap]:
    """These gaps and one more, in order; it takes the place of those that it covers."""
    others = [other for other in gaps if other.end <= gap.first or other.first >= gap.end]
    return sorted([*others, gap], key=lambda gap: gap.first)


def joined(gap: Gap, following: Gap) -> Gap:
    """Two gaps for the same reason, one right behind the other, as one."""
    return Gap(
        *(gap.epoch, gap.first, following.end, gap.events + following.events, gap.outcome, gap.reason),
        first_received_ns=gap.first_received_ns,
        last_received_ns=following.last_received_ns or gap.last_received_ns,
    )
