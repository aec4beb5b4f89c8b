"""Lines of PHP's own log, of PHP-FPM, the built-in web server and Monolog, and what their sources say."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers._layouts import LayoutsConfig
from logrouter.parsers.php import LEVELS, Php
from tests.parsers.layouts import MESSAGES, is_quick, parsed, vectors

PARSER = Php(LayoutsConfig())
VECTORS = vectors("php")


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "Warning: the disk is nearly full",
        "Warning: the disk is full in /app on line three",
        "Fatal error: no disk",
        "PHP is a language",
        "PHP 8.2.36 Development Server (http://127.0.0.1:28111) started",
        "[30-Nov-2026 03:27:15] hello",
        "[31-Nov-2026 03:27:15 UTC] hello",
        "[30-Nov-2026 03:27:15 Mars/Olympus] hello",
        "[30-Nov-2026 03:27:15 America] hello",
        "[Mon Nov 30 03:27:17 2026] hello",
        "[Mon Nov 30 03:27:17 2026] [error] hello",
        "[2026-11-30 03:27:17] local.info: hello",
        "Stack trace:",
        "#0 {main}",
        "  thrown in /app/shop.php on line 8",
    ],
)
def test_what_is_none_of_the_layouts(line: str) -> None:
    assert parsed(PARSER, line) is None


@given(
    st.sampled_from(sorted(LEVELS)),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
    MESSAGES,
    st.from_regex(r"/[a-z./-]{1,20}\.php", fullmatch=True),
    st.integers(0, 99_999),
)
@settings(deadline=None)
def test_what_php_writes_is_what_is_parsed(type_: str, time: datetime, message: str, file: str, line: int) -> None:
    day = f"{time:%d-%b}-{time.year:04d} {time:%H:%M:%S}"
    fields = {"level": LEVELS[type_], "message": message, "type": type_, "file": file, "line": line}
    said = f"{message} in {file} on line {line}"
    assert parsed(PARSER, f"PHP {type_}:  {said}") == fields
    assert parsed(PARSER, f"{type_}: {said}") == fields
    assert parsed(PARSER, f"[{day} UTC] PHP {type_}:  {said}") == {
        "time": f"{time.year:04d}-{time:%m-%dT%H:%M:%SZ}",
        **fields,
    }


@pytest.mark.parametrize(
    ("zone", "time"),
    [
        ("UTC", "2026-07-01T12:00:00Z"),
        ("Europe/Stockholm", "2026-07-01T10:00:00Z"),
        ("America/Argentina/Buenos_Aires", "2026-07-01T15:00:00Z"),
        ("+05:30", "2026-07-01T06:30:00Z"),
    ],
)
def test_times_are_of_the_zone_that_the_line_names(zone: str, time: str) -> None:
    parser = Php(LayoutsConfig(timezone="Asia/Tokyo"))
    assert parsed(parser, f"[01-Jul-2026 12:00:00 {zone}] x")["time"] == time


def test_others_are_of_the_zone_that_is_named() -> None:
    parser = Php(LayoutsConfig(timezone="Asia/Tokyo"))
    assert parsed(parser, "[01-Jul-2026 12:00:00] NOTICE: ready")["time"] == "2026-07-01T03:00:00Z"
    assert parsed(parser, "[Wed Jul  1 12:00:00 2026] 127.0.0.1:1 Closing")["time"] == "2026-07-01T03:00:00Z"


def test_the_quick_way_takes_what_is_usual() -> None:
    for line in [line for line, _ in VECTORS if "\n" not in line and "\\" not in line]:
        assert is_quick(Php(LayoutsConfig()), [line] * 9), line
