"""Indexes events in Elasticsearch 7 to 9 or OpenSearch 1 to 3, by their bulk API.

    sinks:
      es:
        url: elasticsearch+https://es.example.org:9200/?index=checkout-{date}
        user: logrouter
        password_file: /run/secrets/es
      stream:
        type: elasticsearch
        url: https://es.example.org:9200
        api_key_file: /run/secrets/es_key
        data_stream: true
        match: severity >= "info"

A JSON event is sent as the bytes it was, a line of text as `{"message": …}`. An event without `@timestamp` gets its
time under this name. With `profile: ecs` events are sent under the names of the Elastic Common Schema: `msg` becomes
`message`, the level `log.level`, `trace_id` becomes `trace.id`, `exception.type` becomes `error.type`, and a text that
stands where the schema has an object (`"host": "web-1"`) goes to a field of that object (`host.name`).

**Once each.** In a plain index an event has an id made of its place in the spool, and is created under it: what is sent
twice, after a time-out or a crash, is there once (`id: auto`). The id protects within one index: behind an alias that
is rolled over, and in a data stream, an event that is sent again after the rollover is there twice. So data streams
get no ids unless you ask for them, and Elasticsearch, which then need not look for an older one, indexes faster.
With an `id` of your own (`id: "{order_id}-{step}"`) two events with the same id are one, the first; an event that lacks
a part of it gets the id that it would have had.

**Indices.** `index` may hold templates; what comes from events is made a legal name: in lower case, `_` for what no
name may hold, no `.`, `-`, `_` or `+` at its beginning, at most 255 bytes. Every value of a field makes an index:
choose fields that have few. Elasticsearch makes data streams of names such as `logs-x-y`: a plain index needs another.

**What an answer means.**

    status        of an event                                    of a request
    200, 201      delivered                                      each event by its own status
    400           a dead letter: a mapping conflict, too many    sent in halves, until the event is found that is
                  fields, too long a keyword …                   to blame for it, which is a dead letter
    400, 404      no shard is left for a new index, a closed     the URL, or the pipeline, is wrong: tried again
                  index, no such index or pipeline: tried again
    401, 403      not allowed, a write block: tried again        tried again
    409           it was there already: delivered                tried again
    413           a dead letter                                  sent in halves
    429, 503      too much at once: tried again, this event      tried again, and less at once
                  alone
    other         tried again                                    tried again

What is tried again waits, and is told once a minute and in `/status`: nothing is lost while you mend the credentials or
lift the block. Of an answer that cannot be read, or that tells of too few events, nothing is believed. So it is behind
nginx, with its own 302, 401, 403, 404, 413, 429, 502, 503 and 504: with OpenSearch, each event was there once.
Answers are asked for in gzip, in which that to 13,000 events has 2 KB instead of 350; an Elasticsearch that speaks
HTTPS compresses them only where its setting `http.compression` says so.

**Rights.** `create_doc` (with `id: none` in a plain index: `index`) and `auto_configure` on the indices suffice;
`check --connect` can tell more where it also has `monitor` and `view_index_metadata`: whether there is an index or a
data stream of this name, or one would be made; whether it is blocked; whether there is the pipeline.

As a URL: `elasticsearch+https://user:password@es:9200/?index=app-{date}`, `elasticsearch+http://localhost:9200`. A
plain `https:` URL needs `type: elasticsearch` beside it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal
from urllib.parse import quote, urlencode

import msgspec

from logrouter.batch import READ_BYTES
from logrouter.compression import LEVELS
from logrouter.facts import Facts
from logrouter.formats.ecs import ecs_objects
from logrouter.formats.stamped import TIMESTAMP, stamped_pieces
from logrouter.http_sink import EMPTY, HttpConfig, HttpSink, endpoint_of, http_url
from logrouter.instructions import Outcome, Request, Response
from logrouter.sinks import Batch, Conversation, SinkConfig, SinkContext, Slice
from logrouter.sinks._bulk import (
    MISSING_IN_ID,
    NAMING,
    DatedIndices,
    Operation,
    Texts,
    action_lines,
    legal_index,
    legal_indices,
)
from logrouter.sinks._bulk_answers import FILTER, settled
from logrouter.templates import Place, Template
from logrouter.values import MaybeSecret, Secret, kept_as, revealed

if TYPE_CHECKING:
    from logrouter.sinks._bulk_probe import Probe

_LEVEL: Final = Template.parse("{severity}")
_TIME: Final = Template.parse("{time}")
_DEFAULT_INDEX: Final = {
    # Not logs-…-…: Elasticsearch makes data streams of those. Both are named as Filebeat's and Logstash's are.
    False: Template.parse("logrouter-{date:%Y.%m.%d}"),
    True: Template.parse("logs-generic-default"),
}
_STREAM_NAME: Final = r"(logs|metrics|traces|synthetics)-.*-"
"""Of such names the templates that Elasticsearch is installed with make data streams."""
_AT_ONCE: Final = 256
"""Events that become a part of the body at once. They stay in the processor's cache, which saves a fifth; and to put
them under the names of the schema takes 2 ms, after which others have their turn."""
_NDJSON: Final = (("Content-Type", "application/x-ndjson"),)
_ACCEPTED: Final = {"Accept-Encoding": "gzip"}
"""An answer has 26 bytes an event, nearly always the same ones, and is half as long as the request: compressed it comes
in one read."""


class ElasticsearchConfig(HttpConfig, kw_only=True, frozen=True):
    """Where to, into which index, and under which names."""

    url: MaybeSecret
    """The base URL, `https://es:9200`, also with a path before the API's own: `https://proxy/es`."""
    index: Template | None = None
    """Which index, or data stream. May hold templates. Default: `logrouter-{date:%Y.%m.%d}`; of data streams
    `logs-generic-default`."""
    data_stream: bool = False
    """Whether `index` names a data stream."""
    id: Template | Literal["auto", "none"] | None = None
    """What makes an event's id: `auto` its place in the spool, `none` Elasticsearch, or a template. Default: `auto`; of
    data streams `none`."""
    pipeline: str | None = None
    """The ingest pipeline. Default: the one that the index names, if any."""
    profile: Literal["raw", "ecs"] = "raw"
    """`raw`: events as they are. `ecs`: under the names of the Elastic Common Schema, with all of `resource`."""
    api_key: Secret | None = None
    """As Elasticsearch gives it: encoded, or `id:key`."""
    compression: Literal["gzip", "none"] = "gzip"
    """How requests are compressed."""
    compression_level: int = 1
    """How hard, from 1 to 9. More costs much and saves little."""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.api_key is not None and (self.user is not None or self.token is not None):
            yield "api_key: either an API key, or a token, or user and password"
        if self.api_key == "":
            yield f"api_key: {EMPTY}"
        if self.compression_level not in LEVELS["gzip"]:
            yield "compression_level: must be from 1 to 9"
        if self.index is not None:
            own = "".join(part for part in self.index.parts if isinstance(part, str))
            if not self.index.text or self.index.text[0] in "-_+." or legal_index(f"x{own}") != f"x{own}":
                yield f"index: {self.index.text!r}: {NAMING}"


class ElasticsearchSink(HttpSink[ElasticsearchConfig]):
    """One bulk request for each batch."""

    Config: ClassVar[type[SinkConfig]] = ElasticsearchConfig
    names_by: ClassVar[tuple[str, ...]] = ("index",)
    read_bytes: ClassVar[int] = 4 * READ_BYTES  # a request costs as much as 300 events

    def __init__(self, config: ElasticsearchConfig, context: SinkContext) -> None:
        super().__init__(config, context)
        url = kept_as(_base_url(revealed(config.url)), config.url)
        self.endpoint = endpoint_of(config, url, {**_ACCEPTED, **_authorization(config.api_key)})
        index = config.index or _DEFAULT_INDEX[config.data_stream]
        ids = config.id or ("none" if config.data_stream else "auto")
        holds_seconds = index.holds_seconds
        self._index = index
        self._dated = None if holds_seconds is None else DatedIndices(index, holds_seconds)
        self._ids = ids.where_missing(MISSING_IN_ID) if isinstance(ids, Template) else None
        self._numbered = ids == "auto"
        self._has_ids = self._numbered or self._ids is not None
        # Without ids older servers take `create` for data streams only.
        self._operation: Operation = "index" if ids == "none" and not config.data_stream else "create"
        column = None if index.is_constant or self._dated else index
        level = _LEVEL if config.profile == "ecs" else None
        self.templates = tuple(filter(None, (column, self._ids, level, _TIME)))
        self.included_keys = (*self.included_keys, TIMESTAMP)
        self._target = _target(_shape(index) if index.is_constant else None, config.pipeline)

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        return {"url": _base_url(url)}

    @classmethod
    def warnings(cls, config: ElasticsearchConfig) -> list[str]:
        if config.index and not config.data_stream and re.match(_STREAM_NAME, _example(config.index)):
            return ["Elasticsearch makes data streams of such names: set data_stream, or give the index another name"]
        return []

    def send(self, batch: Batch) -> Conversation:
        if self.config.profile == "ecs":  # that takes long enough for others to want their turn
            batch = msgspec.structs.replace(batch, slices=[piece for part in batch.slices for piece in _pieces(part)])
        return (yield from super().send(batch))

    def encode_slice(self, part: Slice) -> list[bytes]:
        return [b"".join(self._lines(piece)) for piece in _pieces(part)]

    def _lines(self, part: Slice) -> list[bytes]:
        ids = self._numbered or (None if self._ids is None else self._column(part, self._ids))
        column = part.columns[-1]
        stamps = [column] * len(part) if isinstance(column, str) else column
        actions = action_lines(self._operation, part.epoch, part.sequences, self._indices(part, stamps), ids or None)
        if self.config.profile == "raw":
            return stamped_pieces(part, self.include, actions, stamps)
        objects = ecs_objects(part, self.include, stamps, self._column(part, _LEVEL), self.context.resource)
        each = repeat(actions, len(part)) if isinstance(actions, bytes) else actions
        return [piece for lines in zip(each, objects, strict=True) for piece in (lines[0], b"\n", lines[1], b"\n")]

    def request(self, pieces: list[bytes]) -> Request:
        coding, level = self.config.compression, self.config.compression_level
        if coding == "none":  # each piece would be sent for itself, and these are small
            pieces = [b"".join(pieces)]
        return Request("POST", self._target, b"", _NDJSON, coding, level, pieces, repeatable=self._has_ids)

    def outcome(self, batch: Batch, response: Response) -> Outcome:
        return settled(response, len(batch), in_doubt=batch.again and not self._has_ids)

    def probe(self) -> Probe:
        from logrouter.sinks._bulk_probe import probe  # asked by `check --connect` alone

        rights = ("create_doc" if self._operation == "create" else "index", "auto_configure")
        return probe(_shape(self._index), self.config.data_stream, self.config.pipeline, rights, self._target)

    def _indices(self, part: Slice, stamps: Sequence[str]) -> Texts | None:
        """The index of each event, or of all; None where it stands in the URL."""
        if self._index.is_constant:
            return None
        if self._dated is None:
            return legal_indices(self._column(part, self._index))
        return self._dated(stamps)

    def _column(self, part: Slice, template: Template) -> Sequence[str] | str:
        return part.columns[self.templates.index(template)]


def _pieces(part: Slice) -> list[Slice]:
    starts = range(0, len(part), _AT_ONCE)
    return [part.cut(start, start + _AT_ONCE) for start in starts]


def _shape(index: Template) -> str:
    """The name, with `*` for what depends on the event."""
    return "".join("*" if isinstance(part, Place) else part for part in index.parts)


def _example(index: Template) -> str:
    return index.render({}, Facts({}, 0, {}))


def _target(index: str | None, pipeline: str | None) -> str:
    """Path and query of the request. An index that is the same for all events stands in the path."""
    parameters = {"filter_path": FILTER, **({"pipeline": pipeline} if pipeline else {})}
    return f"{'/' + quote(index, safe='') if index else ''}/_bulk?{urlencode(parameters, safe=',*')}"


def _base_url(url: str) -> str:
    base = http_url(url, "elasticsearch").rstrip("/")
    if "?" in base:
        raise ValueError("what follows the ? of a plain URL would be the destination's: give options as keys")
    if base.endswith("/_bulk"):
        raise ValueError("expected the URL without /_bulk at its end")
    return base


def _authorization(api_key: Secret | None) -> dict[str, MaybeSecret]:
    if api_key is None:
        return {}
    key = api_key.reveal()
    encoded = base64.b64encode(key.encode()).decode() if ":" in key else key
    return {"Authorization": Secret(f"ApiKey {encoded}")}
