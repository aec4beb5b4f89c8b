"""`logrouter config`: what is in force, where it came from, and no secret."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command

CONFIG = """\
resource: {service.name: "${SERVICE:-shop}"}
steps:
  - redact: {fields: [user], with: hash, key: "${file:key}"}
  - redact: {patterns: [email], with: hash, key: hunter2-and-more-of-it}
sinks:
  errors: {url: "file:errors.log?format=raw", match: 'severity >= "error"'}
"""


@pytest.fixture
def _config(write: Callable[..., None], monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    write(CONFIG)
    write("hunter3-and-more-of-it", "key")
    monkeypatch.setenv("SERVICE", "checkout")
    monkeypatch.setenv("LOGROUTER_LOG_LEVEL", "info")
    monkeypatch.setenv("LOGROUTER_SINK_ERRORS__KEEP", "3")


FLAGS = ("--set", "spool.memory=32MiB", "--match", "errors=level")


@pytest.mark.usefixtures("_config")
def test_each_value_and_where_it_came_from(command: Command) -> None:
    done = command("config", *FLAGS)

    assert (done.code, done.complaints) == (0, "")
    assert re.sub(r" +# ", "  # ", done.output).splitlines() == [
        "resource:",
        "  service.name: checkout  # logrouter.yaml:1:26 ${SERVICE}",
        "sources:",
        "  stdin:",
        "    type: stdin  # default",
        "    parse: json_or_text  # default, as sinks.errors writes lines as they came",
        "    keep_original: false  # default",
        "    max_line: 1MiB  # default",
        "    multiline: none  # default",
        "steps:",
        "  - redact:",
        "      fields:",
        "        - user  # logrouter.yaml:3:23",
        "      patterns: []  # default",
        "      with: hash  # logrouter.yaml:3:36",
        '      key: "********"  # logrouter.yaml:3:47 ${file:key}',
        "  - redact:",
        "      fields: []  # default",
        "      patterns:",
        "        - email  # logrouter.yaml:4:25",
        "      with: hash  # logrouter.yaml:4:39",
        '      key: "********"  # logrouter.yaml:4:50',
        "routes: []  # default",
        "sinks:",
        "  errors:",
        "    type: file  # logrouter.yaml:6:17",
        "    match: level  # --match errors=…",
        "    include: []  # default",
        "    start: end  # default",
        "    path: errors.log  # logrouter.yaml:6:17",
        "    format: raw  # logrouter.yaml:6:17",
        "    compression: auto  # default",
        "    keep: 3  # LOGROUTER_SINK_ERRORS__KEEP",
        "    mode: 0640  # default",
        "    fsync: true  # default",
        "    max_open_files: 64  # default",
        "spool:",
        "  durability: memory  # default",
        "  max_size: 1GiB  # default",
        "  memory: 32MiB  # --set spool.memory=…",
        "  sync_interval: 200ms  # default",
        "  keep: 0s  # default",
        "  when_full: block  # default",
        "  block_timeout: 10s  # default",
        "dead_letters:",
        "  max_size: 64MiB  # default",
        "admin: {}  # default",
        "run:",
        "  capture: pipe  # default",
        "  capture_max_size: 1GiB  # default",
        "  app_grace: 15s  # default",
        "  pass_env: false  # default",
        "shutdown_timeout: 25s  # default",
        "log_level: info  # LOGROUTER_LOG_LEVEL",
        "allow_plugins: true  # default",
    ]


@pytest.mark.usefixtures("_config")
def test_what_is_shown_is_a_config_that_shows_the_same(command: Command, tmp_path: Path) -> None:
    shown = command("config").output
    (tmp_path / "logrouter.yaml").write_text(shown)
    again = command("config").output

    assert without_origins(again) == without_origins(shown)


def without_origins(shown: str) -> list[str]:
    return [line.partition("  #")[0].rstrip() for line in shown.splitlines()]


@pytest.mark.usefixtures("_config")
def test_secrets_are_nowhere(command: Command) -> None:
    for argv in (("config",), ("check",), ("--version",), ("config", "--set", "nosuch=1")):
        done = command(*argv)
        assert "hunter" not in done.output + done.complaints


def test_a_wrong_config_is_not_shown(command: Command) -> None:
    done = command("config", "--sink", "a=fil:x")

    assert (done.code, done.output) == (78, "")
    assert done.complaints.startswith("--sink a=…: ")
