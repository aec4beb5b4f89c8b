"""`logrouter check`: find every mistake in the config, before it runs."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logrouter.config.settings import Settings


def main(argv: Sequence[str]) -> int:
    """Check the config. Exit 0 where it is right, 78 where it is not; 69 where a destination is not as it should be."""
    from logrouter import config
    from logrouter.cli import _options
    from logrouter.runtime.preflight import check_places, warnings_about_places, warnings_about_steps

    options = make_parser().parse_args(argv)
    settings, tests = config.load_tested(*_options.given(options))
    check_places(settings)
    main_process = os.environ.get("MAINPID", "")  # for ExecReload= alone: systemd.exec(5)
    reloading = int(main_process) if main_process.isdecimal() else None
    about_places = warnings_about_places(settings, reloading)
    _options.show_warnings([*settings.warnings, *about_places, *warnings_about_steps(settings)])
    parts = [
        _counted(settings.sources, "source"),
        _counted(settings.steps, "step"),
        _counted(settings.routes, "route"),
        _counted(settings.sinks, "sink"),
        *([_counted(tests, "test")] if tests else []),
    ]
    print(f"the config is right: {', '.join(parts)}")
    if options.verbose:
        print("".join(f"note: {note}\n" for note in settings.provenance.notes), end="")
    return _connect(settings) if options.connect else 0


def make_parser() -> ArgumentParser:
    """The parser of its flags."""
    from logrouter.cli import _options

    parser = _options.parser("check", "Check the config, and say everything that is wrong with it.")
    parser.add_argument(
        "--connect",
        action="store_true",
        help="also try each destination that is reached by HTTP, without sending it an event: its name, TLS, the "
        "credentials, rights, index or bucket; exit 69 where one would take nothing now",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="also say what follows from other options")
    _options.add_config_options(parser)
    return parser


def _connect(settings: Settings) -> int:
    import trio

    from logrouter.assembly import make_sink
    from logrouter.cli import EXIT_UNAVAILABLE
    from logrouter.runtime.probing import probe_all

    found = trio.run(probe_all, {name: make_sink(name, settings) for name in settings.sinks})
    for name, wrong in found.items():
        for problem in wrong:
            print(f"sinks.{name}: {problem}", file=sys.stderr)
        if not wrong:
            print(f"sinks.{name}: it answers, and nothing is wrong as far as it tells")
    return EXIT_UNAVAILABLE if any(found.values()) else 0


def _counted(parts: Collection[object], name: str) -> str:
    number = len(parts)
    names = f" ({', '.join(parts)})" if isinstance(parts, dict) and parts else ""
    return f"{number} {name}{'' if number == 1 else 's'}{names}"
