"""The lines that `logrouter demo` writes: the same for the same seed, well formed, paced, and quiet when cut off."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import islice

import pytest

from logrouter.cli import demo

START_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
COMBINED = re.compile(
    rb'\d+\.\d+\.\d+\.\d+ - - \[01/Jan/2026:00:00:0\d \+0000\] "[A-Z]+ /\S* HTTP/1\.1" \d{3} \d+ "[^"]+" "[^"]+"\n'
)
TOO_LONG_SECONDS = 20


def some_lines(kind: str, count: int = 300, step_ns: int = 1_000_000) -> list[bytes]:
    return list(islice(demo.lines(7, kind, START_NS, step_ns), count))


@pytest.mark.parametrize("kind", demo.KINDS)
def test_same_seed_same_lines(kind: str) -> None:
    assert some_lines(kind) == some_lines(kind)


@pytest.mark.parametrize("kind", demo.KINDS)
def test_every_line_is_one_line_of_utf8(kind: str) -> None:
    for line in some_lines(kind):
        assert line.decode().splitlines(keepends=True) == [line.decode()]


def test_json_lines_hold_what_the_examples_ask_for() -> None:
    events = [json.loads(line) for line in some_lines("json")]

    assert {event["level"] for event in events} == set(demo.LEVELS)
    assert {event["service"] for event in events} == {route.service for route in demo.ROUTES}
    assert all(isinstance(event["http"]["status"], int) and isinstance(event["duration_ms"], float) for event in events)
    assert all(len(event["trace_id"]) == 32 for event in events)
    assert any("@example.com" in event.get("customer", {}).get("email", "") for event in events)


def test_times_advance_by_the_step_from_the_start() -> None:
    times = [json.loads(line)["time"] for line in some_lines("json", count=3, step_ns=1_500_000_000)]

    assert times == ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.500Z", "2026-01-01T00:00:03.000Z"]


def test_access_lines_are_in_the_combined_format() -> None:
    assert [line for line in some_lines("access") if not COMBINED.fullmatch(line)] == []


def test_mixed_has_all_kinds() -> None:
    lines = some_lines("mixed", count=1000)

    assert any(line.startswith(b"{") for line in lines)
    assert any(COMBINED.fullmatch(line) for line in lines)
    assert b"Traceback (most recent call last):\n" in lines
    assert any(b"mailer" in line for line in lines)


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 6])
def test_first_lines_cuts_within_an_entry(count: int) -> None:
    source = [b"a\n", b"b1\nb2\nb3\n", b"c\n", b"d\n"]

    taken = b"".join(demo.first_lines(source, count))

    assert taken == b"".join(b"".join(source).splitlines(keepends=True)[:count])


class Paced:
    """A clock that only sleeping moves, and what was written at which of its times."""

    def __init__(self, source: Iterable[bytes], rate: float) -> None:
        self.now = 100.0
        self.written: list[tuple[float, bytes]] = []
        demo.emit(source, rate, self.write, lambda: self.now, self.sleep)

    def write(self, data: bytes) -> None:
        self.written.append((round(self.now - 100, 6), data))

    def sleep(self, seconds: float) -> None:
        assert seconds >= demo.NAP_SECONDS
        self.now += seconds


def test_slow_rate_spaces_entries_by_their_lines() -> None:
    assert Paced([b"a\n", b"b\nb\n", b"c\n"], rate=10).written == [(0, b"a\n"), (0.1, b"b\nb\n"), (0.3, b"c\n")]


def test_high_rate_writes_together_what_is_due_in_a_nap() -> None:
    paced = Paced([b"x\n"] * 88, rate=1024)  # a power of two: its times are exact

    assert paced.written == [(round(nap * 11 / 1024, 6), b"x\n" * 11) for nap in range(8)]


def test_no_rate_never_sleeps_and_writes_in_large_pieces() -> None:
    paced = Paced([b"x" * 1023 + b"\n"] * 100, rate=0)

    assert paced.written == [(0, (b"x" * 1023 + b"\n") * 64), (0, (b"x" * 1023 + b"\n") * 36)]


def test_main_writes_the_lines_of_its_options(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert demo.main(["--count", "40", "--rate", "0", "--seed", "7", "--start", "2026-01-01T00:00:00Z"]) == 0

    expected = list(islice(demo.lines(7, "mixed", START_NS, demo.FULL_SPEED_STEP_NS), 40))
    assert capfdbinary.readouterr().out == b"".join(expected)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--count", "-1"], "--count: expected a number of lines, not '-1'"),
        (["--rate", "nan"], "--rate: expected a number of lines a second, not 'nan'"),
        (["--rate", "fast"], "--rate: expected a number of lines a second, not 'fast'"),
        (["--start", "soon"], "--start: expected a time such as 2026-01-31T12:00:00Z, not 'soon'"),
        (["--format", "xml"], "invalid choice: 'xml'"),
    ],
)
def test_wrong_options_exit_2(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        demo.main(arguments)

    assert stopped.value.code == 2
    assert problem in capsys.readouterr().err


def demo_process(arguments: str) -> subprocess.Popen[bytes]:
    program = f"import sys; from logrouter.cli.demo import main; sys.exit(main({arguments.split()}))"
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def close_reader(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout
    process.stdout.close()


def interrupt(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)


@pytest.mark.parametrize(("end", "exit_code"), [(close_reader, 0), (interrupt, 130)])
def test_quiet_end(end: Callable[[subprocess.Popen[bytes]], None], exit_code: int) -> None:
    with demo_process("--rate 100") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 1)  # it runs
        end(process)

        assert process.wait(TOO_LONG_SECONDS) == exit_code
        assert process.stderr.read() == b""


def test_starts_without_the_router() -> None:
    slow_to_import = {"trio", "httpx", "msgspec", "yaml", "argparse"}
    program = f"import sys; import logrouter.cli.demo; print(sorted({slow_to_import} & set(sys.modules)))"
    listed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert listed.stdout == "[]\n"
