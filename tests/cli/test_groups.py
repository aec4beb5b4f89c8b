"""Commands that have commands: `logrouter dlq …` and `logrouter spool …` tell of all of them, as do their pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from logrouter.cli.completion import nested_flags
from tests.cli.conftest import Command

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {"dlq": DOCS / "dead-letters.md", "spool": DOCS / "spool.md"}
COMMANDS = [(group, name) for group in PAGES for name in nested_flags(group)]


@pytest.mark.parametrize(("group", "name"), COMMANDS)
def test_the_help_of_each(command: Command, group: str, name: str) -> None:
    done = command(group, name, "--help")

    assert (done.code, done.complaints) == (0, "")
    assert done.output.startswith(f"usage: logrouter {group} {name} [-h]")
    for_any = {"--config", "--set"} if (group, name) == ("dlq", "replay") else {"--config", "--set", "--directory DIR"}
    assert [flag for flag in for_any if flag not in done.output] == []


@pytest.mark.parametrize("group", PAGES)
def test_the_help_lists_all(command: Command, group: str) -> None:
    done = command(group, "--help")

    assert [name for name in nested_flags(group) if f"\n    {name} " not in done.output] == []
    assert max(map(len, done.output.splitlines())) <= 110


@pytest.mark.parametrize(("group", "name"), COMMANDS)
def test_the_page_tells_of_every_flag(group: str, name: str) -> None:
    page = PAGES[group].read_text()

    assert f"logrouter {group} {name}" in page
    assert [flag for flag in nested_flags(group)[name] if flag != "--help" and flag not in page] == []


@pytest.mark.parametrize("words", [("spool", "ls"), ("dlq", "ls"), ("reload",), ("check",)])
def test_a_folder_for_a_config_file_is_a_mistake_like_any_other(
    command: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = command(*words, "--config", str(tmp_path))
    assert (done.code, done.output) == (78, "")
    assert done.complaints == f"--config {tmp_path}: is a folder: expected a file\n"
