"""The steps of a source, done on whole chunks: which events they touch, and what becomes of those.

One generated function gives a verdict for every event from its row (`chain.py`). Most chunks end there. Events that
are only discarded are left out in C; those that change are parsed, changed and written step by step where that
does, else one by one (`Chain.apply`), which is the definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import compress
from typing import Final, NamedTuple

from logrouter.chain import FIRST_DISCARD, TOUCHED, UNTOUCHED, Chain, is_unclear
from logrouter.compiling import Generator
from logrouter.event import MARKS, PLAIN, Flag
from logrouter.facts import Facts
from logrouter.projection import Projection, Row
from logrouter.references import Meta

_UNTOUCHED: Final = bytes(byte == UNTOUCHED for byte in range(256))
_TOUCHED: Final = bytes(byte == TOUCHED for byte in range(256))


class Events(NamedTuple):
    """Events on their way into a chunk: one payload, one byte of flags and one row each."""

    payloads: list[bytes]
    flags: bytes
    rows: list[Row]


class Stepping:
    """A chain of steps over the rows of one projection."""

    def __init__(self, chain: Chain, projection: Projection, resource: Mapping[str, str]) -> None:
        self._chain = chain
        self._projection = projection
        self._resource = resource
        self._verdicts = Generator(projection, resource).verdicts(chain)
        self._reads_marks = any(isinstance(ref, Meta) and ref.name in MARKS for ref in chain.references)

    def run(self, events: Events, facts: Facts) -> Events:
        """The events after all steps; the very same where no step touches any."""
        verdicts = bytes(self._verdicts(events.rows, facts))
        if self._reads_marks and events.flags.translate(None, PLAIN):
            verdicts = self._with_marks(verdicts, events, facts)
        if self._chain.touches_unclear and events.flags.count(Flag.JSON) < len(verdicts):
            verdicts = _with_unclear(verdicts, events)
        if verdicts.count(UNTOUCHED) == len(verdicts):
            return events
        for verdict in range(FIRST_DISCARD, max(verdicts) + 1):
            self._chain.count_discarded(verdict, verdicts.count(verdict))
        if TOUCHED not in verdicts:
            kept = verdicts.translate(_UNTOUCHED)
            return Events(
                list(compress(events.payloads, kept)),
                bytes(compress(events.flags, kept)),
                list(compress(events.rows, kept)),
            )
        return self._changed(events, verdicts, facts)

    def _with_marks(self, verdicts: bytes, events: Events, facts: Facts) -> bytes:
        """Ask again about the events that have attributes of their own (`meta.partial` …)."""
        marked = bytearray(verdicts)
        for place, flag in enumerate(events.flags):
            if flag not in PLAIN:
                (marked[place],) = self._verdicts(events.rows[place : place + 1], self._own(facts, flag))
        return bytes(marked)

    def _changed(self, events: Events, verdicts: bytes, facts: Facts) -> Events:
        changed: list[bytes] | None = None
        if events.flags.count(Flag.JSON) == len(verdicts):
            touched = list(compress(events.payloads, verdicts.translate(_TOUCHED)))
            changed = self._chain.change_all(touched, facts)
            if changed is not None and len(changed) == len(verdicts):
                return Events(changed, events.flags, self._projection.rows(changed, events.flags))
        payloads, flags, rows = list[bytes](), bytearray(), list[Row]()
        results = self._one_by_one(events, verdicts, facts, changed)
        for result, row, verdict in zip(results, events.rows, verdicts, strict=True):
            if result is not None:
                payloads.append(result[0])
                flags.append(result[1])
                rows.append(row if verdict == UNTOUCHED else self._projection.row(*result))
        return Events(payloads, bytes(flags), rows)

    def _one_by_one(
        self, events: Events, verdicts: bytes, facts: Facts, changed: list[bytes] | None
    ) -> Iterator[tuple[bytes, int] | None]:
        """Each event as the steps leave it; None where one takes it out. `changed`: those touched, where known."""
        ready = iter(changed or ())
        for payload, flag, verdict in zip(events.payloads, events.flags, verdicts, strict=True):
            if verdict == UNTOUCHED:
                yield payload, flag
            elif verdict != TOUCHED:
                yield None
            elif changed is not None:
                yield next(ready), flag
            else:
                yield self._chain.apply(payload, flag, facts if flag in PLAIN else self._own(facts, flag))

    def _own(self, facts: Facts, flags: int) -> Facts:
        return Facts(facts.attributes, facts.received_ns, self._resource, flags)


def _with_unclear(verdicts: bytes, events: Events) -> bytes:
    """Texts whose fields nobody can read are touched, by steps that fail closed, where no condition says so."""
    return bytes(
        TOUCHED if verdict == UNTOUCHED and is_unclear(payload, flag) else verdict
        for verdict, payload, flag in zip(verdicts, events.payloads, events.flags, strict=True)
    )
