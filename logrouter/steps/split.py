"""Split an event whose field is a list into events of its elements.

    - split: {field: items}
    < {"order": 7, "items": [{"sku": "a"}, {"sku": "b"}]}
    > {"order": 7, "items": {"sku": "a"}}
    > {"order": 7, "items": {"sku": "b"}}

All other fields are copied into each. With `merge`, the fields of an element are those of its event; where both have
one, the element's is taken. So are the records of batches made events of their own, as cloud services write them:

    - split: {field: Records, merge: true, number: record}
    < {"awsRegion": "eu-north-1", "Records": [{"eventName": "GetObject"}, {"eventName": "PutObject"}]}
    > {"awsRegion": "eu-north-1", "eventName": "GetObject", "record": 0}
    > {"awsRegion": "eu-north-1", "eventName": "PutObject", "record": 1}

An element that is no object stands under the field's name, also with `merge`. An event without the field, or in which
it is no list or an empty one, is left as it is. A name alone is short for `{field: …}`.

    - split: tags
    < {"tags": ["a", "b"]}
    > {"tags": "a"}
    > {"tags": "b"}
    < {"tags": []}
    > {"tags": []}

An event that would become more than `max_events`, or more than 4 MiB, passes on whole, marked `meta.step_failed` and
counted. It stands before the spool only, never in a route. The events beside the first are counted by step, as
`added`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from logrouter.documents import Document, decode_document, encode_document
from logrouter.errors import Complaints
from logrouter.facts import Facts
from logrouter.references import parent_and_key
from logrouter.steps import KEEP, Outcome, Step, StepConfig
from logrouter.steps._paths import field_path, put, settable_path

LARGEST_BYTES: Final = 4 * 1024 * 1024
"""What an event may become in all: a quarter of the memory for events (`spool.memory`), where nobody says otherwise."""


class SplitConfig(StepConfig, frozen=True, kw_only=True):
    """A name alone is short for `{field: …}`."""

    field: str
    """The field that is a list."""
    merge: bool = False
    """Whether the fields of an element become fields of its event. Default: the element stands in the list's place."""
    number: str | None = None
    """A field to write the element's place in the list into, from 0. Default: it is not written."""
    max_events: int = 1000
    """Of how many elements a list may be."""


class Split(Step[SplitConfig]):
    """Makes an event of each element of a list."""

    Config: ClassVar[type[StepConfig]] = SplitConfig
    short = "field", str
    decides: ClassVar[bool] = True
    multiplies: ClassVar[bool] = True

    def __init__(self, config: SplitConfig) -> None:
        super().__init__(config)
        complaints = Complaints()
        with complaints:
            if config.max_events < 2:
                raise ValueError(f"max_events: expected 2 or more, not {config.max_events}")
        with complaints:
            self._path = field_path(config.field, "split")
        with complaints:
            self._number = None if config.number is None else settable_path(config.number)
        complaints.conclude()

    def apply(self, document: Document, facts: Facts) -> Outcome:
        place = parent_and_key(document, self._path)
        elements = None if place is None else place[0][place[1]]
        if place is None or not isinstance(elements, list) or not elements:
            return KEEP
        if len(elements) > self.config.max_events:
            raise ValueError(f"{self.config.field} has {len(elements)} elements, more than {self.config.max_events}")
        holder, key = place
        holder[key] = None
        copies = _copies(document, len(elements))
        if holder is document and not self.config.merge and self._number is None:
            return [_with(event, key, element) for event, element in zip(copies, elements, strict=True)]
        return [self._event(event, *each) for event, each in zip(copies, enumerate(elements), strict=True)]

    def _event(self, document: Document, number: int, element: Any) -> Document:
        """The event of an element, given a copy of the event without any."""
        place = parent_and_key(document, self._path)
        assert place is not None
        if self.config.merge and isinstance(element, dict):
            del place[0][place[1]]
            document |= element
        else:
            place[0][place[1]] = element
        if self._number is not None:
            put(document, self._number, number)
        return document


def _with(document: Document, key: str, element: Any) -> Document:
    document[key] = element
    return document


def _copies(document: Document, count: int) -> Iterator[Document]:
    """So many of a document, which share nothing that can change. Raises ValueError where that is too much."""
    encoded = encode_document(document)
    if count * len(encoded) > LARGEST_BYTES:
        raise ValueError(f"{count} events of {len(encoded)} bytes and more are too much to make of one")
    if any(isinstance(value, dict | list) for value in document.values()):
        return (decode_document(encoded) for _ in range(count))
    return (document.copy() for _ in range(count))
