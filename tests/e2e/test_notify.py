"""The notify protocol of systemd, by the real command and a real socket."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, pipe

pytestmark = pytest.mark.slow

WATCHDOG_SECONDS = 0.4


@pytest.fixture
def manager(workplace: Workplace) -> Iterator[socket.socket]:
    """Where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(workplace.folder / "notify"))
        listening.settimeout(TOO_LONG_SECONDS)
        workplace.add_environment(
            {"NOTIFY_SOCKET": str(workplace.folder / "notify"), "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6))}
        )
        yield listening


def next_message(manager: socket.socket, name: str) -> dict[str, str]:
    """The next one that begins with this name."""
    while True:
        message = dict(line.split("=", 1) for line in manager.recv(65536).decode().split("\n"))
        if next(iter(message)) == name:
            return message


def test_a_service_from_start_to_stop(workplace: Workplace, manager: socket.socket) -> None:
    router = workplace.start_router("--sink", "out=file:out")
    next_message(manager, "READY")
    next_message(manager, "WATCHDOG")
    asked = time.monotonic_ns() // 1000
    router.send_signal(signal.SIGHUP)
    assert int(next_message(manager, "RELOADING")["MONOTONIC_USEC"]) >= asked
    next_message(manager, "READY")
    pipe(router.stdin).write(b"a line\n")
    workplace.wait_for_line("out")
    router.send_signal(signal.SIGTERM)
    assert int(next_message(manager, "STOPPING")["EXTEND_TIMEOUT_USEC"]) == 30_000_000
    pipe(router.stdin).close()
    assert router.wait(TOO_LONG_SECONDS) == 0


def test_a_process_that_does_not_turn_feeds_no_watchdog(workplace: Workplace, manager: socket.socket) -> None:
    router = workplace.start_router("--sink", "out=file:out")
    next_message(manager, "WATCHDOG")
    router.send_signal(signal.SIGSTOP)
    manager.settimeout(WATCHDOG_SECONDS * 2)
    with suppress(TimeoutError):
        for _ in range(10):  # what it had said before it was stopped, and no more
            manager.recv(65536)
        pytest.fail("it goes on feeding the watchdog")
    router.send_signal(signal.SIGCONT)
    next_message(manager, "WATCHDOG")


def test_a_pipe_that_ends_at_once_was_ready_before(workplace: Workplace, manager: socket.socket) -> None:
    assert workplace.route(b"").returncode == 0
    next_message(manager, "READY")
    next_message(manager, "STOPPING")
