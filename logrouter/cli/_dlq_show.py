"""`logrouter dlq show`: dead letters as lines of JSON, or for people.

    {"id":"9f3c5b7a11d0e264-1042","sink":"es","reason":"mapping conflict","detail":"…","rejected":"…","received":"…",
     "meta":{"source":"app","stream":"stdin"},"event":{"level":"info",…}}

`event` is what was sent, byte for byte where it was JSON; text is a string, with U+FFFD for what is not UTF-8.
"""

from __future__ import annotations

import os
from argparse import Namespace

import msgspec

from logrouter import times
from logrouter.cli._dlq_choice import Choice, Reading, files_of
from logrouter.cli._spool_options import Found, standard_output
from logrouter.dead_letters import DeadLetter
from logrouter.event import Flag, flag_attributes
from logrouter.figures import to_the_second
from logrouter.formats.include import Include
from logrouter.formats.pretty import pretty_lines
from logrouter.formats.values import escape_controls
from logrouter.runtime.transports.streams import is_terminal, wants_colour
from logrouter.sinks import Slice

_INDENT = "    "
_BOLD, _RESET = "\x1b[1m", "\x1b[0m"


def show(found: Found, options: Namespace) -> int:
    """Show those that are wanted."""
    reading = Reading(files_of(found), Choice(found, options))
    output = standard_output()
    is_pretty = options.format == "pretty" or (options.format is None and is_terminal(1))
    colour = is_pretty and wants_colour(1, os.environ)
    for letter, _ in reading.all():
        output.write(_pretty(letter, colour) if is_pretty else _json_line(letter))
    return reading.check()


def _json_line(letter: DeadLetter) -> bytes:
    is_json = letter.flags & Flag.JSON
    return (
        msgspec.json.encode(
            {
                "id": letter.name,
                "sink": letter.sink,
                "reason": letter.reason,
                "detail": letter.detail,
                "rejected": times.format_rfc3339(letter.rejected_ns),
                "received": times.format_rfc3339(letter.received_ns),
                "meta": {**letter.attributes, **flag_attributes(letter.flags)},
                "event": msgspec.Raw(letter.payload) if is_json else letter.payload.decode("utf-8", "replace"),
            }
        )
        + b"\n"
    )


def _pretty(letter: DeadLetter, colour: bool) -> bytes:
    """Its reason, and its event as it would stand on a terminal."""
    rejected = to_the_second(times.format_rfc3339(letter.rejected_ns))
    reason = escape_controls(letter.reason)
    head = f"{letter.name}  {letter.sink}  {f'{_BOLD}{reason}{_RESET}' if colour else reason}  rejected {rejected}"
    event = pretty_lines(_slice(letter), Include(()), colour).decode("utf-8", "replace")
    lines = [*escape_controls(letter.detail).split("\n"), *event.splitlines()]
    return "\n".join([head, *(_INDENT + line for line in lines if line), ""]).encode("utf-8", "replace")


def _slice(letter: DeadLetter) -> Slice:
    return Slice(
        [letter.payload],
        bytes((letter.flags,)),
        letter.attributes,
        letter.received_ns,
        letter.epoch,
        [letter.sequence],
    )
