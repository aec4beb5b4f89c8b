"""The command line. Without a command it routes stdin; each command is one file here, found by its name.

A command's file has a docstring whose first line is `` `logrouter name`: summary `` and `main(argv) -> exit code`.
What several need is in `_options.py`. Nothing is imported before it is needed: `app | logrouter` must be ready
at once.
"""

from __future__ import annotations

import io
import os
import sys
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
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 gets what it can show
    try:
        code = _dispatch(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:  # closed when we started
            sys.stdout.flush()
    except BaseException as error:
        return _report(_innermost(error))
    return code


def _report(error: BaseException) -> int:
    """Say what went wrong, in the user's words. Gives the exit code."""
    from logrouter.errors import ConfigError, LogrouterError, StartError

    match error:
        case SystemExit():  # argparse has said it
            raise error
        case ConfigError():
            print(*error.mistakes, sep="\n", file=sys.stderr)
            return EXIT_CONFIG
        case LogrouterError():
            print(f"logrouter: {error}", file=sys.stderr)
            return EXIT_UNAVAILABLE if isinstance(error, StartError) else EXIT_USAGE
        case KeyboardInterrupt():
            return EXIT_INTERRUPTED
        case BrokenPipeError():  # `logrouter describe | head`: what stdout's buffer still holds has no reader either
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 0
        case FileNotFoundError() if _working_folder_is_gone():
            print("logrouter: the working folder was deleted: paths that begin there lead nowhere", file=sys.stderr)
            return EXIT_IO
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            print(f"logrouter: {where}{error.strerror or error}", file=sys.stderr)
            return EXIT_IO
    if os.environ.get("LOGROUTER_LOG_LEVEL") == "debug":
        raise error
    print(f"logrouter: internal error: {error!r}", file=sys.stderr)
    print("This is a bug in logrouter. LOGROUTER_LOG_LEVEL=debug shows where; please report it.", file=sys.stderr)
    return EXIT_INTERNAL


def _working_folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        from logrouter.cli import _route

        return _route.main(argv)
    name, *rest = argv
    if name not in commands():
        from logrouter.errors import LogrouterError, did_you_mean

        hint = did_you_mean(name, commands())
        raise LogrouterError(f"there is no command {name!r}{f'; {hint}' if hint else ''} (see logrouter --help)")
    return int(import_module(f"logrouter.cli.{name}").main(rest))


def _innermost(error: BaseException) -> BaseException:
    """The first error inside the groups that nurseries make."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
