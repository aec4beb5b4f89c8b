"""`logrouter health`: ask a running logrouter whether it is well, as HEALTHCHECK of an image does."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from logrouter.config.settings import Address

EXIT_UNHEALTHY: Final = 1
"""The only code but 0 that Docker's HEALTHCHECK knows."""
TIMEOUT_SECONDS: Final = 3.0
_ANY_HOST: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where one that listens everywhere is reached."""


def main(argv: Sequence[str]) -> int:
    """Exit 0 where /healthz (with --ready: /readyz) says that all is well, or where no admin port is configured."""
    from logrouter.cli import _options
    from logrouter.errors import ConfigError

    options = make_parser().parse_args(argv)
    try:
        listen = _options.load(options).admin.listen
    except ConfigError as error:
        print(*error.mistakes, sep="\n")
        return EXIT_UNHEALTHY
    if listen is None:
        print("there is nobody to ask: admin.listen is not set")
        return 0
    is_well, told = _ask(listen, "/readyz" if options.ready else "/healthz")
    print(told)
    return 0 if is_well else EXIT_UNHEALTHY


def make_parser() -> ArgumentParser:
    """The parser of its flags."""
    from logrouter.cli import _options

    parser = _options.parser(
        "health",
        "Ask the logrouter that runs here, by its admin port (admin.listen), whether it turns. Exit 0: it does, or it "
        "has no such port, so that there is nobody to ask; 1: it does not, or the config is wrong.",
    )
    parser.add_argument("--ready", action="store_true", help="ask whether its sources are open")
    _options.add_config_options(parser)
    return parser


def _ask(address: Address, target: str) -> tuple[bool, str]:
    """Whether it is well, and what it says."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(_ANY_HOST.get(address.host, address.host), address.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status == 200, answer.read(1000).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return False, f"{address}: {str(error) or type(error).__name__}"
    finally:
        connection.close()
