"""Rename fields: a value moves, with its type, to another name.

    - rename: {msg: message, lvl: level}
    < {"msg": "started", "lvl": 30}
    > {"message": "started", "level": 30}

A field that the event does not have is no matter. What stood at the new name is replaced. Dotted names reach a literal
dotted key, if the event has it, else the nested field, on both sides; missing objects are made.

    - rename: {http.status: status, user: enduser.id}
    < {"http": {"status": 200, "method": "GET"}, "user": 7}
    > {"http": {"method": "GET"}, "status": 200, "enduser": {"id": 7}}

All are renamed at once, so that two fields can change places.

    - rename: {a: b, b: a}
    < {"a": 1, "b": 2}
    > {"b": 1, "a": 2}

An event in which something that is no object stands in the way of a new name passes on as it was, marked
`meta.step_failed` and counted. A key `when` is the condition; a field of that name is written `event["when"]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from logrouter.documents import Document
from logrouter.errors import each
from logrouter.facts import Facts
from logrouter.references import parent_and_key
from logrouter.steps import Step, StepConfig
from logrouter.steps._paths import Path, check_apart, field_paths, put


class RenameConfig(StepConfig, frozen=True, kw_only=True):
    """What stands after `rename` is this mapping itself."""

    fields: dict[str, str]
    """The old names, and the new name for each."""


class Rename(Step[RenameConfig]):
    """Renames fields. Undotted names that do not touch one another are moved one by one."""

    Config: ClassVar[type[StepConfig]] = RenameConfig

    def __init__(self, config: RenameConfig) -> None:
        super().__init__(config)
        if not config.fields:
            raise ValueError("expected at least one field to rename")
        sides = (list(config.fields), "renamed"), (list(config.fields.values()), "set")
        olds, news = each(lambda side: field_paths(*side), sides)
        check_apart(news)
        pairs = list(zip(olds, news, strict=True))
        self._simple: list[tuple[str, str]] = []
        self._pairs: list[tuple[Path, Path]] = []
        if _are_independent(pairs):
            self._simple = [(old[0], new[0]) for old, new in pairs]
        else:
            self._pairs = pairs
        self.shallow = not self._pairs

    @classmethod
    def options_from(cls, value: Any) -> Any:
        return {"fields": value}

    def apply(self, document: Document, facts: Facts) -> None:
        for old, new in self._simple:
            if old in document:
                document[new] = document.pop(old)
        if self._pairs:
            self._rename_at_once(document)

    def apply_all(self, documents: Sequence[Document], facts: Facts) -> Sequence[Document]:
        if self._pairs:
            return super().apply_all(documents, facts)
        for old, new in self._simple:
            for document in documents:
                if old in document:
                    document[new] = document.pop(old)
        return ()

    def _rename_at_once(self, document: Document) -> None:
        places = [(parent_and_key(document, old), new) for old, new in self._pairs]
        values = [(place[0][place[1]], new) for place, new in places if place is not None]
        for place, _ in places:
            if place is not None:
                place[0].pop(place[1], None)  # gone already where one name leads to the same value as another
        for value, new in values:
            put(document, new, value)


def _are_independent(pairs: list[tuple[Path, Path]]) -> bool:
    """Whether one after the other gives the same as all at once, and no name is dotted."""
    olds = {old for old, _ in pairs}
    news = {new for _, new in pairs}
    return olds.isdisjoint(news) and all(len(path) == 1 for path in olds | news)
