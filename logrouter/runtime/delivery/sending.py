"""Sends a batch until every event of it is settled: delivered, kept as a dead letter, or discarded as told.

outcome                 what is done
Delivered               counted
Retry                   the same again, when the destination's turn comes; in halves where it keeps saying
                        that it gets too much
Halve                   each half alone; a single event is rejected
one for each event      each as above; those to be retried go together
Rejected                a dead letter; or discarded, counted
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import msgspec
import trio
from msgspec.structs import replace

from logrouter.backoff import Backoff
from logrouter.batch import Batch, Slice
from logrouter.concurrency import Concurrency
from logrouter.cursors import Memory, Tally, count
from logrouter.event import Flag
from logrouter.instructions import Delivered, EventOutcome, Halve, Outcome, Rejected, Retry
from logrouter.runtime.delivery.collecting import Collector, Taken
from logrouter.runtime.delivery.conversing import Conversing
from logrouter.runtime.delivery.destination import Destination
from logrouter.runtime.delivery.noting import Noting
from logrouter.runtime.log import Log
from logrouter.sinks import Sink

if TYPE_CHECKING:
    from logrouter.dead_letters import DeadLetter

REFUSALS: Final = 3
"""After so many refusals in a row as too much at once, a batch is sent in halves: it may be larger than what the
destination takes in all, and would be refused for ever."""


class DeadLetters(Protocol):
    """Where refused events are kept."""

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """They are durable when this returns. Raises DestinationError where they cannot be kept now."""


class Result(msgspec.Struct, frozen=True):
    """What became of a batch."""

    tally: Tally
    carried: Memory | None


class _Piece(msgspec.Struct, frozen=True):
    """What goes into one request."""

    batch: Batch
    backoff: Backoff
    """For events of it that are not taken while others are."""
    refusals: int = 0
    """How often in a row it was too much."""
    left_at: float | None = None
    """When it was not taken first while others were, in trio's time."""


class Sender:
    """Sends the batches of one sink, perhaps several at once."""

    def __init__(
        self,
        name: str,
        sink: Sink[Any],
        collector: Collector,
        conversing: Conversing,
        destination: Destination,
        concurrency: Concurrency,
        log: Log,
        dead_letters: DeadLetters | None,
    ) -> None:
        """`dead_letters`: None where nothing can be kept."""
        self.duplicates = 0
        """Events that had been at the destination before."""
        self.doubts = 0
        """Events that may be there twice, as nobody can tell."""
        self._name = name
        self._sink = sink
        self._collector = collector
        self._conversing = conversing
        self._destination = destination
        self._concurrency = concurrency
        self._log = log
        self._dead_letters = dead_letters if sink.on_reject == "keep" else None

    async def send(self, taken: Taken, noting: Noting, *, distrust: bool = False) -> Result:
        """Until all of it is settled. `distrust`: a sync has failed since it was sent. Raises ClosedByPeer."""
        tally, carried = Tally(unmatched=taken.unmatched), taken.batch.carried
        backoff = self._destination.new_backoff()
        for cut in self._collector.pieces(taken):
            waiting = deque([_Piece(cut, backoff)])
            while waiting:
                piece = waiting.popleft()
                outcome = await self._attempt(piece.batch, noting, distrust)
                if isinstance(outcome, Delivered):
                    carried = outcome.carried
                waiting.extendleft(reversed(await self._settle(piece, outcome, tally)))
        self._destination.takes_all_of(taken.batch.first)
        if self._sink.gathers:  # nobody holds its single events any more: what becomes of one becomes of all
            tally.delivered += 0 if tally.discarded else taken.delivered
            tally.discarded = dict.fromkeys(tally.discarded, taken.delivered)
        return Result(tally, carried)

    async def _attempt(self, batch: Batch, noting: Noting, distrust: bool) -> Outcome:
        await self._destination.wait_turn()
        outcome = await self._conversing.attempt(batch, noting, distrust=distrust)
        if self._sink.notice is not None:
            self._log.warning(self._sink.notice, sink=self._name)
            self._sink.notice = None
        return outcome

    async def _settle(self, piece: _Piece, outcome: Outcome, tally: Tally) -> list[_Piece]:
        """Count what is settled by an outcome. Gives what is to be sent again."""
        batch = piece.batch
        if isinstance(outcome, Halve | Rejected) and not len(batch):  # only what is carried: no event's fault
            outcome = Retry(outcome.detail or outcome.reason)
        match outcome:
            case Retry():
                return await self._retry(piece, outcome, tally)
            case Delivered():
                self._destination.works()
                self._note_delivered(outcome)
                tally.delivered += _events_in(batch)
                self._collector.was_taken(len(batch))
                if outcome.lost:
                    self._take_back(outcome.lost, tally)
                return []
            case Halve(reason, detail):
                self._destination.works()
                if len(batch) > 1 and batch.slices:
                    return _halves(piece)
                return await self._sort_out(piece, [Rejected(reason, detail)] * len(batch), tally)
            case Rejected():
                self._destination.works()
                return await self._sort_out(piece, [outcome] * len(batch), tally)
            case _:
                if outcome and piece.left_at is None and all(isinstance(each, Retry) for each in outcome):
                    return await self._retry(piece, cast("Retry", outcome[0]), tally)
                self._destination.works()
                if not any(isinstance(each, Retry) for each in outcome):
                    self._collector.was_taken(len(batch))
                return await self._sort_out(piece, outcome, tally)

    def _note_delivered(self, outcome: Delivered) -> None:
        self.duplicates += outcome.duplicates
        self.doubts += outcome.doubts

    def _take_back(self, events: int, tally: Tally) -> None:
        """They were counted as delivered by batches before, and the destination no longer has them."""
        self._log.error("events were taken, and then lost", sink=self._name, events=events)
        tally.delivered -= events
        count(tally.lost, "gone_from_destination", events)

    async def _retry(self, piece: _Piece, retry: Retry, tally: Tally) -> list[_Piece]:
        """Nothing of it was taken: when its turn comes again, and in halves where it has been too much too often."""
        self._concurrency.refused()
        await self._destination.failed(retry.reason, retry.after_seconds)
        limit = self._sink.retry.give_up_seconds
        if limit is not None and self._destination.failing_seconds > limit:
            self._destination.let_others_try()
            return await self._sort_out(piece, [Rejected("gave_up", retry.reason)] * len(piece.batch), tally)
        return self._again(piece, piece.batch, retry.congested)

    def _again(self, piece: _Piece, batch: Batch, was_too_much: bool) -> list[_Piece]:
        """The same once more, or what is left of it; in halves where it was too much too often."""
        refusals = piece.refusals + 1 if was_too_much else 0
        piece = replace(piece, batch=replace(batch, again=True), refusals=refusals)
        if refusals < REFUSALS or len(batch) < 2 or not batch.slices:
            return [piece]
        self._collector.was_too_much(len(batch))
        return _halves(piece)

    # ── single events ──

    async def _sort_out(self, piece: _Piece, outcomes: Sequence[EventOutcome], tally: Tally) -> list[_Piece]:
        """Settle each event by its own outcome. Gives those to be retried."""
        batch = piece.batch
        again, refused = [], list[tuple[Slice, int, Rejected]]()
        for place, (part, inside, outcome) in enumerate(_each(batch, outcomes)):
            if isinstance(outcome, Retry):
                again.append(place)
            elif part.flags[inside] & Flag.NOTICE:
                continue  # what logrouter itself tells is no event that was read
            elif isinstance(outcome, Rejected):
                refused.append((part, inside, outcome))
            else:
                self._note_delivered(outcome)
                tally.delivered += 1
        if batch.encoded and outcomes:
            count(tally.discarded, cast("Rejected", outcomes[0]).reason, len(batch))
        await self._reject(refused, tally)
        if not again:
            return []
        rest = batch if len(again) == len(batch) else batch.pick(again)
        return await self._retry_some(piece, rest, [cast("Retry", outcomes[place]) for place in again], tally)

    async def _retry_some(self, piece: _Piece, rest: Batch, retries: Sequence[Retry], tally: Tally) -> list[_Piece]:
        """Some were not taken while others were: the destination works, and these are left alone for a while."""
        reason, congested = retries[0].reason, any(retry.congested for retry in retries)
        left_at = trio.current_time() if piece.left_at is None else piece.left_at
        limit = self._sink.retry.give_up_seconds
        if limit is not None and trio.current_time() - left_at > limit:
            return await self._sort_out(replace(piece, batch=rest), [Rejected("gave_up", reason)] * len(rest), tally)
        self._log.error("some events are not taken", sink=self._name, events=len(rest), reason=reason)
        if congested:
            self._concurrency.refused()
        after = max(retry.after_seconds or 0.0 for retry in retries)
        await self._destination.left_some_of(rest.first, reason, max(piece.backoff.next_seconds(), after))
        return self._again(replace(piece, left_at=left_at), rest, congested and rest is piece.batch)

    async def _reject(self, refused: Sequence[tuple[Slice, int, Rejected]], tally: Tally) -> None:
        """Keep events that are refused for good, or discard them, as the sink says."""
        if not refused:
            return
        kept = self._dead_letters is not None
        verb = "kept as dead letters" if kept else "discarded"
        for reason, events in Counter(outcome.reason for _, _, outcome in refused).items():
            detail = next(outcome.detail for _, _, outcome in refused if outcome.reason == reason)
            told = f"events were refused, and are {verb}"
            self._log.warning(told, about=reason, sink=self._name, reason=reason, detail=detail)
            count(tally.dead_lettered if kept else tally.discarded, reason, events)
        if self._dead_letters is not None:
            letters = [self._letter(*each, time.time_ns()) for each in refused]
            await self._destination.insist(partial(self._dead_letters.keep, letters), ours=True)

    def _letter(self, part: Slice, place: int, outcome: Rejected, now_ns: int) -> DeadLetter:
        from logrouter.dead_letters import DeadLetter  # loaded by whoever keeps them

        return DeadLetter(
            *(part.epoch, part.sequences[place], self._name, outcome.reason, outcome.detail, now_ns),
            received_ns=part.received_ns,
            attributes=part.attributes,
            flags=part.flags[place],
            payload=part.payloads[place],
        )


def _halves(piece: _Piece) -> list[_Piece]:
    return [replace(piece, batch=half, refusals=0) for half in piece.batch.halves()]


def _each(batch: Batch, outcomes: Sequence[EventOutcome]) -> Iterator[tuple[Slice, int, EventOutcome]]:
    """Each event by its slice and its place there, with its outcome."""
    following = iter(outcomes)
    for part in batch.slices:
        for place in range(len(part)):
            yield part, place, next(following)


def _events_in(batch: Batch) -> int:
    """How many of its events were read, and are not told by logrouter itself: these are alone in their slices."""
    return sum(len(part) for part in batch.slices if not part.flags[0] & Flag.NOTICE)
