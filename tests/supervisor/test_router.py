"""The router's life: what it says, what it is told, and when it is started again. None is started here."""

from __future__ import annotations

import errno
import json
import os

import pytest

from logrouter.runtime.log import Log
from logrouter.supervisor import children, log
from logrouter.supervisor.router import CaptureTerms, Router, Terms

READY = {"state": "ready", "pass_env": False, "tee": True, "app_grace": 5.0, "shutdown_timeout": 9.0, "capture": None}
CAPTURE = {"folder": "f", "max_size": 10, "block_seconds": None, "offsets": {"stdout": 1, "stderr": 2}}


class Spawned:
    """What would have been started."""

    def __init__(self) -> None:
        self.handshakes: list[dict[str, object]] = []
        self.status: list[int] = []
        self.refuses = False

    def __call__(self, flags: list[str], handshake: str, mask: set[int], descriptors: list[int]) -> int:
        if self.refuses:
            raise BlockingIOError(errno.EAGAIN, "no process to be had")
        self.handshakes.append(json.loads(handshake))
        self.status.append(os.dup(descriptors[-1]))  # ours is closed, as is its own once it has ended
        return 1000 + len(self.handshakes)

    def say(self, **said: object) -> None:
        """As the one that was started last."""
        os.write(self.status[-1], json.dumps(said).encode() + b"\n")


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Spawned:
    spawned = Spawned()
    monkeypatch.setattr(children, "start_router", spawned)
    return spawned


def started(spawned: Spawned, **said: object) -> Router:
    router = Router(["--flag"], set(), "app")
    router.start()
    if said:
        spawned.say(**said)
        router.listen(0.0)
    return router


def told(router: Router, spawned: Spawned) -> bytes:
    """What has come through its wake pipe."""
    wake = spawned.handshakes[-1]["wake"]
    assert isinstance(wake, int)
    os.set_blocking(wake, False)
    try:
        return os.read(wake, 1000)
    except BlockingIOError:
        return b""


def test_what_it_says_when_it_is_ready(spawned: Spawned) -> None:
    router = started(spawned, **READY)
    assert router.terms == Terms(tee=True, app_grace=5.0, shutdown_timeout=9.0)
    router = started(spawned, **{**READY, "capture": CAPTURE})
    assert router.terms is not None
    assert router.terms.capture == CaptureTerms("f", 10, None, {"stdout": 1, "stderr": 2})


def test_a_successor_takes_over_where_it_was_whatever_the_config_says_now(spawned: Spawned) -> None:
    router = started(spawned, **{**READY, "capture": CAPTURE})
    router.start()
    assert "capture" not in spawned.handshakes[0]
    assert spawned.handshakes[1]["capture"] == "f"
    spawned.say(**READY)
    router.listen(1.0)
    assert router.terms is not None
    assert router.terms.capture is not None


@pytest.mark.parametrize("state", ["ready", "changed"])
def test_its_times_may_change_while_the_app_runs(spawned: Spawned, state: str) -> None:
    router = started(spawned, **{**READY, "capture": CAPTURE})
    before = router.terms
    assert before is not None
    spawned.say(**{**READY, "state": state, "tee": False, "app_grace": 1.0, "shutdown_timeout": 2.0})
    router.listen(1.0)
    assert router.terms == before._replace(app_grace=1.0, shutdown_timeout=2.0)


def test_it_is_woken_at_once_and_then_at_intervals(spawned: Spawned) -> None:
    router = started(spawned, **READY)
    router.act(0.0)
    assert told(router, spawned) == b"\n"  # there may be something already
    router.wake(0.005)
    assert router.due == 0.02
    router.wake(0.015)
    assert router.due == 0.02
    router.act(0.02)
    assert told(router, spawned) == b"\n"
    router.wake(1.0)
    assert router.due == 1.0


def test_who_is_not_ready_is_not_woken(spawned: Spawned) -> None:
    router = started(spawned)
    router.wake(0.0)
    assert router.due == float("inf")


def test_the_end_is_told_also_to_successors_with_the_time_that_is_left(spawned: Spawned) -> None:
    router = started(spawned, **READY)
    router.tell_all(10.0, 0.0)
    router.act(1.0)
    assert told(router, spawned).endswith(b"end 9.000\n")
    assert router.has_delivered(75)
    assert not router.has_delivered(70)
    router.start_again(70, 2.0)
    assert not router.has_delivered(0)
    router.act(router.due)
    spawned.say(**READY)
    router.listen(3.0)
    router.act(3.0)
    assert told(router, spawned).endswith(b"end 7.000\n")


def test_one_that_does_not_last_is_started_later_and_later(spawned: Spawned, capfd: pytest.CaptureFixture[str]) -> None:
    router = started(spawned)
    delays = []
    for _ in range(11):
        router.start_again(1, 0.0)
        delays.append(router.due)
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30])
    router.start()
    spawned.say(**READY)
    router.listen(100.0)
    router.start_again(137, 101.5)
    assert router.due == pytest.approx(101.6)
    assert "after_seconds" in capfd.readouterr().err


def test_one_that_cannot_be_started_now_is_tried_later(spawned: Spawned, capfd: pytest.CaptureFixture[str]) -> None:
    router = started(spawned, **READY)
    spawned.refuses = True
    router.start_again(1, 0.0)
    open_before = len(os.listdir("/proc/self/fd"))
    for expected in (0.2, 0.4):
        now = router.due
        router.act(now)
        assert router.due == pytest.approx(now + expected)
    assert len(os.listdir("/proc/self/fd")) == open_before
    spawned.refuses = False
    router.act(router.due)
    assert router.pid is not None
    assert capfd.readouterr().err.count("no process to be had") == 2


def test_one_that_is_to_be_started_later_is_started_at_once_when_the_app_has_ended(spawned: Spawned) -> None:
    router = started(spawned, **READY)
    for _ in range(9):
        router.start_again(1, 0.0)
    assert router.due > 25
    router.tell_all(25.0, 1.0)
    router.act(1.0)
    assert len(spawned.handshakes) == 2
    spawned.say(**READY)
    router.listen(2.0)
    router.act(2.0)
    assert told(router, spawned).endswith(b"end 23.000\n")


def test_its_log_looks_like_the_routers() -> None:
    lines: list[bytes] = []
    for pretty in (False, True):
        ours = log.line("warning", "some thing", {"reason": "a\tb\x1b", "count": 3}, 1.500001, pretty=pretty)
        Log(pretty=pretty, write=lines.append, clock=lambda: 1.500001).warning("some thing", reason="a\tb\x1b", count=3)
        theirs = lines.pop()
        assert ours == theirs if pretty else json.loads(ours) == json.loads(theirs)
