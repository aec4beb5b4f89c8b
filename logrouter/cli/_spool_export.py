"""`logrouter spool export`: events of a spool as lines of JSON, or as they came.

    {"level":"info","meta.source":"stdin","meta.received":"…","logrouter.id":"9f3c5b7a11d0e264-1042"}

A line is what a sink with `include: [meta]` would write, and the event's id: epoch and sequence. Works while a process
writes and deletes: what has been deleted was delivered.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import compress
from operator import and_
from typing import BinaryIO, Final, NamedTuple

from logrouter import times
from logrouter.assembly import make_router, make_sink
from logrouter.cli._spool_check import is_moving, open_log, sinks_in
from logrouter.cli._spool_options import EXIT_DAMAGED, parse_rule, standard_output, tell
from logrouter.config.settings import Settings
from logrouter.cursors import Ledger, State
from logrouter.documents import decode_document, encode_document
from logrouter.errors import LogrouterError, nearest_or_all
from logrouter.event import Chunk, Offset
from logrouter.figures import counted
from logrouter.formats import ndjson
from logrouter.formats.include import Include
from logrouter.formats.raw import raw_lines
from logrouter.policy import SinkRouting
from logrouter.routing import Routed, Router
from logrouter.rules import Rule
from logrouter.runtime.spool.directory import SpoolDirectory
from logrouter.runtime.spool.journal import Journal
from logrouter.runtime.spool.log_reader import LogReader
from logrouter.runtime.spool.segment_reader import Segment, Stretch
from logrouter.sinks import Slice

ID_KEY: Final = "logrouter.id"


class Bounds(NamedTuple):
    """What part of the log is wanted: from the first to before the second."""

    since: int = 0
    until: int | None = None
    """Sequences."""
    since_ns: int = 0
    until_ns: int | None = None
    """Times of receiving."""

    def has(self, sequence: int, received_ns: int) -> bool:
        """Whether an event is in it."""
        return (
            self.since <= sequence
            and (self.until is None or sequence < self.until)
            and self.since_ns <= received_ns
            and (self.until_ns is None or received_ns < self.until_ns)
        )

    def may_be_in(self, segment: Segment) -> bool:
        """Whether there may be such events in a segment, as far as its header tells."""
        return segment.end > self.since and (self.until is None or segment.header.first < self.until)


def parse_bounds(since: str | None, until: str | None) -> Bounds:
    """Raises LogrouterError."""
    bounds = Bounds()
    if since is not None:
        sequence, time_ns = _parse_place("--from", since)
        bounds = bounds._replace(since=sequence or 0, since_ns=time_ns or 0)
    if until is not None:
        sequence, time_ns = _parse_place("--to", until)
        bounds = bounds._replace(until=sequence, until_ns=time_ns)
    return bounds


def _parse_place(flag: str, text: str) -> tuple[int | None, int | None]:
    """A sequence, or a time in nanoseconds."""
    if text.isascii() and text.isdecimal():
        return int(text), None
    time_ns = times.parse(text)
    if time_ns is None:
        raise LogrouterError(f"{flag}: expected a sequence, or a time such as 2026-01-31T12:00:00Z, not {text!r}")
    return None, time_ns


def export(directory: SpoolDirectory, settings: Settings | None, options: Namespace) -> int:
    """Write the events that are wanted."""
    choice = Choice(
        parse_bounds(options.since, options.until),
        parse_rule("--match", options.match),
        settings.resource if settings else {},
        _waiting_of(directory, settings, options.sink) if options.sink is not None else None,
    )
    reader = open_log(directory)
    try:
        with _output(options.output) as output:
            exporter = Exporter(reader, choice, raw=options.raw)
            for data in exporter.blocks():
                output.write(data)
    finally:
        reader.close()
    if options.output is not None:
        print(f"{counted(exporter.events, 'event')} written to {options.output}")
    return EXIT_DAMAGED if exporter.damaged else 0


def _output(path: str | None) -> AbstractContextManager[BinaryIO]:
    """Where it goes. A file is private, as the spool is."""
    if path is None:
        return nullcontext(standard_output())
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise LogrouterError(f"--output: cannot write {path}: {error.strerror}") from None


class Waiting:
    """What waits for one sink."""

    def __init__(self, state: State, wanted: Callable[[Chunk], bytes] | None) -> None:
        self.committed = state.committed
        self._gaps = state.gaps
        self.ends_at = state.ends_at
        self._wanted = wanted

    def mask(self, chunk: Chunk) -> bytes:
        """One byte an event: 1 where it waits for the sink."""
        wanted = self._wanted(chunk) if self._wanted is not None else b"\1" * len(chunk)
        first, end = chunk.offset.sequence, chunk.end.sequence
        if first >= self.committed and not self._gaps:
            return wanted
        return bytes(map(and_, wanted, map(self._waits, range(first, end))))

    def _waits(self, sequence: int) -> bool:
        return sequence >= self.committed and not any(gap.first <= sequence < gap.end for gap in self._gaps)


def _waiting_of(directory: SpoolDirectory, settings: Settings | None, sink: str) -> Waiting:
    """Raises LogrouterError where there is no such sink."""
    known = sinks_in(directory)
    if sink not in known:
        hint = nearest_or_all(sink, known)
        raise LogrouterError(f"--sink: no sink {sink!r} has a cursor in {directory.path}; {hint}")
    state = Journal(directory.journal(sink)).load()
    if state is None:
        tell(f"the cursor of {sink} cannot be read: it will begin with the oldest event that is kept")
        state = State(sink, 0, 0, Ledger())
    if settings is None or sink not in settings.sinks:
        tell(f"without its config nobody knows which events {sink} takes: here are all that it has not come to")
        return Waiting(state, None)
    return Waiting(state, _wanted_by(settings, sink))


def _wanted_by(settings: Settings, sink: str) -> Callable[[Chunk], bytes]:
    """What the rules of the config let through to a sink."""
    router = make_router({name: make_sink(name, settings) for name in settings.sinks}, settings)
    number = list(settings.sinks).index(sink)
    return lambda chunk: _classes(router, chunk, number)[0]


def _classes(router: Router, chunk: Chunk, sink: int) -> tuple[bytes, bytes]:
    """For each event, whether the sink gets it, and whether it has a key that the sink would add."""
    routed = [piece.routed for piece in router.route(chunk) if isinstance(piece.routed, Routed)]
    wanted = b"".join(part.numbers.translate(part.classes.wanted(sink)) for part in routed)
    return wanted, b"".join(part.numbers.translate(part.classes.colliding(sink)) for part in routed)


class Choice:
    """Which events are wanted."""

    def __init__(
        self, bounds: Bounds, rule: Rule | None, resource: dict[str, str], waiting: Waiting | None = None
    ) -> None:
        self.include = Include(("meta",))
        self.bounds = bounds
        if waiting is not None:
            self.bounds = bounds._replace(since=max(bounds.since, waiting.committed))
            if waiting.ends_at is not None:
                until = waiting.ends_at if bounds.until is None else min(bounds.until, waiting.ends_at)
                self.bounds = self.bounds._replace(until=until)
        self._waiting = waiting
        keys = (*self.include.keys, ID_KEY)
        self._router = Router([SinkRouting("export", rule, included_keys=keys)], resource=resource)

    def of(self, chunk: Chunk) -> Slice | None:
        """The events of a chunk that are wanted; None where none is."""
        first, end = chunk.offset.sequence, chunk.end.sequence
        inside = bytes(self.bounds.has(sequence, chunk.received_ns) for sequence in range(first, end))
        if 1 not in inside:
            return None
        wanted, collides = _classes(self._router, chunk, 0)
        if self._waiting is not None:
            wanted = bytes(map(and_, wanted, self._waiting.mask(chunk)))
        mask = bytes(map(and_, wanted, inside))
        return Slice(
            list(compress(chunk.payloads, mask)),
            bytes(compress(chunk.flags, mask)),
            chunk.attributes,
            chunk.received_ns,
            chunk.offset.epoch,
            list(compress(range(first, end), mask)),
            collides=bytes(compress(collides, mask)),
        )


class Exporter:
    """Goes through the log."""

    def __init__(self, reader: LogReader, choice: Choice, *, raw: bool) -> None:
        self.events = 0
        """Written so far."""
        self.damaged = False
        self._reader = reader
        self._choice = choice
        self._raw = raw
        self._open_line: Offset | None = None
        """The event that would continue a raw line that has no end yet."""

    def blocks(self) -> Iterator[bytes]:
        """All events that are wanted, a block for each chunk. Tells damage on stderr."""
        for path in self._reader.damaged:
            self._tell(f"{path}: its header cannot be read: left out (`logrouter spool repair` keeps what is whole)")
        for segment in self._reader.segments:
            if self._choice.bounds.may_be_in(segment):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    yield from self._segment(segment)
        if self._open_line is not None:
            yield b"\n"

    def _segment(self, segment: Segment) -> Iterator[bytes]:
        damaged: list[Stretch] = []
        for stretch in self._reader.walk(segment):
            if stretch.chunk is None:
                if not is_moving(self._reader, segment, stretch):
                    damaged.append(stretch)
                continue
            self._tell_damaged(segment, damaged, stretch.chunk.offset.sequence)
            part = self._choice.of(stretch.chunk)
            if part is not None and part.payloads:
                self.events += len(part.payloads)
                yield self._raw_lines(part) if self._raw else json_lines(part, self._choice.include)
        self._tell_damaged(segment, damaged, segment.end)

    def _raw_lines(self, part: Slice) -> bytes:
        data, self._open_line = raw_lines(part, self._open_line)
        return data

    def _tell_damaged(self, segment: Segment, damaged: list[Stretch], end: int) -> None:
        """Tell the damage before a sequence, if that is beyond the beginning of what is wanted."""
        if end >= self._choice.bounds.since:
            for stretch in damaged:
                place = f"{segment.path} at {stretch.offset}, {counted(stretch.size, 'byte')}"
                self._tell(f"{place}: {stretch.problem}: left out")
        damaged.clear()

    def _tell(self, problem: str) -> None:
        self.damaged = True
        tell(problem)


def json_lines(part: Slice, include: Include) -> bytes:
    """The events as lines of JSON, each with its attributes, which are never none, and its id."""
    lines = ndjson.json_lines(part, include).split(b"\n")[:-1]
    named = zip(lines, part.sequences, strict=True)
    return b"\n".join([*(_with_id(line, Offset(part.epoch, sequence).name) for line, sequence in named), b""])


def _with_id(line: bytes, name: str) -> bytes:
    if ID_KEY.encode() in line:  # a key of the event's own, perhaps
        return encode_document({**decode_document(line), ID_KEY: name})
    return b'%b,"%b":"%b"}' % (line[:-1], ID_KEY.encode(), name.encode())
