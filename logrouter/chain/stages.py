"""Runs of steps that are done in one go, on one event."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import TypeAlias

from logrouter.chain.named import Event, NamedStep, Tally
from logrouter.documents import Document, encode_document, read_document, write_document
from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.steps import DISCARD, KEEP, Incomplete, Outcome

Passing: TypeAlias = tuple[Document | None, bytes, int]
"""An event between two stages: its document and the same as payload and flags. None: no step may see it any more."""
Traveller: TypeAlias = tuple[Passing, Facts, Event | None]
"""One of several events between two stages, what is known of it, and, if its fields cannot be read, how it came in."""


class Stage:
    """Where one of its steps fails, all of them are done again, from the payload that came in. A step that decides is
    not to see an event twice, and has a stage of its own; but those that only discard remember nothing."""

    def __init__(self, steps: list[NamedStep], tally: Tally) -> None:
        self.steps = steps
        self._tally = tally

    def through(self, event: Passing, facts: Facts, unclear: Event | None) -> list[Passing]:
        """The event after these steps. `unclear`: as it came in, if its fields cannot be read."""
        document, payload, flags = event
        if document is None:
            return [event]
        incomplete: list[str] = []
        changed = False
        try:
            for named in self.steps:
                when = named.when_unclear if unclear else named.when
                if when is not None and not when.test(document, facts):
                    continue
                if unclear and named.step.withholds(*unclear):
                    return [self._withheld(named)]
                try:
                    outcome = named.apply(document, facts)
                except Incomplete as error:
                    if named.step.fails_closed:
                        raise
                    self._tally.tell_why(named, error)
                    incomplete.append(named.name)
                    changed = True
                    continue
                if outcome is KEEP:
                    continue
                if outcome is not None:
                    self._tally.failed.update(incomplete)
                    return self._decided(named, outcome, payload, flags)
                changed = True
            if not changed:
                return [event]
            after = write_document(document, payload, flags | Flag.STEP_FAILED if incomplete else flags)
            self._tally.failed.update(incomplete)
            return [(document, *after)]
        except Exception as error:
            if len(self.steps) == 1:
                return [self._after_failure(self.steps[0], payload, flags, error)]
            return self._guarded(payload, flags, facts, unclear)

    def _decided(self, named: NamedStep, outcome: Outcome, payload: bytes, flags: int) -> list[Passing]:
        """What a step has made of an event."""
        if not outcome or isinstance(outcome, str):
            self._tally.discarded[named.name] += 1
            return []
        made: list[Passing] = [(document, *write_document(document, payload, flags)) for document in outcome]
        if len(made) > 1:
            self._tally.added[named.name] += len(made) - 1
        return made

    def _guarded(self, payload: bytes, flags: int, facts: Facts, unclear: Event | None) -> list[Passing]:
        """Once more, with a copy kept before each step, as one of several is known to fail."""
        document = read_document(payload, flags)
        for named in self.steps:
            when = named.when_unclear if unclear else named.when
            if when is not None and not when.test(document, facts):
                continue
            if unclear and named.step.withholds(*unclear):
                return [self._withheld(named)]
            before = deepcopy(document)
            try:
                if self._is_taken_out(named, document, facts):
                    return self._decided(named, DISCARD, payload, flags)
            except Exception as error:
                self._tally.tell_why(named, error)
                if named.step.fails_closed:
                    return [self._withheld(named)]
                self._tally.failed[named.name] += 1
                flags |= Flag.STEP_FAILED
                if not isinstance(error, Incomplete):
                    document = before
        return [(document, *write_document(document, payload, flags))]

    def _is_taken_out(self, named: NamedStep, document: Document, facts: Facts) -> bool:
        """Do a step, and see whether what it leaves can be written, also where it is incomplete. Raises if not."""
        try:
            return named.apply(document, facts) is DISCARD
        finally:
            encode_document(document)

    def through_all(self, events: Iterable[Traveller], facts: Facts) -> list[Traveller]:
        """The same for several events. `facts`: of those that are made anew."""
        return [(after, own, unclear) for event, own, unclear in events for after in self.through(event, own, unclear)]

    def _after_failure(self, named: NamedStep, payload: bytes, flags: int, error: Exception) -> Passing:
        """The event as a step has got it that failed; but nothing of it where it fails closed."""
        self._tally.tell_why(named, error)
        if named.step.fails_closed:
            return self._withheld(named)
        self._tally.failed[named.name] += 1
        return read_document(payload, flags), payload, flags | Flag.STEP_FAILED

    def _withheld(self, named: NamedStep) -> Passing:
        self._tally.failed[named.name] += 1
        return (None, *named.placeholder)
