"""Exceptions as fields, by whichever parser takes the line that logged them; and what is none."""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import config
from logrouter.errors import ConfigError
from logrouter.parsers._raised import raised_in
from logrouter.parsers.auto import Auto, AutoConfig
from logrouter.parsers.klog import Klog, KlogConfig
from logrouter.parsers.traceback import Traceback, TracebackConfig
from tests.joining.vectors import VECTORS

RECEIVED_NS = 1_796_000_000_000_000_000
AUTO = Auto(AutoConfig())
PARSER = Traceback(TracebackConfig())
STACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: boom'
EXCEPTION = {"exception.type": "ValueError", "exception.message": "boom", "exception.stacktrace": STACK}
EVENTS = [event for vector in VECTORS for event in vector.events]


def fields_of(event: str, parser: Auto | Traceback = AUTO) -> Any:
    made = parser.parse(event.encode(), RECEIVED_NS)
    return made and json.loads(made)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "2026-11-29 10:00:00,123 ERROR app: failed",
            {"time": "2026-11-29T10:00:00.123Z", "level": "ERROR", "message": "failed", "logger": "app"},
        ),
        ('level=error msg="it failed"', {"level": "error", "msg": "it failed"}),
        (
            "E1129 10:00:00.123456      12 a.go:7] failed",
            {
                "time": "2026-11-29T10:00:00.123456Z",
                "level": "error",
                "message": "failed",
                "threadid": 12,
                "file": "a.go",
                "line": 7,
            },
        ),
        ("no format at all: it failed", {"message": "no format at all: it failed"}),
        ("two lines\nbefore it", {"message": "two lines\nbefore it"}),
        ("ERROR:root:failed", {"level": "ERROR", "message": "failed", "logger": "root"}),
    ],
)
def test_the_line_that_logged_it_has_the_fields_of_its_format(line: str, fields: dict[str, Any]) -> None:
    for parser in (AUTO, PARSER):
        assert fields_of(f"{line}\n{STACK}", parser) == fields | EXCEPTION
        assert list(fields_of(f"{line}\n{STACK}", parser)) == [*fields, *EXCEPTION]


@pytest.mark.parametrize(
    "line",
    [
        b"ERROR:app:failed",
        b"level=error msg=failed",
        b"2026/11/29 10:00:00 failed",
        b"10:00:00.123 [main] ERROR a.B - failed",
        b"E1129 10:00:00.1 12 a.go:7] failed",
        b"failed",
    ],
)
def test_whatever_line_logs_it_the_exception_is_the_same(line: bytes) -> None:
    for vector in VECTORS:
        for number, expected in vector.raised.items():
            made = json.loads(AUTO.parse(line + b"\n" + vector.events[number], RECEIVED_NS) or b"{}")
            assert [made.get("exception.type", ""), made.get("exception.message", "")] == expected, vector.title


def test_nothing_logged_it() -> None:
    assert fields_of(STACK) == {"level": "error", "message": "ValueError: boom"} | EXCEPTION


def test_a_traceback_that_was_formatted_into_the_message() -> None:
    fields = {"level": "ERROR", "message": "ValueError: boom", "logger": "root"}
    assert fields_of(f"ERROR:root:{STACK}") == fields | EXCEPTION
    assert fields_of(f"it failed: {STACK}") == {"message": "it failed:"} | EXCEPTION


def test_an_exception_within_the_line_that_logged_it() -> None:
    made = fields_of("10:00:00.123 [main] ERROR a.B - failed: java.io.IOException: no disk\n\tat a.B.c(B.java:1)")
    assert made["message"] == "failed: java.io.IOException: no disk"
    assert made["exception.type"] == "java.io.IOException"
    assert made["exception.message"] == "no disk"
    assert made["exception.stacktrace"] == "java.io.IOException: no disk\n\tat a.B.c(B.java:1)"


def test_a_field_that_has_such_a_name_already_is_kept() -> None:
    made = fields_of(f"level=error exception.type=x\n{STACK}")
    assert (made["exception.type"], made["exception.type#2"]) == ("x", "ValueError")


@pytest.mark.parametrize(
    "event",
    [
        "Traceback (most recent call last):",
        'Traceback (most recent call last):\n  File "a.py", line 1, in f',
        "an error\n\tat a.B.c(B.java:1)",
        "two lines\nof a message",
        "panic: one line",
        "\n",
    ],
)
def test_what_holds_none(event: str) -> None:
    assert fields_of(event, PARSER) is None
    assert fields_of(event) is None


def test_it_is_a_format_that_auto_may_be_told() -> None:
    alone = Auto(AutoConfig(formats=("traceback",)))
    assert fields_of(STACK, alone) == {"level": "error", "message": "ValueError: boom"} | EXCEPTION
    assert fields_of(STACK, Auto(AutoConfig(formats=("logfmt",)))) is None


def test_who_takes_it() -> None:
    assert AUTO.taker(STACK.encode(), RECEIVED_NS) == "traceback"
    assert AUTO.taker(b"ERROR:root:x\n" + STACK.encode(), RECEIVED_NS) == "python"
    assert AUTO.taker(b"two\nlines", RECEIVED_NS) is None


def test_a_parser_without_exceptions_of_its_own_leaves_it_in_the_message() -> None:
    made = Klog(KlogConfig()).parse(b"E1129 10:00:00.1 12 a.go:7] failed\n" + STACK.encode(), RECEIVED_NS)
    assert made is not None
    assert json.loads(made)["message"] == f"failed\n{STACK}"


def test_an_unknown_zone_is_refused() -> None:
    text = "sources: {a: {type: stdin, parse: [{traceback: {timezone: Nowhere}}, logfmt]}}"
    with pytest.raises(ConfigError, match="Nowhere"):
        config.load(environ={"LOGROUTER_CONFIG_YAML": text}, system_folder=Path("/nonexistent"))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(EVENTS) | st.sampled_from([b"level=info msg=x", b"text", b"a\nb"]), min_size=1))
def test_events_together_are_what_each_is_alone(events: list[bytes]) -> None:
    for parser in (AUTO, PARSER):
        assert list(parser.parse_all(events, b"\n".join(events), RECEIVED_NS)) == [
            parser.parse(event, RECEIVED_NS) for event in events
        ]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=3).map(b"\n".join), st.data())
def test_of_the_lines_of_an_event_none_is_lost(event: bytes, data: st.DataObject) -> None:
    text = event.decode()
    text = text[data.draw(st.integers(0, len(text))) :]
    if (raised := raised_in(text)) is not None:
        lines = (raised.before + "\n" + raised.stacktrace).split("\n")
        assert all(line in lines or any(line.endswith(each) for each in lines) for line in text.split("\n") if line)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "Traceback (most recent call last):\n",
        "Traceback (most recent call last):\n\n",
        '  File "a", line 1\n',
        "thread 'a' panicked at 'b\n",
        "thread 'a' panicked at b:1:1:\n",
        "Error: x\n\n",
        "x\nStack trace:\n",
        "Uncaught A: x in ",
        "Next A: \nStack trace:\n#0",
        "[object] (A(code: 0): x at b\n[stacktrace]",
        "[object] (A(code: 0): x at b:1 ",
        "[object] (A(code: ",
        "panic: x\n",
        "panic: ",
        " panic serving a: ",
        "fatal error: ",
        "a:1:in `b': ",
        "a:1:in `b': c (D)\n",
        "<internal:a:1:in `",
        "A, [] A -- : x\n",
        "Exception in thread ",
        "a.b\n",
        "Error: ",
        "at \n at x",
        "aError",
        "a.b: x\n---> \n",
        "a:1\n^\n",
        "Fatal Python error: \n",
    ],
)
def test_a_long_event_takes_linear_time(piece: str) -> None:
    """Squared, a megabyte is minutes."""
    ends = ("", "\nat x", "\n at x", '  File "', "\nStack trace:\n#0", "\n[stacktrace]", ":in `a'")
    for end in ends:
        began = process_time()
        raised_in(piece * (1_000_000 // len(piece)) + end)
        assert process_time() - began < 2, end
