"""`logrouter init`: configs to begin with, which `check` finds right, and which do what their comments say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from logrouter.cli.init import STARTERS, kinds
from tests.cli.conftest import Command


def test_there_is_one_for_each_way_to_run() -> None:
    assert kinds() == ["sidecar", "vm", "wrapper"]


@pytest.mark.parametrize("kind", kinds())
def test_what_it_writes_passes_check_and_its_own_tests(command: Command, tmp_path: Path, kind: str) -> None:
    done = command("init", kind)
    assert (done.code, done.complaints) == (0, "")
    assert done.output == "wrote logrouter.yaml: change it, then `logrouter check`\n"
    checked = command("check")
    assert (checked.code, checked.complaints) == (0, "")
    tested = command("test")
    assert (tested.code, tested.complaints) == (0, "")
    assert tested.output.endswith("2 tests: all passed\n")
    assert (tmp_path / "logrouter.yaml").read_bytes() == (STARTERS / f"{kind}.yaml").read_bytes()


@pytest.mark.parametrize("kind", kinds())
def test_what_is_commented_out_is_right_too(
    command: Command, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes away the `# ` of an example gets one that works."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "es-password").write_text("hunter2")
    (tmp_path / "password").write_text("hunter2")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    text = (STARTERS / f"{kind}.yaml").read_text()
    for prefix in ("  # ", "# "):
        lines = [
            line.replace(prefix, prefix[:-2], 1) if line.startswith(prefix) and _is_yaml(line, prefix) else line
            for line in text.splitlines()
        ]
        text = "\n".join(lines)
    text = text.replace("/run/secrets/es/password", "password").replace("/var/lib/my-app", str(tmp_path))
    assert "\n  # " not in text
    (tmp_path / "logrouter.yaml").write_text(text)
    done = command("check")
    assert (done.code, done.complaints) == (0, ""), text
    assert len(yaml.safe_load(text)["sinks"]) > len(yaml.safe_load((STARTERS / f"{kind}.yaml").read_text())["sinks"])


def _is_yaml(line: str, prefix: str) -> bool:
    """Whether it is an example and no sentence."""
    key, colon, _ = line.removeprefix(prefix).strip().partition(":")
    return bool(colon) and " " not in key and key.islower()


def test_it_can_be_printed(command: Command, tmp_path: Path) -> None:
    done = command("init", "vm", "--output", "-")
    assert (done.code, done.output) == (0, (STARTERS / "vm.yaml").read_text())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["file", "folder", "link to nothing"])
def test_nothing_is_overwritten(command: Command, tmp_path: Path, there: str) -> None:
    path = tmp_path / "mine.yaml"
    if there == "file":
        path.write_text("mine")
    elif there == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nothing")
    done = command("init", "vm", "-o", "mine.yaml")
    assert (done.code, done.output) == (2, "")
    assert done.complaints == "logrouter: mine.yaml is there already, and is left as it is\n"
    assert there != "file" or path.read_text() == "mine"
    assert not (tmp_path / "nothing").exists()


def test_another_name_is_named_in_what_to_do_next(command: Command) -> None:
    assert command("init", "wrapper", "-o", "a.yaml").output.endswith("then `logrouter check --config a.yaml`\n")


def test_where_nothing_can_be_written_is_said(command: Command) -> None:
    done = command("init", "vm", "-o", "nowhere/a.yaml")
    assert (done.code, done.complaints) == (
        74,
        "logrouter: nowhere/a.yaml: No such file or directory\n",
    )
