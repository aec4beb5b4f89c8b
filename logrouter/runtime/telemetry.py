"""Figures about the running process, for `/metrics` and `/status`.

Nothing is counted for the sake of a metric: every figure is read, when it is asked for, from the part that keeps
it anyway. So telemetry costs nothing until somebody looks, and prometheus_client is imported only then.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

from logrouter import __version__
from logrouter.config.effective import config_hash

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from logrouter.config import Settings
    from logrouter.runtime.parts import Parts
    from logrouter.sinks import Family


class Telemetry:
    """Looks at the parts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._hashed: tuple[Settings | None, str] = (None, "")
        self._started = time.monotonic()

    @property
    def _config_hash(self) -> str:
        """Of the settings that are in force."""
        if self._hashed[0] is not self._parts.settings:
            self._hashed = self._parts.settings, config_hash(self._parts.settings)
        return self._hashed[1]

    async def look(self) -> None:
        """Look at what is not at hand: before `status` and `metrics`."""
        if self._parts.dead_letters is not None:
            await self._parts.dead_letters.look()

    def status(self) -> dict[str, Any]:
        """Everything at a glance, as JSON for people and scripts."""
        parts = self._parts
        return {
            "version": __version__,
            "config": self._config_hash,
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "reading": parts.reading,
            "sources": {running.name: self._source(running) for running in parts.sources},
            "routes": self._routes(),
            "steps": self._steps(),
            "spool": msgspec.structs.asdict(parts.spool.statistics()),
            "dead_letters": self._dead_letters(),
            "sinks": {each.name: self._sink(each) for each in (*parts.leaving, *parts.deliveries)},
        }

    def _dead_letters(self) -> dict[str, Any] | None:
        kept = self._parts.dead_letters
        if kept is None:
            return None
        sinks = {sink: msgspec.structs.asdict(figures) for sink, figures in kept.statistics.items()}
        return {"limit_bytes": kept.max_bytes, "sinks": sinks}

    def _source(self, running: Any) -> dict[str, Any]:
        ingest, chain = running.ingest, running.chain
        return {
            "events": ingest.read_events,
            "slow_events": ingest.slow_events,
            "bytes": ingest.read_bytes,
            "empty_lines": ingest.empty_lines,
            "invalid_utf8": ingest.invalid_utf8,
            "pieces": ingest.pieces,
            "parse_errors": ingest.parse_errors,
            "lost_events": running.source.lost_events,
            "lost_bytes": running.source.lost_bytes,
            "discarded": dict(chain.discarded),
            "added": dict(chain.added),
            "step_failed": dict(chain.failed),
        }

    def _routes(self) -> dict[str, Any]:
        """Of those that have steps: on how many events these have failed. Each is counted for every sink it goes to."""
        failed: dict[str, dict[str, int]] = {name: {} for name, _ in self._parts.spool.routers.tallies}
        for (route, step), count in self._parts.spool.routers.failed.items():
            failed.setdefault(route, {})[step] = count
        return {route: {"step_failed": steps} for route, steps in failed.items()}

    def _steps(self) -> dict[str, dict[str, int]]:
        """What steps that remember say of it, by name; each once, though several sources share it."""
        named = {each.name: each.step for running in self._parts.sources for each in running.chain.steps}
        return {name: dict(step.figures) for name, step in named.items() if step.figures}

    def _sink(self, delivery: Any) -> dict[str, Any]:
        spool = self._parts.spool
        ledger = spool.ledger(delivery.number)
        oldest = spool.oldest_received_ns(delivery.number)
        trouble = delivery.trouble
        return {
            "read": ledger.read,
            "delivered": ledger.delivered,
            "unmatched": ledger.unmatched,
            "dead_lettered": dict(ledger.dead_lettered),
            "discarded": dict(ledger.discarded),
            "lost": dict(ledger.lost),
            "closed": spool.is_closed(delivery.number),
            "removed": delivery in self._parts.leaving,
            "waiting": spool.waiting(delivery.number),
            "oldest_seconds": round(max(0.0, time.time() - oldest / 1e9), 3) if oldest is not None else 0.0,
            **msgspec.structs.asdict(delivery.statistics()),
            "trouble": None if trouble is None else {"reason": trouble.reason, "since": trouble.began},
            "lag": None if (lag := delivery.lag) is None else msgspec.structs.asdict(lag),
        }

    def metrics(self) -> bytes:
        """The Prometheus text format."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls at each scrape."""
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        status = self.status()
        build = {"version": __version__, "config": self._config_hash}
        yield InfoMetricFamily("logrouter_build", "The version that runs, and the hash of its config", value=build)
        yield GaugeMetricFamily("logrouter_uptime_seconds", "Seconds since the start", value=status["uptime_seconds"])
        yield from _source_metrics(status["sources"])
        yield from _route_metrics(status["routes"])
        yield from _step_metrics(status["steps"])
        yield from _spool_metrics(status["spool"], self._parts.spool.routers.slow_events)
        if status["dead_letters"] is not None:
            yield from _dead_letter_metrics(status["dead_letters"])
        yield from _sink_metrics(status["sinks"])
        yield from self._families()

    def _families(self) -> Iterable[Metric]:
        """What sinks add, those of one name together."""
        families: dict[str, Metric] = {}
        for delivery in self._parts.deliveries:
            for family in map(family_of, delivery.sink.families()):
                if (former := families.setdefault(family.name, family)) is not family:
                    former.samples += family.samples
        return families.values()


def family_of(told: Family) -> Metric:
    """As Prometheus' client has it."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if told.type == "histogram":
        histogram = HistogramMetricFamily(told.name, told.help, labels=told.labels)
        bounds = [*map(str, told.buckets), "+Inf"]
        for key, (*counts, total) in told.series.items():
            histogram.add_metric(key, list(zip(bounds, accumulate(counts), strict=True)), total)
        return histogram
    kind = CounterMetricFamily if told.type == "counter" else GaugeMetricFamily
    family = kind(told.name, told.help, labels=told.labels)
    for key, value in told.series.items():
        family.add_metric(key, value)
    return family


_SOURCE_COUNTERS = {
    "events": "Events read",
    "bytes": "Bytes read",
    "empty_lines": "Empty lines, left out",
    "invalid_utf8": "Events with bytes that are not UTF-8",
    "pieces": "Pieces of lines that were longer than max_line",
    "parse_errors": "Events that the configured parser did not take",
    "lost_events": "Events that were gone before they could be read, where it is known how many",
    "lost_bytes": "Bytes that were gone before they could be read",
}
_SINK_COUNTERS = {
    "batches": "Batches sent",
    "retries": "Tries that failed",
    "sent_bytes": "Encoded bytes sent",
    "doubts": "Times that something was sent again which may have arrived before",
    "duplicates": "Events that had been at the destination before",
}
_SINK_GAUGES = {
    "waiting": "Events that wait for the sink",
    "oldest_seconds": "Age of the oldest event that waits for the sink",
    "under_way": "Requests that are not answered yet",
    "concurrency": "How many requests there may be at present",
}


def _source_metrics(sources: dict[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    for key, text in _SOURCE_COUNTERS.items():
        family = CounterMetricFamily(f"logrouter_source_{key}", text, labels=["source"])
        for name, figures in sources.items():
            family.add_metric([name], figures[key])
        yield family
    for key, text in {
        "discarded": "Events taken out by a step",
        "added": "Events that a step made beside the one that came in",
        "step_failed": "Events on which a step failed",
    }.items():
        family = CounterMetricFamily(f"logrouter_source_{key}", text, labels=["source", "step"])
        for name, figures in sources.items():
            for step, count in figures[key].items():
                family.add_metric([name, step], count)
        yield family


def _route_metrics(routes: dict[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    text = "Events on which a step of a route failed, each as often as it was made for some sink"
    family = CounterMetricFamily("logrouter_route_step_failed", text, labels=["route", "step"])
    for name, figures in routes.items():
        for step, count in figures["step_failed"].items():
            family.add_metric([name, step], count)
    yield family


_STEP_FIGURES = {
    "keys": "Different events, or values of `by`, that a step remembers",
    "forgotten_keys": "Those that it had to forget, as there were too many",
}


def _step_metrics(steps: dict[str, dict[str, int]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    keys = GaugeMetricFamily("logrouter_step_keys", _STEP_FIGURES["keys"], labels=["step"])
    forgotten = CounterMetricFamily("logrouter_step_forgotten_keys", _STEP_FIGURES["forgotten_keys"], labels=["step"])
    for name, figures in steps.items():
        for family, figure in ((keys, "keys"), (forgotten, "forgotten_keys")):
            if figure in figures:
                family.add_metric([name], figures[figure])
    yield from (keys, forgotten)


_SPOOL_COUNTERS = {
    "events": "Events appended",
    "blocked_seconds": "Time that sources waited",
    "syncs": "Times that the log was synced",
    "lost_bytes": "Bytes of files of the log that could not be read at all",
}
_SPOOL_GAUGES = {
    "held_bytes": "Bytes of memory that events take",
    "budget_bytes": "Bytes of memory they may take",
    "disk_bytes": "Bytes of disk that events take",
    "disk_limit_bytes": "Bytes of disk they may take",
    "seconds_until_full": "Time until the disk limit is reached, at the rate of the last minute",
    "sync_seconds": "How long the last sync took",
}


def _spool_metrics(spool: dict[str, Any], slow_events: int) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for key, text in _SPOOL_COUNTERS.items():
        yield CounterMetricFamily(f"logrouter_spool_{key}", text, value=spool[key])
    for key, text in _SPOOL_GAUGES.items():
        if spool[key] is not None:
            yield GaugeMetricFamily(f"logrouter_spool_{key}", text, value=spool[key])
    up = GaugeMetricFamily("logrouter_spool_up", "1 where the spool works, 0 where its log is in trouble")
    up.add_metric([], 0 if spool["trouble"] else 1)
    yield up
    yield CounterMetricFamily("logrouter_unmatched_events", "Events that no sink wanted", value=spool["unmatched"])
    yield CounterMetricFamily("logrouter_slow_events", "Events that went the slow way", value=slow_events)


def _dead_letter_metrics(dead_letters: dict[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    letters = GaugeMetricFamily("logrouter_dead_letters", "Refused events that are kept", labels=["sink"])
    size = GaugeMetricFamily("logrouter_dead_letters_bytes", "Bytes of disk that they take", labels=["sink"])
    for sink, figures in dead_letters["sinks"].items():
        letters.add_metric([sink], figures["letters"])
        size.add_metric([sink], figures["size_bytes"])
    yield letters
    yield size
    limit = dead_letters["limit_bytes"]
    yield GaugeMetricFamily("logrouter_dead_letters_limit_bytes", "Bytes of disk that all may take", value=limit)


def _sink_metrics(sinks: dict[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    family = CounterMetricFamily(
        "logrouter_sink_events", "Events by what became of them", labels=["sink", "outcome", "reason"]
    )
    for name, figures in sinks.items():
        family.add_metric([name, "delivered", ""], figures["delivered"])
        family.add_metric([name, "unmatched", ""], figures["unmatched"])
        for outcome in ("dead_lettered", "discarded", "lost"):
            for reason, count in figures[outcome].items():
                family.add_metric([name, outcome, reason], count)
    yield family
    for key, text in _SINK_COUNTERS.items():
        counter = CounterMetricFamily(f"logrouter_sink_{key}", text, labels=["sink"])
        for name, figures in sinks.items():
            counter.add_metric([name], figures[key])
        yield counter
    for key, text in _SINK_GAUGES.items():
        gauge = GaugeMetricFamily(f"logrouter_sink_{key}", text, labels=["sink"])
        for name, figures in sinks.items():
            gauge.add_metric([name], figures[key])
        yield gauge
    up = GaugeMetricFamily(
        "logrouter_sink_up", "1 where the sink takes events, 0 where it is in trouble", labels=["sink"]
    )
    for name, figures in sinks.items():
        up.add_metric([name], 0 if figures["trouble"] or figures["closed"] else 1)
    yield up
    lags = GaugeMetricFamily("logrouter_sink_lags", "1 where the sink does not keep up", labels=["sink"])
    for name, figures in sinks.items():
        lags.add_metric([name], 1 if figures["lag"] else 0)
    yield lags
