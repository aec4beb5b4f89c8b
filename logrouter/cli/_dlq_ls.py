"""`logrouter dlq ls`: how many dead letters there are of each sink, for each reason."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

import msgspec

from logrouter import times
from logrouter.cli._dlq_choice import Reading, files_of
from logrouter.cli._spool_options import Found, as_json
from logrouter.dead_letters import DeadLetter
from logrouter.figures import counted, rounded_size, table, to_the_second


class Row(msgspec.Struct):
    """The letters of one sink that have the same reason."""

    sink: str
    reason: str
    letters: int
    bytes: int
    first_rejected: str
    last_rejected: str
    example: str
    """The id of the last."""
    configured: bool | None
    """Whether the config has this sink; None where none was read."""


class Listing(msgspec.Struct, frozen=True):
    """All of it."""

    directory: str
    rows: list[Row]
    letters: int
    bytes: int
    """Of the files, so with what cannot be read."""
    limit_bytes: int | None
    """How much they may take; None where no config was read."""
    unreadable: int
    """Lines."""


def ls(found: Found, options: Namespace) -> int:
    """List them."""
    files = files_of(found)
    reading = Reading(files)
    rows = _rows(reading, found)
    listing = Listing(
        files.folder,
        rows,
        sum(row.letters for row in rows),
        sum(file.size_bytes for file in files.all()),
        int(found.settings.dead_letters.max_size) if found.settings else None,
        reading.unreadable,
    )
    print(as_json(listing) if options.json else "\n".join(told(listing)))
    return reading.check()


def _rows(reading: Reading, found: Found) -> list[Row]:
    rows: dict[tuple[str, str], Row] = {}
    last: dict[tuple[str, str], DeadLetter] = {}
    first_ns: dict[tuple[str, str], int] = {}
    for letter, size_bytes in reading.all():
        key = (letter.sink, letter.reason)
        if key not in rows:
            configured = letter.sink in found.settings.sinks if found.settings else None
            rows[key] = Row(letter.sink, letter.reason, 0, 0, "", "", "", configured)
        rows[key].letters += 1
        rows[key].bytes += size_bytes
        first_ns[key] = min(letter.rejected_ns, first_ns.get(key, letter.rejected_ns))
        if key not in last or letter.rejected_ns >= last[key].rejected_ns:
            last[key] = letter
    for key, row in rows.items():
        row.first_rejected = times.format_rfc3339(first_ns[key])
        row.last_rejected = times.format_rfc3339(last[key].rejected_ns)
        row.example = last[key].name
    return [rows[key] for key in sorted(rows)]


# ── for people ──


def told(listing: Listing) -> list[str]:
    """The listing as text."""
    limit = f" of {rounded_size(listing.limit_bytes)}" if listing.limit_bytes is not None else ""
    gone = sorted({row.sink for row in listing.rows if row.configured is False})
    return [
        listing.directory,
        "",
        *(_table(listing.rows) if listing.rows else ["no dead letters"]),
        "",
        *(f"{sink}: not a sink of this config; its letters stay until they are deleted" for sink in gone),
        f"total: {counted(listing.letters, 'letter')}, {rounded_size(listing.bytes)}{limit}",
    ]


def _table(rows: Sequence[Row]) -> list[str]:
    titles = ("SINK", "REASON", "LETTERS", "SIZE", "FIRST REJECTED", "LAST REJECTED", "EXAMPLE")
    lines = [
        (
            row.sink,
            row.reason,
            str(row.letters),
            rounded_size(row.bytes),
            to_the_second(row.first_rejected),
            to_the_second(row.last_rejected),
            row.example,
        )
        for row in rows
    ]
    return table(titles, lines, numbers=titles[2:4])
