"""The command as its users run it: configured in each way, fed with anything, ended in each way."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.benchmarks.measure import LAUNCHER
from tests.e2e.processes import LOGROUTER, TOO_LONG_SECONDS, Workplace, pipe, troubles

pytestmark = pytest.mark.slow

INFO = b'{"level":"info","n":1}\n'
ERROR = b'{"level":"error","n":2}\n'
TEXT = b"plain text, no level\n"
LINES = INFO + ERROR + TEXT
REPOSITORY = Path(__file__).resolve().parents[2]

ERRORS_CONFIG = """
sinks:
  errors:
    type: file
    path: errors.ndjson
    match: severity >= "error"
  rest:
    type: file
    path: rest.log
    format: raw
    match: not severity >= "error"
"""


def decoded(output: bytes) -> list[object]:
    return [json.loads(line) for line in output.splitlines()]


# ── configured in each way ────────────────────────────────────────────────────────────────────────────


def test_nothing_configured_writes_json_to_stdout(workplace: Workplace) -> None:
    done = workplace.route(LINES)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines(keepends=True)[:2] == [INFO, ERROR]
    assert decoded(done.stdout)[2:] == [{"message": "plain text, no level"}]


ANOTHER_ENCODING = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


def test_paths_are_utf_8_whatever_the_locale(workplace: Workplace) -> None:
    workplace.write("logrouter.yaml", "sinks: {all: 'file:größe/{level}.ndjson'}")
    line = '{"level":"ö"}\n'.encode()
    assert workplace.route(b"", "check", environment=ANOTHER_ENCODING).returncode == 0
    done = workplace.route(line, environment=ANOTHER_ENCODING)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (workplace.folder / "größe" / "ö.ndjson").read_bytes() == line


def test_an_app_keeps_the_encoding_that_it_was_given(workplace: Workplace) -> None:
    app = [sys.executable, "-c", "import sys; print(sys.getfilesystemencoding())"]
    done = workplace.route(b"", "run", "--sink", "all=file:ö.ndjson", "--", *app, environment=ANOTHER_ENCODING)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (workplace.folder / "ö.ndjson").read_bytes() == b'{"message":"ascii"}\n'


@pytest.mark.parametrize("named", ["flag", "variable", "here"])
def test_config_file(workplace: Workplace, named: str) -> None:
    name = workplace.write("logrouter.yaml" if named == "here" else "other.yaml", ERRORS_CONFIG)
    arguments = ["--config", name] if named == "flag" else []
    environment = {"LOGROUTER_CONFIG": name} if named == "variable" else {}

    done = workplace.route(LINES, *arguments, environment=environment)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert workplace.lines("errors.ndjson") == [ERROR]
    assert workplace.lines("rest.log") == [INFO, TEXT]


def test_environment_alone(workplace: Workplace) -> None:
    done = workplace.route(
        LINES,
        environment={
            "LOGROUTER_SINK_ERRORS": "file:errors.ndjson",
            "LOGROUTER_SINK_ERRORS__MATCH": 'severity >= "error"',
            "LOGROUTER_SINK_TEXT": "file:text.log?format=raw",
            "LOGROUTER_SINK_TEXT__MATCH": "not exists(level)",
        },
    )

    assert (done.returncode, done.stdout, troubles(done.stderr)) == (0, b"", [])
    assert (workplace.lines("errors.ndjson"), workplace.lines("text.log")) == ([ERROR], [TEXT])


def test_flags_alone(workplace: Workplace) -> None:
    sinks = ["--sink", "errors=file:errors.ndjson", "--sink", "all=stdout:?format=raw"]
    done = workplace.route(LINES, *sinks, "--match", 'errors=severity >= "error"')

    assert (done.returncode, done.stdout, done.stderr) == (0, LINES, b"")
    assert workplace.lines("errors.ndjson") == [ERROR]


def test_flags_win_over_environment_over_file(workplace: Workplace) -> None:
    workplace.write("logrouter.yaml", ERRORS_CONFIG)

    done = workplace.route(
        LINES,
        "--match",
        "rest=n == 1",
        environment={"LOGROUTER_SINK_ERRORS__PATH": "elsewhere", "LOGROUTER_SINK_REST__MATCH": "n == 2"},
    )

    assert (done.returncode, troubles(done.stderr)) == (0, [])
    assert workplace.lines("elsewhere") == [ERROR]
    assert workplace.lines("rest.log") == [INFO]
    assert workplace.lines("errors.ndjson") == []


def test_all_mistakes_are_told_at_once(workplace: Workplace) -> None:
    config = (
        'sinks:\n  errors:\n    type: fil\n  rest:\n    type: file\n    path: rest\n    match: level ~ "x"\nstep: []\n'
    )
    workplace.write("wrong.yaml", config)

    done = workplace.route(LINES, "--config", "wrong.yaml", environment={"LOGROUTER_SHUTDOWN_TIMEOUT": "soon"})
    complaints = done.stderr.decode()

    assert (done.returncode, done.stdout) == (78, b"")
    assert "Traceback" not in complaints
    for place in ("wrong.yaml:3:", "wrong.yaml:7:", "wrong.yaml:8:", "LOGROUTER_SHUTDOWN_TIMEOUT"):
        assert place in complaints
    assert "'file'" in complaints  # the nearest known words
    assert "'steps'" in complaints
    assert workplace.lines("rest") == []


def test_unwritable_path_is_a_mistake(workplace: Workplace) -> None:
    workplace.write("a-file", "not a folder\n")

    done = workplace.route(LINES, "--sink", "out=file:a-file/out.ndjson")

    assert done.returncode == 78
    assert b"a-file" in done.stderr
    assert b"Traceback" not in done.stderr


def test_readme_demo(workplace: Workplace) -> None:
    demo = workplace.start([*LOGROUTER, "demo", "--count", "500", "--rate", "0", "--seed", "1"], stdout=subprocess.PIPE)
    router = workplace.start_router("--config", str(REPOSITORY / "configs" / "demo.yaml"), stdin=demo.stdout)
    pipe(demo.stdout).close()
    output, complaints = router.communicate(timeout=TOO_LONG_SECONDS)

    assert (demo.wait(TOO_LONG_SECONDS), router.returncode, complaints) == (0, 0, b"")
    assert len(output.splitlines()) > 0
    written = [path for path in (workplace.folder / "demo-logs").rglob("*") if path.is_file()]
    assert all(path.stat().st_size > 0 for path in written)
    assert len(written) >= 2


def test_version_and_help(workplace: Workplace) -> None:
    version, usage = (workplace.route(b"", flag) for flag in ("--version", "--help"))

    assert (version.returncode, usage.returncode) == (0, 0)
    assert re.match(rb"logrouter \d+\.\d+\.\d+", version.stdout)
    assert all(word in usage.stdout for word in (b"--config", b"--sink", b"--match", b"check", b"explain", b"demo"))


def test_wrong_flag_exits_2(workplace: Workplace) -> None:
    done = workplace.route(b"", "--no-such-flag")

    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--no-such-flag" in done.stderr


# ── fed with anything ─────────────────────────────────────────────────────────────────────────────────


def test_100_000_lines_are_conserved_over_three_sinks(workplace: Workplace) -> None:
    random = Random(5)
    events = [
        b'{"level":"%s","n":%d,"pad":"%s"}\n'
        % (random.choice([b"debug", b"info", b"error"]), n, b"x" * random.randrange(90))
        for n in range(100_000)
    ]
    levels = ("debug", "info", "error")
    sinks = [part for level in levels for part in ("--sink", f"{level}=file:{level}")]
    rules = [part for level in levels for part in ("--match", f'{level}=level == "{level}"')]

    done = workplace.route(b"".join(events), *sinks, *rules)

    assert (done.returncode, done.stderr) == (0, b"")
    for level in levels:
        assert workplace.lines(level) == [event for event in events if b'"level":"%s"' % level.encode() in event]


def garbage(seed: int, length: int) -> bytes:
    """Random bytes without CR, which framing takes off the end of a line; no line is near `max_line`."""
    return Random(seed).randbytes(length).replace(b"\r", b"\0")


def test_garbage_passes_raw_as_it_was(workplace: Workplace) -> None:
    data = garbage(1, 1 << 20)
    expected = [line for line in data.split(b"\n") if line]

    done = workplace.route(data, "--sink", "raw=stdout:?format=raw")

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.removesuffix(b"\n").split(b"\n") == expected


def test_garbage_becomes_valid_json(workplace: Workplace) -> None:
    data = garbage(2, 1 << 18)
    expected = [{"message": line.decode("utf-8", "replace")} for line in data.split(b"\n") if line]

    done = workplace.route(data)

    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(line) for line in done.stdout.split(b"\n")[:-1]] == expected


def test_hostile_lines_one_event_each(workplace: Workplace) -> None:
    lines = [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":18446744073709551616}',
        b'{"a":1e400}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b'{"a":1,"a":2}',
        b'{"level":"x","\\u006cevel":"y"}',
        b'{"a":1}{"b":2}',
        b'{"level":{"deep":[1]},"time":"not a time"}',
        b"\xff\xfe\x00",
        b"null",
        b"{}",
    ]
    done = workplace.route(b"\n".join(lines), "--sink", "raw=file:raw?format=raw", "--sink", "json=file:json")

    assert (done.returncode, done.stderr) == (0, b"")
    assert [line.removesuffix(b"\n") for line in workplace.lines("raw")] == lines
    assert len(workplace.lines("json")) == len(lines)


def test_line_ends(workplace: Workplace) -> None:
    done = workplace.route(b"one\r\n\r\n\ntwo\nthree without an end", "--sink", "raw=stdout:?format=raw")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"one\ntwo\nthree without an end\n", b"")


def test_50_megabytes_without_a_newline(workplace: Workplace) -> None:
    data = (b"0123456789abcdef" * (1 << 16)) * 50

    done = workplace.route(data, "--sink", "raw=file:raw?format=raw", "--sink", "json=file:json")

    assert (done.returncode, done.stderr) == (0, b"")
    assert (workplace.folder / "raw").read_bytes() == data + b"\n"
    pieces = [json.loads(line)["message"] for line in workplace.lines("json")]
    assert len(pieces) >= 50
    assert "".join(pieces).encode() == data


def test_a_gigabyte_without_a_newline(workplace: Workplace) -> None:
    """As many events as pieces, no byte lost, and no more memory than for short lines."""
    zeros = workplace.start(["head", "-c", "1G", "/dev/zero"], stdout=subprocess.PIPE)
    letters = workplace.start(["tr", r"\0", "a"], stdin=zeros.stdout, stdout=subprocess.PIPE)
    command = [*LAUNCHER, "usage", *LOGROUTER, "--sink", "json=stdout:?format=json"]
    router = workplace.start(command, stdin=letters.stdout, stdout=subprocess.PIPE)
    counter = workplace.start(["wc", "-lc"], stdin=router.stdout, stdout=subprocess.PIPE)
    for process in (zeros, letters, router):  # so that each pipe has one reader, and ends with it
        pipe(process.stdout).close()
    counted, _ = counter.communicate(timeout=TOO_LONG_SECONDS)

    assert router.wait(TOO_LONG_SECONDS) == 0
    pieces, length = map(int, counted.split())
    assert pieces == 1024
    assert length == 2**30 + pieces * len('{"message":""}\n')
    _, _, peak_mib = map(float, (workplace.folder / "usage").read_text().split())
    assert peak_mib <= 80


# ── stdin and stdout of each kind ─────────────────────────────────────────────────────────────────────


def test_stdin_a_regular_file(workplace: Workplace) -> None:
    workplace.write("input", LINES.decode())

    with (workplace.folder / "input").open("rb") as file:
        router = workplace.start_router("--sink", "raw=stdout:?format=raw", stdin=file)
        output, complaints = router.communicate(timeout=TOO_LONG_SECONDS)

    assert (router.returncode, output, complaints) == (0, LINES, b"")


def test_lines_that_no_source_reads_are_told_of(workplace: Workplace) -> None:
    workplace.write("in.log", '{"n":1}\n')
    workplace.write("logrouter.yaml", "sources: {f: {type: file, include: [in.log], follow: false}}")

    for stdin, told in (("in.log", True), (os.devnull, False)):
        with (workplace.folder / stdin).open("rb") as file:
            router = workplace.start_router(stdin=file)
            _, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
        assert router.returncode == 0
        assert (b"stdin is not read" in complaints) is told


def test_stdin_dev_null(workplace: Workplace) -> None:
    router = workplace.start_router("--sink", "raw=file:raw", stdin=subprocess.DEVNULL)
    output, complaints = router.communicate(timeout=TOO_LONG_SECONDS)

    assert (router.returncode, output, complaints) == (0, b"", b"")


def test_stdin_closed(workplace: Workplace) -> None:
    """Nothing else may take the place of stdin: a file opened as 0 would be read, or written over."""
    command = f"exec {shlex.join(LOGROUTER)} --sink raw=file:raw <&-"
    router = workplace.start(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, complaints = router.communicate(timeout=TOO_LONG_SECONDS)

    assert b"Traceback" not in complaints
    assert (router.returncode, output) == (0, b"")


@pytest.mark.parametrize(("stream", "told"), [("stdout", "default: sinks.stdout"), ("stderr", "--sink a=…: sinks.a")])
def test_nothing_passes_for_delivered_to_a_stream_that_is_closed(workplace: Workplace, stream: str, told: str) -> None:
    flags = [] if stream == "stdout" else ["--sink", "a=stderr:"]
    command = f"echo lost | {shlex.join([*LOGROUTER, *flags])} {'>&-' if stream == 'stdout' else '2>&-'}"
    router = workplace.start(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, complaints = router.communicate(timeout=TOO_LONG_SECONDS)

    assert (router.returncode, output) == (78, b"")
    if stream == "stdout":
        assert complaints.decode() == f"{told}: stdout is closed: nothing that is written there would arrive\n"


def test_stdin_a_terminal(workplace: Workplace) -> None:
    ours, theirs = os.openpty()
    router = workplace.start_router("--sink", "raw=stdout:?format=raw", stdin=theirs)
    os.close(theirs)
    os.write(ours, b"typed\n\x04")  # Ctrl-D
    output, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    os.close(ours)

    assert (router.returncode, output, complaints) == (0, b"typed\n", b"")


def test_terminal_without_input_gets_the_help(workplace: Workplace) -> None:
    ours, theirs = os.openpty()
    router = workplace.start_router(stdin=theirs)
    output, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    os.close(theirs)
    os.close(ours)

    assert router.returncode in (0, 2)
    assert b"--config" in output + complaints


def test_stdout_a_terminal_is_pretty_and_safe(workplace: Workplace) -> None:
    ours, theirs = os.openpty()
    router = workplace.start_router(stdout=theirs, environment={"NO_COLOR": "1", "TERM": "xterm"})
    os.close(theirs)
    hostile = b'{"level":"error","message":"boom \\u001b]0;owned\\u0007","n":7}\nred \x1b[31m text\n'
    _, complaints = router.communicate(hostile, timeout=TOO_LONG_SECONDS)
    shown = read_all(ours)

    assert (router.returncode, complaints) == (0, b"")
    assert b"boom" in shown
    assert b"n=7" in shown
    assert b'{"level"' not in shown
    assert b"\x1b" not in shown
    assert b"\x07" not in shown


def read_all(terminal: int) -> bytes:
    """What a terminal was sent, whose other side is closed."""
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # EIO: Linux's end of file for a terminal
        pass
    os.close(terminal)
    return shown


@pytest.mark.parametrize("lines", [2, 100_000])
def test_reader_of_stdout_leaves_early(workplace: Workplace, lines: int) -> None:
    """`… | logrouter | head -1`"""
    router = workplace.start_router("--sink", "raw=stdout:?format=raw", stdin=subprocess.PIPE)
    head = workplace.start(["head", "-1"], stdin=router.stdout, stdout=subprocess.PIPE)
    pipe(router.stdout).close()
    try:
        pipe(router.stdin).write(INFO * lines)
        head.wait(TOO_LONG_SECONDS)
        pipe(router.stdin).write(INFO * lines)
        pipe(router.stdin).close()
    except BrokenPipeError:  # it may be gone already
        pass

    assert router.wait(TOO_LONG_SECONDS) == 0
    assert pipe(router.stderr).read() == b""
    assert pipe(head.stdout).read() == INFO


# ── ended in each way ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_signal_while_input_is_open(workplace: Workplace, signal_number: int) -> None:
    """It reads on, for half of the shutdown's time, since an app that ends too may have last words."""
    router = workplace.start_router(
        "--sink", "raw=file:raw?format=raw", environment={"LOGROUTER_SHUTDOWN_TIMEOUT": "2s"}
    )
    pipe(router.stdin).write(INFO)
    workplace.wait_for_line("raw")
    router.send_signal(signal_number)
    pipe(router.stdin).write(ERROR)

    assert router.wait(TOO_LONG_SECONDS) == 0
    assert workplace.lines("raw") == [INFO, ERROR]
    assert pipe(router.stderr).read() == b""


def test_signal_then_end_of_input_ends_at_once(workplace: Workplace) -> None:
    router = workplace.start_router(
        "--sink", "raw=file:raw?format=raw", environment={"LOGROUTER_SHUTDOWN_TIMEOUT": "10m"}
    )
    pipe(router.stdin).write(INFO)
    workplace.wait_for_line("raw")
    router.send_signal(signal.SIGTERM)
    pipe(router.stdin).write(b"last words")
    pipe(router.stdin).close()

    assert router.wait(TOO_LONG_SECONDS) == 0
    assert workplace.lines("raw") == [INFO, b"last words\n"]


def test_what_is_typed_ends_with_the_first_ctrl_c(workplace: Workplace) -> None:
    ours, theirs = os.openpty()
    router = workplace.start_router(
        "--sink", "raw=file:raw?format=raw", stdin=theirs, environment={"LOGROUTER_SHUTDOWN_TIMEOUT": "10m"}
    )
    os.close(theirs)
    os.write(ours, b"typed\n")
    workplace.wait_for_line("raw")
    router.send_signal(signal.SIGINT)

    assert router.wait(TOO_LONG_SECONDS) == 0
    os.close(ours)
    assert workplace.lines("raw") == [b"typed\n"]


def test_what_is_stuck_is_named_and_exits_75(workplace: Workplace) -> None:
    """A reader of stdout that reads nothing: what it was not given is told, not only lost."""
    router = workplace.start_router(
        "--sink", "slow=stdout:?format=raw", environment={"LOGROUTER_SHUTDOWN_TIMEOUT": "1s"}
    )
    data = (b"x" * 1023 + b"\n") * 4096  # 4 MiB: more than a pipe holds, less than the spool does
    pipe(router.stdin).write(data)
    pipe(router.stdin).close()

    assert router.wait(TOO_LONG_SECONDS) == 75
    told = pipe(router.stderr).read()
    assert b"slow" in told
    assert b"Traceback" not in told


def test_each_line_leaves_at_once(workplace: Workplace) -> None:
    """A line is out before the next one is in: nothing waits for a buffer to fill."""
    router = workplace.start_router()
    for number in range(5):
        line = b'{"n":%d}\n' % number
        pipe(router.stdin).write(line)
        assert pipe(router.stdout).readline() == line
    pipe(router.stdin).close()

    assert router.wait(TOO_LONG_SECONDS) == 0


def test_moved_file_is_made_again(workplace: Workplace) -> None:
    """What logrotate does: rename the file, and go on."""
    router = workplace.start_router("--sink", "raw=file:raw?format=raw")
    pipe(router.stdin).write(INFO)
    workplace.wait_for_line("raw")
    (workplace.folder / "raw").rename(workplace.folder / "raw.1")
    router.send_signal(signal.SIGHUP)
    pipe(router.stdin).write(ERROR)
    pipe(router.stdin).close()

    assert router.wait(TOO_LONG_SECONDS) == 0
    assert workplace.lines("raw.1") + workplace.lines("raw") == [INFO, ERROR]


def test_python_warnings_are_none(workplace: Workplace) -> None:
    """No resource is left open, no deprecated call is made, on the way of a plain run."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-m", "logrouter", "--sink", "raw=file:raw"]
    router = workplace.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, complaints = router.communicate(LINES, timeout=TOO_LONG_SECONDS)

    assert (router.returncode, output, complaints) == (0, b"", b"")
