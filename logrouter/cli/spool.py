"""`logrouter spool`: look into a spool on disk, check it, take events out of it, repair it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from logrouter.cli._spool_options import add_place_options, add_subparser, find

_SUMMARIES = {
    "ls": "list its segments, and how far each sink has read",
    "verify": "read everything, and tell every damaged place",
    "export": "write its events as lines of JSON",
    "repair": "set aside what is damaged",
}
_DESCRIPTIONS = {
    "ls": "List the segments of a spool, and how far each sink has read. Reads no events: it is quick.",
    "verify": "Read everything in a spool, and tell every damaged place and what it costs.\n"
    "Exit 0 when all is well, 74 when something is damaged.",
    "export": "Write the events in a spool as lines of JSON, each with what is known of it under meta.…, and its id\n"
    "as logrouter.id. Damaged records are told on stderr and left out; exit 74 then.",
    "repair": "Set aside what is damaged in a spool that no process uses: what is whole stays, the damaged file is\n"
    "kept in the folder aside. `logrouter spool verify` tells beforehand what that costs.",
}
_EXAMPLES = """\
examples:
  logrouter spool ls                                        the spool of the config
  logrouter spool verify --directory /var/lib/logrouter     a spool by its folder
  logrouter spool export --sink errors --match 'severity >= "error"' | less
  logrouter spool export --from 2026-01-31T12:00:00Z --to 2026-01-31T13:00:00Z --output noon.ndjson

ls, verify and export may be used while logrouter runs; repair may not.
"""


def main(argv: Sequence[str]) -> int:
    """Run one of its commands."""
    options = make_parser().parse_args(argv)
    found = find(options)
    if options.command == "ls":
        from logrouter.cli._spool_ls import ls

        return ls(found.directory, found.settings, options)
    if options.command == "verify":
        from logrouter.cli._spool_verify import verify

        return verify(found.directory, options)
    if options.command == "export":
        from logrouter.cli._spool_export import export

        return export(found.directory, found.settings, options)
    from logrouter.cli._spool_repair import repair

    return repair(found.directory, options)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all its commands."""
    from logrouter.cli import _options

    parser = _options.parser(
        "spool", "Look into a spool on disk, check it, take events out of it, repair it.", _EXAMPLES
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, summary in _SUMMARIES.items():
        command = add_subparser(commands, name, summary, _DESCRIPTIONS[name])
        _add_options(name, command)
        add_place_options(command)
    return parser


def _add_options(name: str, to: argparse.ArgumentParser) -> None:
    if name in ("ls", "verify"):
        to.add_argument("--json", action="store_true", help="for programs: one JSON object, with exact figures")
    elif name == "repair":
        to.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    else:
        when = "a sequence, or the time at which it was read (2026-01-31T12:00:00Z)"
        to.add_argument("--from", dest="since", metavar="WHERE", help=f"the first event: {when}")
        to.add_argument("--to", dest="until", metavar="WHERE", help="the first event that is not wanted any more")
        to.add_argument("--sink", metavar="NAME", help="only what waits for this sink")
        to.add_argument("--match", metavar="RULE", help="only events for which the rule holds: 'severity >= \"error\"'")
        to.add_argument("--raw", action="store_true", help="the events as they came, and nothing else")
        to.add_argument("--output", metavar="FILE", help="write to a file instead of stdout")
