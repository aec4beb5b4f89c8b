"""How bodies are cut for writing."""

from __future__ import annotations

import pytest

from logrouter.runtime.transports.pieces import LARGE_BYTES, SMALL_BYTES, Pace, cut

DEADLINE_SECONDS = 32.0
QUICK, SLOW = 3.9, 4.0


@pytest.mark.parametrize("length", [0, 1, SMALL_BYTES])
def test_a_part_that_is_no_longer_is_not_copied(length: int) -> None:
    part = b"a" * length
    assert [piece is part for piece in cut([part], SMALL_BYTES)] == [True]


def test_longer_parts_are_cut_and_none_are_joined() -> None:
    parts = [b"abcdefg", b"hi", b"", b"jklm"]
    assert list(map(bytes, cut(parts, 3))) == [b"abc", b"def", b"g", b"hi", b"", b"jkl", b"m"]


@pytest.mark.parametrize(
    ("exchanges", "piece_bytes"),
    [
        ([], SMALL_BYTES),
        ([(SMALL_BYTES, QUICK)], LARGE_BYTES),
        ([(SMALL_BYTES, SLOW)], SMALL_BYTES),
        ([(SMALL_BYTES - 1, 0.0)], SMALL_BYTES),  # what is small says nothing of how large ones would fare
        ([(SMALL_BYTES, QUICK), (SMALL_BYTES - 1, SLOW)], LARGE_BYTES),
        ([(SMALL_BYTES, QUICK), (LARGE_BYTES, SLOW)], SMALL_BYTES),
    ],
)
def test_a_connection_gets_large_pieces_once_it_has_shown_that_it_is_quick(
    exchanges: list[tuple[int, float]], piece_bytes: int
) -> None:
    pace = Pace(DEADLINE_SECONDS)
    for body_bytes, seconds in exchanges:
        pace.learn(body_bytes, seconds)
    assert pace.piece_bytes == piece_bytes


def test_a_large_piece_takes_half_of_the_deadline_on_the_slowest_line_that_is_quick() -> None:
    assert LARGE_BYTES / SMALL_BYTES * SLOW == DEADLINE_SECONDS / 2
