"""How many requests may be under way."""

from __future__ import annotations

from logrouter.concurrency import Concurrency


def after(most: int, *answers: float) -> Concurrency:
    concurrency = Concurrency(most)
    for seconds in answers:
        concurrency.answered(seconds, concurrency.places)
    return concurrency


def test_it_begins_with_one_and_a_round_of_answers_adds_about_one() -> None:
    assert Concurrency(8).places == 1
    assert after(8, 0.1).places == 2
    assert after(8, 0.1, 0.1, 0.1).limit > 2.8


def test_it_grows_to_what_is_allowed_and_no_further() -> None:
    assert after(4, *[0.1] * 100).limit == 4.0


def test_it_does_not_grow_where_it_is_not_what_holds_back() -> None:
    concurrency = after(8, 0.1, 0.1, 0.1)
    before = concurrency.limit
    for _ in range(100):
        concurrency.answered(0.1, 1)
    assert concurrency.limit == before


def test_a_refusal_halves_it_down_to_one() -> None:
    concurrency = after(8, *[0.1] * 100)
    concurrency.refused()
    assert concurrency.places == 4
    for _ in range(9):
        concurrency.refused()
    assert concurrency.places == 1


def test_answers_that_take_longer_and_longer_hold_it_back() -> None:
    concurrency = after(8, *[0.1] * 100)
    for _ in range(4):
        concurrency.answered(0.5, 8)
    assert 4 < concurrency.limit < 8


def test_what_takes_long_for_good_is_usual_in_the_end() -> None:
    concurrency = after(8, *[0.1] * 100)
    for _ in range(200):
        concurrency.answered(0.5, concurrency.places)
    assert concurrency.limit == 8.0


def test_small_times_are_noise() -> None:
    assert after(4, *[0.001, 0.015] * 50).limit == 4.0
