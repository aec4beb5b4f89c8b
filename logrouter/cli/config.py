"""`logrouter config`: show the config that is in force, and where each value came from."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Print the effective config as YAML, secrets masked, the origin of each value in a comment."""
    from logrouter.cli import _options
    from logrouter.config.effective import render_effective

    print(render_effective(_options.load(make_parser().parse_args(argv))), end="")
    return 0


def make_parser() -> ArgumentParser:
    """The parser of its flags."""
    from logrouter.cli import _options

    parser = _options.parser(
        "config", "Show the config that is in force: files, environment and flags together, secrets masked."
    )
    _options.add_config_options(parser)
    return parser
