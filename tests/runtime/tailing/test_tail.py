"""Files that are followed: real files, virtual time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from logrouter.event import Attributes
from logrouter.runtime.tailing.tail import DELETED_SECONDS, RENAMED_SECONDS
from logrouter.runtime.tailing.watching import SAFETY_SECONDS
from tests.runtime.tailing.following import MAX_LINE, Emitted, Lines, append, following

every_watch = pytest.mark.parametrize("watch", ["auto", "poll"])


@every_watch
async def test_what_is_there_is_read_and_what_is_appended(
    tmp_path: Path, watch: str, autojump_clock: MockClock
) -> None:
    (tmp_path / "a.log").write_bytes(b"one\ntwo\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, watch=watch):
        assert emitted.lines == [b"one", b"two"]
        append(tmp_path / "a.log", b"three\n")
        await trio.sleep(2)
        assert emitted.lines == [b"one", b"two", b"three"]
        (tmp_path / "b.log").write_bytes(b"four\n")
        await trio.sleep(2)
    assert emitted.by_file == {"a.log": [b"one", b"two", b"three"], "b.log": [b"four"]}


async def test_by_inotify_a_line_after_a_quiet_moment_is_read_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        append(tmp_path / "a.log", b"two\n")
        await trio.sleep(0.001)
        assert emitted.lines == [b"one", b"two"]


async def test_while_lines_keep_coming_reads_are_apart(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log").write_bytes(b"")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        for number in range(300):
            append(tmp_path / "a.log", b"%d\n" % number)
            await trio.sleep(0.001)
        await trio.sleep(1)
    assert emitted.lines == [b"%d" % number for number in range(300)]
    assert emitted.reads <= 18


async def test_the_last_line_waits_for_its_newline(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log").write_bytes(b"one\ntw")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        assert emitted.lines == [b"one"]
    async with following(tmp_path, emitted):
        append(tmp_path / "a.log", b"o\n")
        await trio.sleep(1)
    assert emitted.lines == [b"one", b"two"]


@every_watch
async def test_rotated_by_rename_the_old_file_is_read_on_and_then_the_new_one(
    tmp_path: Path, watch: str, autojump_clock: MockClock
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, watch=watch):
        path.rename(tmp_path / "a.log.1")
        path.write_bytes(b"three\n")
        await trio.sleep(2)
        append(tmp_path / "a.log.1", b"two\nunfinished")
        await trio.sleep(2)
        assert emitted.by_file == {"a.log": [b"one", b"three", b"two"]}
        assert len(emitted.positions) == 3
        await trio.sleep(RENAMED_SECONDS + SAFETY_SECONDS)
        assert emitted.lines[-1] == b"unfinished"
        assert len(emitted.positions) == 2


@every_watch
async def test_deleted_it_is_read_to_its_end_and_forgotten(
    tmp_path: Path, watch: str, autojump_clock: MockClock
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\nunfinished")
    emitted = Emitted()
    async with following(tmp_path, emitted, watch=watch):
        path.unlink()
        await trio.sleep(DELETED_SECONDS + SAFETY_SECONDS)
        assert emitted.lines == [b"one", b"unfinished"]
        assert set(emitted.positions) == {"began"}
        path.write_bytes(b"two\n")
        await trio.sleep(2)
    assert emitted.lines == [b"one", b"unfinished", b"two"]


@every_watch
@pytest.mark.parametrize("after", [b"2\n", b"a line that is longer than all that was there before\n"])
async def test_truncated_it_is_read_from_the_beginning(
    tmp_path: Path, watch: str, after: bytes, autojump_clock: MockClock
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"before\nunfinished")
    emitted = Emitted()
    async with following(tmp_path, emitted, watch=watch):
        os.truncate(path, 0)
        append(path, after)
        await trio.sleep(2)
    assert emitted.lines == [b"before", b"unfinished", after.rstrip()]


async def test_after_a_restart_each_goes_on_where_it_was(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        pass
    append(tmp_path / "a.log", b"two\n")
    (tmp_path / "b.log").write_bytes(b"three\n")
    async with following(tmp_path, emitted):
        pass
    assert emitted.lines == [b"one", b"two", b"three"]


async def test_by_default_what_is_there_at_the_first_start_is_left_out(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    (tmp_path / "a.log").write_bytes(b"old\nunfi")
    emitted = Emitted()
    async with following(tmp_path, emitted, start="end"):
        append(tmp_path / "a.log", b"nished\n")
        (tmp_path / "b.log").write_bytes(b"new\n")
        await trio.sleep(1)
    assert emitted.lines == [b"unfinished", b"new"]
    append(tmp_path / "a.log", b"while it was down\n")
    (tmp_path / "c.log").write_bytes(b"appeared while it was down\n")
    async with following(tmp_path, emitted, start="end"):
        pass
    assert sorted(emitted.lines[2:]) == [b"appeared while it was down", b"while it was down"]


async def test_nothing_there_at_the_first_start_what_comes_before_the_second_is_new(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    emitted = Emitted()
    async with following(tmp_path, emitted, start="end"):
        pass
    (tmp_path / "a.log").write_bytes(b"new\n")
    async with following(tmp_path, emitted, start="end"):
        pass
    assert emitted.lines == [b"new"]


async def test_a_line_that_is_read_on_in_its_middle_is_marked_as_one(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * (MAX_LINE * 2))
    emitted = Emitted()
    async with following(tmp_path, emitted):
        assert len(emitted.lines) == 1
    append(path, b"y\nnext\n")
    async with following(tmp_path, emitted):
        pass
    assert emitted.lines == [b"x" * MAX_LINE, b"x" * MAX_LINE, b"y", b"next"]


class Pairs(Lines):
    """Files that are treated by name."""

    def streams_of(self, path: str) -> Mapping[str, Attributes] | None:
        return None if "unwanted" in path else {"": {"file": path}}


async def test_a_file_that_the_source_does_not_want_is_left_alone(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "unwanted.log").write_bytes(b"one\n")
    (tmp_path / "a.log").write_bytes(b"two\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, treatment=Pairs()):
        pass
    assert emitted.by_file == {"a.log": [b"two"]}
