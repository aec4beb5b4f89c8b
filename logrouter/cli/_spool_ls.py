"""`logrouter spool ls`: the segments of a spool, and how far each sink has read.

Headers and heads of records are read, no events: of each segment the header and one head, all heads of the last, and of
those in which a sink is.
"""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

import msgspec

from logrouter import times
from logrouter.cli._spool_check import open_log, sinks_in
from logrouter.cli._spool_options import as_json
from logrouter.config.settings import Settings
from logrouter.cursors import Counts, State
from logrouter.figures import counted, rounded_size, rounded_span, table, to_the_second
from logrouter.runtime.spool.cursor import Cursor
from logrouter.runtime.spool.directory import SpoolDirectory
from logrouter.runtime.spool.journal import Journal
from logrouter.runtime.spool.log_reader import LogReader
from logrouter.runtime.spool.segment_reader import Segment

_SECOND_NS = 10**9


class SegmentRow(msgspec.Struct, frozen=True):
    """One segment."""

    number: int
    path: str
    epoch: str | None
    """In hex, as ids of events have it."""
    first: int | None
    """The sequence of its first event."""
    end: int | None
    """The sequence after its last."""
    events: int | None
    bytes: int
    first_received: str | None
    last_received: str | None
    """Not later than this, where it is not the last segment."""
    state: Literal["waiting", "kept", "delivered", "damaged"]


class CursorRow(msgspec.Struct, frozen=True):
    """How far one sink is. All but its name is None where its cursor cannot be read."""

    sink: str
    configured: bool | None
    """Whether the config has this sink; None where none was read."""
    committed: int | None = None
    read: int | None = None
    """How many events the log has had for it."""
    delivered: int | None = None
    unmatched: int | None = None
    dead_lettered: Counts | None = None
    discarded: Counts | None = None
    lost: Counts | None = None
    waiting: int | None = None
    """Events it may still get, as far as is known without reading them."""
    waiting_bytes: int | None = None
    oldest_received: str | None = None
    oldest_seconds: float | None = None
    """The age of the oldest of them."""
    notes: int | None = None
    """Batches that were about to be sent, and are not settled."""
    gaps: int | None = None
    """Runs of events that it will not get, and has not been told of."""


class Listing(msgspec.Struct, frozen=True):
    """All of it."""

    directory: str
    user: int | None
    """The process that uses it."""
    segments: list[SegmentRow]
    cursors: list[CursorRow]
    events: int
    bytes: int
    aside: list[str]
    """Damaged files that have been set aside."""


class _Spot(NamedTuple):
    """Where a sink reads on."""

    bytes: int
    """From there to the end of the log."""
    received_ns: int | None


def ls(directory: SpoolDirectory, settings: Settings | None, options: Namespace) -> int:
    """List a spool."""
    listing = _look(directory, settings, time.time_ns())
    print(as_json(listing) if options.json else "\n".join(told(listing)))
    return 0


def _look(directory: SpoolDirectory, settings: Settings | None, now_ns: int) -> Listing:
    states = {sink: Journal(directory.journal(sink)).load() for sink in sinks_in(directory)}
    reader = open_log(directory)
    try:
        end = max([reader.end, *(state.end for state in states.values() if state is not None)])
        cursors = [_cursor_row(reader, end, sink, state, settings, now_ns) for sink, state in states.items()]
        readers = [Cursor(sink, "block", state) for sink, state in states.items() if state is not None]
        keep_ns = int(settings.spool.keep * _SECOND_NS) if settings else 0
        segments = [_segment_row(reader, segment, readers, now_ns - keep_ns) for segment in reader.segments]
        segments += [_damaged_row(reader.without_header(path)) for path in reader.damaged]
    finally:
        reader.close()
    return Listing(
        directory.path,
        directory.user(),
        sorted(segments, key=lambda row: row.number),
        cursors,
        sum(row.events or 0 for row in segments),
        sum(row.bytes for row in segments),
        _aside(directory),
    )


def _segment_row(reader: LogReader, segment: Segment, cursors: Sequence[Cursor], kept_from_ns: int) -> SegmentRow:
    header = segment.header
    head = next(reader.heads(segment), None)
    closed_ns = segment.closed_ns
    with suppress(OSError):
        closed_ns = min(closed_ns, os.stat(segment.path).st_mtime_ns)
    needed = any(cursor.needs(header.first, segment.end) for cursor in cursors)
    kept = not cursors or closed_ns > kept_from_ns
    return SegmentRow(
        segment.number,
        segment.path,
        f"{header.epoch:016x}",
        header.first,
        segment.end,
        segment.end - header.first,
        segment.size,
        times.format_rfc3339(head[0].received_ns) if head else None,
        times.format_rfc3339(closed_ns) if head else None,
        "waiting" if needed else "kept" if kept else "delivered",
    )


def _damaged_row(segment: Segment) -> SegmentRow:
    return SegmentRow(segment.number, segment.path, None, None, None, None, segment.size, None, None, "damaged")


def _cursor_row(
    reader: LogReader, end: int, sink: str, state: State | None, settings: Settings | None, now_ns: int
) -> CursorRow:
    """`end`: that of all events which the log or any cursor knows of."""
    configured = sink in settings.sinks if settings else None
    if state is None:
        return CursorRow(sink, configured)
    cursor = Cursor(sink, "block", state)
    waiting = cursor.waiting(end)
    spot = _spot(reader, cursor.wants) if waiting else _Spot(0, None)
    return CursorRow(
        sink,
        configured,
        state.committed,
        end - state.origin,
        state.ledger.delivered,
        state.ledger.unmatched,
        state.ledger.dead_lettered,
        state.ledger.discarded,
        state.ledger.lost,
        waiting,
        spot.bytes,
        times.format_rfc3339(spot.received_ns) if spot.received_ns else None,
        max(0, now_ns - spot.received_ns) / _SECOND_NS if spot.received_ns else None,
        len(state.notes),
        len(state.gaps),
    )


def _spot(reader: LogReader, sequence: int) -> _Spot:
    """Where the first event from there on stands that the log has."""
    later = [segment for segment in reader.segments if segment.end > sequence]
    for number, segment in enumerate(later):
        for head, offset in reader.heads(segment):
            if head.end > sequence:
                behind = sum(following.size for following in later[number + 1 :])
                return _Spot(segment.size - offset + behind, head.received_ns)
    return _Spot(0, None)


def _aside(directory: SpoolDirectory) -> list[str]:
    """What a repair or a start has set aside."""
    found = []
    for folder in (os.path.join(directory.path, "aside"), directory.segments):
        with suppress(FileNotFoundError):
            found += [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if ".damaged" in name]
    return found


# ── for people ──


def told(listing: Listing) -> list[str]:
    """The listing as text."""
    user = f", in use by process {listing.user}" if listing.user is not None else ""
    lines = [f"{listing.directory}{user}", "", *_segment_table(listing.segments), "", *_cursor_table(listing.cursors)]
    waiting = sum(1 for row in listing.cursors if row.waiting)
    parts = [
        counted(len(listing.segments), "segment"),
        counted(listing.events, "event"),
        rounded_size(listing.bytes),
        f"{waiting} of {len(listing.cursors)} sinks not up to date",
    ]
    return [*lines, "", *_remarks(listing), f"total: {', '.join(parts)}"]


def _remarks(listing: Listing) -> list[str]:
    remarks = [
        f"{row.sink}: this cursor cannot be read; `logrouter spool verify` tells where it is damaged"
        for row in listing.cursors
        if row.committed is None
    ]
    remarks += [
        f"{row.sink}: not a sink of this config; a run without it keeps nothing for it"
        for row in listing.cursors
        if row.configured is False
    ]
    if any(row.state == "damaged" for row in listing.segments):
        remarks.append("a segment is damaged; `logrouter spool verify` tells what that costs")
    return [*remarks, *(f"set aside: {path}" for path in listing.aside)]


def _segment_table(rows: Sequence[SegmentRow]) -> list[str]:
    if not rows:
        return ["no segments: no events are kept"]
    titles = ("SEGMENT", "FIRST", "END", "EVENTS", "SIZE", "FIRST RECEIVED", "LAST RECEIVED", "STATE")
    lines = [
        (
            str(row.number),
            _text(row.first),
            _text(row.end),
            _text(row.events),
            rounded_size(row.bytes),
            to_the_second(row.first_received),
            to_the_second(row.last_received),
            row.state,
        )
        for row in rows
    ]
    return table(titles, lines, numbers=titles[:5])


def _cursor_table(rows: Sequence[CursorRow]) -> list[str]:
    if not rows:
        return ["no cursors: no sink has begun to read"]
    titles = (
        *("SINK", "COMMITTED", "WAITING", "SIZE", "OLDEST"),
        *("DELIVERED", "UNMATCHED", "DEAD-LETTERED", "DISCARDED", "LOST", "NOTES", "GAPS"),
    )
    lines = [
        (
            row.sink,
            _text(row.committed),
            _text(row.waiting),
            rounded_size(row.waiting_bytes) if row.waiting_bytes is not None else "?",
            rounded_span(row.oldest_seconds) if row.oldest_seconds is not None else "-",
            _text(row.delivered),
            _text(row.unmatched),
            _counts(row.dead_lettered),
            _counts(row.discarded),
            _counts(row.lost),
            _text(row.notes),
            _text(row.gaps),
        )
        for row in rows
    ]
    return table(titles, lines, numbers=titles[1:])


def _text(number: int | None) -> str:
    return "?" if number is None else str(number)


def _counts(counts: Counts | None) -> str:
    if counts is None:
        return "?"
    return ", ".join(f"{number} {reason}" for reason, number in counts.items()) or "0"
