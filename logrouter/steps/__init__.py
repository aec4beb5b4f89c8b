"""The contract of a step: a change to an event, or a decision about it.

A step works on an event's document (its JSON object; for a text line `{"message": …}`) and changes it in
place. It is a pure function of the document, the facts and its config.

Steps that decide may do more: take an event out (`discard`, `sample`), make several of one (`split`), or remember what
they have seen. They are allowed before the spool only, where everything happens once and in order: no event is shown
to such a step twice, whatever fails before or after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec

from logrouter.documents import Document
from logrouter.facts import Facts
from logrouter.rules import Rule
from logrouter.templates import Template

DISCARD: Final = "discard"
"""What a step returns to take the event out."""

Outcome: TypeAlias = Literal["discard"] | list[Document] | None
"""What a step decides: None, the event goes on as it is now; DISCARD; or the events that it has become, in order. Of no
events, it was taken out."""


class Incomplete(Exception):
    """Raised by a step that has done to an event what it could, and that was not all. The event goes on as it is then,
    marked `meta.step_failed` and counted; after any other exception it goes on as it was before the step."""


class StepConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options that every step has."""

    when: Rule | None = None
    """On which events it is done, as a rule. Default: all."""


ConfigT = TypeVar("ConfigT", bound=StepConfig)


class Step(Generic[ConfigT]):
    """Base of all steps."""

    Config: ClassVar[type[StepConfig]]
    decides: ClassVar[bool] = False
    """Whether it may return something else than None, or remembers events. If so it is not allowed in a route."""
    only_discards: ClassVar[bool] = False
    """Whether all it does is to discard the events for which `when` holds."""
    fails_closed: ClassVar[bool] = False
    """What to do with an event on which it raises: False passes it on as it was, marked; True replaces it."""
    placeholder: ClassVar[Document] = {}
    """What replaces the event on which a step that fails closed has raised."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config
        self.templates: tuple[Template, ...] = ()
        """Those that it fills in from events."""

    @property
    def figures(self) -> dict[str, int]:
        """What it says of what it remembers, for `/status` and `/metrics`: `keys`, `forgotten_keys`."""
        return {}

    @classmethod
    def options_from(cls, value: Any) -> Any:
        """The long form of what stands after the step's name, where a step has a short one (`remove: [a, b]`)."""
        return value

    def withholds(self, text: bytes, flags: int) -> bool:
        """Whether an unclear text may hold what this step must take away, and it cannot look: it fails closed then.

        Asked, in its turn, about what `chain.is_unclear` says may be an object whose fields nobody can read.
        """
        return False

    def apply(self, document: Document, facts: Facts) -> Outcome:
        """Change the document in place, or decide what becomes of it. `when` has been asked already.

        Documents that it returns share nothing that can change. Where it raises, the event is marked and counted.
        """
        raise NotImplementedError

    def apply_all(self, documents: Sequence[Document], facts: Facts) -> Sequence[Document]:
        """Change several documents. Not asked of steps that decide.

        Gives those on which it failed, whatever they are now: their events are done anew, each by itself.
        """
        failed = []
        for document in documents:
            try:
                self.apply(document, facts)
            except Exception:
                failed.append(document)
        return failed
