"""A cursor's journal: what it tells is the state after the last entry that is whole, whatever stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.cursors import (
    Commit,
    Entry,
    FurtherPlace,
    Gap,
    Ledger,
    Note,
    Place,
    State,
    Tally,
    encode_entry,
    replay,
)

small = st.integers(0, 400)
counts = st.dictionaries(st.sampled_from(["spool_full", "closed", "damaged"]), st.integers(1, 50), max_size=2)
tallies = st.builds(Tally, small, small, counts, counts)
ledgers = st.builds(Ledger, small, small, counts, counts, counts, small)
memories = st.none() | st.dictionaries(st.sampled_from(["upload", "key"]), st.text() | st.integers(0, 9), max_size=2)
places = st.builds(Place, st.sampled_from(["a.log", "ö\n"]), small, small, small, small, small)


@st.composite
def gaps(draw: st.DrawFn) -> Gap:
    first = draw(small)
    length = draw(st.integers(1, 30))
    return Gap(7, first, first + length, length, "lost", "damaged", 1, 2)


notes = st.builds(
    lambda first, length, *more: Note(first, first + length, *more),
    *(small, small, st.lists(places), small, tallies, memories, st.booleans()),
)
several_gaps = st.lists(gaps(), max_size=2)
states = st.builds(State, st.just("s"), small, small, ledgers, st.lists(notes, max_size=2), several_gaps, memories)
entries = st.one_of(
    notes,
    st.builds(FurtherPlace, small, places),
    st.builds(Commit, small, ledgers, small, st.lists(gaps(), max_size=2), memories),
)


def after(state: State, entries: Sequence[Entry]) -> State:
    """A copy of the state that these entries have changed."""
    copy = msgspec.json.decode(msgspec.json.encode(state), type=State)
    for entry in msgspec.json.decode(msgspec.json.encode(list(entries)), type=list[Entry]):
        copy.apply(entry)
    return copy


def journal(generation: int, *entries: Entry) -> bytes:
    return b"".join(encode_entry(entry, generation) for entry in entries)


# ── what is applied ──


def test_a_note_stays_until_a_commit_has_passed_all_of_it() -> None:
    state = State("s", 0, 0, Ledger(read=30))
    state.apply(Note(20, 30))
    state.apply(Note(0, 20))
    assert [note.first for note in state.notes] == [0, 20]
    state.apply(Commit(15, Ledger(read=30, delivered=15), 0))
    assert [note.first for note in state.notes] == [0, 20]
    state.apply(Commit(20, Ledger(read=30, delivered=20), 0))
    assert [note.first for note in state.notes] == [20]
    assert (state.committed, state.ledger.delivered) == (20, 20)


def test_a_note_made_again_takes_the_place_of_the_first() -> None:
    place = Place("x", 1, 2, 3, 4, 5)
    state = State("s", 0, 0, Ledger())
    state.apply(Note(0, 20, [place]))
    state.apply(Note(0, 20))
    assert state.notes == [Note(0, 20)]
    state.apply(FurtherPlace(0, place))
    state.apply(FurtherPlace(99, place))  # of a batch that nobody knows
    assert state.notes == [Note(0, 20, [place])]


def test_a_commit_says_which_gaps_are_left() -> None:
    gaps = [Gap(7, first, first + 10, 10, "discarded", "spool_full") for first in (10, 30)]
    state = State("s", 0, 0, Ledger())
    state.apply(Commit(0, Ledger(discarded={"spool_full": 20}), 0, gaps))
    assert (state.gaps, state.committed, state.ledger.settled) == (gaps, 0, 20)
    state.apply(Commit(20, Ledger(discarded={"spool_full": 20}, delivered=10), 0, gaps[1:]))
    assert state.gaps == gaps[1:]


# ── a journal as bytes ──


def test_lines_are_as_drawn() -> None:
    line = encode_entry(Note(120, 190, [Place("errors.log", 1, 2, 3, 4, 5)], 1, Tally(12, 58)), 7)
    checksum, generation, entry = line.split(b" ", 2)
    assert (len(checksum), generation) == (8, b"7")
    places = b'"places":[["errors.log",1,2,3,4,5]]'
    assert entry == b'{"type":"note","first":120,"end":190,%b,"tally":{"delivered":12,"unmatched":58}}\n' % places


def test_no_files_tell_nothing() -> None:
    assert replay() == (None, 0)
    assert replay(b"", b"\0" * 100) == (None, 0)


@given(states, st.lists(entries, max_size=8))
def test_replay_gives_the_state_after_all_entries(state: State, several: list[Entry]) -> None:
    """Invariant 6, same cut after a crash: notes come back as they were."""
    file = journal(3, state, *several) + bytes(200)
    assert replay(file) == (after(state, several), 3)
    assert replay(b"", file) == (after(state, several), 3)


@settings(max_examples=30)
@given(states, st.lists(entries, max_size=4))
def test_a_crash_at_any_byte_leaves_the_last_whole_entry(state: State, several: list[Entry]) -> None:
    lines = [encode_entry(entry, 3) for entry in several]
    file = journal(3, state)
    for number, line in enumerate(lines):
        for length in range(len(line)):
            expected = several[: number + (length == len(line) - 1)]  # only its newline is missing
            assert replay(file + line[:length]) == (after(state, expected), 3)
            assert replay((file + line[:length]).ljust(9000, b"\0")) == (after(state, several[:number]), 3)
        file += line


@settings(max_examples=30)
@given(states, st.lists(entries, max_size=3), states, st.lists(entries, max_size=3))
def test_a_crash_at_any_byte_of_the_next_generation(
    old: State, before: list[Entry], new: State, behind: list[Entry]
) -> None:
    """The other file begins anew, over lines of an older generation: these never count."""
    current = journal(4, old, *before)
    stale = journal(3, new, *behind, *behind)
    line = encode_entry(new, 5)
    assert replay(stale, current) == (after(old, before), 4)
    for length in range(len(line) - 1):
        torn = line[:length] + stale[length:]
        if not torn.startswith(line):  # what stood there before may end alike
            assert replay(torn, current) == (after(old, before), 4)
    assert replay(line + stale[len(line) :], current) == (new, 5)


@settings(max_examples=100)
@given(states, st.lists(entries, max_size=6), st.data())
def test_a_damaged_line_costs_no_other(state: State, several: list[Entry], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(several)))
    lines = [encode_entry(entry, 3) for entry in (state, *several)]
    place = data.draw(st.integers(0, len(lines[number]) - 2))
    lines[number] = lines[number][:place] + bytes([lines[number][place] ^ 4]) + lines[number][place + 1 :]
    found, generation = replay(b"".join(lines))
    if number:
        assert (found, generation) == (after(state, several[: number - 1] + several[number:]), 3)
    elif found is not None:  # the snapshot is damaged: the first commit takes its place
        first = next(place for place, entry in enumerate(several) if isinstance(entry, Commit))
        commit = several[first]
        assert isinstance(commit, Commit)
        begun = State("", commit.origin, commit.end, commit.ledger, [], list(commit.gaps), commit.carried)
        assert found == after(begun, several[first + 1 :])
    else:
        assert not any(isinstance(entry, Commit) for entry in several)


def test_a_damaged_snapshot_is_made_good_by_the_generation_before() -> None:
    """What it held was the state at that one's end."""
    note, later = Note(10, 20, [Place("x", 1, 2, 3, 4, 5)]), Note(20, 30)
    state = State("s", 0, 10, Ledger(read=20, delivered=10))
    before = journal(4, state, note)
    snapshot = after(state, [note])
    line = encode_entry(snapshot, 5)
    assert replay(before, line[:9] + b"?" + line[10:] + journal(5, later)) == (after(snapshot, [later]), 5)


def test_a_damaged_snapshot_is_not_made_good_by_an_older_one() -> None:
    stale = journal(3, State("s", 0, 10, Ledger(delivered=10)))
    assert replay(stale, b"damaged\n" + journal(5, Note(20, 30))) == (None, 5)


def test_what_a_lost_line_has_said_of_gaps_the_next_commit_says_again() -> None:
    """Invariant 3, conservation: else its events were counted as discarded, and sent."""
    gap = Gap(7, 20, 30, 10, "discarded", "spool_full")
    state = State("s", 0, 0, Ledger(read=40))
    commit = Commit(10, Ledger(read=40, delivered=10, discarded={"spool_full": 10}), 0, [gap])
    found, _ = replay(journal(1, state) + b"the line of the gap\n" + journal(1, commit))
    assert found is not None
    assert found.gaps == [gap]


@given(st.lists(st.binary(max_size=60) | st.just(b"00000000 "), max_size=6))
def test_any_bytes_tell_nothing(lines: list[bytes]) -> None:
    assert replay(b"\n".join(lines)) == (None, 0)


@pytest.mark.parametrize("line", [b"7 {}", b"x {}", b'7 {"type":"note"}', b'7 {"type":"other"}', b"7", b""])
def test_nonsense_with_the_right_checksum_tells_nothing(line: bytes) -> None:
    assert replay(b"%08x %b\n" % (crc32(line), line)) == (None, 0)


def test_the_ledger_knows_what_is_settled() -> None:
    """Invariant 3, conservation: each term is kept."""
    assert Ledger(10, 20, {"refused": 6}, {"spool_full": 3, "closed": 4}, {"damaged": 5}, 100).settled == 48
