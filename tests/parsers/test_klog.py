"""Headers and pairs as klog and glog write them; and the quick way gives what the careful one does."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers.klog import Klog, KlogConfig

RECEIVED_NS = int(datetime(2026, 11, 29, 23, 50, tzinfo=UTC).timestamp()) * 10**9
KLOG = Klog(KlogConfig())


def parsed(line: str | bytes, parser: Klog = KLOG, received_ns: int = RECEIVED_NS) -> Any:
    """The fields of a line, or None. The same whether it comes alone or in a block."""
    raw = line.encode() if isinstance(line, str) else line
    made = parser.parse(raw, received_ns)
    lines = [raw] * 6
    assert list(parser.parse_all(lines, b"\n".join(lines), received_ns)) == [made] * 6
    return made and json.loads(made)


def is_quick(line: str) -> bool:
    """Whether a line has a shape."""
    shape = KLOG.shape_of(line.encode())
    return shape is not None and shape.takes(line.encode())


HEAD = "I1112 14:06:35.783529  328441 structured_logging.go:51] "
FIELDS = {"time": "2026-11-12T14:06:35.783529Z", "level": "info", "threadid": 328441, "file": "structured_logging.go"}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        # FormatHeaderPre in https://github.com/kubernetes/klog, internal/buffer/buffer.go, and its tests
        (
            "W0102 15:04:05.067890    1234 klog_test.go:128] test",
            {
                "time": "2026-01-02T15:04:05.067890Z",
                "level": "warning",
                "message": "test",
                "threadid": 1234,
                "file": "klog_test.go",
                "line": 128,
            },
        ),
        # with --add_dir_header, and as FormatHeaderWithSpace has it
        (
            "E1129 23:44:26.000001       1 server/server.go:42 ] a: b",
            {
                "time": "2026-11-29T23:44:26.000001Z",
                "level": "error",
                "message": "a: b",
                "threadid": 1,
                "file": "server/server.go",
                "line": 42,
            },
        ),
        # where the caller is unknown
        (
            "F1129 23:44:26.000001       1 ???:1] ",
            {"time": "2026-11-29T23:44:26.000001Z", "level": "fatal", "threadid": 1, "file": "???", "line": 1},
        ),
        # https://github.com/google/glog#format: Lyyyymmdd since 0.6; Abseil before its zone is known
        (
            'I20251129 23:44:26.123456 12345 main.cc:7] say "hello"',
            {
                "time": "2025-11-29T23:44:26.123456Z",
                "level": "info",
                "message": 'say "hello"',
                "threadid": 12345,
                "file": "main.cc",
                "line": 7,
            },
        ),
        (
            "W0000 00:00:1732923866.123456      12 plugin.cc:7] text",
            {
                "time": "2024-11-29T23:44:26.123456Z",
                "level": "warning",
                "message": "text",
                "threadid": 12,
                "file": "plugin.cc",
                "line": 7,
            },
        ),
    ],
)
def test_headers(line: str, fields: dict[str, Any]) -> None:
    assert parsed(line) == fields
    assert list(parsed(line)) == list(fields)


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        # https://github.com/kubernetes/community/blob/master/contributors/devel/sig-instrumentation/
        # migration-to-structured-logging.md
        (
            '"Pod status updated" pod="kube-system/kubedns" status="ready"',
            {"pod": "kube-system/kubedns", "status": "ready"},
        ),
        ('"Failed to update pod status" err="timeout"', {"err": "timeout"}),
        (
            '"Received HTTP request" method="GET" URI="/metrics" latency="1s"',
            {"method": "GET", "URI": "/metrics", "latency": "1s"},
        ),
        # internal/serialize/keyvalues.go: texts are quoted, all else is as %+v has it
        ('"m" n=3 f=-1.5 e=1e+06 t=true x=<nil>', {"n": 3, "f": -1.5, "e": 1e6, "t": True, "x": None}),
        (r'"a \"b\"\n\x01" k="\u00e9\t\\"', {"k": "é\t\\"}),
        (
            '"m" phase=Ready zero=007 q="" long=12345678901234567890',
            {"phase": "Ready", "zero": "007", "q": "", "long": "12345678901234567890"},
        ),
        ('"m" s={Name:long Data:[1 2] M:map[a:1]} k=1', {"s": "{Name:long Data:[1 2] M:map[a:1]}", "k": 1}),
        ('"m" s={"a":{"b":[1,2]},"c":" d"} k=1', {"s": {"a": {"b": [1, 2]}, "c": " d"}, "k": 1}),
        ('"m" l=["a","b"] n=[1 2] o={}', {"l": ["a", "b"], "n": "[1 2]", "o": {}}),
        ('"m" s={ a="x y" b=2 } k=1', {"s": '{ a="x y" b=2 }', "k": 1}),
        ('"m" line=7 k=1 k=2', {"line#2": 7, "k": 1, "k#2": 2}),
        ('"m" diff=<\n\tline 1\n\t line 2\n > k=1', {"diff": "line 1\n line 2", "k": 1}),
        ('"m"', {}),
    ],
)
def test_structured_messages(message: str, fields: dict[str, Any]) -> None:
    found = parsed(HEAD + message)
    text = found.pop("message")
    assert found == {**FIELDS, "line": 51, **fields}
    assert text == ('a "b"\n\x01' if message.startswith('"a') else "m" if message.startswith('"m') else text)


# What a program printed with klog 2.130.1: texts, numbers, an error, structs, slices, a map, bytes, KObjSlice, a time
PRINTED = r"""
I1129 23:44:26.799342    4158 main.go:24] "Pod status updated" pod="kube-system/kubedns" n=3 f=1.5 ok=true nothing=null
E1129 23:44:26.799459    4158 main.go:25] "Failed to update pod status" err="time\"out" took="1.5s" big=1e+21 neg=-4
I1129 23:44:26.799559    4158 main.go:26] "structs" p={"X":1,"Name":"a b"} list=["a","b c"] ints=[1,2] bytes="ab\x00"
I1129 23:44:26.799604    4158 main.go:27] "lines" text=<
|line 1
|line 2
 > after=1
I1129 23:44:26.799611    4158 main.go:28] "multi\nline message é\x01" k="tab\there é"
I1129 23:44:26.799628    4158 main.go:29] "objs" o=["a/b"] when="1970-01-01 00:00:00 +0000 UTC"
"""
PAIRS: list[dict[str, Any]] = [
    {"pod": "kube-system/kubedns", "n": 3, "f": 1.5, "ok": True, "nothing": None},
    {"err": 'time"out', "took": "1.5s", "big": 1e21, "neg": -4},
    {"p": {"X": 1, "Name": "a b"}, "list": ["a", "b c"], "ints": [1, 2], "bytes": "ab\x00"},
    {"text": "line 1\nline 2", "after": 1},
    {"k": "tab\there é"},
    {"o": ["a/b"], "when": "1970-01-01 00:00:00 +0000 UTC"},
]


def test_what_a_program_printed() -> None:
    events = re.split(r"\n(?=[IE]1129)", PRINTED.strip().replace("\n|", "\n\t"))
    assert [list(parsed(event).items())[6:] for event in events] == [list(pairs.items()) for pairs in PAIRS]


@pytest.mark.parametrize(
    "message",
    ['"m" and more', '"m" a=b c', '"m" a={b', '"m" a=b"c', '"m"a=b', '"m" =b', '"m', '"m" s={ a="x }', "hello a=b"],
)
def test_what_is_no_structured_message_stays_whole(message: str) -> None:
    assert parsed(HEAD + message) == {**FIELDS, "message": message, "line": 51}


@pytest.mark.parametrize(
    ("message", "quick"),
    [
        ("Listening on :8080", True),
        ('say "hello"', True),
        (r'{"path":"C:\\dir"}', True),
        ('"Pod status updated" pod="a/b" n=3 phase=Ready', True),
        ('"m"', True),
        (r'"m" err="no \"x\""', False),
        ('"m" s={"a":1}', False),
        ('"m" line=7', False),
    ],
)
def test_what_goes_the_quick_way(message: str, quick: bool) -> None:
    assert is_quick(HEAD + message) == quick
    assert is_quick(HEAD.replace("I1112", "I20261112") + message) == quick


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "D1129 23:44:26.123456      12 a.go:7] no such level",
        "I1131 23:44:26.123456      12 a.go:7] no such day",
        "I1129 24:44:26.123456      12 a.go:7] no such hour",
        "I1129 00:00:1732923866.123456      12 a.go:7] a day and seconds since 1970",
        "I1129 23:44:26.123456      12 a.go] no line",
        "I1129 23:44:26.123456 a.go:7] no thread",
        "[I1129 23:44:26.123456      12 a.go:7] in brackets",
    ],
)
def test_what_is_not_klog(line: str) -> None:
    assert parsed(line) is None


def test_the_year_is_guessed_and_the_zone_is_an_option() -> None:
    new_year_ns = int(datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC).timestamp()) * 10**9
    stockholm = Klog(KlogConfig(timezone="Europe/Stockholm"))
    line = "I1231 23:59:59.5       1 a.go:7] text"
    assert parsed(line, received_ns=new_year_ns)["time"] == "2026-12-31T23:59:59.5Z"
    assert parsed(line, stockholm, new_year_ns)["time"] == "2026-12-31T22:59:59.5Z"
    assert parsed(line.replace("I1231", "I0229"), received_ns=new_year_ns)["time"] == "2024-02-29T23:59:59.5Z"
    assert parsed(line.replace("I1231", "I20250701"), stockholm)["time"] == "2025-07-01T21:59:59.5Z"


keys = st.from_regex(r"[A-Za-z][A-Za-z0-9_./-]{0,20}", fullmatch=True).filter(
    lambda key: key not in ("time", "level", "message", "threadid", "file", "line")
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def quoted(text: str) -> str:
    """As Go's strconv.Quote does, but for what it thinks is printable."""
    letters = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    shown = (letters.get(each, each if each.isprintable() else f"{chr(92)}U{ord(each):08x}") for each in text)
    return f'"{"".join(shown)}"'


@given(
    st.datetimes(datetime(2025, 12, 1), datetime(2026, 11, 29)),
    st.integers(0, 10**7),
    texts.filter(lambda text: text[:1] != '"'),
    texts,
    st.dictionaries(keys, texts | st.integers(-(10**6), 10**6) | st.booleans(), max_size=4),
)
@settings(deadline=None)
def test_what_klog_prints_is_what_is_parsed(
    time: datetime, pid: int, text: str, message: str, pairs: dict[str, str | int | bool]
) -> None:
    head = f"I{time:%m%d %H:%M:%S.%f} {pid:7d} a.go:7] "
    fields = {"time": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z", "level": "info", "threadid": pid, "file": "a.go", "line": 7}
    assert parsed(head + text) == fields | ({"message": text} if text else {})
    shown = "".join(
        f" {key}={quoted(value) if isinstance(value, str) else json.dumps(value)}" for key, value in pairs.items()
    )
    assert parsed(head + quoted(message) + shown) == {**fields, **({"message": message} if message else {}), **pairs}


@st.composite
def nearly_lines(draw: st.DrawFn) -> bytes:
    """A line, perhaps with something put into it or left out."""
    messages = ["text", 'say "a"', '"m" a="b c" n=3 t=true', '"m" s={"a":1} l=[1 2]', '"m" a=<nil>', '"m"']
    head = draw(st.sampled_from([HEAD, HEAD.replace("I1112", "I20261112")]))
    line = (head + draw(st.sampled_from(messages))).encode()
    if draw(st.booleans()):
        place = draw(st.integers(0, len(line)))
        what = [b"", b'"', b"\\", b" ", b"=", b"\xff", b"\t", b"[", b"]", b" a=b", b":", b"<", b"\xe2\x80\x83", b"\n"]
        line = line[:place] + draw(st.sampled_from(what)) + line[place + draw(st.integers(0, 3)) :]
    return line


@given(st.lists(nearly_lines(), min_size=1, max_size=12))
@settings(deadline=None)
def test_the_quick_way_is_the_careful_one(lines: list[bytes]) -> None:
    made = [KLOG.parse(line, RECEIVED_NS) for line in lines]
    assert list(KLOG.parse_all(lines, b"\n".join(lines), RECEIVED_NS)) == made


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["a", "1", " ", '"', "\\", r"\"", "[", "{", ' a="', ' a="b"', " a=b", " a=", "<\n", "\n\t"]
)
@pytest.mark.parametrize(
    "start", ["I1129 23:44:26 1 ", HEAD, HEAD + '"', HEAD + '"m" a=', HEAD + '"m" a={"', HEAD + '"m" a=<\n\t']
)
def test_a_long_line_takes_linear_time(start: str, piece: str) -> None:
    """Squared, 50,000 bytes are 25 seconds or more; linear, a tenth."""
    line = (start + piece * (50_000 // len(piece))).encode()
    began = process_time()
    KLOG.parse_all([line], line, RECEIVED_NS)
    assert process_time() - began < 5
