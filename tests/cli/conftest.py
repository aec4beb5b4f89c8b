"""Running commands in this process, as a user would: in an empty folder, with nothing set."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from logrouter.cli import _spool_check, main
from tests.cli.spools import SpoolMaker


class Done(NamedTuple):
    """What a command left."""

    code: int
    output: str
    complaints: str


class _Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


Command = Callable[..., Done]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("check", "-c", "a.yaml", stdin=b"…")`, run in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")  # argparse wraps by it
    for name in os.environ:
        if name.startswith(("LOGROUTER_", "OTEL_")):
            monkeypatch.delenv(name)

    def run(*argv: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", _Stdin(stdin))
        try:
            code = main(list(argv))
        except SystemExit as end:  # argparse's way
            code = int(str(end.code))
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    """Writes a config: `logrouter.yaml`, unless it is named."""

    def write_it(text: str, name: str = "logrouter.yaml") -> None:
        (tmp_path / name).write_text(text)

    return write_it


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SpoolMaker:
    monkeypatch.setattr(_spool_check, "_MOVING_SECONDS", 0.0)
    return SpoolMaker(tmp_path / "spool")


@pytest.fixture
def ask(command: Command, spool: SpoolMaker) -> Ask:
    """`ask("ls")`: what a command answers in JSON."""

    def run(*argv: str, code: int = 0) -> dict[str, Any]:
        done = command("spool", *argv, "--directory", "spool", "--json")
        assert (done.code, done.complaints) == (code, "")
        answer: dict[str, Any] = json.loads(done.output)
        return answer

    return run
