"""docs/run.md begins with something to paste: it is pasted here."""

from __future__ import annotations

import json

import pytest

from tests.e2e.pages import beginning_of, put_on_path
from tests.e2e.processes import troubles
from tests.run.apps import Runner

pytestmark = pytest.mark.slow


def test_what_the_page_begins_with_does_what_it_says(runner: Runner) -> None:
    put_on_path(runner.workplace)
    done = runner.finish(runner.workplace.start(["sh", "-c", beginning_of("run.md")], stdout=-1, stderr=-1))

    error = {"level": "error", "message": "not all"}
    assert (done.code, done.output) == (3, b"all is well\n")
    assert list(map(json.loads, troubles(done.complaints))) == [error]
    assert [json.loads(line) for line in runner.lines("errors.ndjson")] == [error]
