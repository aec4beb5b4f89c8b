from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.event import Flag
from logrouter.formats.include import Include
from logrouter.formats.pretty import pretty_lines
from logrouter.formats.values import escape_controls
from logrouter.testing import slice_of

NOON_NS = 12 * 3600 * 10**9 + 34_000_000


def pretty(*payloads: bytes, colour: bool = False) -> str:
    return pretty_lines(slice_of(payloads, received_ns=NOON_NS), Include(), colour).decode()


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (
            b'{"time":"2026-11-23T09:08:07.5Z","level":"WARN","message":"slow query","ms":2041,"http":{"status":200}}',
            "09:08:07.500Z WARNING  slow query  ms=2041 http.status=200",
        ),
        (b"plain text", "12:00:00.034Z          plain text"),
        (b'{"msg":"hi","level":30,"a":"b c","l":[1],"e":""}', '12:00:00.034Z INFO     hi  a="b c" l=[1] e=""'),
        (b'{"level":"odd","x":1}', "12:00:00.034Z            level=odd x=1"),
        (b'{"message":{"a":1}}', "12:00:00.034Z            message.a=1"),
        (b"\xff\x1b[2Jx", "12:00:00.034Z          \ufffd\\x1b[2Jx"),
        (b"{}", "12:00:00.034Z"),
    ],
)
def test_a_line_of_each_kind(payload: bytes, line: str) -> None:
    assert pretty(payload) == line + "\n"


def test_several_lines_are_indented() -> None:
    event = {"level": "error", "message": "failed\n  at x", "exception": "Traceback:\n\tboom\n", "n": 1}
    assert pretty(json.dumps(event).encode()) == (
        "12:00:00.034Z ERROR    failed  n=1\n      at x\n    exception:\n      \tboom\n".replace(
            "exception:\n", "exception:\n      Traceback:\n"
        )
    )


def test_colour_is_ended_where_it_began() -> None:
    line = pretty(b'{"level":"error","message":"m","a":1}', colour=True)
    assert line == "\x1b[2m12:00:00.034Z\x1b[0m \x1b[31mERROR   \x1b[0m m  \x1b[2ma=\x1b[0m1\n"


def test_what_is_included_is_shown() -> None:
    part = slice_of([b"x"], [Flag.PARTIAL_END], attributes={"stream": "stderr"})
    line = pretty_lines(part, Include(("meta.stream", "meta.partial"))).decode()
    assert line == "00:00:00.000Z          x  meta.stream=stderr meta.partial=end\n"


def test_what_is_included_is_told_from_what_the_line_claims() -> None:
    part = slice_of([b'{"meta":{"stream":"stdin"},"meta.stream":1}'], attributes={"stream": "stderr"})
    line = pretty_lines(part, Include(("meta.stream",))).decode()
    assert line == "00:00:00.000Z            meta.stream#2=stdin meta.stream=stderr\n"


HARMLESS = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]*")
nasty = st.text(st.sampled_from('a\x1b\x00\r\n\t\x07\x9b\x7f\u202e\u2066\u200f\u2028\ufeff[31m]0;\\"=')) | st.text(
    st.characters(exclude_categories=["Cs"])
)


@given(st.dictionaries(nasty | st.sampled_from(["message", "level", "time", "a"]), nasty | st.lists(nasty), max_size=4))
@settings(deadline=None, max_examples=60)
def test_no_json_drives_the_terminal(document: dict[str, object]) -> None:
    assert HARMLESS.fullmatch(pretty(json.dumps(document).encode()))


@given(st.binary(min_size=1).filter(lambda line: b"\n" not in line))
@settings(deadline=None, max_examples=60)
def test_no_text_drives_the_terminal(line: bytes) -> None:
    shown = pretty_lines(slice_of([line], [0]), Include()).decode()
    assert HARMLESS.fullmatch(shown)
    assert shown.count("\n") == 1


def test_escapes_are_readable() -> None:
    assert escape_controls("a\x1b\u202e\r\n\U000e0041\tz") == "a\\x1b\\u202e\\r\\n\\U000e0041\tz"
    assert escape_controls("żółw 🐢 👩\u200d💻") == "żółw 🐢 👩\u200d💻"
