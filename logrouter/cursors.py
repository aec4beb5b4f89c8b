"""How far a sink is, what became of every event, and how that is kept over a crash. Pure: bytes in, bytes out.

A sink's cursor is a journal: lines of a checksum, a generation and a JSON object, each written by one call.

    9c81d2e4 7 {"type":"state","sink":"errors","origin":0,"committed":120,"ledger":{…},"notes":[],"gaps":[]}
    0b7714aa 7 {"type":"note","first":120,"end":190,"places":[["errors.log",…]],"tally":{"delivered":12,…}}
    77e0b1c3 7 {"type":"commit","end":120,"ledger":{…},"origin":0,"gaps":[{"first":190,"end":400,"events":35,…}]}
    e55d0f3b 7 {"type":"commit","end":190,"ledger":{…},"origin":0,"gaps":[{"first":190,"end":400,"events":35,…}]}

- a *note* is made before the first byte of a batch leaves: a restart sends it again, cut the same, and can tell by
  its places, or by what the sink has written down as its memo, how much of it has arrived. A batch that is settled
  before those in front of it is noted anew, as settled;
- a *commit* says that everything before `end` is settled, and what stands behind it as a *gap*: events that will never
  be sent, and why. A gap is told in the sink's stream where they would have been, and is settled when a commit has
  passed it. It also tells what the sink has left open at its destination (`carried`).

There are two files, of a fixed size that the disk has set aside, so that a full disk stops no sink. When one is full,
the other begins anew with a snapshot, of the next generation. Lines of an older one, which still stand behind it, do
not count, and neither does a line that a crash has cut or that is damaged: the commits behind it hold all of it but
notes, and the generation before a damaged snapshot leads to the same state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any, Final, Literal
from zlib import crc32

import msgspec

Counts = dict[str, int]
"""Reason → events."""
Memory = dict[str, Any]
"""What a sink writes down for itself: plain values, as JSON has them."""


def count(counts: Counts, reason: str, events: int) -> None:
    """Add events to those of a reason."""
    if events:
        counts[reason] = counts.get(reason, 0) + events


class Tally(msgspec.Struct, omit_defaults=True):
    """What became of the events of a batch."""

    delivered: int = 0
    unmatched: int = 0
    dead_lettered: Counts = {}
    """Refused by the destination, and kept."""
    discarded: Counts = {}
    """Refused, and not kept; in a ledger also what a policy has given up (`spool_full`, `closed`)."""
    lost: Counts = {}
    """Suffered. What batches before have left open at the destination, and what is gone from there, was counted as
    delivered: it is taken off, so that a batch's own `delivered` may be less than nothing."""

    def add(self, other: Tally) -> None:
        """Count the events of another batch as well."""
        self.delivered += other.delivered
        self.unmatched += other.unmatched
        for mine, more in zip(self._by_reason(), other._by_reason(), strict=True):
            for reason, events in more.items():
                count(mine, reason, events)

    def _by_reason(self) -> tuple[Counts, Counts, Counts]:
        return self.dead_lettered, self.discarded, self.lost


class Ledger(Tally, omit_defaults=False):
    """What became of every event that was appended, for one sink. Each term is counted where it happens."""

    read: int = 0

    @property
    def settled(self) -> int:
        """All terms but `waiting`."""
        return self.delivered + self.unmatched + sum(sum(counts.values()) for counts in self._by_reason())


Outcome = Literal["discarded", "lost"]


class Gap(msgspec.Struct, frozen=True):
    """Events in a row that a sink will never get."""

    epoch: int
    first: int
    end: int
    events: int
    """How many of them the sink wanted, where that is known; else all."""
    outcome: Outcome
    reason: str
    first_received_ns: int = 0
    last_received_ns: int = 0
    """0 where nobody knows."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a batch was about to be written: enough to recognise it after a crash."""

    path: str
    device: int
    inode: int
    start: int
    """The file's size before."""
    length: int
    crc: int


class Note(msgspec.Struct, tag_field="type", tag="note", omit_defaults=True):
    """A batch, sealed before its first byte leaves. One that begins where another does takes its place."""

    first: int
    end: int
    places: list[Place] = []
    parts: int = 1
    """How many places there are to be: fewer are noted where a crash came between."""
    tally: Tally = msgspec.field(default_factory=Tally)
    """What settling it adds to the ledger: if all is delivered, until it is settled."""
    memo: Memory | None = None
    """What the sink has written down for it."""
    settled: bool = False
    """Whether it waits only for those in front of it."""


class FurtherPlace(msgspec.Struct, frozen=True, tag_field="type", tag="place"):
    """Another place that a noted batch is about to be written to."""

    first: int
    """The batch."""
    place: Place


class Commit(msgspec.Struct, frozen=True, tag_field="type", tag="commit"):
    """Everything before `end` is settled, and so are the gaps behind it. All that a damaged line before it has said."""

    end: int
    ledger: Ledger
    origin: int
    """As in the snapshot."""
    gaps: list[Gap] = []
    """Those that it has not passed."""
    carried: Memory | None = None
    """What the sink has left open at its destination."""
    ends_at: int | None = None
    """As in the snapshot."""


class State(msgspec.Struct, tag_field="type", tag="state"):
    """All that is known of a sink's progress."""

    sink: str
    origin: int
    """The sequence at which it began to read."""
    committed: int
    """Everything before this is settled."""
    ledger: Ledger
    notes: list[Note] = []
    """Batches that were noted and are not settled, in order."""
    gaps: list[Gap] = []
    """Gaps that no commit has passed yet, in order."""
    carried: Memory | None = None
    """What the sink has left open at its destination, as the last commit says."""
    ends_at: int | None = None
    """The sink was removed from the config there, while logrouter ran: nothing after that is for it."""

    @property
    def end(self) -> int:
        """Everything before this was appended once, as far as this sink knows."""
        return max([self.committed, *(note.end for note in self.notes), *(gap.end for gap in self.gaps)])

    def apply(self, entry: Entry) -> None:
        """Change it as an entry of the journal says."""
        match entry:
            case Note():
                others = [note for note in self.notes if note.first != entry.first]
                self.notes = sorted([*others, entry], key=lambda note: note.first)
            case FurtherPlace():
                for note in self.notes:
                    if note.first == entry.first:  # a place that is noted again takes the place of the first
                        kept = [place for place in note.places if place.path != entry.place.path]
                        note.places = [*kept, entry.place]
            case Commit():
                self.committed, self.ledger, self.carried = entry.end, entry.ledger, entry.carried
                self.ends_at = entry.ends_at
                self.notes = [note for note in self.notes if note.end > entry.end]
                self.gaps = list(entry.gaps)
            case State():
                raise ValueError("a snapshot changes nothing: it begins")


Entry = State | Note | FurtherPlace | Commit

_BEGUN: Final = rb"[0-9a-f]{8} ([0-9]{1,18}) \{"
"""How a line begins."""
_encode: Final = msgspec.json.Encoder().encode


@cache
def _decoder() -> msgspec.json.Decoder[Entry]:
    """Made when it is first used: without a spool on disk nobody does, and it is a hundredth of the start."""
    return msgspec.json.Decoder(Entry)


def encode_entry(entry: Entry, generation: int) -> bytes:
    """One line of the journal."""
    data = b"%d %b" % (generation, _encode(entry))
    return b"%08x %b\n" % (crc32(data), data)


def replay(*files: bytes) -> tuple[State | None, int]:
    """The state that a journal's files lead to, None where they tell none; and their generation."""
    entries = [entry for file in files for entry in _entries(file)]
    newest = max((generation for generation, _ in entries), default=0)
    state: State | None = None
    for generation in (newest - 1, newest):
        for entry in (entry for its, entry in entries if its == generation):
            if isinstance(entry, State):
                state = entry
            elif state is not None:
                state.apply(entry)
            elif isinstance(entry, Commit):  # the snapshot is damaged
                state = State("", entry.origin, entry.end, entry.ledger, [], list(entry.gaps))
                state.carried, state.ends_at = entry.carried, entry.ends_at
    return state, newest


def inspect(file: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """The whole lines of one file, and of each damaged one its offset and size.

    What has no line that counts behind it is the rest of an older generation, which begins amid a line, or zeros: no
    damage, unless it begins as a line of this generation does.
    """
    lines = file.split(b"\n")
    generations = [parsed[0] if (parsed := _parse(line)) else None for line in lines]
    newest = max((generation for generation in generations if generation is not None), default=-1)
    counts = [number for number, generation in enumerate(generations) if generation == newest]
    last = counts[-1] if counts else len(lines)
    damaged = []
    offset = 0
    for number, (line, generation) in enumerate(zip(lines, generations, strict=True)):
        if generation is None and line.strip(b"\0"):
            begun = re.match(_BEGUN, line)
            if number < last or (number == last + 1 and begun and int(begun[1]) >= newest):
                damaged.append((offset, len(line.rstrip(b"\0"))))
        offset += len(line) + 1
    whole = [line + b"\n" for line, generation in zip(lines, generations, strict=True) if generation is not None]
    return b"".join(whole), damaged


def _entries(file: bytes) -> Iterator[tuple[int, Entry]]:
    """Generation and entry of each line that is whole."""
    return (parsed for line in file.split(b"\n") if (parsed := _parse(line)) is not None)


def _parse(line: bytes) -> tuple[int, Entry] | None:
    checksum, _, data = line.partition(b" ")
    if checksum == b"%08x" % crc32(data):
        generation, _, entry = data.partition(b" ")
        with suppress(ValueError, msgspec.DecodeError):  # by chance the right checksum
            return int(generation), _decoder().decode(entry)
    return None
