"""Pass the first of events that are the same, and leave out its repeats for a while; tell how many there were.

    - dedupe: {window: 30s}
    < {"time": "2026-03-01T12:00:00Z", "level": "error", "message": "connection refused"}
    > {"time": "2026-03-01T12:00:00Z", "level": "error", "message": "connection refused"}
    < {"time": "2026-03-01T12:00:01Z", "level": "error", "message": "connection refused"}
    > (discarded)
    < {"time": "2026-03-01T12:00:01Z", "level": "error", "message": "no route to host"}
    > {"time": "2026-03-01T12:00:01Z", "level": "error", "message": "no route to host"}

Two events are the same if they have the same fields with the same values, whatever their time (`time`, `timestamp` and
the like: what rules call `time`), and come from the same place: source, stream, file, container. `ignore` names other
fields that differ each time. Or say yourself what makes them the same, with `by`:

    - dedupe: {by: [message, user.id]}
    < {"message": "wrong password", "user": {"id": 7}, "ip": "10.1.2.3"}
    > {"message": "wrong password", "user": {"id": 7}, "ip": "10.1.2.3"}
    < {"message": "wrong password", "user": {"id": 7}, "ip": "10.9.9.9"}
    > (discarded)
    < {"message": "wrong password", "user": {"id": 8}, "ip": "10.9.9.9"}
    > {"message": "wrong password", "user": {"id": 8}, "ip": "10.9.9.9"}
    < {"other": true}
    > {"other": true}

An event that has nothing in any of the fields of `by` passes. So do the pieces of lines over `max_line`.

Let it stand before steps that change events: then no event is read whole with `by`, which is several times as quick.
Without, of those that come together and differ in their time alone one is read, a third of the cost, where the time
stands before all objects, lists and escaped texts.

**What was left out is told**, at most a second after `window` has passed since the first, also if nothing else comes;
and when the source ends. The last repeat is written once, with `repeated`: how many were left out, itself among them.

    {"time": "2026-03-01T12:00:29Z", "level": "error", "message": "connection refused", "repeated": 41}

With that a new window begins, so that of a message that never stops one event in each `window` remains; and the first
and all `repeated` add up to what the app wrote. All that are left out are also counted, by step, in `/metrics` and
`/status`.

The window is counted from when logrouter received the event. What is known stays in memory, and begins anew with the
process: `kill -9` loses what was to be told of the windows that are open, and a repeat may pass once more. It goes on
over a reload as long as the step is the same. Where more than `max_keys` events are known, the one that came first is
told and forgotten (`logrouter_step_forgotten_keys_total`); where repeats that are to be told take more than `memory`,
of others the number alone is told.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from logrouter import times
from logrouter.documents import Document, decode_document, decode_text, encode_document
from logrouter.errors import Complaints, refuse
from logrouter.event import Attributes, Flag
from logrouter.facts import Facts
from logrouter.steps import DISCARD, KEEP, Asked, Overdue, Step, StepConfig
from logrouter.steps._keys import By, Key
from logrouter.steps._paths import PathError, put, settable_path
from logrouter.steps._whole import Whole
from logrouter.values import Duration, Size

_BARE: Final = "left out: events that repeated others"
"""Says so where no repeat was kept."""
_GROWTH: Final = 6
_AROUND_TEXT: Final = len(b'{"message":""}')
"""Text as JSON is at most so many times as long, as is "\x00", and so much longer."""
_ALL: Final = repeat(1)


class DedupeConfig(StepConfig, frozen=True, kw_only=True):
    """What is the same, and for how long."""

    by: By | None = None
    """A field, an attribute or a template (`"{client} {path}"`), or a list of these: events that are alike in all of
    them are the same. Default: the whole event but its time, and the place that it comes from."""
    ignore: tuple[str, ...] = ()
    """Fields that do not matter, beside the time. Not together with `by`."""
    window: Duration = Duration(30.0)
    """For how long repeats are left out."""
    count_field: str = "repeated"
    """The field of the event that tells of repeats which has their number."""
    max_keys: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    """How many different events are remembered; some 300 bytes each."""
    memory: Size = Size(4 * 2**20)
    """How much the repeats that are still to be told may take beside that."""


class _Seen:
    """An event that has passed, and its repeats."""

    __slots__ = ("attributes", "last", "last_ns", "repeats", "until_ns")

    def __init__(self) -> None:
        self.until_ns = 0
        self.repeats = 0
        """That are still to be told."""
        self.last = b""
        """The last of them, as JSON. Empty: there was no room for it."""
        self.last_ns = 0
        self.attributes: Attributes = {}


class Dedupe(Step[DedupeConfig]):
    """Knows events by a hash, in the order in which their windows end. Repeats are never told while it is asked about
    an event: what it makes of lines that are read again after a crash must not be less than it was, or other events
    would be taken for those that are in the spool already."""

    Config: ClassVar[type[StepConfig]] = DedupeConfig
    decides: ClassVar[bool] = True
    tells: ClassVar[bool] = True
    thins = True

    def __init__(self, config: DedupeConfig) -> None:
        super().__init__(config)
        self._window_ns = max(int(config.window * 1e9), 1)
        self._whole: Whole | None = None
        self._key_of: Callable[[Document, Facts], str | None]
        complaints = Complaints()
        with complaints:
            refuse(_problems(config))
        with complaints:
            if config.by is None:
                self._whole = Whole(config.ignore)
                self._key_of = self._whole.of
            else:
                self.key = Key.parse(config.by)
                self.templates = self.key.templates
                self._key_of = self.key.of
        with complaints:
            self._count_path = settable_path(config.count_field)
        complaints.conclude()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._forgotten: list[_Seen] = []
        """Whose repeats are still to be told."""
        self._bare_repeats = 0
        """Of those forgotten for which there was no room."""
        self._forgotten_keys = 0
        self._held_bytes = 0

    @property
    def figures(self) -> dict[str, int]:
        return {"keys": len(self._seen), "forgotten_keys": self._forgotten_keys, "held_bytes": self._held_bytes}

    def apply(self, document: Document, facts: Facts) -> Literal["discard", "keep"]:
        key = None if "partial" in facts.attributes else self._key_of(document, facts)
        if key is None or self._is_new(key, facts.received_ns):
            return KEEP
        self._leave_out(key, 1, encode_document(document), facts)
        return DISCARD

    def thin_out(self, asked: Asked) -> None:
        if self._whole is not None:
            found = list(self._whole.of_all(asked.payloads, asked.flags, asked.facts))
            asked.failures = {place: key for place, key in enumerate(found) if isinstance(key, Exception)}
            asked.keys = [key if isinstance(key, str) else None for key in found]
        if asked.are_plain and self._has_room_for(asked):
            self._thin_at_once(asked)
            return
        for place, key in enumerate(asked.keys):
            facts = asked.facts_of(place)
            if key is not None and "partial" not in facts.attributes and not self._is_new(key, facts.received_ns):
                self._leave_out(key, 1, _as_json(asked, place), facts)
                asked.kept[place] = 0

    def _has_room_for(self, asked: Asked) -> bool:
        """Whether nothing has to be forgotten for these events, whatever is the same."""
        longest = _GROWTH * sum(map(len, asked.payloads)) + len(asked) * _AROUND_TEXT
        new = len(set(asked.keys).difference(self._seen))
        return len(self._seen) + new <= self.config.max_keys and self._held_bytes + longest <= self.config.memory

    def _thin_at_once(self, asked: Asked) -> None:
        """The same, where each key needs to be looked at only once: of events that came together the first may pass."""
        marks: dict[str | None, Iterator[int]] = {None: _ALL}
        lasts = dict(zip(asked.keys, range(len(asked)), strict=True))
        for key, events in Counter(asked.keys).items():
            if key is None:
                continue
            passing = int(self._is_new(key, asked.facts.received_ns))
            if passing < events:
                self._leave_out(key, events - passing, _as_json(asked, lasts[key]), asked.facts)
            marks[key] = chain(repeat(1, passing), repeat(0)) if passing < events else _ALL
        asked.kept[:] = bytes(map(next, map(marks.__getitem__, asked.keys)))

    def overdue(self, now_ns: int, *, ending: bool = False) -> Iterator[Overdue]:
        for seen in self._forgotten:
            yield self._told(seen)
        self._forgotten.clear()
        if self._bare_repeats:
            yield Overdue(self._summary({}, self._bare_repeats), {})
            self._bare_repeats = 0
        while self._seen:
            key, seen = next(iter(self._seen.items()))
            if not (ending or self._is_over(seen, now_ns)):
                return
            repeats = seen.repeats
            if repeats:
                yield self._told(seen)
            if repeats and not ending:
                self._open(key, seen, now_ns)
            else:
                del self._seen[key]

    def _is_new(self, key: str, now_ns: int) -> bool:
        """Whether an event passes, as none has that is the same for as long as the window is. Opens it anew then."""
        seen = self._seen.get(key)
        if seen is None:
            if len(self._seen) >= self.config.max_keys:
                self._forget(now_ns)
            seen = self._seen[key] = _Seen()
        elif seen.repeats or not self._is_over(seen, now_ns):
            return False
        self._open(key, seen, now_ns)
        return True

    def _is_over(self, seen: _Seen, now_ns: int) -> bool:
        """Whether its window has ended; or the clock was set back, so that it would end too late."""
        return not now_ns < seen.until_ns <= now_ns + self._window_ns

    def _open(self, key: str, seen: _Seen, now_ns: int) -> None:
        seen.until_ns = now_ns + self._window_ns
        self._seen.move_to_end(key)

    def _leave_out(self, key: str, events: int, last: bytes, facts: Facts) -> None:
        """Remember repeats, the last of them as JSON."""
        seen = self._seen[key]
        self._held_bytes -= len(seen.last)
        seen.last = last if self._held_bytes + len(last) <= self.config.memory else b""
        self._held_bytes += len(seen.last)
        seen.last_ns = facts.received_ns
        seen.attributes = facts.attributes
        seen.repeats += events

    def _forget(self, now_ns: int) -> None:
        """Forget what has passed first."""
        _, seen = self._seen.popitem(last=False)
        if seen.repeats or not self._is_over(seen, now_ns):
            self._forgotten_keys += 1
        if not seen.repeats:
            return
        if len(self._forgotten) < self.config.max_keys:
            self._forgotten.append(seen)
        else:
            self._bare_repeats += seen.repeats
            self._held_bytes -= len(seen.last)

    def _told(self, seen: _Seen) -> Overdue:
        document = _read(seen.last)
        attributes = seen.attributes
        if "written" not in attributes and not any(field.path[0] in document for field in times.FIELDS):
            attributes = {**attributes, "written": seen.last_ns}  # it happened then, not now
        told = Overdue(self._summary(document, seen.repeats), attributes)
        self._held_bytes -= len(seen.last)
        seen.last, seen.repeats, seen.attributes = b"", 0, {}
        return told

    def _summary(self, document: Document, repeats: int) -> Document:
        """What tells of repeats: the last of them, where it was kept."""
        try:
            put(document, self._count_path, repeats)
        except PathError:  # what is no object stands in the way
            document = {}
            put(document, self._count_path, repeats)
        return document if len(document) > 1 else {"message": _BARE, **document}


def _problems(config: DedupeConfig) -> Iterator[str]:
    if config.window <= 0:
        yield "window: must be more than 0"
    if config.by is not None and config.ignore:
        yield "ignore: what is not in `by` does not matter anyway"


def _read(held: bytes) -> Document:
    """An event that was held; nothing of one that was not, or that can be skipped but not read."""
    try:
        return decode_document(held) if held else {}
    except (ValueError, RecursionError):
        return {}


def _as_json(asked: Asked, place: int) -> bytes:
    """One of the events, as it is held: those that are JSON need not be read for that."""
    payload = asked.payloads[place]
    return payload if asked.flags[place] & Flag.JSON else encode_document(decode_text(payload))
