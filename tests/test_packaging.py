"""What is shipped around the code: locks that pin everything, and files that name no machine or index of ours."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import logrouter

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
LOCKS = sorted((REPOSITORY / ".lock").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9][a-z0-9-]*)==[^\s;]+(?: ;[^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def normal(requirement: str) -> str:
    """The name of a requirement as PEP 503 has it: `PyYAML>=6` gives `pyyaml`."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def pinned(lock: Path) -> dict[str, int]:
    """Each package of a lock file and how many hashes it has."""
    packages: dict[str, int] = {}
    for line in lock.read_text().splitlines():
        if pin := PIN.match(line):
            packages[pin[1]] = 0
        elif HASH.match(line):
            packages[next(reversed(packages))] += 1
        else:
            assert line.startswith("    #"), f"{lock.name}: neither a pin, nor a hash, nor a comment: {line!r}"
    return packages


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_of_a_lock_has_hashes(lock: Path) -> None:
    packages = pinned(lock)

    assert packages
    assert [name for name, hashes in packages.items() if hashes == 0] == []


def test_locks_cover_what_the_project_declares() -> None:
    runtime = {normal(requirement) for requirement in PROJECT["dependencies"]}
    dev = {normal(requirement) for requirement in PROJECT["optional-dependencies"]["dev"]}
    build = set((REPOSITORY / ".lock" / "build.in").read_text().split())

    assert runtime - pinned(REPOSITORY / ".lock" / "runtime.txt").keys() == set()
    assert (runtime | dev | build) - pinned(REPOSITORY / ".lock" / "dev.txt").keys() == set()
    assert build - pinned(REPOSITORY / ".lock" / "build.txt").keys() == set()


def test_locks_agree() -> None:
    pins = [{line.split(" ")[0] for line in lock.read_text().splitlines() if PIN.match(line)} for lock in LOCKS]
    everything = set().union(*pins)

    assert len(everything) == len({pin.split("==")[0] for pin in everything})


OURS = (
    ".ci/run", ".dockerignore", ".gitignore", ".lock/build.in", ".lock/build.txt", ".lock/dev.txt", ".lock/runtime.txt",
    ".lock/update", "CHANGELOG.md", "Dockerfile", "README.md", "SECURITY.md", "pyproject.toml",
)  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_no_package_index_is_named(name: str) -> None:
    """Where packages come from is the business of whoever installs."""
    text = (REPOSITORY / name).read_text()

    assert (
        re.findall(r"--(?:extra-)?index-url|--find-links|--trusted-host|pypi\.org|pythonhosted|/simple\b", text) == []
    )


@pytest.mark.parametrize("name", ["demo", "tests"])
def test_readme_has_the_commands_that_ci_runs(name: str) -> None:
    (block,) = re.findall(
        rf"<!-- {name} -->\n```sh\n(.+)\n```\n<!-- /{name} -->\n", (REPOSITORY / "README.md").read_text()
    )

    assert block.startswith("python3 -m venv .venv && .venv/bin/pip install --quiet --require-hashes -r .lock/")
    assert f"readme_command {name}" in (REPOSITORY / ".ci" / "run").read_text()


def test_readme_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (REPOSITORY / "README.md").read_text())

    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_changelog_knows_the_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert re.fullmatch(r"\d+\.\d+\.\d+", logrouter.__version__)


def test_dockerfile_installs_by_lock_and_runs_as_nobody_special() -> None:
    text = (REPOSITORY / "Dockerfile").read_text()
    installs = [line for line in text.splitlines() if " install " in line and "pip" in line]

    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["logrouter"\]$', text, re.MULTILINE)


@pytest.mark.parametrize("script", [".ci/run", ".lock/update"])
def test_scripts_are_bash_and_can_be_run(script: str) -> None:
    path = REPOSITORY / script

    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    assert path.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", path], capture_output=True, check=False).stderr == b""
