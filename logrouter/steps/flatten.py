"""Flatten nested objects: their fields become fields of the event, with dotted names.

    - flatten
    < {"level": "info", "http": {"request": {"method": "GET"}, "status": 200}}
    > {"level": "info", "http.request.method": "GET", "http.status": 200}

`fields` names the objects to flatten, where it is not all; `depth`, how many levels of objects are taken apart; and
`separator`, what stands between the names. Fields stay in the order in which they were. Rules find them as before: a
dotted name reaches the literal key first.

    - flatten: {fields: [http, user], depth: 1, separator: _}
    < {"http": {"request": {"method": "GET"}, "status": 200}, "user": "ann", "tags": {"a": 1}}
    > {"http_request": {"method": "GET"}, "http_status": 200, "user": "ann", "tags": {"a": 1}}

Lists stay as they are, or, with `lists: number`, become fields by the places of their elements. Empty objects and lists
stay.

    - flatten: {lists: number}
    < {"hosts": [{"ip": "10.0.0.1"}, "b"], "none": []}
    > {"hosts.0.ip": "10.0.0.1", "hosts.1": "b", "none": []}

No value is lost: where two would have the same name, one gets a number, never the field that was there by that name.

    - flatten
    < {"a.b": 1, "a": {"b": 2}}
    > {"a.b": 1, "a.b#2": 2}
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final, Literal

from logrouter.documents import Document, Names
from logrouter.errors import Complaints
from logrouter.facts import Facts
from logrouter.references import parent_and_key
from logrouter.steps import Step, StepConfig
from logrouter.steps._paths import field_paths

_MOST_CHARACTERS: Final = 1024 * 1024
"""Of all names together: an event is not to grow without bounds, as many fields that are nested deep would make it."""


class FlattenConfig(StepConfig, frozen=True, kw_only=True):
    """It needs no options. A list is short for `{fields: [...]}`."""

    fields: tuple[str, ...] = ()
    """The objects to flatten. Default: all of the event."""
    separator: str = "."
    """What stands between the names."""
    depth: int | None = None
    """How many levels of objects are taken apart. Default: all."""
    lists: Literal["keep", "number"] = "keep"
    """What becomes of lists: they stay as they are, or their elements become fields too, numbered from 0."""


class Flatten(Step[FlattenConfig]):
    """Fills the event anew, if there is anything to flatten in it."""

    Config: ClassVar[type[StepConfig]] = FlattenConfig
    short = "fields", list | str

    def __init__(self, config: FlattenConfig) -> None:
        super().__init__(config)
        complaints = Complaints()
        with complaints:
            if config.depth is not None and config.depth < 1:
                raise ValueError(f"depth: expected 1 or more, not {config.depth}")
        with complaints:
            if not config.separator:
                raise ValueError("separator: expected some text, as the names could not be told apart without")
        with complaints:
            self._paths = field_paths(config.fields, "flattened")
        complaints.conclude()
        self._kinds = (dict, list) if config.lists == "number" else (dict,)
        self._depth = config.depth or -1

    def apply(self, document: Document, facts: Facts) -> None:
        if not self._paths:
            self._flatten(document, [key for key, value in document.items() if isinstance(value, self._kinds)])
            return
        for path in self._paths:
            if (place := parent_and_key(document, path)) is not None:
                holder, key = place
                if isinstance(holder[key], self._kinds):
                    self._flatten(holder, [key])

    def _flatten(self, holder: Document, keys: Iterable[str]) -> None:
        """Put what stands under these keys in the place of each, by longer names."""
        flattened = set(keys)
        if not flattened:
            return
        items = list(holder.items())
        names = Names(key for key in holder if key not in flattened)
        holder.clear()
        for key, value in items:
            if key not in flattened:
                holder[key] = value
                continue
            for name, inner in self._leaves(key, value):
                holder[names.unused(name)] = inner

    def _leaves(self, key: str, value: Any) -> Iterable[tuple[str, Any]]:
        """What stands in an object or list, with its whole name. Not recursive: input decides how deep it is nested."""
        waiting = [(key, value, 0)]
        found = []
        characters = 0
        while waiting:
            name, value, level = waiting.pop()
            if not value or not isinstance(value, self._kinds) or level == self._depth:
                found.append((name, value))
                continue
            items = value.items() if isinstance(value, dict) else enumerate(value)
            inner = [(f"{name}{self.config.separator}{part}", item, level + 1) for part, item in items]
            characters += sum(len(name) for name, _, _ in inner)
            if characters > _MOST_CHARACTERS:
                raise ValueError(f"{key} holds too much, nested too deep, to be flattened")
            waiting += reversed(inner)
        return found
