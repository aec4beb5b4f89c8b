"""What `spool verify` tells of events that a sink has not got, and that are in no segment any more.

As where a segment was deleted, or was left behind when the spool was moved: no record says so, only the sequences do,
and those at the beginning and at the end are known to the cursors alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from logrouter.cli._spool_check import CheckedLog
from logrouter.cursors import State

Span = tuple[int, int]
"""From a sequence to before another."""


def lacking(log: CheckedLog, states: Iterable[State]) -> dict[str, int]:
    """Sink → how many events it lacks that are neither in the log, nor in what is damaged there; those that lack some.

    All of `states` must be of a spool that nobody uses: events may be in memory alone, until a process ends.
    """
    states = list(states)
    log_end = log.end or 0
    end = max([log_end, *(state.end for state in states)])
    absent = [(0, log.oldest), *log.absent, (log_end, end)]
    lacks = {state.sink: _count(absent, _needed(state, end)) for state in states}
    return {sink: events for sink, events in lacks.items() if events}


def _needed(state: State, end: int) -> list[Span]:
    """What a sink has not got, and has not been told of."""
    settled = [(note.first, note.end) for note in state.notes if note.settled]
    settled += [(gap.first, gap.end) for gap in state.gaps]
    needed, reached = list[Span](), state.committed
    for first, last in sorted(settled):
        needed.append((reached, first))
        reached = max(reached, last)
    return [*needed, (reached, end if state.ends_at is None else state.ends_at)]


def _count(spans: Iterable[Span], others: Iterable[Span]) -> int:
    """How much of the one lies in the other; neither overlaps itself."""
    others = list(others)
    return sum(max(0, min(end, stop) - max(first, start)) for first, end in spans for start, stop in others)
