"""The examples of ltsv.org, and what its grammar allows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers.ltsv import Ltsv, LtsvConfig

PARSER = Ltsv(LtsvConfig())


def parsed(line: str | bytes, parser: Ltsv = PARSER) -> Any:
    """The fields of a line, or None. The same whether it comes alone or twice."""
    raw = line.encode() if isinstance(line, str) else line
    made = parser.parse(raw, 0)
    assert list(parser.parse_all([raw, raw], raw + b"\n" + raw, 0)) == [made, made]
    return made and json.loads(made)


def test_the_example_of_its_definition() -> None:
    """http://ltsv.org."""
    line = (
        "host:127.0.0.1\tident:-\tuser:frank\ttime:[10/Oct/2000:13:55:36 -0700]\treq:GET /apache_pb.gif HTTP/1.0"
        "\tstatus:200\tsize:2326\treferer:http://www.example.com/start.html\tua:Mozilla/4.08 [en] (Win98; I ;Nav)"
    )
    assert parsed(line) == {
        "host": "127.0.0.1",
        "ident": "-",
        "user": "frank",
        "time": "2000-10-10T20:55:36Z",
        "req": "GET /apache_pb.gif HTTP/1.0",
        "status": 200,
        "size": 2326,
        "referer": "http://www.example.com/start.html",
        "ua": "Mozilla/4.08 [en] (Win98; I ;Nav)",
    }
    assert PARSER.shape_of(line.encode()) is not None


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a:", {"a": ""}),
        ("a: x ", {"a": " x "}),
        ("a:b:c\td:'\"", {"a": "b:c", "d": "'\""}),
        (r"a:\t", {"a": r"\t"}),
        ("a.b_c-1:é", {"a.b_c-1": "é"}),
        ("a:1\ta:2", {"a": "1", "a#2": "2"}),
        ("size:-\treqtime:0.25", {"size": "-", "reqtime": 0.25}),
        ("time:2026-11-23T10:00:00Z", {"time": "2026-11-23T10:00:00Z"}),
        ("time:[31/Nov/2026:10:00:00 +0000]", {"time": "[31/Nov/2026:10:00:00 +0000]"}),
        (b"a:\xff", {"a": "\ufffd"}),
        ("hello", None),
        ("", None),
        ("a:1\t\tb:2", None),
        ("ä:1", None),
        ("a b:1", None),
    ],
)
def test_lines(line: str | bytes, fields: Any) -> None:
    assert parsed(line) == fields


def test_types() -> None:
    parser = Ltsv(LtsvConfig(types={"status": "text", "n": "int"}))
    assert parsed("status:200\tn:1\tsize:2", parser) == {"status": "200", "n": 1, "size": 2}


labels = st.text(st.sampled_from("abAB09_.-"), min_size=1, max_size=5)
texts = st.text(st.characters(exclude_characters="\t\n", exclude_categories=["Cs"]), max_size=10)


@given(st.lists(st.dictionaries(labels, texts, min_size=1, max_size=5), min_size=1, max_size=6))
@settings(deadline=None)
def test_what_is_written_is_what_is_parsed(events: list[dict[str, str]]) -> None:
    lines = ["\t".join(f"{label}:{text}" for label, text in event.items()).encode() for event in events]
    made = PARSER.parse_all(lines, b"\n".join(lines), 0)
    assert [json.loads(one or b"") for one in made] == events
