"""What the commands that read the config have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from logrouter.config import Flags
    from logrouter.config.settings import Settings
    from logrouter.errors import Mistake


def parser(
    command: str, description: str, epilog: str | None = None, usage: str | None = None
) -> argparse.ArgumentParser:
    """A parser for one command. Imports nothing else: `run` must stay small."""
    import argparse  # 5 ms of the start, for those who give arguments

    from logrouter.cli._arguments import Parser

    return Parser(
        prog=f"logrouter {command}".strip(),
        usage=usage,
        description=description,
        epilog=epilog,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=_width()),
        allow_abbrev=False,
    )


_USUAL_WIDTH = 80
"""Where nobody says: a terminal that has just been made may say 0."""


def _width() -> int:
    """How wide help may be. argparse would ask `shutil`, which is a tenth of the memory of `run`."""
    with suppress(ValueError, OSError):
        return int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size().columns or _USUAL_WIDTH
    return _USUAL_WIDTH


def add_config_options(to: argparse.ArgumentParser, *, sinks: bool = True) -> None:
    """The flags that say what the config is; `sinks`: also those that make sinks."""
    group = to.add_argument_group("config", "files, then LOGROUTER_* variables, then these flags; later wins")
    group.add_argument("--config", "-c", metavar="FILE", action="append", default=[], help="a YAML file (repeatable)")
    if sinks:
        _add_sink_options(group)
    group.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any option: spool.memory=32MiB")


def _add_sink_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--sink",
        metavar="NAME=URL",
        action="append",
        default=[],
        help="add or replace a sink: errors=file:errors.ndjson",
    )
    group.add_argument(
        "--match",
        metavar="NAME=RULE",
        action="append",
        default=[],
        help="which events a sink takes: errors='severity >= \"error\"'",
    )


def add_source_option(to: argparse.ArgumentParser) -> None:
    """The flag that says which source lines on stdin are of."""
    to.add_argument("--source", metavar="NAME", help="the source that reads the lines (default: the config's first)")


def source_of(options: argparse.Namespace, settings: Settings) -> str:
    """The source that is meant. Raises LogrouterError where there is none of that name."""
    from logrouter.errors import LogrouterError, nearest_or_all

    name: str = next(iter(settings.sources)) if options.source is None else options.source
    if name not in settings.sources:
        raise LogrouterError(f"--source: there is no source {name!r}; {nearest_or_all(name, settings.sources)}")
    return name


def load(options: argparse.Namespace, app: str | None = None, *, sinks: bool = True) -> Settings:
    """The settings that files, environment and flags make; for an app under `logrouter run`. Raises ConfigError.

    `sinks`: as of `add_config_options`.
    """
    from logrouter import config

    return config.load(*given(options, sinks=sinks), app=app)


def given(options: argparse.Namespace, *, sinks: bool = True) -> tuple[list[Path], Mapping[str, str], Flags]:
    """What a config is made of, in the order in which `config.load` takes it. Raises ConfigError."""
    from pathlib import Path

    from logrouter.config import Flags
    from logrouter.errors import ConfigError, Mistake

    if "" in options.config:
        raise ConfigError([Mistake("--config", "expected the path of a file, and it is empty")])
    made_by_flags = {"sinks": options.sink, "matches": options.match} if sinks else {}
    return [Path(file) for file in options.config], os.environ, Flags(sets=options.set, **made_by_flags)


def load_default() -> Settings:
    """The same without any flag, and without argparse: most starts are like that."""
    from logrouter import config

    return config.load((), os.environ)


def show_warnings(warnings: Iterable[Mistake]) -> None:
    """What is allowed and probably not meant, on stderr."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
