"""Lines as the logging module and the usual programs print them. `"` and blanks show what must not be lost."""

from __future__ import annotations

import logging
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import times
from logrouter.parsers._layouts import LayoutsConfig
from logrouter.parsers.python import Python
from tests.parsers.layouts import MESSAGES, is_quick, parsed, vectors

PARSER = Python(LayoutsConfig())
VECTORS = vectors("python")


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "INFO: hello",
        "INFO",
        "WARNING: disk is nearly full",
        "2026-11-30 00:30:40,148 hello",
        "2026-13-30 00:30:40,148 - app - INFO - x",
        "2026-11-30 25:30:40,148 INFO x",
        "2026-11-30 00:30:40 Retrying ERROR state reached",
        "[2026-11-30 00:30:40 +0000] [12] hello",
        "INFO:    ",
        "Traceback (most recent call last):",
        '127.0.0.1 - - [30/Nov/2026:00:30:40 +0000] "GET / HTTP/1.1" 200 -',
    ],
)
def test_what_is_none_of_the_layouts(line: str) -> None:
    assert parsed(PARSER, line) is None


LEVELS = st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
NAMES = st.from_regex(r"[a-z][a-z_0-9]{0,8}(\.[a-z_]{1,8}){0,3}", fullmatch=True)
FORMATS = {
    "%(levelname)s:%(name)s:%(message)s": False,
    "%(asctime)s - %(name)s - %(levelname)s - %(message)s": True,
    "%(asctime)s %(levelname)-8s %(name)s: %(message)s": True,
    "%(asctime)s [%(levelname)s] %(name)s: %(message)s": True,
    "%(asctime)s %(name)-12s %(levelname)-8s %(message)s": True,
}


@given(st.sampled_from(list(FORMATS)), LEVELS, NAMES, MESSAGES, st.integers(0, 4_000_000_000_000))
@settings(deadline=None)
def test_what_logging_writes_is_what_is_parsed(layout: str, level: str, name: str, message: str, time_ms: int) -> None:
    record = logging.LogRecord(name, getattr(logging, level), "x.py", 1, message, None, None)
    record.created, record.msecs = time_ms / 1000, time_ms % 1000
    formatter = logging.Formatter(layout)
    formatter.converter = time.gmtime
    expected = {"level": level, "message": message, "logger": name}
    if FORMATS[layout]:
        expected = {"time": times.format_rfc3339(time_ms * 1_000_000), **expected}
    assert parsed(PARSER, formatter.format(record)) == expected


def test_the_quick_way_takes_what_is_usual() -> None:
    usual = [line for line, _ in VECTORS if line.isascii() and not set(line) & set("\x1b\n=") and line[-1] != " "]
    assert len(usual) > 20
    for line in usual:
        assert is_quick(Python(LayoutsConfig()), [line] * 9), line
