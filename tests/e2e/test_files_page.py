"""docs/files.md begins with something to paste: it is pasted here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import TOO_LONG_SECONDS, Workplace

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "files.md"


def test_what_the_page_begins_with_does_what_it_says(workplace: Workplace) -> None:
    pasted = PAGE.read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0]
    (workplace.folder / "logrouter").write_text(f'#!/bin/sh\nexec {sys.executable} -m logrouter "$@"\n')
    (workplace.folder / "logrouter").chmod(0o755)
    workplace.add_environment({"PATH": f"{workplace.folder}:/usr/bin:/bin"})
    process = workplace.start(["sh", "-e", "-c", pasted], stdout=-1, stderr=-1)
    output, complaints = process.communicate(timeout=TOO_LONG_SECONDS)
    assert (process.returncode, complaints) == (0, b"")
    assert [json.loads(line)["message"] for line in output.splitlines()] == ["hello", "it broke"]
    assert [json.loads(line)["message"] for line in workplace.lines("errors.ndjson")] == ["it broke"]
