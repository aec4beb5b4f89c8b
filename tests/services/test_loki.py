"""The sink loki against servers that speak Loki's push API: what is sent is there once, as another reads it.

VictoriaLogs knows nothing of Loki's rules for age, order and labels. Those are asked of Loki itself, where
`TEST_LOKI` names it; its limits in test_loki_limits.py.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from subprocess import Popen
from typing import Any

import pytest

from logrouter.sinks import Delivered, Halve, Outcome, Rejected, Retry, SinkContext
from logrouter.sinks.loki import LokiConfig, LokiSink
from logrouter.templates import Template
from logrouter.times import format_rfc3339
from logrouter.values import Duration, Size
from tests.e2e.processes import Workplace, pipe, wait_for_port, wait_until
from tests.e2e.status import status
from tests.services.conftest import Starter
from tests.services.load import PATIENCE_SECONDS
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


def lines_in(loki: Loki, app: str, hours: int = 24) -> Counter[str]:
    return Counter(loki.lines(f'{{app="{app}"}}', hours))


def counted(lines: Sequence[bytes]) -> Counter[str]:
    return Counter(line.decode() for line in lines)


def test_loki_has_each_event_once_however_often_it_is_sent(start_server: Starter) -> None:
    """Also where the first one is not in the same block (256 KiB), not in memory any more, or lost its server.

    But where a stream is not sharded, as this one could be: it has 2.4 MB in what may be a second.
    """
    loki = start_server(Loki, {"shard_streams": "{enabled: false}"})
    sink = sink_to(loki.url, tenant=loki.tenant, structured_metadata=("trace_id",))
    now = time.time_ns()
    lines = [
        event("once", now - number * 1000, number, trace_id=f"t{number}", text="x" * 500) for number in range(2000)
    ]
    for between in (lambda: None, lambda: None, loki.flush, loki.kill, loki.start):
        between()
        if loki.running:
            assert send_lines(sink, lines) == Delivered()
            assert lines_in(loki, "once") == counted(lines)


def test_events_at_one_instant_are_all_there_and_the_same_one_once(loki: Loki) -> None:
    sink = sink_to(loki.url, tenant=loki.tenant)
    now = time.time_ns()
    lines = [event("instants", now + number // 2, number // 3) for number in range(12)]
    assert send_lines(sink, lines) == Delivered()
    (stream,) = loki.query('{app="instants"}', now - HOUR, now + HOUR)
    found = [(int(time_ns), line.encode()) for time_ns, line, *_ in stream["values"]]
    assert sorted(found) == sorted({(now + number // 2, line) for number, line in enumerate(lines)})


def test_loki_gives_odd_lines_labels_and_metadata_back_as_they_were(loki: Loki) -> None:
    value = 'a "quoted" \\ label\u2028é\t\x7f'
    sink = sink_to(
        loki.url,
        tenant=loki.tenant,
        labels={"odd": value, "app": "odd", "level": "{level}", "k8s.pod": "p"},
        structured_metadata=("trace_id", "http.status"),
        include=("meta.stream", "service.name"),
    )
    lines = ["text é".encode(), "\x00\x7f\u2028".encode(), b"x" * 20_000, b" {not json", b'{"a":"\\u0000"}']
    more = [b'{"trace_id":"t \\u00e9 \\"1\\"","http":{"status":404},"level":"warn"}', b"bad \xff"]
    now = time.time_ns()
    assert send_lines(sink, [*lines, *more]) == Delivered()

    found = [
        (line, stream["stream"], beside[0].get("structuredMetadata", {}))
        for stream in loki.query('{app="odd"}', now - HOUR, now + HOUR)
        for _, line, *beside in stream["values"]
    ]
    assert Counter(line for line, _, _ in found) == counted([*lines, more[0], "bad \ufffd".encode()])
    for line, labels, metadata in found:
        own = {"odd": value, "app": "odd", "k8s_pod": "p", "service_name": "odd"}  # the last one is Loki's
        assert labels == own | {"level": "warn" if "trace_id" in line else "unknown"}
        metadata.pop("detected_level", None)
        traced = {"trace_id": 't é "1"', "http_status": "404"} if "trace_id" in line else {}
        # Loki renames metadata that has the name of a label
        assert metadata == {"meta_stream": "stdin", "service_name_extracted": "checkout", **traced}


def test_many_streams_are_all_there(loki: Loki) -> None:
    sink = sink_to(loki.url, tenant=loki.tenant, labels={"app": "many", "stream": "{stream}"})
    now = time.time_ns()
    lines = [event("many", now + number, number, stream=f"s{number % 500}") for number in range(5000)]
    for first in range(0, 5000, 1000):
        assert send_lines(sink, lines[first : first + 1000]) == Delivered()
    assert lines_in(loki, "many") == counted(lines)
    assert len({stream["stream"]["stream"] for stream in loki.query('{app="many"}', now - HOUR, now + HOUR)}) == 500


# ── time ──


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
    assert lines_in(loki, "limits") == counted([lines[0], lines[4]])


def test_what_the_sink_believes_to_be_just_within_the_limits_is(loki: Loki) -> None:
    """Seven days and ten minutes, by default; and a line of 256 KiB. A minute is left for a slow machine."""
    sink = sink_to(loki.url, tenant=loki.tenant)
    now = time.time_ns()
    minute = 60 * SECOND
    times = [now - 7 * 24 * HOUR + minute, now - 3 * 24 * HOUR, now, now + 10 * minute - minute]
    lines = [event("borders", time_ns, number) for number, time_ns in enumerate(times)]
    frame = len(event("borders", now, 4, long=""))
    lines.append(event("borders", now, 4, long="x" * (256 * 1024 - frame)))
    assert send_lines(sink, lines) == Delivered()
    assert lines_in(loki, "borders", hours=8 * 24) == counted(lines)

    beyond = [
        event("borders", now - 7 * 24 * HOUR - minute, 5),
        event("borders", now + 12 * minute, 6),
        event("borders", now, 7, long="x" * (256 * 1024 + 1 - frame)),
    ]
    trusting = sink_to(loki.url, tenant=loki.tenant, max_age="never", max_ahead=Duration(86_400), max_line=Size(2**20))
    assert kinds(send_lines(trusting, beyond)) == ["too_old", "too_far_ahead", "line_too_long"]


def test_what_is_older_than_lokis_schema_is_refused_though_any_age_is_taken(start_server: Starter) -> None:
    """Its schema_config begins in 2024. What lies before is Loki's own fault to it, 500, and would be so for ever."""
    loki = start_server(Loki, {"reject_old_samples": "false"})
    sink = sink_to(loki.url, tenant=loki.tenant, max_age="never")
    old = event("schema", 1, 0)
    assert send_lines(sink, [old]) == Halve(
        "refused", "rpc error: code = Unknown desc = failed to create stream: no schema config found for time 0"
    )
    assert send_lines(sink, [event("schema", 1_704_300_000 * SECOND, 1)]) == Delivered()


def test_what_lies_far_behind_is_refused_by_loki_as_the_sink_believes(loki: Loki) -> None:
    now = time.time_ns()
    newest = [event("behind", now, 0)]
    assert send_lines(sink_to(loki.url, tenant=loki.tenant), newest) == Delivered()
    late = [event("behind", now - age * HOUR, age) for age in (3, 2, 0)]
    forgetful = sink_to(loki.url, tenant=loki.tenant, out_of_order="never")
    assert kinds(send_lines(forgetful, late)) == ["too_far_behind", "too_far_behind", "Delivered"]
    assert lines_in(loki, "behind") == counted(newest), "of which the last one was the same again"


def test_of_what_its_own_push_has_made_late_loki_names_others_than_the_oldest(loki: Loki) -> None:
    """Where the sink was told of a wider window than Loki has."""
    now = time.time_ns()
    sink = sink_to(loki.url, tenant=loki.tenant, out_of_order="never")
    first = event("wider", now - 3 * HOUR, 0)
    assert send_lines(sink, [first]) == Delivered()
    lines = [event("wider", now - round(age * HOUR), number) for number, age in ((1, 3.5), (2, 0), (3, 3))]
    assert kinds(send_lines(sink, lines)) == ["Delivered", "Delivered", "too_far_behind"]
    assert lines_in(loki, "wider") == counted([first, *lines[:2]])


def test_after_an_outage_a_long_time_is_told_oldest_first(loki: Loki) -> None:
    """Of each stream; and by a sink that does not know how far they are."""
    now = time.time_ns()
    first = [event(app, now - 13 * HOUR, 0) for app in ("outage", "outage-too")]
    assert send_lines(sink_to(loki.url, tenant=loki.tenant), first) == Delivered()
    lines = [event(app, now - number * HOUR, number) for number in range(12) for app in ("outage", "outage-too")]
    assert send_lines(sink_to(loki.url, tenant=loki.tenant), lines) == Delivered()
    assert lines_in(loki, "outage") == counted([first[0], *lines[::2]])
    assert lines_in(loki, "outage-too") == counted([first[1], *lines[1::2]])


def test_hours_that_waited_while_loki_was_down_arrive(loki: Loki, workplace: Workplace, port: int) -> None:
    """Written in their order, give or take half an hour; in three streams, which Loki knows from before."""
    now, chance = time.time_ns(), random.Random(3)
    apps = [f"waited-{number}" for number in range(3)]
    before = [event(app, now - 6 * HOUR, 0) for app in apps]
    assert send_lines(sink_to(loki.url, tenant=loki.tenant), before) == Delivered()
    times = sorted(now - chance.randrange(5 * HOUR) for _ in range(3000))
    lines = [
        event(apps[number % 3], time_ns - chance.randrange(HOUR // 2), number) for number, time_ns in enumerate(times)
    ]
    loki.stop()
    router = start(workplace, loki, "--set", f"admin.listen=127.0.0.1:{port}")
    pipe(router.stdin).write(lines[0] + b"\n")
    wait_for_port(port)
    wait_until(lambda: status(port)["sinks"]["loki"]["trouble"], "trouble", PATIENCE_SECONDS)
    loki.start()
    assert b"connection refused" in finish(router, lines[1:])
    assert dead_letters(workplace) == []
    assert Counter(line for app in apps for line in loki.lines(f'{{app="{app}"}}')) == counted([*before, *lines])


# ── of several streams Loki tells of the last one ──


def pushed(loki: Loki, *streams: tuple[dict[str, str], list[bytes], int]) -> int:
    """What Loki answers to a push of these streams: labels, lines, and their time."""
    body = [{"stream": labels, "values": [[str(at), line.decode()] for line in lines]} for labels, lines, at in streams]
    headers = {"X-Scope-OrgID": loki.tenant}
    return loki.http.post("/loki/api/v1/push", json={"streams": body}, headers=headers).status_code


def test_loki_says_nothing_of_what_it_drops_of_streams_before_the_last(loki: Loki) -> None:
    """Why the sink pushes some streams alone: a 204 is no promise for all that was pushed."""
    now = time.time_ns()
    here, there = {"app": "untold", "level": "info"}, {"app": "untold", "level": "warn"}
    assert pushed(loki, (here, [b"new"], now)) == 204
    assert pushed(loki, (here, [b"late"], now - 3 * HOUR), (there, [b"other"], now)) == 204
    assert lines_in(loki, "untold") == Counter(["new", "other"])
    assert pushed(loki, (there, [b"another"], now + 1), (here, [b"late"], now - 3 * HOUR)) == 400


def test_late_events_of_several_streams_are_each_a_dead_letter(loki: Loki, workplace: Workplace) -> None:
    """Somebody else has written to the streams: logrouter cannot know how far they are."""
    now = time.time_ns()
    apps = [f"late-{number}" for number in range(3)]
    newest = [event(app, now, 0) for app in apps]
    assert send_lines(sink_to(loki.url, tenant=loki.tenant), newest) == Delivered()
    late = [event(app, now - (2 + number) * HOUR, number) for number, app in enumerate(apps[:2])]
    good = [event(app, now + 1 + number, 9) for number, app in enumerate([*apps, "late-new"])]
    route(workplace, loki, [good[0], late[0], *good[1:3], late[1], good[3]])

    letters = dead_letters(workplace)
    assert [letter["event"] for letter in letters] == [json.loads(line) for line in late]
    assert {letter["reason"] for letter in letters} == {"too_far_behind"}
    assert all("entry too far behind" in letter["detail"] for letter in letters)
    found = [line for app in [*apps, "late-new"] for line in lines_in(loki, app).elements()]
    assert Counter(found) == counted([*newest, *good])


def start(workplace: Workplace, loki: Loki, *arguments: str, **options: Any) -> Popen[bytes]:
    """logrouter, which delivers to that Loki for as long as it takes."""
    sink = {"type": "loki", "url": loki.url, "tenant": loki.tenant, "labels": LABELS, "retry": {"cap": "200ms"}}
    config = {"sinks": {"loki": {**sink, **options}}, "sources": {"stdin": {"parse": "auto"}}}
    spool = {"directory": "spool"}
    workplace.write("logrouter.yaml", json.dumps({**config, "spool": spool, "shutdown_timeout": "4m"}))
    return workplace.start_router(*arguments)


def finish(router: Popen[bytes], lines: Sequence[bytes]) -> bytes:
    """Let it read these lines and come to its end. Gives what it said."""
    _, complaints = router.communicate(b"".join(line + b"\n" for line in lines), timeout=PATIENCE_SECONDS)
    assert router.returncode == 0, complaints
    return complaints


def route(workplace: Workplace, loki: Loki, lines: Sequence[bytes], **options: Any) -> bytes:
    """logrouter with these lines, to its end. Gives what it said."""
    return finish(start(workplace, loki, **options), lines)


def dead_letters(workplace: Workplace) -> list[Any]:
    return [json.loads(line) for line in workplace.command("dlq", "show").stdout.splitlines()]


def test_what_is_sent_again_is_there_again_where_loki_shards_a_stream(start_server: Starter) -> None:
    """It deals the entries out to shards in turns, other turns each time, and a query shows each shard's."""
    loki = start_server(Loki, {"shard_streams": "{enabled: true, desired_rate: 1KB}"})
    sink = sink_to(loki.url, tenant=loki.tenant)
    now = time.time_ns()
    lines = [event("shards", now + number, number, text="x" * 1000) for number in range(100)]

    def is_there_twice() -> bool:
        assert send_lines(sink, lines) == Delivered()
        return lines_in(loki, "shards") > counted(lines)

    wait_until(is_there_twice, "Loki to shard the stream", PATIENCE_SECONDS)
    assert set(lines_in(loki, "shards")) == set(counted(lines))
    shards = [stream["stream"].get("__stream_shard__") for stream in loki.query('{app="shards"}', now - 1, now + HOUR)]
    assert len(set(shards)) > 1


# ── tenants ──


def test_loki_without_a_tenant_is_no_fault_of_the_events(loki: Loki) -> None:
    sink = sink_to(loki.url)
    outcome = send_lines(sink, [event("tenant", time.time_ns(), 0)])
    assert getattr(outcome, "reason", None) == "HTTP 401: no org id"
    (wrong,) = probe(sink)
    assert "401" in wrong
    known = sink_to(loki.url, tenant=loki.tenant)
    assert probe(known) == []


@pytest.mark.parametrize("tenant", ["a|b", "a/b", "x" * 200])
def test_a_tenant_that_is_none_is_no_fault_of_the_events(loki: Loki, tenant: str) -> None:
    sink = sink_to(loki.url, tenant=tenant)
    assert isinstance(send_lines(sink, [event("tenant", time.time_ns(), 0)]), Retry)
    assert len(probe(sink)) == 1


def test_each_tenant_has_its_own(loki: Loki) -> None:
    now = time.time_ns()
    lines = [event("tenants", now, number) for number in range(2)]
    assert send_lines(sink_to(loki.url, tenant=loki.tenant), lines[:1]) == Delivered()
    assert send_lines(sink_to(f"{loki.url}/loki/api/v1/push", tenant="another"), lines[1:]) == Delivered()
    assert lines_in(loki, "tenants") == counted(lines[:1])
