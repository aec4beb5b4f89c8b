"""`logrouter init`: write a config to begin with, for a sidecar, a machine or a wrapped app."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

STARTERS: Final = Path(__file__).parents[1] / "starters"
"""A commented config for each kind, `KIND.yaml`."""


def kinds() -> list[str]:
    """What there is a config for."""
    return sorted(path.stem for path in STARTERS.glob("*.yaml"))


def main(argv: Sequence[str]) -> int:
    """Write the config of a kind. A file that is there already is left alone: exit 2."""
    from logrouter.errors import LogrouterError

    options = make_parser().parse_args(argv)
    text = (STARTERS / f"{options.kind}.yaml").read_bytes()
    if options.output == "-":
        sys.stdout.write(text.decode())
        return 0
    try:
        descriptor = os.open(options.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise LogrouterError(f"{options.output} is there already, and is left as it is") from None
    with open(descriptor, "wb") as file:
        file.write(text)
    print(f"wrote {options.output}: change it, then `logrouter check{_config_flag(options.output)}`")
    return 0


def make_parser() -> ArgumentParser:
    """The parser of its words and flags."""
    from logrouter.cli import _options

    parser = _options.parser(
        "init",
        "Write a commented config to begin with, which `logrouter check` finds right.\n\n"
        "  wrapper   logrouter run -- my-app\n"
        "  sidecar   beside an app in its pod, reading its files\n"
        "  vm        a service of systemd, reading the files of a machine",
    )
    parser.add_argument("kind", choices=kinds())
    parser.add_argument(
        "--output", "-o", metavar="FILE", default="logrouter.yaml", help="where to (logrouter.yaml); -: to stdout"
    )
    return parser


def _config_flag(output: str) -> str:
    return "" if output == "logrouter.yaml" else f" --config {output}"
