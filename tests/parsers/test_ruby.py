"""Lines of Ruby's Logger and of WEBrick, and what their sources say."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers._layouts import LayoutsConfig
from logrouter.parsers.ruby import Ruby
from tests.parsers.layouts import MESSAGES, is_quick, parsed, vectors

PARSER = Ruby(LayoutsConfig())
VECTORS = vectors("ruby")


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "I, [2026-11-30T03:27:19.848266 #32504] hello",
        "I, [2026-11-30T03:27:19.848266 #32504]  INFO -- hello",
        "X, [2026-11-30T03:27:19.848266 #32504]  INFO -- : hello",
        "I, [2026-11-31T03:27:19.848266 #32504]  INFO -- : hello",
        "[2026-11-30 03:27:19] INFO hello",
        "[2026-11-30 03:27:19] hello",
    ],
)
def test_what_is_none_of_the_layouts(line: str) -> None:
    assert parsed(PARSER, line) is None


@given(
    st.sampled_from(["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
    st.integers(1, 4_194_304),
    st.from_regex(r"([A-Za-z][A-Za-z0-9]{0,9}(::[A-Z][a-z]{0,9}){0,2})?", fullmatch=True),
    MESSAGES,
)
@settings(deadline=None)
def test_what_logger_writes_is_what_is_parsed(
    level: str, time: datetime, pid: int, progname: str, message: str
) -> None:
    shown = f"{time.year:04d}-{time:%m-%dT%H:%M:%S.%f}"
    fields = parsed(PARSER, f"{level[0]}, [{shown} #{pid}] {level:>5} -- {progname}: {message}")
    assert fields.pop("time")[:19] == shown[:19]
    wanted = {"level": level, "message": message, "pid": pid, "progname": progname}
    assert fields == {name: value for name, value in wanted.items() if value != ""}


def test_an_exception_that_was_logged_is_fields() -> None:
    head = "E, [2026-11-30T03:27:19.848484 #32504] ERROR -- shop: "
    fields = parsed(PARSER, head + "no stock (RuntimeError)\nshop.rb:1:in `order'\nshop.rb:9:in `<main>'")
    assert fields["message"] == "RuntimeError: no stock"
    assert (fields["exception.type"], fields["exception.message"]) == ("RuntimeError", "no stock")
    assert fields["exception.stacktrace"].endswith("in `<main>'")


def test_times_are_of_the_zone_that_is_named() -> None:
    parser = Ruby(LayoutsConfig(timezone="Europe/Stockholm"))
    line = "I, [2026-11-30T03:27:19.848266 #1]  INFO -- : x"
    assert parsed(parser, line)["time"] == "2026-11-30T02:27:19.848266Z"


def test_the_quick_way_takes_what_is_usual() -> None:
    lines = [line for line, _ in VECTORS if "\n" not in line and "\\" not in line]
    assert len(lines) > 5
    assert is_quick(Ruby(LayoutsConfig()), lines)
