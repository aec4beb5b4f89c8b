"""`--watch`: run again when a file has changed, say what is wrong, and end quietly."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logrouter.cli._watch import LOOK_SECONDS, changes, look
from tests.cli.conftest import Command


class Editor:
    """Somebody who changes files while we wait, and then presses Ctrl-C."""

    def __init__(self, *edits: Callable[[], object]) -> None:
        self.edits = list(edits)

    def __call__(self, seconds: float) -> None:
        assert seconds == LOOK_SECONDS
        if not self.edits:
            raise KeyboardInterrupt
        self.edits.pop(0)()


CONFIG = "sinks: {{o: 'stdout:'}}\ntests: [{{name: one, input: {input}, expect: {{fields: {{message: a}}}}}}]\n"


def test_it_runs_again_after_each_change(
    command: Command, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(CONFIG.format(input="b"))
    editor = Editor(
        lambda: None,
        lambda: write(CONFIG.format(input="bcd")),
        lambda: write(CONFIG.format(input="]")),
        lambda: write(CONFIG.format(input="a")),
    )
    monkeypatch.setattr("time.sleep", editor)
    done = command("test", "--watch")
    assert done.code == 130
    told = [line.strip() for line in done.output.splitlines()]
    assert [line for line in told if not line.startswith(("event", "not as", "fields", "got"))] == [
        "FAIL  one  logrouter.yaml:2:9",
        "1 test: 1 failed",
        "",
        "changed: logrouter.yaml",
        "FAIL  one  logrouter.yaml:2:9",
        "1 test: 1 failed",
        "",
        "changed: logrouter.yaml",
        "",
        "changed: logrouter.yaml",
        "ok    one",
        "1 test: all passed",
    ]
    waiting = "waiting for a change; Ctrl-C ends"
    complaints = done.complaints.splitlines()
    assert complaints.count(waiting) == 4
    assert [line for line in complaints if line != waiting] == [
        "logrouter.yaml:2:28: not valid YAML: a value is missing here"
    ]


def test_files_of_tests_and_samples_are_watched_too(
    command: Command, write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    write("- {name: one, input: {file: s.log}, expect: {fields: {message: a}}}", "tests/a.yaml")
    write("b", "tests/s.log")
    write("sinks: {o: 'stdout:'}")
    editor = Editor(
        lambda: write("a", "tests/s.log"),
        lambda: write("- {name: two, input: a, expect: {}}", "tests/b.yaml"),
        lambda: (tmp_path / "tests" / "a.yaml").unlink(),
        lambda: write("sinks: {p: 'stdout:'}"),
    )
    monkeypatch.setattr("time.sleep", editor)
    told = command("test", "--watch", "tests").output.splitlines()
    assert [line for line in told if line.startswith(("changed", "ok", "FAIL"))] == [
        "FAIL  one  tests/a.yaml:1:3",
        "changed: tests/s.log",
        "ok    one",
        "changed: tests/b.yaml",
        "ok    one",
        "ok    two",
        "changed: tests/a.yaml",
        "ok    two",
        "changed: logrouter.yaml",
        "ok    two",
    ]


def test_what_is_a_change(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("x")
    first = look([path, other])
    assert changes(first, look([path, other])) == []
    os.utime(path, ns=(1, 1))
    assert changes(first, look([path, other])) == [path]
    other.write_text("")
    assert changes(first, look([path, other])) == [path, other]
    path.unlink()
    assert changes(look([path]), look([path])) == []
