"""RFC 4180 line by line, PostgreSQL's csvlog, TSV; and the same as Python's csv module, wherever that is strict."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers.csv import Csv, CsvConfig

THREE = ["a", "b", "c"]


def parsed(line: str | bytes, columns: list[str] = THREE, **config: Any) -> Any:
    """The fields of a line, or None. The same whether it comes alone or twice."""
    parser = Csv(CsvConfig(columns=columns, **config))
    raw = line.encode() if isinstance(line, str) else line
    made = parser.parse(raw, 0)
    assert list(parser.parse_all([raw, raw], raw + b"\n" + raw, 0)) == [made, made]
    return made and json.loads(made)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        # https://www.rfc-editor.org/rfc/rfc4180#section-2
        ("aaa,bbb,ccc", {"a": "aaa", "b": "bbb", "c": "ccc"}),
        ('"aaa","bbb","ccc"', {"a": "aaa", "b": "bbb", "c": "ccc"}),
        ('"aaa",bbb,ccc', {"a": "aaa", "b": "bbb", "c": "ccc"}),
        ('"aaa","b\nbb","ccc"', {"a": "aaa", "b": "b\nbb", "c": "ccc"}),  # where lines were joined
        ('"aaa","b""bb","ccc"', {"a": "aaa", "b": 'b"bb', "c": "ccc"}),
        ("aaa, b ,ccc", {"a": "aaa", "b": " b ", "c": "ccc"}),  # "Spaces are considered part of a field"
        ('"a,b",,""', {"a": "a,b", "c": ""}),
        (",,", {}),
        ('a"b,c,d', {"a": 'a"b', "b": "c", "c": "d"}),
        (r"C:\new,é,%s", {"a": r"C:\new", "b": "é", "c": "%s"}),
        (b"\xff,b,c", {"a": "\ufffd", "b": "b", "c": "c"}),
        ("aaa,bbb", None),
        ("aaa,bbb,ccc,ddd", None),
        ("aaa,bbb,ccc,", None),
        ('"aaa" ,bbb,ccc', None),
        ('"aaa,bbb,ccc', None),
        ('"a"b,c,d', None),
        ("", None),
        ("hello", None),
    ],
)
def test_lines(line: str | bytes, fields: Any) -> None:
    assert parsed(line) == fields


def test_csvlog_of_postgresql() -> None:
    """https://www.postgresql.org/docs/16/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-CSVLOG, its 26 columns."""
    columns = (
        "log_time user_name database_name process_id connection_from session_id session_line_num command_tag "
        "session_start_time virtual_transaction_id transaction_id error_severity sql_state_code message detail hint "
        "internal_query internal_query_pos context query query_pos location application_name backend_type leader_pid "
        "query_id"
    )
    line = (
        '2026-11-23 10:00:00.123 UTC,"app","shop",4242,"[local]",6745a1b0.1092,1,"SELECT",2026-11-23 09:59:59 UTC,'
        '3/12,0,ERROR,42P01,"relation ""nowhere"" does not exist",,,,,,"select * from nowhere;",15,,"psql",'
        '"client backend",,0'
    )
    fields = parsed(line, columns.split(" "), types={"process_id": "int"})
    assert len(fields) == 19
    assert (fields["process_id"], fields["error_severity"]) == (4242, "ERROR")
    assert fields["message"] == 'relation "nowhere" does not exist'


def test_tsv() -> None:
    assert parsed('x\ta "b"\t', separator="\t", quote="") == {"a": "x", "b": 'a "b"'}
    assert parsed("x\ty", separator="\t", quote="") is None


def test_a_tab_in_quotation_marks_between_tabs() -> None:
    assert parsed('1\t"2\t3"\t4', separator="\t") == {"a": "1", "b": "2\t3", "c": "4"}


def test_other_marks() -> None:
    assert parsed("'a;b';\"c\";it's", separator=";", quote="'") == {"a": "a;b", "b": '"c"', "c": "it's"}


def test_types() -> None:
    assert parsed('1,"2.50",', types={"a": "int", "b": "float", "c": "int"}) == {"a": 1, "b": 2.5}
    assert parsed("x,,1", types={"a": "int", "c": "bool"}) == {"a": "x", "c": True}


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"columns": []}, "columns: expected at least one name, and none twice"),
        ({"columns": ["a", "a"]}, "columns: expected at least one name, and none twice"),
        ({"separator": ""}, "separator: expected one ASCII character, not ''"),
        ({"separator": "||"}, r"separator: expected one ASCII character, not '\|\|'"),
        ({"quote": "«"}, "quote: expected one ASCII character, not '«'"),
        ({"quote": ","}, "quote: it must not be the separator"),
        ({"types": {"z": "int"}}, "types: there is no column 'z'"),
    ],
)
def test_mistakes(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Csv(CsvConfig(**{"columns": THREE, **config}))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from([(",", '"'), (";", "'"), ("\t", '"')]),
)
@settings(deadline=None)
def test_what_python_writes_is_what_is_parsed(rows: list[list[str]], quoting: Any, marks: tuple[str, str]) -> None:
    separator, quote = marks
    lines = []
    for row in rows:
        out = io.StringIO()
        csv.writer(out, quoting=quoting, delimiter=separator, quotechar=quote, lineterminator="").writerow(row)
        lines.append(out.getvalue().encode())
    parser = Csv(CsvConfig(columns=THREE, separator=separator, quote=quote))
    made = parser.parse_all(lines, b"\n".join(lines), 0)
    assert list(made) == [parser.parse(line, 0) for line in lines]
    for one, row in zip(made, rows, strict=True):
        fields = json.loads(one or b"null")
        assert [fields.get(name, "") for name in THREE] == row


@given(
    st.lists(st.text(st.sampled_from("ab,;'\"\\\té\n"), max_size=12), min_size=1, max_size=8),
    st.sampled_from([{}, {"quote": ""}, {"quote": "'", "separator": ";"}, {"separator": "\t", "quote": ""}]),
)
@settings(deadline=None)
def test_the_quick_way_is_the_careful_one(lines: list[str], config: dict[str, Any]) -> None:
    parser = Csv(CsvConfig(columns=["a", "b"], types={"b": "int"}, **config))
    raw = [line.encode() for line in lines]
    assert list(parser.parse_all(raw, b"\n".join(raw), 0)) == [parser.parse(line, 0) for line in raw]
