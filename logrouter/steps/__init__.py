"""The contract of a step: a change to an event, or a decision about it.

A step works on an event's document (its JSON object; for a text line `{"message": …}`) and changes it in
place. It is a pure function of the document, the facts and its config.

Steps that decide may do more: take an event out (`discard`, `sample`), make several of one (`split`), or remember what
they have seen. They are allowed before the spool only, where everything happens once and in order: no event is shown
to such a step twice, whatever fails before or after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

from logrouter.documents import Document, read_document, with_field, write_document
from logrouter.event import PLAIN, Attributes, Flag
from logrouter.facts import Facts
from logrouter.rules import Rule
from logrouter.templates import Template

if TYPE_CHECKING:
    from logrouter.steps._keys import Key

DISCARD: Final = "discard"
"""What a step returns to take the event out."""

KEEP: Final = "keep"
"""What a step may return that has changed nothing: the event stays the bytes that it was."""

Outcome: TypeAlias = Literal["discard", "keep"] | list[Document] | None
"""What a step decides: None, the event goes on as it is now; KEEP; DISCARD; or the events that it has become, in order.
Of no events, it was taken out."""


class Overdue(NamedTuple):
    """An event that a step has made by itself, to tell of those it has left out."""

    document: Document
    attributes: Attributes
    """Of the events that it tells of."""


class StepFailed(Exception):
    """A step cannot do what it should. Its text is told in our own log: it quotes nothing of the event."""

    def __init__(self, reason: str, *, again: bool = True) -> None:
        """`again`: whether it may be tried with each event alone, where there were several."""
        super().__init__(reason)
        self.again = again


class Incomplete(Exception):
    """Raised by a step that has done to an event what it could, and that was not all. The event goes on as it is then,
    marked `meta.step_failed` and counted; after any other exception it goes on as it was before the step. Its text is
    told in our own log: it quotes nothing of the event."""


class Asked:
    """Events of one chunk about which a step is asked at once, in order: what it thins out."""

    __slots__ = ("changed", "facts", "failures", "flags", "kept", "keys", "payloads")

    def __init__(
        self, keys: Sequence[str | None], payloads: Sequence[bytes], flags: bytes | bytearray, facts: Facts
    ) -> None:
        self.keys = keys
        """What its `key` is of each; of steps without one, None."""
        self.payloads = payloads
        self.flags = flags
        self.facts = facts
        """Of those that are plain; see `facts_of`."""
        self.kept = bytearray(b"\1") * len(payloads)
        """1 for those that go on, at first all; 0 for those that the step takes out."""
        self.changed: dict[int, tuple[bytes, int]] = {}
        """By their places, payload and flags of those that have changed."""
        self.failures: dict[int, Exception] = {}
        """By their places, why some could not be changed."""

    def __len__(self) -> int:
        return len(self.payloads)

    @property
    def are_plain(self) -> bool:
        """Whether nothing is known of one that is not known of all."""
        return not self.flags.translate(None, PLAIN)

    def facts_of(self, place: int) -> Facts:
        """What is known of one of them."""
        flags = self.flags[place]
        return self.facts if flags in PLAIN else self.facts.marked(flags)

    def document(self, place: int) -> Document:
        """One of them, read whole; of an object that nobody can read, nothing."""
        try:
            return read_document(self.payloads[place], self.flags[place])
        except (ValueError, RecursionError):
            return {}

    def add(self, place: int, name: bytes, value: bytes) -> bool:
        """Add a field to one of them without reading it, as `with_field` does. Gives whether that was possible."""
        flags = self.flags[place]
        made = with_field(self.payloads[place], name, value) if flags & Flag.JSON else None
        if made is not None:
            self.changed[place] = made, flags
        return made is not None

    def change(self, place: int, change: Callable[[Document], None]) -> bool:
        """Change one of them. Where `change` raises, the event goes on as it was, marked and counted: gives False."""
        payload, flags = self.payloads[place], self.flags[place]
        try:
            document = read_document(payload, flags)
            change(document)
            self.changed[place] = write_document(document, payload, flags)
        except Exception as error:
            self.failures[place] = error
            return False
        return True


class StepConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options that every step has."""

    when: Rule | None = None
    """On which events it is done, as a rule. Default: all."""


ConfigT = TypeVar("ConfigT", bound=StepConfig)


class Step(Generic[ConfigT]):
    """Base of all steps."""

    Config: ClassVar[type[StepConfig]]
    short: ClassVar[tuple[str, type | UnionType] | None] = None
    """The option that a value alone stands for, behind the step's name, and of which kind such a value is: where it is
    `"fields", list | str`, `remove: [a, b]` is `remove: {fields: [a, b]}`."""
    splices: bool = False
    """Whether it can change events without parsing them: `apply_to_lines`."""
    decides: ClassVar[bool] = False
    """Whether it may return something else than None, or remembers events. If so it is not allowed in a route."""
    multiplies: ClassVar[bool] = False
    """Whether it may make several events of one. Then fewer lines are taken in at once."""
    only_discards: ClassVar[bool] = False
    """Whether all it does is to discard the events for which `when` holds."""
    batches: ClassVar[bool] = False
    """Whether it decides about several events at once, `apply_batch`."""
    tells: ClassVar[bool] = False
    """Whether it makes events by itself, `overdue`."""
    runs_own_code: ClassVar[bool] = False
    """Whether it runs what the user has written: not with `allow_plugins: false`."""
    shallow: bool = False
    """Whether `apply_all` only adds, moves and removes fields of the event itself, and looks at no value: then those
    that it is given may be JSON that is not parsed."""
    thins: bool = False
    """Whether all that it does is to take events out, and to write something into few others, and it can tell which by
    their `key`, or by their payloads: then it is asked `thin_out` about a chunk's events, which nobody reads whole for
    that."""
    key: Key | None = None
    """What it decides by where it `thins`, if that can be told by the rows of events."""
    fails_closed: bool = False
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
        """The long form of what stands behind the step's name, as `short` says. Raises ValueError where that is nothing
        of the kind."""
        if cls.short is not None and isinstance(value, cls.short[1]):
            return {cls.short[0]: value}
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

    def apply_to_lines(self, lines: list[bytes]) -> Sequence[bytes | None]:
        """Change events as they are written: valid JSON objects in UTF-8 without a newline. None for those with which
        this does not do. Asked of steps that splice. Where it raises, all are done anew, each by itself."""
        raise NotImplementedError

    def apply_batch(self, documents: Sequence[Document]) -> Sequence[Document]:
        """What has become of several events, in order: some of these documents, changed, and new ones.

        Asked of steps that batch. Raises where it fails; then all are made anew, and given to it one by one.
        """
        raise NotImplementedError

    def thin_out(self, asked: Asked) -> None:
        """Say which of several events are not `kept`, and change some of the others: as `apply` does one by one.

        Asked of steps that thin.
        """
        raise NotImplementedError

    def overdue(self, now_ns: int, *, ending: bool = False) -> Iterable[Overdue]:
        """Events that it makes by itself, as it is time. Asked of steps that tell, once a second. `ending`: no more
        events come, so that it is time for all."""
        return ()

    def tried(self) -> str | None:
        """What goes wrong with an event that is made up, in words; asked by `logrouter check`. None: nothing."""
        return None
