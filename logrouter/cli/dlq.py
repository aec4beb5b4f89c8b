"""`logrouter dlq`: look at the events that destinations have refused, send them again, delete them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from logrouter.cli._spool_options import add_place_options, add_subparser, find

_SUMMARIES = {
    "ls": "how many there are, of which sinks, and why",
    "show": "each with its reason and its event",
    "replay": "send them to their sinks again",
    "delete": "delete them",
}
_DESCRIPTIONS = {
    "ls": "List how many dead letters there are of each sink, for each reason.",
    "show": "Show dead letters: what was refused, when, why, and the event as it was sent. As lines of JSON; on a\n"
    "terminal as text.",
    "replay": "Send dead letters to their sinks again, under the ids that their events had: a destination that goes\n"
    "by ids has each once. What is delivered is deleted; what is refused again stays, with the new reason.\n"
    "Exit 0 when all is delivered, 74 when something was refused again, 75 when something could not be sent.",
    "delete": "Delete dead letters, which makes room for others. They are gone then: `show` them before.",
}
_EXAMPLES = """\
examples:
  logrouter dlq ls                                          those of the config's spool
  logrouter dlq show --sink es --where 'http.status >= 500' | jq .event
  logrouter dlq replay --sink es                            once its mapping is mended
  logrouter dlq delete --reason too_old

All may be used while logrouter runs, which notices what has gone.
"""


def main(argv: Sequence[str]) -> int:
    """Run one of its commands."""
    options = make_parser().parse_args(argv)
    found = find(options)
    if options.command == "ls":
        from logrouter.cli._dlq_ls import ls

        return ls(found, options)
    if options.command == "show":
        from logrouter.cli._dlq_show import show

        return show(found, options)
    if options.command == "replay":
        from logrouter.cli._dlq_replay import send_again

        return send_again(found, options)
    from logrouter.cli._dlq_delete import delete

    return delete(found, options)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all its commands."""
    from logrouter.cli import _options

    parser = _options.parser(
        "dlq",
        "Look at the events that destinations have refused (dead letters), send them again, delete them.",
        _EXAMPLES,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, summary in _SUMMARIES.items():
        command = add_subparser(commands, name, summary, _DESCRIPTIONS[name])
        _add_options(name, command)
        add_place_options(command, needs_config=name == "replay")
    return parser


def _add_options(name: str, to: argparse.ArgumentParser) -> None:
    if name == "ls":
        to.add_argument("--json", action="store_true", help="for programs: one JSON object, with exact figures")
        return
    to.add_argument("ids", metavar="ID", nargs="*", help="as `ls` and `show` tell them: 9f3c5b7a11d0e264-1042")
    to.add_argument("--sink", metavar="NAME", help="only those of this sink")
    to.add_argument("--reason", metavar="TEXT", help="only those with this reason")
    to.add_argument("--where", metavar="RULE", help="only events for which the rule holds: 'severity >= \"error\"'")
    if name == "show":
        to.add_argument("--format", choices=["json", "pretty"], help="how: pretty is for people")
        return
    to.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    if name == "replay":
        seconds = "how long a destination that does not take them is tried, for each MiB of them; default: 30s"
        to.add_argument("--timeout", metavar="DURATION", default="30s", help=seconds)
    else:
        to.add_argument("--all", action="store_true", help="all there are, also what cannot be read")
