"""The format of dead letters: what is written is read, whatever the event; damage costs the line that it touches."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.dead_letters import DETAIL_CHARACTERS, DeadLetter, encode_letter, lines_of, parse_id
from logrouter.event import Flag, Offset

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LETTERS = st.builds(
    DeadLetter,
    epoch=st.integers(0, 2**64 - 1),
    sequence=st.integers(0, 2**63),
    sink=st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True),
    reason=TEXTS,
    detail=TEXTS,
    rejected_ns=st.integers(0, 2**62),
    received_ns=st.integers(0, 2**62),
    attributes=st.dictionaries(TEXTS, TEXTS | st.booleans() | st.integers(-(2**63), 2**63), max_size=3),
    flags=st.integers(0, 255),
    payload=st.binary(max_size=60) | TEXTS.map(str.encode),
)


def letter(sequence: int = 1042, payload: bytes = b'{"a":1}', detail: str = "a is no number") -> DeadLetter:
    attributes = {"source": "app", "stream": "stdin"}
    return DeadLetter(
        0xABC, sequence, "es", "mapping conflict", detail, 2 * 10**18, 10**18, attributes, Flag.JSON, payload
    )


def test_a_line() -> None:
    """The format is a promise: other programs, and later versions, read it."""
    assert encode_letter(letter(), 1055).partition(b" ")[2] == (
        b'1 1055 {"id":"0000000000000abc-1042","sink":"es","reason":"mapping conflict","detail":"a is no number",'
        b'"rejected_ns":2000000000000000000,"received_ns":1000000000000000000,'
        b'"attributes":{"source":"app","stream":"stdin"},"flags":1,"payload":"{\\"a\\":1}"}\n'
    )
    assert b'"payload_base64":"//4="}\n' in encode_letter(letter(payload=b"\xff\xfe"), 0)


@settings(max_examples=30)
@given(st.lists(LETTERS, max_size=4))
def test_what_is_written_is_read(letters: list[DeadLetter]) -> None:
    lines = list(lines_of(b"".join(encode_letter(one, 0) for one in letters)))

    assert [line.letter for line in lines] == letters
    assert [line.highest for line in lines] == [one.sequence for one in letters]


@settings(max_examples=30)
@given(st.lists(LETTERS, min_size=1, max_size=4), st.data())
def test_a_cut_costs_the_last_line(letters: list[DeadLetter], data: st.DataObject) -> None:
    written = [encode_letter(one, 0) for one in letters]
    whole = b"".join(written)
    cut = data.draw(st.integers(0, len(whole) - 1))

    read = list(lines_of(whole[:cut]))

    kept = next(count for count in range(len(written)) if len(b"".join(written[: count + 1])) > cut)
    assert [line.letter for line in read if line.letter] == letters[:kept]
    assert b"".join(line.data for line in read) == whole[:cut]


@settings(max_examples=30)
@given(st.lists(LETTERS, min_size=1, max_size=4), st.data())
def test_damage_costs_the_lines_that_it_touches(letters: list[DeadLetter], data: st.DataObject) -> None:
    written = [bytearray(encode_letter(one, 0)) for one in letters]
    spoilt = data.draw(st.integers(0, len(letters) - 1))
    place = data.draw(st.integers(0, len(written[spoilt]) - 2))  # its end belongs to the next line too
    written[spoilt][place] ^= 1 << data.draw(st.integers(0, 7))

    read = [line.letter for line in lines_of(b"".join(written))]

    assert [one for one in read if one is not None] == letters[:spoilt] + letters[spoilt + 1 :]
    assert None in read


@given(st.binary(max_size=300))
def test_anything_may_stand_there(data: bytes) -> None:
    assert all(line.letter is None for line in lines_of(data))


@pytest.mark.parametrize("content", [b"2 5 {}", b"1 5 []", b"1 x {}", b"1 5", b"", b'1 5 {"id":"x"}'])
def test_a_line_of_another_version_is_no_letter(content: bytes) -> None:
    line = b"%08x %b\n" % (crc32(content), content)

    assert [(found.data, found.letter, found.highest) for found in lines_of(line)] == [(line, None, 0)]


def test_the_highest_sequence_goes_on() -> None:
    (line,) = lines_of(encode_letter(letter(5), 9))
    assert line.highest == 9


def test_what_a_destination_says_is_cut_and_made_fit() -> None:
    (line,) = lines_of(encode_letter(letter(detail="\ud800" + "x" * 5000), 0))

    assert line.letter is not None
    assert line.letter.detail == "?" + "x" * (DETAIL_CHARACTERS - 1)


def test_an_id_is_shown_and_read() -> None:
    assert letter().name == "0000000000000abc-1042"
    assert parse_id(letter().name) == letter().id == Offset(0xABC, 1042)


@pytest.mark.parametrize("text", ["", "abc-1", "0000000000000ABC-1", "0000000000000abc-", "0000000000000abc-1 "])
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="expected an id such as"):
        parse_id(text)
