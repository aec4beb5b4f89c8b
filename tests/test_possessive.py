"""Possessive groups, written so that every Python 3.11 matches them right."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.joining.languages import LANGUAGES
from logrouter.possessive import portable, with_atomic_groups


@pytest.mark.parametrize(
    ("written", "atomic"),
    [
        ("a(?:bc)*+d", "a(?>(?:bc)*)d"),
        ("(a(b)?+)++", "(?>(a(?>(b)?))+)"),
        ("(?:[)(]+x){2,}+", "(?>(?:[)(]+x){2,})"),
        (r"\(a\)*+", r"\(a\)*+"),
        ("[^]()]*+(?P<n>x){3}+", "[^]()]*+(?>(?P<n>x){3})"),
        ("(a)*(b)+(c)?", "(a)*(b)+(c)?"),
    ],
)
def test_groups_become_atomic(written: str, atomic: str) -> None:
    assert with_atomic_groups(written) == atomic
    assert re.compile(written).groups == re.compile(atomic).groups


@pytest.mark.parametrize(
    ("written", "atomic"), [(r"a(?:\n[ ]x)*+", r"a(?>(?:\n[ ]x)*)"), ("(?:ab|ac)?+", "(?>(?:ab|ac)?)")]
)
@given(text=st.text("abcx \n", max_size=12))
def test_they_match_what_is_right(written: str, atomic: str, text: str) -> None:
    assert [match.span() for match in re.finditer(portable(written), text)] == [
        match.span() for match in re.finditer(atomic, text)
    ]


def test_every_expression_of_a_language_can_be_written_so() -> None:
    for language in LANGUAGES.values():
        for piece in (*(part for opening in language.openings for part in opening), *language.continuations):
            re.compile(with_atomic_groups(piece.decode("latin-1")).encode("latin-1"))
