"""What go-logfmt's own tests decode, what other writers do; and the quick way gives what the careful one does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers.logfmt import Logfmt, LogfmtConfig

PLAIN = Logfmt(LogfmtConfig())
BARE = Logfmt(LogfmtConfig(bare_keys=True))


def parsed(line: str | bytes, parser: Logfmt = PLAIN) -> Any:
    """The fields of a line, or None. The same whether it comes alone or with another."""
    raw = line.encode() if isinstance(line, str) else line
    made = parser.parse(raw, 0)
    assert list(parser.parse_all([raw, b"a=1"], raw + b"\na=1", 0)) == [made, b'{"a":"1"}']
    return made and json.loads(made)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        # https://github.com/go-logfmt/logfmt, decode_test.go
        ("a=1 b=2", {"a": "1", "b": "2"}),
        ('a="b"', {"a": "b"}),
        ('a="1 2"', {"a": "1 2"}),
        ('a="1\\"b"', {"a": '1"b'}),
        ('a=""', {"a": ""}),
        ("a=", {"a": ""}),
        ("a= b=2", {"a": "", "b": "2"}),
        ('a=1 b="bar" ƒ=2h3s r="esc\\tmore stuff"', {"a": "1", "b": "bar", "ƒ": "2h3s", "r": "esc\tmore stuff"}),
        # https://github.com/kr/logfmt, the example of its documentation
        (
            r'foo=bar a=14 baz="hello kitty" cool%story=bro',
            {"foo": "bar", "a": "14", "baz": "hello kitty", "cool%story": "bro"},
        ),
        # what strconv.Quote writes, by which logrus and slog do
        (r'a="\a\b\f\n\r\t\v\\\"\x00é\u00e9\U0001f600"', {"a": '\a\b\f\n\r\t\v\\"\x00éé😀'}),
        (r'a="\ud83d\ude00 \ud83d"', {"a": "😀 \ufffd\ufffd\ufffd"}),
        (r'a="\xd0\x91 \xff"', {"a": "Б \ufffd"}),
        # what is no escape stays
        (r'a="C:\Users\q" b=C:\new', {"a": r"C:\Users\q", "b": r"C:\new"}),
        ("url=/?a=b&c=d", {"url": "/?a=b&c=d"}),
        ('q=x"y"', {"q": 'x"y"'}),
        ("  a=1   b=2  ", {"a": "1", "b": "2"}),
        ("a=1 a=2 a=3", {"a": "1", "a#2": "2", "a#3": "3"}),
        ("a=\u2028b", {"a": "\u2028b"}),
        # Heroku's router: https://devcenter.heroku.com/articles/http-routing#heroku-router-log-format
        (
            'at=info method=GET path="/" host=example.com fwd="204.204.204.204" dyno=web.1 connect=1ms status=200',
            {
                "at": "info",
                "method": "GET",
                "path": "/",
                "host": "example.com",
                "fwd": "204.204.204.204",
                "dyno": "web.1",
                "connect": "1ms",
                "status": "200",
            },
        ),
    ],
)
def test_lines(line: str, fields: dict[str, str]) -> None:
    assert parsed(line) == fields


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "hello",
        "hello a=1",
        "a=1 hello",
        "=1",
        "a=1 =2",
        'a="b',
        'a="b"c',
        'a="b\\"',
        '"a"=1',
        "a = 1",
        'a"b=1',
    ],
)
def test_what_is_not_logfmt(line: str) -> None:
    assert parsed(line) is None


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a=1 cached b=2", {"a": "1", "cached": True, "b": "2"}),
        ("cached a=1", {"cached": True, "a": "1"}),
        ("a=1 cached", {"a": "1", "cached": True}),
        ("nothing but words", None),
        ("a=1 b b", {"a": "1", "b": True, "b#2": True}),
    ],
)
def test_bare_keys(line: str, fields: Any) -> None:
    assert parsed(line, BARE) == fields
    assert parsed(line) is None


def test_types() -> None:
    parser = Logfmt(LogfmtConfig(types={"n": "int", "x": "float", "ok": "bool", "t": "text"}))
    assert parsed("n=007 x=1.50 ok=yes t=1 m=2", parser) == {"n": 7, "x": 1.5, "ok": True, "t": "1", "m": "2"}
    assert parsed('n=many x="" ok=perhaps t=', parser) == {"n": "many", "x": "", "ok": "perhaps", "t": ""}


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert parsed(b"a=\xff\xfe b=2") == {"a": "\ufffd\ufffd", "b": "2"}


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


keys = st.text(
    st.characters(min_codepoint=33, exclude_characters='="', exclude_categories=["Cs"]), min_size=1, max_size=6
)
words = st.text(st.characters(min_codepoint=33, exclude_characters='"', exclude_categories=["Cs"]), max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = words | texts.map(quoted)


@given(st.dictionaries(keys, texts | words, min_size=1, max_size=6), st.booleans())
@settings(deadline=None)
def test_what_is_written_is_what_is_parsed(fields: dict[str, str], quotes_all: bool) -> None:
    def written(text: str) -> str:
        needs_quotes = quotes_all or any(letter <= " " or letter in '"\x7f' for letter in text)
        return quoted(text) if needs_quotes else text

    assert parsed(" ".join(f"{key}={written(text)}" for key, text in fields.items())) == fields


@given(
    st.lists(
        st.lists(st.builds("{}={}".format, st.sampled_from(["a", "b", "ƒ", "n"]), values), min_size=1, max_size=4).map(
            " ".join
        )
        | st.sampled_from(["hello", "a=1  b=2", 'a="', 'a="x', 'y" b=2', "a=1\tb=2", "a=b\nc=d"]),
        min_size=1,
        max_size=12,
    ),
    st.booleans(),
)
@settings(deadline=None)
def test_the_quick_way_is_the_careful_one(lines: list[str], bare_keys: bool) -> None:
    parser = Logfmt(LogfmtConfig(bare_keys=bare_keys, types={"n": "float"}))
    raw = [line.encode() for line in lines]
    assert list(parser.parse_all(raw, b"\n".join(raw), 0)) == [parser.parse(line, 0) for line in raw]


def test_many_shapes_go_the_quick_way() -> None:
    careful: list[bytes] = []

    class Counting(Logfmt):
        def parse(self, line: bytes, received_ns: int) -> bytes | None:
            careful.append(line)
            return super().parse(line, received_ns)

    lines = [b"level=info k%d=%d" % (number % 10, number) for number in range(200)]
    made = Counting(LogfmtConfig()).parse_all(lines, b"\n".join(lines), 0)
    assert made == [PLAIN.parse(line, 0) for line in lines]
    assert careful == []


def test_a_letter_that_is_not_usual_leaves_the_other_lines_to_the_quickest_way() -> None:
    parser = Logfmt(LogfmtConfig())
    lines = [b"at=info path=/a", "at=info path=/caf\u00e9".encode(), b"at=info path=/!", b"at=info path=/b"]
    for some in (lines[:1], lines[1:3], lines):
        made = parser.parse_all(some, b"\n".join(some), 0)
        assert list(made) == [parser.parse(line, 0) for line in some]
    (usual, any_letter) = parser._recent
    assert [usual.takes(line) for line in lines] == [True, False, False, True]
    assert all(map(any_letter.takes, lines))
