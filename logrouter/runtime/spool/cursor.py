"""How far one sink is in the spool: what it has in hand, what it was told, what it has discarded.

    settled │ in hand            │ to be read …
    ────────┼──────┬──────┬──────┼──────┬─────
            │ c3   │ c4   │ c5   │ c6   │ c7         committed = c3, next = c6
    ────────┴──────┴──────┴──────┴──────┴─────

Every change is written to the sink's journal, where there is one, before anything that rests on it is done.

The cursor of a sink that was removed ends where that was: what comes after it is none of its business.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal

from logrouter.cursors import (
    Commit,
    Entry,
    FurtherPlace,
    Gap,
    Ledger,
    Memory,
    Note,
    Place,
    State,
    Tally,
    count,
)
from logrouter.event import Chunk
from logrouter.runtime.spool.gaps import joined, with_gap
from logrouter.runtime.spool.held import Held, InHand

if TYPE_CHECKING:
    from logrouter.runtime.spool.journal import Journal
    from logrouter.runtime.spool.log_reader import Spot

WhenFull = Literal["block", "discard_oldest"]

LIVE_SECONDS: Final = 1.0
"""A sink that has done nothing for so long is not merely busy."""
NOWHERE: Final = sys.maxsize
"""A sequence that no event will ever have."""


class Cursor:
    """One sink's place in the spool."""

    def __init__(self, name: str, when_full: WhenFull, state: State, journal: Journal | None = None) -> None:
        self.name = name
        self.number = 0
        """By which number its sink goes."""
        self.when_full: WhenFull = when_full
        self.state = state
        self.next = state.committed
        """The sequence that is read next."""
        self.spot: Spot | None = None
        """Where in the log on disk that is, if it is known."""
        self.spot_ahead: Spot | None = None
        """The same for what it discards next."""
        self.in_hand: deque[InHand] = deque()
        """What has been read and not committed."""
        self.untold: deque[Gap] = deque(state.gaps)
        """Gaps that the sink has not been told of, in order; the first may be where it is."""
        self.must_discard = False
        """Sources have waited for it for too long: it discards until it moves again."""
        self.closed = False
        self.stops_at = NOWHERE
        """Whoever reads for it now reads no further: another takes its place, or the sink was removed."""
        self.moved_at = float("-inf")
        """When it last read or settled something, in trio's time."""
        self.oldest: tuple[int, int | None] = (-1, None)
        """When the event of that sequence was read, where it had to be looked up in the log."""
        self.read_ns = 0
        """When the last event that it has read was received."""
        self._journal = journal
        self._lost_before = _lost(state.ledger)

    @property
    def lost(self) -> int:
        """How many events it has discarded, as the spool was full, or lost since the start."""
        return _lost(self.ledger) - self._lost_before

    @property
    def ledger(self) -> Ledger:
        """What became of its events."""
        return self.state.ledger

    @property
    def wants(self) -> int:
        """The sequence of the next event that it will be sent: behind the gap that it is at, where there is one."""
        return self._behind_gaps(self.next)

    @property
    def pinned(self) -> int:
        """Everything from there on must be held for it."""
        return self.next if self.in_hand and self.in_hand[-1].is_handed_over else self.state.committed

    @property
    def is_sending(self) -> bool:
        """Whether something must stay in memory for it, as it is being sent, or gathered to be."""
        return bool(self.in_hand) and self.in_hand[-1].is_being_sent

    @property
    def expendable(self) -> int:
        """The sequence of the next event that it may discard: not of a batch that may have arrived."""
        return self._behind_gaps(max(self.next, self.noted_end))

    def _behind_gaps(self, sequence: int) -> int:
        for gap in self.untold:
            if gap.first > sequence:
                break
            sequence = max(sequence, gap.end)
        return sequence

    @property
    def noted_end(self) -> int:
        """Where the last batch ends that may have arrived."""
        return self.state.notes[-1].end if self.state.notes else self.state.committed

    def gap_behind(self, sequence: int) -> int | None:
        """Where the first gap that lies behind this event begins."""
        return next((gap.first for gap in self.untold if gap.first > sequence), None)

    @property
    def is_at_gap(self) -> bool:
        """Whether a gap is to be told next."""
        return bool(self.untold) and self.untold[0].first <= self.next

    @property
    def discards(self) -> bool:
        """Whether it gives its oldest events up rather than have sources wait."""
        return self.must_discard or self.when_full == "discard_oldest"

    def is_live(self, now: float) -> bool:
        """Whether it has moved a moment ago."""
        return not self.closed and now - self.moved_at < LIVE_SECONDS

    @property
    def ends_at(self) -> int:
        """It wants nothing from this sequence on, as its sink was removed there."""
        return NOWHERE if self.state.ends_at is None else self.state.ends_at

    @property
    def reads_on(self) -> bool:
        """Whether what comes is for it."""
        return not self.closed and self.ends_at == NOWHERE

    def end(self, appended: int) -> int:
        """Where what there is for it ends."""
        return min(appended, self.ends_at)

    def waiting(self, appended: int) -> int:
        """How many events wait for it: appended, and neither settled nor discarded."""
        if self.closed:
            return 0
        committed = self.state.committed
        skipped = sum(gap.end - max(gap.first, committed) for gap in self.state.gaps)
        return self.end(appended) - committed - skipped

    def wants_any(self, chunk: Chunk) -> bool:
        """Whether it will read the chunk. (What it discards it discards by chunks.)"""
        first = chunk.offset.sequence
        return self.next <= first < self.ends_at and not any(gap.first <= first < gap.end for gap in self.untold)

    def lacks(self, chunk: Chunk) -> bool:
        """Whether it has not settled the chunk, nor passed it over."""
        first = chunk.offset.sequence
        gaps = any(gap.first <= first < gap.end for gap in self.state.gaps)
        return not self.closed and self.state.committed <= first < self.ends_at and not gaps

    def has_noted(self, chunk: Chunk) -> bool:
        """Whether some of the chunk is in a batch that may have arrived."""
        return chunk.offset.sequence < self.noted_end and chunk.end.sequence > self.state.committed

    def needs(self, first: int, end: int) -> bool:
        """Whether it may still read, or have to send again, any of these events: those that no gap holds."""
        if self.closed:
            return False
        needed = max(first, self.state.committed)
        for gap in self.state.gaps:
            if gap.first <= needed:
                needed = max(needed, gap.end)
        return needed < self.end(end)

    # ── moving ──

    def take(self, held: Held, now: float) -> None:
        """The sink has it in hand."""
        self.in_hand.append(InHand(held))
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

    def sent(self) -> None:
        """All that it has in hand has been sent."""
        for item in self._being_sent():
            item.put_down()

    def note_unwanted(self, unwanted: Callable[[Chunk], int]) -> None:
        """Note of what is being sent how many events are not for the sink."""
        for item in self._being_sent():
            if (held := item.held) is not None:
                item.unwanted = unwanted(held.chunk)

    def hand_over(self) -> list[Held]:
        """The sink holds what it has made of all that it has in hand: the chunks that it needs no more."""
        return [held for item in self._being_sent() if (held := item.hand_over()) is not None]

    def _being_sent(self) -> Iterator[InHand]:
        """What is being sent of what it has in hand: the last of it, of which there may be much."""
        return takewhile(lambda item: item.is_being_sent, reversed(self.in_hand))

    def settle(self, end: int, now: float) -> Iterator[Held]:
        """Those chunks in memory that it has in hand no more, as everything before `end` is settled."""
        self.must_discard = False
        self.moved_at = now
        while self.in_hand and self.in_hand[0].end <= end:
            if held := self.in_hand.popleft().put_down():
                yield held

    def let_fall(self) -> list[Held]:
        """Those chunks in memory that it had in hand: none of them is any more."""
        fallen = [item.put_down() for item in self.in_hand]
        self.in_hand.clear()
        return [held for held in fallen if held is not None]

    def rewind(self) -> None:
        """Read again what was read and not committed."""
        self.let_fall()  # it needs them still
        self.next = self.state.committed
        self.untold = deque(self.state.gaps)

    # ── what is written down ──

    def begin(self) -> None:
        """Write down where it stands, before anything else happens. Raises OSError."""
        if self._journal is not None:
            self._journal.begin(self.state)

    def begin_at(self, sequence: int) -> None:
        """It has read nothing, and begins there. Raises OSError as `commit` does."""
        self.state.origin = self.next = sequence
        self._commit(sequence, [])

    def end_at(self, sequence: int | None) -> None:
        """Its sink was removed there, or is there again (None). Raises OSError as `commit` does."""
        self.state.ends_at = sequence
        self._commit(self.state.committed, self.state.gaps)

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

    def commit(self, end: int, tally: Tally, carried: Memory | None) -> None:
        """Everything before `end` is settled.

        Raises OSError where that cannot be written down: it holds all the same.
        """
        self.ledger.add(tally)
        self.state.carried = carried
        self._commit(end, [gap for gap in self.state.gaps if gap.end > end])

    def _commit(self, end: int, gaps: list[Gap]) -> None:
        state = self.state
        entry = Commit(end, self.ledger, state.origin, gaps, state.carried, state.ends_at)
        self.state.apply(entry)
        self._write(entry)

    def skip(self, gap: Gap, unmatched: int) -> None:
        """Count events that it will not get; `gap` is told to it in their place. Raises OSError as `commit` does.

        A gap that follows another one for the same reason makes it longer.
        """
        counts = self.ledger.discarded if gap.outcome == "discarded" else self.ledger.lost
        count(counts, gap.reason, gap.events)
        self.ledger.unmatched += unmatched
        for before in self.untold:
            if (before.end, before.outcome, before.reason) == (gap.first, gap.outcome, gap.reason):
                gap = joined(before, gap)
        self.untold = deque(with_gap(gap, self.untold))
        self._commit(self.state.committed, with_gap(gap, self.state.gaps))

    def count_closed(self, events: int, wanted: int) -> None:
        """Count events that came, or were in hand, when nobody read any more."""
        count(self.ledger.discarded, "closed", wanted)
        self.ledger.unmatched += events - wanted

    @property
    def is_written(self) -> bool:
        """Whether its journal, if it has one, tells where it is."""
        return self._journal is None or not self._journal.is_behind

    @property
    def needs_sync(self) -> bool:
        """Whether its journal holds something that is not on the disk."""
        return self._journal is not None and self._journal.needs_sync

    @property
    def mark(self) -> int:
        """How far its journal is written, for `is_durable_to`."""
        return self._journal.written if self._journal is not None else 0

    def is_durable_to(self, mark: int) -> bool:
        """Whether all that was written up to there is on the disk."""
        return self._journal is None or (self._journal.synced >= mark and not self._journal.is_behind)

    def begin_sync(self) -> list[Callable[[], None]]:
        """Functions that make the journal durable, where it is not, to be called in a thread. Raises OSError."""
        journal = self._journal
        return [journal.begin_sync(self.state)] if journal is not None and journal.needs_sync else []

    def let_go(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()

    def remove(self) -> None:
        """Delete the journal. Raises OSError."""
        if self._journal is not None:
            self._journal.remove()


def _lost(ledger: Ledger) -> int:
    return ledger.discarded.get("spool_full", 0) + sum(ledger.lost.values())
