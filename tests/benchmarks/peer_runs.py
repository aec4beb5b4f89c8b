"""One run of logrouter, of Fluent Bit or of rsyslog on a number of events; what comes out is checked each time."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import cases, destinations, fluent_bit, inputs, measure, rsyslog
from tests.benchmarks.cases import Case
from tests.benchmarks.destinations import Destination
from tests.benchmarks.measure import Usage

LOGROUTER = [sys.executable, "-m", "logrouter"]
NOBODY = 1
"""A port at which nobody listens."""
_WANTED: dict[tuple[str, Path], dict[str, cases.Contents]] = {}


def run_logrouter(does: Case | Destination, events: int) -> Usage:
    """By a pipe, to the end of the input."""
    with new_folder() as folder:
        if isinstance(does, Case):
            path = inputs.input_file(does.input_kind, events)
            used = measure.run_piped([*LOGROUTER, *config_file(folder, does.config(folder))], path)
            cases.check(does, folder, path, _wanted(does, path))
            return used
        with _server(events) as (port, _):
            command = [*LOGROUTER, *config_file(folder, does.config(port, folder))]
            return measure.run_piped(command, inputs.input_file("json", events))


def run_fluent_bit(program: str, job: fluent_bit.Job, events: int) -> Usage:
    """Following a file, until all has come: told to end with the file, it was seen to lose events of rewritten tags."""
    path = inputs.input_file(job.input_kind, events)
    with new_folder() as folder:
        if isinstance(job.case, Case):
            command = told(program, folder, job.config(path, folder, NOBODY))
            return _run_to_files(command, replace(job.case, changed=job.left), folder, path)
        with _server(events) as (port, has_all):
            return measure.run_until(told(program, folder, job.config(path, folder, port)), has_all)


def run_rsyslog(job: rsyslog.Job, events: int) -> Usage:
    """Following a file, until all has come."""
    path = inputs.input_file(job.case.input_kind, events)
    with new_folder() as folder:
        command = rsyslog.command(job, folder, path)
        return _run_to_files(command, replace(job.case, changed=job.left), folder, path)


def _run_to_files(command: list[str], case: Case, folder: Path, input_path: Path) -> Usage:
    wanted = _wanted(case, input_path)
    outputs = [Growing(folder / name, contents.lines) for name, contents in wanted.items()]
    used = measure.run_until(command, lambda: all(output.is_full() for output in outputs))
    for output in outputs:
        output.remove_blank_lines()
    cases.check(case, folder, input_path, wanted)
    return used


def _wanted(case: Case, path: Path) -> dict[str, cases.Contents]:
    """What must come out, found once."""
    if (case.name, path) not in _WANTED:
        _WANTED[case.name, path] = cases.expected(case, path)
    return _WANTED[case.name, path]


class Growing:
    """A file that is written to: whether it holds the lines that it must, blank ones apart. Each byte is read once.

    Fluent Bit leaves a blank line after each event of several lines.
    """

    def __init__(self, path: Path, wanted: int) -> None:
        self._path = path
        self._missing = wanted
        self._read_bytes = 0
        self._last = b""
        self._has_blanks = False

    def is_full(self) -> bool:
        if not self._path.exists():
            return self._missing == 0
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            while data := file.read(cases.READ_BYTES):
                blanks = (self._last + data).count(b"\n\n")
                self._missing -= data.count(b"\n") - blanks
                self._has_blanks |= blanks > 0
                self._last = data[-1:]
            self._read_bytes = file.tell()
        return self._missing <= 0

    def remove_blank_lines(self) -> None:
        if self._has_blanks:
            self._path.write_bytes(self._path.read_bytes().replace(b"\n\n", b"\n"))


@contextmanager
def _server(events: int) -> Iterator[tuple[int, Callable[[], bool]]]:
    """A server's port, and whether so many events have come to it; in the end it must be so many."""
    arrived = 0

    def has_all() -> bool:
        nonlocal arrived
        arrived += destinations.counts(port)["events"]
        return arrived >= events

    with destinations.counting_server() as port:
        yield port, has_all
        has_all()
    assert arrived == events, f"{arrived} of {events} events have come"


def told(program: str, folder: Path, config: str) -> list[str]:
    return [program, "--quiet", *config_file(folder, config)]


def config_file(folder: Path, text: str) -> list[str]:
    path = folder / "config.yaml"
    path.write_text(text)
    return ["--config", str(path)]


@contextmanager
def new_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="logrouter-benchmark-") as folder:
        yield Path(folder)
