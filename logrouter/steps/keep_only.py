"""Keep only some fields, and remove all others.

    - keep_only: [time, level, message, http.status]
    < {"message": "done", "level": "info", "http": {"status": 200, "method": "GET"}, "pid": 7}
    > {"level": "info", "message": "done", "http": {"status": 200}}

The fields that are left stand in the order of the list. A dotted name keeps just that field of an object, where it is:
nested, or under its literal dotted key. An event that has none of the fields is left as `{}`, and passes on.
"""

from __future__ import annotations

from typing import ClassVar

from logrouter.documents import Document
from logrouter.facts import Facts
from logrouter.steps import Step, StepConfig
from logrouter.steps._paths import Path, field_paths, keys_to


class KeepOnlyConfig(StepConfig, frozen=True, kw_only=True):
    """A list is short for `{fields: [...]}`."""

    fields: tuple[str, ...]
    """The fields to keep."""


class KeepOnly(Step[KeepOnlyConfig]):
    """Keeps fields, by filling the emptied event anew."""

    Config: ClassVar[type[StepConfig]] = KeepOnlyConfig
    short = "fields", list | str

    def __init__(self, config: KeepOnlyConfig) -> None:
        super().__init__(config)
        if not config.fields:
            raise ValueError("expected at least one field to keep")
        self._paths = field_paths(config.fields, "kept")
        self._keys = [path[0] for path in self._paths] if all(len(path) == 1 for path in self._paths) else None
        self.shallow = self._keys is not None

    def apply(self, document: Document, facts: Facts) -> None:
        if self._keys is not None:
            kept = {key: document[key] for key in self._keys if key in document}
        else:
            kept = self._kept(document)
        document.clear()
        document.update(kept)

    def _kept(self, document: Document) -> Document:
        kept: Document = {}
        for path in self._paths:
            keys = keys_to(document, path)
            if keys is not None:
                _copy_at(document, kept, keys)
        return kept


def _copy_at(source: Document, target: Document, keys: Path) -> None:
    """Give the target the source's value at these keys, with the objects on the way."""
    for key in keys[:-1]:
        source = source[key]
        target = target.setdefault(key, {})
        if target is source:  # the whole object is kept already
            return
    target[keys[-1]] = source[keys[-1]]
