"""The sink loki against servers that speak Loki's push API: what is sent is there once, as another reads it.

VictoriaLogs knows nothing of Loki's rules for age, order and labels. Those are asked of Loki itself, where
`LOGROUTER_TEST_LOKI` names it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from logrouter.sinks import Delivered, Outcome, Rejected, SinkContext
from logrouter.sinks.loki import LokiConfig, LokiSink
from logrouter.templates import Template
from logrouter.times import format_rfc3339
from logrouter.values import Duration
from tests.services.conftest import Starter
from tests.services.loki import Loki
from tests.services.sending import batch_for, probe, send
from tests.services.victorialogs import VictoriaLogs

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
LABELS = {"app": "{app}", "level": "{severity}"}


def sink_to(url: str, **options: Any) -> LokiSink:
    labels = {name: Template.parse(text) for name, text in {**LABELS, **options.pop("labels", {})}.items()}
    return LokiSink(LokiConfig(url=url, labels=labels, **options), SinkContext("loki", {"service.name": "checkout"}))


def send_lines(sink: LokiSink, lines: list[bytes]) -> Outcome:
    return send(sink, batch_for(sink, lines))


def event(app: str, time_ns: int, number: int, level: str = "info", **more: str) -> bytes:
    further = "".join(f',"{name}":"{text}"' for name, text in more.items())
    return f'{{"time":"{format_rfc3339(time_ns)}","level":"{level}","app":"{app}","n":{number}{further}}}'.encode()


def kinds(outcome: Outcome) -> list[str]:
    assert isinstance(outcome, Sequence)
    return [each.reason if isinstance(each, Rejected) else type(each).__name__ for each in outcome]


# ── VictoriaLogs ──


def test_another_reads_what_was_sent(victorialogs: VictoriaLogs) -> None:
    url = f"{victorialogs.url}/insert?disable_message_parsing=1"
    sink = sink_to(url, structured_metadata=("trace_id",), include=("meta.stream",))
    now = time.time_ns()
    levels = ("debug", "info", "warning", "error", "fatal")
    lines = [
        event("read", now - number, number, levels[number % 5], **({"trace_id": f"t{number}"} if number % 2 else {}))
        for number in range(3000)
    ]
    assert send_lines(sink, lines) == Delivered()

    found = victorialogs.query("app:=read")
    assert Counter(each["_msg"].encode() for each in found) == Counter(lines)
    by_line = {each["_msg"]: each for each in found}
    for number, line in enumerate(lines):
        each = by_line[line.decode()]
        assert each["level"] == levels[number % 5]
        assert each["_stream"] == f'{{app="read",level="{levels[number % 5]}"}}'
        assert each.get("trace_id") == (f"t{number}" if number % 2 else None)
        assert each["meta_stream"] == "stdin"
        assert each["_time"].rstrip("Z").rstrip("0") == format_rfc3339(now - number).rstrip("Z").rstrip("0")


def test_odd_lines_and_labels_arrive_as_they_are(victorialogs: VictoriaLogs) -> None:
    url = f"{victorialogs.url}/insert?disable_message_parsing=1"
    value = 'a "quoted" \\ label\u2028é'
    sink = sink_to(url, labels={"odd": value, "run": "odd"})
    lines = ["text é", "\x00\x7f\u2028", "x" * 20_000, " {not json", '{"a":"\\u0000"}']
    assert send_lines(sink, [*(line.encode() for line in lines), b"bad \xff"]) == Delivered()
    found = victorialogs.query("run:=odd")
    assert Counter(each["_msg"] for each in found) == Counter([*lines, "bad \ufffd"])
    assert {each["odd"] for each in found} == {value}


def test_a_push_of_nothing_is_no_event(victorialogs: VictoriaLogs) -> None:
    sink = sink_to(f"{victorialogs.url}/insert")
    before = len(victorialogs.query())
    assert probe(sink) == []
    assert len(victorialogs.query()) == before


# ── Loki ──


def lines_in(loki: Loki, app: str) -> Counter[str]:
    now = time.time_ns()
    streams = loki.query(f'{{app="{app}"}}', now - 20 * 24 * HOUR, now + HOUR)
    return Counter(line for stream in streams for _, line, *_ in stream["values"])


def test_loki_has_each_event_once_however_often_it_is_sent(loki: Loki) -> None:
    sink = sink_to(loki.url, tenant=loki.tenant, structured_metadata=("trace_id",))
    now = time.time_ns()
    lines = [event("once", now - number * 1000, number, trace_id=f"t{number}") for number in range(2000)]
    assert send_lines(sink, lines) == Delivered()
    assert send_lines(sink, lines) == Delivered()
    assert lines_in(loki, "once") == Counter(line.decode() for line in lines)


def test_loki_says_which_are_too_old_ahead_or_long_and_has_the_others(start_server: Starter) -> None:
    loki = start_server(
        Loki, {"reject_old_samples_max_age": "2h", "creation_grace_period": "1m", "max_line_size": "1KB"}
    )
    sink = sink_to(loki.url, tenant=loki.tenant, max_ahead=Duration(86_400), out_of_order="never")
    now = time.time_ns()
    lines = [
        event("limits", now, 0),
        event("limits", now - 3 * HOUR, 1),
        event("limits", now + HOUR, 2),
        event("limits", now, 3, long="x" * 2000),
        event("limits", now, 4, "error"),
    ]
    assert kinds(send_lines(sink, lines)) == ["Delivered", "too_old", "too_far_ahead", "line_too_long", "Delivered"]
    assert lines_in(loki, "limits") == Counter(lines[place].decode() for place in (0, 4))


def test_what_lies_far_behind_is_refused_by_loki_as_the_sink_believes(loki: Loki) -> None:
    now = time.time_ns()
    newest = [event("behind", now, 0)]
    assert send_lines(sink_to(loki.url, tenant=loki.tenant), newest) == Delivered()
    late = [event("behind", now - age * HOUR, age) for age in (3, 2, 0)]
    forgetful = sink_to(loki.url, tenant=loki.tenant, out_of_order="never")
    assert kinds(send_lines(forgetful, late)) == ["too_far_behind", "too_far_behind", "Delivered"]
    assert lines_in(loki, "behind") == Counter(line.decode() for line in [*newest, late[2]])


def test_after_an_outage_a_long_time_is_told_oldest_first(loki: Loki) -> None:
    now = time.time_ns()
    lines = [event("outage", now - number * HOUR, number) for number in range(12)]
    assert send_lines(sink_to(loki.url, tenant=loki.tenant), lines) == Delivered()
    assert lines_in(loki, "outage") == Counter(line.decode() for line in lines)


def test_loki_without_a_tenant_is_no_fault_of_the_events(loki: Loki) -> None:
    sink = sink_to(loki.url)
    outcome = send_lines(sink, [event("tenant", time.time_ns(), 0)])
    assert getattr(outcome, "reason", None) == "HTTP 401: no org id"
    (wrong,) = probe(sink)
    assert "401" in wrong
    known = sink_to(loki.url, tenant=loki.tenant)
    assert probe(known) == []
