"""docs/multiline.md begins with something to paste: it is pasted here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "multiline.md"


def test_what_the_page_begins_with_does_what_it_says(tmp_path: Path) -> None:
    pasted = PAGE.read_text(encoding="utf-8").split("```sh\n")[1].split("```")[0]
    (tmp_path / "logrouter").write_text(f'#!/bin/sh\nexec {sys.executable} -m logrouter "$@"\n')
    (tmp_path / "logrouter").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", pasted], cwd=tmp_path, env=environment, check=True, timeout=60)

    messages = [json.loads(line)["message"] for line in (tmp_path / "events.ndjson").read_text().splitlines()]
    assert [message.splitlines()[0] for message in messages] == ["ERROR:app:cannot serve /a", "INFO:app:served /b"]
    assert messages[0].splitlines()[-1] == "ZeroDivisionError: division by zero"
