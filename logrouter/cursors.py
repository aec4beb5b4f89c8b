"""How far a sink is, what became of every event, and how that is kept over a crash. Pure: bytes in, bytes out.

A sink's cursor is a journal: lines of a checksum, a generation and a JSON object, each written by one call.

    9c81d2e4 7 {"type":"state","sink":"errors","origin":0,"committed":120,"ledger":{…},"notes":[],"gaps":[]}
    0b7714aa 7 {"type":"note","first":120,"end":190,"places":[["errors.log",…]]}
    77e0b1c3 7 {"type":"gap","gap":{"first":190,"end":400,"events":35,"reason":"spool_full",…},"ledger":{…}}
    e55d0f3b 7 {"type":"commit","end":190,"ledger":{…},"origin":0}

- a *note* is made before the first byte of a batch leaves: a restart sends it again, cut the same, and can tell by
  its places how much of it has arrived;
- a *commit* says that everything before `end` is settled;
- a *gap* says that the events in it will never be sent, and why; it is told in the sink's stream where they would have
  been, and is settled when a commit has passed it.

There are two files, of a fixed size that the disk has set aside, so that a full disk stops no sink. When one is full,
the other begins anew with a snapshot, of the next generation. Lines of an older one, which still stand behind it, do
not count, and neither does a line that a crash has cut or that is damaged: the entries behind it hold whole states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal
from zlib import crc32

import msgspec

Counts = dict[str, int]
"""Reason → events."""


class Ledger(msgspec.Struct):
    """What became of every event that was appended, for one sink. Each term is counted where it happens."""

    read: int = 0
    delivered: int = 0
    unmatched: int = 0
    discarded: Counts = {}
    """Chosen by a policy."""
    lost: Counts = {}
    """Suffered."""

    @property
    def settled(self) -> int:
        """All terms but `waiting`."""
        return self.delivered + self.unmatched + sum(self.discarded.values()) + sum(self.lost.values())


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


class Note(msgspec.Struct, tag_field="type", tag="note"):
    """A batch, sealed before its first byte leaves."""

    first: int
    end: int
    places: list[Place] = []


class FurtherPlace(msgspec.Struct, frozen=True, tag_field="type", tag="place"):
    """Another place that a noted batch is about to be written to."""

    first: int
    """The batch."""
    place: Place


class Commit(msgspec.Struct, frozen=True, tag_field="type", tag="commit"):
    """Everything before `end` is settled."""

    end: int
    ledger: Ledger
    origin: int
    """As in the snapshot, which may be damaged."""


class GapEntry(msgspec.Struct, frozen=True, tag_field="type", tag="gap"):
    """Events that will not be sent, counted in the ledger."""

    gap: Gap
    ledger: Ledger


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

    @property
    def end(self) -> int:
        """The sequence after the last event that it knows of."""
        return max([self.committed, *(note.end for note in self.notes), *(gap.end for gap in self.gaps)])

    def apply(self, entry: Entry) -> None:
        """Change it as an entry of the journal says."""
        match entry:
            case Note():
                others = [note for note in self.notes if note.first != entry.first]
                self.notes = sorted([*others, entry], key=lambda note: note.first)
            case FurtherPlace():
                for note in self.notes:
                    if note.first == entry.first:
                        note.places.append(entry.place)
            case Commit():
                self.committed, self.ledger = entry.end, entry.ledger
                self.notes = [note for note in self.notes if note.end > entry.end]
                self.gaps = [gap for gap in self.gaps if gap.end > entry.end]
            case GapEntry():
                first, end = entry.gap.first, entry.gap.end
                apart = [gap for gap in self.gaps if gap.end <= first or gap.first >= end]
                self.gaps = sorted([*apart, entry.gap], key=lambda gap: gap.first)
                self.ledger = entry.ledger
            case State():
                raise ValueError("a snapshot changes nothing: it begins")


Entry = State | Note | FurtherPlace | Commit | GapEntry

_encode: Final = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Entry] = msgspec.json.Decoder(Entry).decode


def encode_entry(entry: Entry, generation: int) -> bytes:
    """One line of the journal."""
    data = b"%d %b" % (generation, _encode(entry))
    return b"%08x %b\n" % (crc32(data), data)


def replay(*files: bytes) -> tuple[State | None, int]:
    """The state that a journal's files lead to, None where they tell none; and their generation."""
    entries = [entry for file in files for entry in _entries(file)]
    newest = max((generation for generation, _ in entries), default=0)
    state: State | None = None
    for generation, entry in entries:
        if generation != newest:
            continue
        if isinstance(entry, State):
            state = entry
        elif state is not None:
            state.apply(entry)
        elif isinstance(entry, Commit):  # the snapshot is damaged
            state = State("", entry.origin, entry.end, entry.ledger)
    return state, newest


def _entries(file: bytes) -> Iterator[tuple[int, Entry]]:
    """Generation and entry of each line that is whole."""
    for line in file.split(b"\n"):
        checksum, _, data = line.partition(b" ")
        if checksum == b"%08x" % crc32(data):
            generation, _, entry = data.partition(b" ")
            try:
                yield int(generation), _decode(entry)
            except (ValueError, msgspec.DecodeError):  # by chance the right checksum
                continue
