"""Sends events to Grafana Loki 2.4 to 3.x, and to what speaks its push API: Grafana Cloud, VictoriaLogs.

    sinks:
      loki:
        url: loki+http://loki:3100/?tenant=shop
        labels: {app: "{service.name}", level: "{severity}"}
        structured_metadata: [trace_id]

The line is the event as it came, JSON or text: beside this sink, sources that do not say `parse` make no fields of text
(`parse: json_or_text`); for labels out of its fields say `parse: auto`. It is sent as protobuf and snappy, Loki's
cheapest form. There is no `compression` to choose: Loki takes protobuf with snappy alone, and its JSON, with gzip,
costs both sides more.

**Labels** say which stream an event belongs to, and few streams are what makes Loki fast: choose labels that have few
values each. `labels` may hold templates; names are made legal (`k8s.pod` is `k8s_pod`), empty values are left out.
Without `labels`, or where an event has none of them, the stream is `{service_name="…"}` if `resource` has
`service.name`, else `{job="logrouter"}`. At `max_streams` active streams the label with the most values gets `other`
for each further one, and that is told; once half of the streams have been idle for 30 minutes, new values are taken
again. What has many values (a trace, a user) belongs into `structured_metadata`, where also `include` goes.

**Once each.** Loki shows entries of the same stream, time, line and metadata once, so that what is sent again after a
crash or a time-out is not there twice; and two events that are the same to the nanosecond are one. Lines without a time
of their own, which were received together, are therefore a nanosecond apart, in their order. Not so where Loki shards a
stream (`shard_streams`, on by default, for what has more than 1.5 MB in a second): it deals the entries out anew each
time, and what is sent again is there once in each of two shards. Labels that keep streams below that avoid it.

**Time.** Loki refuses what is too old (`max_age`), too far in the future (`max_ahead`), or too far behind the newest
of its stream (`out_of_order`). These events become dead letters without being sent. Events leave in the order in which
they were read, one request after the other; a request whose events lie further apart than `out_of_order` has the oldest
first. So what was written in order is taken in order, also after an outage. If your Loki has other limits, say so here.
A query may show what came hours late only once Loki has flushed it (`query_ingesters_within`, 3 hours by default).

**What an answer means.**

    status                       of an event                                  of a request
    204, 200 without a page      delivered                                    all are delivered
    400 with an entry's fault    the entry named, or found by the limit that  others are stored, and delivered
                                 is told, is a dead letter
    400 with a stream's fault    found by sending halves                      sent in halves
    400 too far behind           those named, or as many of the oldest as     other streams are sent again: Loki says
                                 told, are dead letters; others delivered     nothing of them, and keeps each once
    400 else, 401, 403, 404      tried again: tenant, token or URL are wrong  tried again
    413                          a dead letter                                sent in halves
    429, 503                     tried again                                  tried again, and less at once
    500 before its first schema  a dead letter                                sent in halves
    260, 3xx, 5xx, a page        tried again                                  tried again

What is tried again waits, and is told once a minute and in `/status`. A page is one of HTML, by which a gateway asks
whoever comes to sign in; of others, which say 403 or 502 in Loki's place, what a reader would see is told.

**What Loki does not tell.** Of the streams of a request an ingester of Loki tells what became of the last one: it
answers 204 where that one is taken, whatever it drops of the others. So streams that are new go into a request of their
own (beyond its limit of streams Loki refuses all that follow), and so does each stream with events that are older than
`out_of_order`, or nearly so, and each that comes near the rate that Loki takes of one (`per_stream_rate_limit`). Then
what is refused is told. Where that rate is less than the default, 3 MB/s and bursts of 15 MB, and several streams of a
request exceed it, what is dropped of all but one only Loki's metric `loki_discarded_samples_total` tells.

**Several ingesters.** With `replication_factor: 3` Loki answers 204 once two have an event. Is one of three away,
nobody notices; are two, it says 500, and events wait: `connection refused`, and after a minute `at least 2 live
replicas required`. A Loki that starts or stops says 500, `empty ring`, for a moment.

**Seen at Loki 3.7** (65e30f8, by `tests/services/`): logrouter killed 20 times, Loki stopped and killed under load, and
away for hours; of a ring of three, one and then two killed under load; late events in several streams; the limits of
tenants, streams, labels, lines and metadata; the answers 204, 260, 400, 401, 404, 429 and 500. Behind nginx: its own
302, 401, 403, 404, 413, 429, 502, 503 and 504, the last one while Loki did not move, and connections that it closed.
Each event was there once, or a dead letter with its reason, or waited.

As a URL: `loki+https://user:token@logs.example.net`, `loki+http://loki:3100/?tenant=shop`; `/loki/api/v1/push` may
stand at its end, and is added where it does not. A plain `http:` URL needs `type: loki` beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, ClassVar, Final, Literal

import msgspec

from logrouter.batch import READ_BYTES
from logrouter.facts import Facts
from logrouter.http_sink import HttpConfig, HttpSink, endpoint_of, http_url, shown
from logrouter.instructions import Delivered, Halve, Instruction, Now, Outcome, Pause, Rejected, Request, Response
from logrouter.sinks import Batch, Conversation, SinkConfig, SinkContext
from logrouter.sinks._loki_answers import settled
from logrouter.sinks._loki_encoding import Encoder, Measured, times_of
from logrouter.sinks._loki_fitting import fitted, measured, oldest_first
from logrouter.sinks._loki_grouping import Group, each_alone, grouped
from logrouter.sinks._loki_limits import EVER_NS, Limits, Sent
from logrouter.sinks._loki_push import push_request
from logrouter.sinks._loki_streams import MOST_LABELS, OTHER, Stream, Streams, legal_name, legal_names
from logrouter.templates import Template
from logrouter.values import Duration, MaybeSecret, Size, kept_as, revealed

PUSH: Final = "/loki/api/v1/push"
_PROTOBUF: Final = (("Content-Type", "application/x-protobuf"),)
_NOTHING: Final = b"\0"
"""No bytes, as snappy writes them."""
_MOST_METADATA = 128
"""`max_structured_metadata_entries_count`"""


class LokiConfig(HttpConfig, kw_only=True, frozen=True):
    """Where to, under which labels, and what Loki takes."""

    url: MaybeSecret
    """The base URL, `http://loki:3100`, or that of the push API."""
    tenant: MaybeSecret | None = None
    """Sent as `X-Scope-OrgID`. Default: none, as a Loki without `auth_enabled` wants it."""
    labels: Mapping[str, Template] = msgspec.field(default_factory=dict)
    """Name to value: at most 15. Values may hold templates. Default: `service_name`, or `job`."""
    structured_metadata: tuple[str, ...] = ()
    """Fields, attributes or `severity`, put beside the line under their own names, where the event has them."""
    max_streams: int = 1000
    """How many sets of labels may be active before labels with many values are folded into `other`."""
    max_line: Size = Size(256 * 1024)
    """The longest line that Loki takes (`max_line_size`)."""
    on_long_line: Literal["reject", "truncate"] = "reject"
    """What becomes of longer ones: a dead letter, or they are cut."""
    max_age: Duration | Literal["never"] = Duration(7 * 86_400)
    """The oldest event that Loki takes (`reject_old_samples_max_age`). `never`: it takes all."""
    max_ahead: Duration = Duration(600)
    """How far in the future it may lie (`creation_grace_period`)."""
    out_of_order: Duration | Literal["never"] = Duration(3600)
    """How far behind the newest of its stream it may lie: half of Loki's `max_chunk_age`. `never`: it takes all."""
    concurrency: int = 1
    """How many requests may be under way at most. With more than one, batches can overtake each other: after an outage
    perhaps by more than `out_of_order`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = legal_names(self.labels)
        if len(names) > MOST_LABELS:
            raise ValueError(f"labels: Loki takes at most {MOST_LABELS}, and here are {len(names)}")
        if len(self.structured_metadata) > _MOST_METADATA:
            raise ValueError(f"structured_metadata: Loki takes at most {_MOST_METADATA}")
        if self.max_streams < 1:
            raise ValueError("max_streams: must be more than 0")
        if self.max_line < 1:
            raise ValueError("max_line: must be more than 0")


class LokiSink(HttpSink[LokiConfig]):
    """One push for each batch, its events by their streams."""

    Config: ClassVar[type[SinkConfig]] = LokiConfig
    wants_times: ClassVar[bool] = True
    read_bytes: ClassVar[int] = 2 * READ_BYTES  # gRPC between Loki's parts takes 4 MiB, of a tenant it takes 6 at once

    def __init__(self, config: LokiConfig, context: SinkContext) -> None:
        super().__init__(config, context)
        base, query = _split(http_url(revealed(config.url), "loki"))
        tenant = {} if config.tenant is None else {"X-Scope-OrgID": config.tenant}
        self.endpoint = endpoint_of(config, kept_as(base, config.url), tenant)
        self._target = PUSH + query
        labels = legal_names(config.labels)
        depends = {name: text for name, text in labels.items() if not text.is_constant}
        fixed = [(name, text.render({}, Facts({}, 0, {}))) for name, text in labels.items() if name not in depends]
        self._streams = Streams(fixed, list(depends), config.max_streams, _default_label(context))
        metadata = [legal_name(name) for name in config.structured_metadata]
        self._encoder = Encoder(self._streams, metadata, self.include)
        added = tuple(Template.parse(f"{{{name}}}").where_missing("") for name in config.structured_metadata)
        self.templates = (*depends.values(), *added)
        self._cut_to = config.max_line if config.on_long_line == "truncate" else None
        self._told_of: list[str] = []
        self._newest_ns = -EVER_NS
        """Of all that Loki has taken, at least so new."""

    @classmethod
    def keeps_lines(cls, config: LokiConfig) -> bool:
        return True

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        return {"url": http_url(url, "loki")}

    @classmethod
    def warnings(cls, config: LokiConfig) -> list[str]:
        odd = [name for name in config.labels if name != legal_name(name)]
        return [f"labels: {name!r} is sent as {legal_name(name)!r}, as Loki takes it" for name in odd]

    def send(self, batch: Batch) -> Conversation:
        now_ns = yield Now()
        if self._streams.forget_idle(now_ns):
            self._encoder.forget()
        batch = msgspec.structs.replace(
            batch, slices=[fitted(part, self._cut_to) for part in batch.slices if len(part)]
        )
        parts = list(map(measured, batch.slices))
        refused = self._refused(parts, now_ns)
        if not refused:
            return (yield from self._push(parts, now_ns))
        kept = batch.pick([place for place in range(len(batch)) if place not in refused])
        outcome = (yield from self._push(list(map(measured, kept.slices)), now_ns)) if kept.slices else []
        if isinstance(outcome, Halve):
            return outcome
        others = iter(outcome if isinstance(outcome, Sequence) else repeat(outcome))
        return [refused[place] if place in refused else next(others) for place in range(len(batch))]

    def probe(self) -> Generator[Instruction, Any, list[str]]:
        """A push of nothing: Loki says 422, but only once it knows who asks."""
        response: Response = yield Request("POST", self._target, _NOTHING, _PROTOBUF)
        if response.status in (200, 204, 422):
            return []
        told = f"POST {self._target} is answered by {response.status}: {shown(response.body)}"
        if response.status >= 500:
            ready: Response = yield Request("GET", "/ready")
            return [told, f"GET /ready is answered by {ready.status}: {shown(ready.body)}"]
        return [told]

    # ── before it is sent ──

    def _refused(self, parts: Sequence[Measured], now_ns: int) -> dict[int, Rejected]:
        """By their places, the events that Loki would refuse."""
        config = self.config
        limits = Limits(
            now_ns - _ns(config.max_age), now_ns + _ns(config.max_ahead), config.max_line, _ns(config.out_of_order)
        )
        surely_ns = max(limits.oldest_ns, self._newest_ns - limits.behind_ns)
        if all(
            surely_ns <= part.stamps.first_ns
            and part.stamps.last_ns <= limits.newest_ns
            and part.longest <= limits.longest
            for part in parts
        ):
            return {}
        return {place: refused for place, event in enumerate(self._sent(parts)) if (refused := limits.refusal(event))}

    def _sent(self, parts: Iterable[Measured]) -> Iterator[Sent]:
        """The events as Loki sees them, in their order."""
        for part, *_ in parts:
            columns = [repeat(text) if isinstance(text, str) else text for text in self._encoder.label_columns(part)]
            values = zip(*columns, strict=False) if columns else repeat(())
            for own, time_ns, line in zip(values, times_of(part), part.payloads, strict=False):
                yield Sent(self._streams.of(own), time_ns, len(line))

    # ── sending ──

    def _push(self, parts: Sequence[Measured], now_ns: int) -> Generator[Instruction, Any, Outcome]:
        streams: dict[Stream, list[bytes]] = {}
        reached: dict[Stream, int] = {}
        for part in oldest_first(parts, _ns(self.config.out_of_order)):
            for stream, entries in self._encoder.encode(part).items():
                streams.setdefault(stream, []).append(entries)
                reached[stream] = max(reached.get(stream, part.stamps.first_ns), part.stamps.first_ns)
            yield Pause()
        self._tell_of_folding()
        late = self._perhaps_late(parts, now_ns)
        groups = grouped({stream: sum(map(len, entries)) for stream, entries in streams.items()}, late, now_ns)

        def one(group: Group, sent: Callable[[], Sequence[Sent]]) -> Generator[Instruction, Any, Outcome]:
            body = push_request((stream.opening, streams[stream]) for stream in group)
            response: Response = yield Request("POST", self._target, body, _PROTOBUF, "snappy", repeatable=True)
            outcome = settled(response, sent)
            self._note(group, reached, now_ns, isinstance(outcome, Delivered))
            return outcome

        return (yield from each_alone(groups, lambda: list(self._sent(parts)), one))

    def _perhaps_late(self, parts: Sequence[Measured], now_ns: int) -> frozenset[Stream]:
        """The streams with events that may be too far behind what Loki has of them."""
        window_ns = _ns(self.config.out_of_order)
        # Of others, somebody may have sent what lies ahead of now.
        surely_ns = now_ns - window_ns + min(_ns(self.config.max_ahead), window_ns // 2)
        if window_ns == EVER_NS or all(part.stamps.first_ns >= surely_ns for part in parts):
            return frozenset()
        return frozenset(event.stream for event in self._sent(parts) if event.time_ns < surely_ns)

    def _note(self, group: Group, reached: Mapping[Stream, int], now_ns: int, delivered: bool) -> None:
        for stream in group:
            stream.used_ns = now_ns
            if delivered:
                stream.is_known = True
                stream.newest_ns = max(stream.newest_ns, reached[stream])
                self._newest_ns = max(self._newest_ns, reached[stream])

    def _tell_of_folding(self) -> None:
        folded = self._streams.folded
        if folded != self._told_of:
            self._told_of = folded
            if folded:
                self.notice = (
                    f"more than {self.config.max_streams:,} streams: further values of {' and '.join(folded)} become"
                    f" {OTHER!r}; put what has many values into structured_metadata"
                )


def _ns(span: Duration | Literal["never"]) -> int:
    return EVER_NS if span == "never" else round(span * 1e9)


def _default_label(context: SinkContext) -> tuple[str, str]:
    service = context.resource.get("service.name")
    return ("service_name", service) if service else ("job", "logrouter")


def _split(url: str) -> tuple[str, str]:
    """The base, and the query with its question mark."""
    address, mark, query = url.partition("?")
    return address.rstrip("/").removesuffix(PUSH).rstrip("/"), mark + query
