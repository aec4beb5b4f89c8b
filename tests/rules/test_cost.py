"""How long a text may be for an expression: by hand, and by the clock for texts made to be dear."""

from __future__ import annotations

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.errors import ExpressionError
from logrouter.rules.chains import MOST_STATES
from logrouter.rules.cost import SHORTEST, BoundedPattern, bound, longest

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
        (r"^(?=.*foo)x", None),
        (r"^(?=.*foo)(?!.*(bar|baz))(?=.*\d)(.*)$", None),
        (r"^\b(?=.*foo)(.*),x", None),
        (r"^(?=.*foo.*bar)(.*),x", SQUARE),
        (r"(?m)^(?=.*foo)x", SQUARE),
        (r"^x(?=.*foo)x", SQUARE),
        (r"(?:^(?=.*foo)|a)x", SQUARE),
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


ACCESS = (
    r'^(?P<host>[^ ]*) [^ ]* (?P<user>[^ ]*) \[(?P<time>[^\]]*)\] "(?P<method>\S+)(?: +(?P<path>[^"]*?)(?: +\S*)?)?"'
    r' (?P<code>[^ ]*) (?P<size>[^ ]*)(?: "(?P<referer>[^"]*)" "(?P<agent>[^"]*)")?'
)
"""As access logs are usually taken apart, with the cube of runs of blanks."""


@pytest.mark.parametrize(
    ("pattern", "letters"),
    [
        (ACCESS, ' "'),
        ("^(.*),(.*),(.*)x", ","),
        ("(INFO|WARN).*took.*ms", "IWt"),
        (r"x(\d+)\s*y", ""),
        (r"x\d*\d*y", "0123456789\ufffd"),
        ("(?=.*a)(.*)b", None),
        ("^(?=.*a.*b)x", "a"),
    ],
)
def test_where_ways_can_part(pattern: str, letters: str | None) -> None:
    found = bound(pattern).letters
    assert (None if found is None else "".join(sorted(found))) == letters


def test_a_long_line_is_taken_where_few_ways_can_part() -> None:
    pattern = BoundedPattern(ACCESS)
    assert pattern.longest == CUBE
    line = f'::1 - - [23/Nov/2026:10:00:00 +0100] "GET /{"a" * 4000} HTTP/1.1" 200 7 "-" "Mozilla/5.0 (X11; Linux)"'
    match = pattern.search(line)
    assert match is not None
    assert (match["code"], match["agent"]) == ("200", "Mozilla/5.0 (X11; Linux)")
    assert pattern.search(line.replace("GET ", "GET" + " " * 150)) is None
    digits = bound(r"x\d*\d*y")
    assert digits.allows("x" * 100_000)
    assert not digits.allows("0" * 10_000)
    assert not digits.allows("\u0663" * 10_000), "of other digits than ASCII's are all counted that are not ASCII"


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


@pytest.mark.slow
@pytest.mark.parametrize(("pattern", "units"), [*DEAR, (ACCESS, [" ", ' "', '1 2 3 [t] "GET'])])
def test_longer_texts_with_few_parting_ways_take_no_longer(pattern: str, units: list[str]) -> None:
    bounded = BoundedPattern(pattern)
    for unit in units:
        for before in ("", '1 2 3 [t] "GET'):
            texts = [before + unit * count + "z" * 5_000 for count in range(0, 400, 10)]
            for text in [text for text in texts if bound(pattern).allows(text)][-1:]:
                began = process_time()
                bounded.search(text)
                assert process_time() - began < 15, unit


TEXTS = st.text(alphabet="ab,", max_size=8)


@given(st.sampled_from(["(.*)b", "(.*?),(a)", "(?:.*)(a|b)b", "((.*),)?", ".*$", "(?:.*a|b)"]), TEXTS)
def test_what_begins_with_anything_is_found_at_the_beginning(pattern: str, text: str) -> None:
    found, searched = BoundedPattern(pattern).search(text), re.search(pattern, text)
    assert (found and (found.span(), found.groups())) == (searched and (searched.span(), searched.groups()))
