"""What pages begin with is pasted, and does what they say."""

from __future__ import annotations

import json

import pytest

from tests.e2e.pages import beginning_of, put_on_path
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace

pytestmark = pytest.mark.slow


def test_files(workplace: Workplace) -> None:
    put_on_path(workplace)
    process = workplace.start(["sh", "-e", "-c", beginning_of("files.md")], stdout=-1, stderr=-1)
    output, complaints = process.communicate(timeout=TOO_LONG_SECONDS)
    assert (process.returncode, complaints) == (0, b"")
    assert [json.loads(line)["message"] for line in output.splitlines()] == ["hello", "it broke"]
    assert [json.loads(line)["message"] for line in workplace.lines("errors.ndjson")] == ["it broke"]


def test_multiline(workplace: Workplace) -> None:
    put_on_path(workplace)
    assert workplace.start(["sh", "-c", beginning_of("multiline.md")]).wait(TOO_LONG_SECONDS) == 0
    messages = [json.loads(line)["message"] for line in workplace.lines("events.ndjson")]
    assert [message.splitlines()[0] for message in messages] == ["ERROR:app:cannot serve /a", "INFO:app:served /b"]
    assert messages[0].splitlines()[-1] == "ZeroDivisionError: division by zero"
