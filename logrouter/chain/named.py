"""One step of a chain, and what is counted of all."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

from logrouter.documents import encode_document
from logrouter.event import Flag
from logrouter.references import Meta, Resource
from logrouter.rules import Rule
from logrouter.steps import Incomplete, Step, StepFailed

AnyStep = Step[Any]
Event: TypeAlias = tuple[bytes, int]
"""A payload and its flags."""


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

    @property
    def placeholder(self) -> Event:
        """What stands for an event that it must not let through."""
        return encode_document(self.step.placeholder), Flag.JSON | Flag.STEP_FAILED


def _reads_event(rule: Rule | None) -> bool:
    """Whether a condition depends on more than attributes."""
    return rule is not None and not all(isinstance(reference, Meta | Resource) for reference in rule.references)


class Tally:
    """What steps have done that is counted, by their names."""

    def __init__(self) -> None:
        self.discarded: Counter[str] = Counter()
        """Events that were taken out."""
        self.added: Counter[str] = Counter()
        """Events that were made beside the one that came in."""
        self.failed: Counter[str] = Counter()
        """Events on which a step failed."""
        self.reasons: dict[str, str] = {}
        """Why each failed last: nothing of the event."""
        self._told_failed = 0

    def go_on_from(self, former: Tally) -> None:
        """Count on where another left off."""
        self.discarded.update(former.discarded)
        self.added.update(former.added)
        self.failed.update(former.failed)
        self.reasons.update(former.reasons)
        self._told_failed += former._told_failed

    def has_news(self) -> bool:
        """Whether steps have failed since this was asked last."""
        told, self._told_failed = self._told_failed, self.failed.total()
        return told != self._told_failed

    def tell_why(self, named: NamedStep, error: Exception) -> None:
        """Keep why a step failed. Errors' own texts may quote the event, which is nothing for a log."""
        self.reasons[named.name] = str(error) if isinstance(error, Incomplete | StepFailed) else type(error).__name__
