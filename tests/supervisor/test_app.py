"""The app and its signals, without any process."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial

import pytest

from logrouter.supervisor import children
from logrouter.supervisor.app import STOP_SECONDS, App
from logrouter.supervisor.signals import Signal
from tests.e2e.processes import wait_until


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Process id and number of each signal that is sent."""
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    return signals


def running() -> App:
    app = App(["app"], set())
    app.pid = 42
    return app


def test_what_the_kernel_sent_to_the_whole_group_is_not_sent_again(sent: list[tuple[int, int]]) -> None:
    app = running()
    app.obey(Signal(signal.SIGINT, by_kernel=True), 0.0, 15.0)
    app.obey(Signal(signal.SIGINT, by_kernel=False), 0.0, 15.0)
    assert sent == [(42, signal.SIGINT)]


def test_it_is_killed_once_when_its_first_grace_is_over(sent: list[tuple[int, int]]) -> None:
    app = running()
    app.obey(Signal(signal.SIGTERM, by_kernel=False), 0.0, 15.0)
    app.obey(Signal(signal.SIGTERM, by_kernel=False), 10.0, 15.0)
    for now in (14.9, 15.0, 16.0):
        app.act(now)
    assert sent == [(42, signal.SIGTERM), (42, signal.SIGTERM), (42, signal.SIGKILL)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, None)])
def test_before_it_is_started_what_would_end_it_does(
    number: int, code: int | None, sent: list[tuple[int, int]]
) -> None:
    app = App(["app"], set())
    app.obey(Signal(number, by_kernel=False), 0.0, 15.0)
    assert (app.code, sent) == (code, [])


def test_one_that_has_become_another_users_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    running().obey(Signal(signal.SIGHUP, by_kernel=False), 0.0, 15.0)
    assert "takes no signals from us" in capfd.readouterr().err


class Stopped:
    """Whether the app is."""

    def __init__(self) -> None:
        self.now = False

    def __call__(self, pid: int) -> bool:
        assert pid == 42
        return self.now


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Stopped:
    stopped = Stopped()
    monkeypatch.setattr(children, "is_stopped", stopped)
    return stopped


CTRL_Z, WINDOW, GO_ON = (Signal(n, by_kernel=True) for n in (signal.SIGTSTP, signal.SIGWINCH, signal.SIGCONT))


def test_it_stops_us_only_where_both_were_asked_to(sent: list[tuple[int, int]], stopped: Stopped) -> None:
    app = running()
    stopped.now = True  # somebody has stopped it alone
    app.stop_beside_it(0.0)
    assert sent == []
    app.obey(CTRL_Z, 1.0, 15.0)
    app.stop_beside_it(1.0)
    app.stop_beside_it(2.0)
    assert sent == [(os.getpid(), signal.SIGSTOP)]


def test_what_is_seen_first_is_no_matter_nor_what_comes_between(sent: list[tuple[int, int]], stopped: Stopped) -> None:
    """Of a Ctrl-Z: that the app has stopped, or what stopped it."""
    app = running()
    app.obey(WINDOW, 0.0, 15.0)
    app.obey(CTRL_Z, 0.0, 15.0)
    app.obey(WINDOW, 1.0, 15.0)
    assert sent == []
    stopped.now = True
    app.stop_beside_it(1.0)
    app.obey(GO_ON, 2.0, 15.0)  # and at once Ctrl-Z again: it has stopped before its going on is seen here
    app.obey(CTRL_Z, 2.0, 15.0)
    assert sent == [(os.getpid(), signal.SIGSTOP)] * 2


def test_one_that_has_other_plans_may_be_stopped_alone_later(sent: list[tuple[int, int]], stopped: Stopped) -> None:
    app = running()
    app.obey(CTRL_Z, 0.0, 15.0)  # which it catches
    stopped.now = True
    app.stop_beside_it(STOP_SECONDS)
    assert sent == []


def test_once_it_goes_on_nothing_is_left_of_having_been_asked(sent: list[tuple[int, int]], stopped: Stopped) -> None:
    app = running()
    app.obey(CTRL_Z, 0.0, 15.0)
    app.obey(GO_ON, 1.0, 15.0)
    stopped.now = True
    app.stop_beside_it(1.0)
    assert sent == []


def test_who_is_stopped_now_is_told_by_the_kernel() -> None:
    """Also twice, and once it has gone on. (SIGTSTP does not stop who has no shell: an orphan among process groups.)"""
    child = subprocess.Popen(["sleep", "60"])
    try:
        for is_stopped, number in ((True, signal.SIGSTOP), (False, signal.SIGCONT), (True, signal.SIGSTOP)):
            child.send_signal(number)
            wait_until(partial(told_so, child.pid, is_stopped), "it to do as it was told")
            assert children.is_stopped(child.pid) is is_stopped
            assert list(children.reap()) == []
    finally:
        child.kill()
        child.wait()


def told_so(pid: int, is_stopped: bool) -> bool:
    return children.is_stopped(pid) is is_stopped


def test_exit_codes_are_those_of_shells() -> None:
    assert [children._exit_code(status) for status in (0, 3 << 8, 9, signal.SIGSEGV | 0x80)] == [0, 3, 137, 139]
