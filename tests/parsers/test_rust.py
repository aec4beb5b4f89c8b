"""Lines as Rust's loggers print them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import times
from logrouter.parsers._layouts import LayoutsConfig
from logrouter.parsers.rust import Rust
from tests.parsers.layouts import MESSAGES, parsed

PARSER = Rust(LayoutsConfig())


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "INFO hello",
        "[INFO] hello",
        "2026-11-30T00:29:34Z hello",
        "2026-11-30T00:29:34Z INFO hello",
        "2026-13-30T00:29:34Z INFO a: hello",
        "[2026-11-30T00:29:34Z] hello",
        "thread 'main' panicked at src/main.rs:1:1:",
        "INFO app : hello",
    ],
)
def test_what_is_none_of_the_layouts(line: str) -> None:
    assert parsed(PARSER, line) is None


@given(
    st.sampled_from(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]),
    st.from_regex(r"[a-z][a-z_0-9]{0,8}(::[a-z_]{1,8}){1,3}", fullmatch=True),
    MESSAGES.filter(lambda text: "=" not in text and ": " not in text),
    st.integers(0, 4_000_000_000_000_000),
)
@settings(deadline=None)
def test_what_is_printed_is_what_is_parsed(level: str, target: str, message: str, time_us: int) -> None:
    time = times.format_rfc3339(time_us * 1_000)
    fields = {"time": time, "level": level, "message": message, "target": target}
    assert parsed(PARSER, f"[{time} {level:5} {target}] {message}") == fields
    assert parsed(PARSER, f"{time} {level:>5} {target}: {message}") == fields
