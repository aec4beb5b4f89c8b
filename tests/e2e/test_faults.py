"""What breaks on the way: full disks, folders that vanish, a kill, readers that leave. Nothing else may suffer."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading

import pytest

from tests.e2e.disks import tiny_disk
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, pipe, wait_until

pytestmark = pytest.mark.slow

LEVELS = (b"debug", b"info", b"error")


def numbered(count: int, first: int = 0) -> list[bytes]:
    """Events that know their number, of three levels."""
    return [
        b'{"level":"%s","n":%d,"path":"/orders/%d"}\n' % (LEVELS[n % 3], n, n * 7) for n in range(first, first + count)
    ]


def feed(router: subprocess.Popen[bytes], data: bytes) -> threading.Thread:
    """Write all of it and close, without waiting."""

    def write() -> None:
        try:
            with pipe(router.stdin) as stdin:
                stdin.write(data)
        except BrokenPipeError:
            return

    thread = threading.Thread(target=write)
    thread.start()
    return thread


# ── disks and folders ─────────────────────────────────────────────────────────────────────────────────


def test_a_sink_on_a_full_disk_is_named_and_the_other_gets_all(workplace: Workplace) -> None:
    events = numbered(5000)
    with tiny_disk(workplace.folder / "small", "64k"):
        done = workplace.route(
            b"".join(events),
            *("--sink", "tiny=file:small/out?format=raw", "--sink", "all=file:all?format=raw"),
            environment={"LOGROUTER_SHUTDOWN_TIMEOUT": "5s"},
        )
        written = (workplace.folder / "small" / "out").read_bytes()

    assert done.returncode == 75
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert {event["sink"] for event in told} == {"tiny"}
    (last,) = (event for event in told if event["message"] == "not delivered")
    assert 5000 - written.count(b"\n") <= last["events"] <= 5000  # a batch that found room whole is delivered
    assert "No space left on device" in last["reason"]
    assert workplace.lines("all") == events
    assert b"".join(events).startswith(written)
    assert len(written) <= 65536


def test_when_a_full_disk_is_freed_all_arrives_and_nothing_twice(workplace: Workplace) -> None:
    events = numbered(20_000)
    with tiny_disk(workplace.folder / "small", "2m") as small:
        ballast = small / "ballast"
        ballast.write_bytes(b"\0" * (1 << 20) + b"\0" * (800 << 10))
        router = workplace.start_router("--sink", "out=file:small/out?format=raw")
        feeding = feed(router, b"".join(events))
        assert b"No space left on device" in pipe(router.stderr).readline()
        ballast.unlink()
        feeding.join(TOO_LONG_SECONDS)
        assert router.wait(TOO_LONG_SECONDS) == 0
        assert workplace.lines("small/out") == events
    assert b"delivering again" in pipe(router.stderr).read()


def test_a_folder_removed_while_it_runs_is_made_again(workplace: Workplace) -> None:
    router = workplace.start_router("--sink", "deep=file:logs/deep/out?format=raw", "--sink", "all=file:all?format=raw")
    events = numbered(2000)
    sent = 0

    def send() -> bool:
        nonlocal sent
        if sent < len(events):
            pipe(router.stdin).write(events[sent])
            sent += 1
        return True

    send()
    workplace.wait_for_line("logs/deep/out")
    shutil.rmtree(workplace.folder / "logs")
    wait_until(lambda: send() and workplace.lines("logs/deep/out"), "the folder to be made again")
    send()
    pipe(router.stdin).close()

    assert router.wait(TOO_LONG_SECONDS) == 0
    written = workplace.lines("logs/deep/out")
    assert written == events[sent - len(written) : sent]  # whole lines, and none missing since
    assert workplace.lines("all") == events[:sent]


# ── killed ────────────────────────────────────────────────────────────────────────────────────────────


def test_killed_it_leaves_whole_lines_and_the_next_run_begins_on_a_new_one(workplace: Workplace) -> None:
    events, later = numbered(400_000), numbered(10, first=900_000)
    sink = ("--sink", "out=file:out?format=raw")
    router = workplace.start_router(*sink)
    feeding = feed(router, b"".join(events))
    out = workplace.folder / "out"
    wait_until(lambda: out.exists() and out.stat().st_size > 100_000, "something to be written")
    router.send_signal(signal.SIGKILL)
    router.wait(TOO_LONG_SECONDS)
    feeding.join(TOO_LONG_SECONDS)

    first = out.read_bytes()
    assert b"".join(events).startswith(first)
    assert workplace.route(b"".join(later), *sink).returncode == 0
    torn = b"\n" if not first.endswith(b"\n") else b""
    assert out.read_bytes() == first + torn + b"".join(later)


def test_a_torn_last_line_of_a_killed_run_is_ended_first(workplace: Workplace) -> None:
    (workplace.folder / "out").write_bytes(b"whole\ntor")
    assert workplace.route(b"next\n", "--sink", "out=file:out?format=raw").returncode == 0
    assert workplace.lines("out") == [b"whole\n", b"tor\n", b"next\n"]


# ── conserved ─────────────────────────────────────────────────────────────────────────────────────────


def test_1_000_000_lines_are_conserved_over_three_sinks(workplace: Workplace) -> None:
    events = numbered(1_000_000)
    sinks = [part for level in LEVELS for part in ("--sink", f"{level.decode()}=file:{level.decode()}?format=raw")]
    rules = [part for level in LEVELS for part in ("--match", f'{level.decode()}=level == "{level.decode()}"')]

    done = workplace.route(b"".join(events), *sinks, *rules)

    assert (done.returncode, done.stderr) == (0, b"")
    for place, level in enumerate(LEVELS):
        written = (workplace.folder / level.decode()).read_bytes()
        assert written == b"".join(events[place::3]), level


def test_one_reader_leaves_early_and_the_other_sink_gets_all(workplace: Workplace) -> None:
    """`… | logrouter | head -1`, with a file beside it."""
    events = numbered(200_000)
    router = workplace.start_router("--sink", "out=stdout:?format=raw", "--sink", "all=file:all?format=raw")
    head = workplace.start(["head", "-1"], stdin=router.stdout, stdout=subprocess.PIPE)
    pipe(router.stdout).close()
    feeding = feed(router, b"".join(events))

    assert router.wait(TOO_LONG_SECONDS) == 0
    feeding.join(TOO_LONG_SECONDS)
    assert pipe(router.stderr).read() == b""
    assert pipe(head.stdout).read() == events[0]
    assert workplace.lines("all") == events


def test_a_sink_that_hangs_costs_the_other_nothing(workplace: Workplace) -> None:
    """Nobody reads stdout. After `block_timeout` it discards its oldest; the file has every line."""
    events = numbered(100_000)
    router = workplace.start_router(
        *("--sink", "out=stdout:?format=raw", "--sink", "all=file:all?format=raw"),
        environment={
            "LOGROUTER_SPOOL__MEMORY": "1MiB",
            "LOGROUTER_SPOOL__BLOCK_TIMEOUT": "100ms",
            "LOGROUTER_SHUTDOWN_TIMEOUT": "5s",
        },
    )
    feeding = feed(router, b"".join(events))

    assert router.wait(TOO_LONG_SECONDS) == 75
    feeding.join(TOO_LONG_SECONDS)
    assert workplace.lines("all") == events
    told = [json.loads(line) for line in pipe(router.stderr).read().splitlines()]
    (undelivered,) = (event for event in told if event["message"] == "not delivered")
    assert undelivered["sink"] == "out"
