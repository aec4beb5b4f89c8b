"""What the sink `metrics` counts, what it keeps, and what it refuses."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from logrouter import config
from logrouter.errors import ConfigError
from logrouter.event import Chunk
from logrouter.policy import SinkRouting
from logrouter.routing import Router
from logrouter.runtime.preflight import check_places
from logrouter.runtime.telemetry import family_of
from logrouter.sinks import Batch, Delivered, Keep, SinkContext
from logrouter.sinks.metrics import MetricsSink
from logrouter.testing import converse

NOWHERE = Path("/nonexistent")
REQUESTS = 'requests: {type: counter, match: exists(status), labels: {status: "{status}"}}'
SECONDS = "seconds: {type: histogram, value: ms, scale: 0.001, buckets: [0.1, 1]}"
QUEUE = "queue: {type: gauge, value: length, labels: {name: '{name}'}}"


def load(*metrics: str) -> config.Settings:
    text = "\n          ".join(metrics)
    document = f"""
sinks:
    numbers:
        type: metrics
        metrics:
          {text}
"""
    return config.load(environ={"LOGROUTER_CONFIG_YAML": document}, folder=NOWHERE, system_folder=NOWHERE)


def sink_of(*metrics: str, folder: str | None = None) -> MetricsSink:
    return MetricsSink(load(*metrics).sinks["numbers"].config, SinkContext("numbers", folder=folder))  # type: ignore[arg-type]


def batch_of(sink: MetricsSink, events: Sequence[object], first: int = 0) -> Batch:
    """A batch as routing makes it: the columns are what is counted by."""
    payloads = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    flags = bytes(payload[:1] == b"{" for payload in payloads)
    chunk = Chunk(payloads, flags, {"source": "app", "stream": "stdin"}, 0)
    chunk.offset = chunk.offset._replace(sequence=first)
    router = Router([SinkRouting("numbers", templates=sink.templates)])
    (routed,) = router.route(chunk)
    part = router.slice(routed, 0)
    assert part is not None
    return Batch([part], first=first, end=first + len(payloads))


def count(sink: MetricsSink, *events: object, first: int = 0) -> bytes:
    """Send a batch. Gives what it would keep."""
    told, outcome = converse(sink.send(batch_of(sink, events, first)), lambda request: None)
    assert outcome == Delivered()
    (keep,) = told
    assert isinstance(keep, Keep)
    return keep.encode()


def samples(sink: MetricsSink) -> dict[str, float]:
    """What Prometheus would read of it, without our own figures."""
    registry = CollectorRegistry()
    registry.register(_Collected(sink))
    lines = generate_latest(registry).decode().splitlines()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith(("#", "logrouter_"))]
    return {name: float(value) for name, _, value in pairs}


class _Collected(Collector):
    def __init__(self, sink: MetricsSink) -> None:
        self._sink = sink

    def collect(self) -> Iterator[Metric]:
        return map(family_of, self._sink.families())


def own_figures(sink: MetricsSink, name: str) -> dict[str, float]:
    family = next(family for family in sink.families() if family.name == f"logrouter_metrics_{name}_total")
    return {metric: value for (metric,), value in family.series.items()}


def test_a_counter_by_labels_of_the_events_that_match() -> None:
    sink = sink_of(REQUESTS)
    count(sink, {"status": 200}, {"status": 500}, {"status": 200}, {"n": 1}, b"text")
    assert samples(sink) == {'requests_total{status="200"}': 2, 'requests_total{status="500"}': 1}


def test_a_counter_of_values_only_grows() -> None:
    sink = sink_of("sent_bytes: {type: counter, value: size}")
    count(sink, {"size": 10}, {"size": "2.5"}, {"size": -3}, {"size": "many"}, {"size": None}, {"size": [1]}, b"text")
    assert samples(sink) == {"sent_bytes_total": 12.5}
    assert own_figures(sink, "skipped_events") == {"sent_bytes_total": 5}


def test_a_histogram_counts_each_value_in_its_bucket() -> None:
    sink = sink_of(SECONDS)
    count(sink, {"ms": 100}, {"ms": 100.5}, {"ms": 3000}, {"ms": 1e400}, {"n": 1})
    assert samples(sink) == {
        'seconds_bucket{le="0.1"}': 1,
        'seconds_bucket{le="1.0"}': 2,
        'seconds_bucket{le="+Inf"}': 3,
        "seconds_count": 3,
        "seconds_sum": pytest.approx(3.2005),
    }


VALUES = st.one_of(
    st.integers(-3, 3),
    st.floats(-10, 10),
    st.sampled_from([True, None, "12.5", "-1", "nan", "inf", "", "x", 10**400, 2**64, 1e300, [1], {"a": 1}]),
)


@given(st.lists(st.tuples(st.sampled_from("ab"), VALUES), min_size=1, max_size=20), st.sampled_from([1.0, 0.001]))
@example([("a", -5e-324)], 0.001)  # so scaled it is 0
@settings(max_examples=50, deadline=None)
def test_values_are_the_numbers_that_their_texts_say(events: list[tuple[str, Any]], scale: float) -> None:
    options = f"value: v, scale: {scale}, labels: {{k: '{{k}}'}}"
    sink = sink_of(f"c: {{type: counter, {options}}}", f"h: {{type: histogram, buckets: [1, 5], {options}}}")
    found = json.loads(count(sink, *({"k": key, "v": value} for key, value in events)))["metrics"]

    sums, lists, skipped = dict[str, float](), dict[str, list[float]](), Counter[str]()
    for key, value in events:
        number = _number_of(value)
        skipped["c_total"] += number is None or number * scale < 0
        skipped["h"] += number is None
        if number is not None:
            lists.setdefault(key, []).append(number * scale)
            if number * scale >= 0:
                sums[key] = sums.get(key, 0) + number * scale
    buckets = [
        [[key], [sum(n <= 1 for n in some), sum(1 < n <= 5 for n in some), sum(n > 5 for n in some), sum(some)]]
        for key, some in lists.items()
    ]
    assert found["c_total"]["series"] == [[[key], value] for key, value in sums.items()]
    assert found["h"]["series"] == buckets
    assert {name: found[name]["skipped"] for name in ("c_total", "h")} == skipped


def _number_of(value: Any) -> float | None:
    """What a text or a number is, and nothing else is."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def test_a_gauge_is_the_last_value() -> None:
    sink = sink_of(QUEUE)
    count(sink, {"length": 3, "name": "a"}, {"length": 9, "name": "b"}, {"length": -1.5, "name": "a"})
    count(sink, {"length": 0, "name": "b"}, first=3)
    assert samples(sink) == {'queue{name="a"}': -1.5, 'queue{name="b"}': 0}


def test_a_label_that_an_event_lacks_is_empty() -> None:
    sink = sink_of("events: {type: counter, labels: {kind: '{kind}', host: 'here'}}")
    count(sink, {"kind": 'a"b\n'}, {"n": 1})
    assert samples(sink) == {'events_total{host="here",kind="a\\"b\\n"}': 1, 'events_total{host="here",kind=""}': 1}


def test_what_there_are_too_many_series_for_is_counted_together() -> None:
    sink = sink_of("events: {type: counter, labels: {user: '{user}'}, max_series: 2}")
    count(sink, *({"user": user} for user in "abcda"))
    assert samples(sink) == {
        'events_total{user="a"}': 2,
        'events_total{user="b"}': 1,
        'events_total{user="other"}': 2,
    }
    assert sink.notice == "events_total has 2 series: what else comes is counted under `other`"
    sink.notice = None
    count(sink, {"user": "e"}, first=5)
    assert sink.notice is None, "it is told once"
    assert own_figures(sink, "folded") == {"events_total": 3}


def test_of_long_values_of_labels_the_beginning_counts() -> None:
    sink = sink_of("events: {type: counter, labels: {user: '{user}'}}")
    count(sink, {"user": "a" * 300 + "b"}, {"user": "a" * 300 + "c"})
    assert samples(sink) == {f'events_total{{user="{"a" * 256}"}}': 2}


def test_totals_stay_finite_and_survive_a_restart() -> None:
    sums, sizes = "sum: {type: counter, value: v}", "size: {type: histogram, value: v, buckets: [1]}"
    before, after = sink_of(sums, sizes), sink_of(sums, sizes)
    after.restore(count(before, *[{"v": 1.5e308}] * 3))
    assert after.notice is None
    count(after, {"v": 1.5e308}, {"v": -1}, first=3)
    found = samples(after)
    assert found["sum_total"] == found["size_sum"] == sys.float_info.max
    assert found["size_count"] == 5


def test_it_goes_on_from_what_it_kept_and_counts_nothing_twice() -> None:
    events = [{"status": 200, "ms": 50}, {"status": 500, "length": 4}, {"status": 200, "ms": 2000}]
    before = sink_of(REQUESTS, SECONDS, QUEUE)
    kept = count(before, *events)
    after = sink_of(REQUESTS, SECONDS, QUEUE)
    after.restore(kept)
    assert samples(after) == samples(before)
    count(after, *events[1:], first=1)
    assert samples(after) == samples(before), "it had come as far as the third event"
    count(after, events[2], {"status": 200}, first=2)
    assert samples(after)['requests_total{status="200"}'] == 3


def test_a_metric_that_has_changed_begins_anew_and_others_go_on() -> None:
    kept = count(sink_of(REQUESTS, SECONDS), {"status": 200, "ms": 50})
    other = sink_of(REQUESTS, SECONDS.replace("[0.1, 1]", "[0.1, 2]"))
    other.restore(kept)
    assert samples(other) == {'requests_total{status="200"}': 1}


def damaged(series: str, type_: str = "counter") -> bytes:
    metric = f'{{"type":"{type_}","labels":["status"],"buckets":[1],"series":[{series}]}}'
    return f'{{"end":9,"metrics":{{"requests_total":{metric}}}}}'.encode()


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"{",
        b"[]",
        b'{"end":"x","metrics":{}}',
        damaged('[["200"],"x"]'),
        damaged('[["200"],null]'),
        damaged('[["200","a"],1]'),
        damaged('[["200"],[1,2,3]]'),
        damaged('[["200"],[1,2]]', "histogram"),
        damaged('[["200"],1]', "histogram"),
    ],
)
def test_what_cannot_be_read_is_told_and_all_begins_at_0(kept: bytes) -> None:
    sink = sink_of(REQUESTS, folder="/spool")
    sink.restore(kept)
    assert sink.notice is not None
    assert sink.notice.startswith("/spool/metrics/numbers.json cannot be read")
    count(sink, {"status": 200})
    assert samples(sink) == {'requests_total{status="200"}': 1}


def test_what_a_batch_adds_is_told_to_people() -> None:
    sink = sink_of(REQUESTS, SECONDS, QUEUE)
    events = [{"status": 200, "ms": 50, "length": 7, "name": "a"}, {"ms": 10}]
    (keep,), _ = converse(sink.send(batch_of(sink, events)), lambda request: None)
    assert isinstance(keep, Keep)
    assert keep.told() == b'requests_total{status="200"} +1\nseconds +0.05 +0.01\nqueue{name="a"} 7\n'


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"status": st.integers(200, 203), "ms": st.integers(0, 2000)}), min_size=1
    ),
    st.lists(st.integers(0, 40), max_size=4),
    st.lists(st.integers(0, 10), max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_whatever_is_sent_again_each_event_counts_once(
    events: list[dict[str, Any]], cuts: list[int], steps_back: list[int]
) -> None:
    """Batches are cut anywhere; some are sent again from further back, after a crash or without one."""
    sink, sent = sink_of(REQUESTS, SECONDS), 0
    for cut, back in zip(sorted(cuts), [*steps_back, 0, 0, 0, 0], strict=False):
        end = min(cut, len(events))
        first = max(0, sent - back)
        if first < end:
            kept, sent = count(sink, *events[first:end], first=first), max(end, sent)
            if back % 2:
                sink = sink_of(REQUESTS, SECONDS)
                sink.restore(kept)
    count(sink, *events[max(0, sent - 1) :], first=max(0, sent - 1))
    found = samples(sink)
    statuses = Counter(event["status"] for event in events if "status" in event)
    assert {name: n for name, n in found.items() if "requests" in name} == {
        f'requests_total{{status="{status}"}}': n for status, n in statuses.items()
    }
    assert found.get("seconds_count", 0) == sum("ms" in event for event in events)


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("a-b: {type: counter}", "'a-b' is no name that Prometheus takes"),
        ("logrouter_x: {type: counter}", "names that begin with logrouter_ are our own"),
        ("a: {type: gauge}", "a gauge needs the field that holds its number"),
        ("a: {type: gauge, value: 'a b'}", "metrics.a"),
        ("a: {type: gauge, value: 'a} {b'}", "expected a field such as http.status"),
        ("a: {type: counter, labels: {a-b: x}}", "'a-b' is no name that Prometheus takes for a label"),
        ("a: {type: counter, labels: {__a: x}}", "'__a' is no name"),
        ("a: {type: histogram, value: v, labels: {le: x}}", "'le' is no name"),
        ("a: {type: histogram, value: v, buckets: [2, 1]}", "expected numbers in ascending order"),
        ("a: {type: histogram, value: v, buckets: []}", "expected at least one"),
        ("a: {type: count}", "did you mean 'counter'?"),
        ("a: {type: counter, lables: {}}", "did you mean 'labels'?"),
        ("a: {type: counter, max_series: 0}", "max_series"),
        ("a: {type: counter, match: status = 1}", "metrics.a.match"),
    ],
)
def test_what_is_wrong_is_told(metric: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(metric)
    assert told in "\n".join(map(str, caught.value.mistakes))


def test_names_that_become_the_same_are_refused() -> None:
    with pytest.raises(ConfigError, match="metrics: a_total is the name of two"):
        load("a: {type: counter}", "a_total: {type: counter}")


def test_names_that_a_histogram_takes_are_refused() -> None:
    with pytest.raises(ConfigError, match="metrics: a_sum is the name of two"):
        load("a: {type: histogram, value: v}", "a_sum: {type: gauge, value: v}")


def test_two_sinks_with_one_metric_are_refused() -> None:
    text = """
sinks:
  a: {type: metrics, metrics: {events: {type: counter}}}
  b: {type: metrics, metrics: {events: {type: counter}}}
"""
    both = config.load(environ={"LOGROUTER_CONFIG_YAML": text}, folder=NOWHERE, system_folder=NOWHERE)
    with pytest.raises(ConfigError, match=r"the metric events_total is that of sinks\.a already"):
        check_places(both)
