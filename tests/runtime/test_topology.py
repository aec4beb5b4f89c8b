"""The whole of it on virtual time: a real topology, whose source and destinations do as the test says."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import trio
from trio.testing import MockClock

from logrouter.config import load
from logrouter.cursors import Tally
from logrouter.runtime.concluding import EXIT_LOST, EXIT_OK, EXIT_UNDELIVERED
from logrouter.runtime.delivery import Delivery
from logrouter.runtime.log import Log
from logrouter.runtime.topology import Topology
from logrouter.sinks._objects import Upload
from logrouter.testing import RecordingTransport, RespondingTransport, ScriptedSource
from tests.runtime.observed import Observed, lines
from tests.runtime.pipelines import numbers

NOWHERE = Path("/nonexistent")
UNWANTED = "no sink wants some events: they are left out, and counted"
Act = Callable[[], None]


class Run(Observed):
    """A topology with sinks of these names, run to its end."""

    def __init__(self, source: ScriptedSource, *sinks: str, **options: str) -> None:
        self.source = source
        self.transports = {name: RecordingTransport(needs_sync=True) for name in sinks}
        self.said: list[dict[str, Any]] = []
        self.code = -1
        self.seconds = 0.0
        environ = {f"LOGROUTER_SINK_{name.upper()}": f"file:{name}" for name in sinks}
        environ |= {f"LOGROUTER_{name}": value for name, value in options.items()}
        settings = load(environ=environ, folder=NOWHERE, system_folder=NOWHERE)
        self.topology = Topology(
            settings,
            Log("info", write=lambda line: self.said.append(orjson.loads(line))),
            connect=lambda sink, syncs: self.transports[sink.context.name],
        )
        (running,) = self.topology.parts.sources
        running.source = source

    async def to_the_end(self, *acts: tuple[float, Act]) -> None:
        """Run; at these seconds do these things. Checks what must hold however it ended."""
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            for seconds, act in acts:
                nursery.start_soon(_act_after, seconds, act)
            with trio.fail_after(10_000):
                self.code = await self.topology.run()
            self.seconds = trio.current_time() - started
            nursery.cancel_scope.cancel()
        self.check_ledgers()

    def check_ledgers(self) -> None:
        """Conservation, and that what was counted as delivered is what the destinations hold."""
        (running,) = self.topology.parts.sources
        appended = self.source.emitted - running.chain.discarded.total()
        for delivery in self.topology.parts.deliveries:
            ledger, transport = self.topology.parts.spool.ledger(delivery.number), self.transports[delivery.name]
            assert ledger.read == ledger.settled + self.topology.parts.spool.waiting(delivery.number)
            assert ledger.read >= appended
            assert ledger.delivered <= len(numbers(transport.lines))
            if self.code in (EXIT_OK, EXIT_LOST) and not transport.gone:
                assert ledger.delivered == len(numbers(transport.lines))
                assert transport.synced == transport.data
            assert transport.closed

    def numbers(self, sink: str) -> list[int]:
        """Which events a destination holds."""
        return numbers(self.transports[sink].lines)


async def _act_after(seconds: float, act: Act) -> None:
    await trio.sleep(seconds)
    act()


def raising(number: signal.Signals) -> Act:
    return lambda: signal.raise_signal(number)


def reads(count: int) -> list[bytes | float]:
    """So many reads of 64 events."""
    return [lines(first * 64, 64) for first in range(count)]


def a_line_a_second(count: int) -> list[bytes | float]:
    return [item for number in range(count) for item in (lines(number, 1), 1.0)]


# ── the input ends ────────────────────────────────────────────────────────────────────────────────────


async def test_at_the_end_of_input_all_is_delivered(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0), 0.5, lines(10), lines(20)[:-1]]), "a", "b")
    await run.to_the_end()
    assert (run.code, run.said) == (EXIT_OK, [])
    assert run.numbers("a") == run.numbers("b") == list(range(30))
    assert run.seconds < 1
    assert not run.topology.parts.reading


async def test_what_a_source_could_not_read_is_named_in_the_end_and_exits_75(autojump_clock: MockClock) -> None:
    source = ScriptedSource([lines(0)])
    source.left_out = {"/a.log": "Permission denied", "/b.log": "it is a folder"}
    run = Run(source, "a")
    await run.to_the_end()
    assert run.code == EXIT_UNDELIVERED
    assert run.numbers("a") == list(range(10))
    named = [(event["source"], event["file"], event["reason"]) for event in run.told("not read")]
    assert named == [("stdin", "/a.log", "Permission denied"), ("stdin", "/b.log", "it is a folder")]


async def test_it_is_looked_whether_each_sink_keeps_up(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr(Delivery, "look", lambda delivery: looks.append(delivery.name))
    await Run(ScriptedSource(a_line_a_second(5)), "a", "b").to_the_end()
    assert min(looks.count("a"), looks.count("b")) >= 9


async def test_nothing_to_read_is_a_quick_end(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource(), "a")
    await run.to_the_end()
    assert (run.code, run.said) == (EXIT_OK, [])
    assert run.seconds < 0.5


async def test_a_dead_sink_is_named_after_the_timeout_and_no_other_suffers(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0)]), "alive", "dead", SHUTDOWN_TIMEOUT="5s")
    run.transports["dead"].dead = True
    await run.to_the_end()
    assert run.code == EXIT_UNDELIVERED
    assert run.numbers("alive") == list(range(10))
    (told,) = run.told("not delivered")
    assert (told["sink"], told["events"], told["reason"]) == ("dead", 10, "out of order")
    assert 5 <= run.seconds <= 6


async def test_a_sink_that_hangs_is_named_too(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0)]), "hanging", SHUTDOWN_TIMEOUT="5s", SINK_HANGING__MATCH="n < 4")
    run.transports["hanging"].gate = trio.Event()
    await run.to_the_end()
    (told,) = run.told("not delivered")
    assert (run.code, told["sink"], told["events"], told["reason"]) == (EXIT_UNDELIVERED, "hanging", 4, "time was up")


async def test_a_sink_that_recovers_in_time_gets_all(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0)]), "a", SHUTDOWN_TIMEOUT="60s")
    run.transports["a"].dead = True
    await run.to_the_end((20, lambda: setattr(run.transports["a"], "dead", False)))
    assert run.code == EXIT_OK
    assert run.numbers("a") == list(range(10))
    assert [event["message"] for event in run.said] == ["cannot deliver", "delivering again"]


# ── signals ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_after_a_signal_it_reads_on_for_half_of_the_timeout(
    autojump_clock: MockClock, number: signal.Signals
) -> None:
    run = Run(ScriptedSource(a_line_a_second(100), endless=True), "a", SHUTDOWN_TIMEOUT="10s")
    await run.to_the_end((0.5, raising(number)))
    assert run.code == EXIT_OK
    assert run.numbers("a") == [0, 1, 2, 3, 4, 5]
    assert run.seconds == pytest.approx(5.5)
    (told,) = run.told("stopping")
    assert told["signal"] == number.name


async def test_after_a_signal_a_source_whose_input_never_ends_is_stopped_at_once(autojump_clock: MockClock) -> None:
    source = ScriptedSource(a_line_a_second(100), endless=True)
    source.ends = False
    run = Run(source, "a", SHUTDOWN_TIMEOUT="10s")
    await run.to_the_end((0.5, raising(signal.SIGTERM)))
    assert (run.code, run.numbers("a")) == (EXIT_OK, [0])
    assert run.seconds == pytest.approx(0.5)


async def test_after_a_signal_it_ends_when_the_input_does(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource(a_line_a_second(3)), "a", SHUTDOWN_TIMEOUT="10s")
    await run.to_the_end((0.5, raising(signal.SIGTERM)))
    assert (run.code, run.numbers("a")) == (EXIT_OK, [0, 1, 2])
    assert run.seconds == pytest.approx(3)


async def test_a_second_signal_ends_the_reading(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource(a_line_a_second(100), endless=True), "a", SHUTDOWN_TIMEOUT="10s")
    await run.to_the_end((0.5, raising(signal.SIGTERM)), (2.5, raising(signal.SIGINT)))
    assert (run.code, run.numbers("a")) == (EXIT_OK, [0, 1, 2])
    assert run.seconds == pytest.approx(2.5)


async def test_a_third_signal_ends_the_delivery(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource(a_line_a_second(100), endless=True), "dead", SHUTDOWN_TIMEOUT="10s")
    run.transports["dead"].dead = True
    asking = [(seconds, raising(signal.SIGINT)) for seconds in (0.5, 2.5, 3.0)]
    await run.to_the_end(*asking)
    assert run.code == EXIT_UNDELIVERED
    assert run.seconds == pytest.approx(3.0)
    (told,) = run.told("not delivered")
    assert told["events"] == 3


async def test_after_the_end_of_input_a_second_signal_ends_the_delivery(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0)]), "dead", SHUTDOWN_TIMEOUT="10s")
    run.transports["dead"].dead = True
    await run.to_the_end((1, raising(signal.SIGTERM)), (2, raising(signal.SIGINT)))
    assert run.code == EXIT_UNDELIVERED
    assert run.seconds == pytest.approx(2)


async def test_the_timeout_counts_from_the_signal(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource(a_line_a_second(100), endless=True), "dead", SHUTDOWN_TIMEOUT="10s")
    run.transports["dead"].dead = True
    await run.to_the_end((0.5, raising(signal.SIGTERM)))
    assert run.code == EXIT_UNDELIVERED
    assert 10.5 <= run.seconds <= 11.5
    (told,) = run.told("not delivered")
    assert told["events"] == 6


async def test_sighup_opens_destinations_anew_and_ends_nothing(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0), 2.0, lines(10)]), "a", "b")
    await run.to_the_end((1, raising(signal.SIGHUP)))
    assert run.code == EXIT_OK
    assert [transport.reopened for transport in run.transports.values()] == [1, 1]
    assert run.numbers("a") == list(range(20))


# ── readers that go ───────────────────────────────────────────────────────────────────────────────────


async def test_when_all_readers_have_gone_it_ends(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0), 1.0, lines(10)], endless=True), "a", "b")
    gone = [lambda transport=transport: setattr(transport, "gone", True) for transport in run.transports.values()]
    await run.to_the_end((0.1, gone[0]), (0.2, gone[1]))
    assert run.code == EXIT_OK
    assert run.numbers("a") == run.numbers("b") == list(range(10))
    assert {event["message"] for event in run.said} == {"the reader has gone"}
    assert run.topology.parts.spool.statistics().held_bytes == 0


async def test_when_one_reader_has_gone_the_others_get_all(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0), 1.0, lines(10), 1.0, lines(20)]), "gone", "a")
    run.transports["gone"].needs_sync = False
    await run.to_the_end((0.5, lambda: setattr(run.transports["gone"], "gone", True)))
    assert run.code == EXIT_OK
    assert run.numbers("a") == list(range(30))
    assert run.ledger("gone").discarded["closed"] == 20
    assert run.numbers("gone") == list(range(10))


# ── a spool that is full ──────────────────────────────────────────────────────────────────────────────


def opening(transport: RecordingTransport) -> Act:
    """Makes it hang; gives what ends that."""
    gate = transport.gate = trio.Event()
    return gate.set


async def test_what_is_discarded_as_the_spool_is_full_is_counted_told_and_exits_74(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource(reads(40)), "slow", "a", SPOOL__MEMORY="1MiB", SPOOL__WHEN_FULL="discard_oldest")
    await run.to_the_end((5, opening(run.transports["slow"])))
    slow, alive = run.ledger("slow"), run.ledger("a")
    assert run.code == EXIT_LOST
    assert run.numbers("a") == list(range(40 * 64))
    assert slow.discarded["spool_full"] == 40 * 64 - len(run.numbers("slow")) > 0
    assert run.numbers("slow")[-64:] == list(range(39 * 64, 40 * 64))
    assert alive.discarded == {}
    assert [event["sink"] for event in run.told("events discarded")] == ["slow"]
    notices = [orjson.loads(line) for line in run.transports["slow"].lines if b"logrouter.discarded" in line]
    assert sum(notice["logrouter.discarded"] for notice in notices) == slow.discarded["spool_full"]


async def test_a_live_source_waits_for_a_while_and_then_the_slow_sink_discards(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource(reads(40)), "slow", "a", SPOOL__MEMORY="1MiB", SPOOL__BLOCK_TIMEOUT="3s")
    await run.to_the_end((20, opening(run.transports["slow"])))
    assert run.code == EXIT_LOST
    assert run.numbers("a") == list(range(40 * 64))
    assert run.topology.parts.spool.statistics().blocked_seconds == pytest.approx(3)
    assert run.ledger("slow").discarded["spool_full"] > 0


async def test_a_source_that_can_wait_waits_and_loses_nothing(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource(reads(40), live=False), "slow", "a", SPOOL__MEMORY="1MiB", SPOOL__BLOCK_TIMEOUT="3s")
    await run.to_the_end((100, opening(run.transports["slow"])))
    assert run.code == EXIT_OK
    assert run.numbers("slow") == run.numbers("a") == list(range(40 * 64))
    assert run.topology.parts.spool.statistics().blocked_seconds == pytest.approx(100)


async def test_what_was_read_and_found_no_room_is_told(autojump_clock: MockClock) -> None:
    run = Run(
        ScriptedSource(reads(40)), "dead", SPOOL__MEMORY="1MiB", SPOOL__BLOCK_TIMEOUT="never", SHUTDOWN_TIMEOUT="10s"
    )
    run.transports["dead"].dead = True
    await run.to_the_end((1, raising(signal.SIGTERM)))
    assert run.code == EXIT_UNDELIVERED
    (in_hand,) = run.told("read but not delivered to any sink")
    (waiting,) = run.told("not delivered")
    assert in_hand["events"] == 64
    assert waiting["events"] == run.source.emitted
    assert waiting["events"] + in_hand["events"] == run.topology.parts.sources[0].ingest.read_events


# ── events that go nowhere ────────────────────────────────────────────────────────────────────────────


async def test_what_no_sink_wants_is_counted_and_said_once(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0), 0.1, lines(10), 0.1, lines(20)]), "a", SINK_A__MATCH="n >= 25")
    await run.to_the_end()
    ledger = run.ledger("a")
    assert (run.code, run.numbers("a")) == (EXIT_OK, list(range(25, 30)))
    assert (ledger.delivered, ledger.unmatched, run.topology.parts.spool.unmatched) == (5, 25, 25)
    assert len(run.told(UNWANTED)) == 1


async def test_what_steps_take_out_is_counted_there(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0, 20)]), "a", STEPS="- discard: {when: n < 5}\n- set: {n.x: 1, when: n == 7}")
    await run.to_the_end()
    (running,) = run.topology.parts.sources
    assert (run.code, run.numbers("a")) == (EXIT_OK, list(range(5, 20)))
    assert (running.chain.discarded, running.chain.failed) == ({"steps.0.discard": 5}, {"steps.1.set": 1})
    (told,) = run.told("steps fail on some events")
    assert told["failed"] == {"steps.1.set": 1}


async def test_steps_of_a_route_that_fail_are_told_once(autojump_clock: MockClock) -> None:
    run = Run(ScriptedSource([lines(0, 20)]), "a", "b", ROUTES="- {to: [a, b], steps: [{set: {n.x: 1, when: n == 7}}]}")
    await run.to_the_end()
    (told, *others) = run.told("steps fail on some events")
    assert (told["route"], told["failed"], others) == ("route1", {"routes.0.steps.0.set": 1}, [])
    assert told["reasons"] == {"routes.0.steps.0.set": "n.x cannot be set: n is no object"}
    assert run.topology.parts.spool.routers.failed == {("route1", "routes.0.steps.0.set"): 2}, "once for each sink"


async def test_an_upload_that_cannot_be_completed_is_told(autojump_clock: MockClock) -> None:
    """Its events are counted as delivered, part by part, but nobody sees them before it is completed."""
    environ = {
        "LOGROUTER_SINK_ARCHIVE": "s3://logs/?region=eu-north-1&access_key_id=a&secret_access_key=b",
        "LOGROUTER_SHUTDOWN_TIMEOUT": "5s",
    }
    said: list[dict[str, Any]] = []
    transport = RespondingTransport()
    transport.dead = True
    topology = Topology(
        load(environ=environ, folder=NOWHERE, system_folder=NOWHERE),
        Log("info", write=lambda line: said.append(orjson.loads(line))),
        connect=lambda sink, syncs: transport,
    )
    topology.parts.sources[0].source = ScriptedSource([])
    topology.parts.spool.commit(0, 0, Tally(), msgspec.to_builtins(Upload("logs/", ".zst", "logs/1", "u1", 1)))
    assert await topology.run() == EXIT_UNDELIVERED
    assert [(line["message"], line["sink"]) for line in said if line["severity"] == "error"] == [
        ("cannot deliver", "archive"),
        ("left unfinished at the destination", "archive"),
    ]
