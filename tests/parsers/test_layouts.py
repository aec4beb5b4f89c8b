"""What all parsers of layouts have in common, and what none of them takes."""

from __future__ import annotations

import json
import re
from time import process_time
from typing import Any

import pytest

from logrouter.parsers._colours import without_colours
from logrouter.parsers._layouts import KINDS, Layout, LayoutsConfig, LayoutsParser
from logrouter.parsers._trailing import OBJECT, PAIRS, PAIRS_OF_HCLOG
from logrouter.parsers.go import Go
from logrouter.parsers.java import Java
from logrouter.parsers.php import Php
from logrouter.parsers.postgresql import Postgresql, PostgresqlConfig
from logrouter.parsers.python import Python
from logrouter.parsers.redis import Redis
from logrouter.parsers.ruby import Ruby
from logrouter.parsers.rust import Rust
from logrouter.possessive import portable
from tests.parsers.layouts import is_quick, keeps_to_it, parsed, vectors

PARSERS: dict[str, LayoutsParser[Any]] = {
    "go": Go(LayoutsConfig()),
    "java": Java(LayoutsConfig()),
    "php": Php(LayoutsConfig()),
    "postgresql": Postgresql(PostgresqlConfig()),
    "python": Python(LayoutsConfig()),
    "redis": Redis(LayoutsConfig()),
    "ruby": Ruby(LayoutsConfig()),
    "rust": Rust(LayoutsConfig()),
}
VECTORS = {name: vectors(name) for name in PARSERS}
every_parser = pytest.mark.parametrize("name", PARSERS)

PROSE = """\
hello
Listening on http://127.0.0.1:8080
Server started at 2026-11-29 23:44:26
2026-11-29
2026-11-29 23:44:26
2026-11-29 23:44:26 backup finished
2026-11-29 23:44:26: backup finished
2026-11-29T23:44:26Z backup finished
2026/11/29: backup finished
23:44:26 backup finished
[2026-11-29 23:44:26] backup finished
[23:44:26] backup finished
INFO backup finished
INFO: backup finished
INFO - backup finished
ERROR: disk is full: /var/lib
Error: Cannot find module 'express'
WARNING: this is a development server
[INFO] Building app 1.0-SNAPSHOT
[ERROR] Failed to execute goal
[main] starting
[1/4] Resolving packages...
DEBUG=1 ./run
WARN  deprecated foo@1.0: use bar
npm WARN deprecated foo@1.0
1 of 3 tests failed
12 passed in 0.31s
10:12 PM
10.0.0.1 is down
127.0.0.1 localhost
Nov 29 23:44:26 host app[12]: x
Traceback (most recent call last):
  File "app.py", line 10, in <module>
ZeroDivisionError: division by zero
\tat com.example.App.main(App.java:12)
Caused by: java.lang.IllegalStateException: boom
panic: runtime error: index out of range [5] with length 3
goroutine 1 [running]:
thread 'main' panicked at src/main.rs:2:5:
SELECT * FROM users WHERE id = 1;
{"level": "info"}
level=info msg=x
key: value
- item
| id | name |
 98% [==============>   ]
"""


@pytest.mark.parametrize(
    ("name", "line", "fields"), [(name, *vector) for name, of_one in VECTORS.items() for vector in of_one]
)
def test_lines(name: str, line: str, fields: dict[str, Any]) -> None:
    found = parsed(PARSERS[name], line)
    assert found == fields
    assert list(found)[: len(fields)] == list(fields), "time, level and message first"


@every_parser
def test_the_two_ways_are_one(name: str) -> None:
    keeps_to_it(PARSERS[name], VECTORS[name])


@pytest.mark.parametrize("line", PROSE.splitlines())
def test_what_anybody_may_print_is_taken_by_none(line: str) -> None:
    assert {name: parsed(parser, line) for name, parser in PARSERS.items()} == dict.fromkeys(PARSERS)


@every_parser
def test_how_lines_begin_is_told_without_groups(name: str) -> None:
    looks = PARSERS[name].looks
    assert looks is not None
    assert re.compile(portable(looks.begin)).groups == 0


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        (b"\x1b[32mINFO\x1b[0m: x", b"INFO: x"),
        (b"\x1b[38;5;12m\x1b[1;4mx\x1b[m", b"x"),
        (b"\x1b[38:2::1:2:3mx", b"x"),
        (b"\x1b[2Kx\x1b[", b"\x1b[2Kx\x1b["),  # moves of the cursor are no colours
        (b"\x1b[0m", b"\x1b[0m"),
        (b"x", b"x"),
    ],
)
def test_colours_are_taken_off(line: bytes, plain: bytes) -> None:
    assert without_colours(line) == plain


@pytest.mark.parametrize(
    ("text", "message", "fields"),
    [
        ("done a=1 b=2", "done", {"a": "1", "b": "2"}),
        ("done  a=1   b=", "done", {"a": "1", "b": ""}),
        ('done a="x \\"y\\" z" b=\'u v\'', "done", {"a": 'x "y" z', "b": "u v"}),
        ("a=1", "", {"a": "1"}),
        (
            "done a=Foo { b: 1 } c=[1, 2] d=Some(3) e=(1, 2) f=&{x y}",
            "done",
            {"a": "Foo { b: 1 }", "c": "[1, 2]", "d": "Some(3)", "e": "(1, 2)", "f": "&{x y}"},
        ),
        ("x a=1 y b=2", "x a=1 y", {"b": "2"}),
        ("a=1 and more", "a=1 and more", {}),
        ("url http://x/?a=1", "url http://x/?a=1", {}),
        ('open a="x', 'open a="x', {}),
        ("base a=eA==", "base", {"a": "eA=="}),
        ("é ü=1", "é ü=1", {}),
    ],
)
def test_pairs_behind_a_message(text: str, message: str, fields: dict[str, str]) -> None:
    assert (PAIRS.read(text)[0], dict(PAIRS.read(text)[1])) == (message, fields)


@pytest.mark.parametrize("blank", ["\u2028", "\xa0", "\x85", "\u3000"])
def test_a_value_ends_at_blanks_of_ascii_alone(blank: str) -> None:
    """In the careful way as in the quick one, which knows the shape of the line by the one before."""
    begin = "2026-11-29T23:44:26.123456Z  INFO app: done ms=2"
    lines = [begin.encode(), f"{begin}{blank}".encode()]
    both = [PARSERS["rust"].parse(line, 0) for line in lines]
    assert list(Rust(LayoutsConfig()).parse_all(lines, b"\n".join(lines), 0)) == both
    assert both[1] is not None
    assert json.loads(both[1])["ms"] == f"2{blank}"


def test_names_that_are_taken_get_a_number() -> None:
    line = "2026/11/29 23:44:26 INFO x time=1 level=2 message=3 a=4 a=5"
    assert parsed(PARSERS["go"], line) == {
        "time": "2026-11-29T23:44:26Z",
        "level": "INFO",
        "message": "x",
        "time#2": "1",
        "level#2": "2",
        "message#2": "3",
        "a": "4",
        "a#2": "5",
    }


@pytest.mark.parametrize(
    "line",
    [
        '2026/11/29 23:44:26 INFO done count=3 name="x y" path=/a?b ',
        '2026-11-29T23:44:26.123Z [INFO]  agent: done: count=3 name="x y"',
        '2026-11-29T23:44:26.123Z\tINFO\tapp\tmain.go:12\tdone\t{"a": 1, "b": {"c": "x"}}',
    ],
)
def test_the_quick_way_takes_fields_behind_the_message(line: str) -> None:
    assert is_quick(Go(LayoutsConfig()), [line.rstrip().replace("done", f"done {number}") for number in range(9)])


def test_many_shapes_of_pairs_are_told_apart() -> None:
    lines = [
        f"2026/11/29 23:44:26 INFO done{':' * (number % 3 == 0)} "
        + " ".join(f"k{number % 5}{n}={n}" for n in range(number % 4))
        for number in range(100)
    ]
    raw = [line.encode() for line in lines]
    made = PARSERS["go"].parse_all(raw, b"\n".join(raw), 0)
    assert list(made) == [PARSERS["go"].parse(line, 0) for line in raw]
    assert None not in made


@pytest.mark.parametrize(
    ("text", "message", "fields"),
    [
        ('x\t{"a": 1}', "x", {"a": 1}),
        ("x\t{}", "x", {}),
        ("x\t{not}", "x\t{not}", {}),
        ("x\ty", "x\ty", {}),
        ("x\t" + '{"a":' * 5000, None, {}),
    ],
)
def test_an_object_behind_a_message(text: str, message: str | None, fields: dict[str, Any]) -> None:
    assert OBJECT.read(text)[0] == (text if message is None else message)
    assert dict(OBJECT.read(text)[1]) == fields


def test_hclog_writes_a_colon_only_before_pairs() -> None:
    assert PAIRS_OF_HCLOG.read("done:") == ("done:", ())
    assert PAIRS_OF_HCLOG.read("done: a=1") == ("done", [("a", "1")])
    assert PAIRS_OF_HCLOG.tail_of("done a=1") is None


def test_a_layout_says_how_its_lines_begin() -> None:
    assert Layout(r"\[<level>\] <message> \(<logger>\)").begin == (
        r"\[(?:[TDINWECF][A-Z]{3,7})",
        rf"\] [^\n]* \((?:{KINDS['logger'].expression})\)",
    )


def test_colours_within_colours_are_none() -> None:
    assert parsed(PARSERS["go"], "\x1b\x1b[0m[36mINFO[0012] x") is None
    assert parsed(PARSERS["go"], "\x1b[0m\x1b[36mINFO[0012] x") is not None


def test_tracebacks_keep_no_other_event_from_the_quick_way() -> None:
    careful: list[bytes] = []

    class Counting(Java):
        def parse(self, line: bytes, received_ns: int) -> bytes | None:
            careful.append(line)
            return super().parse(line, received_ns)

    line = b"2026-11-29 23:44:26,123 [main] ERROR a.B - failed"
    lines = [line + b"\njava.lang.X: boom\n\tat a.B" if number % 10 == 0 else line for number in range(100)]
    made = Counting(LayoutsConfig()).parse_all(lines, b"\n".join(lines), 0)
    assert list(made) == [PARSERS["java"].parse(line, 0) for line in lines]
    assert len(careful) == 10


STARTS = [line[:70] for of_one in VECTORS.values() for line, _ in of_one]
PIECES = ["a", " ", '"', " a=", ' a="', " k=[", " k=a(", " (a", "a:", "a{b}:", "[a] ", "\t", "\n", "'", "\x1b[", ',"']


@pytest.mark.slow
@every_parser
def test_a_long_line_takes_linear_time(name: str) -> None:
    """Squared, 50,000 bytes are 25 seconds or more; linear, some hundredths."""
    parser, looks = PARSERS[name], PARSERS[name].looks
    assert looks is not None
    begin = re.compile(portable(looks.begin))
    known = [line.encode() for line, _ in vectors(name)]
    parser.parse_all(known, b"\n".join(known), 0)  # so that it tries the quick ways of these
    for line in ((start + piece * (50_000 // len(piece))).encode() for start in STARTS for piece in PIECES):
        began = process_time()
        parser.parse_all([line], line, 0)
        begin.match(line)
        assert process_time() - began < 5, line[:100]


@every_parser
def test_its_fields_begin_with_time_level_and_message(name: str) -> None:
    for line, _ in VECTORS[name]:
        made = PARSERS[name].parse(line.encode(), 0)
        assert made is not None
        first = [key for key in json.loads(made) if key in ("time", "level", "message")]
        assert list(json.loads(made))[: len(first)] == first or "status" in json.loads(made)
