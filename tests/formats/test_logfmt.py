from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.event import Flag
from logrouter.formats.events import flat_fields
from logrouter.formats.include import Include
from logrouter.formats.logfmt import logfmt_lines
from logrouter.testing import slice_of
from tests.strategies import documents


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (b'{"level":"info","n":1,"f":1.5,"ok":true,"no":null}', "level=info n=1 f=1.5 ok=true no=null"),
        (b'{"http":{"status":500,"path":"/a b"}}', 'http.status=500 http.path="/a b"'),
        (b'{"a":"","b":"x=y","c":"say \\"hi\\""}', r'a="" b="x=y" c="say \"hi\""'),
        (b'{"a":"line\\nbreak\\u001b[31m"}', r'a="line\nbreak\u001b[31m"'),
        (b'{"a":"\\u009b31m\\u007f"}', r'a="\u009b31m\u007f"'),
        (b'{"two words":1,"a=b":2,"":3}', "two_words=1 a_b=2 _=3"),
        (b'{"tags":["a",1],"o":{},"d":36893488147419103232}', r'tags="[\"a\",1]" o={} d=36893488147419103232'),
        (b"{}", 'message=""'),
        (b"some text", 'message="some text"'),
        (b"\xff", "message=\ufffd"),
    ],
)
def test_a_line_of_each_kind(payload: bytes, line: str) -> None:
    assert logfmt_lines(slice_of([payload]), Include()).decode() == line + "\n"


def test_what_is_included() -> None:
    part = slice_of([b'{"meta.host":"mine"}', b"x"], [Flag.JSON, Flag.PARTIAL_START], attributes={"host": "h 1"})
    lines = logfmt_lines(part, Include(("meta.host", "meta.partial")))
    assert lines == b'meta.host="h 1"\nmessage=x meta.host="h 1" meta.partial=start\n'


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (b'{"meta":{"host":1,"x":2}}', "meta.host#2=1 meta.x=2 meta.host=h"),
        (b'{"meta":{"partial":"end"},"meta.parse error":1}', "meta.partial#2=end meta.parse_error#2=1 meta.host=h"),
        (b'{"meta.host":1,"meta":{"host":2}}', "meta.host#2=2 meta.host=h"),
        (b'{"a":{"b":1},"a.b":2}', "a.b#2=1 a.b=2 meta.host=h"),
        (b'{"a b":1,"a_b":2,"a=b":3,"a_b#2":4}', "a_b#3=1 a_b=2 a_b#4=3 a_b#2=4 meta.host=h"),
        (b'{"":{"":1},"_":2}', "_._=1 _=2 meta.host=h"),
        (b'{"service":{"name":"mine"}}', "service.name=mine meta.host=h"),
    ],
)
def test_no_key_stands_twice_and_none_is_forged(payload: bytes, line: str) -> None:
    part = slice_of([payload], attributes={"host": "h"})
    include = Include(("meta.host", "meta.partial", "meta.parse_error"))
    assert logfmt_lines(part, include).decode() == line + "\n"


@given(documents)
@settings(deadline=None, max_examples=60)
def test_every_value_has_a_key_of_its_own(document: dict[str, Any]) -> None:
    fields = flat_fields(document, ("meta.host",), 15, str)
    assert list(fields.values()) == [leaf for value in document.values() for leaf in leaves(value)]
    for key, value in document.items():
        if not (isinstance(value, dict) and value):
            assert fields[key] == value


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and value:
        for inner in value.values():
            yield from leaves(inner)
    else:
        yield value


def test_deep_nesting_ends_in_json() -> None:
    deep = json.dumps({"a": json.loads('{"a":' * 40 + "1" + "}" * 40)}).encode()
    line = logfmt_lines(slice_of([deep]), Include()).decode()
    assert line.startswith("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=")


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=4))
@settings(deadline=None, max_examples=40)
def test_text_of_any_bytes_is_one_line_each(payloads: list[bytes]) -> None:
    block = logfmt_lines(slice_of(payloads, [0] * len(payloads)), Include()).decode()
    assert block.count("\n") == len(payloads)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in block.replace("\n", ""))
