"""What the commands that read the config have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from logrouter import config
from logrouter.config.settings import Settings
from logrouter.errors import Mistake

if TYPE_CHECKING:
    import argparse


def parser(command: str, description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """A parser for one command."""
    import argparse  # 5 ms of the start, for those who give arguments

    return argparse.ArgumentParser(
        prog=f"logrouter {command}".strip(),
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_config_options(to: argparse.ArgumentParser, *, sinks: bool = True) -> None:
    """The flags that say what the config is; `sinks`: also those that make sinks."""
    group = to.add_argument_group("config", "files, then LOGROUTER_* variables, then these flags; later wins")
    group.add_argument(
        "--config", "-c", metavar="FILE", action="append", type=Path, default=[], help="a YAML file (repeatable)"
    )
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


def load(options: argparse.Namespace) -> Settings:
    """The settings that files, environment and flags make. Raises ConfigError."""
    flags = config.Flags(sinks=options.sink, matches=options.match, sets=options.set)
    return config.load(options.config, os.environ, flags)


def load_default() -> Settings:
    """The same without any flag, and without argparse: most starts are like that."""
    return config.load((), os.environ)


def show_warnings(warnings: Iterable[Mistake]) -> None:
    """What is allowed and probably not meant, on stderr."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
