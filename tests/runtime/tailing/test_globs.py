"""Patterns: which files they find, which folders have to be watched."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from logrouter.runtime.tailing.globs import Patterns

FILES = (
    "a.log", "b.log.1", ".hidden.log", "one/a.log", "one/deep/b.log", "one/.git/c.log", "two/a.txt", "two/[odd].log",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("one")
    return tmp_path


def found(folder: Path, *include: str, exclude: tuple[str, ...] = ()) -> set[str]:
    look = Patterns([f"{folder}/{pattern}" for pattern in include], exclude).look()
    return {os.path.relpath(seen.path, folder) for seen in look.files.values()}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.log", {"a.log"}),
        (".*.log", {".hidden.log"}),
        ("a.log", {"a.log"}),
        ("[ab].log*", {"a.log", "b.log.1"}),
        ("?.log", {"a.log"}),
        ("*/a.*", {"link/a.log", "two/a.txt"}),
        ("o*/a.*", {"one/a.log"}),
        ("**/*.log", {"a.log", "one/a.log", "one/deep/b.log", "two/[odd].log"}),
        ("**", {"a.log", "b.log.1", "one/a.log", "one/deep/b.log", "two/[odd].log", "two/a.txt"}),
        ("one/**/b.log", {"one/deep/b.log"}),
        ("two/[[]odd].log", {"two/[odd].log"}),
        ("missing/*", set()),
    ],
)
def test_what_a_pattern_finds(folder: Path, pattern: str, names: set[str]) -> None:
    assert found(folder, pattern) == names
    patterns = Patterns([f"{folder}/{pattern}"])
    assert all(patterns.matches(f"{folder}/{name}") for name in names)


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("*.txt", {"a.log", "one/a.log"}),
        ("a.*", set()),
        ("one/*", {"a.log", "two/a.txt"}),
        ("**/one/**", {"a.log", "two/a.txt"}),
    ],
)
def test_what_is_left_out(folder: Path, exclude: str, left: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert found(folder, "a.*", "one/a.*", "two/a.*", exclude=(exclude,)) == left


def test_folders_to_watch_are_those_where_something_may_appear(folder: Path) -> None:
    watched: list[str] = []
    (folder / "c.log").symlink_to("one/deep/b.log")
    look = Patterns([f"{folder}/*.log", f"{folder}/later/on/*.log", f"{folder}/two/a.txt"]).look(watched.append)
    assert set(watched) == look.folders
    assert {os.path.relpath(path, folder) for path in watched} == {".", "one/deep", "two"}


def test_what_cannot_be_read_is_told(folder: Path) -> None:
    os.mkfifo(folder / "fifo.log")
    look = Patterns([f"{folder}/*.log", f"{folder}/one", f"{folder}/*"]).look()
    assert look.odd == {f"{folder}/fifo.log": "it is a named pipe", f"{folder}/one": "it is a folder"}


def test_paths_that_are_no_patterns_are_told_where_nothing_is(folder: Path) -> None:
    paths = ["no.log", "no/a.log", "a.log/b", "a.log", "no*", "no/*"]
    look = Patterns([f"{folder}/{path}" for path in paths]).look()
    nothing, no_folder = os.strerror(errno.ENOENT), os.strerror(errno.ENOTDIR)
    assert look.absent == {f"{folder}/no.log": nothing, f"{folder}/no/a.log": nothing, f"{folder}/a.log/b": no_folder}
    assert look.odd == {}
