"""What chunks carry of how far streams have been read, and the table that is made of it."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from logrouter.positions import Position, encode, key_of, merge, of_source

names = st.sampled_from(["app", "app2", "a", ""])
streams = st.sampled_from(["", "x", "/var/log/x", "x\0y"])
positions = st.none() | st.builds(Position, st.binary(max_size=5), st.integers(0, 2**40), st.integers(0, 2**40))
changes = st.dictionaries(st.tuples(names, streams), positions, max_size=6)


@given(st.lists(changes, max_size=6))
def test_a_table_holds_what_was_carried_last_of_each_stream(
    carried: list[dict[tuple[str, str], Position | None]],
) -> None:
    table: dict[str, bytes] = {}
    expected: dict[tuple[str, str], Position | None] = {}
    for change in carried:
        merge(table, encode({key_of(*key): position for key, position in change.items()}))
        expected |= change
    for source in ("app", "app2", "a", ""):
        assert of_source(table, source) == {
            stream: position for (its, stream), position in expected.items() if its == source and position is not None
        }


def test_what_was_written_when_only_events_were_counted_is_read() -> None:
    table = {key_of("app", "x"): msgspec.msgpack.encode([b"A", 300])}
    assert of_source(table, "app") == {"x": Position(b"A", events=300, lines=0)}


def test_what_cannot_be_read_changes_nothing() -> None:
    table = {"app\0": b"before"}
    merge(table, b"\xc1 no msgpack")
    assert table == {"app\0": b"before"}
