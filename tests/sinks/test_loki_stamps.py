from __future__ import annotations

from array import array
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logrouter.sinks._loki_stamps import stamp, stamps
from tests.sinks.protobuf import fields, taken

NOW = 1_795_946_400_000_000_000
SECOND = 1_000_000_000
RUN = 128 * SECOND
BEGIN = NOW - NOW % RUN
"""Of what is made at once."""
SPANS = (0, 1, SECOND - 1, SECOND, 2 * SECOND, RUN, 3 * RUN, 10_000 * RUN)
LEAST, GREATEST = -(2**63), 2**63 - 1

begins = st.sampled_from([NOW, BEGIN, 2**28 * SECOND, 2**62 - 1, 0, LEAST, GREATEST]) | st.integers(0, 2**62)


@st.composite
def times(draw: st.DrawFn) -> array[int]:
    """Many, as far apart as what is read together may be; they are often in order, and often whole seconds."""
    begin, span, random = draw(begins), draw(st.sampled_from(SPANS)), Random(draw(st.integers(0, 2**32)))
    found = [begin + random.randint(-span, span) for _ in range(draw(st.integers(1, 80)))]
    found = [time_ns - time_ns % SECOND for time_ns in found] if draw(st.booleans()) else found
    found = sorted(found) if draw(st.booleans()) else found
    return array("q", [min(max(time_ns, LEAST), GREATEST) for time_ns in found])


def told(encoded: bytes) -> int:
    """The time that a field of an entry says."""
    ((number, content),) = fields(encoded)
    assert number == 1
    said = dict(fields(taken(content)))
    seconds, nanoseconds = int(said[1]), int(said[2])
    return (seconds - 2**64 if seconds >= 2**63 else seconds) * SECOND + nanoseconds


@settings(max_examples=30)
@given(times())
@example(array("q", [BEGIN + second * SECOND + 999_999_999 for second in range(200)]))
@example(array("q", [BEGIN, BEGIN + RUN]))
@example(array("q", [BEGIN, BEGIN + 2**37 - 1]))
@example(array("q", [BEGIN, BEGIN - 1]))
@example(array("q", [LEAST, 2**62 - 1]))
@example(array("q", [2**62 - 1, LEAST]))
def test_times_made_together_are_those_made_one_by_one(times_ns: array[int]) -> None:
    found = stamps(times_ns)
    each = [stamp(time_ns) for time_ns in times_ns]
    if found.block is not None:
        assert list(found.each()) == each
    assert [told(one) for one in each] == list(times_ns)


@settings(max_examples=30)
@given(times())
@example(array("q", [BEGIN, BEGIN + RUN]))
def test_the_limits_are_those_of_all_events_to_the_second(times_ns: array[int]) -> None:
    found = stamps(times_ns)
    assert min(times_ns) - SECOND < found.first_ns <= min(times_ns)
    assert max(times_ns) <= found.last_ns < max(times_ns) + SECOND


@pytest.mark.parametrize("time_ns", [0, 2**28 * SECOND - 1, 2**62, LEAST, GREATEST])
def test_what_takes_up_other_room_is_told(time_ns: int) -> None:
    assert stamps(array("q", [NOW, time_ns])).block is None


@pytest.mark.parametrize("time_ns", [2**28 * SECOND, NOW, 2**62 - 1])
def test_usual_times_take_up_the_same_room(time_ns: int) -> None:
    assert [len(one) for one in stamps(array("q", [time_ns] * 70)).each()] == [14] * 70
