"""Times that are written alike are told all at once, as each is told alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import times, times_at_once

MINUTES = ("2026-11-29T16:45:", "1970-01-01T00:10:", "2024-02-29T23:59:", "2115-08-31T00:00:")
digits = st.integers(0, 59).map("{:02d}".format)
fractions = {
    count: st.integers(0, 10**count - 1).map(lambda number, count=count: f".{number:0{count}d}") for count in (3, 6, 9)
} | {0: st.just("")}


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Texts of one minute and one form; some of their fractions end in zeros."""
    minute, count = draw(st.sampled_from(MINUTES)), draw(st.sampled_from(sorted(fractions)))
    round_ones = st.sampled_from(["." + "0" * count, "." + "120000000"[:count]]) if count else st.just("")
    return draw(
        st.lists(
            st.tuples(digits, fractions[count] | round_ones).map(lambda rest: f"{minute}{''.join(rest)}Z"), min_size=1
        )
    )


@pytest.mark.slow
@settings(deadline=None)
@given(alike())
def test_what_is_alike_is_told_as_each_alone(values: list[str]) -> None:
    given_ones = values.copy()
    assert times_at_once.texts(values) == [times.text_of(0, value) for value in values]
    assert list(times_at_once.nanoseconds(values) or ()) == [times.of(0, value) for value in values]
    assert values == given_ones


def test_fractions_are_written_in_as_few_digits_as_tell_all() -> None:
    values = ["1970-01-01T00:00:07.120000Z", "1970-01-01T00:00:59.000000Z", "1970-01-01T00:00:00.000001Z"]
    assert times_at_once.texts(values) == ["1970-01-01T00:00:07.120Z", "1970-01-01T00:00:59Z", values[2]]
    assert list(times_at_once.nanoseconds(values) or ()) == [7_120_000_000, 59_000_000_000, 1_000]


odd = st.sampled_from(
    [
        "2026-11-29T16:45:33.12Z",
        "2026-11-29T16:45:33.120+00:00",
        "2026-11-29 16:45:33.120Z",
        "2026-11-29T16:45:60.120Z",
        "2026-11-29T16:45:3a.120Z",
        "2026-11-29T16:45:٣٣.120Z",
        "2026-11-29T16:46:33.120Z",
        "2026-11-29T16:45:33.120",
        "Z2026-11-29T16:45:33.120Z",
        "2026-11-29T16:45:33.120Z\n2026-11-29T16:45:33.120Z",
        "\ud800",
        "",
        1_795_970_733,
        None,
        ["2026-11-29T16:45:33.120Z"],
    ]
)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(odd | st.just("2026-11-29T16:45:33.120Z"), min_size=1, max_size=6))
def test_what_is_not_alike_is_left_to_others(values: list[Any]) -> None:
    """Where it is told all the same, it is told right."""
    texts, nanoseconds = times_at_once.texts(values), times_at_once.nanoseconds(values)
    assert texts is None or texts == [times.text_of(0, value) for value in values]
    assert nanoseconds is None or list(nanoseconds) == [times.of(0, value) for value in values]


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["2026-11-29T16:45:33.120Z", "2026-11-29T16:46:33.120Z"],
        ["2026-11-29T16:45:33.120Z", "2026-11-29T16:45:60.120Z"],
        ["2026-13-29T16:45:33.120Z"],
        ["2026-11-31T16:45:33.120Z"],
        ["2026-11-29T24:45:33.120Z"],
        ["2026-11-29T16:45:33.120", "Z2026-11-29T16:45:33.120Z"],
        ["2026-11-29T16:45:33.120Z\n2026-11-29T16:45:33.120Z", ""],
        [1_795_970_733],
    ],
)
def test_none_is_told_of_what_no_minute_holds_or_no_text_is(values: list[Any]) -> None:
    assert times_at_once.texts(values) is None
    assert times_at_once.nanoseconds(values) is None


@pytest.mark.parametrize("value", ["1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "2262-04-12T00:00:00Z"])
def test_times_that_do_not_fit_are_left_to_others(value: str) -> None:
    assert times_at_once.nanoseconds([value]) is None
    assert times_at_once.texts([value]) == [value]
