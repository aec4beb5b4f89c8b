"""What systemd is told, by a real datagram socket in place of its own."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
import trio
from trio.testing import MockClock

from logrouter.runtime.delivery import Delivery
from logrouter.runtime.delivery.lagging import Lag
from logrouter.runtime.log import Log
from logrouter.runtime.notify import STATUS_CHARACTERS, STATUS_SECONDS, Notifier, describe
from logrouter.testing import ScriptedSource
from tests.runtime.observed import lines
from tests.runtime.test_topology import Run, raising


class Systemd:
    """Listens where NOTIFY_SOCKET says."""

    def __init__(self, address: str) -> None:
        self._heard: list[dict[str, str]] = []
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)

    def messages(self) -> list[dict[str, str]]:
        """All that came since the last time."""
        self._read()
        found, self._heard = self._heard, []
        return found

    async def listen(self) -> None:
        """Read on, as a socket holds no more than a few (`net.unix.max_dgram_qlen`)."""
        while True:
            self._read()
            await trio.sleep(0.1)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            while True:
                message = self._socket.recv(65536).decode()
                self._heard.append(dict(line.split("=", 1) for line in message.split("\n")))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    address = f"@logrouter-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    listening = Systemd(address)
    yield listening
    listening.close()


class Notified(Run):
    """A topology that tells systemd."""

    def __init__(self, source: ScriptedSource, *sinks: str, notifier: Notifier, **options: str) -> None:
        super().__init__(source, *sinks, **options)
        self.topology._notifier = notifier


def notifier(address: str, **environ: str) -> tuple[Notifier, list[bytes]]:
    """As the environment asks for it, and what the log says of it."""
    said: list[bytes] = []
    variables = {"NOTIFY_SOCKET": address, "PATH": "/bin", **environ}
    made = Notifier.taken_from(variables, Log("warning", write=said.append))
    assert variables == {"PATH": "/bin"}
    return made, said


def names(messages: list[dict[str, str]]) -> list[str]:
    return [next(iter(message)) for message in messages]


async def test_a_life(systemd: Systemd, autojump_clock: MockClock) -> None:
    telling, said = notifier(systemd.address)
    run = Notified(ScriptedSource([lines(0)], endless=True), "a", "b", notifier=telling, SHUTDOWN_TIMEOUT="4s")
    heard: list[list[dict[str, str]]] = []
    before = time.monotonic_ns() // 1000

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.to_the_end, (9, raising(signal.SIGHUP)), (19, raising(signal.SIGTERM)))
        for _ in range(3):
            await trio.sleep(8)
            heard.append(systemd.messages())

    started, reloaded, stopped = heard
    assert {"READY": "1", "STATUS": "reading stdin; delivering to a, b"} in started
    assert names(reloaded) == ["RELOADING", "READY"]
    assert before <= int(reloaded[0]["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert stopped[0] == {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": "9000000"}
    assert names(stopped).count("STOPPING") == 1
    assert (run.code, said) == (0, [])


async def test_a_quick_end_is_told_in_order(systemd: Systemd, autojump_clock: MockClock) -> None:
    telling, _ = notifier(systemd.address)
    await Notified(ScriptedSource([lines(0)]), "a", notifier=telling).to_the_end()
    told = [name for name in names(systemd.messages()) if name != "STATUS"]
    assert told == ["READY", "STOPPING"]


async def test_the_status_names_the_sink_in_trouble_and_cannot_be_forged(
    systemd: Systemd, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """What a destination says may hold a newline; the line after it must not be taken for a message."""
    telling, _ = notifier(systemd.address)
    run = Notified(ScriptedSource([lines(0)], endless=True), "good", "bad", notifier=telling)
    run.transports["bad"].dead = True
    run.transports["bad"].reason = "503\nMAINPID=1\n" + "x" * 1000
    nursery.start_soon(systemd.listen)
    await run.to_the_end((STATUS_SECONDS * 2, raising(signal.SIGTERM)))
    messages = systemd.messages()
    told = next(message["STATUS"] for message in messages if "bad: " in message.get("STATUS", ""))
    assert told.startswith("reading stdin; delivering to good; bad: 503\\nMAINPID=1\\nxxx")
    assert len(told) == STATUS_CHARACTERS + 1
    assert not any("MAINPID" in message for message in messages)


def test_the_status_names_the_sink_that_lags_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    topology = Notified(ScriptedSource(), "good", "slow", notifier=Notifier(Log())).topology
    lag = Lag("2026-11-23T10:00:00Z", 61.5, 1_000, 300_000, 20.0, 10.0, "requests: one after the other, 0.90s each")
    monkeypatch.setattr(Delivery, "lag", property(lambda own: lag if own.name == "slow" else None))
    assert describe(topology.parts) == (
        "not reading; delivering to good; slow: cannot keep up, 62 s behind (requests: one after the other, 0.90s each)"
    )


@pytest.mark.parametrize(
    ("environ", "every"),
    [
        ({"WATCHDOG_USEC": "4000000"}, 2.0),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}, 2.0),
        ({"WATCHDOG_USEC": "60000000"}, STATUS_SECONDS),
        ({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
async def test_the_watchdog_is_fed_twice_in_its_time(
    systemd: Systemd, nursery: trio.Nursery, autojump_clock: MockClock, environ: dict[str, str], every: float | None
) -> None:
    telling, _ = notifier(systemd.address, **environ)
    run = Notified(ScriptedSource(endless=True), "a", notifier=telling)
    nursery.start_soon(systemd.listen)
    await run.to_the_end((29, raising(signal.SIGTERM)))
    fed = names(systemd.messages()).count("WATCHDOG")
    assert fed == (0 if every is None else pytest.approx(run.seconds / every, abs=1))


async def test_nobody_waits_for_a_systemd_that_hangs(
    systemd: Systemd, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """What its socket cannot take is told once it can, in order."""
    telling, said = notifier(systemd.address, WATCHDOG_USEC="1000000")
    run = Notified(ScriptedSource([lines(0)], endless=True), "a", notifier=telling)
    taken = -1
    while not telling._waiting:
        telling.reloading()
        taken += 1
    nursery.start_soon(_listen_after, 10, systemd)
    await run.to_the_end((20, raising(signal.SIGTERM)))
    told = [name for name in names(systemd.messages()) if name not in ("WATCHDOG", "STATUS")]
    assert taken > 0
    assert told == ["RELOADING"] * (taken + 1) + ["READY", "STOPPING"]
    assert (run.code, said) == (0, [])


async def _listen_after(seconds: float, systemd: Systemd) -> None:
    await trio.sleep(seconds)
    await systemd.listen()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("vsock:2:1234", "expected a path or @name in NOTIFY_SOCKET"),
        ("notify", "expected a path or @name in NOTIFY_SOCKET"),
        ("/nonexistent/notify", "No such file or directory"),
        ("/" + "x" * 200, "AF_UNIX path too long"),
    ],
)
async def test_an_address_that_leads_nowhere_is_said_and_harms_nothing(
    address: str, reason: str, autojump_clock: MockClock
) -> None:
    telling, said = notifier(address)
    run = Notified(ScriptedSource([lines(0)]), "a", notifier=telling)
    await run.to_the_end()
    assert [orjson.loads(line)["reason"] for line in said] == [reason]
    assert (run.code, run.numbers("a")) == (0, list(range(10)))


async def test_without_systemd_nothing_is_opened(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    telling = Notifier.taken_from({"WATCHDOG_USEC": "1000"}, Log())
    run = Notified(ScriptedSource([lines(0)]), "a", notifier=telling)
    monkeypatch.setattr("logrouter.runtime.notify.socket", None)
    await run.to_the_end((1, raising(signal.SIGHUP)))
    assert run.code == 0
