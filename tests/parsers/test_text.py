"""Levels out of text: what is recognised, and what is not one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter import severity
from logrouter.parsers.text import Text, TextConfig, level_of


@pytest.mark.parametrize(
    ("text", "level"),
    [
        # labels
        ("ERROR something", "error"),
        ("WARN disk is nearly full", "warning"),
        ("2026-11-23 10:00:00,123 INFO [main] request failed", "info"),
        ("2026-11-23T10:00:00.123Z DEBUG x", "debug"),
        ("[error] x", "error"),
        ("10:00:00 [Warn] x", "warning"),
        ("app <info> x failed", "info"),
        ("(debug) x", "debug"),
        ("a | ERR | x", "error"),
        ("error: no such file", "error"),
        ("Warning: x", "warning"),
        ("fatal: not a git repository", "fatal"),
        ("npm ERR! code ENOENT", "error"),
        ("12:00:01 debug x", "debug"),
        ("2026-11-23T10:00:00Z info x failed", "info"),
        ("[2026-11-23 10:00:00] notice: x", "notice"),
        ("E/ActivityManager( 1234): ANR", "error"),
        ("W/System.err: x", "warning"),
        ("11-23 10:00:00.123  1234  5678 I Tag: failed", "info"),
        ("CRITICAL: x", "critical"),
        ("SEVERE: x", "error"),
        ("kernel: EMERG x", "fatal"),
        ("host app[1]: ALERT x", "alert"),
        ("VERBOSE x", "trace"),
        # what is said
        ("something failed: error", "error"),
        ("Upload failed", "error"),
        ("there was an error.", "error"),
        ("ValueError: invalid literal", "error"),
        ("java.lang.NullPointerException: x", "error"),
        ("caught NullPointerException", "error"),
        ("Unhandled exception in thread", "error"),
        ("Traceback (most recent call last):", "error"),
        ("this is a warning", "warning"),
        ("x is deprecated", "warning"),
        ("warning, then it failed", "error"),
        ("connection failed, which is fatal", "fatal"),
        ("goroutine panic in x", "fatal"),
        ("level=error msg", "error"),
        ("error=timeout", "error"),
        ("1 failed, 3 passed", "error"),
        # none
        ("listening on port 80", None),
        ("done, 0 errors", None),
        ("no errors found", None),
        ("finished without any errors", None),
        ("no serious errors", None),
        ("errors: 0", None),
        ("errors=0, warnings=0", None),
        ('"error": null', None),
        ("error=nil", None),
        ("a non-fatal condition", None),
        ("GET /error 200", None),
        ("GET /ERROR/INFO 200", None),
        ("wrote error.log", None),
        ("error_count 7", None),
        ("terror and mirrors", None),
        ("more info at example.org", None),
        ("debug mode is on", None),
        ("the trace of a fox", None),
        ("x" * 1_000 + " error", None),
        ("", None),
    ],
)
def test_levels(text: str, level: str | None) -> None:
    assert level_of(text) == level


def test_all_is_the_message() -> None:
    asked, plain = Text(TextConfig(level="words")), Text(TextConfig())
    assert json.loads(asked.parse(b"ERROR \xff", 0) or b"") == {"level": "error", "message": "ERROR \ufffd"}
    assert json.loads(plain.parse(b"ERROR x", 0) or b"") == {"message": "ERROR x"}


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["error", "no", "[", "]", " ", "INFO", "12:0", ":", "=0"])).map("".join)
)
def test_every_text_is_taken(text: str) -> None:
    document = json.loads(Text(TextConfig(level="words")).parse(text.encode(), 0) or b"")
    assert document["message"] == text
    assert document.get("level", "info") in severity.NAMES
