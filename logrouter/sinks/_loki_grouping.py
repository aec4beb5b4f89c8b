"""Which streams of a batch go into one push: such that Loki tells of whatever it does not take.

Of the streams of a push an ingester tells what became of the last one, and of no other (`instance.Push` of
pkg/ingester/instance.go): where that one is taken the answer is 204, whatever was dropped of those before it. Three
things are refused by ingesters alone:

- Streams beyond `max_global_streams_per_user`. Where one is refused, so are all new ones behind it: new streams go
  into a push of their own, whose last one speaks for all.
- What lies too far behind the newest of its stream. Others may write to it as well, so only what is younger than the
  window itself is sure. A stream with anything older goes alone.
- Too much of one stream at once (`per_stream_rate_limit`). The one of which most was sent of late is the last.

Loki may have several ingesters. Each gets its streams of a push in their order, and the last of each is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence, Set
from itertools import repeat
from typing import Any, cast

from logrouter.instructions import Delivered, EventOutcome, Halve, Instruction, Outcome, Retry
from logrouter.sinks._loki_limits import Sent
from logrouter.sinks._loki_streams import Stream

Group = Sequence[Stream]
"""The streams of one push, in their order."""
Push = Callable[[Group, Callable[[], Sequence[Sent]]], Generator[Instruction, Any, Outcome]]
"""Pushes some streams, given the events that are theirs."""


def grouped(sizes: Mapping[Stream, int], late: Set[Stream]) -> list[Group]:
    """The pushes of a batch. `sizes`: of what it has of each stream, in bytes. `late`: those that may be refused."""
    for stream, size in sizes.items():
        stream.recent_bytes = stream.recent_bytes / 2 + size
    known = [stream for stream in sizes if stream.is_known and stream not in late]
    new = [stream for stream in sizes if not stream.is_known and stream not in late]
    alone = [[stream] for stream in sizes if stream in late]
    return [_most_last(group) for group in (known, new, *alone) if group]


def _most_last(group: list[Stream]) -> Group:
    most = max(range(len(group)), key=lambda place: (group[place].recent_bytes, place))
    group.append(group.pop(most))
    return group


def each_alone(
    groups: Sequence[Group], sent: Callable[[], Sequence[Sent]], push: Push
) -> Generator[Instruction, Any, Outcome]:
    """Push one group after the other: what has become of all events. `sent` gives them in their order."""
    if len(groups) == 1:
        return (yield from push(groups[0], sent))
    events = sent()
    outcomes: list[EventOutcome | None] = [None] * len(events)
    for group in groups:
        members = frozenset(group)
        mine = [place for place, event in enumerate(events) if event.stream in members]
        outcome = yield from push(group, _picker(events, mine))
        if isinstance(outcome, Halve):
            return outcome
        if isinstance(outcome, Retry):  # what is not sent yet waits as well
            return [outcome if each is None else each for each in outcomes]
        own = outcome if isinstance(outcome, Sequence) else repeat(outcome)
        for place, each in zip(mine, own, strict=False):
            outcomes[place] = each
    return _in_one(cast("list[EventOutcome]", outcomes))


def _picker(events: Sequence[Sent], places: Sequence[int]) -> Callable[[], Sequence[Sent]]:
    return lambda: [events[place] for place in places]


def _in_one(outcomes: Sequence[EventOutcome]) -> Outcome:
    return Delivered() if all(isinstance(each, Delivered) for each in outcomes) else outcomes
