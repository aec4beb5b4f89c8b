"""Lines as Go's loggers print them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers._layouts import LayoutsConfig
from logrouter.parsers.go import Go
from tests.parsers.layouts import MESSAGES, parsed

PARSER = Go(LayoutsConfig())


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "2026/11/30 hello",
        "2026/13/30 00:26:51 x",
        "INFO hello",
        "3:04PM hello",
        "13:04PM INF hello",
        "2026-11-30T00:26:51.186Z hello",
        "2026-11-30T00:26:51.186Z\thello",
        "[GIN-debug] Listening and serving HTTP on :8080",
        "level=info msg=x",
        "panic: boom",
    ],
)
def test_what_is_none_of_the_layouts(line: str) -> None:
    assert parsed(PARSER, line) is None


@given(
    st.sampled_from(["DEBUG", "INFO", "WARN", "ERROR"]),
    MESSAGES.filter(lambda text: "=" not in text),
    st.dictionaries(
        st.from_regex(r"k_[a-z]{1,6}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=9),
    ),
)
@settings(deadline=None)
def test_what_slog_writes_is_what_is_parsed(level: str, message: str, pairs: dict[str, str]) -> None:
    line = f"2026/11/30 00:26:51 {level} {message}" + "".join(
        f" {key}={json.dumps(value, ensure_ascii=False)}" for key, value in pairs.items()
    )
    assert parsed(PARSER, line) == {"time": "2026-11-30T00:26:51Z", "level": level, "message": message, **pairs}
