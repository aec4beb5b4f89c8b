"""What pages begin with is pasted, and does what they say."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.pages import beginning_of, put_on_path
from tests.e2e.processes import REPOSITORY, TOO_LONG_SECONDS, Workplace

pytestmark = pytest.mark.slow


def test_files(workplace: Workplace) -> None:
    put_on_path(workplace)
    process = workplace.start(["sh", "-e", "-c", beginning_of("files.md")], stdout=-1, stderr=-1)
    output, complaints = process.communicate(timeout=TOO_LONG_SECONDS)
    assert (process.returncode, complaints) == (0, b"")
    assert [json.loads(line)["message"] for line in output.splitlines()] == ["hello", "it broke"]
    assert [json.loads(line)["message"] for line in workplace.lines("errors.ndjson")] == ["it broke"]


def test_testing(workplace: Workplace) -> None:
    put_on_path(workplace)
    process = workplace.start(["sh", "-e", "-c", beginning_of("testing.md")], stdout=-1, stderr=-1)
    output, complaints = process.communicate(timeout=TOO_LONG_SECONDS)
    assert (process.returncode, complaints) == (0, b"")
    shown = (REPOSITORY / "docs" / "testing.md").read_text(encoding="utf-8").split("```\n\n")[1].splitlines()[:2]
    assert output.decode().splitlines() == [line.removeprefix("    ") for line in shown]
    assert not (workplace.folder / "errors.ndjson").exists()


def test_multiline(workplace: Workplace) -> None:
    put_on_path(workplace)
    assert workplace.start(["sh", "-c", beginning_of("multiline.md")]).wait(TOO_LONG_SECONDS) == 0
    failed, served = map(json.loads, workplace.lines("events.ndjson"))
    assert (failed["message"], served["message"]) == ("cannot serve /a", "served /b")
    assert failed["exception.stacktrace"].splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_the_first_screen_of_the_readme(workplace: Workplace) -> None:
    put_on_path(workplace)
    workplace.folder.joinpath("configs").symlink_to(REPOSITORY / "configs")
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (command, shown) = re.findall(r"<!-- explain -->\n```sh\n(.+)\n```\n<!-- /explain -->\n\n```\n([^`]+)```", readme)[
        0
    ]
    process = workplace.start(["sh", "-e", "-c", command], stdout=-1, stderr=-1)
    output, complaints = process.communicate(timeout=TOO_LONG_SECONDS)
    assert (process.returncode, complaints) == (0, b"")
    assert output.decode() == shown
