"""What the end-to-end tests share: the real command as a process, and real programs to pipe through it.

Every process started here is ended here, by its own id.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar

import trio

P = ParamSpec("P")
T = TypeVar("T")
TOO_LONG_SECONDS = 120.0
"""For a machine that does ten other things: what hangs is found all the same."""
POLL_SECONDS = 0.01
LOGROUTER = (sys.executable, "-m", "logrouter")
REPOSITORY = Path(__file__).resolve().parents[2]


def spool_options(**spool: str) -> list[str]:
    """Flags for the spool: `directory` is `spool` if nothing else is said."""
    return [
        part for key, value in {"directory": "spool", **spool}.items() for part in ("--set", f"spool.{key}={value}")
    ]


class Workplace:
    """A folder of its own and an environment without settings, in which processes are started."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("LOGROUTER_", "OTEL_"))
        }
        self._environment["PYTHONPATH"] = str(REPOSITORY)  # this tree, not a copy that is installed

    def add_environment(self, variables: Mapping[str, str]) -> None:
        """Variables for all processes to come."""
        self._environment |= variables

    def start(
        self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """A process in the folder, killed at the end of the test if it still runs."""
        environment = {**self._environment, **(environment or {})}
        process = subprocess.Popen(command, env=environment, cwd=self.folder, **options)
        self._stack.enter_context(process)
        self._stack.callback(process.kill)  # nothing, where it has ended
        return process

    def start_router(
        self, *arguments: str, environment: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """logrouter, with pipes unless `options` say otherwise."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return self.start([*LOGROUTER, *arguments], environment, bufsize=0, **{**pipes, **options})

    def route(
        self, data: bytes, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """`data | logrouter ARGUMENTS`, to its end."""
        process = self.start_router(*arguments, environment=environment)
        output, complaints = process.communicate(data, timeout=TOO_LONG_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, output, complaints)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """`logrouter ARGUMENTS`, to its end."""
        return self.route(b"", *arguments)

    def write(self, name: str, text: str) -> str:
        """A file in the folder; returns its name."""
        (self.folder / name).write_text(text)
        return name

    def lines(self, name: str) -> list[bytes]:
        """The lines of a file in the folder, none if it is not there."""
        try:
            return (self.folder / name).read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []

    def wait_for_line(self, name: str, count: int = 1) -> None:
        """Until a file holds so many lines."""
        wait_until(lambda: len(self.lines(name)) >= count, f"{count} lines in {name}")


class Piped:
    """`program 2>&1 | tee seen.log | logrouter …`"""

    def __init__(self, workplace: Workplace, command: Sequence[str | Path], *router_arguments: str) -> None:
        self._workplace = workplace
        self.program = workplace.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        tee = workplace.start(["tee", "seen.log"], stdin=self.program.stdout, stdout=subprocess.PIPE)
        self.router = workplace.start_router(*router_arguments, stdin=tee.stdout)
        for process in (self.program, tee):  # so that each pipe has one reader, and ends with it
            pipe(process.stdout).close()

    def stop(self, signal_number: int) -> list[bytes]:
        """End the program by a signal and let all that it wrote pass. Returns the lines, without empty ones."""
        self.program.send_signal(signal_number)
        self.program.wait(TOO_LONG_SECONDS)
        return self.finish()

    def finish(self) -> list[bytes]:
        """The same for a program that ends by itself."""
        output, complaints = self.router.communicate(timeout=TOO_LONG_SECONDS)
        assert (self.router.returncode, output, troubles(complaints)) == (0, b"", [])
        return [line for line in self._workplace.lines("seen.log") if line.strip(b"\r\n")]


def troubles(complaints: bytes) -> list[bytes]:
    """What logrouter said on stderr, but for the note that rules leave some events out."""
    return [line for line in complaints.splitlines() if b"no sink wants some events" not in line]


async def in_thread(run: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Let it run beside servers of this process. What may wait takes a timeout of its own: it is not cancelled."""
    return await trio.to_thread.run_sync(partial(run, *arguments, **options))


def pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """A process's stream that was opened as a pipe."""
    assert stream is not None
    return stream


def size_of(path: Path) -> int:
    """In bytes; 0 where it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def wait_until(condition: Callable[[], object], what: str, seconds: float = TOO_LONG_SECONDS) -> None:
    """Look again and again until something outside this process is so."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited too long for {what}"
        time.sleep(POLL_SECONDS)


def wait_for_end(process: subprocess.Popen[bytes], *others: int) -> float:
    """Until a process has ended. Gives for how many seconds it, these others and we have waited for a core meanwhile,
    which programs that are none of ours had: times are measured without that."""
    pids = (os.getpid(), process.pid, *others)
    begun = [_without_a_core(pid) for pid in pids]
    waited = list(begun)
    until = time.monotonic() + TOO_LONG_SECONDS
    while True:
        has_ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        for place, pid in enumerate(pids):
            with suppress(FileNotFoundError, ProcessLookupError):  # one of the others has ended
                waited[place] = _without_a_core(pid)
        if has_ended:
            process.wait()
            return sum(waited) - sum(begun)
        assert time.monotonic() < until, "waited too long for a process to end"
        time.sleep(POLL_SECONDS / 2)


def _without_a_core(pid: int) -> float:
    """How long its first thread could have run, and did not (proc(5), schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def wait_for_port(port: int) -> None:
    wait_until(lambda: _accepts(port), f"port {port}")


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
