"""Whatever is done to expressions, they match as before."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import component, reference
from logrouter.parsers._beginnings import alternatives_of, any_of, first_bytes, narrowed, needed_bytes
from logrouter.possessive import portable

BEGINS = [kind.looks.begin for name in component.names("parsers") if (kind := component.load("parsers", name)).looks]
LINES = [
    before.encode()
    for name in component.names("parsers")
    for example in reference.examples(component.load_module("parsers", name).__doc__ or "")
    for before, _ in example.events
]


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ([b"ab|ac", b"d"], b"(?:a(?:b|c)|d)"),
        ([rb"\d{2}:x", rb"[0-9]\d:y"], rb"\d\d:(?:x|y)"),
        ([b"(?:a)(?:b|c)", b"ad?"], b"a(?:b|c|d?)"),
        ([b"abc", b"ab"], b"ab"),
        ([b"ab", b"abc"], b"ab"),
        ([rb"\(a[|)]b", rb"\(a[|)]c"], rb"\(a[|)](?:b|c)"),
        ([b"(?:ab)+c", b"(?:ab)+d"], b"(?:ab)+(?:c|d)"),
        ([b"a(?=b|c)"], b"a(?=b|c)"),
    ],
)
def test_what_is_alike_is_written_once(several: list[bytes], one: bytes) -> None:
    assert any_of(several) == one


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        (b"abc", b"a"),
        (b"a?b", b"ab"),
        (b"a*+[bc]", b"abc"),
        (b"(?:a|b?)c", b"abc"),
        (b"(?!x)a", b"a"),
        (rb"(?>\d)", b"0123456789"),
        (b"[^\x01-\xff]", b"\x00"),
        (b"(?:(?:a|b)){2}", b"ab"),
        (b"a{0,2}b{1,}c", b"ab"),
        (b"a{,2}+b{2}?c", b"ab"),
        (b"(?<=x)(?:a{3}|b*?c)", b"abc"),
        (rb"[]x](?:\)|\|)", b"]x"),
        (rb"\|a|\[b", b"|["),
    ],
)
def test_first_bytes(expression: bytes, first: bytes) -> None:
    assert first_bytes(expression) == frozenset(first)


def test_what_may_match_nothing_can_begin_with_anything() -> None:
    assert len(first_bytes(b"a?")) == len(first_bytes(b"a|")) == 256


@pytest.mark.parametrize("expression", [b"^a", rb"\ba", b"(?i:a)", b"(a)(b)"])
def test_what_is_no_beginning(expression: bytes) -> None:
    with pytest.raises(AssertionError, match="do not belong there"):
        first_bytes(expression)


def test_needed_bytes() -> None:
    assert needed_bytes(rb"a(?:b|c|)d?(?:xy|yz)(?:ef)+(?:[gh]i)*+(?=.k)(?!l)(?<=m)\[[n]{1,2}[^o]") == frozenset(
        b"aefk[ny"
    )


def test_alternatives_are_those_of_the_top() -> None:
    assert alternatives_of(rb"a(?:b|c)|[|]\||d") == [rb"a(?:b|c)", rb"[|]\|", b"d"]


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Nearly a line of some format."""
    line = draw(st.sampled_from(LINES))
    place = draw(st.integers(0, len(line)))
    return line[:place] + draw(st.binary(max_size=2)) + line[place + draw(st.integers(0, 2)) :]


ANY = re.compile(portable(any_of(BEGINS)))
EACH = [re.compile(portable(begin)) for begin in BEGINS]
DIGITS = frozenset(b"0123456789")
OF_DIGITS = [re.compile(portable(narrowed(begin, DIGITS) or b"(?!)")) for begin in BEGINS]


@given(texts())
@settings(deadline=None)
def test_how_lines_of_the_formats_begin(line: bytes) -> None:
    assert (ANY.match(line) is not None) == any(each.match(line) for each in EACH)
    for each, of_digits in zip(EACH, OF_DIGITS, strict=True):
        if line and line[0] in DIGITS:
            assert (each.match(line) is None) == (of_digits.match(line) is None)
        for part in alternatives_of(each.pattern):
            if re.match(portable(part), line):
                assert line[0] in first_bytes(part)
                assert needed_bytes(part) <= frozenset(line)
