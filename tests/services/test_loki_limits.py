"""Limits of a tenant, hit at a Loki of its own: what is refused for good is a dead letter, all else arrives, once."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest

from logrouter.sinks import Delivered, Halve, Retry
from tests.e2e.processes import Workplace
from tests.services.conftest import Starter
from tests.services.loki import Loki
from tests.services.test_loki import counted, dead_letters, event, lines_in, route, send_lines, sink_to

OFF = "{enabled: false}"


def lines_of(app: str, count: int, width: int = 1000) -> list[bytes]:
    """Events of the last moments, a microsecond apart."""
    now = time.time_ns()
    return [event(app, now + number * 1000, number, text="x" * width) for number in range(count)]


# ── how much at once ──


def test_more_than_a_tenant_may_send_at_once_is_not_stored_and_tried_again(start_server: Starter) -> None:
    loki = start_server(Loki, {"ingestion_rate_mb": "0.05", "ingestion_burst_size_mb": "0.1"})
    outcome = send_lines(sink_to(loki.url, tenant=loki.tenant), lines_of("burst", 200))
    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith("HTTP 429: ingestion rate limit exceeded for user tests (limit: ")
    assert outcome.congested
    assert lines_in(loki, "burst") == Counter()


def test_a_tenant_that_may_send_little_at_once_gets_all_in_the_end(workplace: Workplace, start_server: Starter) -> None:
    """A batch is larger than the burst, and would be refused for ever: it goes in halves."""
    loki = start_server(Loki, {"ingestion_rate_mb": "0.5", "ingestion_burst_size_mb": "0.1"})
    lines = lines_of("little", 600)
    said = route(workplace, loki, lines)
    assert b"HTTP 429: ingestion rate limit exceeded" in said
    assert dead_letters(workplace) == []
    assert lines_in(loki, "little") == counted(lines)


@pytest.mark.parametrize(("shards", "stored"), [("{enabled: true}", 0), (OFF, 1)])
def test_of_too_much_of_one_stream_loki_takes_some_or_none(start_server: Starter, shards: str, stored: int) -> None:
    """None of it where it shards streams, as it does by default; else what is within the burst."""
    limits = {"per_stream_rate_limit": "1KB", "per_stream_rate_limit_burst": "100KB", "shard_streams": shards}
    loki = start_server(Loki, limits)
    lines = lines_of("stream-rate", 200)
    outcome = send_lines(sink_to(loki.url, tenant=loki.tenant), lines)
    assert isinstance(outcome, Retry)
    assert "Per stream rate limit exceeded" in outcome.reason
    assert outcome.congested
    found = lines_in(loki, "stream-rate")
    assert bool(found) == bool(stored)
    assert found < counted(lines)


@pytest.mark.parametrize("shards", ["{enabled: true}", OFF])
def test_a_stream_that_takes_little_at_once_gets_all_in_the_end(
    workplace: Workplace, start_server: Starter, shards: str
) -> None:
    limits = {"per_stream_rate_limit": "400KB", "per_stream_rate_limit_burst": "100KB", "shard_streams": shards}
    loki = start_server(Loki, limits)
    lines, other = lines_of("slowly", 400), lines_of("other", 20, 10)
    said = route(workplace, loki, [lines[0], *other[:10], *lines[1:], *other[10:]])
    assert b"Per stream rate limit exceeded" in said
    assert dead_letters(workplace) == []
    assert lines_in(loki, "slowly") == counted(lines)
    assert lines_in(loki, "other") == counted(other)


# ── how many streams ──


def test_streams_beyond_the_limit_wait_and_those_that_are_there_go_on(start_server: Starter) -> None:
    loki = start_server(Loki, {"max_global_streams_per_user": "3"})
    sink = sink_to(loki.url, tenant=loki.tenant)
    now = time.time_ns()
    known = [event(app, now, 0) for app in ("a", "b")]
    assert send_lines(sink, known) == Delivered()
    lines = [event(app, now, 1) for app in ("c", "a", "d", "b", "e")]
    outcome = send_lines(sink, lines)
    assert isinstance(outcome, list)
    assert [type(each) for each in outcome] == [Retry, Delivered, Retry, Delivered, Retry]
    assert outcome[0].reason.startswith("HTTP 429: maximum active stream limit exceeded when trying to create stream")
    assert {app: len(lines_in(loki, app)) for app in "abcde"} == {"a": 2, "b": 2, "c": 1, "d": 0, "e": 0}


def test_loki_says_nothing_of_streams_it_does_not_make_where_the_last_is_there(start_server: Starter) -> None:
    """Why new streams go into a push of their own."""
    loki = start_server(Loki, {"max_global_streams_per_user": "1"})
    headers = {"X-Scope-OrgID": loki.tenant}
    now = str(time.time_ns())
    answers = []
    for apps in (["a"], ["b", "a"], ["a", "b"]):
        streams = [{"stream": {"app": app}, "values": [[now, "line"]]} for app in apps]
        answers.append(loki.http.post("/loki/api/v1/push", json={"streams": streams}, headers=headers).status_code)
    assert answers == [204, 204, 429]
    assert {app: len(lines_in(loki, app)) for app in "ab"} == {"a": 1, "b": 0}


# ── labels, lines, metadata ──


def test_events_whose_labels_are_refused_are_dead_letters(workplace: Workplace, start_server: Starter) -> None:
    loki = start_server(Loki, {"max_label_value_length": "10"})
    lines = lines_of("short", 50, 10) + lines_of("this-is-too-long", 3, 10) + lines_of("other", 20, 10)
    route(workplace, loki, lines[::-1])
    letters = dead_letters(workplace)
    assert Counter(letter["event"]["app"] for letter in letters) == {"this-is-too-long": 3}
    assert all("label value too long: 'this-is-too-long'" in letter["detail"] for letter in letters)
    assert lines_in(loki, "short") == counted(lines[:50])
    assert lines_in(loki, "other") == counted(lines[53:])


def test_too_many_labels_are_told(start_server: Starter) -> None:
    loki = start_server(Loki, {"max_label_names_per_series": "1"})
    outcome = send_lines(sink_to(loki.url, tenant=loki.tenant), lines_of("labels", 1))
    assert isinstance(outcome, Halve)
    assert "has 2 label names; limit 1" in outcome.detail


def test_lines_that_are_too_long_are_dead_letters_or_cut(workplace: Workplace, start_server: Starter) -> None:
    loki = start_server(Loki, {"max_line_size": "1KB"})
    lines = [*lines_of("long", 5, 10), *lines_of("long-too", 2, 2000), *lines_of("long", 5, 20)]
    route(workplace, loki, lines)
    letters = dead_letters(workplace)
    assert [letter["event"]["app"] for letter in letters] == ["long-too"] * 2
    assert {letter["reason"] for letter in letters} == {"line_too_long"}
    assert lines_in(loki, "long") == counted(lines[:5] + lines[7:])

    said = route(workplace, loki, lines[5:7], max_line="1KiB", on_long_line="truncate")
    assert said == b""
    assert lines_in(loki, "long-too") == counted([line[:1024] for line in lines[5:7]])


def test_too_much_metadata_is_a_dead_letter(workplace: Workplace, start_server: Starter) -> None:
    loki = start_server(Loki, {"max_structured_metadata_size": "1KB"})
    lines = lines_of("metadata", 20, 10)
    lines[7:9] = lines_of("metadata", 2, 2000)
    route(workplace, loki, lines, structured_metadata=["text"])
    letters = dead_letters(workplace)
    assert [json.dumps(letter["event"]) for letter in letters] == [json.dumps(json.loads(line)) for line in lines[7:9]]
    assert all("has structured metadata too large" in letter["detail"] for letter in letters)
    assert lines_in(loki, "metadata") == counted(lines[:7] + lines[9:])


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"allow_structured_metadata": "false"}, "HTTP 400: 3 errors like: stream '"),
        ({"enforced_labels": "[env]"}, "HTTP 400: missing required labels 'env' for user 'tests'"),
        ({"block_ingestion_until": "'2099-01-01T00:00:00Z'"}, "HTTP 260: ingestion blocked for user 'tests' until"),
    ],
)
def test_what_somebody_must_allow_is_waited_for(start_server: Starter, limits: dict[str, str], said: str) -> None:
    loki = start_server(Loki, limits)
    options: dict[str, Any] = {"structured_metadata": ("app",)}
    outcome = send_lines(sink_to(loki.url, tenant=loki.tenant, **options), lines_of("blocked", 3))
    assert isinstance(outcome, Retry)
    assert outcome.reason.startswith(said)
    assert lines_in(loki, "blocked") == Counter()
