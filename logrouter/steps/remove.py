"""Remove fields.

    - remove: [password, http.headers.cookie]
    < {"user": "ann", "password": "x", "http": {"headers": {"cookie": "y", "host": "shop"}}}
    > {"user": "ann", "http": {"headers": {"host": "shop"}}}

A field that the event does not have is no matter. A dotted name is removed wherever it leads, the literal dotted key
and the nested field, so that afterwards the event has no such field. To remove a field from each object in a list, or
all that looks like an e-mail address, see `redact`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from logrouter.documents import Document
from logrouter.facts import Facts
from logrouter.references import parent_and_key
from logrouter.steps import Step, StepConfig
from logrouter.steps._paths import field_paths


class RemoveConfig(StepConfig, frozen=True, kw_only=True):
    """A list is short for `{fields: [...]}`."""

    fields: tuple[str, ...]
    """The fields to remove."""


class Remove(Step[RemoveConfig]):
    """Removes fields; undotted names by `dict.pop`."""

    Config: ClassVar[type[StepConfig]] = RemoveConfig
    short = "fields", list | str

    def __init__(self, config: RemoveConfig) -> None:
        super().__init__(config)
        if not config.fields:
            raise ValueError("expected at least one field to remove")
        paths = field_paths(config.fields, "removed")
        self._keys = [path[0] for path in paths if len(path) == 1]
        self._paths = [path for path in paths if len(path) > 1]
        self.shallow = not self._paths

    def apply(self, document: Document, facts: Facts) -> None:
        for key in self._keys:
            if key in document:
                del document[key]
        for path in self._paths:
            while place := parent_and_key(document, path):
                del place[0][place[1]]

    def apply_all(self, documents: Sequence[Document], facts: Facts) -> Sequence[Document]:
        if self._paths:
            return super().apply_all(documents, facts)
        for key in self._keys:
            for document in documents:
                if key in document:
                    del document[key]
        return ()
