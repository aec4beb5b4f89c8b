"""What goes wrong around an app: a wrong config, no reader, processes left behind, capture files in other hands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.disks import fill, tiny_disk
from tests.e2e.processes import LOGROUTER, TOO_LONG_SECONDS, pipe, spool_options, wait_for_end, wait_until
from tests.run.apps import SINKS, WAYS, Runner, children, wait_for_child

pytestmark = pytest.mark.slow

ECHO = "for line in open(0): print(line.strip(), flush=True)"


def say(process: subprocess.Popen[bytes], line: bytes) -> None:
    """Let the app `ECHO` write a line."""
    pipe(process.stdin).write(line)


def end(process: subprocess.Popen[bytes]) -> None:
    """End its stdin."""
    pipe(process.stdin).close()
    process.stdin = None


# ── it does not start ─────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_config_refuses_the_app(runner: Runner) -> None:
    done = runner.run("pipe", ["touch", "started"], "--set", "spool.memory=lots")

    assert done.code == 78
    assert b"--set spool.memory=" in done.complaints
    assert not (runner.folder / "started").exists()


@pytest.mark.parametrize("said_by", ["flag", "variable"])
def test_or_lets_it_run_as_if_we_were_not_there(runner: Runner, said_by: str) -> None:
    if said_by == "variable":
        runner.workplace.add_environment({"LOGROUTER_RUN__ON_CONFIG_ERROR": "passthrough"})
    flags = ["--on-config-error", "passthrough"] if said_by == "flag" else []
    done = runner.run("pipe", ["sh", "-c", "echo hello; exit 3"], "--set", "spool.memory=lots", *flags)

    assert (done.code, done.output, done.stdout) == (3, b"hello\n", [])
    assert b"--set spool.memory=" in done.complaints
    assert b"the app runs without it" in done.complaints


def test_a_router_that_is_killed_before_it_is_ready_is_told(runner: Runner) -> None:
    """By an out-of-memory killer, say: it can tell nothing itself."""
    process = runner.start("pipe", ["touch", "started"])
    os.kill(wait_for_child(process.pid, "router"), signal.SIGKILL)
    done = runner.finish(process)

    assert done.code == 128 + signal.SIGKILL
    assert b"the router has died before it was ready: the app is not started" in done.complaints
    assert not (runner.folder / "started").exists()


def test_a_spool_that_another_uses_refuses_too(runner: Runner) -> None:
    first = runner.start("spool", ECHO)
    say(first, b"hello\n")
    runner.wait_for("stdout", b"hello")
    second = runner.workplace.start_router("run", *SINKS, *WAYS["spool"], "--", "touch", "started")
    done = runner.finish(second)
    end(first)

    assert done.code == 69
    assert b"is in use by process" in done.complaints
    assert not (runner.folder / "started").exists()
    assert runner.finish(first).code == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], b"no command to run"),
        (["--"], b"no command to run"),
        (["gunicorn", "app:app"], b"write -- before the command: logrouter run -- gunicorn app:app"),
        (["--nosuch", "--", "true"], b"unrecognized arguments: --nosuch"),
        (["--capture", "tape", "--", "true"], b"invalid choice: 'tape'"),
    ],
)
def test_wrong_usage(runner: Runner, arguments: list[str], complaint: bytes) -> None:
    done = runner.workplace.command("run", *arguments)

    assert done.returncode == 2
    assert complaint in done.stderr


def test_a_source_run_is_of_no_use_without_an_app(runner: Runner) -> None:
    done = runner.workplace.command("--set", "sources.app.type=run")

    assert done.returncode == 69
    assert b"logrouter run -- COMMAND" in done.stderr


# ── who reads us, and whom we read ────────────────────────────────────────────────────────────────────


def test_inside_a_pipe(runner: Runner) -> None:
    """`echo … | logrouter run -- cat | cat`: it is a filter, with the app's own output unchanged."""
    line = f"printf 'one\\ntwo' | {' '.join(LOGROUTER)} run --sink out=file:stdout?format=raw -- cat | cat"
    done = subprocess.run(["sh", "-c", line], cwd=runner.folder, capture_output=True, timeout=TOO_LONG_SECONDS)

    assert (done.stdout, done.stderr) == (b"one\ntwo", b"")
    assert runner.lines("stdout") == [b"one", b"two"]


def test_when_nobody_reads_the_only_sink_any_more_the_app_is_told(runner: Runner) -> None:
    """As `yes | head` ends: by SIGPIPE."""
    line = f"{{ {' '.join(LOGROUTER)} run -- yes; echo $? >code; }} | head -n 1"
    done = subprocess.run(["sh", "-c", line], cwd=runner.folder, capture_output=True, timeout=TOO_LONG_SECONDS)

    assert done.stdout == b'{"message":"y"}\n'
    assert (runner.folder / "code").read_text() == f"{128 + signal.SIGPIPE}\n"


def test_when_nobody_reads_the_tee_any_more_the_rest_goes_on(runner: Runner, way: str) -> None:
    process = runner.start(way, "import os\nfor n in range(50_000): os.write(1, b'%d\\n' % n)", "--tee")
    pipe(process.stdout).read(10)
    pipe(process.stdout).close()
    process.stdout = None
    done = runner.finish(process)

    assert (done.code, done.stdout) == (0, [b"%d" % n for n in range(50_000)])


def test_a_tee_that_is_read_slowly_is_whole(runner: Runner, way: str) -> None:
    process = runner.start(way, "import os\nfor n in range(300): os.write(1, b'%04d' % n * 2500 + b'\\n')", "--tee")
    output = b""
    while part := os.read(pipe(process.stdout).fileno(), 30_000):
        output += part
        time.sleep(0.002)
    done = runner.finish(process)

    assert output.splitlines() == done.stdout == [b"%04d" % n * 2500 for n in range(300)]


def test_no_tee_where_something_is_redacted(runner: Runner) -> None:
    runner.workplace.add_environment({"LOGROUTER_STEPS": "[{redact: {patterns: [email]}}]"})
    process = runner.workplace.start_router("run", *SINKS, "--", "echo", "ann@example.org")
    done = runner.finish(process)

    assert done.output == b""
    assert b"ann" not in b"".join(done.stdout)


# ── whom the app leaves behind ────────────────────────────────────────────────────────────────────────


def test_who_still_holds_its_output_is_heard_until_quiet_and_it_is_said(runner: Runner, way: str) -> None:
    script = """
import os, time
if os.fork() == 0:
    os.setsid()
    open("pid", "w").write(str(os.getpid()))
    for number in range(5):
        time.sleep(0.02)
        os.write(1, b"left behind %d\\n" % number)
    time.sleep(600)
os.write(1, b"the app\\n")
"""
    done = runner.run(way, script)

    os.kill(int((runner.folder / "pid").read_text()), signal.SIGKILL)  # it lives still: nobody has waited for its end
    assert (done.code, done.stdout) == (0, [b"the app", *(b"left behind %d" % number for number in range(5))])
    assert b"left behind holds" in done.complaints


def test_who_never_is_quiet_is_heard_for_half_of_the_time(runner: Runner, way: str) -> None:
    done = runner.run(way, ["sh", "-c", "yes & echo $! >pid"], "--set", "shutdown_timeout=4s")
    took = time.time() - (runner.folder / "pid").stat().st_mtime  # since the app has ended
    with pytest.raises(ProcessLookupError):  # SIGPIPE has ended it
        wait_until(lambda: os.kill(int((runner.folder / "pid").read_text()), 0), "its end")

    assert took < 12
    assert done.code == 0
    assert b"left behind holds" in done.complaints
    assert done.stdout
    assert set(done.stdout) <= {b"y", b""}


def test_a_daemon_that_let_go_of_its_output_is_nobodys_concern(runner: Runner, way: str) -> None:
    done = runner.run(way, ["sh", "-c", "sleep 3 </dev/null >/dev/null 2>&1 & echo gone"])

    assert (done.code, done.stdout, done.complaints) == (0, [b"gone"], b"")


# ── capture files ─────────────────────────────────────────────────────────────────────────────────────


def test_a_dead_router_and_a_full_disk_limit_cost_the_oldest_and_it_is_told(runner: Runner) -> None:
    """1 MiB of capture files, 4 MiB of output, nobody to read: the app waits for 300ms, then the oldest goes."""
    config = runner.folder / "logrouter.yaml"
    config.write_text("log_level: warning\n")
    script = """
import os, sys
sys.stdin.readline()
for number in range(4096): os.write(1, b"%06d " % number + b"x" * 1016 + b"\\n")
open("written", "w").close()
sys.stdin.readline()
"""
    flags = ["--set", "run.capture_max_size=1MiB", "--set", "spool.block_timeout=300ms"]
    process = runner.start("spool", script, *flags)
    router = wait_for_child(process.pid, "router")
    wait_for_child(process.pid, "app")
    config.write_text("log_level: nonsense\n")
    os.kill(router, signal.SIGKILL)
    say(process, b"\n")
    wait_until(lambda: (runner.folder / "written").exists(), "the app to get rid of all")
    config.write_text("log_level: warning\n")
    end(process)
    done = runner.finish(process)

    numbers = [int(line[:6]) for line in done.stdout if len(line) == 1023]
    assert done.code == 0
    assert numbers == list(range(4096 - len(numbers), 4096))
    assert 512 <= len(numbers) <= 2048 + 1024
    assert b"the capture files take all the room they may: the app waits" in done.complaints
    assert b"output of the app is discarded before it was read" in done.complaints
    assert b"output of the app is lost" in done.complaints


def test_a_disk_that_takes_no_more_costs_output_and_stops_nobody(runner: Runner) -> None:
    """Under the spool and the capture files. The app waits for 300ms, and once the disk is well all goes on."""
    script = """
import os, sys
os.write(1, b"one\\n")
sys.stdin.readline()
for number in range(4096): os.write(1, b"%06d " % number + b"x" * 1016 + b"\\n")
open("written", "w").close()
sys.stdin.readline()
os.write(1, b"two\\n")
"""
    with tiny_disk(runner.folder / "spool", "64m") as disk:
        process = runner.start("spool", script, "--set", "spool.block_timeout=300ms")
        runner.wait_for("stdout", b"one")
        ballast = fill(disk)
        say(process, b"\n")
        wait_until(lambda: (runner.folder / "written").exists(), "the app to get rid of all")
        ballast.unlink()
        say(process, b"\n")
        done = runner.finish(process)
        left = runner.captured()

    numbers = [int(line[:6]) for line in done.stdout if len(line) == 1023]
    assert (done.code, left) == (0, [])
    assert numbers == sorted(set(numbers))
    assert (done.stdout[0], done.stdout[-1]) == (b"one", b"two")
    assert b"what the app writes cannot be captured" in done.complaints
    assert b"output of the app is discarded before it was read" in done.complaints
    assert b"has died" not in done.complaints


@pytest.mark.parametrize("act", ["truncate", "delete", "remove the folder"])
def test_a_capture_file_that_somebody_laid_hands_on(runner: Runner, act: str) -> None:
    """While the router is there nothing is lost by it: it has read what was there, and a new file is begun."""
    process = runner.start("spool", ECHO)
    say(process, b"one\n")
    runner.wait_for("stdout", b"one")
    folder = runner.folder / "spool" / "capture"
    (file,) = folder.iterdir()
    if act == "truncate":
        os.truncate(file, 0)
    else:
        file.unlink()
    if act == "remove the folder":
        folder.rmdir()
    say(process, b"two\n")
    runner.wait_for("stdout", b"two")
    end(process)
    done = runner.finish(process)

    assert (done.code, done.stdout, done.complaints) == (0, [b"one", b"two"], b"")


def test_what_was_captured_and_not_read_in_time_is_told_and_comes_with_the_next_run(runner: Runner) -> None:
    process = runner.start("spool", ECHO, "--set", "shutdown_timeout=1s")
    say(process, b"one\n")
    runner.wait_for("stdout", b"one")
    os.kill(wait_for_child(process.pid, "router"), signal.SIGSTOP)
    say(process, b"two\n")
    end(process)
    done = runner.finish(process)

    assert (done.code, done.stdout) == (0, [b"one"])
    assert b"the router has not ended in time" in done.complaints
    assert b"output of the app is left for the next run" in done.complaints
    assert runner.run("spool", ["echo", "three"]).stdout == [b"one", b"two", b"three"]
    assert runner.captured() == []


def test_what_a_run_could_not_deliver_the_next_does(runner: Runner) -> None:
    """Also of output that no router has seen: both were killed."""
    process = runner.start("spool", ECHO)
    say(process, b"one\n")
    runner.wait_for("stdout", b"one")
    supervisor, router = process.pid, wait_for_child(process.pid, "router")
    os.kill(router, signal.SIGSTOP)
    say(process, b"two\nunfinis")
    say(process, b"hed\n")
    captured = runner.folder / "spool" / "capture"
    wait_until(lambda: b"unfinished\n" in b"".join(p.read_bytes() for p in captured.iterdir()), "the capture")
    app = children(supervisor)["app"]
    os.kill(supervisor, signal.SIGKILL)
    os.kill(router, signal.SIGKILL)
    os.kill(app, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not os.path.exists(f"/proc/{router}"), "the router's end")  # and with it that of its lock

    done = runner.run("spool", ["echo", "three"])
    assert (done.code, done.stdout) == (0, [b"one", b"two", b"unfinished", b"three"])
    assert runner.captured() == []


def test_a_stream_that_was_silent_in_one_run_is_whole_in_the_next(runner: Runner) -> None:
    for script in ("echo a; echo one >&2", "echo b", "echo c; echo two >&2"):
        done = runner.run("spool", ["sh", "-c", script])
        assert (done.code, done.complaints, runner.captured()) == (0, b"", [])

    assert (runner.lines("stdout"), runner.lines("stderr")) == ([b"a", b"b", b"c"], [b"one", b"two"])


def test_what_is_all_left_out_is_not_left_for_the_next_run(runner: Runner) -> None:
    runner.workplace.add_environment({"LOGROUTER_STEPS": """[{discard: {when: 'message == "noise"'}}]"""})
    done = runner.run("spool", ["sh", "-c", "echo noise; echo noise >&2"])

    assert (done.code, done.stdout, done.complaints, runner.captured()) == (0, [], b"", [])


def test_capture_files_are_private(runner: Runner) -> None:
    process = runner.start("spool", "print('one', flush=True)\ninput()")
    runner.wait_for("stdout", b"one")
    folder = runner.folder / "spool" / "capture"
    modes = [oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())]
    end(process)
    runner.finish(process)

    assert modes == ["0o700", "0o600"]


# ── restraint ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_idle_supervisor_sleeps(runner: Runner, way: str) -> None:
    process = runner.start(way, ECHO)
    say(process, b"one\n")
    runner.wait_for("stdout", b"one")
    wait_until(lambda: woken_in_a_second(process.pid) <= 1, "it to come to rest")
    end(process)
    runner.finish(process)


def woken_in_a_second(pid: int) -> int:
    before = switches(pid)
    time.sleep(1.0)
    return switches(pid) - before


def switches(pid: int) -> int:
    """How often a process has waited (proc(5), voluntary_ctxt_switches)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary"))


def test_a_closed_stdout_of_ours_is_no_matter(runner: Runner) -> None:
    command = [*LOGROUTER, "run", *SINKS, *spool_options(), "--", sys.executable, "-c", "print('hello')"]
    process = runner.workplace.start(["sh", "-c", 'exec "$@" >&- 2>&- <&-', "sh", *command])

    assert process.wait(TOO_LONG_SECONDS) == 0
    assert runner.lines("stdout") == [b"hello"]


# ── reloads ───────────────────────────────────────────────────────────────────────────────────────────


def reload(runner: Runner, way: str) -> list[bytes]:
    """What has changed, once it has."""
    socket = "spool/control.sock" if way == "spool" else str(next((runner.folder / "run" / "logrouter").glob("*.sock")))
    done = runner.workplace.command("reload", "--socket", socket)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.splitlines()


def test_a_reload_is_the_routers_and_the_app_notices_nothing(runner: Runner, way: str) -> None:
    config = runner.folder / "logrouter.yaml"
    config.write_text("log_level: warning\n")
    runner.workplace.add_environment({"XDG_RUNTIME_DIR": str(runner.folder / "run")})
    process = runner.start(way, ECHO)
    say(process, b"one\n")
    runner.wait_for("stdout", b"one")
    config.write_text("sinks: {second: {url: 'file:second?format=raw'}}\n")
    assert reload(runner, way) == [b"sinks.second: added"]
    say(process, b"two\n")
    runner.wait_for("second", b"two")
    end(process)
    done = runner.finish(process)

    assert (done.code, done.stdout, runner.lines("second")) == (0, [b"one", b"two"], [b"two"])


def test_a_reload_that_is_wrong_is_refused_and_the_app_notices_nothing(runner: Runner) -> None:
    config = runner.folder / "logrouter.yaml"
    config.write_text("log_level: warning\n")
    process = runner.start("spool", ECHO)
    say(process, b"one\n")
    runner.wait_for("stdout", b"one")
    for wrong, told in (
        ("log_level: loud\n", b"log_level"),
        ("run: {app_grace: 1s}\n", b"run.app_grace: cannot change"),
    ):
        config.write_text(wrong)
        done = runner.workplace.command("reload", "--socket", "spool/control.sock")
        assert done.returncode == 78
        assert told in done.stderr
    say(process, b"two\n")
    runner.wait_for("stdout", b"two")
    end(process)
    done_by_then = runner.finish(process)

    assert (done_by_then.code, done_by_then.stdout) == (0, [b"one", b"two"])


def test_after_a_reload_its_times_are_the_apps_as_well(runner: Runner) -> None:
    """Who does not end is killed after the grace that the new `shutdown_timeout` leaves, and all ends within that."""
    config = runner.folder / "logrouter.yaml"
    config.write_text("shutdown_timeout: 60s\n")
    process = runner.start("spool", "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('one')\nsignal.pause()")
    runner.wait_for("stdout", b"one")
    config.write_text("shutdown_timeout: 2s\n")
    assert "shutdown_timeout: 1m → 2s".encode() in reload(runner, "spool")
    router = wait_for_child(process.pid, "router")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    others_had = wait_for_end(process, router)
    took = time.monotonic() - began
    done = runner.finish(process)

    assert (done.code, done.stdout) == (128 + signal.SIGKILL, [b"one"])
    assert 1.2 <= took < 5 + others_had
