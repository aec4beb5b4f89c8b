"""Signals: what is sent to us the app gets, once; SIGTERM is the beginning of the end, within a time."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.processes import LOGROUTER, TOO_LONG_SECONDS, pipe, wait_for_end, wait_until
from tests.run.apps import SINKS, WAYS, Runner, children, wait_for_child

pytestmark = pytest.mark.slow

TELLS = """
import os, signal, sys, time
def tell(number, frame): print(number)
for number in signal.valid_signals() - {9, 19, signal.SIGCHLD}: signal.signal(number, tell)
print("ready")
while True: time.sleep(10)
"""
"""Tells each signal it gets."""
CATCHABLE = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD})


def test_every_signal_that_can_be_caught_reaches_the_app_once(runner: Runner) -> None:
    process = runner.start("pipe", TELLS, "--set", "shutdown_timeout=10m", "--set", "run.app_grace=9m")
    runner.wait_for("stdout", b"ready")
    for number in CATCHABLE:
        process.send_signal(number)
        runner.wait_for("stdout", b"%d" % number)
    os.kill(wait_for_child(process.pid, "app"), signal.SIGKILL)
    done = runner.finish(process)

    assert done.stdout == [b"ready", *(b"%d" % number for number in CATCHABLE)]
    assert done.code == 128 + signal.SIGKILL


def test_an_app_that_ends_by_sigterm_ends_all(runner: Runner, way: str) -> None:
    script = """
import signal, sys, time
def end(number, frame):
    print("the last line")
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("ready")
time.sleep(60)
"""
    process = runner.start(way, script)
    runner.wait_for("stdout", b"ready")
    process.send_signal(signal.SIGTERM)
    done = runner.finish(process)

    assert (done.code, done.stdout) == (7, [b"ready", b"the last line"])
    assert b"severity" not in done.complaints


def test_an_app_that_does_not_end_is_killed_after_its_grace_and_it_is_said(runner: Runner, way: str) -> None:
    process = runner.start(way, TELLS, "--set", "run.app_grace=500ms")
    runner.wait_for("stdout", b"ready")
    router = wait_for_child(process.pid, "router")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    others_had = wait_for_end(process, router)
    took = time.monotonic() - began
    done = runner.finish(process)

    assert 0.5 <= took < 5 + others_had
    assert (done.code, done.stdout) == (128 + signal.SIGKILL, [b"ready", b"%d" % signal.SIGTERM])
    assert done.complaints.count(b"the app has not ended in time, and is killed") == 1


def test_a_dead_sink_and_the_app_share_one_timeout(runner: Runner) -> None:
    """The app takes its grace, the router what is left: 2 s for both."""
    runner.workplace.add_environment({"LOGROUTER_SINK_DEAD": "http+http://127.0.0.1:9/?retry.cap=1s"})
    process = runner.start("spool", TELLS, "--set", "shutdown_timeout=2s")
    runner.wait_for("stdout", b"ready")
    router = wait_for_child(process.pid, "router")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    others_had = wait_for_end(process, router)
    took = time.monotonic() - began
    done = runner.finish(process)

    assert done.code == 128 + signal.SIGKILL
    assert 1.9 <= took <= 2.3 + others_had
    assert b'"not delivered"' in done.complaints
    listed = runner.workplace.command("spool", "ls", "--directory", "spool")
    assert b"dead" in listed.stdout


def test_a_source_that_waits_for_room_ends_in_time_too(runner: Runner) -> None:
    """The spool is full, and nobody makes room: what was captured and not read is told, and stays."""
    runner.workplace.add_environment({"LOGROUTER_SINK_DEAD": "http+http://127.0.0.1:9/?retry.cap=1s"})
    full = ["--set", "spool.max_size=16MiB", "--set", "spool.memory=1MiB", "--set", "spool.block_timeout=never"]
    process = runner.start("spool", ["yes", "x" * 1000], "--set", "shutdown_timeout=2s", *full)
    wait_until(lambda: runner.captured_bytes() > 2**25, "a backlog")
    process.send_signal(signal.SIGTERM)
    done = runner.finish(process)

    assert done.code == 128 + signal.SIGTERM
    assert b"is waited for no longer" not in done.complaints
    assert b"output of the app is left for the next run" in done.complaints


def test_before_the_app_is_there_it_need_not_come(runner: Runner) -> None:
    process = runner.start("pipe", ["sh", "-c", "echo started"])
    wait_for_child(process.pid, "router")
    process.send_signal(signal.SIGTERM)
    done = runner.finish(process)

    assert (done.code, done.stdout) in ((128 + signal.SIGTERM, []), (0, [b"started"]), (143, [b"started"]))


def test_whoever_asks_again_after_the_apps_end_is_not_kept_waiting(runner: Runner) -> None:
    runner.workplace.add_environment({"LOGROUTER_SINK_DEAD": "http+http://127.0.0.1:9/?retry.cap=1s"})
    process = runner.start("spool", ["echo", "hello"], "--set", "shutdown_timeout=10m")
    runner.wait_for("stdout", b"hello")
    wait_until(lambda: "app" not in running(process.pid), "the app's end")
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)

    assert runner.finish(process).code == 0


# ── in a terminal ─────────────────────────────────────────────────────────────────────────────────────


class Terminal:
    """`logrouter run` in a terminal of its own."""

    def __init__(self, runner: Runner, app: str, *shell: str) -> None:
        """`shell`: one that starts it, if there is one."""
        command = [*shell, *LOGROUTER, "run", *SINKS, *WAYS["pipe"], "--", sys.executable, "-u", "-c", app]
        self.ours, theirs = pty.openpty()
        self.process = runner.workplace.start(
            command, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=lead_terminal
        )
        os.close(theirs)

    def wait_for(self, text: bytes) -> None:
        """Until it shows this."""
        shown = b""
        while text not in shown:
            assert select.select([self.ours], [], [], TOO_LONG_SECONDS)[0], shown
            shown += os.read(self.ours, 1000)

    def end(self, supervisor: int) -> None:
        """Kill the app, and with it all."""
        os.kill(wait_for_child(supervisor, "app"), signal.SIGKILL)
        self.process.wait(TOO_LONG_SECONDS)
        os.close(self.ours)


def lead_terminal() -> None:
    """A session of its own, whose terminal is stdin."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


SHELL = ("sh", "-c", 'trap : INT QUIT; "$@"; wait', "sh")
SHELL_WITH_JOBS = ("sh", "-m", "-c", '"$@"; echo "the job is stopped"; fg %1', "sh")


@pytest.mark.parametrize("shell", [(), SHELL])
@pytest.mark.parametrize(("key", "number"), [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)])
def test_a_key_reaches_the_app_once_and_no_router(
    runner: Runner, shell: tuple[str, ...], key: bytes, number: int
) -> None:
    terminal = Terminal(runner, TELLS, *shell)
    runner.wait_for("stdout", b"ready")
    os.write(terminal.ours, key)
    runner.wait_for("stdout", b"%d" % number)
    os.write(terminal.ours, key)
    wait_until(lambda: runner.lines("stdout").count(b"%d" % number) >= 2, "the second")

    assert runner.lines("stdout") == [b"ready", b"%d" % number, b"%d" % number]
    terminal.end(child_of(terminal.process.pid) if shell else terminal.process.pid)


def test_ctrl_z_stops_the_job_for_its_shell_and_fg_goes_on(runner: Runner) -> None:
    terminal = Terminal(runner, "print('ready')\nfor line in open(0): print(line)", *SHELL_WITH_JOBS)
    runner.wait_for("stdout", b"ready")
    ours = child_of(terminal.process.pid)
    os.write(terminal.ours, b"\x1a")
    terminal.wait_for(b"the job is stopped")
    os.write(terminal.ours, b"and on\n")
    runner.wait_for("stdout", b"and on")
    terminal.end(ours)


def test_ctrl_z_where_nobody_would_go_on_stops_nobody(runner: Runner) -> None:
    """Without a shell the kernel does not stop the app (its process group is an orphan): nor do we stop."""
    terminal = Terminal(runner, "print('ready')\nfor line in open(0): print(line)")
    runner.wait_for("stdout", b"ready")
    os.write(terminal.ours, b"\x1a")
    os.write(terminal.ours, b"and on\n")
    runner.wait_for("stdout", b"and on")
    terminal.end(terminal.process.pid)


def test_an_app_that_others_have_stopped_and_let_go_on_catches_ctrl_z_alone(runner: Runner) -> None:
    terminal = Terminal(runner, TELLS, *SHELL_WITH_JOBS)
    runner.wait_for("stdout", b"ready")
    ours = child_of(terminal.process.pid)
    app = wait_for_child(ours, "app")
    os.kill(app, signal.SIGSTOP)
    wait_until(lambda: state_of(app) == "T", "the app to be stopped")
    os.kill(app, signal.SIGCONT)
    runner.wait_for("stdout", b"%d" % signal.SIGCONT)
    os.write(terminal.ours, b"\x1a")
    runner.wait_for("stdout", b"%d" % signal.SIGTSTP)
    os.kill(ours, signal.SIGUSR1)
    runner.wait_for("stdout", b"%d" % signal.SIGUSR1)  # nobody has stopped
    terminal.end(ours)


def test_hung_up_the_app_is_told(runner: Runner) -> None:
    """The leader of a terminal alone is told by the kernel: without a shell that is us."""
    terminal = Terminal(runner, TELLS)
    runner.wait_for("stdout", b"ready")
    os.close(terminal.ours)
    runner.wait_for("stdout", b"%d" % signal.SIGHUP)
    terminal.process.send_signal(signal.SIGTERM)
    os.kill(wait_for_child(terminal.process.pid, "app"), signal.SIGKILL)

    assert terminal.process.wait(TOO_LONG_SECONDS) == 128 + signal.SIGKILL


# ── as process 1 ──────────────────────────────────────────────────────────────────────────────────────


def test_as_process_1_it_reaps_whoever_is_left(runner: Runner, way: str) -> None:
    """`unshare --pid`: a namespace of processes, whose first we are."""
    script = """
import os, sys, time
for number in range(20):
    if os.fork() == 0:
        if os.fork() == 0: time.sleep(0.1)
        os._exit(0)
for _ in range(20): os.wait()
def left(): return sorted(filter(str.isdigit, os.listdir("/proc")), key=int)
until = time.monotonic() + 60
while len(left()) > 3 and time.monotonic() < until: time.sleep(0.05)
print(os.getppid(), len(left()))  # the supervisor, the router and this one; a zombie would be there still
"""
    command = ["unshare", "--pid", "--fork", "--mount-proc", *LOGROUTER, "run", *SINKS, *WAYS[way], "--"]
    process = runner.workplace.start(
        [*command, sys.executable, "-u", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    done = runner.finish(process)
    if b"Operation not permitted" in done.complaints:
        pytest.skip("no namespaces here")

    assert (done.code, done.stdout) == (0, [b"1 3"])


def test_as_process_1_it_ends_by_sigterm(runner: Runner) -> None:
    """For process 1 a signal without a handler does nothing: ours is not left to that, nor is the app's."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", *LOGROUTER, "run", *SINKS, *WAYS["pipe"], "--"]
    process = runner.workplace.start([*command, "sh", "-c", "echo ready; exec sleep 60"], stderr=subprocess.PIPE)
    wait_until(lambda: runner.lines("stdout") or process.poll() is not None, "the app")
    if process.poll() is not None and b"Operation not permitted" in pipe(process.stderr).read():
        pytest.skip("no namespaces here")
    os.kill(child_of(process.pid), signal.SIGTERM)

    assert process.wait(TOO_LONG_SECONDS) == 128 + signal.SIGTERM


def state_of(pid: int) -> str:
    """As ps shows it: R, S, T …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def child_of(pid: int) -> int:
    """Its only child."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def running(pid: int) -> set[str]:
    """Which of its children there are: `app`, `router`."""
    return set(children(pid))
