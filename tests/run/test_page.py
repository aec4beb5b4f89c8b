"""docs/run.md begins with something to paste: it is pasted here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import troubles
from tests.run.apps import Runner

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "run.md"


def test_what_the_page_begins_with_does_what_it_says(runner: Runner) -> None:
    pasted = PAGE.read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0]
    (runner.folder / "logrouter").write_text(f'#!/bin/sh\nexec {sys.executable} -m logrouter "$@"\n')
    (runner.folder / "logrouter").chmod(0o755)
    runner.workplace.add_environment({"PATH": f"{runner.folder}:/usr/bin:/bin"})
    done = runner.finish(runner.workplace.start(["sh", "-c", pasted], stdout=-1, stderr=-1))

    error = {"level": "error", "message": "not all"}
    assert (done.code, done.output) == (3, b"all is well\n")
    assert list(map(json.loads, troubles(done.complaints))) == [error]
    assert [json.loads(line) for line in runner.lines("errors.ndjson")] == [error]
