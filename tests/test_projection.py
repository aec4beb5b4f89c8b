"""The projection's fast way (a decoder that skips what nobody reads) agrees with the slow one, on any lines."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from logrouter import severity, times
from logrouter.documents import Document, decode_document, decode_text, encode_document
from logrouter.event import Flag
from logrouter.facts import Facts, resolve
from logrouter.projection import PIECE_BYTES, Projection, Row, is_utf8, recognise_line
from logrouter.references import MISSING, OPAQUE, Field, Meta, Reference, Resource, Severity, Time
from tests.strategies import FIELD_NAMES, documents, lines, tens

FACTS = Facts({"source": "app"}, 1_700_000_000_000_000_000, {})
WORDS = ("a", "b", "c", "http", "status", "level", "message", "a.b", "http.status", "é")
fields = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda path: Field(tuple(path)))
references = st.one_of(fields, fields, st.sampled_from([Severity(), Time(), Meta("stream"), Resource("service.name")]))
some_references = st.lists(references, max_size=4)
some_lines = st.lists(lines, min_size=1, max_size=8)


def exact(value: Any) -> Any:
    """A value with the kinds of its parts, so that True is not 1, and 1 is not 1.0."""
    if isinstance(value, msgspec.Struct):
        return type(value), [exact(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, dict):
        return dict, [(key, exact(item)) for key, item in value.items()]
    if isinstance(value, list):
        return list, [exact(item) for item in value]
    return type(value), value


def exact_all(rows: list[Row]) -> list[Any]:
    return [exact(row) for row in rows]


def document_of(line: bytes) -> Document:
    """What a line stands for, read the slow way."""
    return decode_document(line) if recognise_line(line) & Flag.JSON else decode_text(line)


def slow_rows(projection: Projection, some: list[bytes]) -> list[Any]:
    return [exact(projection.row_of(document_of(line))) for line in some]


def flags_of(some: list[bytes]) -> bytes:
    return bytes(map(recognise_line, some))


def recognise(projection: Projection, some: list[bytes]) -> tuple[bytes, list[Row]]:
    return projection.recognise(some, b"\n".join(some))


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(some_references, lines)
def test_a_row_is_what_the_parsed_document_says(chosen: list[Reference], line: bytes) -> None:
    projection = Projection(chosen)
    assert [exact(projection.row(line, recognise_line(line)))] == slow_rows(projection, [line])


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(some_references, some_lines)
def test_rows_of_events_that_were_recognised_before(chosen: list[Reference], some: list[bytes]) -> None:
    projection = Projection(chosen)
    assert exact_all(projection.rows(some, flags_of(some))) == slow_rows(projection, some)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(some_references, st.lists(some_lines, min_size=1, max_size=4))
def test_chunk_after_chunk_is_recognised_as_line_by_line(chosen: list[Reference], chunks: list[list[bytes]]) -> None:
    """Whatever came before: a chunk is tried first as what the last one was."""
    projection = Projection(chosen)
    for some in chunks:
        flags, rows = recognise(projection, some)
        assert flags == flags_of(some)
        assert exact_all(rows) == slow_rows(projection, some)
    event(tens("slow", projection.slow_events, sum(map(len, chunks))))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(fields, some_references, documents)
def test_generated_code_finds_what_resolve_finds(
    field: Field, others: list[Reference], document: dict[str, Any]
) -> None:
    projection = Projection([field, *others])
    payload = encode_document(document)
    expected = exact(resolve(field, decode_document(payload), FACTS))
    assert exact(bound(projection, field, projection.row(payload, Flag.JSON))) == expected
    text = b"a line of text"
    assert exact(bound(projection, field, projection.row(text, 0))) == exact(resolve(field, decode_text(text), FACTS))


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(lines)
def test_generated_code_finds_what_severity_and_time_are_read_from(line: bytes) -> None:
    projection = Projection([Severity(), Time()])
    row, document = projection.row(line, recognise_line(line)), document_of(line)
    levels = [bound(projection, field, row) for field in severity.FIELDS]
    assert exact(severity.of(*levels)) == exact(resolve(Severity(), document, FACTS))
    moments = [bound(projection, field, row) for field in times.FIELDS]
    assert times.of(FACTS.received_ns, *moments) == resolve(Time(), document, FACTS)


def bound(projection: Projection, field: Field, row: Row) -> Any:
    """What the statements of `bind` make of a row."""
    constants: dict[str, Any] = {}
    statements = projection.bind(field, "v", constants)
    exec("\n".join(["def found(r):", *(f"    {line}" for line in statements), "    return v"]), constants)
    return constants["found"](row)


@pytest.mark.parametrize(
    ("path", "payload", "expected"),
    [
        (("http", "status"), b'{"http.status":1,"http":{"status":2}}', 1),
        (("http", "status"), b'{"http":{"status":2}}', 2),
        (("http", "status"), b'{"http":[{"status":2}]}', MISSING),
        (("http", "status"), b'{"http":null}', MISSING),
        (("http", "status"), b'{"http.status":null,"http":{"status":2}}', None),
        (("http", "status"), b'{"http":{"status":{"x":1}}}', OPAQUE),
        (("http.status",), b'{"http":{"status":2}}', MISSING),
        (("a", "b", "c"), b'{"a.b":{"c":1},"a":{"b":{"c":2},"b.c":3}}', 1),
        (("a", "b", "c"), b'{"a.b":{"x":1},"a":{"b":{"c":2},"b.c":3}}', 3),
        (("a",), b'{"a":18446744073709551616}', 2**64),
        (("a",), b'{"a":1e400}', Decimal("1e400")),
        (("a",), b'{"a":1,"a":2}', 2),
        (("a",), b'{"\\u0061":1}', 1),
        (("message",), b'{"message":"x"}', "x"),
    ],
)
def test_what_a_reference_finds(path: tuple[str, ...], payload: bytes, expected: Any) -> None:
    projection = Projection([Field(path)])
    assert exact(bound(projection, Field(path), projection.row(payload, Flag.JSON))) == exact(expected)


def test_a_field_that_is_read_whole_and_looked_into() -> None:
    http, status = Field(("http",)), Field(("http", "status"))
    projection = Projection([http, status])
    row = projection.row(b'{"http":{"status":500}}', Flag.JSON)
    assert (bound(projection, http, row), bound(projection, status, row)) == (OPAQUE, 500)


def test_a_number_of_any_length_is_read_and_so_is_what_stands_beside_it() -> None:
    """Python refuses to make an int of more than 4300 digits. The event must not seem empty for that."""
    digits = "1" * 5000
    payload = f'{{"level":"error","a":{digits}}}'.encode()
    projection = Projection([Field(("a",)), Field(("level",))])
    row = projection.row(payload, Flag.JSON)
    assert bound(projection, Field(("level",)), row) == "error"
    assert bound(projection, Field(("a",)), row) == Decimal(digits)
    assert encode_document(decode_document(payload)) == payload


# ── flags ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        (b"{}", Flag.JSON),
        (b' \t{"a":1} \t', Flag.JSON),
        (b'{"a":1e400}', Flag.JSON),
        (b'{"a":1}\r', Flag.JSON),
        (b'\r{"a":1}', Flag.JSON),
        (b"\r \t", 0),
        (b'{"a":1}{"b":2}', 0),
        (b'{"a":1}\x00', 0),
        (b'{"a":NaN}', 0),
        (b'{"a":"\\ud800"}', 0),
        (b"{", 0),
        (b"[1]", 0),
        (b"null", 0),
        (b'"text"', 0),
        (b"\xef\xbb\xbf{}", 0),
        (b'{"a":"\xff"}', Flag.INVALID_UTF8),
        (b'{"\xff":1}', Flag.INVALID_UTF8),
        (b"\xff", Flag.INVALID_UTF8),
        (b"\xed\xa0\x80", Flag.INVALID_UTF8),
    ],
)
def test_what_is_json_and_what_is_utf8(line: bytes, flags: int) -> None:
    projection = Projection([Field(("a",))])
    assert recognise_line(line) == flags
    for before in ([b"{}"], [b"text"], [b"\xff"]):
        recognise(projection, before)
        assert recognise(projection, [line])[0] == bytes([flags])
        assert recognise(projection, [b"{}", line, b"text"])[0] == bytes([Flag.JSON, flags, 0])


@pytest.mark.parametrize("character", ["é", "€", "😀"])
def test_utf8_is_told_wherever_it_is_cut(character: str) -> None:
    """A block is looked at in pieces, which end anywhere: also within a character, whole or broken."""
    whole = character.encode()
    for place in range(PIECE_BYTES - 5, PIECE_BYTES + 2):
        before, after = b"x" * place, b"y" * PIECE_BYTES
        for encoded, valid in ((whole, True), (whole[:-1], False), (whole[1:], False)):
            assert is_utf8(before + encoded) == valid
            assert is_utf8(before + encoded + after) == valid


def test_an_object_that_can_be_skipped_but_not_read_is_text() -> None:
    """A number that needs the slow way, beside what is nested nearly too deep: somewhere only one of the two does."""
    projection = Projection([Field(("k",))])
    for depth in range(850, 1010):
        line = b'{"k":1e400,"x":' + b"[" * depth + b"]" * depth + b"}"
        flags, rows = projection.recognise([line], line)
        assert (flags[0] == Flag.JSON) is (rows[0] != projection.row_type()), depth


def test_any_depth_of_nesting_is_json_or_text() -> None:
    """Where the limit lies depends on how deep in calls we are: near it the two ways may differ, but neither fails."""
    projection = Projection([Field(("a", "b"))])
    for depth in range(800, 1010, 7):
        line = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        flags, rows = recognise(projection, [line, b"text"])
        assert flags[0] in (0, Flag.JSON)
        assert len(rows) == 2


# ── the slow share ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("chunk", "slow"),
    [
        ([b'{"a":1}'] * 3, 0),
        ([b"text"] * 3, 0),
        ([b'{"a":1}', b"text", "é".encode()], 0),
        ([b'{"z":1e400}', b"  at java.lang.Thread.run"], 0),
        ([b'{"a":1e400}', b"text"], 1),
        ([b"{main} started", b"text", b'{"a":1}'], 1),
        ([b'{"a":1}', b"text", b"{main}", b'{"a":2}', b"{", b"{}"], 2),
        ([b'  {"a":1}', b"text"], 0),
        ([b"\xff", b'{"a":1}'], 1),
        ([b'{"a":"\xff"}', b'{"a":1}', b'{"a":NaN}', b'{"a":2}'], 2),
    ],
)
def test_events_that_went_the_slow_way_are_counted(chunk: list[bytes], slow: int) -> None:
    projection = Projection([Field(("a",))])
    assert projection.slow_events == 0
    recognise(projection, chunk)
    assert projection.slow_events == slow
    recognise(projection, chunk)
    assert projection.slow_events == 2 * slow


def test_only_numbers_that_no_float_holds_make_known_events_slow() -> None:
    projection = Projection([Field(("a",))])
    projection.rows([b'{"a":1}', b"text"], bytes([Flag.JSON, 0]))
    assert projection.slow_events == 0
    projection.rows([b'{"a":1e400}', b"text"], bytes([Flag.JSON, 0]))
    assert projection.slow_events == 1


def test_where_nothing_is_read_all_rows_are_one() -> None:
    projection = Projection([Meta("stream"), Resource("service.name")])
    assert projection.reads_nothing
    rows = projection.rows([b"{}", b"text"], bytes([Flag.JSON, 0]))
    assert rows[0] is rows[1]


def test_what_most_lines_begin_with_is_looked_for_first() -> None:
    chosen = [Field(("service",)), Severity(), Field(("http", "status")), Time()]
    first, *others = (
        [field.encode_name for field in msgspec.structs.fields(Projection(some).row_type)]
        for some in (chosen, chosen[::-1])
    )
    assert first == [
        "ts",
        "time",
        "timestamp",
        "@timestamp",
        "level",
        "severity",
        "lvl",
        "log",
        "log.level",
        "http",
        "http.status",
        "service",
    ]
    assert others == [first], "whatever their order was"


def test_names_of_fields_are_those_that_strategies_make() -> None:
    """So that the properties above meet fields that are there."""
    assert len(set(WORDS) & set(FIELD_NAMES)) >= 8
