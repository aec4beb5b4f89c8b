"""A running logrouter under load: numbered lines come at a steady rate until the test has seen enough."""

from __future__ import annotations

import threading
from typing import Any

from tests.crash.feeding import numbered
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, pipe, wait_for_port, wait_until
from tests.e2e.status import status

INTERVAL_SECONDS = 0.02
PATIENCE_SECONDS = 240.0
"""OpenSearch takes a thousand events a second where the machine is busy, and half a minute to start."""


class Loaded:
    """logrouter in a workplace, with the config that is there, and somebody who writes to it."""

    def __init__(self, workplace: Workplace, port: int, lines_at_once: int = 50) -> None:
        self.port = port
        self.lines = 0
        """How many have been written."""
        self.complaints = b""
        """What it has said on stderr, once it has ended."""
        self._lines_at_once = lines_at_once
        self._router = workplace.start_router("--set", f"admin.listen=127.0.0.1:{port}")
        self._enough = threading.Event()
        self._writer = threading.Thread(target=self._write)

    def __enter__(self) -> Loaded:
        wait_for_port(self.port)
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._writer.join(TOO_LONG_SECONDS)

    def _write(self) -> None:
        stdin = pipe(self._router.stdin)
        while not self._enough.wait(INTERVAL_SECONDS):
            data = memoryview(b"".join(numbered(self.lines, self.lines + self._lines_at_once)))
            while data:  # a pipe that is not buffered takes what it has room for
                data = data[stdin.write(data) :]
            self.lines += self._lines_at_once

    def finish(self) -> int:
        """Write no more, and let it come to its end. Gives its exit code."""
        self._enough.set()
        self._writer.join(TOO_LONG_SECONDS)
        _, self.complaints = self._router.communicate(timeout=PATIENCE_SECONDS)
        return self._router.returncode

    def sink(self, name: str) -> dict[str, Any]:
        """What `/status` tells of a sink."""
        told: dict[str, Any] = status(self.port)["sinks"][name]
        return told

    def trouble(self, name: str) -> str | None:
        """Why a sink is in trouble, if it is."""
        trouble = self.sink(name)["trouble"]
        return None if trouble is None else trouble["reason"]

    def wait_for_trouble(self, name: str) -> str:
        """Until a sink is in trouble; gives the reason."""
        told: list[str] = []

        def is_told() -> bool:
            told.extend(filter(None, [self.trouble(name)]))
            return bool(told)

        wait_until(is_told, f"{name} to be in trouble", PATIENCE_SECONDS)
        return told[0]

    def wait_until_well(self, name: str) -> None:
        """Until a sink is in no trouble."""
        wait_until(lambda: self.trouble(name) is None, f"{name} to be well", PATIENCE_SECONDS)

    def wait_for_delivery(self, *names: str) -> None:
        """Until each of these sinks has delivered some more."""
        before = {name: self.sink(name)["delivered"] for name in names}
        wait_until(
            lambda: all(self.sink(name)["delivered"] > events for name, events in before.items()),
            f"more to be delivered to {', '.join(names)}",
            PATIENCE_SECONDS,
        )
