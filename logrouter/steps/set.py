"""Set fields of the event, to values written in the config or put together from what the event holds.

    - set: {alert: true, env: prod, summary: "{method} {path}"}
    < {"method": "GET", "path": "/cart"}
    > {"method": "GET", "path": "/cart", "alert": true, "env": "prod", "summary": "GET /cart"}

A value can be anything that JSON has, objects and lists too. A string, wherever it stands, is a template: `{field}`
in it is replaced by the field's text, or by `unknown` where the event has none. A string that is one `"{field}"` and
nothing else copies the value as it is, with its type; where the event has no such field, nothing is set.

    - set: {status: "{http.status}", user: {id: "{uid}", known: true}, referrer: "{http.referrer}"}
    < {"http": {"status": 200}, "uid": 7}
    > {"http": {"status": 200}, "uid": 7, "status": 200, "user": {"id": 7, "known": true}}

A dotted name reaches a literal dotted key, if the event has it, else the nested field; missing objects are made.
`event["odd.name"]` is one key, whatever its characters. Attributes (`meta.…`, `resource.…`) and `severity` cannot be
set.

    - set: {http.status: 503, log.level: error, 'event["a.b"]': 1}
    < {"log.level": "info"}
    > {"log.level": "error", "http": {"status": 503}, "a.b": 1}

All values are read from the event as it was before this step. An event in which something that is no object stands in
the way, as in `{"http": "GET"}` for `http.status`, passes on as it was, marked `meta.step_failed` and counted.

A key `when` is the condition, as everywhere; a field of that name is written `event["when"]`.

    - set: {alert: true, when: status >= 500}
    < {"status": 503}
    > {"status": 503, "alert": true}
    < {"status": 200}
    > {"status": 200}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

from logrouter.documents import Document
from logrouter.errors import Complaints, each
from logrouter.facts import Facts, resolve
from logrouter.references import MISSING, Field, Meta, Resource, lookup
from logrouter.steps import Step, StepConfig
from logrouter.steps._paths import Path, check_apart, put, settable_path
from logrouter.templates import Place, Template

Make = Callable[[Document, Facts], Any]
"""Gives a value for one event, shared with nothing else; MISSING where there is none."""


class SetConfig(StepConfig, frozen=True, kw_only=True):
    """What stands after `set` is this mapping itself."""

    fields: dict[str, Any]
    """The fields to set, and their values. Strings are templates."""


class Set(Step[SetConfig]):
    """Sets fields. Plain values for undotted names, the commonest by far, cost one `|=`, the quickest way."""

    Config: ClassVar[type[StepConfig]] = SetConfig

    def __init__(self, config: SetConfig) -> None:
        super().__init__(config)
        if not config.fields:
            raise ValueError("expected at least one field to set")
        self._plain: dict[str, Any] = {}
        self._made: list[tuple[Path, Make]] = []
        values, complaints = list(config.fields.values()), Complaints()
        with complaints:
            paths = each(settable_path, config.fields)
            check_apart(paths)
        with complaints:
            self.templates = tuple(each(Template.parse, _texts(values)))
        complaints.conclude()
        for path, value in zip(paths, values, strict=True):
            self._add(path, value)
        self.shallow = not self._made

    @classmethod
    def options_from(cls, value: Any) -> Any:
        return {"fields": value}

    def _add(self, path: Path, value: Any) -> None:
        constant = _constant(value)
        if constant is not MISSING and len(path) == 1 and not isinstance(constant, dict | list):
            self._plain[path[0]] = constant
        else:
            self._made.append((path, _maker(value)))

    def apply(self, document: Document, facts: Facts) -> None:
        values = [(path, make(document, facts)) for path, make in self._made]
        document |= self._plain
        for path, value in values:
            if value is MISSING:
                continue
            if len(path) == 1:
                document[path[0]] = value
            else:
                put(document, path, value)

    def apply_all(self, documents: Sequence[Document], facts: Facts) -> Sequence[Document]:
        if self._made:
            return super().apply_all(documents, facts)
        for document in documents:
            document |= self._plain
        return ()


def _texts(value: Any) -> Iterator[str]:
    """All strings in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _constant(value: Any) -> Any:
    """The value itself if it is the same for all events, its strings rendered; else MISSING."""
    if isinstance(value, str):
        template = Template.parse(value)
        return template.render({}, Facts({}, 0, {})) if template.is_constant else MISSING
    if isinstance(value, dict):
        items = {key: _constant(item) for key, item in value.items()}
        return MISSING if MISSING in items.values() else items
    if isinstance(value, list):
        elements = [_constant(item) for item in value]
        return MISSING if MISSING in elements else elements
    return value


def _maker(value: Any) -> Make:
    constant = _constant(value)
    if isinstance(constant, dict | list):
        return lambda document, facts: deepcopy(constant)
    if constant is not MISSING:
        return lambda document, facts: constant
    if isinstance(value, dict):
        return _object_maker({key: _maker(item) for key, item in value.items()})
    if isinstance(value, list):
        return _list_maker([_maker(item) for item in value])
    template = Template.parse(value)
    return _copier(template) or template.render


def _object_maker(makers: Mapping[str, Make]) -> Make:
    def make(document: Document, facts: Facts) -> Any:
        items = ((key, make_item(document, facts)) for key, make_item in makers.items())
        return {key: item for key, item in items if item is not MISSING}

    return make


def _list_maker(makers: list[Make]) -> Make:
    def make(document: Document, facts: Facts) -> Any:
        items = [make_item(document, facts) for make_item in makers]
        return [None if item is MISSING else item for item in items]

    return make


def _copier(template: Template) -> Make | None:
    """For a template that is one field or attribute and nothing else: what copies it with its type. Else None."""
    match template.parts:
        case (Place(reference=Field(path), otherwise=otherwise, format=None),):
            return _field_copier(path, otherwise)
        case (Place(reference=Meta() | Resource() as reference, format=None),):
            return lambda document, facts: resolve(reference, document, facts)
    return None  # severity and time are told as text


def _field_copier(path: Path, otherwise: Resource | None) -> Make:
    key = path[0] if len(path) == 1 else None

    def copy(document: Document, facts: Facts) -> Any:
        value = lookup(document, path) if key is None else document.get(key, MISSING)
        if value is MISSING and otherwise is not None:
            return facts.resource.get(otherwise.name, MISSING)
        return deepcopy(value) if isinstance(value, dict | list) else value

    return copy
