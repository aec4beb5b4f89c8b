r"""Parse a field again, by any of the parsers that a source has: what it holds becomes fields.

    - parse: {with: [json, logfmt]}
    < {"time": "2026-11-23T10:00:00Z", "message": "{\"level\": \"warn\", \"took\": 12}"}
    > {"time": "2026-11-23T10:00:00Z", "level": "warn", "took": 12}
    < {"time": "2026-11-23T10:00:00Z", "message": "level=info msg=ready"}
    > {"time": "2026-11-23T10:00:00Z", "level": "info", "msg": "ready"}

`with` is what `parse` of a source is: the name of a parser, a parser with its options, or a list of them that are tried
in turn. The field is `message` where none is named. What is found takes its place: a field that the event has already
gets the value that was found. To keep both apart, put it `into` an object, or give the names a `prefix`.

    - parse: {field: log.query, with: {key_value: {field_separator: '&'}}, into: query}
    < {"log": {"query": "page=2&sort=asc", "size": 7}, "sort": "none"}
    > {"log": {"size": 7}, "sort": "none", "query": {"page": "2", "sort": "asc"}}

With `keep` the field stays as well:

    - parse: {with: logfmt, prefix: app_, keep: true}
    < {"message": "a=1"}
    > {"message": "a=1", "app_a": "1"}

An event without the field, or in which it is no text, is left alone. So is one whose text no parser takes, but marked
`meta.step_failed` and counted, unless `on_error` says `keep`. With `auto`, which recognises what it can, as it does for
a source, it is not marked.

    - parse: {with: json, on_error: keep}
    < {"message": "plain text"}
    > {"message": "plain text"}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from logrouter.documents import Document, decode_document
from logrouter.errors import Complaints
from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.parsing import NONE, Parse
from logrouter.projection import recognise_line
from logrouter.references import lookup, parent_and_key
from logrouter.steps import Incomplete, Step, StepConfig
from logrouter.steps._paths import PathError, field_path, put, settable_path


class ParseConfig(StepConfig, frozen=True, kw_only=True):
    """`with` must be given."""

    parsers: Parse = msgspec.field(name="with")
    """The parser, or the parsers to try, as `parse` of a source has them."""
    field: str = "message"
    """The field to parse."""
    into: str = ""
    """The object to put what is found into. Default: the event itself."""
    prefix: str = ""
    """What the names of the fields that are found begin with."""
    keep: bool = False
    """Whether the field stays as well. Default: what is found in it takes its place."""
    on_error: Literal["mark", "keep"] | None = None
    """What is done with an event whose field no parser takes: it is marked and counted, or kept as if nothing were.
    Default: `mark`; with `auto`, which expects nothing, `keep`."""


class ParseStep(Step[ParseConfig]):
    """Shows the text to the parsers, and takes over what they make of it."""

    Config: ClassVar[type[StepConfig]] = ParseConfig

    def __init__(self, config: ParseConfig) -> None:
        super().__init__(config)
        complaints = Complaints()
        with complaints:
            if config.parsers == NONE:
                raise ValueError("with: expected a parser, not none")
        with complaints:
            self._path = field_path(config.field, "parsed")
        with complaints:
            self._into = settable_path(config.into) if config.into else None
        complaints.conclude()
        self._marks = config.parsers.marks if config.on_error is None else config.on_error == "mark"

    def apply(self, document: Document, facts: Facts) -> None:
        text = self._text(document)
        if text is not None:
            self._put(document, *self._found([text.encode("utf-8", "replace")], facts))

    def apply_all(self, documents: Sequence[Document], facts: Facts) -> Sequence[Document]:
        texts = list(map(self._text, documents))
        lines = [text.encode("utf-8", "replace") for text in texts if text is not None]
        found = iter(self._found(lines, facts))
        failed = []
        for document, text in zip(documents, texts, strict=True):
            if text is not None:
                try:
                    self._put(document, next(found))
                except (Incomplete, PathError):
                    failed.append(document)
        return failed

    def _text(self, document: Document) -> str | None:
        """What there is to parse."""
        value = lookup(document, self._path)
        return value if isinstance(value, str) else None

    def _found(self, lines: list[bytes], facts: Facts) -> list[Document | None]:
        """The fields of each text; None where it is of no format that is asked for."""
        parsers = self.config.parsers
        found: list[bytes | None] = [None] * len(lines)
        if parsers.reads_json:
            found = [line if recognise_line(line) & Flag.JSON else None for line in lines]
        asked = [place for place, line in enumerate(lines) if found[place] is None and line]
        if parsers.parsers and asked:
            others = [lines[place] for place in asked]
            for place, made in zip(asked, parsers.parsed(others, b"\n".join(others), facts.time_ns), strict=True):
                found[place] = made
        return [None if made is None else decode_document(made) for made in found]

    def _put(self, document: Document, found: Document | None) -> None:
        """Put the fields where the config says. Raises Incomplete where there are none, PathError where they cannot."""
        if found is None:
            if self._marks:
                raise Incomplete(f"{self.config.field} is nothing that {self.config.parsers} takes")
            return
        if not self.config.keep and (place := parent_and_key(document, self._path)) is not None:
            del place[0][place[1]]
        if self.config.prefix:
            found = {f"{self.config.prefix}{name}": value for name, value in found.items()}
        if self._into is None:
            document |= found
        else:
            put(document, self._into, found)
