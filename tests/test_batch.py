"""Parts of slices and batches: whichever way they are taken, each event keeps all that belongs to it."""

from __future__ import annotations

from array import array
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logrouter.batch import Batch, Chosen, Slice


def slice_of(numbers: range) -> Slice:
    """Events that say their number wherever something can be said of one."""
    events = [number for number in numbers if number % 3]
    return Slice(
        [b"%d" % number for number in events],
        bytes(number % 256 for number in events),
        {"source": "app"},
        7,
        1,
        Chosen(numbers, bytes(number % 3 > 0 for number in numbers)),
        ([str(number) for number in events], "all"),
        bytes(number % 2 for number in events),
        array("q", events),
    )


def numbers_in(batch: Batch) -> list[int]:
    """The numbers of its events, if all that is known of each says the same."""
    found = []
    for part in batch.slices:
        assert part.times_ns is not None
        assert part.collides is not None
        assert isinstance(part.columns[0], list)
        assert part.columns[1] == "all"
        assert (part.attributes, part.received_ns, part.epoch) == ({"source": "app"}, 7, 1)
        for place, payload in enumerate(part.payloads):
            number = int(payload)
            assert part.sequences[place] == part.times_ns[place] == int(part.columns[0][place]) == number
            assert (part.flags[place], part.collides[place]) == (number % 256, number % 2)
            found.append(number)
        assert len(part.flags) == len(part.sequences) == len(part)
    return found


batches = st.lists(st.integers(2, 9), max_size=5).map(
    lambda lengths: Batch(
        [slice_of(range(sum(lengths[:place]), sum(lengths[: place + 1]))) for place in range(len(lengths))]
    )
)


@given(batches, st.data())
def test_events_are_picked_with_all_that_belongs_to_them(batch: Batch, data: st.DataObject) -> None:
    every = numbers_in(batch)
    places = sorted(data.draw(st.sets(st.integers(0, max(0, len(every) - 1)), max_size=len(every))))
    assert numbers_in(batch.pick(places)) == [every[place] for place in places]
    assert numbers_in(batch) == every


@given(batches, st.data())
def test_a_batch_is_cut_without_a_loss(batch: Batch, data: st.DataObject) -> None:
    every = numbers_in(batch)
    inner = data.draw(st.lists(st.integers(0, len(every)), max_size=4))
    bounds = [0, *sorted(inner), len(every)]
    pieces = batch.cut(bounds)
    assert [numbers_in(piece) for piece in pieces] == [every[start:stop] for start, stop in pairwise(bounds)]
    assert all(part.payloads for piece in pieces for part in piece.slices)


@given(batches.filter(lambda batch: len(batch) > 1))
def test_halves_are_none_of_them_empty(batch: Batch) -> None:
    first, second = batch.halves()
    assert numbers_in(first) + numbers_in(second) == numbers_in(batch)
    assert abs(len(first) - len(second)) <= 1
