"""Several steps, done one after the other on one event. The slow way, which is the definition.

Most events need none of it. Before the spool, `verdicts` tells for a whole chunk which events any step would
touch: an event none of whose steps' conditions hold as it came in is changed by none of them. It is never parsed
whole, and leaves as the bytes that came in.

`named`: one of the steps, and what is counted; `stages`: those that are done in one go; `batches`: one that is given
many events at once; `together`: many events changed step by step, the fast way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

from logrouter.chain.batches import BatchStage
from logrouter.chain.named import AnyStep, Event, NamedStep, Tally
from logrouter.chain.stages import Passing, Stage, Traveller
from logrouter.chain.together import changed_together
from logrouter.documents import encode_document, read_document
from logrouter.event import PLAIN, Attributes, Flag
from logrouter.facts import Facts
from logrouter.references import Reference
from logrouter.rules import Rule

__all__ = [
    "FIRST_DISCARD",
    "TOGETHER",
    "TOUCHED",
    "UNTOUCHED",
    "AnyStep",
    "Chain",
    "Event",
    "NamedStep",
    "is_unclear",
]

UNTOUCHED: Final = 0
TOUCHED: Final = 1
"""Some step applies, or may: the event must be parsed whole."""
FIRST_DISCARD: Final = 2
"""2 + n: taken out by the step n, one of those that lead the chain and only discard."""

TOGETHER: Final = 128
"""Events that are changed together: where more documents are held at once, Python's garbage collector looks through
them again and again, which takes as long as parsing them; where one fails, so many are done one by one."""

_BEFORE_BRACE: Final = b" \t\r\xef\xbb\xbf"
"""Blanks, and the byte order mark that some programs begin with."""


class Chain:
    """Steps in order, and how often each failed, took an event out, or made more of one."""

    def __init__(self, steps: Sequence[tuple[str, AnyStep]], tally: Tally | None = None) -> None:
        """`tally`: of the chain that this one is a part of."""
        self.steps = [NamedStep(name, step) for name, step in steps]
        self.tally = tally = Tally() if tally is None else tally
        self.discarded, self.added = tally.discarded, tally.added
        self.failed, self.reasons = tally.failed, tally.reasons
        self.thinning = self._count_thinning()
        """How many steps, first of all, need not read events whole: each only discards or thins out (`thinning.py`)."""
        self._stages = list(_stages(self.steps, tally))
        self._leading = self._count_leading_discards()
        self._decides = any(named.step.decides for named in self.steps[self._leading :])
        self.batches = any(named.step.batches for named in self.steps)
        """Whether some step is to be given many events at once: `apply_all`."""
        self.closing = [named for named in self.steps if named.step.fails_closed]
        """Those that must not let an event through on which they fail."""
        self.changes_all = not self._leading and not self._decides and any(named.when is None for named in self.steps)
        """Whether every event is changed, and none taken out."""
        self.multiplies = any(named.step.multiplies for named in self.steps)
        """Whether more events may leave than come in."""
        self.touches_unclear = any(named.when_unclear is not named.when for named in self.steps)
        """Whether texts that are unclear are touched whatever the conditions say of them: see `is_unclear`."""

    @property
    def conditions(self) -> list[Rule]:
        """What the steps ask before they do anything."""
        return [named.when for named in self.steps if named.when is not None]

    @property
    def references(self) -> frozenset[Reference]:
        """What is read of rows: by the conditions, and by the steps that need not read events whole."""
        keys = [named.step.key for named in self.steps[: self.thinning] if named.step.key is not None]
        return frozenset().union(*(rule.references for rule in self.conditions), *(key.references for key in keys))

    def verdict_source(self, tests: Mapping[Rule, str]) -> str:
        """A Python expression for one event's verdict, from those of the conditions."""
        source = str(UNTOUCHED)
        rest = self.steps[self._leading :]
        if any(named.when is None for named in rest):
            source = str(TOUCHED)
        elif rest:
            touching = " or ".join(f"({tests[named.when]})" for named in rest if named.when is not None)
            source = f"({TOUCHED} if {touching} else {UNTOUCHED})"
        for number, named in reversed(list(enumerate(self.steps[: self._leading]))):
            assert named.when is not None
            source = f"({FIRST_DISCARD + number} if {tests[named.when]} else {source})"
        return source

    def count_discarded(self, verdict: int, events: int) -> None:
        """Count events that a leading step takes out, by their verdict."""
        self.discarded[self.steps[verdict - FIRST_DISCARD].name] += events

    def change_all(self, payloads: list[bytes], facts: Facts) -> Sequence[bytes | None]:
        """Events after all steps but the leading ones: step by step, so that most of it happens in C.

        None for those with which this does not do, and each must be looked at: some of them are no plain JSON, a step
        has failed, or may discard.
        """
        if self._decides:
            return [None] * len(payloads)
        changed: list[bytes | None] = []
        for start in range(0, len(payloads), TOGETHER):
            some = payloads[start : start + TOGETHER]
            try:
                changed += changed_together(self.steps[self._leading :], some, facts)
            except Exception:
                changed += [None] * len(some)
        return changed

    def apply(self, payload: bytes, flags: int, facts: Facts) -> list[Event]:
        """What an event has become after all steps: none where one took it out, several where one made more of it."""
        try:
            document = read_document(payload, flags)
        except (ValueError, RecursionError):  # an object that can be skipped but not read
            return [self._unreadable(payload, flags)]
        unclear = (payload, flags) if is_unclear(payload, flags) else None
        passing: list[Passing] = [(document, payload, flags)]
        for stage in self._stages:
            passing = [after for event in passing for after in stage.through(event, facts, unclear)]
        return [(payload, flags) for _, payload, flags in passing]

    def apply_all(self, events: Sequence[Event], facts: Facts) -> list[Event]:
        """The same for several events, where some step is to be given many of them at once; at most TOGETHER."""
        travellers: list[Traveller] = []
        for payload, flags in events:
            own = facts if flags in PLAIN else facts.marked(flags)
            unclear = (payload, flags) if is_unclear(payload, flags) else None
            try:
                travellers.append(((read_document(payload, flags), payload, flags), own, unclear))
            except (ValueError, RecursionError):
                travellers.append(((None, *self._unreadable(payload, flags)), own, unclear))
        for stage in self._stages:
            travellers = stage.through_all(travellers, facts)
        return [(payload, flags) for (_, payload, flags), _, _ in travellers]

    def overdue(
        self, now_ns: int, resource: Mapping[str, str], *, ending: bool = False, kept: Collection[AnyStep] = ()
    ) -> Iterator[tuple[Event, Attributes]]:
        """Events that steps make by themselves, after the steps behind these. `ending`: no more events come, but for
        the steps that are `kept`."""
        for number, stage in enumerate(self._stages):
            named = stage.steps[0]
            if not named.step.tells:
                continue
            for event, attributes in self._told_by(named, now_ns, ending=ending and named.step not in kept):
                facts = Facts(attributes, now_ns, resource)
                passing = [event]
                for behind in self._stages[number + 1 :]:
                    passing = [after for event in passing for after in behind.through(event, facts, None)]
                yield from (((payload, flags), attributes) for _, payload, flags in passing)

    def _told_by(self, named: NamedStep, now_ns: int, *, ending: bool) -> list[tuple[Passing, Attributes]]:
        told: list[tuple[Passing, Attributes]] = []
        try:
            for document, attributes in named.step.overdue(now_ns, ending=ending):
                told.append(((document, encode_document(document), Flag.JSON), attributes))
        except Exception as error:  # a mistake of a plug-in's
            self.failed[named.name] += 1
            self.tally.tell_why(named, error)
        self.added[named.name] += len(told)
        return told

    def change(self, payload: bytes, flags: int, facts: Facts) -> Event:
        """The same for a chain in a route, whose steps make one event of one."""
        (event,) = self.apply(payload, flags, facts)
        return event

    def _unreadable(self, payload: bytes, flags: int) -> Event:
        for named in self.steps:
            self.failed[named.name] += 1
        if self.closing:
            return self.closing[0].placeholder
        return payload, flags | Flag.STEP_FAILED

    def behind(self, steps: int) -> Chain:
        """The steps behind the first so many, as a chain of their own, which counts with this one."""
        return Chain([(named.name, named.step) for named in self.steps[steps:]], self.tally)

    def _count_thinning(self) -> int:
        leading = takewhile(lambda named: named.step.thins or named.step.only_discards, self.steps)
        return max((place for place, named in enumerate(leading, 1) if named.step.thins), default=0)

    def _count_leading_discards(self) -> int:
        leading = 0
        for named in self.steps:
            if not named.step.only_discards or named.when is None:
                break
            leading += 1
        return leading


def is_unclear(payload: bytes, flags: int) -> bool:
    """Whether it may be an object whose fields nobody can read: one that is not quite JSON, or a piece of a line."""
    if flags & Flag.PARTIAL_MIDDLE:
        return True
    return not flags & Flag.JSON and payload.lstrip(_BEFORE_BRACE).startswith(b"{")


def _stages(steps: Iterable[NamedStep], tally: Tally) -> Iterator[Stage]:
    """The steps in runs of those that can be done in one go."""
    run: list[NamedStep] = []
    for named in steps:
        if named.step.batches or (named.step.decides and not named.step.only_discards):
            if run:
                yield Stage(run, tally)
            yield (BatchStage if named.step.batches else Stage)([named], tally)
            run = []
        else:
            run.append(named)
    if run:
        yield Stage(run, tally)
