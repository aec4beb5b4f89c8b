"""The command line. Without a command it routes stdin; each command is one file here, found by its name.

A command's file has a docstring whose first line is `` `logrouter name`: summary `` and `main(argv) -> exit code`.
What several need is in `_options.py`. Nothing is imported before it is needed: `app | logrouter` must be ready
at once.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Final

EXIT_USAGE: Final = 2
EXIT_UNAVAILABLE: Final = 69
"""EX_UNAVAILABLE: something that is needed to start cannot be had; of `check --connect`: some destination would take
nothing now."""
EXIT_IO: Final = 74
"""EX_IOERR: what a command prints could not be written."""
EXIT_INTERNAL: Final = 70
"""EX_SOFTWARE: our fault."""
EXIT_CONFIG: Final = 78
"""EX_CONFIG: the user's config is wrong."""
EXIT_INTERRUPTED: Final = 130
_FOLDER: Final = os.path.dirname(__file__)


def commands() -> list[str]:
    """The names of all commands."""
    return sorted(name[:-3] for name in os.listdir(_FOLDER) if name.endswith(".py") and name[0] != "_")


def summaries() -> dict[str, str]:
    """Command → what it does: the first line of its file, after its name. Imports none of them."""
    return {name: _first_line(name).partition(": ")[2].rstrip('."\n') for name in commands()}


def _first_line(name: str) -> str:
    with open(f"{_FOLDER}/{name}.py", encoding="utf-8") as file:
        return file.readline()


def main(argv: list[str] | None = None) -> int:
    """Run a command; gives the exit code. Shows no traceback, unless LOGROUTER_LOG_LEVEL is debug."""
    _prepare_streams()
    try:
        code = _ended(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BaseException as error:
        return _report(_innermost(error))
    return code


def _prepare_streams() -> None:
    """Let stdout and stderr take whatever is printed. Python has None for those that were closed when we started:
    what is for stdout fails then, as it must not pass for printed, and what is for stderr is not put on stdout."""
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - the same
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 gets what it can show


def _report(error: BaseException) -> int:
    """Say what went wrong, in the user's words. Gives the exit code."""
    from logrouter.errors import ConfigError, LogrouterError, StartError

    match error:
        case ConfigError():
            _complain(*error.mistakes)
            return EXIT_CONFIG
        case LogrouterError():
            _complain(f"logrouter: {error}")
            return EXIT_UNAVAILABLE if isinstance(error, StartError) else EXIT_USAGE
        case KeyboardInterrupt():
            return EXIT_INTERRUPTED
        case BrokenPipeError():  # `logrouter describe | head`
            _leave_stdout()
            return 0
        case FileNotFoundError() if _working_folder_is_gone():
            _complain("logrouter: the working folder was deleted: paths that begin there lead nowhere")
            return EXIT_IO
        case OSError():
            _leave_stdout()
            where = f"{error.filename}: " if error.filename else ""
            is_closed = error.errno == errno.EBADF and not error.filename
            _complain(f"logrouter: {where}{'stdout is closed' if is_closed else error.strerror or error}")
            return EXIT_IO
    if os.environ.get("LOGROUTER_LOG_LEVEL") == "debug":
        raise error
    _complain(
        f"logrouter: internal error: {error!r}",
        "This is a bug in logrouter. LOGROUTER_LOG_LEVEL=debug shows where; please report it.",
    )
    return EXIT_INTERNAL


def _complain(*lines: object) -> None:
    with suppress(OSError):  # stderr is full: the exit code says it too
        print(*lines, sep="\n", file=sys.stderr)


def _leave_stdout() -> None:
    """What its buffer still holds and cannot be written goes nowhere, or Python would try it again in the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _working_folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _ended(argv: list[str]) -> int:
    """Run the command. argparse has said what there is to say when it exits."""
    try:
        return _dispatch(argv)
    except SystemExit as end:
        return int(str(end.code))  # always a number


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        from logrouter.cli import _route

        return _route.main(argv)
    name, *rest = argv
    if name not in commands():
        from logrouter.cli._arguments import meant_by_command
        from logrouter.errors import LogrouterError, did_you_mean

        if meant := meant_by_command(name):
            raise LogrouterError(f"there is no command {name!r}; {meant}")
        hint = did_you_mean(name, commands())
        raise LogrouterError(f"there is no command {name!r}{f'; {hint}' if hint else ''} (see logrouter --help)")
    return int(import_module(f"logrouter.cli.{name}").main(rest))


def _innermost(error: BaseException) -> BaseException:
    """The first error inside the groups that nurseries make."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
