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
    "logrouter.dead_letters",  # the first event that is refused
    "logrouter.joining.languages",  # multiline
    "logrouter.joining.tracebacks",
    "logrouter.parsers.auto",  # the first line of text
    "logrouter.rules.backtracking",  # the first regular expression in a config
    "logrouter.rules.cost",
    "logrouter.rules.shortening",
    "logrouter.runtime.spool.resuming",  # a spool on disk
    "logrouter.runtime.succession",  # a reload
    "logrouter.segments",  # a spool on disk
    "orjson",  # something to say on stderr
    "prometheus_client",  # the admin port
}
NAMED_TUPLES = {"Events", "Offset", "Overdue", "Position", "Skip"}
"""Those that are taken apart or compared as tuples. To define one takes eight times as long as a struct."""
PROGRAM = f"""
import sys
from logrouter.__main__ import main
code = main()
tuples = {{kind.__name__ for kind in tuple.__subclasses__() if kind.__module__.startswith("logrouter.")}}
print(sorted({NEEDED_LATER} & set(sys.modules)), sorted(tuples - {NAMED_TUPLES}), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.slow
def test_what_is_needed_later_is_not_loaded_for_events_in_json(tmp_path: Path) -> None:
    config = tmp_path / "logrouter.yaml"
    config.write_text("sinks: {all: {type: stdout, match: 'level != \"debug\"'}}")
    line = '{"level": "info", "time": "2026-11-30T10:00:00Z"}\n'

    command = [sys.executable, "-c", PROGRAM, "--config", config]
    done = subprocess.run(command, input=line, capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == (line, "[] []\n")
