"""What all commands share: names, help, versions, exit codes, and no traceback for anybody."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import logrouter
from logrouter.cli import _route, commands, main, summaries
from logrouter.cli import check as check_command
from logrouter.errors import ConfigError, LogrouterError, Mistake, StartError
from tests.cli.conftest import Command

LOGROUTER = (sys.executable, "-m", "logrouter")
REPOSITORY = Path(__file__).resolve().parents[2]


# ── names, help, version ──────────────────────────────────────────────────────────────────────────────


def test_commands_are_the_files() -> None:
    assert {"check", "completion", "config", "demo", "describe", "explain", "spool"} <= set(commands())
    assert [name for name in commands() if name.startswith("_")] == []


@pytest.mark.parametrize("name", commands())
def test_each_command_says_what_it_does(command: Command, name: str) -> None:
    assert summaries()[name], f"the first line of cli/{name}.py is '`logrouter {name}`: …'"

    done = command(name, "--help")

    assert (done.code, done.complaints) == (0, "")
    assert done.output.startswith(f"usage: logrouter {name} [-h]")


def test_help_fits_a_terminal_that_does_not_say_how_wide_it_is(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(os, "get_terminal_size", lambda: os.terminal_size((0, 0)))
    assert "usage: logrouter check [-h] [--connect]" in command("check", "--help").output


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_all_commands_and_flags(command: Command, flag: str) -> None:
    done = command(flag)

    assert (done.code, done.complaints) == (0, "")
    listed = dict(re.findall(r"^  (\w+) +(.+)$", done.output.partition("commands:\n")[2], re.MULTILINE))
    assert {name: listed.get(name) for name in commands()} == summaries()
    assert all(f in done.output for f in ("--config", "--sink", "--match", "--set", "--verbose", "--version"))


@pytest.mark.parametrize(
    ("word", "hint"),
    [("chek", "; did you mean 'check'?"), ("explian", "; did you mean 'explain'?"), ("zzz", ""), ("_route", "")],
)
def test_an_unknown_command(command: Command, word: str, hint: str) -> None:
    complaint = f"logrouter: there is no command {word!r}{hint} (see logrouter --help)\n"
    assert command(word) == (2, "", complaint)


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (("help",), "logrouter: there is no command 'help'; write logrouter --help"),
        (("version",), "logrouter: there is no command 'version'; write logrouter --version"),
        (("c.yaml",), "logrouter: there is no command 'c.yaml'; if it is the config, say --config c.yaml"),
        (("app.log",), "logrouter: there is no command 'app.log'; lines are read from standard input: < app.log"),
        (("check", "c.yml"), "unrecognized arguments: c.yml (if it is the config, say --config c.yml)"),
        (("check", "app.log"), "unrecognized arguments: app.log"),
        (("explain", "app.log"), "unrecognized arguments: app.log (lines are read from standard input: < app.log)"),
        (
            ("--set", "a=b", "app.log"),
            "unrecognized arguments: app.log (lines are read from standard input: < app.log)",
        ),
        (("--sinks", "a"), "unrecognized arguments: --sinks a (did you mean '--sink'?)"),
        (("--Sink=a",), "unrecognized arguments: --Sink=a (did you mean '--sink'?)"),
        (("demo", "--counts", "5"), "unrecognized arguments: --counts 5 (did you mean '--count'?)"),
        (("spool", "ls", "--dir", "x"), "unrecognized arguments: --dir x (did you mean '--directory'?)"),
        (("run", "--pass_env", "--"), "unrecognized arguments: --pass_env (did you mean '--pass-env'?)"),
        (("init", "vm", "c.yaml"), "unrecognized arguments: c.yaml"),
    ],
)
def test_the_next_step_is_told(command: Command, tmp_path: Path, argv: tuple[str, ...], hint: str) -> None:
    (tmp_path / "app.log").touch()
    done = command(*argv)

    assert (done.code, done.output) == (2, "")
    assert done.complaints.endswith(f"{hint}\n")


def test_an_empty_name_of_a_config_is_not_the_working_folder(command: Command) -> None:
    assert command("check", "--config", "") == (78, "", "--config: expected the path of a file, and it is empty\n")


@pytest.mark.parametrize("argv", [("--nosuch",), ("check", "--nosuch"), ("check", "extra"), ("--conf", "x"), ("-x",)])
def test_wrong_usage(command: Command, argv: tuple[str, ...]) -> None:
    done = command(*argv)

    assert (done.code, done.output) == (2, "")
    assert done.complaints.startswith("usage: logrouter")
    assert argv[-1] in done.complaints or "--conf" in argv


def test_the_version_names_the_config(command: Command) -> None:
    def hash_of(*argv: str) -> str:
        done = command("--version", *argv)
        assert (done.code, done.complaints) == (0, "")
        match = re.fullmatch(
            rf"logrouter {re.escape(logrouter.__version__)} \(config ([0-9a-f]{{12}})\)\n", done.output
        )
        assert match is not None
        return match[1]

    plain = hash_of()

    assert hash_of() == plain
    assert hash_of("--set", "shutdown_timeout=25s") == plain  # the default, said again
    assert hash_of("--set", "shutdown_timeout=26s") != plain
    assert hash_of("--match", "stdout=a == 1") != hash_of("--match", "stdout=a == 2")


def test_the_version_of_a_wrong_config(command: Command) -> None:
    done = command("--version", "--set", "shutdown_timeout=soon")
    assert done == (0, f"logrouter {logrouter.__version__} (config wrong: see logrouter check)\n", "")


INTERNAL_ERROR = (
    "logrouter: internal error: ZeroDivisionError('oops')\n"
    "This is a bug in logrouter. LOGROUTER_LOG_LEVEL=debug shows where; please report it.\n"
)


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "code", "complaint"),
    [
        (ConfigError([Mistake("a:1:2", "x"), Mistake("b", "y", "z?")]), 78, "a:1:2: x\nb: y (z?)\n"),
        (StartError("cannot listen"), 69, "logrouter: cannot listen\n"),
        (LogrouterError("no"), 2, "logrouter: no\n"),
        (KeyboardInterrupt(), 130, ""),
        (ExceptionGroup("", [ExceptionGroup("", [StartError("deep")])]), 69, "logrouter: deep\n"),
        (BaseExceptionGroup("", [KeyboardInterrupt()]), 130, ""),
        (
            ZeroDivisionError("oops"),
            70,
            INTERNAL_ERROR,
        ),
    ],
)
def test_errors_have_an_exit_code_and_no_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, complaint: str
) -> None:
    monkeypatch.setattr(check_command, "main", _raising(error))

    assert command("check") == (code, "", complaint)


def test_debugging_shows_where_a_bug_is(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_command, "main", _raising(ZeroDivisionError("oops")))
    monkeypatch.setenv("LOGROUTER_LOG_LEVEL", "debug")

    with pytest.raises(ZeroDivisionError, match="oops"):
        main(["check"])


def _raising(error: BaseException) -> Callable[[object], int]:
    def run(argv: object) -> int:
        raise error

    return run


# ── as processes ──────────────────────────────────────────────────────────────────────────────────────


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOGROUTER_", "OTEL_"))}
    return {**kept, "PYTHONPATH": str(REPOSITORY)}


@pytest.mark.parametrize(
    ("place", "configured"),
    [("logrouter.yaml", True), ("etc/a.yaml", True), ("etc/a.txt", False), ("logrouter.yaml/x", False)],
)
def test_on_a_terminal_any_config_is_enough_to_route(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, configured: bool
) -> None:
    """Whoever has one wants to type lines into it; all others get the help."""
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("log_level: info")
    monkeypatch.setattr("logrouter.config.files.SYSTEM_FOLDER", tmp_path / "etc")
    monkeypatch.setattr(os, "isatty", lambda descriptor: True)
    monkeypatch.setattr(_route, "run", lambda settings, verbose: 0)

    done = command()

    assert done.code == 0
    assert done.output.startswith("usage: logrouter") is not configured


@pytest.mark.slow
def test_help_on_a_terminal_without_input(tmp_path: Path) -> None:
    terminal, inner = os.openpty()
    try:
        done = subprocess.run(
            LOGROUTER, stdin=inner, capture_output=True, cwd=tmp_path, env=clean_environment(), timeout=30, check=False
        )
    finally:
        os.close(terminal)
        os.close(inner)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"usage: logrouter")


@pytest.mark.slow
@pytest.mark.parametrize("argv", [("describe",), ("config",), ("--help",)])
def test_nobody_reads_the_output(tmp_path: Path, argv: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*LOGROUTER, *argv],
            stdout=writing,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=clean_environment(),
            timeout=30,
            check=False,
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "output", "complaints"),
    [
        ("describe >&-", 74, "", "logrouter: stdout is closed\n"),
        ("demo --count 1 >&-", 74, "", "logrouter: stdout is closed\n"),
        ("explain >&-", 74, "", "logrouter: stdout is closed\n"),
        ("--help >&-", 74, "", "logrouter: stdout is closed\n"),
        ("demo --count 1 >/dev/full", 74, "", "logrouter: No space left on device\n"),
        ("check --set a=b 2>&-", 78, "", ""),  # never on stdout instead
        ("check --set a=b 2>/dev/full", 78, "", ""),
        ("--nonsense 2>&-", 2, "", ""),
        ("demo --count 1 --format access --start nonsense >&- 2>&-", 2, "", ""),
    ],
)
def test_a_stream_that_takes_nothing(tmp_path: Path, arguments: str, code: int, output: str, complaints: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"echo line | {shlex.join(LOGROUTER)} {arguments}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=clean_environment(),
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (code, output, complaints)


@pytest.mark.slow
def test_an_internal_error_of_a_process(tmp_path: Path) -> None:
    """Where it matters most: while routing, inside nurseries."""
    (tmp_path / "broken.py").write_text(
        "import sys\n"
        "from logrouter.sources import stdin\n"
        "def run(self, emit): raise ZeroDivisionError('oops')\n"
        "stdin.StdinSource.run = run\n"
        "from logrouter.cli import main\n"
        "sys.exit(main([]))\n"
    )
    done = subprocess.run(
        [sys.executable, "broken.py"],
        input=b"x\n",
        capture_output=True,
        cwd=tmp_path,
        env=clean_environment(),
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (70, b"")
    assert done.stderr.splitlines()[0] == b"logrouter: internal error: ZeroDivisionError('oops')"
    assert b"Traceback" not in done.stderr


# ── where it runs ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def _deleted(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`command` first: it has a folder of its own."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()


@pytest.mark.usefixtures("_deleted")
def test_a_working_folder_that_was_deleted_matters_only_to_paths_that_begin_there(
    command: Command, tmp_path: Path
) -> None:
    assert command("check").code == 0
    assert command("check", "--sink", f"o=file:{tmp_path}/o.log").code == 0

    done = command("check", "--sink", "o=file:o.log")

    assert done.code == 74
    assert done.complaints == "logrouter: the working folder was deleted: paths that begin there lead nowhere\n"


def test_a_file_that_may_not_be_read_is_told_of_without_a_number(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def main(arguments: list[str]) -> int:
        raise PermissionError(13, "Permission denied", "spool/segments")

    monkeypatch.setattr("logrouter.cli.check.main", main)

    done = command("check")

    assert (done.code, done.complaints) == (74, "logrouter: spool/segments: Permission denied\n")
