"""Reloads of the real command: by SIGHUP and by `logrouter reload`, under load, and killed in the middle of one."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, pipe, size_of, wait_until

pytestmark = pytest.mark.slow

SPOOL = "spool: {directory: spool}\n"
LINES_A_WRITE = 50
MOST_AHEAD_BYTES = 4 * 2**20


def config(*sinks: str, more: str = SPOOL) -> str:
    return f"{more}sinks:\n" + "".join(f"  {sink}\n" for sink in sinks)


@pytest.fixture
def runtime(workplace: Workplace) -> Path:
    """The folder in which those without a spool on disk listen."""
    folder = workplace.folder / "run"
    folder.mkdir(mode=0o700)
    workplace.add_environment({"XDG_RUNTIME_DIR": str(folder)})
    return folder


def start(workplace: Workplace, text: str) -> subprocess.Popen[bytes]:
    """A logrouter with this config, once it can be asked for something."""
    workplace.write("logrouter.yaml", text)
    router = workplace.start_router()
    pattern = "spool/control.sock" if SPOOL in text else f"run/logrouter/{router.pid}.sock"
    wait_until((workplace.folder / pattern).exists, "its control socket")
    return router


def finish(router: subprocess.Popen[bytes], code: int = 0) -> list[dict[str, Any]]:
    """End it, and give what it has said."""
    _, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    assert router.returncode == code, complaints
    return [json.loads(line) for line in complaints.splitlines()]


def test_what_changes_is_printed_once_it_has_changed(workplace: Workplace) -> None:
    router = start(workplace, config("a: file:a.log", "b: file:b.log"))
    pipe(router.stdin).write(b"one\n")
    workplace.wait_for_line("b.log")
    workplace.write("logrouter.yaml", config("a: {url: file:a.log, match: message != 'three'}", "c: file:c.log"))
    done = workplace.command("reload")
    assert (done.returncode, done.stderr) == (0, b"")
    removed, *others = done.stdout.decode().splitlines()
    assert removed in ("sinks.b: removed", "sinks.b: removed; still to be delivered to it: 1 event")
    assert others == [
        "sinks.c: added",
        "sinks.a.match: none → \"message != 'three'\"",
    ]
    pipe(router.stdin).write(b"two\nthree\n")
    assert finish(router) == []
    assert workplace.lines("a.log") == [b'{"message":"one"}\n', b'{"message":"two"}\n']
    assert workplace.lines("b.log") == [b'{"message":"one"}\n']
    assert workplace.lines("c.log") == [b'{"message":"two"}\n', b'{"message":"three"}\n']
    assert not (workplace.folder / "spool" / "control.sock").exists()
    assert {path.name[0] for path in (workplace.folder / "spool" / "cursors").iterdir()} == {"a", "c"}


def test_nothing_has_changed(workplace: Workplace) -> None:
    router = start(workplace, config("a: file:a.log"))
    done = workplace.command("reload")
    assert (done.returncode, done.stdout) == (0, b"nothing has changed\n")
    assert finish(router) == []


def test_a_config_that_is_wrong_is_refused_and_the_old_one_goes_on(workplace: Workplace) -> None:
    router = start(workplace, config("a: file:a.log"))
    workplace.write("logrouter.yaml", config("a: {url: file:b.log, match: 'nonsense =='}"))
    done = workplace.command("reload", "--socket", "spool/control.sock")
    assert done.returncode == 78
    assert b"logrouter.yaml:3:" in done.stderr
    assert workplace.command("reload").returncode == 78  # as it cannot even be found
    workplace.write("logrouter.yaml", config("a: file:a.log", more="spool: {directory: other}\n"))
    done = workplace.command("reload", "--socket", "spool/control.sock")
    assert done.returncode == 78
    assert b"spool.directory: cannot change while logrouter runs, from spool to other" in done.stderr
    pipe(router.stdin).write(b"one\n")
    told = finish(router)
    assert [len(event["mistakes"]) for event in told] == [1, 1]
    assert workplace.lines("a.log") == [b'{"message":"one"}\n']


def test_sighup_reloads_and_tells_the_log(workplace: Workplace, runtime: Path) -> None:
    router = start(workplace, config("a: file:a.log", more="log_level: info\n"))
    pipe(router.stdin).write(b"one\n")
    workplace.wait_for_line("a.log")
    os.rename(workplace.folder / "a.log", workplace.folder / "a.log.1")
    workplace.write("logrouter.yaml", config("a: file:a.log", "b: file:b.log", more="log_level: info\n"))
    router.send_signal(signal.SIGHUP)
    wait_until(lambda: _write_until(router, workplace), "b.log")
    told = [event for event in finish(router) if event["message"] == "reloaded"]
    assert [event["changes"] for event in told] == [["sinks.b: added"]]
    assert workplace.lines("a.log.1") == [b'{"message":"one"}\n']
    assert workplace.lines("b.log") == workplace.lines("a.log")[-len(workplace.lines("b.log")) :]


def _write_until(router: subprocess.Popen[bytes], workplace: Workplace) -> bool:
    pipe(router.stdin).write(b"more\n")
    return (workplace.folder / "b.log").exists()


def test_nobody_can_be_asked_where_nobody_runs(workplace: Workplace, runtime: Path) -> None:
    workplace.write("logrouter.yaml", config("a: file:a.log"))
    done = workplace.command("reload")
    assert done.returncode == 69
    hint = b"--socket names another place, such as in a former spool"
    assert done.stderr == b"logrouter: no logrouter listens at spool/control.sock (%b)\n" % hint


def test_without_a_spool_on_disk_it_listens_in_the_users_runtime_folder(workplace: Workplace, runtime: Path) -> None:
    routers = [start(workplace, config("a: stdout", more=""))]
    (place,) = (runtime / "logrouter").iterdir()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert workplace.command("reload").stdout == b"nothing has changed\n"
    routers.append(start(workplace, config("a: stdout", more="")))
    done = workplace.command("reload")
    assert done.returncode == 69
    assert b"several run: name one with --socket" in done.stderr
    assert workplace.command("reload", "--socket", str(place)).stdout == b"nothing has changed\n"
    routers[0].kill()  # what it leaves behind is in nobody's way
    routers[0].communicate()
    assert workplace.command("reload").stdout == b"nothing has changed\n"
    assert finish(routers[1]) == []


def test_a_killed_process_leaves_nothing_in_the_way(workplace: Workplace) -> None:
    router = start(workplace, config("a: file:a.log"))
    router.kill()
    router.communicate()
    assert (workplace.folder / "spool" / "control.sock").exists()
    router = workplace.start_router()
    wait_until(lambda: workplace.command("reload").returncode == 0, "the next one to answer")
    assert finish(router) == []


def test_a_path_that_is_too_long_for_a_socket(workplace: Workplace) -> None:
    folder = "/".join(["a" * 60] * 3)
    (workplace.folder / folder).mkdir(parents=True)
    workplace.write("logrouter.yaml", config("a: file:a.log", more=f"spool: {{directory: {folder}/spool}}\n"))
    router = workplace.start_router()
    wait_until((workplace.folder / folder / "spool" / "control.sock").exists, "its control socket")
    assert workplace.command("reload").stdout == b"nothing has changed\n"
    assert finish(router) == []


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"nonsense\n", "not a request"),
        (b'{"command":"fly"}\n', "there is no command 'fly'; there is: reload"),
        (b"x" * 100_000, None),
        (b"", None),
    ],
)
def test_a_client_that_talks_nonsense_is_told_so_or_hung_up_on(
    workplace: Workplace, said: bytes, answer: str | None
) -> None:
    router = start(workplace, config("a: file:a.log"))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(workplace.folder / "spool" / "control.sock"))
        client.settimeout(TOO_LONG_SECONDS)
        if answer is None:
            with suppress(ConnectionResetError, BrokenPipeError):  # before all of it was taken, perhaps
                client.sendall(said)
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1000) == b""
        else:
            client.sendall(said)
            assert answer in json.loads(client.makefile().readline())["error"]
    assert workplace.command("reload").stdout == b"nothing has changed\n"
    assert finish(router) == []


# ── under load ────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def growing(path: Path, read: Path) -> Iterator[list[int]]:
    """A file that grows by numbered lines, as fast as they can be written, but for `MOST_AHEAD_BYTES` of what `read`
    holds of them: no machine is so slow that it has no end. Gives how many there are."""
    count, stopped = [0], threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            while not stopped.is_set():
                if file.tell() - size_of(read) < MOST_AHEAD_BYTES:
                    first = count[0]
                    file.write(b"".join(b'{"n":%d}\n' % n for n in range(first, first + LINES_A_WRITE)))
                    count[0] += LINES_A_WRITE
                stopped.wait(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield count
    finally:
        stopped.set()
        writer.join()


def is_read(workplace: Workplace) -> bool:
    """Whether all that `growing` has written has arrived: as it was written."""
    return size_of(workplace.folder / "all.log") >= size_of(workplace.folder / "app.log")


def tailing(*sinks: str) -> str:
    return config(*sinks, more=f"{SPOOL}sources: {{app: {{url: 'file:app.log', start: beginning}}}}\n")


def some_sinks(chance: random.Random) -> list[str]:
    """`all` is always there, and the same. Of the others some are, to one file or another, with some rule."""
    sinks = ["all: file:all.log"]
    for name in "bcd":
        if chance.random() < 0.6:
            rule = chance.choice(["n >= 0", "n < 1000000", "n != 7"])
            sinks.append(f"{name}: {{url: file:{name}{chance.randrange(2)}.log, match: '{rule}'}}")
    return sinks


def numbers(workplace: Workplace, name: str) -> list[int]:
    return [json.loads(line)["n"] for line in workplace.lines(name)]


def test_under_load_each_line_is_there_once_and_in_order(workplace: Workplace) -> None:
    chance = random.Random(1)
    router = None
    with growing(workplace.folder / "app.log", workplace.folder / "all.log") as count:
        router = start(workplace, tailing(*some_sinks(chance)))
        for _ in range(12):
            workplace.write("logrouter.yaml", tailing(*some_sinks(chance)))
            done = workplace.command("reload")
            assert done.returncode == 0, done.stderr
    wait_until(partial(is_read, workplace), "all lines")
    router.send_signal(signal.SIGTERM)
    assert finish(router) == []
    assert numbers(workplace, "all.log") == list(range(count[0]))
    for name in "bcd":
        found = sorted(numbers(workplace, f"{name}0.log") + numbers(workplace, f"{name}1.log"))
        assert len(found) == len(set(found)), f"{name} has some twice"
        for part in ("0", "1"):
            in_one = numbers(workplace, f"{name}{part}.log")
            assert in_one == sorted(in_one)


def test_killed_in_the_middle_of_reloads_each_line_is_there_once_and_in_order(workplace: Workplace) -> None:
    chance = random.Random(2)
    with growing(workplace.folder / "app.log", workplace.folder / "all.log") as count:
        for _ in range(10):
            router = start(workplace, tailing(*some_sinks(chance)))
            for _ in range(chance.randrange(1, 4)):
                workplace.write("logrouter.yaml", tailing(*some_sinks(chance)))
                router.send_signal(signal.SIGHUP)
                time.sleep(chance.random() * 0.1)  # so that it is killed at any moment
            router.kill()
            router.communicate()
            (workplace.folder / "spool" / "control.sock").unlink(missing_ok=True)
    router = start(workplace, tailing("all: file:all.log"))
    wait_until(partial(is_read, workplace), "all lines")
    router.send_signal(signal.SIGTERM)
    finish(router)
    assert numbers(workplace, "all.log") == list(range(count[0]))
    for name in "bcd":  # nothing is kept for these when a start does not know them, and what is gone then is told
        told = [json.loads(line) for part in "01" for line in workplace.lines(f"{name}{part}.log")]
        found = [event["n"] for event in told if "n" in event]
        assert len(found) == len(set(found)), f"{name} has some twice"
        assert {event["logrouter.reason"] for event in told if "n" not in event} <= {"missing"}


# ── sources ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("more", [SPOOL, ""])
def test_sources_that_can_be_read_again_come_go_and_read_on(workplace: Workplace, runtime: Path, more: str) -> None:
    def followed(*names: str) -> str:
        include = ", ".join(f"{name}.log" for name in names)
        source = f"{{type: file, include: [{include}], start: beginning}}"
        return f"{more}sources: {{app: {source}}}\nsinks: {{all: file:all}}\n"

    workplace.write("a.log", "a1\n")
    workplace.write("b.log", "b1\n")
    router = start(workplace, followed("a"))
    workplace.wait_for_line("all")
    workplace.write("logrouter.yaml", followed("a", "b"))
    done = workplace.command("reload")
    assert (done.returncode, done.stdout) == (0, b"sources.app.include.1: none \xe2\x86\x92 b.log\n")
    for name in "ab":
        with (workplace.folder / f"{name}.log").open("a") as file:
            file.write(f"{name}2\n")
    workplace.wait_for_line("all", 4)
    workplace.write("logrouter.yaml", followed("b"))
    assert workplace.command("reload").returncode == 0
    with (workplace.folder / "b.log").open("a") as file:
        file.write("b3\n")
    workplace.wait_for_line("all", 5)
    router.send_signal(signal.SIGTERM)
    assert finish(router) == []
    messages = [json.loads(line)["message"] for line in workplace.lines("all")]
    assert sorted(messages) == ["a1", "a2", "b1", "b2", "b3"]


def test_what_is_left_of_a_removed_sink_can_be_exported(workplace: Workplace) -> None:
    quick = f"{SPOOL}shutdown_timeout: 5s\n"
    dead = "b: {type: http, url: 'http://127.0.0.1:9/'}"
    router = start(workplace, config("a: file:a.log", dead, more=quick))
    pipe(router.stdin).write(b"one\ntwo\n")
    workplace.wait_for_line("a.log", 2)
    workplace.write("logrouter.yaml", config("a: file:a.log", more=quick))
    done = workplace.command("reload")
    assert done.stdout == b"sinks.b: removed; still to be delivered to it: 2 events\n"
    pipe(router.stdin).write(b"three\n")
    workplace.wait_for_line("a.log", 3)
    done = workplace.command("spool", "export", "--sink", "b", "--raw")
    assert done.stdout == b"one\ntwo\n"
    told = finish(router, 75)
    assert [(event["sink"], event["events"]) for event in told if event["message"] == "not delivered"] == [("b", 2)]
