"""Let no more events pass than so many in a time, all together or by a key; discard the rest, counted.

    - throttle: {rate: 2/m, by: client}
    < {"client": "10.1.2.3", "path": "/a"}
    > {"client": "10.1.2.3", "path": "/a"}
    < {"client": "10.1.2.3", "path": "/b"}
    > {"client": "10.1.2.3", "path": "/b"}
    < {"client": "10.1.2.3", "path": "/c"}
    > (discarded)
    < {"client": "10.9.9.9", "path": "/a"}
    > {"client": "10.9.9.9", "path": "/a"}

A token bucket, as every network has them: a key has `burst` tokens at first, each event that passes takes one, and
they come back at the `rate`. Over any time, of each key no more than `burst` plus `rate` times that time pass. The time
is when logrouter received an event, not what the event says of itself: an app cannot get around it by its clock.

**What was left out is told** in the next event of that key which passes: `throttled` is how many were left out before
it, since one passed. Where none comes before all tokens are back, and when the source ends, an event is written for it:

    {"message": "left out: 3 events, as more than 2/m came of client 10.1.2.3", "throttled": 3}

So all `throttled`, and the other events, add up to what the app wrote. Those that are left out are counted, by step, in
`/metrics` and `/status` as well.

    - {throttle: 1/h, when: severity < "warning"}
    < {"level": "info", "message": "connected"}
    > {"level": "info", "message": "connected"}
    < {"level": "info", "message": "connected"}
    > (discarded)
    < {"level": "error", "message": "out of memory"}
    > {"level": "error", "message": "out of memory"}

Events that have no such field, or nothing in it, share one bucket. So do the events of all sources under the top-level
`steps`; `by: meta.source` gives each its own. What is known of the keys stays in memory, and begins anew with the
process; it goes on over a reload as long as the step is the same. Where there are more than `max_keys`, the key that
was seen longest ago is told and forgotten, and counted (`logrouter_step_forgotten_keys_total`): if it comes again, it
has its whole burst again.

Let it stand before steps that change events: then events need not be read whole to be counted, which is several times
as quick. Only `discard`, `sample`, `dedupe` and other such steps may come before it for that.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, compress, repeat
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from logrouter.documents import Document
from logrouter.errors import Complaints
from logrouter.event import Attributes
from logrouter.facts import Facts
from logrouter.figures import counted
from logrouter.references import lookup
from logrouter.steps import DISCARD, KEEP, Asked, Overdue, Step, StepConfig
from logrouter.steps._keys import BETWEEN, NOT, By, Key
from logrouter.steps._paths import put, settable_path
from logrouter.values import Rate


class ThrottleConfig(StepConfig, frozen=True, kw_only=True):
    """How many may pass. A rate alone is short for `{rate: …}`."""

    rate: Rate
    """How many events may pass in a time, for good."""
    burst: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many may pass at once. Default: what stands before the `/` of `rate`, and at least 1."""
    by: By | None = None
    """A field, an attribute or a template (`"{client} {path}"`), or a list of these: events that are alike in all of
    them have a rate of their own. Default: all events together."""
    count_field: str = "throttled"
    """The field in which the next event that passes has how many were left out before it."""
    max_keys: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    """How many values of `by` are remembered; some 200 bytes each."""


_ALL: Final = repeat(1)


class _Bucket:
    """Of one key. The generic cell rate algorithm (ITU-T I.371): a token bucket in a single number."""

    __slots__ = ("attributes", "full_at", "left_out")

    def __init__(self) -> None:
        self.full_at = 0
        """When all tokens will be back, in the step's ticks; in the past: they are."""
        self.left_out = 0
        """Since one passed."""
        self.attributes: Attributes = {}
        """Of the last of them."""


class Throttle(Step[ThrottleConfig]):
    """Counts in whole numbers, so that no rounding adds up: a tick is such a part of a nanosecond that a token takes a
    whole number of them."""

    Config: ClassVar[type[StepConfig]] = ThrottleConfig
    short = "rate", str
    decides: ClassVar[bool] = True
    tells: ClassVar[bool] = True
    thins = True

    def __init__(self, config: ThrottleConfig) -> None:
        super().__init__(config)
        self._ticks_in_ns, self._token_ticks = config.rate.as_whole_numbers
        burst = config.burst or max(1, int(config.rate.events))
        self._most_owed = (burst - 1) * self._token_ticks
        complaints = Complaints()
        with complaints:
            if config.by is not None:
                self.key = Key.parse(config.by)
                self.templates = self.key.templates
        with complaints:
            self._count_path = settable_path(config.count_field)
        complaints.conclude()
        self._by = ", ".join((config.by,) if isinstance(config.by, str) else config.by or ())
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._owing: dict[str, _Bucket] = {}
        """Those of which something is still to be told."""
        self._owed = 0
        """Events left out of keys that are forgotten."""
        self._forgotten = 0

    @property
    def figures(self) -> dict[str, int]:
        return {"keys": len(self._buckets), "forgotten_keys": self._forgotten}

    def apply(self, document: Document, facts: Facts) -> Literal["discard", "keep"] | None:
        key = "" if self.key is None else self.key.of(document, facts) or ""
        bucket = self._bucket(key)
        if not self._take(bucket, 1, facts.received_ns * self._ticks_in_ns):
            self._leave_out(key, bucket, 1, facts)
            return DISCARD
        if not bucket.left_out:
            return KEEP
        self._tell(key, bucket, document)
        return None

    def thin_out(self, asked: Asked) -> None:
        keys = [key or "" for key in asked.keys]
        if asked.are_plain and self._has_room_for(keys):
            self._thin_at_once(asked, keys)
            return
        now = asked.facts.received_ns * self._ticks_in_ns
        for place, key in enumerate(keys):
            bucket = self._bucket(key)
            if not self._take(bucket, 1, now):
                self._leave_out(key, bucket, 1, asked.facts_of(place))
                asked.kept[place] = 0
            elif bucket.left_out:
                asked.change(place, partial(self._tell, key, bucket))

    def _has_room_for(self, keys: Sequence[str]) -> bool:
        """Whether none has to be forgotten for these."""
        return len(self._buckets) + len(set(keys).difference(self._buckets)) <= self.config.max_keys

    def _thin_at_once(self, asked: Asked, keys: Sequence[str]) -> None:
        """The same, where each key needs to be looked at only once: of events that came together the first pass."""
        now = asked.facts.received_ns * self._ticks_in_ns
        counts = Counter(keys)
        firsts = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
        marks: dict[str, Iterator[int]] = {}
        untold: set[str] = set()
        left_out: dict[str, int] = {}
        for key in reversed(firsts):  # in the order in which they were seen last, as buckets are kept
            bucket, count = self._bucket(key), counts[key]
            passing = self._take(bucket, count, now)
            if passing and bucket.left_out and not asked.change(firsts[key], partial(self._tell, key, bucket)):
                untold.add(key)
            if passing < count:
                left_out[key] = count - passing
            marks[key] = chain(repeat(1, passing), repeat(0)) if passing < count else _ALL
        if left_out:
            asked.kept[:] = bytes(map(next, map(marks.__getitem__, keys)))
        for place in compress(range(len(keys)), map(untold.__contains__, keys)) if untold else ():
            key = keys[place]
            if key in untold and place != firsts[key] and asked.kept[place]:
                told = asked.change(place, partial(self._tell, key, self._buckets[key]))
                untold -= {key} if told else set()
        for key in dict.fromkeys(compress(keys, asked.kept.translate(NOT))) if left_out else ():
            self._leave_out(key, self._buckets[key], left_out[key], asked.facts)  # in the order in which they were

    def overdue(self, now_ns: int, *, ending: bool = False) -> Iterator[Overdue]:
        now, deep = now_ns * self._ticks_in_ns, self._most_owed + self._token_ticks
        if self._owed:
            yield self._told(self._owed, self._by and f" of {self._by}", {})
            self._owed = 0
        for key, bucket in list(self._owing.items()):
            if ending or not now < bucket.full_at <= now + deep:
                yield self._told(bucket.left_out, self._of(key), bucket.attributes)
                bucket.left_out = 0
                del self._owing[key]

    def _of(self, key: str) -> str:
        """Of what there were too many."""
        if not self._by:
            return ""
        return f" of {self._by} {', '.join(key.split(BETWEEN))}" if key else f" without {self._by}"

    def _told(self, left_out: int, of: str, attributes: Attributes) -> Overdue:
        message = f"left out: {counted(left_out, 'event')}, as more than {self.config.rate} came{of}"
        count: Document = {}
        put(count, self._count_path, left_out)
        return Overdue({"message": message, **count}, attributes)

    def _bucket(self, key: str) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is not None:
            self._buckets.move_to_end(key)
            return bucket
        if len(self._buckets) >= self.config.max_keys:
            forgotten, former = self._buckets.popitem(last=False)
            self._owing.pop(forgotten, None)
            self._owed += former.left_out
            self._forgotten += 1
        bucket = self._buckets[key] = _Bucket()
        return bucket

    def _take(self, bucket: _Bucket, events: int, now: int) -> int:
        """Take tokens for events that came together; gives how many of them there were."""
        owed = max(bucket.full_at - now, 0)
        if owed > self._most_owed:
            bucket.full_at = min(bucket.full_at, now + self._most_owed + self._token_ticks)  # clocks are set back
            return 0
        passing = min(events, (self._most_owed - owed) // self._token_ticks + 1)
        bucket.full_at = now + owed + passing * self._token_ticks
        return passing

    def _leave_out(self, key: str, bucket: _Bucket, events: int, facts: Facts) -> None:
        bucket.left_out += events
        bucket.attributes = facts.attributes
        self._owing[key] = bucket

    def _tell(self, key: str, bucket: _Bucket, document: Document) -> None:
        """Write how many were left out; beside what another throttle, before this one, has left out of the same."""
        before = lookup(document, self._count_path)
        told = before if isinstance(before, int) and not isinstance(before, bool) else 0
        put(document, self._count_path, told + bucket.left_out)
        bucket.left_out = 0
        del self._owing[key]
