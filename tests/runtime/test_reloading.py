"""Reloads on virtual time: a real topology whose config changes while it reads; destinations do as the test says."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from logrouter.cursors import State
from logrouter.runtime.concluding import EXIT_OK, EXIT_UNDELIVERED
from logrouter.runtime.reloading import Outcome
from logrouter.runtime.spool.journal import Journal
from logrouter.runtime.spool.log_reader import LogReader
from tests.runtime.observed import run_at_once
from tests.runtime.pipelines import numbers
from tests.runtime.reloaded import Reloaded, settled


@pytest.fixture(autouse=True)
def threads_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trio.to_thread.run_sync", run_at_once)


# ── what is the same goes on ──────────────────────────────────────────────────────────────────────────


async def test_a_config_that_is_the_same_changes_nothing(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a"})

    async def script() -> None:
        run.source.feed()
        delivery, router = run.topology.parts.deliveries[0], run.topology.parts.assembly.router
        assert await run.reload() == Outcome()
        assert (run.topology.parts.deliveries[0], run.topology.parts.assembly.router) == (delivery, router)
        run.source.feed()

    await run.to_the_end(script)
    assert (run.code, run.numbers("a")) == (EXIT_OK, list(range(20)))
    assert [event["changes"] for event in run.told("reloaded")] == ["none"]


async def test_a_sink_that_is_the_same_keeps_its_connection(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a"})

    async def script() -> None:
        run.source.feed()
        outcome = await run.reload({"a": "file:a", "b": "file:b"}, SINK_A__MATCH="n < 25", SINK_A__WHEN_FULL="block")
        assert outcome.mistakes == []
        run.source.feed(20)

    await run.to_the_end(script)
    assert len(run.transports["a"]) == 1
    assert run.numbers("a") == list(range(25))
    assert (run.ledger("a").delivered, run.ledger("a").unmatched) == (25, 5)


async def test_what_was_read_before_goes_by_the_rules_of_then(autojump_clock: MockClock) -> None:
    """Also where a sink gets it only afterwards."""
    run = Reloaded({"a": "file:a", "b": "file:b"}, SINK_A__MATCH="n < 5")
    run.transports["a"][0].dead = True

    async def script() -> None:
        run.source.feed()
        await settled()
        await run.reload({"a": "file:a", "b": "file:b"}, SINK_A__MATCH="n >= 15")
        run.source.feed()
        await settled()
        run.transports["a"][0].dead = False

    await run.to_the_end(script)
    assert run.numbers("a") == [*range(5), *range(15, 20)]
    assert run.numbers("b") == list(range(20))


# ── what is wrong changes nothing ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"SINK_A__MATCH": "n <"}, "SINK_A__MATCH"),
        ({"SPOOL__DIRECTORY": "/tmp/spool"}, "spool.directory: cannot change while logrouter runs"),
        (
            {"ADMIN__LISTEN": "127.0.0.1:0"},
            "admin.listen: cannot change while logrouter runs",
        ),
        ({"SOURCE_OTHER": "stdin"}, "sources.other: stdin is what the process was started with: it cannot come"),
    ],
)
async def test_the_old_config_goes_on_where_the_new_one_is_wrong(
    autojump_clock: MockClock, options: dict[str, str], problem: str
) -> None:
    run = Reloaded({"a": "file:a"})

    async def script() -> None:
        run.source.feed()
        for _ in range(2):  # and that is said each time
            outcome = await run.reload({"b": "file:b"}, **options)
            assert outcome.changes == []
            assert any(problem in mistake for mistake in outcome.mistakes)
        run.source.feed()

    await run.to_the_end(script)
    assert (run.code, run.numbers("a")) == (EXIT_OK, list(range(20)))
    assert [problem in str(event["mistakes"]) for event in run.said] == [True, True]
    assert "b" not in run.transports


async def test_a_mistake_of_ours_stops_nothing(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Reloaded({"a": "file:a"})

    async def script() -> None:
        run.environ = None  # type: ignore[assignment]
        monkeypatch.setattr("tests.runtime.reloaded.load", lambda **_: 1 / 0)
        assert (await run.reload()).reason == "ZeroDivisionError: division by zero"
        run.source.feed()

    await run.to_the_end(script)
    assert (run.code, run.numbers("a")) == (EXIT_OK, list(range(10)))


# ── sinks come ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_sink_begins_with_the_events_to_come(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a"})
    run.transports["a"][0].dead = True

    async def script() -> None:
        run.source.feed()
        await settled()
        assert (await run.reload({"a": "file:a", "b": "file:b"})).changes == ["sinks.b: added"]
        run.source.feed()
        await settled()
        run.transports["a"][0].dead = False

    await run.to_the_end(script)
    assert run.numbers("b") == list(range(10, 20))
    assert (run.ledger("b").read, run.ledger("b").delivered) == (10, 10)


async def test_a_new_sink_may_begin_with_the_oldest_events_that_are_held(autojump_clock: MockClock) -> None:
    """By its own rules, which nobody had asked then."""
    run = Reloaded({"a": "file:a"}, SPOOL__MEMORY="1MiB")

    async def script() -> None:
        run.source.feed()
        await trio.sleep(5)  # all sinks have these
        run.transports["a"][0].dead = True
        for _ in range(20):  # more than a sink takes in hand at once
            run.source.feed()
        await settled()
        run.break_down("b", True)
        options = {"SINK_B__START": "beginning", "SINK_B__MATCH": "n != 15", "SPOOL__MEMORY": "1MiB"}
        outcome = await run.reload({"a": "file:a", "b": "file:{date}"}, **options)
        assert outcome.mistakes == []
        run.source.feed()
        await settled()
        run.transports["a"][0].dead = False
        await trio.sleep(5)  # what the other one needs is held for it alone
        run.break_down("b", False)

    await run.to_the_end(script)
    assert run.numbers("b") == [*range(10, 15), *range(16, 220)]
    assert (run.ledger("b").read, run.ledger("b").unmatched) == (210, 1)


# ── sinks go ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_removed_sink_gets_what_was_read_before(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a", "b": "file:b"})
    run.transports["b"][0].dead = True

    async def script() -> None:
        run.source.feed()
        await settled()
        outcome = await run.reload({"a": "file:a"})
        assert outcome.changes == ["sinks.b: removed; still to be delivered to it: 10 events"]
        run.source.feed()
        await settled()
        assert [delivery.name for delivery in run.topology.parts.leaving] == ["b"]
        run.transports["b"][0].dead = False
        await trio.sleep(5)
        assert run.topology.parts.leaving == []

    await run.to_the_end(script)
    assert run.numbers("b") == list(range(10))
    assert run.transports["b"][0].closed
    assert run.transports["b"][0].synced == run.transports["b"][0].data
    assert run.numbers("a") == list(range(20))
    assert run.code == EXIT_OK
    assert list(run.topology.parts.spool.cursors) == [0]  # type: ignore[attr-defined]  # of a LocalSpool


async def test_what_a_removed_sink_does_not_take_in_time_is_told_and_stands_in_nobodys_way(
    autojump_clock: MockClock,
) -> None:
    run = Reloaded({"a": "file:a", "b": "file:b"}, SHUTDOWN_TIMEOUT="5s", SPOOL__MEMORY="1MiB")
    run.transports["b"][0].dead = True

    async def script() -> None:
        run.source.feed()
        await settled()
        await run.reload({"a": "file:a"}, SHUTDOWN_TIMEOUT="5s", SPOOL__MEMORY="1MiB")
        assert not run.told("not delivered")
        await trio.sleep(7)
        (told,) = run.told("not delivered")
        assert (told["sink"], told["events"], told["reason"]) == ("b", 10, "out of order")
        for _ in range(30):
            run.source.feed(64)
        await trio.sleep(2)
        assert len(run.numbers("a")) == 10 + 30 * 64

    await run.to_the_end(script)
    assert run.numbers("a") == list(range(10 + 30 * 64))
    assert run.code == EXIT_UNDELIVERED or run.told("discarded or lost in this run")
    assert run.transports["b"][0].closed


async def test_a_removed_sink_that_is_back_goes_on_without_what_came_between(autojump_clock: MockClock) -> None:
    for seconds in (0.0, 7.0):  # while it is given time, and after that
        run = Reloaded({"a": "file:a", "b": "file:b"}, SHUTDOWN_TIMEOUT="5s")
        run.transports["b"][0].dead = True

        async def script(run: Reloaded = run, seconds: float = seconds) -> None:
            run.source.feed()
            await settled()
            await run.reload({"a": "file:a"}, SHUTDOWN_TIMEOUT="5s")
            run.source.feed()
            await trio.sleep(seconds)
            await run.reload({"a": "file:a", "b": "file:b"}, SHUTDOWN_TIMEOUT="5s")
            run.source.feed()

        await run.to_the_end(script)
        assert run.code == EXIT_OK
        assert run.numbers("b") == [*range(10), *range(20, 30)]
        assert (run.ledger("b").read, run.ledger("b").unmatched) == (30, 10)
        assert run.topology.parts.leaving == []


# ── sinks change ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_sink_that_has_changed_goes_on_with_what_was_not_taken(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a", "b": "file:b"})

    async def script() -> None:
        run.source.feed()
        await settled()
        outcome = await run.reload({"a": "file:a", "b": "file:other"})
        assert outcome.changes == ["sinks.b.path: b → other"]
        run.source.feed()

    await run.to_the_end(script)
    first, second = run.transports["b"]
    assert (numbers(first.lines), numbers(second.lines)) == (list(range(10)), list(range(10, 20)))
    assert first.closed
    assert first.synced == first.data
    assert run.ledger("b").delivered == 20


async def test_the_successor_of_a_sink_in_trouble_need_not_wait(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a", "b": "file:b"})
    run.transports["b"][0].dead = True

    async def script() -> None:
        run.source.feed()
        await trio.sleep(1)
        started = trio.current_time()
        await run.reload({"a": "file:a", "b": "file:other"})
        assert trio.current_time() - started < 1
        run.source.feed()

    await run.to_the_end(script)
    assert [numbers(transport.lines) for transport in run.transports["b"]] == [[], list(range(20))]
    assert run.code == EXIT_OK


async def test_a_sink_whose_destination_hangs_is_waited_for_only_so_long(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a"}, SHUTDOWN_TIMEOUT="5s")
    run.transports["a"][0].gate = trio.Event()

    async def script() -> None:
        run.source.feed()
        await settled()
        started = trio.current_time()
        await run.reload({"a": "file:other"}, SHUTDOWN_TIMEOUT="5s")
        assert 5 <= trio.current_time() - started <= 6

    await run.to_the_end(script)
    assert [numbers(transport.lines) for transport in run.transports["a"]] == [[], list(range(10))]


async def test_a_sink_whose_reader_has_gone_begins_again_with_what_comes(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a", "b": "file:b"})
    run.transports["b"][0].gone = True

    async def script() -> None:
        run.source.feed()
        await settled()
        await run.reload({"a": "file:a", "b": "file:other"})
        run.source.feed()

    await run.to_the_end(script)
    assert run.numbers("b") == list(range(10, 20))
    assert run.ledger("b").discarded == {"closed": 10}


async def test_whoever_writes_to_the_file_of_another_waits_for_that_to_end(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:one"})
    run.transports["a"][0].gate = trio.Event()

    async def script() -> None:
        run.source.feed()
        await settled()
        await run.reload({"b": "file:one"})
        run.source.feed()
        await settled()
        assert run.numbers("b") == []
        run.transports["a"][0].gate.set()

    await run.to_the_end(script)
    assert (run.numbers("a"), run.numbers("b")) == (list(range(10)), list(range(10, 20)))


# ── sources and steps ─────────────────────────────────────────────────────────────────────────────────


async def test_steps_are_those_of_now_from_the_next_chunk_on_and_are_counted_on(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a"}, STEPS="[{discard: {when: n == 3}}]")

    async def script() -> None:
        run.source.feed()
        await settled()
        await run.reload({"a": "file:a"}, STEPS="[{discard: {when: n == 3 or n == 14}}]")
        run.source.feed()

    await run.to_the_end(script)
    (running,) = run.topology.parts.sources
    assert run.numbers("a") == [number for number in range(20) if number not in (3, 14)]
    assert running.chain.discarded == {"steps.0.discard": 2}
    assert running.ingest.read_events == 20


async def test_code_that_has_changed_in_its_file_is_taken_up(autojump_clock: MockClock, tmp_path: Path) -> None:
    file = tmp_path / "my.py"
    code = "def keep(events):\n    return [event for event in events if event['n'] != %d]\n"
    file.write_text(code % 3)
    run = Reloaded({"a": "file:a"}, STEPS=f"[{{python: '{file}:keep'}}]")

    async def script() -> None:
        run.source.feed()
        await settled()
        file.write_text(code % 14)
        outcome = await run.reload()
        assert outcome.changes == ["steps.0.python.file: what the file holds has changed"]
        run.source.feed()
        await settled()
        file.write_text("def keep(events)")
        (mistake,) = (await run.reload()).mistakes
        assert mistake.endswith(f"steps.0.python: file: {file}:1: expected ':'")
        run.source.feed()

    await run.to_the_end(script)
    assert run.numbers("a") == [number for number in range(30) if number not in (3, 14)]


async def test_what_waits_for_room_goes_by_the_rules_that_are_in_force_when_it_gets_in(
    autojump_clock: MockClock,
) -> None:
    run = Reloaded({"a": "file:a", "b": "file:b"}, SPOOL__MEMORY="1MiB", SPOOL__BLOCK_TIMEOUT="never")
    run.transports["b"][0].dead = True

    async def script() -> None:
        for _ in range(40):
            run.source.feed(64)
        await settled()
        (running,) = run.topology.parts.sources
        assert running.in_hand
        held = run.topology.parts.spool.statistics().events
        unwanted.append(held)
        options = {"SPOOL__MEMORY": "2MiB", "SPOOL__BLOCK_TIMEOUT": "never", "SHUTDOWN_TIMEOUT": "1s"}
        outcome = await run.reload({"a": "file:a", "c": "file:c"}, SINK_A__MATCH=f"n != {held}", **options)
        assert (outcome.mistakes, outcome.reason) == ([], None)
        await trio.sleep(10)
        assert run.numbers("c") == list(range(held, 40 * 64))

    unwanted: list[int] = []
    await run.to_the_end(script)
    assert run.numbers("a") == [number for number in range(40 * 64) if number not in unwanted]


# ── who asks ──────────────────────────────────────────────────────────────────────────────────────────


async def test_those_who_ask_before_it_has_begun_get_the_same(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a"})
    found: list[Outcome] = []

    async def ask() -> None:
        found.append(await run.reload())

    async def script() -> None:
        run.configure({"a": "file:a", "b": "file:b"})
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)

    await run.to_the_end(script)
    assert found == [Outcome(["sinks.b: added"])] * 3


async def test_at_the_end_nothing_is_reloaded_any_more(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a"}, SHUTDOWN_TIMEOUT="5s")
    run.transports["a"][0].dead = True

    async def script() -> None:
        run.source.feed()
        run.source.end()
        await settled()
        assert (await run.reload()).reason == "logrouter is about to end: it reads no config any more"

    await run.to_the_end(script)
    assert run.code == EXIT_UNDELIVERED


# ── with a spool on disk ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("durability", ["memory", "disk", "sync"])
async def test_cursors_of_removed_sinks_are_deleted_and_new_ones_written(
    autojump_clock: MockClock, tmp_path: Path, durability: str
) -> None:
    options = {"SPOOL__DIRECTORY": str(tmp_path / "spool"), "SPOOL__DURABILITY": durability}
    run = Reloaded({"a": "file:a", "b": "file:b"}, **options)
    cursors = tmp_path / "spool" / "cursors"

    async def script() -> None:
        run.source.feed()
        await trio.sleep(5)
        await run.reload({"a": "file:a", "c": "file:c"}, **options)
        run.source.feed()
        await trio.sleep(5)
        assert {path.name for path in cursors.iterdir()} == {"a.0", "a.1", "c.0", "c.1"}

    await run.to_the_end(script)
    assert (run.code, run.told("cannot write a cursor")) == (EXIT_OK, [])
    state = Journal(str(cursors / "c")).load()
    assert state is not None
    assert (state.origin, state.committed, state.ledger.delivered) == (10, 20, 10)


async def test_what_is_left_of_a_removed_sink_stays_until_the_process_ends(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    options = {"SPOOL__DIRECTORY": str(tmp_path / "spool"), "SHUTDOWN_TIMEOUT": "5s"}
    run = Reloaded({"a": "file:a", "b": "file:b"}, **options)
    run.transports["b"][0].dead = True

    async def script() -> None:
        run.source.feed()
        await settled()
        await run.reload({"a": "file:a"}, **options)
        run.source.feed()
        await trio.sleep(60)
        assert run.ledger("a").delivered == 20
        state = Journal(str(tmp_path / "spool" / "cursors" / "b")).load()
        assert state is not None
        assert (state.committed, state.ends_at) == (0, 10)
        log = LogReader(str(tmp_path / "spool" / "segments"))
        log.open()
        assert log.segments[0].header.first == 0
        log.close()

    await run.to_the_end(script)
    assert run.code == EXIT_UNDELIVERED
    assert run.told("not delivered")[-1]["events"] == 10

    again = Reloaded({"a": "file:a"}, **options)  # it says what it does not keep: nothing of what came after
    await again.to_the_end(settled)
    (told,) = again.told("events wait for a sink that is not configured: nothing is kept for it")
    assert (told["sink"], told["events"]) == ("b", 10)


async def test_a_sink_that_was_removed_goes_on_after_a_restart_that_names_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    options = {"SPOOL__DIRECTORY": str(tmp_path / "spool"), "SHUTDOWN_TIMEOUT": "5s", "SPOOL__KEEP": "1h"}
    run = Reloaded({"a": "file:a", "b": "file:b"}, **options)
    run.transports["b"][0].dead = True

    async def script() -> None:
        run.source.feed()
        await settled()
        await run.reload({"a": "file:a"}, **options)
        run.source.feed()

    await run.to_the_end(script)
    again = Reloaded({"a": "file:a", "b": "file:b"}, **options)

    async def feed() -> None:
        again.source.fed = 20
        again.source.feed()

    await again.to_the_end(feed)
    assert again.numbers("b") == [*range(10), *range(20, 30)]
    assert (again.ledger("b").read, again.ledger("b").unmatched) == (30, 10)


@pytest.mark.parametrize("durability", ["memory", "disk", "sync"])
async def test_a_sink_of_an_earlier_run_goes_on_where_it_was(
    autojump_clock: MockClock, tmp_path: Path, durability: str
) -> None:
    """What nobody has kept for it is lost, and that is counted."""
    options = {"SPOOL__DIRECTORY": str(tmp_path / "spool"), "SPOOL__DURABILITY": durability}
    first = Reloaded({"a": "file:a", "b": "file:b"}, **options)

    async def feed() -> None:
        first.source.feed()

    await first.to_the_end(feed)
    run = Reloaded({"a": "file:a"}, **options)

    async def script() -> None:
        run.source.fed = 10
        run.source.feed()
        await trio.sleep(30)
        await run.reload({"a": "file:a", "b": "file:b"}, **options)
        run.source.feed()

    await run.to_the_end(script)
    ledger = run.ledger("b")
    assert ledger.read == 30
    assert sum(ledger.lost.values()) + ledger.delivered == 30
    assert run.numbers("b")[-10:] == list(range(20, 30))
    assert run.numbers("b") == sorted(set(run.numbers("b")))


async def test_a_new_sink_may_begin_with_the_oldest_event_of_the_log(autojump_clock: MockClock, tmp_path: Path) -> None:
    """At a reload, by its own rules, and at a start."""
    options = {"SPOOL__DIRECTORY": str(tmp_path / "spool"), "SPOOL__MEMORY": "1MiB", "SHUTDOWN_TIMEOUT": "5s"}
    run = Reloaded({"a": "file:a", "slow": "file:slow"}, **options)
    run.transports["slow"][0].dead = True  # so that all is held

    async def script() -> None:
        for _ in range(40):
            run.source.feed(50)
        await trio.sleep(30)
        urls = {"a": "file:a", "slow": "file:slow", "b": "file:b"}
        await run.reload(urls, SINK_B__START="beginning", SINK_B__MATCH="n != 7", **options)
        run.source.feed()

    await run.to_the_end(script)
    assert run.numbers("b") == [number for number in range(2010) if number != 7]
    assert run.numbers("a") == list(range(2010))

    again = Reloaded({"a": "file:a", "c": "file:c"}, SINK_C__START="beginning", **options)
    await again.to_the_end(settled)
    assert again.numbers("c") == list(range(2010))
    assert again.ledger("c").read == 2010


async def test_however_often_it_is_asked_at_the_end_it_says_that_it_ends(autojump_clock: MockClock) -> None:
    run = Reloaded({"a": "file:a"})
    await run.to_the_end(settled)
    with trio.fail_after(1):
        outcomes = [await run.topology.reloading.ask() for _ in range(3)]
    assert {outcome.reason for outcome in outcomes} == {"logrouter is about to end: it reads no config any more"}


async def test_a_cursor_that_cannot_be_written_refuses_the_reload(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"SPOOL__DIRECTORY": str(tmp_path / "spool")}
    run = Reloaded({"a": "file:a"}, **options)
    begin = Journal.begin

    def fail(journal: Journal, state: State) -> None:
        begin(journal, state)
        if journal.path.endswith("/c"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def script() -> None:
        monkeypatch.setattr(Journal, "begin", fail)
        open_before = len(os.listdir("/proc/self/fd"))
        outcome = await run.reload({"a": "file:a", "b": "file:b", "c": "file:c"}, **options)
        assert outcome.reason == "[Errno 28] No space left on device"
        assert len(os.listdir("/proc/self/fd")) == open_before
        run.source.feed()

    await run.to_the_end(script)
    assert (run.code, run.numbers("a")) == (EXIT_OK, list(range(10)))
    assert {path.name[0] for path in (tmp_path / "spool" / "cursors").iterdir()} == {"a"}
