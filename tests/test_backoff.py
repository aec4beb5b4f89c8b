"""Waits grow, are capped, are jittered over their whole range, and start anew after a success."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.backoff import Backoff


def test_limits_double_up_to_the_cap() -> None:
    backoff = Backoff(lambda: 1.0, initial_seconds=0.5, cap_seconds=5.0)

    assert [backoff.next_seconds() for _ in range(7)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert backoff.failures == 7


def test_jitter_is_full() -> None:
    random = iter([0.0, 0.5, 0.25])
    backoff = Backoff(lambda: next(random), initial_seconds=1.0, cap_seconds=60.0)

    assert [backoff.next_seconds() for _ in range(3)] == [0.0, 1.0, 1.0]


def test_a_success_starts_anew() -> None:
    backoff = Backoff(lambda: 1.0, initial_seconds=0.2, cap_seconds=30.0)
    for _ in range(5):
        backoff.next_seconds()
    backoff.reset()

    assert (backoff.failures, backoff.next_seconds(), backoff.next_seconds()) == (0, 0.2, 0.4)


def test_a_destination_that_is_dead_for_years_does_no_harm() -> None:
    backoff = Backoff(lambda: 1.0)
    backoff.failures = 10**9

    assert backoff.next_seconds() == 30.0


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 2000))
@settings(deadline=None)
def test_every_wait_is_within_the_cap(random: float, failures: int) -> None:
    backoff = Backoff(lambda: random, initial_seconds=0.2, cap_seconds=30.0)
    backoff.failures = failures

    assert 0.0 <= backoff.next_seconds() <= min(30.0, 0.2 * 2.0 ** min(failures, 100))
