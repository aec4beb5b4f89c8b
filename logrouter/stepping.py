"""The steps of a source, done on whole chunks: which events they touch, and what becomes of those.

One generated function gives a verdict for every event from its row (`chain`). Most chunks end there. Steps
that come first and only thin out are done before that, for all events at once (`thinning.py`). Events that are only
discarded are left out in C; those that change are parsed, changed and written step by step where that
does, else one by one (`Chain.apply`), which is the definition. Where every event is changed there is nothing to ask:
lines are parsed whole before they are recognised, as those that can be parsed are JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress, groupby
from operator import and_, itemgetter
from typing import Final

from logrouter.chain import FIRST_DISCARD, TOGETHER, TOUCHED, UNTOUCHED, Chain, is_unclear
from logrouter.compiling import Generator
from logrouter.event import PLAIN, Flag
from logrouter.facts import Facts
from logrouter.projection import Events, Projection, Row, begin_with_brace

_UNTOUCHED: Final = bytes(byte == UNTOUCHED for byte in range(256))
_TOUCHED: Final = bytes(byte == TOUCHED for byte in range(256))
_PLAIN_JSON: Final = bytes(byte == Flag.JSON for byte in range(256))


class Stepping:
    """A chain of steps over the rows of one projection."""

    def __init__(self, chain: Chain, projection: Projection, resource: Mapping[str, str]) -> None:
        self._chain = chain
        self._thinning = self._behind = None
        if chain.thinning:
            from logrouter.thinning import Thinning  # here, as few configs have such steps

            self._thinning = Thinning(chain, projection, resource)
            self._behind = Stepping(chain.behind(chain.thinning), projection, resource)
        self._projection = projection
        self._verdicts = Generator(projection, resource).verdicts(chain)

    def run(self, events: Events, facts: Facts) -> Events:
        """The events after all steps; the very same where no step touches any."""
        if self._thinning is not None and self._behind is not None and not self._must_know_how_they_came(events):
            return self._behind.run(self._thinning.run(events, facts), facts)
        verdicts = bytes(self._verdicts(events.rows, facts, events.flags))
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

    def _must_know_how_they_came(self, events: Events) -> bool:
        """Whether some step behind those that thin out must know of a text how it came in, as they may change it."""
        if not self._chain.closing or events.flags.count(Flag.JSON) == len(events.flags):
            return False
        return any(map(is_unclear, events.payloads, events.flags))

    def run_on_lines(self, lines: list[bytes], recognise: Callable[[list[bytes]], Events], facts: Facts) -> Events:
        """The events of lines where every event is changed (`Chain.changes_all`): these are read once, and whole.

        Lines with which that does not do are recognised first, as those of other chains.
        """
        may_be_json = begin_with_brace(lines)
        if 1 not in may_be_json:
            return self.run(recognise(lines), facts)
        tried = self._chain.change_all(list(compress(lines, may_be_json)), facts)
        changed = self._all_json(list(filter(None, tried)))
        if len(changed.payloads) == len(lines):
            return changed
        outcomes, ready = iter(tried), zip(*changed, strict=True)
        done = [next(ready) if may_be and next(outcomes) is not None else None for may_be in may_be_json]
        others = self.run(recognise([line for line, event in zip(lines, done, strict=True) if event is None]), facts)
        following = zip(*others, strict=True)
        return self._gathered(event or next(following) for event in done)

    def _all_json(self, payloads: list[bytes]) -> Events:
        flags = bytes((Flag.JSON,)) * len(payloads)
        return Events(payloads, flags, self._projection.rows(payloads, flags))

    def _changed(self, events: Events, verdicts: bytes, facts: Facts) -> Events:
        """JSON events are changed together, where that does; texts, and those on which a step fails, one by one."""
        if self._chain.batches:
            return self._gathered(self._in_runs(events, verdicts, facts))
        together = bytes(map(and_, verdicts.translate(_TOUCHED), events.flags.translate(_PLAIN_JSON)))
        tried = self._chain.change_all(list(compress(events.payloads, together)), facts)
        changed = self._all_json(list(filter(None, tried)))
        if len(changed.payloads) == len(verdicts):
            return changed
        return self._gathered(self._kept(events, verdicts, facts, together, tried, changed))

    def _kept(
        self,
        events: Events,
        verdicts: bytes,
        facts: Facts,
        together: bytes,
        tried: Sequence[bytes | None],
        changed: Events,
    ) -> Iterator[tuple[bytes, int, Row | None]]:
        """Each event as the steps leave it, without those that one takes out. Rows of those done one by one are not
        made yet."""
        outcomes, ready = iter(tried), zip(*changed, strict=True)
        for payload, flag, row, verdict, was_tried in zip(*events, verdicts, together, strict=True):
            if verdict == UNTOUCHED:
                yield payload, flag, row
            elif was_tried and next(outcomes) is not None:
                yield next(ready)
            elif verdict == TOUCHED:
                for result in self._chain.apply(payload, flag, facts if flag in PLAIN else facts.marked(flag)):
                    yield *result, None

    def _in_runs(self, events: Events, verdicts: bytes, facts: Facts) -> Iterator[tuple[bytes, int, Row | None]]:
        """The same, where a step is given as many events at once as stand next to each other."""
        for verdict, same in groupby(zip(*events, verdicts, strict=True), key=itemgetter(3)):
            if verdict == UNTOUCHED:
                yield from ((payload, flag, row) for payload, flag, row, _ in same)
            elif verdict == TOUCHED:
                run = [(payload, flag) for payload, flag, _, _ in same]
                for start in range(0, len(run), TOGETHER):
                    for result in self._chain.apply_all(run[start : start + TOGETHER], facts):
                        yield *result, None

    def _gathered(self, kept: Iterable[tuple[bytes, int, Row | None]]) -> Events:
        """All of them, with the rows of those that have none yet."""
        payloads, flags, rows = list[bytes](), bytearray(), list[Row | None]()
        for payload, flag, row in kept:
            payloads.append(payload)
            flags.append(flag)
            rows.append(row)
        without = [row is None for row in rows]
        made = iter(self._projection.rows(list(compress(payloads, without)), bytes(compress(flags, without))))
        return Events(payloads, bytes(flags), [next(made) if row is None else row for row in rows])


def _with_unclear(verdicts: bytes, events: Events) -> bytes:
    """Texts whose fields nobody can read are touched, by steps that fail closed, where no condition says so."""
    return bytes(
        TOUCHED if verdict == UNTOUCHED and is_unclear(payload, flag) else verdict
        for verdict, payload, flag in zip(verdicts, events.payloads, events.flags, strict=True)
    )
