"""What a start does not load: `app | logrouter` is to be ready at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NEEDED_LATER = {
    "asyncio",  # trio is our loop
    "dataclasses",  # one costs fifty times what a struct does
    "h11",  # the admin port
    "httpx",  # sinks over HTTP
    "json",  # numbers that no machine type holds
    "logrouter.parsers.auto",  # the first line of text
    "logrouter.runtime.succession",  # a reload
    "orjson",  # something to say on stderr
    "prometheus_client",  # the admin port
}
LOADED = f"print(sorted({NEEDED_LATER} & set(sys.modules)), file=sys.stderr)"
PROGRAM = f"import sys; from logrouter.__main__ import main; code = main(); {LOADED}; sys.exit(code)"


@pytest.mark.slow
def test_what_is_needed_later_is_not_loaded_for_events_in_json(tmp_path: Path) -> None:
    config = tmp_path / "logrouter.yaml"
    config.write_text("sinks: {all: {type: stdout, match: 'level != \"debug\"'}}")
    line = '{"level": "info", "time": "2026-11-30T10:00:00Z"}\n'

    command = [sys.executable, "-c", PROGRAM, "--config", config]
    done = subprocess.run(command, input=line, capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == (line, "[]\n")
