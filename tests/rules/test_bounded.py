"""Regular expressions that are asked for yes or no: what they see of a text, and that this is right and short."""

from __future__ import annotations

import re
from re import _compiler as compiler  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logrouter.possessive import portable
from logrouter.rules.bounded import WORK, Condition
from logrouter.rules.cost import HINT
from logrouter.rules.patterns import PatternError
from logrouter.rules.shortening import shortened, without_ways

SQUARE = 2896
CUBE = 293


@pytest.mark.parametrize(
    ("pattern", "seen"),
    [
        ("abc", None),
        (r"^/health", None),
        ("timeout.*upstream.*refused", None),
        ("(?:error|warn).*upstream.*(?:refused|reset)", None),
        ("(?i)(error|warn).+?upstream.{3,}refused", None),
        (".*a.*b.*c.*d.*e", None),
        (r"a.*\d\d:\d\d.*\bb", None),
        (r"(?s)BEGIN.*x.*END", None),
        (r".*ERROR.*", None),
        (r"(\w+) took", None),
        (r"\w+x.*y.*z+", None),
        (r"(?i)([a-z]+).*timeout.*retry.*", None),
        (r"[\w.-]+@[\w-]+\.\w+", None),
        (r"\s+$", None),
        (r"^(?!.*health).*(?:GET|POST)", None),
        (r"x(\w+) took", SQUARE),
        (r"x.*y.*(\w+) took", SQUARE),
        (r"(?:err|error).*x", SQUARE),
        (r"(?:abcd|bc).*x", SQUARE),
        (r"a(?=.*b).*c", CUBE),
        (r"(['\"]).*\1", CUBE),
    ],
)
def test_how_much_of_a_text_is_looked_at(pattern: str, seen: int | None) -> None:
    assert Condition(pattern).longest == seen


@pytest.mark.parametrize("text", ["xa*a*a*a*b", r"x(\s*)(\s*)(\s*)(\s*)(\s*)x", r"(.)\1.*a.*b.*c.*d"])
def test_what_would_see_too_little_is_refused(text: str) -> None:
    with pytest.raises(PatternError, match="can take very long") as raised:
        Condition(text)
    assert raised.value.hint == HINT
    with pytest.raises(ValueError, match=r"can take very long: .*\(begin it with"):
        Condition.parse(text)


def test_the_whole_of_a_text_is_looked_at_or_its_beginning() -> None:
    assert Condition("timeout.*upstream.*refused").search("timeout" + " upstream" * 9_999 + "refused") is not None
    square = Condition(r"x(\w+) took")
    assert square.search("x" * (SQUARE - 5) + " took") is not None
    assert square.search("x" * (SQUARE - 4) + " took") is None
    assert square.search("-" * 100_000 + "xa took") is not None, "only at an x it could begin in several ways"


PLAIN = ["", "a", "b", "ab", "aa", ".", "[ab]", "[^a]", "a{2}", "a?", "b+", "\n", r"\s", "A", "(?i:A)", "(?s:.)"]
CHOICES = ["(a|b)", "(?:ab|b)", "(?:ab|a)", "(aab|a)", "(?:a|b|)"]
PLACES = [r"\b", "^", "$", "(?=a)", "(?<!b)", "(?<=a)b", "(?!ab)a"]
PIECES = st.sampled_from([*PLAIN, *CHOICES, *PLACES])
GAPS = st.sampled_from([".*", ".*?", ".+", ".{2,}", ".{1,}?"])
FLAGS = st.sampled_from(["", "(?s)", "(?i)", "(?m)", "(?ims)"])
PATTERNS = st.builds(
    lambda flags, first, rest: flags + first + "".join(gap + piece for gap, piece in rest),
    FLAGS,
    PIECES,
    st.lists(st.tuples(GAPS, PIECES), min_size=1, max_size=4),
)


@given(PATTERNS, st.lists(st.text(alphabet="abA\n", max_size=12), min_size=1, max_size=20))
@example("(?:aab|a).*b", ["aab"])
@example("(?:ab|a).*b", ["ab"])
@example("a.*b.*c", ["a\nab\nabc"])
@settings(deadline=None)
def test_what_is_searched_for_instead_is_found_in_the_same_texts(pattern: str, texts: list[str]) -> None:
    better = without_ways(parser.parse(pattern), WORK)
    if better is not None:
        for text in texts:
            assert (better[0].search(text) is None) == (re.search(pattern, text) is None), (pattern, text)


ATOMS = st.sampled_from(["a", "b", ".", "[^a]", "", r"\b", "^", "$", "(?=a)", "(?<!a)", "(?i:A)", "\\n"])
COUNTS = st.sampled_from(["", "*", "+", "?", "{2}", "{2,}", "{1,2}", "*?", "+?", "{2,}?", "*+", "++", "{0}"])
REPEATED = st.recursive(
    st.builds(lambda atom, count: f"(?:{atom}){count}", ATOMS, COUNTS),
    lambda inner: st.builds(
        lambda form, one, other, count: form.format(one, other) + count,
        st.sampled_from(["({}{})", "(?:{}|{})", "(?>{}{})"]),
        inner,
        inner,
        COUNTS,
    ),
    max_leaves=6,
)


@given(REPEATED, st.lists(st.text(alphabet="abA\n", max_size=8), min_size=1, max_size=20))
@example("(?:a+|b)*+a", ["a", "ba"])
@example("(a)+(?<!aa)", ["aa"])
@settings(deadline=None, max_examples=300)
def test_what_need_not_be_taken_at_the_ends_makes_no_difference(pattern: str, texts: list[str]) -> None:
    tree = parser.parse(portable(pattern))
    short = compiler.compile(shortened(tree), tree.state.flags)
    for text in texts:
        assert (short.search(text) is None) == (re.search(portable(pattern), text) is None), (pattern, text)


HOSTILE = [
    ("timeout.*upstream.*refused", ["timeout", "upstream", "timeoutupstream"]),
    ("(error|warn).*upstream.*refused", ["error", "warn", "warnupstream"]),
    (".*a.*b.*c.*d.*e", ["a", "ab", "abcd"]),
    (r"(?s)BEGIN.*x.*END", ["BEGIN", "x", "BEGINx", "\n"]),
    (r"(\S+) took", ["a"]),
    (r"x(\S+) took", ["x"]),
    (r"\w+x.*y.*z", ["x", "xy", "a"]),
    (r"(['\"]).*\1", ["'", "a", "'\""]),
    (r"(\w+)\s*=\s*(\w+)$", ["a", "a=", "a= "]),
    (r"^(.*),(.*),(.*)x\Z", [",", "a,"]),
    (r"a*a*b", ["a"]),
    (r"^a*a*a*b", ["a"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("pattern", "units"), HOSTILE)
def test_no_text_takes_long(pattern: str, units: list[str]) -> None:
    condition = Condition(pattern)
    for unit in units:
        for tail in ("", "!", "\n"):
            text = (unit * 250_000)[: condition.longest or 250_000] + tail
            began = process_time()
            condition.search(text)
            assert process_time() - began < 1, (unit, tail)
