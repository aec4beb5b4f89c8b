"""Which spool a command is about, by the config or by its folder: for `logrouter spool` and `logrouter dlq`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import BinaryIO, Final, NamedTuple

import msgspec

from logrouter.config.settings import Settings
from logrouter.errors import ExpressionError, LogrouterError
from logrouter.formats.values import without_surrogates
from logrouter.rules import Rule
from logrouter.runtime.spool.directory import SpoolDirectory, problem_with_kinds, problem_with_version

EXIT_DAMAGED: Final = 74
"""EX_IOERR: something could not be read."""


class Found(NamedTuple):
    """The spool that is meant."""

    directory: SpoolDirectory
    settings: Settings | None
    """None: it was named by its folder, and no config was read."""


def add_subparser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, description: str
) -> argparse.ArgumentParser:
    """The parser of one command of the two."""
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_place_options(to: argparse.ArgumentParser, *, needs_config: bool = False) -> None:
    """The flags that say which spool it is. `needs_config`: the folder alone is not enough."""
    from logrouter.cli import _options

    to.set_defaults(directory=None, needs_config=needs_config)
    if not needs_config:
        to.add_argument("--directory", metavar="DIR", help="the folder of the spool; no config is read then")
    _options.add_config_options(to, sinks=False)


def find(options: argparse.Namespace) -> Found:
    """The spool that is meant, by its folder or by the config. Raises ConfigError, LogrouterError."""
    if options.directory is not None:
        if options.config or options.set:
            raise LogrouterError("--directory names the spool already: leave out --config and --set, or --directory")
        return Found(_existing(options.directory), None)
    from logrouter.cli import _options

    settings = _options.load(options, sinks=False)
    if settings.spool.directory is None:
        ways = "" if options.needs_config else "name one with --directory DIR, or "
        raise LogrouterError(f"the config has no spool.directory: {ways}name the config with --config FILE")
    return Found(_existing(settings.spool.directory), settings)


def parse_rule(flag: str, text: str | None) -> Rule | None:
    """The rule that a flag holds. Raises LogrouterError."""
    try:
        return None if text is None else Rule.parse(text)
    except ExpressionError as error:
        raise LogrouterError(f"{flag}: {error}") from error


def standard_output() -> BinaryIO:
    """Where lines of events go."""
    return sys.stdout.buffer


def as_json(value: object) -> str:
    """One JSON object, for programs. What is no UTF-8 in a path is U+FFFD there."""
    return without_surrogates(json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":")))


def tell(text: str) -> None:
    """Say something to the user, who may have piped away the output."""
    print(f"logrouter: {text}", file=sys.stderr)


def _existing(path: str) -> SpoolDirectory:
    directory = SpoolDirectory(path)
    try:
        os.listdir(path)
        os.listdir(directory.segments)
    except FileNotFoundError:
        found = (
            f"{path} is no spool: it has no folder segments" if os.path.isdir(path) else f"there is no folder {path}"
        )
        raise LogrouterError(found) from None
    except OSError as error:
        raise LogrouterError(f"cannot read the spool {path}: {error.strerror}") from None
    if problem := problem_with_kinds(path) or problem_with_version(path):
        raise LogrouterError(problem)
    return directory
