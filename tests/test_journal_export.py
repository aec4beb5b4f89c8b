"""The journal's export format: the same entries however it is cut, and none lost, whatever they hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.journal_export import (
    WHOLE_BYTES,
    ExportParser,
    Fields,
    entry_of,
    is_same_entry,
    sequence_of,
)
from tests.strategies import chunked

_ODD = [b"", b"plain", b"a=b=c", b"two\nlines", b"\n\n", b"A=1\n\nB=2\n\n", b"\xff\xfe", "é😀".encode(), b"\0"]
_VALUES = st.one_of(st.sampled_from(_ODD), st.binary(max_size=20))
_NAMES = st.sampled_from(["MESSAGE", "PRIORITY", "_PID", "X", "X2"])
entries = st.lists(st.lists(st.tuples(_NAMES, _VALUES), min_size=1, max_size=6), max_size=6)


def exported(fields: list[tuple[str, bytes]]) -> bytes:
    """An entry as journalctl writes it: what is not printable text, by its length."""
    parts = []
    for name, value in fields:
        if value.isascii() and value.decode().isprintable():
            parts.append(name.encode() + b"=" + value + b"\n")
        else:
            parts.append(name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n")
    return b"".join(parts) + b"\n"


def read(pieces: list[bytes], max_entry_bytes: int = 10**6) -> list[Fields]:
    parser = ExportParser(max_entry_bytes)
    return [fields for piece in pieces for fields in parser.feed(piece)]


def expected(fields: list[tuple[str, bytes]]) -> Fields:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value.decode("utf-8", "replace"))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


@pytest.mark.slow
@given(st.data(), entries)
def test_any_cut_gives_the_same_entries(data: st.DataObject, written: list[list[tuple[str, bytes]]]) -> None:
    pieces = data.draw(chunked(b"".join(map(exported, written))))
    assert read(pieces) == [expected(fields) for fields in written]


@settings(max_examples=15)
@given(st.data(), st.integers(WHOLE_BYTES - 100, WHOLE_BYTES + 100), st.sampled_from([b"x", b"\n"]))
def test_long_entries_are_the_same_too(data: st.DataObject, length: int, letter: bytes) -> None:
    written = [[("A", b"1")], [("B", b"2"), ("MESSAGE", letter * length), ("C", b"3")], [("D", b"4")]]
    pieces = data.draw(chunked(b"".join(map(exported, written))))
    assert read(pieces) == [expected(fields) for fields in written]


@pytest.mark.parametrize("letter", [b"x", b"\n"])
def test_of_an_endless_value_no_more_is_held_than_an_entry_may_have(letter: bytes) -> None:
    limit, length = 200_000, 3_000_000
    parser = ExportParser(limit)
    whole = exported([("A", b"first"), ("MESSAGE", letter * length), ("B", b"last")]) + exported([("C", b"3")])
    found = []
    for start in range(0, len(whole), 50_000):
        found += parser.feed(whole[start : start + 50_000])
        assert len(parser._held) <= WHOLE_BYTES
    kept = limit - len("first")
    assert found == [{"A": "first", "MESSAGE": letter.decode() * kept, "B": ""}, {"C": "3"}]
    assert parser.take_cut_bytes() == length - kept + len("last")


@pytest.mark.slow
@given(st.data(), st.binary(max_size=200))
def test_what_is_not_this_format_raises_or_is_taken_as_it_stands(data: st.DataObject, written: bytes) -> None:
    try:
        read(data.draw(chunked(written)))
    except ValueError:
        return


@pytest.mark.parametrize(
    "written",
    [
        b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff",
        b"No journal files were found.\n\n",
        b"Lower\n\x01\0\0\0\0\0\0\0ab",
        b"X" * 300 + b"\n",
        b"\xc3\xa9=1\n",
    ],
)
def test_it_says_so(written: bytes) -> None:
    with pytest.raises(ValueError, match=r"called|longer|bytes"):
        read([written, b"X" * WHOLE_BYTES])


def test_one_of_each() -> None:
    """What the property tries in all ways, at once."""
    written = [[("A", b"1"), ("A", b"2")], [("B", b"1\n\nC=2")], [("D", b"")]]
    whole = b"".join(map(exported, written))
    for cut in range(len(whole)):
        assert read([whole[:cut], whole[cut:]]) == [{"A": ["1", "2"]}, {"B": "1\n\nC=2"}, {"D": ""}]


# ── events ──


def event(**fields: str | list[str]) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(entry_of(dict(fields)).payload)
    return decoded


def test_an_entry_is_an_event_with_a_time_a_severity_and_a_message() -> None:
    address = {"__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1700000000000001", "__MONOTONIC_TIMESTAMP": "5"}
    entry = entry_of({**address, "MESSAGE": "two\nlines", "PRIORITY": "3", "_PID": "1", "X": ["a", "b"]})
    assert entry.cursor == "s=1;i=2"
    assert entry.payload == (
        rb'{"time":"2023-11-14T22:13:20.000001Z","severity":"error","message":"two\nlines","_PID":"1","X":["a","b"]}'
    )


def test_priorities_are_named() -> None:
    names = ["fatal", "alert", "critical", "error", "warning", "notice", "info", "debug"]
    assert [event(PRIORITY=str(priority)) for priority in range(8)] == [{"severity": name} for name in names]


def test_the_time_is_when_the_entry_was_sent_where_that_is_known() -> None:
    sent, received = "1700000000000000", "1700000001000000"
    assert event(__REALTIME_TIMESTAMP=received, _SOURCE_REALTIME_TIMESTAMP=sent) == {"time": "2023-11-14T22:13:20Z"}
    assert event(__REALTIME_TIMESTAMP=received) == {"time": "2023-11-14T22:13:21Z"}


@pytest.mark.parametrize("odd", ["8", "", "info", "-1", "10", ["3", "4"]])
def test_what_is_no_priority_stays_a_field(odd: str | list[str]) -> None:
    assert event(PRIORITY=odd) == {"PRIORITY": odd}


@pytest.mark.parametrize("odd", ["", "x", "-5", "9" * 40, "²", ["1", "2"]])
def test_what_is_no_time_stays_a_field(odd: str | list[str]) -> None:
    assert event(_SOURCE_REALTIME_TIMESTAMP=odd) == {"_SOURCE_REALTIME_TIMESTAMP": odd}


def test_entries_are_known_again_where_journald_has_copied_them() -> None:
    place = "b=0f;m=3e8;t=66;x=cd"
    assert is_same_entry(f"s=aa;i=1;{place}", f"s=bb;i=9;{place}")
    assert not is_same_entry(f"s=aa;i=1;{place}", f"s=aa;i=2;{place}0")
    assert not is_same_entry("odd", "other")
    assert is_same_entry("odd", "odd")


def test_cursors_tell_how_many_entries_are_between_them() -> None:
    assert sequence_of("s=aa;i=1f;b=0f") == ("aa", 31)
    assert sequence_of("s=aa;b=0f") is None
    assert sequence_of("odd") is None
    assert sequence_of("s=aa;i=zz") is None
