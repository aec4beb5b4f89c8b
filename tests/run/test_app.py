"""The app behaves as if logrouter were not there: what it gets, what it may do with its output, what its end is."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.processes import REPOSITORY, TOO_LONG_SECONDS, Workplace, pipe
from tests.run.apps import SINKS, WAYS, Runner, children

pytestmark = pytest.mark.slow

LINES = "import sys; print('one'); print('two'); sys.stderr.write('oops\\n')"


# ── what it writes arrives ────────────────────────────────────────────────────────────────────────────


def test_both_streams_arrive_apart(runner: Runner, way: str) -> None:
    done = runner.run(way, LINES)

    assert (done.code, done.stdout, done.stderr) == (0, [b"one", b"two"], [b"oops"])
    assert (done.output, done.complaints) == ((b"one\ntwo\n", b"oops\n") if way == "tee" else (b"", b""))
    assert runner.captured() == []


def test_one_line_and_dead_at_once(runner: Runner, way: str) -> None:
    done = runner.run(way, "import os; os.write(1, b'last words'); os.kill(os.getpid(), 9)")

    assert (done.code, done.stdout) == (128 + 9, [b"last words"])


def test_half_lines_become_whole_ones(runner: Runner, way: str) -> None:
    script = (
        "import os, time\nfor part in (b'on', b'e\\ntw', b'o\\n', b'unfinished'): os.write(1, part); time.sleep(0.05)"
    )
    done = runner.run(way, script)

    assert (done.code, done.stdout) == (0, [b"one", b"two", b"unfinished"])


def test_many_threads_write(runner: Runner, way: str) -> None:
    script = """
import os, threading
def write(name):
    for number in range(2000): os.write(1 + number % 2, b"%s %d\\n" % (name, number))
threads = [threading.Thread(target=write, args=(b"thread-%d" % n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    done = runner.run(way, script)

    for lines, rest in ((done.stdout, 0), (done.stderr, 1)):
        for name in range(8):
            own = [line for line in lines if line.startswith(b"thread-%d " % name)]
            assert own == [b"thread-%d %d" % (name, number) for number in range(rest, 2000, 2)]
        assert len(lines) == 8000


def test_stdout_opened_anew_or_truncated_is_the_same_pipe(runner: Runner, way: str) -> None:
    """What a file in the pipe's place would not survive."""
    done = runner.run(way, ["sh", "-c", "echo one; echo two > /dev/stdout; : > /dev/stderr; echo oops > /dev/stderr"])

    assert (done.code, done.stdout, done.stderr) == (0, [b"one", b"two"], [b"oops"])


def test_a_stream_that_is_closed_early_ends_alone(runner: Runner, way: str) -> None:
    script = "import os, time; os.write(1, b'one\\n'); os.close(1); time.sleep(0.3); os.write(2, b'oops\\n')"
    done = runner.run(way, script)

    assert (done.code, done.stdout, done.stderr) == (0, [b"one"], [b"oops"])


def test_an_app_that_closes_both_and_lives_on_is_waited_for(runner: Runner, way: str) -> None:
    script = "import os, time; os.write(1, b'one\\n'); os.close(1); os.close(2); time.sleep(0.7); os._exit(4)"
    done = runner.run(way, script)

    assert (done.code, done.stdout) == (4, [b"one"])
    assert b"router" not in done.complaints


@pytest.mark.parametrize("way", ["pipe", "spool"])
def test_a_gibibyte_arrives(runner: Runner, way: str) -> None:
    script = """
import os
for block in range(1024):
    rest = memoryview(b"".join(b"%016d" % (block * 1024 + line) + b"x" * 1007 + b"\\n" for line in range(1024)))
    while rest: rest = rest[os.write(1, rest) :]
"""
    process = runner.start(way, script, "--set", "shutdown_timeout=1h", "--set", "spool.block_timeout=never")
    assert process.wait(10 * TOO_LONG_SECONDS) == 0
    complaints = pipe(process.stderr).read().splitlines()
    assert [line for line in complaints if b"reading waits" not in line] == []  # as it does for a disk that is busy
    with open(runner.folder / "stdout", "rb") as file:
        assert all(line[:17] == b"%016dx" % number for number, line in enumerate(file))
    assert (runner.folder / "stdout").stat().st_size == 2**30
    assert runner.captured() == []


def test_nothing_is_a_fine_output(runner: Runner, way: str) -> None:
    done = runner.run(way, ["true"])

    assert done == (0, [], [], b"", b"")


# ── what it gets ──────────────────────────────────────────────────────────────────────────────────────


def test_its_stdin_is_ours(runner: Runner, way: str) -> None:
    process = runner.start(way, ["cat"])
    pipe(process.stdin).write(b"asked\n")
    pipe(process.stdin).close()
    process.stdin = None

    assert runner.finish(process).stdout == [b"asked"]


def test_its_arguments_folder_group_and_signals_are_as_given(runner: Runner, way: str) -> None:
    script = """
import os, signal, sys
print(sys.argv[1:], os.getcwd(), os.getpgid(0) == os.getpgid(os.getppid()), os.getsid(0) == os.getsid(os.getppid()))
ours = ~(3 << 31)  # without the two that are the C library's own
print([int(line.split()[1], 16) & ours for line in open("/proc/self/status") if line[:6] in ("SigBlk", "SigIgn")])
print(sorted(os.listdir("/proc/self/fd"))[:-1])
"""
    command = [sys.executable, "-c", script, "--", "a b", ""]
    bare = runner.workplace.start(["env", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    wanted, _ = bare.communicate(timeout=TOO_LONG_SECONDS)

    done = runner.run(way, command)

    assert done.stdout == wanted.splitlines()


@pytest.mark.parametrize("passed", [False, True])
def test_it_does_not_see_our_variables_unless_it_should(runner: Runner, passed: bool) -> None:
    script = "import os; print(sorted(name for name in os.environ if name.startswith(('LOGROUTER', 'MINE'))))"
    runner.workplace.add_environment({"LOGROUTER_LOG_LEVEL": "error", "MINE": "1"})
    done = runner.run("pipe", script, *(["--pass-env"] if passed else []))

    assert done.stdout == [b"['LOGROUTER_LOG_LEVEL', 'MINE']" if passed else b"['MINE']"]


def test_descriptors_that_were_inherited_are_the_apps_and_not_the_routers(runner: Runner) -> None:
    """A lock, or a socket of a service manager, must be gone when the app is."""
    reader, writer = os.pipe()
    script = f"import os; os.write({writer}, b'inherited'); print('done'); input()"
    process = runner.start("pipe", script, pass_fds=[writer])
    os.close(writer)
    runner.wait_for("stdout", b"done")
    router = children(process.pid)["router"]
    assert os.readlink(f"/proc/self/fd/{reader}") not in open_files(router)
    assert os.read(reader, 100) == b"inherited"
    os.close(reader)
    assert runner.finish(process).stdout == [b"done"]


def open_files(pid: int) -> set[str]:
    """What a process has open."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # it has closed it just now
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found


@contextmanager
def few_descriptors(count: int) -> Iterator[None]:
    """So many may be opened, by `ulimit -n`; what is open already stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_is_inherited_may_be_beyond_the_limit(runner: Runner) -> None:
    reader, writer = os.pipe()
    beyond = fcntl.fcntl(writer, fcntl.F_DUPFD, 500)
    os.close(writer)
    with few_descriptors(500):
        process = runner.start("pipe", f"import os; os.write({beyond}, b'inherited')", pass_fds=[beyond])
    os.close(beyond)
    done = runner.finish(process)

    assert (done.code, done.complaints) == (0, b"")
    assert os.read(reader, 100) == b"inherited"
    os.close(reader)


def test_its_service_is_named_after_its_command(runner: Runner) -> None:
    sink = ["--sink", "named=file:{service.name}?format=raw"]
    runner.run("pipe", ["/bin/echo", "hello"], *sink)
    runner.workplace.add_environment({"OTEL_SERVICE_NAME": "better"})
    runner.run("pipe", ["/bin/echo", "hello"], *sink)

    assert (runner.lines("echo"), runner.lines("better")) == ([b"hello"], [b"hello"])


def test_a_command_whose_name_is_no_text_names_its_service_all_the_same(runner: Runner) -> None:
    command = runner.folder / "echo-\udcff"
    command.symlink_to("/bin/echo")
    runner.run("pipe", [str(command), "hello"], "--sink", "named=file:{service.name}?format=raw")

    assert runner.lines("echo-\ufffd") == [b"hello"]


# ── its end ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", [1, 75])
def test_its_exit_code_is_ours(runner: Runner, way: str, code: int) -> None:
    assert runner.run(way, ["sh", "-c", f"exit {code}"]).code == code


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGTERM, signal.SIGRTMIN])
def test_a_signal_that_ends_it_is_told_as_shells_do(runner: Runner, number: int) -> None:
    assert runner.run("pipe", f"import os; os.kill(os.getpid(), {int(number)})").code == 128 + number


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        (["no-such-command"], 127, b"No such file or directory"),
        (["/no/such/command"], 127, b"No such file or directory"),
        ([""], 127, b"No such file or directory"),
        (["/etc/passwd"], 126, b"Permission denied"),
        (["/etc"], 126, b"Permission denied"),
        (["./no-program"], 126, b"Exec format error"),
    ],
)
def test_what_cannot_be_executed(runner: Runner, command: list[str], code: int, reason: bytes) -> None:
    (runner.folder / "no-program").write_bytes(b"\x00nothing that can be executed\n")
    (runner.folder / "no-program").chmod(0o755)
    done = runner.run("pipe", command)

    assert done.code == code
    assert reason in done.complaints
    assert b"cannot be started" in done.complaints


def test_a_working_folder_that_has_vanished_is_no_matter(runner: Runner) -> None:
    """Where the sinks do not care: the app starts as it would without us."""
    place = runner.folder / "gone"
    place.mkdir()
    sink = f"out=file:{runner.folder}/stdout?format=raw"
    command = f"cd {place} && rmdir {place} && exec {sys.executable} -m logrouter run --sink {sink} -- echo hello"
    process = runner.workplace.start(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done = runner.finish(process)

    assert (done.code, done.stdout) == (0, [b"hello"])


def test_our_modules_are_not_looked_for_in_its_folder(runner: Runner) -> None:
    """An app's `trio.py` is nothing to us. (A console script starts us; `python -m` looks there itself.)"""
    for name in ("trio", "json", "logrouter"):
        (runner.folder / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    start = "import sys; from logrouter.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-P", "-c", start, "run", *SINKS, "--", "echo", "hello"]
    done = runner.finish(runner.workplace.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))

    assert (done.code, done.stdout, done.complaints) == (0, [b"hello"], b"")


def test_as_a_user_without_any_rights(way: str) -> None:
    """Pipes that may grow less, a spool of one's own, no capabilities."""
    packages = Path(pytest.__file__).resolve().parents[1]
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    python = next((path for path in (sys.executable, "/usr/bin/python3") if can_import(user, path, packages)), None)
    if python is None:
        pytest.skip("not root, or no Python that another user may start")
    command = [*user, python, "-m", "logrouter", "run", *SINKS, *WAYS[way], "--", "sh", "-c", "id -u; exit 3"]
    with TemporaryDirectory() as folder, ExitStack() as stack:  # pytest's are for this user alone
        Path(folder).chmod(0o777)
        runner = Runner(Workplace(Path(folder), stack))
        runner.workplace.add_environment({"PYTHONPATH": f"{REPOSITORY}:{packages}"})
        done = runner.finish(runner.workplace.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))

    assert (done.code, done.stdout, done.complaints) == (3, [b"65534"], b"")


def can_import(user: list[str], python: str, packages: Path) -> bool:
    """Whether that user may start that Python, and it takes these packages."""
    command = [*user, "env", python, "-c", "import msgspec, orjson, trio"]  # setpriv itself has more rights
    try:
        return not subprocess.run(command, env={"PYTHONPATH": str(packages)}, capture_output=True).returncode
    except OSError:
        return False
