"""Every mistake is an ExpressionError at its character, with what was probably meant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.errors import ExpressionError
from logrouter.rules import Rule, parse_reference
from logrouter.rules.parsing import MAX_LENGTH

# A rule, a line with a caret under the wrong character, and a part of the hint (None: there is no hint).
MISTAKES = [
    ('level = "error"', "      ^", "write =="),
    ('level === "error"', "      ^", "write =="),
    ('level <> "error"', "      ^", "write !="),
    ("a && b", "  ^", "write and"),
    ("a || b", "  ^", "write or"),
    ("!a", "^", "write not"),
    ("a and !(b)", "      ^", "write not"),
    ("a AND b", "  ^", "write and"),
    ("NOT a", "    ^", "write not"),
    ('path =~ "x"', "     ^", 'matches(field, r"…")'),
    ('level is "error"', "      ^", "write == for is"),
    ("level is not null", "      ^", "!= for is not"),
    ('message contains "x"', "        ^", "write contains(message, …)"),
    ("exists trace_id", "       ^", "write exists(trace_id)"),
    ("a b", "  ^", "is a comma"),
    ('a in ("x" "y")', "          ^", "is a comma"),
    ('path.startswith("/x")', "     ^", "write startswith(path, …)"),
    ('http.path.match("/x")', "          ^", "write matches(http.path, …)"),
    ("path.lower() == 1", "     ^", "write lower(path)"),
    ("path.strip() == 1", "     ^", None),
    ('startwith(path, "/x")', "^", "did you mean 'startswith'?"),
    ('regex(path, "/x")', "^", "did you mean 'matches'?"),
    ("frobnicate(path)", "^", "there are exists, matches"),
    ("startswith(path)", "^", "write startswith(x, text, …)"),
    ("exists(a, b)", "          ^", "write exists(x)"),
    ("exists(lower(a))", "       ^", "write exists(x)"),
    ("exists()", "^", "write exists(x)"),
    ('lower("A") == b', "      ^", "write lower(x)"),
    ("matches(path, 5)", "              ^", None),
    ("matches(path, other)", "              ^", "a text is written in quotes"),
    ('matches(path, "a(b")', "                ^", None),
    ('matches(path, r"(a+)+$")', "                ^", None),
    ('matches(path, "\\t(")', "              ^", None),
    ('cidr(client, "10.0.0.1/8")', "             ^", "did you mean 10.0.0.0/8?"),
    ('cidr(client, "10.0.0.0/8", "x")', "                           ^", "such as"),
    ("between(status, 5, 1)", "                ^", None),
    ('between(status, 5, "x")', "                   ^", None),
    ("between(status, true, 1)", "                ^", None),
    ("exists(a) == true", "^", "write exists(…) or not exists(…) alone"),
    ("(a == 1) == b", " ^", "join conditions"),
    ('severity >= "eror!"', "            ^", "did you mean 'error'?"),
    ('severity >= "grave"', "            ^", None),
    ("severity >= 3", "            ^", "exists(severity)"),
    ("severity == level", "^", 'such as severity >= "warning"'),
    ('matches(severity, "err")', "        ^", None),
    ('"error" in severity', "           ^", None),
    ("time > 5", "       ^", 'such as "2026-01-31T12:00:00Z"'),
    ('time > "yesterday"', "       ^", 'such as "2026-01-31T12:00:00Z"'),
    ('level == "error" or "fatal"', "                    ^", 'write x in ("a", "b")'),
    ("1", "^", "to compare"),
    ("1 == 1", "^", None),
    ('level in "error"', "         ^", "compare by =="),
    ('level in ("error")', "          ^", "write ('error',)"),
    ("level in (a, b)", "          ^", "quotes"),
    ("level in (1, (2, 3))", "             ^", 'write x in ("a", "b")'),
    ("level == (1, 2)", "         ^", 'write x in ("a", "b")'),
    ("a < true", "    ^", "compare it by =="),
    ("a + 1 > 2", "  ^", None),
    ("a > 1 - 2", "      ^", None),
    ("a == -b", "     ^", None),
    ('user-agent == "curl"', "    ^", 'event["user-agent"]'),
    ('@timestamp == "x"', "^", 'event["@timestamp"]'),
    ('class == "x"', "^", 'event["class"]'),
    ('http.from == "x"', "     ^", 'written ["from"]'),
    ("a if b else c", "  ^", 'event["if"]'),
    ("lambda: a", "^", 'event["lambda"]'),
    ('f"{a}" == b', "^", "leave out the f"),
    ('b"a" == b', "^", "leave out the b"),
    ("a # b", "  ^", "YAML comment"),
    ("tags[0] == 1", "     ^", 'write "x" in tags'),
    ("tags[a] == 1", "     ^", 'write "x" in tags'),
    ("event", "^", 'event["name"]'),
    ("meta == 1", "^", "meta.stream"),
    ("resource == 1", "^", 'resource["service.name"]'),
    ("event.kind == 1", "      ^", "written kind"),
    ("meta.host.b == 1", "          ^", 'did you mean meta.host? a field is written event["meta"]["host"]["b"]'),
    ("meta.strem == 1", "     ^", "did you mean 'stream'?"),
    ('meta["hots"] == 1', "     ^", "did you mean 'host'?"),
    ("meta.userId == 1", "     ^", 'a field is written event["meta"]["userId"]'),
    ("meta.a.b == 1", "     ^", 'a field is written event["meta"]["a"]["b"]'),
    ("lower(a).b == 1", "^", None),
    ("a == 1e999", "     ^", None),
    ("a == 1j", "     ^", None),
    ("a == 012", "     ^", None),
    ("a == 1x", "     ^", None),
    ("a == ...", "     ^", None),
    ('"\\x1" == a', "^", 'r"…"'),
    ("{a} == 1", "^", "(…) or […]"),
    ("a; b", " ^", "and, or"),
    ("a := 1", "  ^", "write =="),
    ("a, b", "^", 'write x in ("a", "b")'),
    ("a == == b", "     ^", None),
    ("a) or (b", " ^", None),
    ("(a]", "  ^", None),
    ("a\x00b", " ^", None),
    ("a == '\ud800'", "      ^", None),
    ("é == 1 and ü = 2", "             ^", "write =="),
    ("é == 'ü' and a == b()", "                  ^", "there are"),
    # what may have been cut short
    ("", "^", None),
    ("  ", "^", None),
    ('message == "a', "           ^", None),
    ("startswith(message,", "          ^", None),
    ("a in (1, 2", "     ^", None),
    ("level ==", "      ^", None),
    ("a and", "  ^", None),
    ("a and\n  not", "        ^", None),
]


@pytest.mark.parametrize(("text", "caret", "hint"), MISTAKES, ids=[text for text, _, _ in MISTAKES])
def test_a_mistake_is_shown_at_its_character(text: str, caret: str, hint: str | None) -> None:
    with pytest.raises(ExpressionError) as raised:
        Rule.parse(text)

    assert raised.value.text == text
    assert raised.value.column == caret.index("^")
    assert hint is None or hint in (raised.value.hint or "")


@pytest.mark.parametrize("text", [" ", 'a == "b', "startswith(a,", "a in (1, 2", "level ==", "a and\n  not"])
def test_what_may_have_been_cut_short_says_so(text: str) -> None:
    """In YAML ` #` does it, which only `config` can see."""
    with pytest.raises(ExpressionError) as raised:
        Rule.parse(text)
    assert raised.value.unfinished


def test_columns_count_over_lines() -> None:
    with pytest.raises(ExpressionError) as raised:
        Rule.parse('level == "é" and\r\n  frob(x)')
    assert raised.value.column == len('level == "é" and\r\n  ')


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "a" + ")" * 5000,
        "(" * 150 + "a" + ")" * 150 + " == == b",
        "not " * 2400 + "a",
        "-" * 5000 + "1 == a",
        "lower(" * 1600 + "a",
        "lower(" * 150 + "a" + ")" * 150 + " == 'x'",
        "not (a and " * 60 + "b" + ")" * 60,
        "a == " + "9" * 5000,
        "a" * (MAX_LENGTH + 1),
    ],
    ids=lambda text: text[:12],
)
def test_nothing_is_too_deep_for_an_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        Rule.parse(text)


@pytest.mark.parametrize("text", ["a" + ".b" * 400 + " == 1", " or ".join(f"a{n} == {n}" for n in range(600))])
def test_what_is_only_long_is_taken(text: str) -> None:
    assert Rule.parse(text).text == text


WORDS = st.sampled_from(
    [
        *(
            "a",
            "http.status",
            "severity",
            "time",
            "meta.stream",
            'event["x"]',
            "resource.y",
            "\\",
            "\n",
            "#",
            "é",
            "@",
            "!",
        ),
        *(
            "and",
            "or",
            "not",
            "in",
            "is",
            "for",
            "lambda",
            "==",
            "!=",
            "<",
            "<=",
            "=",
            "&",
            ".",
            ",",
            "-",
            "+",
            "(",
            ")",
        ),
        *(
            "[",
            "]",
            '"x"',
            "'y",
            '"error"',
            "5",
            "-1",
            "1.5",
            "true",
            "null",
            'r"(',
            "exists(",
            "matches(",
            "len(",
            "cidr(",
        ),
    ]
)


@given(
    st.one_of(
        st.text(max_size=40), st.lists(WORDS, max_size=12).map(" ".join), st.lists(WORDS, max_size=9).map("".join)
    )
)
@settings(deadline=None, max_examples=40)
def test_any_text_is_a_rule_or_an_expression_error(text: str) -> None:
    try:
        Rule.parse(text)
    except ExpressionError as error:
        assert 0 <= error.column <= max(len(text) - 1, 0)  # noqa: PT017 - most texts raise, some do not


@given(st.text(alphabet="ab.[]\"'\\@- #\n", max_size=20))
@settings(deadline=None)
def test_any_text_is_a_reference_or_an_expression_error(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ExpressionError as error:
        assert 0 <= error.column <= len(text)  # noqa: PT017
    else:
        assert parse_reference(str(reference)) == reference
