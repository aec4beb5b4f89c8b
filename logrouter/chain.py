"""Several steps, done one after the other on one event. The slow way, which is the definition.

Most events need none of it. Before the spool, `verdicts` tells for a whole chunk which events any step would
touch: an event none of whose steps' conditions hold as it came in is changed by none of them. It is never parsed
whole, and leaves as the bytes that came in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final, TypeAlias

from logrouter.documents import Document, decode_each, decode_plain, encode_document, read_document, write_document
from logrouter.event import PLAIN, Attributes, Flag
from logrouter.facts import Facts
from logrouter.references import Meta, Reference, Resource
from logrouter.rules import Rule
from logrouter.steps import DISCARD, KEEP, Incomplete, Outcome, Step, StepFailed

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

AnyStep = Step[Any]
Event: TypeAlias = tuple[bytes, int]
"""A payload and its flags."""
Passing: TypeAlias = tuple[Document | None, bytes, int]
"""An event between two stages: its document and the same as payload and flags. None: no step may see it any more."""
Traveller: TypeAlias = tuple[Passing, Facts, Event | None]
"""One of several events between two stages, what is known of it, and, if its fields cannot be read, how it came in."""


class NamedStep:
    """A step and the name under which it is counted: its place in the config and what it is, `steps.0.throttle`."""

    __slots__ = ("apply", "kind", "name", "step", "when", "when_unclear")

    def __init__(self, name: str, step: AnyStep) -> None:
        self.name = name
        self.kind = name.rpartition(".")[2]
        self.step = step
        self.when: Rule | None = step.config.when
        self.when_unclear = None if step.fails_closed and _reads_event(self.when) else self.when
        """What is asked about a text that is unclear: of fields that nobody can read a condition may hold."""
        self.apply = step.apply


Stage: TypeAlias = list[NamedStep]
"""Steps that are done in one go: where one fails, all of them are done again, from the payload that came in. A step
that decides is not to see an event twice, and has a stage of its own; but those that only discard remember nothing."""


class Chain:
    """Steps in order, and how often each failed, took an event out, or made more of one."""

    def __init__(self, steps: Sequence[tuple[str, AnyStep]]) -> None:
        self.steps = [NamedStep(name, step) for name, step in steps]
        self.discarded: Counter[str] = Counter()
        self.added: Counter[str] = Counter()
        """Events that were made beside the one that came in."""
        self.failed: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}
        """Why each failed last: nothing of the event."""
        self._stages = list(_stages(self.steps))
        self._leading = self._count_leading_discards()
        self._decides = any(named.step.decides for named in self.steps[self._leading :])
        self.batches = any(named.step.batches for named in self.steps)
        """Whether some step is to be given many events at once: `apply_all`."""
        self._closing = [named for named in self.steps if named.step.fails_closed]
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
        """What the conditions read."""
        return frozenset(reference for rule in self.conditions for reference in rule.references)

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
                changed += self._changed(some, facts)
            except Exception:
                changed += [None] * len(some)
        return changed

    def _changed(self, payloads: list[bytes], facts: Facts) -> list[bytes | None]:
        nothing: Document = {}
        documents, refused = decode_each(decode_plain, payloads, nothing)
        for place in reversed(refused):
            del documents[place]
        failed: set[int] = set()
        for named in self.steps[self._leading :]:
            when = named.when
            meant = documents if when is None else [document for document in documents if when.test(document, facts)]
            failed.update(map(id, named.step.apply_all(meant, facts)))
        changed: list[bytes | None] = list(map(encode_document, documents))
        if failed:
            changed = [None if id(one) in failed else made for one, made in zip(documents, changed, strict=True)]
        for place in refused:
            changed.insert(place, None)
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
            passing = [after for event in passing for after in self._through(stage, event, facts, unclear)]
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
            if stage[0].step.batches:
                travellers = self._through_together(stage[0], travellers, facts)
            else:
                travellers = [
                    (after, own, unclear)
                    for event, own, unclear in travellers
                    for after in self._through(stage, event, own, unclear)
                ]
        return [(payload, flags) for (_, payload, flags), _, _ in travellers]

    def overdue(
        self, now_ns: int, resource: Mapping[str, str], *, ending: bool = False, kept: Collection[AnyStep] = ()
    ) -> Iterator[tuple[Event, Attributes]]:
        """Events that steps make by themselves, after the steps behind these. `ending`: no more events come, but for
        the steps that are `kept`."""
        for number, stage in enumerate(self._stages):
            named = stage[0]
            if not named.step.tells:
                continue
            for event, attributes in self._told_by(named, now_ns, ending=ending and named.step not in kept):
                facts = Facts(attributes, now_ns, resource)
                passing = [event]
                for behind in self._stages[number + 1 :]:
                    passing = [after for event in passing for after in self._through(behind, event, facts, None)]
                yield from (((payload, flags), attributes) for _, payload, flags in passing)

    def _told_by(self, named: NamedStep, now_ns: int, *, ending: bool) -> list[tuple[Passing, Attributes]]:
        told: list[tuple[Passing, Attributes]] = []
        try:
            for document, attributes in named.step.overdue(now_ns, ending=ending):
                told.append(((document, encode_document(document), Flag.JSON), attributes))
        except Exception as error:  # a mistake of a plug-in's
            self.failed[named.name] += 1
            self.reasons[named.name] = _reason(error)
        self.added[named.name] += len(told)
        return told

    def change(self, payload: bytes, flags: int, facts: Facts) -> Event:
        """The same for a chain in a route, whose steps make one event of one."""
        (event,) = self.apply(payload, flags, facts)
        return event

    def _through(self, stage: Stage, event: Passing, facts: Facts, unclear: Event | None) -> list[Passing]:
        """The event after some of the steps. `unclear`: as it came in, if its fields cannot be read."""
        document, payload, flags = event
        if document is None:
            return [event]
        incomplete: list[str] = []
        changed = False
        try:
            for named in stage:
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
                    self.reasons[named.name] = _reason(error)
                    incomplete.append(named.name)
                    changed = True
                    continue
                if outcome is KEEP:
                    continue
                if outcome is not None:
                    self.failed.update(incomplete)
                    return self._decided(named, outcome, payload, flags)
                changed = True
            if not changed:
                return [event]
            after = write_document(document, payload, flags | Flag.STEP_FAILED if incomplete else flags)
            self.failed.update(incomplete)
            return [(document, *after)]
        except Exception as error:
            if len(stage) == 1:
                return [self._after_failure(stage[0], payload, flags, error)]
            return self._through_guarded(stage, payload, flags, facts, unclear)

    def _decided(self, named: NamedStep, outcome: Outcome, payload: bytes, flags: int) -> list[Passing]:
        """What a step has made of an event."""
        if not outcome or isinstance(outcome, str):
            self.discarded[named.name] += 1
            return []
        made: list[Passing] = [(document, *write_document(document, payload, flags)) for document in outcome]
        if len(made) > 1:
            self.added[named.name] += len(made) - 1
        return made

    def _through_guarded(
        self, stage: Stage, payload: bytes, flags: int, facts: Facts, unclear: Event | None
    ) -> list[Passing]:
        """Once more, with a copy kept before each step, as one of several is known to fail."""
        document = read_document(payload, flags)
        for named in stage:
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
                self.reasons[named.name] = _reason(error)
                if named.step.fails_closed:
                    return [self._withheld(named)]
                self.failed[named.name] += 1
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

    def _through_together(self, named: NamedStep, events: Iterable[Traveller], facts: Facts) -> list[Traveller]:
        """Events after a step that is given as many of them at once as stand next to each other."""
        after: list[Traveller] = []
        together: list[Traveller] = []
        for event in events:
            (document, _, _), own, unclear = event
            when = named.when_unclear if unclear else named.when
            if document is not None and (when is None or when.test(document, own)):
                together.append(event)
                continue
            after += self._batch(named, together, facts)
            after.append(event)
            together = []
        return after + self._batch(named, together, facts)

    def _batch(self, named: NamedStep, events: list[Traveller], facts: Facts) -> list[Traveller]:
        """These events after a step; where it fails, each after that step alone, as far as it may be tried."""
        if not events:
            return []
        try:
            after = self._made_of(named, events, facts)
        except Exception as error:
            if len(events) == 1 or not getattr(error, "again", True):
                failed = (((payload, flags), own, unclear) for (_, payload, flags), own, unclear in events)
                return [(self._after_failure(named, *event, error), own, unclear) for event, own, unclear in failed]
            alone = (
                ((read_document(payload, flags), payload, flags), own, unclear)
                for (_, payload, flags), own, unclear in events
            )
            return [after for event in alone for after in self._batch(named, [event], facts)]
        if (more := len(after) - len(events)) > 0:
            self.added[named.name] += more
        elif more:
            self.discarded[named.name] -= more
        return after

    def _made_of(self, named: NamedStep, events: list[Traveller], facts: Facts) -> list[Traveller]:
        """What a step makes of several events. Those that it has changed keep what is known of them. Raises."""
        documents = [document for (document, _, _), _, _ in events if document is not None]
        places = {id(document): place for place, document in enumerate(documents)}
        made: list[Traveller] = []
        for document in named.step.apply_batch(documents):
            new: Traveller = ((None, b"", Flag.JSON), facts, None)
            (_, payload, flags), own, unclear = events[places[id(document)]] if id(document) in places else new
            event = write_document(document, payload, flags)
            made.append(((read_document(*event), *event), own, unclear))
        return made

    def _after_failure(self, named: NamedStep, payload: bytes, flags: int, error: Exception) -> Passing:
        """The event as a step has got it that failed; but nothing of it where it fails closed."""
        self.reasons[named.name] = _reason(error)
        if named.step.fails_closed:
            return self._withheld(named)
        self.failed[named.name] += 1
        return read_document(payload, flags), payload, flags | Flag.STEP_FAILED

    def _unreadable(self, payload: bytes, flags: int) -> Event:
        for named in self.steps:
            self.failed[named.name] += 1
        if self._closing:
            return _placeholder(self._closing[0])
        return payload, flags | Flag.STEP_FAILED

    def _withheld(self, named: NamedStep) -> Passing:
        self.failed[named.name] += 1
        return (None, *_placeholder(named))

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


def _stages(steps: Iterable[NamedStep]) -> Iterator[Stage]:
    """The steps in runs of those that can be done in one go."""
    stage: Stage = []
    for named in steps:
        if named.step.decides and not named.step.only_discards:
            yield from (run for run in (stage, [named]) if run)
            stage = []
        else:
            stage.append(named)
    if stage:
        yield stage


def _reads_event(rule: Rule | None) -> bool:
    """Whether a condition depends on more than attributes."""
    return rule is not None and not all(isinstance(reference, Meta | Resource) for reference in rule.references)


def _reason(error: Exception) -> str:
    """Why a step failed. Errors' own texts may quote the event, which is nothing for a log."""
    return str(error) if isinstance(error, Incomplete | StepFailed) else type(error).__name__


def _placeholder(named: NamedStep) -> Event:
    """What stands for an event that a step must not let through."""
    return encode_document(named.step.placeholder), Flag.JSON | Flag.STEP_FAILED
