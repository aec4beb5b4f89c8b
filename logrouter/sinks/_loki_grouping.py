"""Which streams of a batch go into one push: such that Loki tells of whatever it does not take.

Of the streams of a push an ingester tells what became of the last one, and of no other (`instance.Push` of
pkg/ingester/instance.go): where that one is taken the answer is 204, whatever was dropped of those before it. Three
things are refused by ingesters alone:

- Streams beyond `max_global_streams_per_user`. Where one is refused, so are all new ones behind it: new streams go
  into a push of their own, whose last one speaks for all.
- What lies too far behind the newest of its stream. Others may write to it as well, so only what is younger than the
  window itself is sure. A stream with anything older goes alone.
- Too much of one stream at once (`per_stream_rate_limit`): by default 3 MB a second, and 15 MB beyond that. The stream
  that is nearest to it is the last, and of the others each that is on the way to it goes alone.

Loki may have several ingesters. Each gets its streams of a push in their order, and the last of each is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from functools import cache, partial
from itertools import repeat
from typing import Any, Final

from logrouter.instructions import Delivered, EventOutcome, Halve, Instruction, Outcome, Retry
from logrouter.sinks._loki_limits import Sent
from logrouter.sinks._loki_streams import Stream

RATE_BYTES: Final = 3 * 2**20
"""A second, of one stream (`per_stream_rate_limit`)."""
MUCH_BYTES: Final = 5 * 2**20
"""Beyond that rate: a third of `per_stream_rate_limit_burst`, as others may write to the stream as well."""

Group = Sequence[Stream]
"""The streams of one push, in their order."""
Push = Callable[[Group, Callable[[], Sequence[Sent]]], Generator[Instruction, Any, Outcome]]
"""Pushes some streams, given the events that are theirs."""


def grouped(sizes: Mapping[Stream, int], late: Set[Stream], now_ns: int) -> list[Group]:
    """The pushes of a batch. `sizes`: of what it has of each stream, in bytes. `late`: those that may be refused."""
    for stream, size in sizes.items():
        taken_bytes = RATE_BYTES * (now_ns - stream.used_ns) / 1e9
        stream.level_bytes = max(0.0, stream.level_bytes - taken_bytes) + size
    known = [stream for stream in sizes if stream.is_known and stream not in late]
    new = [stream for stream in sizes if not stream.is_known and stream not in late]
    return [*_by_load(known), *_by_load(new), *([stream] for stream in sizes if stream in late)]


def _by_load(group: Sequence[Stream]) -> list[Group]:
    """Those with much alone, but for the one with most: it speaks for itself as the last."""
    if not group:
        return []
    _, _, most = max((stream.level_bytes, place, stream) for place, stream in enumerate(group))
    much = [stream for stream in group if stream.level_bytes > MUCH_BYTES and stream is not most]
    rest = [stream for stream in group if stream.level_bytes <= MUCH_BYTES and stream is not most]
    return [[*rest, most], *([stream] for stream in much)]


def each_alone(
    groups: Sequence[Group], sent: Callable[[], Sequence[Sent]], push: Push
) -> Generator[Instruction, Any, Outcome]:
    """Push one group after the other: what has become of all events. `sent` gives them in their order."""
    if len(groups) == 1:
        return (yield from push(groups[0], sent))
    sent = cache(sent)

    @cache
    def parts() -> list[list[Sent]]:
        """However many pushes are refused, all events are looked at once."""
        return _by_group(groups, sent())

    def part(place: int) -> Sequence[Sent]:
        return parts()[place]

    told: list[tuple[Group, EventOutcome | Sequence[EventOutcome]]] = []
    for place, group in enumerate(groups):
        outcome = yield from push(group, partial(part, place))
        if isinstance(outcome, Halve):
            return outcome
        told.append((group, outcome))
        if isinstance(outcome, Retry):  # what is not sent yet waits as well
            break
    if all(isinstance(outcome, Delivered) for _, outcome in told):
        return Delivered()
    return _of_each(sent(), told)


def _by_group(groups: Sequence[Group], events: Sequence[Sent]) -> list[list[Sent]]:
    """Those of each group, in their order."""
    parts: list[list[Sent]] = [[] for _ in groups]
    part_of = {stream: part for group, part in zip(groups, parts, strict=True) for stream in group}
    for event in events:
        part_of[event.stream].append(event)
    return parts


def _of_each(
    events: Sequence[Sent], told: Sequence[tuple[Group, EventOutcome | Sequence[EventOutcome]]]
) -> list[EventOutcome]:
    """The outcome of each event. What no push has told of waits for the same as the last push."""
    outcomes: dict[Stream, Iterator[Any]] = {}
    for group, outcome in told:
        outcomes |= dict.fromkeys(group, iter(outcome) if isinstance(outcome, Sequence) else repeat(outcome))
    return [next(outcomes.get(event.stream) or repeat(told[-1][1])) for event in events]
