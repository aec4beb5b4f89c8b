"""Files that are followed: real files, virtual time."""

from __future__ import annotations

import errno
import os
import resource
from codecs import BOM_UTF8
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from logrouter import compression
from logrouter.event import Attributes
from logrouter.instructions import ContentCoding
from logrouter.joining.options import MultilineOptions
from logrouter.rules.bounded import Condition
from logrouter.runtime.tailing import FileFraming, FileLines, Start, descriptors, opened, tail
from logrouter.runtime.tailing.file import READ_BYTES
from logrouter.runtime.tailing.opened import CompressedFile, OpenFile, open_file
from logrouter.runtime.tailing.place import HEAD_BYTES
from logrouter.runtime.tailing.tail import DELETED_SECONDS, RENAMED_SECONDS
from logrouter.runtime.tailing.watching import SAFETY_SECONDS
from logrouter.sources import LinesConfig
from logrouter.values import Duration
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


async def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(BOM_UTF8 + b"one")
    emitted = Emitted()
    for more in (b"\n", b"two\n" + BOM_UTF8 + b"thr", b"ee\n"):
        async with following(tmp_path, emitted):
            append(path, more)
            await trio.sleep(1)
    assert emitted.lines == [b"one", b"two", BOM_UTF8 + b"three"]


async def test_a_byte_order_mark_that_comes_in_two_reads(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(BOM_UTF8[:1])
    emitted = Emitted()
    async with following(tmp_path, emitted):
        append(path, BOM_UTF8[1:2])
        await trio.sleep(1)
    async with following(tmp_path, emitted):
        append(path, BOM_UTF8[2:] + b"one\n")
        await trio.sleep(1)
    assert emitted.lines == [b"one"]


async def test_what_follows_the_end_where_a_file_begins_is_no_start(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"old\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, start="end"):
        append(path, BOM_UTF8 + b"one\n")
        await trio.sleep(1)
    assert emitted.lines == [BOM_UTF8 + b"one"]


async def test_begun_anew_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(BOM_UTF8 + b"one of many\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        path.write_bytes(BOM_UTF8 + b"two\n")
        await trio.sleep(20)
    assert emitted.lines == [b"one of many", b"two"]


class Joined(Lines):
    """Files whose lines may belong together."""

    def framing_of(self, path: str, starts: Mapping[str, Start]) -> FileFraming:
        config = LinesConfig(multiline=MultilineOptions(start=Condition("^[a-z]"), timeout=Duration(5)))
        return FileLines(config.framing(starts.get("", Start()).memo), config.quiet_seconds)


@every_watch
async def test_lines_that_may_go_on_are_held_until_it_is_quiet(
    tmp_path: Path, watch: str, autojump_clock: MockClock
) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n 1\ntwo\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, watch=watch, treatment=Joined()):
        assert emitted.lines == [b"one\n 1"]
        append(tmp_path / "a.log", b" 2\n")
        await trio.sleep(4)
        assert emitted.lines == [b"one\n 1"]
        await trio.sleep(3)
        assert emitted.lines == [b"one\n 1", b"two\n 2"]
        append(tmp_path / "a.log", b" 3\n")
        await trio.sleep(8)
    assert emitted.lines == [b"one\n 1", b"two\n 2", b" 3"]


async def test_lines_that_are_held_are_read_again_after_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n 1\ntwo\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, treatment=Joined()):
        assert emitted.lines == [b"one\n 1"]
    append(tmp_path / "a.log", b" 2\nthree\n")
    async with following(tmp_path, emitted, treatment=Joined()):
        assert emitted.lines == [b"one\n 1", b"two\n 2"]


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


@pytest.mark.parametrize(("pattern", "exclude"), [("a.log", ()), ("*.log", ("b.log",)), ("*.log", ("/**/b.log",))])
async def test_what_the_patterns_leave_out_after_a_restart_is_read_no_more_and_forgotten(
    tmp_path: Path, pattern: str, exclude: tuple[str, ...], autojump_clock: MockClock
) -> None:
    emitted = Emitted()
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(b"one\n")
    async with following(tmp_path, emitted):
        pass
    async with following(tmp_path, emitted, pattern, exclude=exclude):
        append(tmp_path / "b.log", b"secret\n")
        append(tmp_path / "a.log", b"two\n")
        await trio.sleep(SAFETY_SECONDS)
    assert emitted.by_file == {"a.log": [b"one", b"two"], "b.log": [b"one"]}
    assert len(emitted.positions) == 2


async def test_a_file_that_was_moved_to_where_other_patterns_find_it_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        pass
    (tmp_path / "a.log").rename(tmp_path / "a.txt")
    append(tmp_path / "a.txt", b"two\n")
    async with following(tmp_path, emitted, "*.txt"):
        pass
    assert emitted.lines == [b"one", b"two"]


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


@pytest.mark.parametrize("kept", range(4))
async def test_a_first_start_that_is_killed_before_all_that_was_there_has_its_place_is_none(
    tmp_path: Path, kept: int, autojump_clock: MockClock
) -> None:
    for name in ("a.log", "b.log", "c.log"):
        (tmp_path / name).write_bytes(b"old\n")
    emitted = Emitted()
    with trio.CancelScope() as life:

        async def kill() -> None:
            if len(emitted.positions) == kept:
                life.cancel()
            await trio.lowlevel.checkpoint()

        emitted.before_each = kill
        async with following(tmp_path, emitted, start="end"):
            pass
    assert life.cancelled_caught
    assert len(emitted.positions) == kept
    emitted.before_each = trio.lowlevel.checkpoint
    async with following(tmp_path, emitted, start="end"):
        append(tmp_path / "a.log", b"new\n")
        await trio.sleep(1)
    assert emitted.lines == [b"new"]


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


@every_watch
@pytest.mark.parametrize("pattern", ["*.log", "a.log*"])
@pytest.mark.parametrize("lagging", [False, True])
async def test_copied_and_truncated_what_was_not_read_yet_is_read_in_the_copy(
    tmp_path: Path, watch: str, pattern: str, lagging: bool, autojump_clock: MockClock
) -> None:
    path, copy = tmp_path / "a.log", tmp_path / "a.log.1"
    path.write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, pattern, watch=watch):
        append(path, b"two\n")
        if not lagging:
            await trio.sleep(2)
        copy.write_bytes(path.read_bytes())
        os.truncate(path, 0)
        append(path, b"a new line, longer than all before\n")
        await trio.sleep(2)
        assert sorted(emitted.lines) == [b"a new line, longer than all before", b"one", b"two"]
        await trio.sleep(RENAMED_SECONDS + SAFETY_SECONDS)
    async with following(tmp_path, emitted, pattern, watch=watch):
        pass
    assert len(emitted.lines) == 3


@pytest.mark.parametrize("start", ["beginning", "end"])
@pytest.mark.parametrize(("older_by_seconds", "is_a_copy"), [(0, True), (1, False)])
async def test_an_older_file_that_begins_with_the_same_words_is_no_copy_of_one_that_was_truncated(
    tmp_path: Path, start: str, older_by_seconds: int, is_a_copy: bool, autojump_clock: MockClock
) -> None:
    """A copy is as old as what was read, or younger; if only to the second."""
    path, sibling = tmp_path / "a.log", tmp_path / "a.log.1"
    path.write_bytes(b"started\n")
    sibling.write_bytes(b"started\nlong ago\n")
    os.utime(sibling, times=(int(path.stat().st_mtime) - older_by_seconds,) * 2)
    emitted = Emitted()
    async with following(tmp_path, emitted, start=start):
        os.truncate(path, 0)
        await trio.sleep(2)
        append(path, b"started\nnow\n")
        await trio.sleep(2)
    assert (b"long ago" in emitted.lines) == is_a_copy
    assert b"now" in emitted.lines


@pytest.mark.parametrize(("older_by_seconds", "is_a_copy"), [(0, True), (1, False)])
async def test_nor_is_it_one_after_a_restart(
    tmp_path: Path, older_by_seconds: int, is_a_copy: bool, autojump_clock: MockClock
) -> None:
    path, sibling = tmp_path / "a.log", tmp_path / "a.log.1"
    path.write_bytes(b"started\n")
    sibling.write_bytes(b"started\nlong ago\n")
    os.utime(sibling, times=(int(path.stat().st_mtime) - older_by_seconds,) * 2)
    emitted = Emitted()
    async with following(tmp_path, emitted):
        await trio.sleep(2)
    os.truncate(path, 0)
    async with following(tmp_path, emitted):
        await trio.sleep(2)
        append(path, b"started\nnow\n")
        await trio.sleep(2)
    assert (b"long ago" in emitted.lines) == is_a_copy
    assert emitted.lines.count(b"now") == 1


def compress(path: Path, suffix: str) -> None:
    data = path.read_bytes()
    kind: ContentCoding = "gzip" if suffix == ".gz" else "zstd"
    path.with_name(path.name + suffix).write_bytes(
        compression.compress(data[:3], kind) + compression.compress(data[3:], kind)
    )
    path.unlink()


@every_watch
@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("pattern", ["*.log", "a.log*"])
@pytest.mark.parametrize("running", [False, True])
async def test_compressed_after_it_was_rotated_it_is_not_read_again(
    tmp_path: Path, watch: str, suffix: str, pattern: str, running: bool, autojump_clock: MockClock
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntwo\nunfin")
    emitted = Emitted()
    async with following(tmp_path, emitted, pattern, watch=watch):
        if running:
            path.rename(tmp_path / "a.log.1")
            await trio.sleep(2)
            append(tmp_path / "a.log.1", b"ished\n")
            path.write_bytes(b"four\n")
            await trio.sleep(2)
            compress(tmp_path / "a.log.1", suffix)
            await trio.sleep(RENAMED_SECONDS + SAFETY_SECONDS)
    if not running:
        path.rename(tmp_path / "a.log.1")
        append(tmp_path / "a.log.1", b"ished\n")
        path.write_bytes(b"four\n")
        compress(tmp_path / "a.log.1", suffix)
    for _ in range(2):
        async with following(tmp_path, emitted, pattern, watch=watch):
            await trio.sleep(RENAMED_SECONDS + SAFETY_SECONDS)
    assert sorted(emitted.lines) == [b"four", b"one", b"two", b"unfinished"]
    assert len(emitted.positions) == (2 if pattern == "*.log" else 3)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
async def test_a_compressed_file_that_is_new_is_read(tmp_path: Path, suffix: str, autojump_clock: MockClock) -> None:
    whole = compression.compress(b"one\ntwo\nthree\n" * 100_000, "gzip" if suffix == ".gz" else "zstd")
    path = tmp_path / f"a.log{suffix}"
    emitted = Emitted()
    async with following(tmp_path, emitted, "*"):
        for start in range(0, len(whole), 100):
            append(path, whole[start : start + 100])
            await trio.sleep(1)
    assert emitted.lines == [b"one", b"two", b"three"] * 100_000


async def test_one_that_is_damaged_is_told_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log.gz").write_bytes(b"no gzip at all")
    emitted = Emitted()
    async with following(tmp_path, emitted, "*"):
        await trio.sleep(30)
    ((message, fields),) = emitted.warnings
    assert message.startswith("a compressed file is damaged: ")
    assert fields["reason"] == "Error -3 while decompressing data: incorrect header check"


@every_watch
@pytest.mark.parametrize("suffix", [".gz", ".zst"])
async def test_what_stands_before_the_damage_is_read_and_the_rest_once_it_is_written_anew(
    tmp_path: Path, watch: str, suffix: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def open_and_note(name: str) -> OpenFile:
        names.append(name)
        return open_file(name)

    monkeypatch.setattr(tail, "open_file", open_and_note)
    kind: ContentCoding = "gzip" if suffix == ".gz" else "zstd"
    first, second = compression.compress(b"one\n", kind), compression.compress(b"two\n", kind)
    path = tmp_path / f"a.log{suffix}"
    path.write_bytes(first + b"damaged" + second)
    emitted = Emitted()
    async with following(tmp_path, emitted, "*", watch=watch):
        await trio.sleep(1000)
        assert emitted.lines == [b"one"]
        assert len(emitted.warnings) == 1
        assert names == [str(path)]
        path.write_bytes(first + second)
        await trio.sleep(5)
        assert emitted.lines == [b"one", b"two"]
        assert len(emitted.warnings) == 2


async def test_one_that_is_damaged_and_grows_is_tried_for_a_small_part_of_the_time(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    seek = CompressedFile.seek

    def seek_for_a_second(self: CompressedFile, start: int) -> None:
        nonlocal tries
        tries += 1
        autojump_clock.jump(1)
        seek(self, start)

    path = tmp_path / "a.log.gz"
    path.write_bytes(compression.compress(b"one\n", "gzip"))
    emitted = Emitted()
    async with following(tmp_path, emitted, "*"):
        monkeypatch.setattr(CompressedFile, "seek", seek_for_a_second)
        for _ in range(100):
            append(path, b"damaged")
            await trio.sleep(1)
    assert emitted.lines == [b"one"]
    assert tries <= 10


async def test_a_copy_that_is_damaged_before_what_was_read_is_told_and_forgotten_when_it_is_gone(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path, copy = tmp_path / "a.log", tmp_path / "a.log.gz"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(200)))
    emitted = Emitted()
    async with following(tmp_path, emitted):
        pass
    copy.write_bytes(compression.compress(path.read_bytes()[:HEAD_BYTES], "gzip") + b"damaged")
    path.unlink()
    async with following(tmp_path, emitted):
        await trio.sleep(10)
        assert len(emitted.warnings) == 1
        assert len(emitted.positions) == 2
        copy.unlink()
        await trio.sleep(10)
        assert set(emitted.positions) == {"began"}
    assert len(emitted.lines) == 200


async def test_at_the_end_compressed_files_are_left_out_for_ever(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log.gz").write_bytes(compression.compress(b"old\n", "gzip"))
    emitted = Emitted()
    for _ in range(2):
        async with following(tmp_path, emitted, "*", start="end"):
            await trio.sleep(30)
    assert emitted.lines == []


async def test_a_file_that_begins_as_another_of_its_family_is_one_of_its_own_when_it_goes_on_otherwise(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    (tmp_path / "app.log").write_bytes(b"started\n")
    (tmp_path / "app-1.log").write_bytes(b"started\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        append(tmp_path / "app-1.log", b"of the other\n")
        append(tmp_path / "app.log", b"of one\n")
        await trio.sleep(2 * SAFETY_SECONDS)
    assert sorted(emitted.lines) == [b"of one", b"of the other", b"started", b"started"]


@pytest.mark.parametrize("pattern", ["*.log", "a.log*"])
async def test_renamed_while_it_was_down_it_is_read_to_its_end(
    tmp_path: Path, pattern: str, autojump_clock: MockClock
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, pattern):
        pass
    append(path, b"two\n")
    path.rename(tmp_path / "a.log.1")
    path.write_bytes(b"three\n")
    async with following(tmp_path, emitted, pattern):
        await trio.sleep(1)
    assert sorted(emitted.lines) == [b"one", b"three", b"two"]


async def test_an_inode_that_was_given_to_a_new_file_while_it_was_down(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Truncated and written anew looks the same."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        pass
    with path.open("r+b") as file:
        file.truncate()
        file.write(b"two\nthree\n")
    async with following(tmp_path, emitted):
        pass
    assert emitted.lines == [b"one", b"two", b"three"]


@pytest.mark.parametrize("running", [False, True])
async def test_a_new_file_with_the_inode_and_the_beginning_of_one_that_was_deleted(
    tmp_path: Path, running: bool, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system tells of generations. Looked at while logrouter is down, or has it closed."""
    generations = {"a.log": 1}

    def generation_of(fd: int) -> int:
        return generations.get(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")), 0)

    def make_anew() -> None:
        generations["a.log"] = 2
        path.write_bytes(b"started\none\ntwo\n")

    monkeypatch.setattr(opened, "generation_of", generation_of)
    monkeypatch.setattr(descriptors, "LEAST", 1)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (2, 2))
    path, other = tmp_path / "a.log", tmp_path / "b.log"
    path.write_bytes(b"started\none\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        if running:
            other.write_bytes(b"other\n")
            await trio.sleep(100)
            make_anew()
            await trio.sleep(100)
    if not running:
        make_anew()
    async with following(tmp_path, emitted):
        await trio.sleep(100)
    assert emitted.by_file["a.log"] == [b"started", b"one", b"started", b"one", b"two"]


def test_a_file_system_that_tells_of_generations_tells_new_files_apart(tmp_path: Path) -> None:
    told = []
    for _ in range(2):
        (tmp_path / "a").write_bytes(b"")
        with closing(open_file(str(tmp_path / "a"))) as file:
            told.append((file.identity, file.generation))
        (tmp_path / "a").unlink()
    assert told[0] != told[1] or told[0][1] == 0


async def test_what_cannot_be_read_is_told_once_and_when_it_is_well_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    fifo = tmp_path / "a.log"
    os.mkfifo(fifo)
    (tmp_path / "folder.log").mkdir()
    (tmp_path / "nowhere.log").symlink_to("missing")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        await trio.sleep(100)
        assert [fields for _, fields in emitted.warnings] == [{"file": str(fifo), "reason": "it is a named pipe"}]
        fifo.unlink()
        fifo.write_bytes(b"one\n")
        await trio.sleep(1)
    assert emitted.lines == [b"one"]
    assert [message.split()[-1] for message, _ in emitted.warnings] == ["again", "gone"]


async def test_what_is_renamed_while_somebody_looks_is_no_trouble(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_too_late(name: str) -> OpenFile:
        if name.endswith("a.log"):
            os.rename(name, f"{name}.1")
        return open_file(name)

    (tmp_path / "a.log").write_bytes(b"one\n")
    emitted = Emitted()
    with monkeypatch.context() as racing:
        racing.setattr(tail, "open_file", open_too_late)
        async with following(tmp_path, emitted, "a.log*"):
            await trio.sleep(2 * SAFETY_SECONDS)
    assert (emitted.lines, emitted.warnings) == ([b"one"], [])


async def test_read_once_what_cannot_be_read_is_left_out(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log").mkdir()
    emitted = Emitted()
    async with following(tmp_path, emitted, "a.log", follow=False) as tail:
        pass
    message = "a file cannot be read: what was not read of it is left out"
    assert emitted.warnings == [(message, {"file": str(tmp_path / "a.log"), "reason": "it is a folder"})]
    assert tail.left_out == {str(tmp_path / "a.log"): "it is a folder"}


async def test_read_once_what_is_named_must_be_there(tmp_path: Path, autojump_clock: MockClock) -> None:
    for pattern, left_out in (("a.log", {str(tmp_path / "a.log"): "No such file or directory"}), ("*.log", {})):
        async with following(tmp_path, Emitted(), pattern, follow=False) as tail:
            pass
        assert tail.left_out == left_out


async def test_read_once_what_a_disk_does_not_give_is_left_out(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: OpenFile, start: int, length: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(OpenFile, "read", fail)
    (tmp_path / "a.log").write_bytes(b"one\n")
    async with following(tmp_path, Emitted(), follow=False) as tail:
        pass
    assert tail.left_out == {str(tmp_path / "a.log"): "Input/output error"}


async def test_followed_what_cannot_be_read_waits_for_the_next_start(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log").mkdir()
    async with following(tmp_path, Emitted(), "a.log") as tail:
        pass
    assert tail.left_out == {}


async def test_a_named_folder_or_pipe_in_the_place_of_a_file(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, "a.log"):
        path.rename(tmp_path / "b.log")
        path.mkdir()
        await trio.sleep(2)
        assert [fields["reason"] for _, fields in emitted.warnings] == ["it is a folder"]
        append(tmp_path / "b.log", b"two\n")
        path.rmdir()
        path.write_bytes(b"three\n")
        await trio.sleep(2)
    assert sorted(emitted.lines) == [b"one", b"three", b"two"]


async def test_what_may_not_be_read_is_told_and_read_once_it_may(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    may = False
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")

    def open_if_we_may(name: str) -> OpenFile:
        if not may:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return open_file(name)

    monkeypatch.setattr(tail, "open_file", open_if_we_may)
    emitted = Emitted()
    async with following(tmp_path, emitted):
        await trio.sleep(100)
        assert [fields for _, fields in emitted.warnings] == [{"file": str(path), "reason": "Permission denied"}]
        may = True
        path.chmod(0o640)
        await trio.sleep(1)
    assert emitted.lines == [b"one"]
    assert len(emitted.warnings) == 2


async def test_a_disk_that_fails_while_it_is_read_is_told_and_tried_again(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):

        def fail(self: OpenFile, start: int, length: int) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as broken:
            broken.setattr(OpenFile, "read", fail)
            append(path, b"two\n")
            await trio.sleep(30)
        assert [fields["reason"] for _, fields in emitted.warnings] == ["Input/output error"]
        await trio.sleep(2)
    assert emitted.lines == [b"one", b"two"]
    assert len(emitted.warnings) == 2


async def test_links_of_kubernetes(tmp_path: Path, autojump_clock: MockClock) -> None:
    """/var/log/containers holds links to files in folders of their own, which are rotated there."""
    pods, containers = tmp_path / "pods" / "one", tmp_path / "containers"
    pods.mkdir(parents=True)
    containers.mkdir()
    (pods / "0.log").write_bytes(b"one\n")
    (containers / "one.log").symlink_to(pods / "0.log")
    emitted = Emitted()
    async with following(containers, emitted):
        append(pods / "0.log", b"two\n")
        (pods / "0.log").rename(pods / "0.log.20260101-000000")
        (pods / "0.log").write_bytes(b"three\n")
        await trio.sleep(0.5)
        assert sorted(emitted.lines) == [b"one", b"three", b"two"]
        (containers / "one.log").unlink()
        (pods / "0.log").unlink()
        await trio.sleep(RENAMED_SECONDS + SAFETY_SECONDS)
    assert set(emitted.positions) == {"began"}
    assert set(emitted.by_file) == {"one.log"}


async def test_links_of_projected_volumes(tmp_path: Path, autojump_clock: MockClock) -> None:
    """..data leads to a folder that is replaced as a whole."""
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.log").write_bytes(version.encode() + b"\n")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.log").symlink_to("..data/a.log")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        assert emitted.lines == [b"..1"]
        (tmp_path / "..new").symlink_to("..2")
        (tmp_path / "..new").rename(tmp_path / "..data")
        await trio.sleep(0.5)
        assert emitted.lines == [b"..1", b"..2"]


async def test_a_file_with_two_names_is_read_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    (tmp_path / "b.log").symlink_to("a.log")
    os.link(tmp_path / "a.log", tmp_path / "c.log")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        pass
    assert emitted.by_file == {"a.log": [b"one"]}


async def test_more_files_than_descriptors(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (32, 32))
    emitted = Emitted()
    paths = [tmp_path / f"{number}.log" for number in range(100)]
    before = len(os.listdir("/proc/self/fd"))
    for path in paths:
        path.write_bytes(b"one\n")
    async with following(tmp_path, emitted):
        for path in paths:
            append(path, b"two\n")
        await trio.sleep(1)
        assert len(os.listdir("/proc/self/fd")) <= before + 16 + 4
        append(paths[0], b"three\n")
        paths[0].rename(tmp_path / "0.log.1")
        paths[1].unlink()
        await trio.sleep(RENAMED_SECONDS + SAFETY_SECONDS)
        assert len(emitted.positions) == 1 + 98
    assert all(lines == [b"one", b"two"] for name, lines in emitted.by_file.items() if name != "0.log")
    assert emitted.by_file["0.log"] == [b"one", b"two", b"three"]
    assert len(os.listdir("/proc/self/fd")) == before


async def test_left_closed_and_gone_it_is_forgotten(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, 0))
    monkeypatch.setattr(descriptors, "LEAST", 1)
    paths = [tmp_path / f"{number}.log" for number in range(2)]
    for path in paths:
        path.write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        for path in paths:
            path.rename(path.with_suffix(".gone"))
        await trio.sleep(2)
        append(tmp_path / "0.gone", b"two\n")
        await trio.sleep(2)
        for path in paths:
            path.with_suffix(".gone").unlink()
        await trio.sleep(RENAMED_SECONDS + SAFETY_SECONDS)
        assert set(emitted.positions) == {"began"}
    assert emitted.by_file == {"0.log": [b"one", b"two"], "1.log": [b"one"]}


async def test_closed_and_renamed_after_it_was_seen_to_have_grown_it_is_read_where_it_is(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, 0))
    monkeypatch.setattr(descriptors, "LEAST", 1)
    grown, other = tmp_path / "0.log", tmp_path / "1.log"
    for path in (grown, other):
        path.write_bytes(b"one\n")

    def rename_and_open(name: str) -> OpenFile:
        if name == str(grown) and grown.exists():
            grown.rename(tmp_path / "2.log")
        return open_file(name)

    emitted = Emitted()
    async with following(tmp_path, emitted, watch="poll"):
        monkeypatch.setattr(tail, "open_file", rename_and_open)
        append(grown, b"two\n")
        await trio.sleep(5)
    assert emitted.by_file == {"0.log": [b"one", b"two"], "1.log": [b"one"]}


async def test_one_file_does_not_keep_the_others_waiting(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "a.log").write_bytes(b"x" * 99 + b"\n" + b"y\n" * 2 * READ_BYTES)
    (tmp_path / "b.log").write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        pass
    assert emitted.lines.index(b"one") <= READ_BYTES
    assert len(emitted.lines) == 2 * READ_BYTES + 2


@pytest.mark.slow
async def test_thousands_of_files_that_appear_grow_and_vanish(tmp_path: Path, autojump_clock: MockClock) -> None:
    emitted = Emitted()
    before = len(os.listdir("/proc/self/fd"))
    paths = [tmp_path / f"{number % 50}" / f"{number}.log" for number in range(5_000)]
    async with following(tmp_path, emitted, "*/*.log"):
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"one\n")
        await trio.sleep(30)
        assert len(emitted.lines) == len(paths)
        assert len(os.listdir("/proc/self/fd")) - before < resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        for path in paths:
            append(path, b"two\n")
        await trio.sleep(30)
        for path in paths[1:]:
            path.unlink()
        await trio.sleep(DELETED_SECONDS + 2 * SAFETY_SECONDS)
        assert set(emitted.positions) == {"began", "{1:x}-{0:x}".format(*paths[0].stat()[1:3])}
    assert emitted.by_file == {path.name: [b"one", b"two"] for path in paths}
