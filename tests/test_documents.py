"""JSON in and out, the slow way: nothing is rounded, nothing is lost, and what is no JSON object is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from math import isinf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.documents import decode_document, decode_text, encode_document, encode_value, quoted, with_field
from tests.strategies import documents, json_lines, values

NUMBERS = [
    "0", "-0", "1", "-1", "1.5", "-0.0", "1e3", "1E-7", "200", "0.1", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
    "-9223372036854775808", "-9223372036854775809", "1" + "0" * 60, "-" + "9" * 200, "1e308", "1e309", "1e400",
    "-1e400", "1.5e999", "123456789e999999", "1e-400",
]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_no_number_is_changed_by_passing(text: str) -> None:
    payload = f'{{"a":{text},"b":[{text},{{"c":{text}}}]}}'.encode()
    document = decode_document(payload)
    again = encode_document(document)

    assert decode_document(again) == document
    passed = json.loads(again, parse_float=Decimal, parse_int=Decimal)["a"]
    if text.lstrip("-").isdecimal() or isinf(float(text)):
        assert passed == Decimal(text)
    else:
        assert float(passed) == float(text)


@pytest.mark.parametrize(
    ("payload", "value", "kind"),
    [
        (b'{"a":18446744073709551616}', 2**64, int),
        (b'{"a":1e400}', Decimal("1e400"), Decimal),
        (b'{"a":-1e400}', Decimal("-1e400"), Decimal),
        (b'{"a":1e400,"b":1.5}', Decimal("1e400"), Decimal),
        (b'{"a":1e99999999999999999999}', Decimal("1e999999999999999999"), Decimal),
        (b'{"a":-1.5e99999999999999999999}', Decimal("-1e999999999999999999"), Decimal),
        (b'{"a":1.0}', 1.0, float),
        (b'{"a":true}', True, bool),
        (b'{"a":null}', None, type(None)),
        (b'{"a":1,"a":2}', 2, int),
        (b'{"\\u0061":"\\u00e9\\ud83d\\ude00"}', "é😀", str),
        (b'  {"a" : "x"} \t', "x", str),
    ],
)
def test_values(payload: bytes, value: object, kind: type) -> None:
    document = decode_document(payload)

    assert document == {"a": value, **({"b": 1.5} if b'"b"' in payload else {})}
    assert type(document["a"]) is kind


@pytest.mark.parametrize(
    "payload",
    [
        b"", b" ", b"{", b"}", b"null", b"[1]", b'"text"', b"1", b"1e400", b"true", b"{'a':1}", b'{"a":1,}', b'{"a"}',
        b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e400,"b":NaN}', b'{"a":01}', b'{"a":1}{"b":2}',
        b'{"a":1} x', b'{"a":"\n"}', b'{"a":"\xff"}', b'\xef\xbb\xbf{"a":1}', b'{"a":"\\ud800"}', b"plain text",
    ],
)  # fmt: skip
def test_what_is_no_json_object(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each library words it its own way; that it is one is what counts
        decode_document(payload)


def test_too_deep_is_told_apart_from_wrong() -> None:
    with pytest.raises((RecursionError, ValueError)):
        decode_document(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_a_number_out_of_range_may_stand_deep() -> None:
    payload = b'{"a":' + b"[" * 50 + b"1e400" + b"]" * 50 + b"}"

    assert encode_document(decode_document(payload)) == payload.replace(b"1e400", b"1E+400")


@given(documents)
@settings(deadline=None, max_examples=50)
def test_decoding_undoes_encoding(document: dict[str, Any]) -> None:
    assert decode_document(encode_document(document)) == document


@given(values | st.integers(-(10**300), 10**300) | st.just(Decimal("1e400")))
@settings(deadline=None, max_examples=50)
def test_a_value_alone_is_what_it_is_in_a_document(value: Any) -> None:
    assert encode_document({"": value}) == b'{"":%b}' % encode_value(value)


@given(st.integers(-(10**300), 10**300))
@settings(deadline=None)
def test_integers_of_any_size_stay_exact(number: int) -> None:
    encoded = encode_document({"n": number, "in": {"list": [number, [number]]}})

    assert encoded == b'{"n":%d,"in":{"list":[%d,[%d]]}}' % (number, number, number)
    assert decode_document(encoded) == {"n": number, "in": {"list": [number, [number]]}}


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_floats_stay_the_same(number: float) -> None:
    assert decode_document(encode_document({"n": number}))["n"] == number


@given(st.binary(max_size=40))
@settings(deadline=None)
def test_any_text_has_a_document_that_is_json(payload: bytes) -> None:
    document = decode_text(payload)

    assert document == {"message": payload.decode("utf-8", "replace")}
    assert decode_document(encode_document(document)) == document


@given(json_lines, st.sampled_from(["a", "level", "a.b", "new-1"]))
def test_a_field_that_is_spliced_in_is_the_last_one(payload: bytes, name: str) -> None:
    in_quotes, document = quoted(name), decode_document(payload)
    assert in_quotes is not None
    made = with_field(payload, in_quotes, b"[1]")
    if made is not None:
        assert name not in document
        assert list(decode_document(made).items()) == [*document.items(), (name, [1])]


@pytest.mark.parametrize(
    ("payload", "made"),
    [
        (b'{"b": "\\""}', b'{"b": "\\"","a":1}'),
        (b'{"b":{"c":2} }', b'{"b":{"c":2} ,"a":1}'),
        (b'{"a":1}', None),
        (b'{"b":"a"}', None),
        (b'{"\\u0061":1}', None),
        (b'{"b":1} ', None),
        (b"{ }", None),
    ],
)
def test_what_a_field_is_spliced_into(payload: bytes, made: bytes | None) -> None:
    assert with_field(payload, b'"a"', b"1") == made


@pytest.mark.parametrize("name", ["a/b", 'a"', "\n", "\\", "é"])
def test_a_name_that_json_can_write_in_several_ways_is_not_looked_for(name: str) -> None:
    assert quoted(name) is None
