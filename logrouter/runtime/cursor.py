"""How far one sink is in the spool: what it has in hand, what it was told, what it gave up.

    settled │ in hand            │ to be read …
    ────────┼──────┬──────┬──────┼──────┬─────
            │ c3   │ c4   │ c5   │ c6   │ c7         committed = c3, next = c6
    ────────┴──────┴──────┴──────┴──────┴─────

Every change is written to the sink's journal, where there is one, before anything that rests on it is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal

from logrouter.cursors import Commit, Counts, Entry, FurtherPlace, Gap, GapEntry, Ledger, Note, Place, State
from logrouter.event import Chunk
from logrouter.runtime.journal import Journal
from logrouter.runtime.log_reader import Spot

WhenFull = Literal["block", "discard_oldest"]


class Held:
    """A chunk in memory, and who needs it there."""

    __slots__ = ("chunk", "in_hand", "readers")

    def __init__(self, chunk: Chunk, readers: int) -> None:
        self.chunk = chunk
        self.readers = readers
        """Sinks that have not settled it."""
        self.in_hand = 0
        """Sinks that are sending it."""


class Cursor:
    """One sink's place in the spool."""

    def __init__(self, name: str, when_full: WhenFull, state: State, journal: Journal | None = None) -> None:
        self.name = name
        self.when_full: WhenFull = when_full
        self.state = state
        self.next = state.committed
        """The sequence that is read next."""
        self.spot: Spot | None = None
        """Where in the log on disk that is, if it is known."""
        self.spot_ahead: Spot | None = None
        """The same for the event that it gives up next, while there are others before it."""
        self.handed_out: deque[Held] = deque()
        """Chunks that have been read and not committed."""
        self.untold: deque[Gap] = deque(state.gaps)
        """Gaps that the sink has not been told of, in order; the first may be where it is."""
        self.gave_up = False
        """Sources have waited for it for too long: it discards until it moves again."""
        self.closed = False
        self.moved_at = float("-inf")
        """When it last read or settled something, in trio's time."""
        self.read_ns = 0
        """When the last event that it has read was received."""
        self._journal = journal

    @property
    def ledger(self) -> Ledger:
        """What became of its events."""
        return self.state.ledger

    @property
    def wants(self) -> int:
        """The sequence of the next event that it will be sent: behind the gap that it is at, where there is one."""
        return self._behind_gaps(self.next)

    @property
    def noted_end(self) -> int:
        """What was noted before this may have arrived, also where it is to be sent again."""
        return self.state.notes[-1].end if self.state.notes else 0

    @property
    def may_give_up(self) -> int:
        """The sequence of the next event that it may give up: none that may have arrived."""
        return self._behind_gaps(max(self.next, self.noted_end))

    def _behind_gaps(self, sequence: int) -> int:
        for gap in self.untold:
            if gap.first > sequence:
                break
            sequence = max(sequence, gap.end)
        return sequence

    def next_gap(self, sequence: int) -> float:
        """Where the first gap behind this event begins that it has not been told of; infinity where none does."""
        return next((gap.first for gap in self.untold if gap.first > sequence), float("inf"))

    @property
    def is_at_gap(self) -> bool:
        """Whether a gap is to be told next."""
        return bool(self.untold) and self.untold[0].first <= self.next

    @property
    def discards(self) -> bool:
        """Whether it gives its oldest events up rather than have sources wait."""
        return self.gave_up or self.when_full == "discard_oldest"

    def waiting(self, appended: int) -> int:
        """How many events wait for it: appended, and neither settled nor given up."""
        if self.closed:
            return 0
        committed = self.state.committed
        skipped = sum(gap.end - max(gap.first, committed) for gap in self.state.gaps)
        return appended - committed - skipped

    def wants_any(self, chunk: Chunk) -> bool:
        """Whether it will read the chunk. (What it gives up it gives up by chunks.)"""
        first = chunk.offset.sequence
        return self.next <= first and not any(gap.first <= first < gap.end for gap in self.untold)

    def needs(self, first: int, end: int) -> bool:
        """Whether it may still read, or have to send again, any of these events: those that no gap holds."""
        if self.closed:
            return False
        needed = max(first, self.state.committed)
        for gap in self.state.gaps:
            if gap.first <= needed:
                needed = max(needed, gap.end)
        return needed < end

    # ── moving ──

    def take(self, held: Held, now: float) -> None:
        """The sink has it in hand."""
        held.in_hand += 1
        self.handed_out.append(held)
        self.next = held.chunk.end.sequence
        self.read_ns = held.chunk.received_ns
        self.moved_at = now

    def take_gap(self) -> Gap | None:
        """The gap that it is at, to be told now."""
        if not self.is_at_gap:
            return None
        gap = self.untold.popleft()
        self.next = max(self.next, gap.end)
        return gap

    def pass_over(self, end: int) -> None:
        """Read on from there."""
        self.next = end
        self.untold = deque(gap for gap in self.untold if gap.end > end)

    def settle(self, end: int, now: float) -> Iterator[Held]:
        """The chunks that are in hand no more, as everything before `end` is settled."""
        self.gave_up = False
        self.moved_at = now
        while self.handed_out and self.handed_out[0].chunk.end.sequence <= end:
            yield self._put_down()

    def let_fall(self) -> Iterator[Held]:
        """All chunks that are in hand: none of them is any more."""
        while self.handed_out:
            yield self._put_down()

    def _put_down(self) -> Held:
        held = self.handed_out.popleft()
        held.in_hand -= 1
        return held

    def rewind(self) -> None:
        """Read again what was read and not committed."""
        for _ in self.let_fall():
            pass  # it still needs them
        self.next = self.state.committed
        self.spot = None
        self.untold = deque(self.state.gaps)

    # ── what is written down ──

    def begin(self) -> None:
        """Write down where it stands, before anything else happens. Raises OSError."""
        if self._journal is not None:
            self._journal.begin(self.state)

    @property
    def keeps_notes(self) -> bool:
        """Whether its notes outlive the process."""
        return self._journal is not None

    def note(self, note: Note) -> None:
        """Remember a batch before it is sent. Raises OSError: then it must not be sent."""
        self.state.apply(note)
        self._write(note)

    def add_place(self, first: int, place: Place) -> None:
        """Remember another place that a noted batch will be written to. Raises OSError likewise."""
        entry = FurtherPlace(first, place)
        self.state.apply(entry)
        self._write(entry)

    def _write(self, entry: Entry) -> None:
        if self._journal is not None:
            self._journal.write(entry, self.state)

    def commit(self, end: int, delivered: int, unmatched: int) -> None:
        """Everything before `end` is settled.

        Raises OSError where that cannot be written down: it holds all the same.
        """
        self.ledger.delivered += delivered
        self.ledger.unmatched += unmatched
        entry = Commit(end, self.ledger, self.state.origin)
        self.state.apply(entry)
        self._write(entry)

    def skip(self, gap: Gap, unmatched: int) -> None:
        """Count events that it will not get; `gap` is told to it in their place. Raises OSError as `commit` does.

        A gap that follows another one for the same reason makes it longer.
        """
        counts = self.ledger.discarded if gap.outcome == "discarded" else self.ledger.lost
        _add(counts, gap.reason, gap.events)
        self.ledger.unmatched += unmatched
        before = [other for other in self.untold if other.first < gap.first]
        behind = [other for other in self.untold if other.first > gap.first]
        last = before[-1] if before else None
        if last is not None and (last.end, last.outcome, last.reason) == (gap.first, gap.outcome, gap.reason):
            gap = _joined(before.pop(), gap)
        self.untold = deque([*before, gap, *behind])
        entry = GapEntry(gap, self.ledger)
        self.state.apply(entry)
        self._write(entry)

    def count_closed(self, events: int, wanted: int) -> None:
        """Count events that came, or were in hand, when nobody read any more."""
        _add(self.ledger.discarded, "closed", wanted)
        self.ledger.unmatched += events - wanted

    def begin_sync(self) -> list[Callable[[], None]]:
        """Functions that make the journal durable, where that is to be done, to be called in a thread."""
        return [self._journal.begin_sync()] if self._journal is not None and self._journal.dirty else []

    def let_go(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()


def gap_of(chunk: Chunk, wanted: int) -> Gap:
    """The gap that a chunk leaves which is given up."""
    first = chunk.offset
    return Gap(
        *(first.epoch, first.sequence, chunk.end.sequence, wanted, "discarded", "spool_full"),
        first_received_ns=chunk.received_ns,
        last_received_ns=chunk.received_ns,
    )


def _joined(gap: Gap, following: Gap) -> Gap:
    return Gap(
        *(gap.epoch, gap.first, following.end, gap.events + following.events, gap.outcome, gap.reason),
        first_received_ns=gap.first_received_ns,
        last_received_ns=following.last_received_ns or gap.last_received_ns,
    )


def _add(counts: Counts, reason: str, events: int) -> None:
    if events:
        counts[reason] = counts.get(reason, 0) + events
