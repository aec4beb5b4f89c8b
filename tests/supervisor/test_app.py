"""The app and its signals, without any process."""

from __future__ import annotations

import os
import signal

import pytest

from logrouter.supervisor import children
from logrouter.supervisor.app import App
from logrouter.supervisor.signals import Signal


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


def test_it_stops_us_only_where_both_were_asked_to(sent: list[tuple[int, int]]) -> None:
    app = running()
    app.has_stopped()  # somebody has stopped it alone
    assert sent == []
    app.obey(Signal(signal.SIGTSTP, by_kernel=True), 0.0, 15.0)
    app.has_stopped()
    app.has_stopped()
    assert sent == [(os.getpid(), signal.SIGSTOP)]


def test_which_is_seen_first_is_no_matter_nor_what_comes_between(sent: list[tuple[int, int]]) -> None:
    """Of a Ctrl-Z: that the app has stopped, or what stopped it."""
    app = running()
    app.has_stopped()
    app.obey(Signal(signal.SIGWINCH, by_kernel=True), 0.0, 15.0)
    app.obey(Signal(signal.SIGTSTP, by_kernel=True), 0.0, 15.0)
    app.obey(Signal(signal.SIGCONT, by_kernel=True), 0.0, 15.0)
    app.obey(Signal(signal.SIGTSTP, by_kernel=True), 0.0, 15.0)
    app.obey(Signal(signal.SIGWINCH, by_kernel=True), 0.0, 15.0)
    app.has_stopped()
    assert sent == [(os.getpid(), signal.SIGSTOP)] * 2


def test_once_it_goes_on_nothing_is_left_of_having_been_stopped(sent: list[tuple[int, int]]) -> None:
    app = running()
    app.has_stopped()
    app.obey(Signal(signal.SIGCONT, by_kernel=True), 0.0, 15.0)
    app.obey(Signal(signal.SIGTSTP, by_kernel=True), 0.0, 15.0)  # which it catches
    assert sent == []


def test_exit_codes_are_those_of_shells() -> None:
    assert [children._exit_code(status) for status in (0, 3 << 8, 9, signal.SIGSEGV | 0x80)] == [0, 3, 137, 139]
    assert children._exit_code(signal.SIGSTOP << 8 | 0x7F) is None
