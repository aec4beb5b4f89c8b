"""The spool on disk, as its operator meets it: dead sinks, full disks, wrong folders, damage, secrets."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.crash.feeding import is_notice, number_of, numbered, numbers_of
from tests.e2e.disks import fill, remount, swap, tiny_disk
from tests.e2e.processes import (
    LOGROUTER,
    TOO_LONG_SECONDS,
    Workplace,
    pipe,
    size_of,
    spool_options,
    wait_for_end,
    wait_for_port,
    wait_until,
)
from tests.e2e.status import settled, status, waiting
from tests.e2e.test_faults import feed
from tests.runtime.spool.logs import make_newer, numbered_chunk, write_version_1
from tests.services.programs import missing

pytestmark = pytest.mark.slow

MIB = 2**20
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def told(complaints: bytes, message: str) -> list[dict[str, Any]]:
    """The events with this message that logrouter wrote on stderr."""
    events = [json.loads(line) for line in complaints.splitlines()]
    return [event for event in events if event["message"] == message]


def finish(router: subprocess.Popen[bytes], feeding: threading.Thread) -> tuple[bytes, bytes]:
    """What it writes to stdout and stderr until it has ended, once it has been given all."""
    feeding.join(TOO_LONG_SECONDS)
    router.stdin = None  # closed already
    return router.communicate(timeout=TOO_LONG_SECONDS)


def feed_open(router: subprocess.Popen[bytes], data: bytes) -> threading.Thread:
    """Write all of it, and leave the pipe open."""
    thread = threading.Thread(target=pipe(router.stdin).write, args=(data,))
    thread.start()
    return thread


def end(router: subprocess.Popen[bytes], feeding: threading.Thread) -> tuple[bytes, bytes]:
    """The same as `finish` where the pipe is open still."""
    feeding.join(TOO_LONG_SECONDS)
    return router.communicate(timeout=TOO_LONG_SECONDS)


def used(folder: Path) -> int:
    """The sizes of all files in a folder."""
    return sum(map(size_of, folder.iterdir()))


def accounted(written: list[bytes]) -> int:
    """How many events a file tells of: each is there, in order and once, or a notice in its place has counted it."""
    place = 0
    for line in written:
        if is_notice(line):
            notice = json.loads(line)
            place += notice.get("logrouter.discarded", 0) + notice.get("logrouter.lost", 0)
        else:
            assert number_of(line) == place
            place += 1
    return place


# ── isolation ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("durability", ["disk", "memory"])
def test_ten_times_the_memory_flows_past_sinks_that_are_dead(workplace: Workplace, durability: str) -> None:
    """Invariant 4. One disk is full from the start, one folder becomes a file, nobody reads stdout: the fourth sink
    gets all at once, and the others when they are well again, in order and once."""
    lines = numbered(0, 60_000)
    data = b"".join(lines)
    assert len(data) > 10 * MIB
    with tiny_disk(workplace.folder / "full", "1m") as full:
        ballast = fill(full)
        router = workplace.start_router(
            *("--sink", "full=file:full/out?format=raw", "--sink", "gone=file:gone/out?format=raw"),
            *("--sink", "hung=stdout:?format=raw", "--sink", "all=file:all?format=raw"),
            *spool_options(durability=durability, memory="1MiB"),
        )
        pipe(router.stdin).write(lines[0])
        workplace.wait_for_line("gone/out")
        gone, elsewhere = workplace.folder / "gone", workplace.folder / "elsewhere"
        elsewhere.write_text("no folder\n")
        swap(gone, elsewhere)
        feeding = feed(router, data[len(lines[0]) :])
        wait_until(lambda: (workplace.folder / "all").stat().st_size == len(data), "the living sink to get all")

        remount(full, "size=64m")  # at once enough: a little would be full again
        ballast.unlink()
        swap(gone, elsewhere)
        output, complaints = finish(router, feeding)

        assert router.returncode == 0
        for written in ("all", "full/out", "gone/out"):
            assert (workplace.folder / written).read_bytes() == data, written
        assert output == data
    for sink in ("full", "gone"):
        assert [event["sink"] for event in told(complaints, "cannot deliver")].count(sink) == 1
        assert [event["sink"] for event in told(complaints, "delivering again")].count(sink) == 1
    assert complaints.count(b"\n") == 4


def test_sinks_that_die_one_after_the_other_do_not_fill_the_memory(workplace: Workplace) -> None:
    """Invariant 4: each of them has other events in hand."""
    data = b"".join(numbered(0, 60_000))
    with ExitStack() as disks:
        sinks = []
        for number in range(6):
            disks.enter_context(tiny_disk(workplace.folder / f"d{number}", f"{500 * (number + 1)}k"))
            sinks += ["--sink", f"s{number}=file:d{number}/out?format=raw"]
        router = workplace.start_router(
            *sinks, "--sink", "all=file:all?format=raw", *spool_options(memory="1MiB", block_timeout="never")
        )
        feed(router, data)
        wait_until(lambda: len(data) == size_of(workplace.folder / "all"), "the living sink to get all")
        router.kill()
        router.wait()


@pytest.mark.parametrize("durability", ["disk", "memory"])
def test_what_is_not_delivered_in_time_is_kept_and_delivered_by_the_next_run(
    workplace: Workplace, durability: str
) -> None:
    """Invariants 3 and 6: exit 75, and where the events are; then each sink gets them once, but for what was on its
    way to stdout."""
    data = b"".join(numbered(0, 60_000))
    sinks = ("--sink", "full=file:full/out?format=raw", "--sink", "hung=stdout:?format=raw", "--sink", "all=file:all")
    with tiny_disk(workplace.folder / "full", "2m") as full:
        arguments = (*sinks, *spool_options(durability=durability, memory="1MiB"))
        router = workplace.start_router(*arguments, "--set", "shutdown_timeout=5s")
        feeding = feed(router, data)
        assert router.wait(TOO_LONG_SECONDS) == 75
        first, complaints = finish(router, feeding)
        undelivered = {event["sink"]: event for event in told(complaints, "not delivered")}
        assert set(undelivered) == {"full", "hung"}
        assert all(event["kept"] == "spool" for event in undelivered.values())
        assert "No space left on device" in undelivered["full"]["reason"]
        assert size_of(workplace.folder / "all") == len(data)

        remount(full, "size=64m")
        done = workplace.route(b"", *arguments)
        assert (done.returncode, done.stderr) == (0, b"")
        assert (full / "out").read_bytes() == data
        assert size_of(workplace.folder / "all") == len(data)
    again = len(first) + len(done.stdout) - len(data)
    assert data.startswith(first)
    assert data.endswith(done.stdout)
    assert 0 <= again <= MIB
    assert not os.listdir(workplace.folder / "spool" / "segments")


def test_by_the_clock_a_dead_sink_takes_no_more_than_the_timeout(workplace: Workplace) -> None:
    """From SIGTERM on, though the input is still open: 2 s, exit 75, and what was left is in the spool."""
    router = workplace.start_router(
        *("--sink", "dead=http+http://127.0.0.1:9/?retry.cap=1s", "--sink", "all=file:all?format=raw"),
        *spool_options(), "--set", "shutdown_timeout=2s",
    )  # fmt: skip
    lines = numbered(0, 1_000)
    pipe(router.stdin).write(b"".join(lines))
    wait_until(lambda: size_of(workplace.folder / "all") == len(b"".join(lines)), "the living sink to get all")
    began = time.monotonic()
    router.send_signal(signal.SIGTERM)
    others_had = wait_for_end(router)
    took = time.monotonic() - began

    assert router.returncode == 75
    assert 1.9 <= took <= 2.3 + others_had
    (undelivered,) = told(pipe(router.stderr).read(), "not delivered")
    assert (undelivered["sink"], undelivered["kept"]) == ("dead", "spool")
    done = workplace.command("spool", "export", "--directory", "spool", "--sink", "dead", "--raw")
    assert done.stdout.splitlines(keepends=True) == lines


# ── full ──────────────────────────────────────────────────────────────────────────────────────────────


def assert_oldest_missing(written: list[bytes], count: int) -> dict[str, Any]:
    """One run of events is missing, as the notice in its place says; it is given."""
    (place,) = (place for place, line in enumerate(written) if is_notice(line))
    notice: dict[str, Any] = json.loads(written[place])
    before, behind = numbers_of(written[:place]), numbers_of(written[place + 1 :])
    missing = notice["logrouter.discarded"]
    assert before == [*range(len(before))]  # what was in hand is sent
    assert behind == [*range(len(before) + missing, count)]
    return notice


def test_a_full_spool_costs_the_dead_sinks_their_oldest_events_only(workplace: Workplace, port: int) -> None:
    """Invariants 3 and 4: what is discarded is a run of the oldest, counted, and told at the gap where a format can
    hold that."""
    lines = numbered(0, 150_000)
    data = b"".join(lines)
    with tiny_disk(workplace.folder / "full", "1m") as full:
        fill(full)
        router = workplace.start_router(
            *("--sink", "told=file:full/told", "--sink", "raw=file:full/raw?format=raw", "--sink", "all=file:all"),
            *spool_options(max_size="16MiB", memory="2MiB", when_full="discard_oldest"),
            *("--set", f"admin.listen=127.0.0.1:{port}"),
        )
        wait_for_port(port)
        feeding = feed_open(router, data)
        wait_until(lambda: size_of(workplace.folder / "all") == len(data), "the living sink to get all")
        assert used(workplace.folder / "spool" / "segments") <= 16 * MIB
        remount(full, "size=256m")
        wait_until(lambda: not waiting(port), "all to be delivered")
        sinks = status(port)["sinks"]
        _, complaints = end(router, feeding)
        written, raw = ((full / name).read_bytes().splitlines(keepends=True) for name in ("told", "raw"))

    assert router.returncode == 74
    notice = assert_oldest_missing(written, len(lines))
    missing = notice["logrouter.discarded"]
    assert notice["logrouter.reason"] == "spool_full"
    assert sum(map(len, written)) > 13 * MIB  # no more was discarded than had to be, by segments of 1 MiB
    assert numbers_of(raw) == sorted(set(numbers_of(raw)))
    assert (workplace.folder / "all").read_bytes() == data
    for name, ledger in sinks.items():
        assert ledger["read"] == settled(ledger) == len(lines), name
        assert ledger["discarded"] == ({} if name == "all" else {"spool_full": len(lines) - ledger["delivered"]})
    assert sinks["told"]["discarded"] == {"spool_full": missing}
    assert sinks["raw"]["delivered"] == len(raw)
    said = told(complaints, "events discarded")
    assert {event["sink"]: event["events"] for event in said} == {
        name: sinks[name]["discarded"]["spool_full"] for name in ("told", "raw")
    }
    assert {event["sink"] for event in told(complaints, "the spool is full: the oldest events are discarded")} == {
        *("told", "raw")
    }


def test_a_full_spool_blocks_a_live_source_for_block_timeout_and_then_discards(workplace: Workplace, port: int) -> None:
    """Invariant 4: `block`, the default. The living sink loses nothing."""
    lines = numbered(0, 120_000)
    data = b"".join(lines)
    with tiny_disk(workplace.folder / "full", "1m") as full:
        fill(full)
        router = workplace.start_router(
            *("--sink", "told=file:full/told", "--sink", "all=file:all"),
            *spool_options(max_size="16MiB", memory="2MiB", block_timeout="4s"),
            *("--set", f"admin.listen=127.0.0.1:{port}"),
        )
        wait_for_port(port)
        started = time.monotonic()
        feeding = feed_open(router, data)
        wait_until(lambda: size_of(workplace.folder / "all") > 14 * MIB, "the spool to be full")
        wait_until(lambda: status(port)["sinks"]["told"]["discarded"], "the first to be discarded")
        assert time.monotonic() - started > 4.0
        wait_until(lambda: size_of(workplace.folder / "all") == len(data), "the living sink to get all")
        assert 4.0 <= status(port)["spool"]["blocked_seconds"] < 8.0  # it waited once
        remount(full, "size=256m")
        wait_until(lambda: not waiting(port), "all to be delivered")
        ledger = status(port)["sinks"]["told"]
        end(router, feeding)
        notice = assert_oldest_missing((full / "told").read_bytes().splitlines(keepends=True), len(lines))
    assert router.returncode == 74
    assert ledger["discarded"] == {"spool_full": notice["logrouter.discarded"]}
    assert ledger["read"] == settled(ledger)
    assert (workplace.folder / "all").read_bytes() == data


def test_a_smaller_max_size_throws_nothing_away(workplace: Workplace) -> None:
    """Invariant 3: what is there already is read on; new events wait until there is room."""
    lines = numbered(0, 200_000)
    data = b"".join(lines)
    sinks = ("--sink", "full=file:full/out", "--sink", "all=file:all")
    with tiny_disk(workplace.folder / "full", "1m") as full:
        fill(full)
        router = workplace.start_router(*sinks, *spool_options(max_size="64MiB"), "--set", "shutdown_timeout=1s")
        feeding = feed(router, data)
        finish(router, feeding)
        assert router.returncode == 75
        remount(full, "size=256m")
        later = numbered(200_000, 201_000)
        done = workplace.route(b"".join(later), *sinks, *spool_options(max_size="16MiB"))
        assert (done.returncode, done.stderr) == (0, b"")
        assert (full / "out").read_bytes() == data + b"".join(later)


def test_small_events_find_room_too_where_only_large_ones_could_be_discarded(workplace: Workplace) -> None:
    """Invariant 4, for `memory` with a folder: what has to leave the memory does not fit the disk, what comes would."""
    large, small = numbered(0, 358, width=60_000), numbered(358, 500, width=6_000)
    with tiny_disk(workplace.folder / "full", "1m") as full:
        fill(full)
        router = workplace.start_router(
            *("--sink", "dead=file:full/out", "--sink", "all=file:all"),
            *spool_options(durability="memory", max_size="16MiB", memory="1MiB", block_timeout="200ms"),
            *("--set", "shutdown_timeout=200ms"),
        )
        feed_open(router, b"".join(large)).join(TOO_LONG_SECONDS)
        for line in small:  # each a chunk of its own
            pipe(router.stdin).write(line)
            time.sleep(0.025)
        wait_until(lambda: len(workplace.lines("all")) == 500, "the living sink to get all")
        router.communicate(timeout=TOO_LONG_SECONDS)
    assert router.returncode == 75
    assert workplace.lines("all") == [*large, *small]


# ── the spool's own disk ──────────────────────────────────────────────────────────────────────────────


BY_MEMORY = "the spool: events are in memory alone until it can be written"


@pytest.mark.parametrize(
    ("durability", "block_timeout", "by_memory"), [("disk", "never", []), ("sync", "500ms", [BY_MEMORY])]
)
def test_a_full_disk_under_the_spool_stops_no_sink(
    workplace: Workplace, durability: str, block_timeout: str, by_memory: list[str], port: int
) -> None:
    """Invariants 3 and 4: each read waits until the sinks have settled the one before. With `sync`, where they may not
    have what is not on the disk, the source waits once for block_timeout, then events flow by memory. It is said when
    it begins and when it ends."""
    lines = numbered(0, 60_000)
    data = b"".join(lines)
    with tiny_disk(workplace.folder / "spool", "8m") as spool:
        router = workplace.start_router(
            *("--sink", "a=file:a", "--sink", "b=file:b"),
            *spool_options(durability=durability, block_timeout=block_timeout),
            *("--set", f"admin.listen=127.0.0.1:{port}"),
        )
        wait_for_port(port)
        ballast = fill(spool)
        feeding = feed_open(router, data)
        wait_until(lambda: size_of(workplace.folder / "a") == size_of(workplace.folder / "b") == len(data), "all")
        assert "No space left" in status(port)["spool"]["trouble"]
        ballast.unlink()
        feeding.join()
        pipe(router.stdin).write(lines[0])
        wait_until(lambda: not status(port)["spool"]["trouble"], "the spool to be well")
        ledgers = status(port)["sinks"]
        _, complaints = end(router, feeding)
    assert router.returncode == 0
    assert all(ledger["read"] == settled(ledger) for ledger in ledgers.values())
    assert (workplace.folder / "a").read_bytes() == (workplace.folder / "b").read_bytes() == data + lines[0]
    assert [json.loads(line)["message"] for line in complaints.splitlines()] == [
        "the spool: cannot write",
        *by_memory,
        "the spool: can write again",
    ]


def test_a_full_disk_under_the_spool_and_a_dead_sink(workplace: Workplace) -> None:
    """Invariants 3, 4 and 9: the living sink gets all, run after run; the dead one loses what neither the disk nor the
    memory could keep, and each event of it is told in its place, once."""
    lines = numbered(0, 120_000)
    arguments = (
        *("--sink", "a=file:a", "--sink", "dead=file:full/out"),
        *spool_options(memory="1MiB", block_timeout="500ms"),
        *("--set", "shutdown_timeout=5s"),
    )
    with tiny_disk(workplace.folder / "spool", "8m"), tiny_disk(workplace.folder / "full", "1m") as full:
        first = workplace.route(b"".join(lines[:100_000]), *arguments)
        second = workplace.route(b"".join(lines[100_000:]), *arguments)
        assert (first.returncode, second.returncode) == (75, 75)
        for done in (first, second):
            (undelivered,) = told(done.stderr, "not delivered")
            (unkept,) = told(done.stderr, "the spool: what is left in memory cannot be kept")
            assert min(undelivered["events"], unkept["events"]) > 0
        remount(full, "size=64m")
        third = workplace.route(b"", *arguments)
        written = (full / "out").read_bytes().splitlines(keepends=True)
    assert third.returncode == 0, "those that could not be kept are lost to the runs that could not keep them"
    assert numbers_of(workplace.lines("a")) == [*range(120_000)]
    assert accounted(written) == 120_000


def test_too_few_descriptors_are_shared(workplace: Workplace) -> None:
    """Invariant 4: a sink with a hundred files leaves some to the spool and to the other sink."""
    data = b"".join(b'{"n":%d,"user":"u%d"}\n' % (n, n % 100) for n in range(20_000))
    limited = ("bash", "-c", 'ulimit -n 24; exec "$@"', "bash", *LOGROUTER)
    router = workplace.start(
        [*limited, "--sink", "all=file:all", "--sink", "users=file:users/{user}", *spool_options()],
        **PIPES,
    )
    router.communicate(data, timeout=TOO_LONG_SECONDS)
    assert router.returncode == 0
    assert (workplace.folder / "all").read_bytes() == data
    for user in range(100):
        assert workplace.lines(f"users/u{user}") == data.splitlines(keepends=True)[user::100]


def test_a_disk_that_cannot_sync_stops_no_sink(workplace: Workplace, port: int) -> None:
    """Invariants 1 and 4: with `sync` the source waits for block_timeout, once, and that is said. Nothing is lost."""
    program = (
        "import errno, os, sys\n"
        "from logrouter.runtime.spool.store import Store\n"
        "sync_segment = Store._sync_segment\n"
        "def fail(*arguments):\n"
        "    if os.path.exists('broken'):\n"
        "        raise OSError(errno.EIO, os.strerror(errno.EIO))\n"
        "    sync_segment(*arguments)\n"
        "Store._sync_segment = fail\n"
        "from logrouter.__main__ import main\n"
        "sys.exit(main())\n"
    )
    lines = numbered(0, 60_000)
    data = b"".join(lines)
    router = workplace.start(
        [
            *(sys.executable, "-c", program, "--sink", "all=file:all"),
            *("--set", f"admin.listen=127.0.0.1:{port}"),
            *spool_options(durability="sync", block_timeout="500ms"),
        ],
        **PIPES,
    )
    wait_for_port(port)
    broken = workplace.folder / "broken"
    broken.touch()
    feeding = feed_open(router, data)
    wait_until(lambda: size_of(workplace.folder / "all") == len(data), "the sink to get all")
    assert status(port)["spool"]["trouble"] == "cannot sync: Input/output error"
    broken.unlink()
    wait_until(lambda: not status(port)["spool"]["trouble"], "the spool to be well")
    _, complaints = end(router, feeding)
    assert router.returncode == 0
    assert (workplace.folder / "all").read_bytes() == data
    assert [json.loads(line)["message"] for line in complaints.splitlines()] == [
        "the spool: cannot sync",
        "the spool: events are in memory alone until it can be written",
        "the spool: can sync again",
    ]


# ── the folder ────────────────────────────────────────────────────────────────────────────────────────

TO_FILE = ("--sink", "all=file:all", *spool_options())


def refused(workplace: Workplace, *arguments: str, user: str | None = None) -> str:
    """What `logrouter` says when it does not start; `check`, when it finds that too, says the same."""
    prefix = ["setpriv", f"--reuid={user}", "--clear-groups"] if user else []
    said = []
    for command in ((), ("check",)):
        process = workplace.start(
            [*prefix, *LOGROUTER, *command, *arguments],
            **PIPES,
        )
        _, complaints = process.communicate(b"x\n", timeout=TOO_LONG_SECONDS)
        said.append((process.returncode, complaints.decode()))
    (code, complaint), checked = said
    assert code in (69, 78), complaint
    assert "Traceback" not in complaint
    assert complaint.count("\n") == 1
    if code == 78:
        assert checked == (78, complaint)
    return complaint


def test_a_folder_on_a_read_only_disk_is_named_before_the_start(workplace: Workplace) -> None:
    """Invariant 9 holds for what can be mended by waiting only: this is the operator's to mend."""
    with tiny_disk(workplace.folder / "spool", "8m") as spool:
        assert workplace.route(b"x\n", *TO_FILE).returncode == 0
        remount(spool, "ro")
        assert "the folder spool may not be written (a read-only file system)" in refused(workplace, *TO_FILE)
    assert workplace.lines("all") == [b'{"message":"x"}\n']


def test_a_folder_of_another_user_is_refused(workplace: Workplace) -> None:
    """Invariant 10: its owner could read the events."""
    as_daemon = ["setpriv", "--reuid=daemon", "--clear-groups", *LOGROUTER, "--version"]
    if b"logrouter" not in workplace.start(as_daemon, **PIPES).communicate(timeout=TOO_LONG_SECONDS)[0]:
        missing("another user cannot run this clone")
    for folder in (workplace.folder, *workplace.folder.parents[:2]):
        folder.chmod(0o755)
    spool = workplace.folder / "spool"
    spool.mkdir()
    shutil.chown(spool, "nobody")
    spool.chmod(0o777)
    to_stdout = ("--sink", "all=stdout:", *spool_options())
    assert "spool belongs to another user" in refused(workplace, *to_stdout, user="daemon")
    spool.chmod(0o700)
    assert "may not be written" in refused(workplace, *to_stdout, user="daemon")
    assert list(spool.iterdir()) == []


def test_what_another_user_has_left_in_the_folder_is_named_before_the_start(workplace: Workplace) -> None:
    """It was started as root once, perhaps by hand; the service has a user of its own."""
    as_daemon = ["setpriv", "--reuid=daemon", "--clear-groups", *LOGROUTER, "--version"]
    if b"logrouter" not in workplace.start(as_daemon, **PIPES).communicate(timeout=TOO_LONG_SECONDS)[0]:
        missing("another user cannot run this clone")
    assert workplace.route(b"x\n", *TO_FILE).returncode == 0
    for folder in (workplace.folder, *workplace.folder.parents[:2]):
        folder.chmod(0o755)
    spool = workplace.folder / "spool"
    (spool / "lost+found").mkdir(mode=0o700)  # which every file system of its own has
    to_stdout = ("--sink", "all=stdout:", *spool_options())
    shutil.chown(spool, "daemon")
    assert "spool/lock may not be read and written: it is of user 0" in refused(workplace, *to_stdout, user="daemon")
    for name in ("lock", "spool.json", "segments", "cursors"):
        shutil.chown(spool / name, "daemon")
    complaint = refused(workplace, *to_stdout, user="daemon")
    assert "spool/cursors/all." in complaint
    assert "(chown -R 1 spool)" in complaint
    for cursor in (spool / "cursors").iterdir():
        shutil.chown(cursor, "daemon")
    for segment in (spool / "segments").iterdir():
        shutil.chown(segment, "daemon")
    as_daemon = ["setpriv", "--reuid=daemon", "--clear-groups", *LOGROUTER, "check", *to_stdout]
    process = workplace.start(as_daemon, **PIPES)
    process.communicate(timeout=TOO_LONG_SECONDS)
    assert process.returncode == 0


def test_a_folder_in_use_is_refused_with_the_id_of_the_process(workplace: Workplace) -> None:
    router = workplace.start_router(*TO_FILE)
    pipe(router.stdin).write(b"first\n")
    workplace.wait_for_line("all")
    assert f"spool is in use by process {router.pid}; each process needs its own" in refused(workplace, *TO_FILE)
    assert router.communicate(timeout=TOO_LONG_SECONDS) == (b"", b"")
    assert workplace.route(b"second\n", *TO_FILE).returncode == 0
    assert len(workplace.lines("all")) == 2


def test_what_a_newer_logrouter_has_written_is_refused(workplace: Workplace) -> None:
    keep = ("--set", "spool.keep=1h")
    assert workplace.route(b"x\n", *TO_FILE, *keep).returncode == 0
    (segment,) = (workplace.folder / "spool" / "segments").iterdir()
    data = segment.read_bytes()
    make_newer(segment, 9)
    said = refused(workplace, *TO_FILE)
    assert "000000000001.segment" in said
    assert "version 9" in said
    segment.write_bytes(data)
    marker = workplace.folder / "spool" / "spool.json"
    marker.write_text('{"version": 3, "machine": ""}')
    assert "spool was written by a newer logrouter (format 3); this one knows format 2" in refused(workplace, *TO_FILE)
    assert segment.read_bytes() == data


def test_what_an_older_logrouter_has_written_is_read_on(workplace: Workplace) -> None:
    """N-1. From then on the folder is of this version, so that the older program does not take it for its own."""
    assert workplace.route(b"first\n", *TO_FILE).returncode == 0
    write_version_1(workplace.folder / "spool" / "segments" / "000000000009.segment", numbered_chunk(1))
    marker = workplace.folder / "spool" / "spool.json"
    marker.write_text('{"version": 1, "machine": ""}')
    done = workplace.route(b"last\n", *TO_FILE)
    assert (done.returncode, done.stderr) == (0, b"")
    found = [json.loads(line) for line in workplace.lines("all")]
    assert found == [{"message": "first"}, *({"n": n} for n in range(1, 6)), {"message": "last"}]
    assert json.loads(marker.read_bytes())["version"] == 2


def test_a_copied_folder_is_warned_of_once(workplace: Workplace) -> None:
    assert workplace.route(b"x\n", *TO_FILE).returncode == 0
    marker = workplace.folder / "spool" / "spool.json"
    marker.write_text('{"version": 1, "machine": "0123456789abcdef0123456789abcdef"}')
    done = workplace.route(b"y\n", *TO_FILE)
    machine = Path("/etc/machine-id").exists()
    assert done.returncode == 0
    assert done.stderr.count(b"the spool was written on another machine") == machine
    assert workplace.route(b"z\n", *TO_FILE).stderr == b""
    assert len(workplace.lines("all")) == 3


def test_the_folder_is_private_and_what_else_is_there_is_left_alone(workplace: Workplace) -> None:
    """Invariant 10."""
    spool = workplace.folder / "spool"
    foreign = [spool / name for name in ("segments/notes.txt", "segments/1.segment", "cursors/gone.0", "notes.txt")]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("foreign\n")
    done = workplace.route(b"x\n", *TO_FILE, "--set", "spool.keep=1h")
    assert (done.returncode, done.stderr) == (0, b"")
    assert all(path.read_text() == "foreign\n" for path in foreign)
    shutil.rmtree(spool)
    assert workplace.route(b"x\n", *TO_FILE, "--set", "spool.keep=1h").returncode == 0
    found = [spool, *spool.rglob("*")]
    assert len(found) == 8
    for path in found:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_clock_that_jumps_back_changes_nothing(workplace: Workplace) -> None:
    """Sequences order the log, not times."""
    program = (
        "import itertools, sys, time\n"
        "times = itertools.count(1_800_000_000_000_000_000, -3_600_000_000_000)\n"
        "time.time_ns = lambda: next(times)\n"
        "time.time = lambda: next(times) / 1e9\n"
        "from logrouter.__main__ import main\n"
        "sys.exit(main())\n"
    )
    lines = numbered(0, 20_000)
    arguments = ("--sink", "all=file:all", *spool_options(max_size="16MiB", memory="1MiB", keep="1h"))
    for part in (lines[:10_000], lines[10_000:]):
        router = workplace.start(
            [sys.executable, "-c", program, *arguments],
            **PIPES,
        )
        output = router.communicate(b"".join(part), timeout=TOO_LONG_SECONDS)
        assert (router.returncode, *output) == (0, b"", b"")
    assert workplace.lines("all") == lines


# ── damage ────────────────────────────────────────────────────────────────────────────────────────────


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0x10]))


def _halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _zero(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(200_000)
        file.write(bytes(300_000))


def _behead(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(16))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: list[Callable[[Path], None]] = [_flip, _halve, _zero, _behead, _empty, Path.unlink]


@pytest.mark.parametrize("which", [[3], [0, 1, 5, -1]], ids=["one", "four"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_damaged_segment_costs_its_own_events_which_are_counted(
    workplace: Workplace, port: int, damage: Callable[[Path], None], which: list[int]
) -> None:
    """Invariants 3 and 9: the start does not fail, the gap is told where it is, and all else is there once.

    A header is no event's: what stands behind it is read.
    """
    lines = numbered(0, 40_000)
    arguments = (
        *("--sink", "dead=file:full/out", "--sink", "all=file:all"),
        *spool_options(max_size="16MiB"),
    )
    with tiny_disk(workplace.folder / "full", "1m") as full:
        fill(full)
        quick = ("--set", "shutdown_timeout=200ms", "--set", f"admin.listen=127.0.0.1:{port}")
        router = workplace.start_router(*arguments, *quick)
        wait_for_port(port)
        pipe(router.stdin).write(b"".join(lines))
        wait_until(lambda: status(port)["sinks"]["all"]["delivered"] == len(lines), "the living sink to get all")
        router.communicate(timeout=TOO_LONG_SECONDS)
        assert router.returncode == 75
        segments = sorted((workplace.folder / "spool" / "segments").iterdir())
        assert len(segments) == 7
        for number in which:
            damage(segments[number])
        remount(full, "size=64m")
        later = numbered(40_000, 41_000)
        done = workplace.route(b"".join(later), *arguments)
        again = workplace.route(b"", *arguments)
        written = (full / "out").read_bytes().splitlines(keepends=True)
    costs_events = damage is not _behead
    assert done.returncode == (74 if costs_events else 0)
    assert accounted(written) == 41_000
    assert any(map(is_notice, written)) == costs_events
    assert {event["sink"] for event in told(done.stderr, "events lost")} == ({"dead"} if costs_events else set())
    assert numbers_of(workplace.lines("all")) == [*range(41_000)]
    assert (again.returncode, again.stderr) == (0, b"")


@pytest.mark.parametrize("gone", ["all.0", "all.1", "all.*"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_damaged_cursor_costs_no_event(workplace: Workplace, damage: Callable[[Path], None], gone: str) -> None:
    """Invariant 9. At worst a sink gets again what is kept; where no cursor is there it is a new sink."""
    arguments = ("--sink", "all=file:all", *spool_options(keep="1h"))
    first, later = numbered(0, 1000), numbered(1000, 1100)
    assert workplace.route(b"".join(first), *arguments).returncode == 0
    for path in (workplace.folder / "spool" / "cursors").glob(gone):
        damage(path)
    done = workplace.route(b"".join(later), *arguments)
    assert done.returncode == 0
    numbers = numbers_of(workplace.lines("all"))
    assert numbers in ([*range(1100)], [*range(1000), *range(1100)])
    if numbers != [*range(1100)]:
        assert b"a cursor cannot be read: the sink begins again with the oldest event that is kept" in done.stderr


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────

SECRETS = (b"ann.secret@example.com", b"hunter2hunter2", b"5105105105105100", b"never-to-be-kept")
STEPS = """
- discard: {when: path == "/never-to-be-kept"}
- redact: {fields: [password], patterns: [email, card]}
"""


def test_what_steps_take_out_never_touches_the_disk(workplace: Workplace) -> None:
    """Invariant 10: not in segments, cursors or files, after a kill, an end in time and one that was not."""
    kinds = [
        b'{"n":%d,"user":{"mail":"ann.secret@example.com"},"password":"hunter2hunter2"}\n',
        b"line %d, sent to ann.secret@example.com, paid with 5105 1051 0510 5100 or 5105105105105100\n",
        b'{"n":%d,"password":{"old":["hunter2hunter2"]},"ann.secret@example.com":1,"card":5105105105105100}\n',
        b'{"n":%d,"path":"/never-to-be-kept","text":"ann.secret@example.com"}\n',
        b'{"n":%d,"broken":"ann.secret@example.com", "password":"hunter2hunter2 5105105105105100\n',
    ]
    data = b"".join(kinds[n % len(kinds)] % n for n in range(20_000))
    assert all(secret in data for secret in SECRETS)
    arguments = (
        *("--sink", "hung=stdout:?format=raw", "--sink", "all=file:all", "--sink", "packed=file:packed.gz"),
        *spool_options(memory="1MiB", keep="1h"),
        *("--set", "admin.listen=127.0.0.1:0"),
    )
    environment = {"LOGROUTER_STEPS": STEPS}
    told_by = []
    for ending in ("killed", "stopped", "drained"):
        timeout = "25s" if ending == "drained" else "500ms"
        router = workplace.start_router(*arguments, "--set", f"shutdown_timeout={timeout}", environment=environment)
        if ending == "drained":
            output, complaints = router.communicate(data, timeout=TOO_LONG_SECONDS)
            assert router.returncode == 0
        else:
            feeding = feed(router, data)
            feeding.join(TOO_LONG_SECONDS)
            if ending == "killed":
                router.kill()
            assert router.wait(TOO_LONG_SECONDS) == (75 if ending == "stopped" else -9)
            output, complaints = finish(router, feeding)
        told_by += [output, complaints]
        files = [path for path in workplace.folder.rglob("*") if path.is_file()]
        if ending == "killed":
            files.remove(workplace.folder / "packed.gz")  # its last member may be cut
        assert len(list((workplace.folder / "spool" / "segments").iterdir())) >= 1
        kept = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in files]
        for secret in SECRETS:
            found = [path for path, text in zip(files, kept, strict=True) if secret in text]
            assert not found, (ending, secret)
            assert not any(secret in text for text in told_by), (ending, secret)
    assert any(b"[redacted" in text for text in kept)
