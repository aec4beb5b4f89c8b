"""`logrouter reload`: have the logrouter that runs read its config again, and see what changes."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

_DESCRIPTION = """\
Have the logrouter that runs read its config again: the files, variables and flags that it was started with. It is made
ready beside the one in force; if anything is wrong that one goes on, and what is wrong is shown here, exit 78. Waits
until all has changed, and prints what has.

SIGHUP does the same, and tells the log.
"""


def main(argv: Sequence[str]) -> int:
    """Exit 0 where the config is reloaded, also if nothing has changed; 78 where it is wrong; 69 where none runs."""
    from logrouter.cli import EXIT_CONFIG, EXIT_UNAVAILABLE
    from logrouter.runtime.control import Request, ask

    answer = ask(_places(make_parser().parse_args(argv)), Request("reload"))
    if mistakes := answer.get("mistakes"):
        print(*mistakes, sep="\n", file=sys.stderr)
        return EXIT_CONFIG
    if reason := answer.get("reason") or answer.get("error"):
        print(f"logrouter: not reloaded: {reason}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    print(*(answer["changes"] or ["nothing has changed"]), sep="\n")
    return 0


def make_parser() -> ArgumentParser:
    """The parser of its flags."""
    from logrouter.cli import _options

    parser = _options.parser("reload", _DESCRIPTION)
    parser.add_argument(
        "--socket", metavar="PATH", help="its control socket; without it, it is looked for by the config below"
    )
    _options.add_config_options(parser, sinks=False)
    return parser


def _places(options: Namespace) -> list[str]:
    """Where the one that is meant may listen. Raises ConfigError."""
    if options.socket is not None:
        return [options.socket]
    from logrouter.cli import _options
    from logrouter.runtime.control import NAME, service_places

    settings = _options.load(options, sinks=False)
    if settings.spool.directory is not None:
        return [os.path.join(settings.spool.directory, NAME)]
    return service_places(os.environ)
