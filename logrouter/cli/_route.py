"""`app | logrouter`: what logrouter does when no command is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

    from logrouter.config.settings import Settings
    from logrouter.runtime.log import Log
    from logrouter.supervised import Connection

_EXAMPLES = """\
examples:
  app | logrouter                                    each line as a JSON event; pretty on a terminal
  app | logrouter --sink errors=file:errors.ndjson --match errors='severity >= "error"' --sink all=stdout:
  app | logrouter --config logrouter.yaml
  logrouter demo | logrouter                         something to try it with

exit codes: 0 all delivered, 2 usage, 69 it cannot start: an address or a folder is not to be had,
            74 something was lost, 75 something is undelivered, 78 the config is wrong
"""

_YOUNG_OBJECTS: Final = 200
"""After how many new containers the garbage collector looks through them, lists of thousands of events among them.
Python's 700 held all others up for up to 5 ms. In smaller portions it costs no more."""
_LARGE_BYTES: Final = 2 * 1024 * 1024
"""glibc maps each block of memory anew that is larger than any it has seen let go, and gives back what is free beyond
twice as much (mallopt(3), M_MMAP_THRESHOLD). What we read, frame and write is of such sizes: that made 50,000 page
faults for a million events. One block, larger than these and never touched, teaches it to keep them at hand."""


def main(argv: list[str]) -> int:
    """Route standard input until it ends."""
    from logrouter.cli import _options

    if not argv:
        if os.isatty(0) and not _is_configured():
            make_parser().print_help()
            return 0
        return run(_options.load_default, verbose=False)
    options = make_parser().parse_args(argv)
    if options.version:
        return _show_version(options)
    return run(partial(_options.load, options), verbose=options.verbose)


def run(read: Callable[[], Settings], *, verbose: bool, supervisor: Connection | None = None) -> int:
    """Route with the settings that `read` gives, now and for each reload. Gives the exit code.

    `supervisor`: under `logrouter run`, to be told when no sink takes anything any more.
    """
    import trio

    from logrouter.runtime.control import place_for
    from logrouter.runtime.log import Log
    from logrouter.runtime.notify import Notifier
    from logrouter.runtime.topology import Topology

    load = partial(_load, read, verbose)
    settings = load()
    log = Log(settings.log_level, pretty=os.isatty(2))
    topology = Topology(
        settings,
        log,
        notifier=Notifier.taken_from(os.environ, log),
        load=load,
        control_path=place_for(settings.spool.directory, os.environ),
    )
    _warn_of_unread(settings, log)
    log.info("routing", sources=list(settings.sources), sinks=list(settings.sinks))
    settle_memory()
    code = trio.run(topology.run)
    if supervisor is not None and topology.parts.is_closed:
        supervisor.say("closed")
    return code


def _warn_of_unread(settings: Settings, log: Log) -> None:
    """`app | logrouter`, where the config reads files alone: the app would wait for ever once the pipe is full."""
    if any(source.type in ("stdin", "run") for source in settings.sources.values()):
        return
    from logrouter.sources.stdin import has_bytes

    if has_bytes(0):
        log.warning("stdin is not read", reason="no source is of the type stdin")


def settle_memory() -> None:
    """Prepare the garbage collector and the allocator for what runs from now on."""
    import gc

    gc.enable()
    gc.set_threshold(_YOUNG_OBJECTS)
    gc.freeze()
    bytes(_LARGE_BYTES)  # made and let go


def _load(read: Callable[[], Settings], verbose: bool) -> Settings:
    """The settings, checked as far as that can be done before they are in force. Raises ConfigError."""
    from msgspec.structs import replace

    from logrouter.runtime.preflight import check_places

    settings = read()
    check_places(settings, streams=True)
    return replace(settings, log_level="info") if verbose and settings.log_level in ("warning", "error") else settings


def _is_configured() -> bool:
    """Whether there is any config at all: then the user wants to type lines into it."""
    from pathlib import Path

    from logrouter.config import files

    if any(name.startswith("LOGROUTER_") for name in os.environ):
        return True
    return bool(files.find_files((), os.environ, Path(), files.SYSTEM_FOLDER)[0])


def make_parser() -> argparse.ArgumentParser:
    """The parser of the flags that need no command, whose help tells of the commands too."""
    from logrouter.cli import _options, summaries

    listed = "\n".join(f"  {name:<12}{text}" for name, text in summaries().items())
    parser = _options.parser(
        "",
        "Capture the lines of an app, route them by rules, deliver them as promised.\n\n"
        "  app | logrouter [flags]     route what the app writes\n"
        "  logrouter COMMAND --help    one of the commands below",
        f"commands:\n{listed}\n\n{_EXAMPLES}",
    )
    _options.add_config_options(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="say on stderr what is started and stopped")
    parser.add_argument("--version", action="store_true", help="show the version and the hash of the config")
    return parser


def _show_version(options: argparse.Namespace) -> int:
    from logrouter import __version__
    from logrouter.cli import _options
    from logrouter.config.effective import config_hash
    from logrouter.errors import ConfigError

    try:
        shown = config_hash(_options.load(options))
    except ConfigError:
        shown = "wrong: see logrouter check"
    print(f"logrouter {__version__} (config {shown})")
    return 0
