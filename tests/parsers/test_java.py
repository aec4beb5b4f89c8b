"""Lines as the usual layouts and servers print them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import times
from logrouter.parsers._layouts import LayoutsConfig
from logrouter.parsers.java import Java
from tests.parsers.layouts import MESSAGES, is_quick, parsed, vectors

PARSER = Java(LayoutsConfig())
VECTORS = vectors("java")


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "[INFO] Building app 1.0",
        "2026-11-30 00:28:07,942 hello",
        "2026-11-30 00:28:07,942 WARN hello",
        "2026-11-30 00:28:07 INFO Connecting - attempt 2",
        "[2026-11-30 00:28:07] WARN hello",
        "[2026-11-30 00:28:07,892] WARN in app: hello",
        "[2026-11-30 00:28:07,892] WARN - hello",
        "\tat a.B(B.java:1)",
        "Nov 30, 2026 12:28:08 AM a.b",
        "Nov 30, 2026 13:28:08 AM a.b\nINFO: x",
        "[main] INFO x",
        "00:28:07 hello",
        "26/13/30 00:28:07 WARN A: x",
        "2026-11-30 00:28:07,123 [main] com.a.B - x",
    ],
)
def test_what_is_none_of_the_layouts(line: str) -> None:
    assert parsed(PARSER, line) is None


@given(
    st.sampled_from(["%s [%s] %-5s %s - %s", "%s  %s --- [%15s] %s : %s"]),
    st.sampled_from(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]),
    st.from_regex(r"[a-zA-Z0-9-]{1,20}", fullmatch=True),
    st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){1,3}\.[A-Z][A-Za-z$]{0,8}", fullmatch=True),
    MESSAGES,
    st.integers(0, 4_000_000_000_000),
)
@settings(deadline=None)
def test_what_is_printed_is_what_is_parsed(
    layout: str, level: str, thread: str, logger: str, message: str, time_ms: int
) -> None:
    time = times.format_rfc3339(time_ms * 1_000_000)
    shown = time.removesuffix("Z").replace("T", " ").replace(".", ",")
    fields = {"time": time, "level": level, "message": message, "thread": thread, "logger": logger}
    if "---" in layout:
        line = layout % (shown, f"{level:5} 12", thread, logger, message)
        assert parsed(PARSER, line) == {**fields, "pid": 12}
    else:
        assert parsed(PARSER, layout % (shown, thread, level, logger, message)) == fields


def test_the_quick_way_takes_what_is_usual() -> None:
    usual = [
        line for line, _ in VECTORS if line[:4] in ("2026", "[202", "INFO") and "\n" not in line and "\t" not in line
    ]
    assert len(usual) > 15
    for line in usual:
        assert is_quick(Java(LayoutsConfig()), [line] * 9), line


@pytest.mark.parametrize(
    ("received", "time"),
    [
        ("2026-11-30T00:00:10Z", "2026-11-29T23:59:59.500Z"),
        ("2026-11-29T23:59:59Z", "2026-11-29T23:59:59.500Z"),
        ("2026-11-29T23:00:00Z", "2026-11-29T23:59:59.500Z"),  # by a clock that is ahead
        ("2026-11-29T22:30:00Z", "2026-11-28T23:59:59.500Z"),
    ],
)
def test_a_time_without_a_date_is_the_last_such(received: str, time: str) -> None:
    received_ns = times.parse(received)
    assert received_ns is not None
    assert parsed(PARSER, "23:59:59.500 [main] INFO a.B - x", received_ns)["time"] == time


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("2026-07-01 12:00:00,123 INFO  [main] a.B - x", "2026-07-01T10:00:00.123Z"),
        ("2026-10-25 02:30:00 INFO  [main] a.B - x", "2026-10-25T00:30:00Z"),  # comes twice: the first
        ("2026-03-29 02:30:00 INFO  [main] a.B - x", "2026-03-29T01:30:00Z"),  # is left out
        ("2016-12-31 23:59:60 INFO  [main] a.B - x", "2016-12-31T23:00:00Z"),
        ("2026-07-01T12:00:00Z INFO  [main] a.B - x", "2026-07-01T12:00:00Z"),
        ("00:30:00 INFO  [main] a.B - x", "2026-11-29T23:30:00Z"),
        ("9999-12-31 23:59:59 INFO  [main] a.B - x", "9999-12-31T22:59:59Z"),
        ("0001-01-02 00:00:00 INFO  [main] a.B - x", "0001-01-01T22:47:48Z"),
    ],
)
def test_times_are_of_the_zone_that_is_named(line: str, time: str) -> None:
    assert parsed(Java(LayoutsConfig(timezone="Europe/Stockholm")), line)["time"] == time


def test_an_unknown_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="expected an IANA name such as Europe/Stockholm, not 'Mars/Olympus'"):
        Java(LayoutsConfig(timezone="Mars/Olympus"))
