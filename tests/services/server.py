"""A real server as a process: started on a free port, ended by its own id, started again on what it had."""

from __future__ import annotations

import os
import random
import signal
import socket
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx

TOO_LONG_SECONDS = 300.0
"""OpenSearch has taken two minutes to start where twenty others wanted the two cores."""
POLL_SECONDS = 0.05
LOG_TAIL_BYTES = 8000


class Server(ABC):
    """A server that keeps all it has in one folder and answers HTTP at `url`, a port of 127.0.0.1.

    The port stays its own over `stop`, `kill` and `start`; so does the folder. Use it as a context manager: it is
    started, and ended whatever happens. A subclass says how it is run, and adds what reads back its contents.
    """

    health_path: str
    """Answers 200 as soon as the server can be used."""

    def __init__(self, folder: Path, ca_file: Path | None = None) -> None:
        """`ca_file`: whose certificates it has, if it speaks TLS."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.ca_file = ca_file
        self.url = f"http{'s' if ca_file else ''}://127.0.0.1:{self.port}"
        trusting = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self.http = httpx.Client(base_url=self.url, timeout=TOO_LONG_SECONDS, trust_env=False, verify=trusting)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """What to run, in the folder."""

    def environment(self) -> Mapping[str, str]:
        """What to add to the environment."""
        return {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.http.close()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Run it, unless it runs, and wait until it can be used."""
        if self.running:
            return
        with open(self._log_path, "ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, so that all it starts ends with it
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and wait until it has."""
        if self._process is not None:
            self._signal(signal.SIGTERM)
            self._process.wait(TOO_LONG_SECONDS)
            self._signal(signal.SIGKILL)  # what it may have left

    def kill(self) -> None:
        """End it at once (SIGKILL), with all that was only in its memory."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait(TOO_LONG_SECONDS)

    def log(self) -> str:
        """The end of what it printed."""
        printed = self._log_path.read_bytes() if self._log_path.exists() else b""
        return printed[-LOG_TAIL_BYTES:].decode(errors="replace")

    @property
    def _log_path(self) -> Path:
        return self.folder / "server.log"

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # the group is empty
            os.killpg(self.pid, number)

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + TOO_LONG_SECONDS
        while not self._is_ready():
            assert self.running, f"the server ended before it could be used:\n{self.log()}"
            assert time.monotonic() < until, f"the server could not be used in {TOO_LONG_SECONDS} s:\n{self.log()}"
            time.sleep(POLL_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return self.http.get(self.health_path, timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses, below those that the system gives to clients (from 32768).

    So none takes it while the server is stopped. Otherwise a client that tries again and again to reach it may even
    be given that very port for its own end, and reach itself (TCP's simultaneous open).
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as server:
            if server.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as server:
            try:
                server.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
