"""Figures are those that the parts keep: nothing is counted twice, no label is left out."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from logrouter import config
from logrouter.dead_letters import DeadLetter
from logrouter.event import Chunk, Flag
from logrouter.framing import Frame
from logrouter.runtime.delivery import Trouble
from logrouter.runtime.delivery.lagging import Lag
from logrouter.runtime.log import Log
from logrouter.runtime.parts import Parts
from logrouter.runtime.telemetry import Telemetry
from logrouter.runtime.transports import transport_for

Samples = dict[tuple[str, frozenset[str]], float]


def make_parts(text: str = "blackhole:") -> Parts:
    settings = config.load(flags=config.Flags(sinks=[f"a={text}", "b=blackhole:"]), system_folder=Path("/nonexistent"))
    return Parts(settings, Log("error"), transport_for)


def samples_of(telemetry: Telemetry) -> Samples:
    families = text_string_to_metric_families(telemetry.metrics().decode())
    return {
        (sample.name.removeprefix("logrouter_"), frozenset(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_outcomes_and_reasons() -> None:
    parts = make_parts()
    ledger = parts.spool.cursors[0].ledger
    ledger.read, ledger.delivered, ledger.unmatched = 20, 10, 4
    ledger.discarded.update(spool_full=3, closed=1)
    ledger.lost.update(torn=2)

    samples = samples_of(Telemetry(parts))
    ours = {labels: value for (name, labels), value in samples.items() if name == "sink_events_total"}
    found = {labels - {"a"}: value for labels, value in ours.items() if "a" in labels}

    assert found == {
        frozenset({"delivered", ""}): 10,
        frozenset({"unmatched", ""}): 4,
        frozenset({"discarded", "spool_full"}): 3,
        frozenset({"discarded", "closed"}): 1,
        frozenset({"lost", "torn"}): 2,
    }
    assert sum(found.values()) == ledger.settled == ledger.read


def test_a_sink_in_trouble() -> None:
    parts = make_parts()
    parts.deliveries[1].destination.trouble = Trouble("connection refused", 1_795_428_000.9)
    parts.deliveries[1].destination.retries = 7
    telemetry = Telemetry(parts)

    samples = samples_of(telemetry)
    assert (samples["sink_up", frozenset({"a"})], samples["sink_up", frozenset({"b"})]) == (1, 0)
    assert samples["sink_retries_total", frozenset({"b"})] == 7
    assert telemetry.status()["sinks"]["b"]["trouble"] == {
        "reason": "connection refused",
        "since": "2026-11-23T10:00:00Z",
    }


def test_a_sink_that_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = make_parts()
    lag = Lag("2026-11-23T10:00:00Z", 61.5, 1_000, 300_000, 20.0, 10.0, None)
    monkeypatch.setattr(type(parts.deliveries[0]), "lag", property(lambda own: lag if own.name == "b" else None))
    telemetry = Telemetry(parts)

    samples = samples_of(telemetry)
    assert (samples["sink_lags", frozenset({"a"})], samples["sink_lags", frozenset({"b"})]) == (0, 1)
    assert samples["sink_up", frozenset({"b"})] == 1
    assert telemetry.status()["sinks"]["a"]["lag"] is None
    assert telemetry.status()["sinks"]["b"]["lag"] == {
        "since": "2026-11-23T10:00:00Z",
        "behind_seconds": 61.5,
        "behind_events": 1_000,
        "behind_bytes": 300_000,
        "comes_per_second": 20.0,
        "takes_per_second": 10.0,
        "limit": None,
    }


async def test_what_waits() -> None:
    parts = make_parts()
    (chunk,) = parts.spool.routers.current.route(Chunk([b"{}", b"text"], bytes((Flag.JSON, 0)), {"source": "s"}, 0))
    await parts.spool.append(chunk)
    telemetry = Telemetry(parts)

    sinks, spool = telemetry.status()["sinks"], telemetry.status()["spool"]
    assert (sinks["a"]["waiting"], sinks["b"]["waiting"], spool["events"]) == (2, 2, 2)
    assert spool["held_bytes"] == chunk.size_bytes
    assert sinks["a"]["oldest_seconds"] > 1_000_000_000  # read in 1970
    assert samples_of(telemetry)["sink_waiting", frozenset({"a"})] == 2


async def test_a_clock_that_was_put_back() -> None:
    parts = make_parts()
    received_ns = time.time_ns() + 3600 * 10**9
    (chunk,) = parts.spool.routers.current.route(Chunk([b"{}"], bytes((Flag.JSON,)), {"source": "s"}, received_ns))
    await parts.spool.append(chunk)

    assert Telemetry(parts).status()["sinks"]["a"]["oldest_seconds"] == 0


async def test_dead_letters(tmp_path: Path) -> None:
    sets = [f"spool.directory={tmp_path}", "dead_letters.max_size=20MiB"]
    settings = config.load(flags=config.Flags(sinks=["a=blackhole:"], sets=sets), system_folder=Path("/nonexistent"))
    parts = Parts(settings, Log("error"), transport_for)
    assert parts.dead_letters is not None
    await parts.dead_letters.keep([DeadLetter(1, 5, "a", "too long", "", 0, 0, {}, 0, b"text")])
    telemetry = Telemetry(parts)
    await telemetry.look()
    samples = samples_of(telemetry)

    size = sum(path.stat().st_size for path in (tmp_path / "dead-letters").glob("*.letters"))
    assert samples["dead_letters", frozenset({"a"})] == 1
    assert samples["dead_letters_bytes", frozenset({"a"})] == size > 0
    assert samples["dead_letters_limit_bytes", frozenset()] == 20 * 2**20
    assert telemetry.status()["dead_letters"]["sinks"]["a"] == {"letters": 1, "size_bytes": size}


async def test_without_a_folder_there_are_no_figures_of_dead_letters() -> None:
    telemetry = Telemetry(make_parts())
    await telemetry.look()

    assert telemetry.status()["dead_letters"] is None
    assert [name for name, _ in samples_of(telemetry) if "dead_letter" in name] == []


def test_steps_are_told_apart() -> None:
    settings = config.load(
        environ={"LOGROUTER_STEPS": "[{discard: {when: a == 1}}, {set: {b: 2}}]"}, system_folder=Path("/nonexistent")
    )
    parts = Parts(settings, Log("error"), transport_for)
    parts.sources[0].chain.discarded["steps.0.discard"] = 5
    parts.sources[0].chain.failed["steps.1.set"] = 2
    samples = samples_of(Telemetry(parts))

    assert samples["source_discarded_total", frozenset({"stdin", "steps.0.discard"})] == 5
    assert samples["source_step_failed_total", frozenset({"stdin", "steps.1.set"})] == 2


def test_steps_of_routes_are_told_of_by_route() -> None:
    environ = {
        "LOGROUTER_SINK_A": "blackhole",
        "LOGROUTER_ROUTES": "[{to: a, name: first, steps: [{set: {b: 2}}]}, {to: a}]",
    }
    parts = Parts(config.load(environ=environ, system_folder=Path("/nonexistent")), Log("error"), transport_for)
    telemetry = Telemetry(parts)
    assert telemetry.status()["routes"] == {"first": {"step_failed": {}}}
    ((_, tally),) = parts.spool.routers.tallies
    tally.failed["routes.0.steps.0.set"] = 2
    assert telemetry.status()["routes"] == {"first": {"step_failed": {"routes.0.steps.0.set": 2}}}
    assert samples_of(telemetry)["route_step_failed_total", frozenset({"first", "routes.0.steps.0.set"})] == 2


def test_what_steps_remember_is_told_once_though_sources_share_them() -> None:
    environ = {
        "LOGROUTER_STEPS": "[{throttle: {rate: 1/h, by: a, max_keys: 2}}, {throttle: {rate: 1/h}}, {set: {b: 2}}]",
        "LOGROUTER_SOURCE_OTHER": "file:/nowhere",
        "LOGROUTER_SOURCE_STDIN": "stdin",
    }
    parts = Parts(config.load(environ=environ, system_folder=Path("/nonexistent")), Log("error"), transport_for)
    some = [b'{"a": 1}', b'{"a": 2}', b'{"a": 3}']
    parts.sources[0].ingest.chunks(Frame(some, b"\n".join(some), {}, 0, 26), 0)
    telemetry = Telemetry(parts)

    assert telemetry.status()["steps"] == {
        "steps.0.throttle": {"keys": 2, "forgotten_keys": 1},
        "steps.1.throttle": {"keys": 1, "forgotten_keys": 0},
    }
    samples = samples_of(telemetry)
    assert samples["step_keys", frozenset({"steps.0.throttle"})] == 2
    assert samples["step_keys", frozenset({"steps.1.throttle"})] == 1
    assert samples["step_forgotten_keys_total", frozenset({"steps.0.throttle"})] == 1
    name = parts.sources[0].name
    assert samples["source_discarded_total", frozenset({name, "steps.1.throttle"})] == 2


def test_a_sources_own_steps_have_names_of_their_own() -> None:
    environ = {
        "LOGROUTER_STEPS": "[{discard: {when: a == 1}}]",
        "LOGROUTER_SOURCE_STDIN": "{type: stdin, steps: [{set: {b: 2}}, {discard: {when: a == 2}}]}",
    }
    parts = Parts(config.load(environ=environ, system_folder=Path("/nonexistent")), Log("error"), transport_for)
    some = [b'{"a": 1}', b'{"a": 2}', b'{"a": 3}']
    parts.sources[0].ingest.chunks(Frame(some, b"\n".join(some), {}, 0, 26), 0)

    discarded = {"steps.0.discard": 1, "sources.stdin.steps.1.discard": 1}
    assert Telemetry(parts).status()["sources"]["stdin"]["discarded"] == discarded


def test_the_slow_share_of_each_source() -> None:
    parts = make_parts()
    some = [b"{}", b"text", b"{main} started", b"\xff"]
    parts.sources[0].ingest.chunks(Frame(some, b"\n".join(some), {}, 0, 30), 0)
    telemetry = Telemetry(parts)
    source = telemetry.status()["sources"]["stdin"]

    assert (source["slow_events"], source["events"], source["bytes"]) == (2, 4, 30)
    assert samples_of(telemetry)["slow_events_total", frozenset()] == 2


def test_names_that_prometheus_must_escape() -> None:
    parts = make_parts()
    parts.spool.cursors[0].ledger.lost['torn "twice"\n\\'] = 1

    assert samples_of(Telemetry(parts))["sink_events_total", frozenset({"a", "lost", 'torn "twice"\n\\'})] == 1


def test_every_metric_says_what_it_is() -> None:
    families = list(text_string_to_metric_families(Telemetry(make_parts()).metrics().decode()))

    assert len(families) > 15
    assert [family.name for family in families if not family.documentation or family.type == "unknown"] == []
    assert [family.name for family in families if not family.name.startswith("logrouter_")] == []
    assert len({family.name for family in families}) == len(families)


def test_status_is_json() -> None:
    status = Telemetry(make_parts()).status()

    assert orjson.loads(orjson.dumps(status)) == status
