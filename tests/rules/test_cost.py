"""How long a text may be for an expression: by hand, and by the clock for texts made to be dear."""

from __future__ import annotations

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.errors import ExpressionError
from logrouter.rules.cost import MOST_STATES, SHORTEST, BoundedPattern, longest

SQUARE = 8192
CUBE = 586


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("", None),
        ("abc", None),
        (r"took (\d+)", None),
        (r"^(\S+) (\S+) (.*)", None),
        (r"^(\S+) (\S+) (.*)$", None),
        (r"\A(\w+)\s+(\w+)", None),
        (r"(?s)^(.*),(.*)$", None),
        (r"^(.*),(.*)$", None),
        (r"^(.*?) (.*?) (.*?) (.*)", None),
        (r"^(?:(\w+) (\w+)|(\S+) x(\S+))$", None),
        (r"^(?:\d{1,3}\.){3}\d{1,3} - (.*)", None),
        (r"^[^\"]*\"[^\"]*\" (\d+)", None),
        (r"(?P<n>\d+)?", None),
        (r"^([^:]+):\s*(.*)$", None),
        (r"^([^:]+):\s*(.*?)$", None),
        (r"^(\w+)(?:: *(.*))?$", None),
        (r"^(\w+) *: *(.*)$", None),
        (r"^\s*([^:]+?)\s*:\s*(.*?)\s*$", CUBE),
        (r"(\S+) took", SQUARE),
        (r"(\S+) took|^x", SQUARE),
        (r"(?m)^(\S+) took", SQUARE),
        (r"(?:^|x)a*b", SQUARE),
        (r"^(.*)foo(.*)bar", SQUARE),
        (r"^(.*?)\s*$", SQUARE),
        (r"^x(?:a*a*b)?", SQUARE),
        (r"(?=.*foo)x", SQUARE),
        (r"^(?=.*foo)x", SQUARE),
        (r"^a{1,200}a{1,200}b", SQUARE),
        (r"^(['\"]).*\1x", SQUARE),
        (r"(.*),(.*),x", SQUARE),
        (r"(?:(.*?)),(.*),x", SQUARE),
        (r"x(.*),(.*),x", CUBE),
        (r"^(.*),(.*),(.*)x", CUBE),
        (r"^(.*?) (.*?) (.*?) x(.*)", CUBE),
        (r"(['\"]).*\1", CUBE),
        (r"(?:(?:a|b)[^ ]*?\S){2}(?: a)+?x", CUBE),
    ],
)
def test_how_long_a_line_may_be(pattern: str, line: int | None) -> None:
    assert longest(pattern) == line


def test_of_several_lines_the_end_of_one_may_be_missing() -> None:
    assert (longest("^(.*),(.*)$"), longest("^(.*),(.*)$", of_lines=True)) == (None, SQUARE)
    assert longest("(?s)^(.*),(.*)$", of_lines=True) is None
    pattern = BoundedPattern("^(.*),(.*)$")
    assert pattern.search("," * 20_000) is not None
    assert pattern.search("," * 20_000 + "\n") is None


def test_an_expression_that_is_too_dear_is_refused() -> None:
    for text in ("a.*a.*b.*c.*x", "a*a*a*a*b"):
        assert (longest(text) or 0) < SHORTEST
        with pytest.raises(ExpressionError, match=r"can take very long: .*begin it with"):
            BoundedPattern(text)


def test_an_expression_of_too_many_states_is_refused() -> None:
    with pytest.raises(ExpressionError, match="can take very long"):
        BoundedPattern("^" + "a" * (MOST_STATES + 1))


DEAR = [
    (r"(?P<path>\S+) took (?P<ms>\d+)", ["a", "1"]),
    (r"^(.*),(.*),(.*)x", [",", "a,", ",,,b"]),
    (r"x(.*),(.*),x", [",", "a,", "x,"]),
    (r"^(\S+ \S+) \[(.*?)\] (\w+) (.*?) - (.*)x$", ["a b [c] d e - ", "[] a - ", " - "]),
    (r"^\S+?[ab]*\S{2}[ab]?x", ["a", "aba"]),
    (r"(?:(?:a|b)[^ ]*?\S){2}(?: a)+?x", ["b", "abb", "a b"]),
    (r"^(.*?)\s*$", [" ", "  x", "x"]),
    (r"^\s*([^:]+?)\s*:\s*(.*?)\s*$", [" ", "  x", " : ", "x: "]),
    (r"^(.*?) (.*?) (.*?) x(.*)", [" ", "a ", " x"]),
    (r"timeout.*upstream.*refused", ["timeout", "upstream", "timeoutupstream"]),
    (r"^[^\"]*\"[^\"]*\" (\d+)", ['"', '" ', 'a"']),
    (r"(['\"]).*\1", ["'", "a", "'\""]),
    (r"^(?:(\w+) (\w+)|(\S+) x(\S+))$", ["a", "a ", " x"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("pattern", "units"), DEAR)
def test_the_longest_text_takes_seconds_at_most(pattern: str, units: list[str]) -> None:
    bounded = BoundedPattern(pattern)
    length = bounded.longest or 50_000
    for unit in units:
        for tail in ("", "!", "\n"):
            text = (unit * length)[: length - len(tail)] + tail
            began = process_time()
            bounded.search(text)
            assert process_time() - began < 15, (unit, tail)


TEXTS = st.text(alphabet="ab,", max_size=8)


@given(st.sampled_from(["(.*)b", "(.*?),(a)", "(?:.*)(a|b)b", "((.*),)?", ".*$", "(?:.*a|b)"]), TEXTS)
def test_what_begins_with_anything_is_found_at_the_beginning(pattern: str, text: str) -> None:
    found, searched = BoundedPattern(pattern).search(text), re.search(pattern, text)
    assert (found and (found.span(), found.groups())) == (searched and (searched.span(), searched.groups()))
