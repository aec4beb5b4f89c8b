"""The router is killed, again and again: the app goes on, and with capture files nothing is lost or twice."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.processes import TOO_LONG_SECONDS, pipe, size_of, wait_until
from tests.run.apps import Runner, wait_for_child

pytestmark = pytest.mark.slow

KILLS = 50
SEED = int(os.environ.get("CRASH_SEED", "6"))
PACED = """
import os, sys, time
def without_a_core():
    with open("/proc/self/schedstat") as file: return int(file.read().split()[1]) / 1e9
seconds, longest, number = float(sys.argv[1]), 0.0, 0
began = time.monotonic()
while not os.path.exists("enough") and time.monotonic() < began + seconds:
    due = int((time.monotonic() - began) * 50_000)
    while number < due:
        end = min(number + 50, due)
        block = b"".join(b"%012d some more of the line\\n" % n for n in range(number, end))
        before, others = time.monotonic(), without_a_core()
        while block: block = block[os.write(1, block) :]
        longest = max(longest, time.monotonic() - before - (without_a_core() - others))
        number = end
    time.sleep(0.001)
with open("told", "w") as file: file.write(f"{number} {longest}")
"""
"""50,000 lines a second, each with its number; tells how many there were, and the longest wait of all.
That it had to wait for a core, which other processes had, is not counted."""


def test_killed_at_any_moment_each_line_is_there_once_and_the_app_never_waits(runner: Runner) -> None:
    chance = random.Random(SEED)
    (runner.folder / "app.py").write_text(PACED)
    process = runner.start("spool", ["python3", "app.py", "3600"], "--set", "shutdown_timeout=1h")
    router = None
    for _ in range(KILLS):
        router = wait_for_child(process.pid, "router", other_than=router)
        if chance.random() < 0.8:  # at work; else while it starts
            wait_until(partial(has_grown, runner.folder / "stdout", size_of(runner.folder / "stdout")), "lines")
        time.sleep(chance.uniform(0.0, 1.5))
        os.kill(router, signal.SIGKILL)
    (runner.folder / "enough").touch()
    assert process.wait(10 * TOO_LONG_SECONDS) == 0  # on a busy machine much is left
    done = runner.finish(process)
    number, longest = (runner.folder / "told").read_text().split()

    assert list(map(line_number, done.stdout)) == list(range(int(number)))
    assert float(longest) < 1.0
    assert done.complaints.count(b"the router has died") == KILLS
    assert runner.captured() == []


def has_grown(path: Path, size: int) -> bool:
    """Beyond that size."""
    return size_of(path) > size


def line_number(line: bytes) -> int:
    """That of a whole line."""
    assert line[12:] == b" some more of the line"
    return int(line[:12])


@pytest.mark.parametrize("way", ["pipe", "tee"])
def test_killed_without_capture_files_the_app_goes_on_and_what_was_in_the_pipe_is_kept(
    runner: Runner, way: str
) -> None:
    script = "print('one', flush=True)\nfor line in open(0): print(line.strip(), flush=True)\nprint('the end')"
    process = runner.start(way, script)
    runner.wait_for("stdout", b"one")
    router = wait_for_child(process.pid, "router")
    os.kill(router, signal.SIGKILL)
    pipe(process.stdin).write(b"two\nthree\n")
    wait_for_child(process.pid, "router", other_than=router)
    runner.wait_for("stdout", b"three")
    pipe(process.stdin).close()
    process.stdin = None
    done = runner.finish(process)

    assert (done.code, done.stdout) == (0, [b"one", b"two", b"three", b"the end"])


def test_told_to_end_the_router_makes_way_for_the_next(runner: Runner, way: str) -> None:
    """An upgrade: SIGTERM to the router alone. What it has read it delivers, and the next reads on."""
    script = (
        "print('one', flush=True)\nfor line in open(0): print(line.strip(), flush=True)\nprint('unfinished', end='')"
    )
    process = runner.start(way, script)
    runner.wait_for("stdout", b"one")
    router = wait_for_child(process.pid, "router")
    os.kill(router, signal.SIGTERM)
    wait_for_child(process.pid, "router", other_than=router)
    pipe(process.stdin).write(b"two\n")
    pipe(process.stdin).close()
    process.stdin = None
    done = runner.finish(process)

    assert (done.code, done.stdout) == (0, [b"one", b"two", b"unfinished"])


def test_a_router_that_does_not_last_is_started_again_later_and_later(runner: Runner) -> None:
    """A config that broke while the app ran: the app goes on, and so does capturing, until it is mended."""
    config = runner.folder / "logrouter.yaml"
    config.write_text("shutdown_timeout: 20s\n")
    process = runner.start("spool", "print('one', flush=True)\nfor line in open(0): print(line.strip(), flush=True)")
    runner.wait_for("stdout", b"one")
    config.write_text("shutdown_timeout: soon\n")
    os.kill(wait_for_child(process.pid, "router"), signal.SIGKILL)
    pipe(process.stdin).write(b"two\n")
    wait_until(lambda: os.path.exists(runner.folder / "spool" / "capture"), "capture files")
    said = b""
    while said.count(b"the router has died") < 4:
        said += os.read(pipe(process.stderr).fileno(), 65536)
    config.write_text("shutdown_timeout: 20s\n")
    runner.wait_for("stdout", b"two")
    pipe(process.stdin).close()
    process.stdin = None
    done = runner.finish(process)

    assert (done.code, done.stdout) == (0, [b"one", b"two"])
    assert b"shutdown_timeout: expected a duration" in said
    assert [part.split(b"}")[0] for part in said.split(b'"after_seconds":')[1:5]] == [b"0.1", b"0.2", b"0.4", b"0.8"]


def test_the_supervisor_killed_the_app_is_told_and_what_was_captured_is_delivered(runner: Runner) -> None:
    script = "import os, time\nos.write(1, b'one\\n')\nwhile True: time.sleep(0.05); os.write(1, b'')"
    process = runner.start("spool", script)
    runner.wait_for("stdout", b"one")
    router, app = wait_for_child(process.pid, "router"), wait_for_child(process.pid, "app")
    process.kill()
    wait_until(lambda: not os.path.exists(f"/proc/{router}"), "the router's end", TOO_LONG_SECONDS)
    os.kill(app, signal.SIGKILL)

    assert runner.lines("stdout") == [b"one"]
    assert runner.captured() == []
