"""`logrouter run`: run an app, and route what it writes to stdout and stderr."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from logrouter.supervisor import VARIABLE

if TYPE_CHECKING:
    import argparse

    from logrouter.config.settings import Settings

_EPILOG = """\
examples:
  logrouter run -- gunicorn app:app
  logrouter run --config logrouter.yaml --no-tee -- java -jar app.jar
  ENTRYPOINT ["logrouter", "run", "--"]              in a Dockerfile: what follows is the app

The app gets its arguments, environment, working folder, stdin and signals as if logrouter were not there, and its
exit code is ours: 128 + n where signal n has ended it, 127 where it is not found, 126 where it cannot be executed.
Where the router cannot start, neither is the app started: 78 the config is wrong, 69 something is not to be had.
"""


def main(argv: Sequence[str]) -> int:
    """Run the app to its end. In the process that the supervisor starts for it: route.

    The supervisor reads no flags, as it must stay small: what stands before `--` is for the router, which tells it.
    """
    if VARIABLE in os.environ:
        return _route(argv)
    place = argv.index("--") if "--" in argv else len(argv)
    flags, command = list(argv[:place]), list(argv[place + 1 :])
    if not command or not {"-h", "--help"}.isdisjoint(flags):
        _explain(flags)
    from logrouter.supervisor.supervise import supervise

    return supervise(command, flags)


def _explain(flags: Sequence[str]) -> None:
    """Show the help that was asked for, or what is wrong: that there is no command."""
    parser = make_parser()
    words = parser.parse_args(flags).words
    parser.error(f"write -- before the command: logrouter run -- {' '.join(words)}" if words else "no command to run")


def _route(argv: Sequence[str]) -> int:
    """Be the router."""
    from logrouter import supervised
    from logrouter.cli import _options, _route

    connection = supervised.connect(os.environ)
    options = make_parser().parse_args(argv)
    on_error = options.on_config_error or os.environ.pop("LOGROUTER_RUN__ON_CONFIG_ERROR", "refuse")
    connection.say("starting", passthrough=on_error == "passthrough")
    options.set += _sets(options)

    def read() -> Settings:
        settings = _options.load(options, app=connection.app)
        connection.agree(settings)
        return settings

    return _route.run(read, verbose=options.verbose, supervisor=connection)


def make_parser() -> argparse.ArgumentParser:
    """The parser of what stands before `--`."""
    import argparse

    from logrouter.cli import _options

    parser = _options.parser(
        "run",
        "Run an app, and route what it writes to stdout and stderr.",
        _EPILOG,
        usage="logrouter run [-h] [flags] -- COMMAND [ARGUMENT …]",
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument(
        "--capture",
        choices=["pipe", "spool"],
        help="spool: what the app writes is kept in files until the router has it, whatever happens to that; the "
        "default where there is a spool.directory. pipe: the router reads the app's pipes",
    )
    parser.add_argument(
        "--tee",
        action=argparse.BooleanOptionalAction,
        help="also write what the app writes to our own stdout and stderr, unchanged; default: yes, unless a sink "
        "writes there or something is redacted",
    )
    parser.add_argument(
        "--on-config-error",
        choices=["refuse", "passthrough"],
        help="what to do where the router cannot start: refuse (the default) to start the app, or run it as if "
        "logrouter were not there",
    )
    parser.add_argument("--pass-env", action="store_true", help="let the app see the variables LOGROUTER_… too")
    _options.add_config_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="say on stderr what is started and stopped")
    return parser


def _sets(options: argparse.Namespace) -> list[str]:
    """Our own flags as settings."""
    given = {"capture": options.capture, "tee": options.tee, "pass_env": options.pass_env or None}
    return [f"run.{key}={str(value).lower()}" for key, value in given.items() if value is not None]
