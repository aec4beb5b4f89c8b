"""What a sink knows is kept as a whole, in two files that change places: on a full disk too."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from logrouter.errors import DestinationError
from logrouter.instructions import Keep
from logrouter.runtime.transports.state import State


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics" / "numbers.json"


async def keep(path: Path, *values: object) -> None:
    """Keep one after the other, each with a sync."""
    state = State(str(path))
    for value in values:
        await state.perform(Keep(lambda value=value: msgspec.json.encode(value), lambda: None))
        await state.sync()


def kept(path: Path) -> object:
    return msgspec.json.decode(path.read_bytes())


def inodes(path: Path) -> dict[int, int]:
    """Of the files that there are: how large each is on the disk, in blocks."""
    return {each.stat().st_ino: each.stat().st_blocks for each in path.parent.iterdir()}


async def test_the_last_is_kept(path: Path) -> None:
    for value in (["a" * 10_000], ["b"], ["c" * 30_000], []):
        await keep(path, value)
        assert kept(path) == value
    assert sorted(each.name for each in path.parent.iterdir()) == ["numbers.json", "numbers.json.new"]
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}


async def test_no_room_is_needed_but_that_of_the_two_files(path: Path) -> None:
    await keep(path, "a" * 10_000)
    before = inodes(path)
    for count in (0, 20_000 - 2, 5):
        await keep(path, "b" * count)
        assert inodes(path) == before


async def test_what_a_crash_has_left_stands_in_nobodys_way(path: Path) -> None:
    """Killed between the two renames."""
    await keep(path, "one", "two")
    path.with_name("numbers.json.new").rename(path.with_name("numbers.json.old"))
    await keep(path, "three")
    assert kept(path) == "three"
    assert not path.with_name("numbers.json.old").exists()


async def test_a_crash_before_the_new_is_in_force(path: Path) -> None:
    await keep(path, "one", "two")
    path.with_name("numbers.json.old").hardlink_to(path)
    path.with_name("numbers.json.new").write_text('"thr')
    assert kept(path) == "two"
    await keep(path, "three", "four")
    assert kept(path) == "four"
    assert len(inodes(path)) == 2


async def test_where_there_are_no_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    await keep(path, "one", "two")
    assert kept(path) == "two"


async def test_what_cannot_be_written_leaves_what_is_in_force(path: Path) -> None:
    await keep(path, "one")
    path.with_name("numbers.json.new").unlink()
    path.with_name("numbers.json.new").mkdir()
    with pytest.raises(DestinationError, match=r"cannot write .*numbers\.json: Is a directory"):
        await keep(path, "two")
    assert kept(path) == "one"
