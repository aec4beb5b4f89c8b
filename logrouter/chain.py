"""Several steps, done one after the other on one event. The slow way, which is the definition.

Most events need none of it. Before the spool, `verdicts` tells for a whole chunk which events any step would
touch: an event none of whose steps' conditions hold as it came in is changed by none of them. It is never parsed
whole, and leaves as the bytes that came in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from logrouter.documents import Document, decode_document, decode_each, decode_plain, decode_text, encode_document
from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.references import Meta, Reference, Resource
from logrouter.rules import Rule
from logrouter.steps import DISCARD, Step

UNTOUCHED: Final = 0
TOUCHED: Final = 1
"""Some step applies, or may: the event must be parsed whole."""
FIRST_DISCARD: Final = 2
"""2 + n: taken out by the step n, one of those that lead the chain and only discard."""

_TOGETHER: Final = 128
"""Events that are changed together: where more documents are held at once, Python's garbage collector looks through
them again and again, which takes as long as parsing them; where one fails, so many are done one by one."""

_BEFORE_BRACE: Final = b" \t\r\xef\xbb\xbf"
"""Blanks, and the byte order mark that some programs begin with."""

AnyStep = Step[Any]


class NamedStep:
    """A step and the name under which it is counted."""

    __slots__ = ("apply", "name", "step", "when", "when_unclear")

    def __init__(self, name: str, step: AnyStep) -> None:
        self.name = name
        self.step = step
        self.when: Rule | None = step.config.when
        self.when_unclear = None if step.fails_closed and _reads_event(self.when) else self.when
        """What is asked about a text that is unclear: of fields that nobody can read a condition may hold."""
        self.apply = step.apply


class Chain:
    """Steps in order, and how often each failed or took an event out."""

    def __init__(self, steps: Sequence[tuple[str, AnyStep]]) -> None:
        self.steps = [NamedStep(name, step) for name, step in steps]
        self.discarded: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._leading = self._count_leading_discards()
        self._decides = any(named.step.decides for named in self.steps[self._leading :])
        self._closing = [named for named in self.steps if named.step.fails_closed]
        self.changes_all = not self._leading and not self._decides and any(named.when is None for named in self.steps)
        """Whether every event is changed, and none taken out."""
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
        for start in range(0, len(payloads), _TOGETHER):
            some = payloads[start : start + _TOGETHER]
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
        for named in self.steps[self._leading :]:
            when = named.when
            meant = documents if when is None else [document for document in documents if when.test(document, facts)]
            named.step.apply_all(meant, facts)
        changed: list[bytes | None] = list(map(encode_document, documents))
        for place in refused:
            changed.insert(place, None)
        return changed

    def apply(self, payload: bytes, flags: int, facts: Facts) -> tuple[bytes, int] | None:
        """The event after all steps; None if one took it out."""
        unclear = is_unclear(payload, flags)
        try:
            document = decode_document(payload) if flags & Flag.JSON else decode_text(payload)
        except (ValueError, RecursionError):  # an object that can be skipped but not read
            return self._unreadable(payload, flags)
        try:
            for named in self.steps:
                when = named.when_unclear if unclear else named.when
                if when is not None and not when.test(document, facts):
                    continue
                if unclear and named.step.withholds(payload, flags):
                    return self._withhold(named)
                if named.apply(document, facts) is DISCARD:
                    self.discarded[named.name] += 1
                    return None
            return _encoded(document, payload, flags)
        except Exception:
            return self._apply_guarded(payload, flags, facts)

    def change(self, payload: bytes, flags: int, facts: Facts) -> tuple[bytes, int]:
        """The same for a chain in a route, whose steps take nothing out."""
        result = self.apply(payload, flags, facts)
        assert result is not None, "a step in a route discarded an event"
        return result

    def _apply_guarded(self, payload: bytes, flags: int, facts: Facts) -> tuple[bytes, int] | None:
        """Once more, with a copy kept before each step, as one of them is known to fail."""
        unclear = is_unclear(payload, flags)
        document = decode_document(payload) if flags & Flag.JSON else decode_text(payload)
        for named in self.steps:
            when = named.when_unclear if unclear else named.when
            if when is not None and not when.test(document, facts):
                continue
            if unclear and named.step.withholds(payload, flags):
                return self._withhold(named)
            before = deepcopy(document)
            try:
                if named.apply(document, facts) is DISCARD:
                    self.discarded[named.name] += 1
                    return None
                encode_document(document)
            except Exception:
                if named.step.fails_closed:
                    return self._withhold(named)
                self.failed[named.name] += 1
                document = before
                flags |= Flag.STEP_FAILED
        return _encoded(document, payload, flags)

    def _unreadable(self, payload: bytes, flags: int) -> tuple[bytes, int]:
        for named in self.steps:
            self.failed[named.name] += 1
        if self._closing:
            return _placeholder(self._closing[0])
        return payload, flags | Flag.STEP_FAILED

    def _withhold(self, named: NamedStep) -> tuple[bytes, int]:
        self.failed[named.name] += 1
        return _placeholder(named)

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


def _reads_event(rule: Rule | None) -> bool:
    """Whether a condition depends on more than attributes."""
    return rule is not None and not all(isinstance(reference, Meta | Resource) for reference in rule.references)


def _placeholder(named: NamedStep) -> tuple[bytes, int]:
    """What stands for an event that a step must not let through."""
    return encode_document(named.step.placeholder), Flag.JSON | Flag.STEP_FAILED


def _encoded(document: Document, payload: bytes, flags: int) -> tuple[bytes, int]:
    """Text stays text while nothing but its message is there."""
    if flags & Flag.JSON:
        return encode_document(document), flags
    message = document.get("message")
    if len(document) == 1 and isinstance(message, str) and message and "\n" not in message:
        if message == payload.decode("utf-8", "replace"):
            return payload, flags
        return message.encode(), flags & ~Flag.INVALID_UTF8
    return encode_document(document), flags | Flag.JSON
