"""`logrouter completion`: scripts that shells take, and that complete what there is."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from logrouter.cli import commands, summaries
from logrouter.cli.completion import script
from tests.cli.conftest import Command

FLAGS = ["--config", "--help", "--match", "--set", "--sink", "--verbose", "--version"]
ASK_BASH = """
COMP_WORDS=({words}) COMP_CWORD={place}
_logrouter
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def in_bash(*words: str) -> list[str]:
    """What a real bash offers in the place of the last word."""
    quoted = " ".join(f"'{word}'" for word in ("logrouter", *words))
    text = script("bash") + ASK_BASH.format(words=quoted, place=len(words))
    done = subprocess.run(["bash", "--norc", "-c", text], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return sorted({*done.stdout.split()})  # as bash shows them


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_takes_its_script(command: Command, shell: str) -> None:
    done = command("completion", shell)

    assert (done.code, done.output, done.complaints) == (0, script(shell), "")
    assert all(name in done.output for name in commands())
    program = shutil.which(shell)
    if program is not None:
        checked = subprocess.run([program, "-n"], input=done.output, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ch"], ["check"]),
        (["co"], ["completion", "config"]),
        ([""], sorted([*commands(), *FLAGS])),
        (["--s"], ["--set", "--sink"]),
        (["check", "--co"], ["--config", "--connect"]),
        (["check", ""], ["--config", "--connect", "--help", "--match", "--set", "--sink", "--verbose"]),
        (["config", "--v"], []),
        (["demo", "--"], ["--count", "--format", "--help", "--rate", "--seed", "--start"]),
        (["explain", "--so"], ["--source"]),
        (["health", "--r"], ["--ready"]),
        (["init", "vm", "--o"], ["--output"]),
        (["reload", "--so"], ["--socket"]),
        (["run", "--t"], ["--tee"]),
        (["run", "--capture", "pipe", "--no"], ["--no-tee"]),
        (["run", "--", "chgrp"], ["chgrp"]),  # the app
        (["run", "--", "sh", "--t"], []),  # and what is its
        (["describe", "sink", "lo"], ["loki"]),
        (["describe", "sink", "loki", "--h"], ["--help"]),
        (["test", "--w"], ["--watch"]),
        (["test", "--junit", "/us"], ["/usr"]),
        (
            ["test", "-"],
            ["--config", "--help", "--junit", "--match", "--record", "--set", "--sink", "--source", "--watch"],
        ),
        (["test", "tests/"], []),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["describe", "s"], ["sink", "source", "step"]),
        (["describe", ""], ["parser", "sink", "source", "step"]),
        (["describe", "si"], ["sink"]),
        (["init", ""], ["sidecar", "vm", "wrapper"]),
        (["spool", ""], ["export", "ls", "repair", "verify"]),
        (["spool", "v"], ["verify"]),
        (["spool", "ls", ""], ["--config", "--directory", "--help", "--json", "--set"]),
        (["spool", "export", "--ma"], ["--match"]),
        (["dlq", "s"], ["show"]),
        (["dlq", "show", "--w"], ["--where"]),
        (["spool", "ls", "--directory", "/us"], ["/usr"]),
        (["spool", "ls", "--directory", "spool", "--js"], ["--json"]),
        (["nosuch"], [""][1:]),
    ],
)
def test_bash_completes(words: list[str], offered: list[str]) -> None:
    assert in_bash(*words) == offered


@pytest.mark.parametrize("name", commands())
def test_each_command_offers_its_flags(command: Command, name: str) -> None:
    """As its help has them."""
    listed = set(re.findall(r"--[a-z][a-z-]+", command(name, "--help").output.partition("options:")[2]))
    if name not in ("dlq", "spool"):  # whose commands have them
        assert set(in_bash(name, "vm" if name == "init" else "x", "--")) <= listed | {"--no-tee"}
        assert "--help" in in_bash(name, "x", "--h")


def test_descriptions_break_no_quotes() -> None:
    """They stand between single quotes in zsh and fish; in zsh a colon parts a name from its description."""
    assert all("'" not in text and ":" not in text for text in summaries().values())
    assert [line for line in script("fish").splitlines() if line.count("'") not in (0, 2)] == []


def test_a_shell_that_is_not_known(command: Command) -> None:
    done = command("completion", "tcsh")

    assert done.code == 2
    assert all(shell in done.complaints for shell in ("tcsh", "bash", "zsh", "fish"))
