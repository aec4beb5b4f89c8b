"""Metrics out of events: counters, gauges and histograms, read by Prometheus from logrouter's own `/metrics`.

    admin: {listen: "127.0.0.1:9598"}
    sinks:
      numbers:
        type: metrics
        metrics:
          http_requests_total: {type: counter, match: exists(status), labels: {status: "{status}"}}
          http_request_seconds:
            {type: histogram, value: duration_ms, scale: 0.001, buckets: [0.1, 0.5, 1, 5], labels: {path: "{path}"}}
          queue_length: {type: gauge, match: message == "queue", value: length}

A metric is of one of three types:

    counter      how many events there were, or the sum of their value, which only grows
    gauge        the value of the last event
    histogram    how many events had a value up to each of the buckets, and their sum

**Every event counts once**, also over a crash: what has been counted is kept in the spool's folder, with how far it
has come, before the events are settled. What is read again then is left out. Without `spool.directory` counters begin
at 0 with the process, as everybody's do; Prometheus knows that.

**Labels are bounded.** Each set of label values is a series of its own, and costs memory here and there. Beyond
`max_series` of a metric, new ones are counted together under `other`, told once, and in
`logrouter_metrics_folded_total`. Of a value the first 256 characters count. A label that an event does not have is
empty, which Prometheus takes for none.

An event without a number in `value` is left out, and counted (`logrouter_metrics_skipped_events_total`); so is one that
would make a counter fall. A text such as `"12.5"` is a number.

Where a metric's type, labels or buckets are changed, it begins anew; others go on. What is taken out of the config is
forgotten. Its URL, `metrics:`, says nothing: what is counted stands in `metrics`.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import ClassVar, Final

import msgspec

from logrouter.sinks import (
    Batch,
    Conversation,
    Delivered,
    Family,
    Keep,
    Sink,
    SinkConfig,
    SinkContext,
    Slice,
    Transport,
)
from logrouter.sinks._counting import Counted, KeptMetric, Labels, Metric, MetricConfig

_FOLDED: Final = "How often something was counted under `other`, as a metric of a sink has too many series"
_SKIPPED: Final = "Events that a metric left out, as they have no number for it"


class MetricsConfig(SinkConfig, kw_only=True, frozen=True):
    """What is counted."""

    metrics: Mapping[str, MetricConfig]
    """By their names, as Prometheus takes them; those of counters end in `_total`, which is added where it lacks."""

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ValueError("metrics: expected at least one metric")


class _Kept(msgspec.Struct):
    """What is written down."""

    end: int
    """The events before this sequence have been counted."""
    metrics: dict[str, KeptMetric]


class MetricsSink(Sink[MetricsConfig]):
    """Counts a batch by the columns that routing has made of its events."""

    Config: ClassVar[type[SinkConfig]] = MetricsConfig
    transport: ClassVar[Transport] = "state"

    def __init__(self, config: MetricsConfig, context: SinkContext) -> None:
        super().__init__(config, context)
        self.told_of_gaps = False
        self._metrics = [Metric(name, metric) for name, metric in config.metrics.items()]
        names = [name for metric in self._metrics for name in metric.names]
        if doubled := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"metrics: {doubled[0]} is the name of two")
        self.claims = tuple(f"the metric {name}" for name in names)
        self.templates = tuple(chain.from_iterable(metric.templates for metric in self._metrics))
        if context.folder is not None:
            self.state_path = os.path.join(context.folder, "metrics", f"{context.name}.json")
        self._end = 0

    @classmethod
    def warnings(cls, config: MetricsConfig) -> list[str]:
        return ["include: it adds nothing to metrics, which have labels instead"] if config.include else []

    def restore(self, kept: bytes | None) -> None:
        if kept is None:
            return
        try:
            found = msgspec.json.decode(kept, type=_Kept)
            if damaged := [name for name, metric in found.metrics.items() if not metric.is_whole]:
                raise ValueError(f"the totals of {damaged[0]} are damaged")
        except (msgspec.MsgspecError, ValueError) as error:
            self.notice = f"{self.state_path} cannot be read, and all begins at 0: {error}"
            return
        self._end = found.end
        for metric in self._metrics:
            if metric.name in found.metrics:
                metric.restore(found.metrics[metric.name])

    def send(self, batch: Batch) -> Conversation:
        parts = [part for part in map(self._new, batch.slices) if len(part)]
        added = [list(self._counted(part)) for part in parts]
        for counts in added:
            for metric, counted in zip(self._metrics, counts, strict=True):
                if metric.add(counted):
                    most = metric.config.max_series
                    self.notice = f"{metric.name} has {most} series: what else comes is counted under `other`"
        if parts:
            self._end = parts[-1].sequences[-1] + 1
        yield Keep(self._encode, partial(self._told, added))
        return Delivered()

    def families(self) -> Iterable[Family]:
        for metric in self._metrics:
            yield metric.family()
        folded: dict[Labels, int] = {(metric.name,): metric.folded for metric in self._metrics}
        skipped: dict[Labels, int] = {(metric.name,): metric.skipped for metric in self._metrics}
        yield Family("logrouter_metrics_folded_total", "counter", _FOLDED, ("metric",), folded)
        yield Family("logrouter_metrics_skipped_events_total", "counter", _SKIPPED, ("metric",), skipped)

    def _new(self, part: Slice) -> Slice:
        """Those of the events that have not been counted before."""
        return part.cut(bisect_left(part.sequences, self._end), len(part))

    def _counted(self, part: Slice) -> Iterator[Counted]:
        columns = iter(part.columns)
        for metric in self._metrics:
            yield metric.counted([next(columns) for _ in metric.templates], len(part))

    def _encode(self) -> bytes:
        return msgspec.json.encode(_Kept(self._end, {metric.name: metric.kept() for metric in self._metrics}))

    def _told(self, added: list[list[Counted]]) -> bytes:
        lines = (
            line
            for counts in added
            for metric, counted in zip(self._metrics, counts, strict=True)
            for line in metric.told(counted)
        )
        return "".join(f"{line}\n" for line in lines).encode()
