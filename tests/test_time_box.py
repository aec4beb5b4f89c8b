"""What takes too long is ended, wherever it is; what does not is not touched, and no timer is left behind."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from logrouter import time_box
from logrouter.time_box import TimeUp, run_within


def loop(_: Any) -> None:
    while True:
        pass


def stubborn(_: Any) -> None:
    while True:
        try:
            loop(None)
        except BaseException:
            if len(caught) > 0:
                raise
            caught.append(1)


def wait_for_a_socket(_: Any) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.recv(1)


def backtrack(_: Any) -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")


caught: list[int] = []


@pytest.mark.parametrize("function", [loop, time.sleep, wait_for_a_socket, backtrack], ids=lambda f: f.__name__)
def test_it_is_ended_wherever_it_is(function: Callable[[Any], Any]) -> None:
    with pytest.raises(TimeUp) as raised:
        run_within(0.01, function, 1000.0)
    assert raised.value.frame is not None
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_what_swallows_everything_is_ended_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_box, "_AGAIN_SECONDS", 0.01)
    caught.clear()
    with pytest.raises(TimeUp):
        run_within(0.01, stubborn, None)
    assert caught == [1]


def test_what_is_done_in_time_is_what_it_returns_or_raises() -> None:
    assert run_within(5, lambda value: value + 1, 1) == 2
    with pytest.raises(ZeroDivisionError):
        run_within(5, lambda value: 1 // value, 0)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_timer_of_others_goes_on() -> None:
    signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        assert run_within(5, lambda value: value, 1) == 1
        assert 900 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_in_another_thread_nothing_is_limited() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(run_within(0.001, lambda value: value, 1)))
    thread.start()
    thread.join()
    assert found == [1]
