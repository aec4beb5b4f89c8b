"""★ Lines → a chunk of events, ready to append: recognise, run the steps, route. Once, in order.

The usual chunk costs a handful of C loops: heads of lines, one UTF-8 check, one decode of the fields that are
read, one function for all rules. Only events that a step touches are parsed whole, one by one.

Measured on one core (AMD EPYC, Python 3.11 without PGO), 280-byte events, three fields read: 0.75 µs an event from
framed line to routed chunk; 2.9 µs where four steps change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import compress
from typing import Final, Literal

from logrouter.chain import FIRST_DISCARD, TOUCHED, UNTOUCHED, Chain
from logrouter.compiling import Generator
from logrouter.event import MARKS, Attributes, Chunk, Flag
from logrouter.facts import Facts
from logrouter.framing import Frame
from logrouter.projection import Row, are_utf8, is_utf8
from logrouter.references import Meta
from logrouter.routing import Router

Parse = Literal["auto", "json", "none"]

_PLAIN: Final = bytes((0, Flag.JSON))
"""The flags of events about which there is nothing to say."""
_TEXT_IS_ERROR: Final = bytes(byte if byte & Flag.JSON else byte | Flag.PARSE_ERROR for byte in range(256))

_INVALID_UTF8: Final = bytes((0, Flag.INVALID_UTF8)).ljust(256, b"\0")
"""For `bytes.translate`: from 1 to the flag."""
_UNTOUCHED: Final = bytes(byte == UNTOUCHED for byte in range(256))
_TOUCHED: Final = bytes(byte == TOUCHED for byte in range(256))


class Ingest:
    """One source's way from lines to routed chunks."""

    def __init__(
        self, router: Router, attributes: Attributes, parse: Parse = "auto", chain: Chain | None = None
    ) -> None:
        self._router = router
        self._projection = router.projection
        self._attributes = attributes
        self._resource: Mapping[str, str] = router.resource
        self._parse = parse
        self._chain = chain if chain is not None and chain.steps else None
        if self._chain is not None:
            self._verdicts = Generator(self._projection, self._resource).verdicts(self._chain)
            self._reads_marks = any(isinstance(ref, Meta) and ref.name in MARKS for ref in self._chain.references)
        self.read_events = 0
        self.read_bytes = 0
        self.empty_lines = 0
        self.invalid_utf8 = 0
        self.pieces = 0
        self.parse_errors = 0

    def chunks(self, frame: Frame, received_ns: int) -> list[Chunk]:
        """The events of some lines as routed chunks: nearly always one, none where nothing is left."""
        lines, block, marks, empty = frame
        self.empty_lines += empty
        if not lines:
            return []
        self.read_events += len(lines)
        self.read_bytes += len(block) + 1
        flags, rows = self._recognise(lines, block)
        if marks:
            flags, rows = self._mark(lines, flags, rows, marks)
        payload_bytes: int | None = len(block) - len(lines) + 1
        if flags.translate(None, _PLAIN):
            self._count(flags)
        if self._chain is not None:
            facts = Facts(self._attributes, received_ns, self._resource)
            verdicts = bytes(self._verdicts(rows, facts))
            if self._reads_marks and flags.translate(None, _PLAIN):
                verdicts = self._with_marks(verdicts, flags, rows, received_ns)
            if verdicts.count(UNTOUCHED) != len(lines):
                lines, flags, rows = self._run(self._chain, lines, flags, rows, verdicts, facts)
                payload_bytes = None
                if not lines:
                    return []
        return self._router.route(Chunk(lines, flags, self._attributes, received_ns, payload_bytes), rows)

    def _recognise(self, lines: list[bytes], block: bytes) -> tuple[bytes, list[Row]]:
        if self._parse == "none":
            invalid = bytes(len(lines)) if are_utf8(lines, block) else bytes(not is_utf8(line) for line in lines)
            flags = invalid.translate(_INVALID_UTF8)
            return flags, self._projection.rows(lines, flags)
        flags, rows = self._projection.recognise(lines, block)
        if self._parse == "json":
            flags = flags.translate(_TEXT_IS_ERROR)
        return flags, rows

    def _mark(
        self, lines: list[bytes], flags: bytes, rows: list[Row], marks: Mapping[int, int]
    ) -> tuple[bytes, list[Row]]:
        """Pieces of a line are text, whatever they look like."""
        marked = bytearray(flags)
        rows = list(rows)
        for place, mark in marks.items():
            marked[place] = (marked[place] & ~Flag.JSON) | mark
            rows[place] = self._projection.row(lines[place], 0)
        return bytes(marked), rows

    def _with_marks(self, verdicts: bytes, flags: bytes, rows: list[Row], received_ns: int) -> bytes:
        """Ask again about the events that have attributes of their own (`meta.partial` …)."""
        marked = bytearray(verdicts)
        for place, flag in enumerate(flags):
            if flag not in _PLAIN:
                facts = Facts(self._attributes, received_ns, self._resource, flag)
                (marked[place],) = self._verdicts(rows[place : place + 1], facts)
        return bytes(marked)

    def _count(self, flags: bytes) -> None:
        self.invalid_utf8 += sum(1 for flag in flags if flag & Flag.INVALID_UTF8)
        self.parse_errors += sum(1 for flag in flags if flag & Flag.PARSE_ERROR)
        self.pieces += sum(1 for flag in flags if flag & Flag.PARTIAL_MIDDLE)

    def _run(
        self, chain: Chain, lines: list[bytes], flags: bytes, rows: list[Row], verdicts: bytes, facts: Facts
    ) -> tuple[list[bytes], bytes, list[Row]]:
        """Do the steps on the events that they touch."""
        for verdict in range(FIRST_DISCARD, max(verdicts) + 1):
            chain.count_discarded(verdict, verdicts.count(verdict))
        if TOUCHED not in verdicts:
            untouched = verdicts.translate(_UNTOUCHED)
            return list(compress(lines, untouched)), bytes(compress(flags, untouched)), list(compress(rows, untouched))
        changed: list[bytes] | None = None
        if flags.count(Flag.JSON) == len(lines):
            touched = list(compress(lines, verdicts.translate(_TOUCHED)))
            changed = chain.change_all(touched, facts)
            if changed is not None and len(changed) == len(lines):
                return changed, flags, self._projection.rows(changed, flags)
        events = self._changed(chain, lines, flags, verdicts, facts, changed)
        kept, kept_flags, kept_rows = list[bytes](), bytearray(), list[Row]()
        for event, row, verdict in zip(events, rows, verdicts, strict=True):
            if event is not None:
                kept.append(event[0])
                kept_flags.append(event[1])
                kept_rows.append(row if verdict == UNTOUCHED else self._projection.row(*event))
        return kept, bytes(kept_flags), kept_rows

    def _changed(
        self,
        chain: Chain,
        lines: list[bytes],
        flags: bytes,
        verdicts: bytes,
        facts: Facts,
        changed: list[bytes] | None,
    ) -> Iterator[tuple[bytes, int] | None]:
        """Each event as the steps leave it; None where one takes it out. `changed`: those touched, where known."""
        ready = iter(changed or ())
        for payload, flag, verdict in zip(lines, flags, verdicts, strict=True):
            if verdict == UNTOUCHED:
                yield payload, flag
            elif verdict != TOUCHED:
                yield None
            elif changed is not None:
                yield next(ready), flag
            else:
                own = facts if flag in _PLAIN else Facts(self._attributes, facts.received_ns, self._resource, flag)
                yield chain.apply(payload, flag, own)
