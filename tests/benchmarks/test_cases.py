"""The benchmarks themselves: that their inputs stay what they are, and that each case measures the work it names."""

from __future__ import annotations

import subprocess
import sys
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from random import Random
from statistics import fmean

import pytest

from tests.benchmarks import cases, destinations, inputs, measure, run
from tests.benchmarks.cases import CASES, Case

COUNT = 2_000


@pytest.mark.parametrize(
    ("kind", "usual_bytes"),
    [("json", 280), ("text", 100), ("access", 210), ("logfmt", 175), ("syslog", 133), ("ltsv", 245), ("csv", 101)],
)
def test_lines_are_as_long_as_the_tables_say(kind: str, usual_bytes: int) -> None:
    lines = [line.encode() for line in islice(inputs.KINDS[kind](Random(1)), COUNT)]

    assert fmean(map(len, lines)) == pytest.approx(usual_bytes, rel=0.03)
    assert len(set(lines)) == COUNT


def test_input_is_made_once_and_the_same_anywhere(tmp_path: Path) -> None:
    path = inputs.input_file("json", 100, tmp_path)
    path.write_bytes(path.read_bytes() + b"touched\n")

    assert inputs.input_file("json", 100, tmp_path).read_bytes().endswith(b"touched\n")
    (tmp_path / "again").mkdir()
    again = inputs.input_file("json", 100, tmp_path / "again").read_bytes()
    assert blake2b(again, digest_size=8).hexdigest() == "0e18b7b96684108d", "other bytes: raise inputs.EDITION"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_yardstick_does_the_case(case: Case, tmp_path: Path) -> None:
    assert_does_the_case(case, [*run.YARDSTICK, case.name, str(tmp_path)], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_logrouter_does_the_case(case: Case, tmp_path: Path) -> None:
    assert_does_the_case(case, run.logrouter_command(case, tmp_path), tmp_path)


def assert_does_the_case(case: Case, command: list[str], folder: Path) -> None:
    input_path = inputs.input_file(case.input_kind, COUNT, folder)
    wanted = cases.expected(case, input_path)
    assert all(contents.lines > 0 for contents in wanted.values())

    with input_path.open("rb") as lines:
        subprocess.run(command, stdin=lines, check=True)

    cases.check(case, folder, input_path, wanted)


def test_a_lost_line_is_found(tmp_path: Path) -> None:
    case = CASES[0]
    input_path = inputs.input_file(case.input_kind, COUNT, tmp_path)
    with input_path.open("rb") as lines_in:
        subprocess.run([*run.YARDSTICK, case.name, str(tmp_path)], stdin=lines_in, check=True)
    lines = (tmp_path / "visible").read_bytes().splitlines(keepends=True)
    (tmp_path / "visible").write_bytes(b"".join(lines[:5] + lines[6:]))

    with pytest.raises(AssertionError, match=f"route: visible holds {len(lines) - 1} lines, not {len(lines)}"):
        cases.check(case, tmp_path, input_path, cases.expected(case, input_path))


def test_launcher_passes_the_exit_code_on(tmp_path: Path) -> None:
    result = tmp_path / "result"
    launched = subprocess.run(
        [*measure.LAUNCHER, str(result), sys.executable, "-c", "raise SystemExit(3)"], check=False
    )

    assert launched.returncode == 3
    cpu_seconds, wall_seconds, peak_mib = map(float, result.read_text().split())
    assert 0 < cpu_seconds < wall_seconds * 4
    assert 4 < peak_mib < 64


@pytest.mark.slow
@pytest.mark.parametrize("destination", destinations.DESTINATIONS, ids=lambda destination: destination.name)
def test_the_yardstick_of_shipping_ships(destination: destinations.Destination) -> None:
    with destinations.counting_server() as port:
        command = [*destinations.YARDSTICK, destination.name, str(port)]
        assert measure.run_piped(command, inputs.input_file("json", COUNT)).cpu_seconds > 0
        assert destinations.counts(port)["events"] == COUNT
