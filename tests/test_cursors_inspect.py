"""What of a journal's file is whole, and what is damaged: told from what older generations have left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.cursors import Commit, Ledger, Note, State, encode_entry, inspect, replay

STATE = State("errors", 0, 10, Ledger())


def lines(generation: int, count: int = 4) -> list[bytes]:
    """A snapshot and commits."""
    commits = [Commit(20 + n, Ledger(read=20 + n, delivered=20 + n), 0) for n in range(count - 1)]
    return [encode_entry(entry, generation) for entry in (STATE, *commits)]


def spoilt(line: bytes) -> bytes:
    return line[:-9] + b"~" + line[-8:]


def test_a_whole_file() -> None:
    file = b"".join(lines(3))

    assert inspect(file) == (file, [])
    assert inspect(file + bytes(1000)) == (file, [])
    assert inspect(b"") == inspect(bytes(100)) == (b"", [])


@pytest.mark.parametrize("place", range(4))
def test_a_damaged_line(place: int) -> None:
    """Also the last: it begins as a line does."""
    written = lines(3)
    written[place] = spoilt(written[place])
    rest = b"".join(line for number, line in enumerate(written) if number != place)

    damage = (sum(map(len, written[:place])), len(written[place]) - 1)
    assert inspect(b"".join(written) + bytes(99)) == (rest, [damage])


@pytest.mark.parametrize("length", [12, 60, 110])
def test_a_line_cut_by_a_crash(length: int) -> None:
    written = lines(3)
    cut = written[-1][:length]

    assert inspect(b"".join(written[:-1]) + cut + bytes(99))[1] == [(sum(map(len, written[:-1])), len(cut))]


@given(st.integers(1, 4), st.integers(1, 6))
def test_the_rest_of_an_older_generation_is_no_damage(newer: int, older: int) -> None:
    """It begins amid a line, or at its beginning, wherever the newer has come to."""
    old = b"".join(lines(3, older))
    new = b"".join(lines(5, newer))

    whole, damaged = inspect(new + old[len(new) :] + bytes(50))

    assert damaged == []
    assert replay(whole) == replay(new)


def test_zeros_where_entries_were_are_damage() -> None:
    """A sector that the disk has lost."""
    written = lines(3)
    file = bytearray(b"".join(written))
    file[len(written[0]) - 5 : len(written[0]) + 30] = bytes(35)

    whole, damaged = inspect(bytes(file))

    assert whole == b"".join(written[2:])
    assert damaged == [(0, len(written[0] + written[1]) - 1)]


def test_nothing_but_damage() -> None:
    assert inspect(b"nonsense" + bytes(10)) == (b"", [(0, 8)])
    assert inspect(b"nonsense\nmore") == (b"", [(0, 8), (9, 4)])


def test_what_is_left_tells_the_same() -> None:
    """A note that is lost costs no state."""
    written = [encode_entry(STATE, 1), encode_entry(Note(10, 20), 1), encode_entry(Commit(30, Ledger(), 0), 1)]
    file = written[0] + spoilt(written[1]) + written[2]

    assert replay(inspect(file)[0]) == replay(file)
    assert inspect(inspect(file)[0]) == (written[0] + written[2], [])
