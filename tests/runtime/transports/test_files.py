"""The transport of files, on real folders, with faults where a test asks for them."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path
from typing import Any

import pytest
import trio
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logrouter.compression import compress, whole_bytes
from logrouter.cursors import Place
from logrouter.errors import DestinationError, Moved
from logrouter.runtime.transports.files import Files
from logrouter.runtime.transports.logfile import rotated_path
from logrouter.sinks import Append, SinkContext
from logrouter.sinks.file import FileConfig, FileSink
from logrouter.templates import Template
from logrouter.testing import FaultyDisk
from logrouter.values import Duration, Size
from tests.e2e.disks import tiny_disk


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def files(path: str = "x", disk: Any = os, clock: Clock | None = None, **options: Any) -> Files:
    sink = FileSink(FileConfig(path=Template.parse(path), **options), SinkContext("out"))
    return Files(sink.handling, disk=disk, clock=clock or Clock())


async def append(transport: Files, path: Path, data: bytes) -> None:
    await transport.perform(Append(str(path), data))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_appends_and_makes_folders(tmp_path: Path) -> None:
    transport, path = files(), tmp_path / "a" / "b" / "x.log"
    await append(transport, path, b"one\n")
    await append(transport, path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o640
    await transport.aclose()


async def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    transport = files()
    await transport.perform(Append("x.log", b"one\n"))
    await transport.sync()
    await transport.aclose()
    assert (tmp_path / "x.log").read_bytes() == b"one\n"


async def test_sync_covers_what_was_written_once(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport = files(disk=disk)
    await append(transport, tmp_path / "new" / "x", b"1\n")
    await append(transport, tmp_path / "y", b"1\n")
    await transport.sync()
    assert disk.calls["fdatasync"] == 2
    assert disk.calls["fsync"] == 2  # the new folder, and the one that it is in, which is also that of y
    await transport.sync()
    assert disk.calls["fdatasync"] == 2
    await append(transport, tmp_path / "y", b"2\n")
    await transport.aclose()
    assert disk.calls["fdatasync"] == 3
    assert disk.calls["fsync"] == 2


async def test_without_fsync_nothing_is_synced(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport = files(disk=disk, fsync=False, max_open_files=1)
    assert not transport.needs_sync
    for name in "abc":
        await append(transport, tmp_path / name, b"1\n")
    await transport.aclose()
    assert disk.calls["fdatasync"] == disk.calls["fsync"] == 0


async def test_a_failed_sync_is_told_and_done_again(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport, path = files(disk=disk), tmp_path / "x"
    instruction, place = await append_sealed(transport, path, b"1\n")
    disk.fail("fdatasync", errno.EIO)
    with pytest.raises(DestinationError, match=f"cannot sync {path}: Input/output error"):
        await transport.sync()
    await expect_rewritten(transport, disk, instruction, place)
    await append(transport, tmp_path / "new" / "x", b"1\n")
    disk.fail("fsync", errno.EIO)
    with pytest.raises(DestinationError, match=f"cannot sync the folder {tmp_path}.*: Input/output error"):
        await transport.sync()
    before = disk.calls["fsync"]
    await transport.sync()
    assert disk.calls["fsync"] == before + 2  # the new folder, and the one that it is in
    await transport.aclose()


@pytest.mark.parametrize("why", ["rotated", "one too many", "idle", "moved"])
async def test_a_sync_that_fails_as_a_file_is_closed_is_told_by_the_next(tmp_path: Path, why: str) -> None:
    disk, clock, path = FaultyDisk(), Clock(), tmp_path / "x"
    options = {"rotated": {"rotate_size": Size(4)}, "one too many": {"max_open_files": 1}}.get(why, {})
    transport = files(disk=disk, clock=clock, **options)
    instruction, place = await append_sealed(transport, path, b"one\n")
    if why == "idle":
        clock.now += 301
    if why == "moved":
        path.rename(tmp_path / "x.1")
    disk.fail("fdatasync", errno.EIO)
    await append(transport, path if why in ("rotated", "moved") else tmp_path / "y", b"two\n")
    assert disk.calls["fdatasync"] == 1
    with pytest.raises(DestinationError, match=f"cannot sync {path}: Input/output error"):
        await transport.sync()
    await expect_rewritten(transport, disk, instruction, place)
    await transport.aclose()
    assert sorted((tmp_path / name).read_bytes() for name in names(tmp_path)) == [b"one\n", b"two\n"]


async def append_sealed(transport: Files, path: Path, data: bytes) -> tuple[Append, Place]:
    instruction = Append(str(path), data)
    place = await transport.seal(instruction, True)
    assert place is not None
    await transport.perform(instruction)
    return instruction, place


async def expect_rewritten(transport: Files, disk: FaultyDisk, instruction: Append, place: Place) -> None:
    """Sent again after a failed sync it is written anew where it stands, and synced."""
    rewritten, synced = disk.calls["pwrite"], disk.calls["fdatasync"]
    again = Append(instruction.path, instruction.data)
    assert await transport.resume(again, place, distrust=True) == "whole"
    assert disk.calls["pwrite"] == rewritten + 1
    await transport.sync()
    assert disk.calls["fdatasync"] > synced


async def test_a_short_write_goes_on(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport, path = files(disk=disk), tmp_path / "x"
    disk.write_short(3)
    await append(transport, path, b"a long line\n")
    assert path.read_bytes() == b"a long line\n"
    await transport.aclose()


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
async def test_a_full_disk_tears_no_line_and_repeats_none(tmp_path: Path, compression: Any) -> None:
    disk = FaultyDisk()
    transport, path = files(disk=disk, compression=compression), tmp_path / "x"
    await append(transport, path, b"first\n")
    disk.fill_up_after(3)
    instruction = Append(str(path), b"second\n")
    with pytest.raises(DestinationError, match=f"cannot write {path}: No space left on device"):
        await transport.perform(instruction)
    assert instruction.written == 3
    await transport.perform(instruction)
    await append(transport, path, b"third\n")
    await transport.aclose()
    assert unpacked(path, compression) == b"first\nsecond\nthird\n"


def unpacked(path: Path, compression: str) -> bytes:
    data = path.read_bytes()
    if compression == "none":
        return data
    return gzip.decompress(data) if compression == "gzip" else zstd.decompress(data)


async def test_a_half_written_file_that_is_deleted_to_make_room_is_begun_anew(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport, path = files(disk=disk), tmp_path / "x"
    disk.fill_up_after(3)
    instruction = Append(str(path), b"second\n")
    with pytest.raises(DestinationError):
        await transport.perform(instruction)
    path.unlink()
    await transport.perform(instruction)
    assert path.read_bytes() == b"second\n"
    await transport.aclose()


async def test_a_half_written_line_is_ended_where_it_began(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport, path = files(disk=disk), tmp_path / "x"
    disk.fill_up_after(3)
    instruction = Append(str(path), b"second\n")
    with pytest.raises(DestinationError):
        await transport.perform(instruction)
    path.rename(tmp_path / "moved")
    transport.reopen()
    await transport.perform(instruction)
    assert (tmp_path / "moved").read_bytes() == b"second\n"
    await append(transport, path, b"third\n")
    assert path.read_bytes() == b"third\n"
    await transport.aclose()


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced", "another interval", "written by others"])
async def test_what_would_stand_elsewhere_than_sealed_is_sealed_again(tmp_path: Path, how: str) -> None:
    disk, clock, path = FaultyDisk(), Clock(), tmp_path / "x"
    transport = files(disk=disk, clock=clock, rotate_interval=Duration(3600))
    await append(transport, path, b"one\n")
    instruction = Append(str(path), b"two\n")
    await transport.seal(instruction, True)
    disk.fail("write", errno.ENOSPC)
    with pytest.raises(DestinationError, match="No space left on device"):
        await transport.perform(instruction)
    match how:
        case "moved":
            path.rename(tmp_path / "x.1")
        case "deleted":
            path.unlink()
        case "replaced":
            path.rename(tmp_path / "x.1")
            path.write_bytes(b"more\n")
        case "another interval":
            clock.now += 3600
        case "written by others":
            path.write_bytes(b"one\nmore\n")
    with pytest.raises(Moved):
        await transport.perform(instruction)
    await expect_sealed_where_written(transport, instruction)
    await transport.aclose()


async def expect_sealed_where_written(transport: Files, instruction: Append) -> None:
    place = await transport.seal(instruction, True)
    assert place is not None
    assert place == instruction.sealed
    assert not await transport.has_arrived(place)
    await transport.perform(instruction)
    assert await transport.has_arrived(place)


@pytest.mark.parametrize("resumed", [False, True])
async def test_a_half_written_file_that_is_deleted_is_sealed_again(tmp_path: Path, resumed: bool) -> None:
    disk, path = FaultyDisk(), tmp_path / "x"
    path.write_bytes(b"one\n")
    transport, instruction = files(disk=disk), Append(str(path), b"second\n")
    place = await transport.seal(instruction, True)
    assert place is not None
    disk.fill_up_after(3)
    with pytest.raises(DestinationError, match="No space left on device"):
        await transport.perform(instruction)
    if resumed:
        instruction = Append(str(path), b"second\n")
        assert await transport.resume(instruction, place, distrust=False) == "part"
    path.unlink()
    with pytest.raises(Moved):
        await transport.perform(instruction)
    assert instruction.written == 0
    await expect_sealed_where_written(transport, instruction)
    assert path.read_bytes() == b"second\n"
    await transport.aclose()


async def test_a_line_end_that_was_missing_moves_nothing(tmp_path: Path) -> None:
    disk, path = FaultyDisk(), tmp_path / "x"
    path.write_bytes(b"cut")
    transport, instruction = files(disk=disk), Append(str(path), b"one\n")
    place = await transport.seal(instruction, True)
    assert place is not None
    disk.fill_up_after(1)
    with pytest.raises(DestinationError, match="No space left on device"):
        await transport.perform(instruction)
    await transport.perform(instruction)
    assert path.read_bytes() == b"cut\none\n"
    assert await transport.has_arrived(place)
    await transport.aclose()


async def test_a_last_line_cut_by_a_crash_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b'{"a":1}\n{"b"')
    disk = FaultyDisk()
    transport = files(disk=disk)
    disk.fail("write", errno.ENOSPC)
    instruction = Append(str(path), b'{"c":3}\n')
    with pytest.raises(DestinationError):
        await transport.perform(instruction)
    await transport.perform(instruction)
    await transport.aclose()
    assert path.read_bytes() == b'{"a":1}\n{"b"\n{"c":3}\n'


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_what_a_crash_left_of_a_member_is_cut_off(tmp_path: Path, compression: Any) -> None:
    path = tmp_path / "x"
    members = [compress(data, compression) for data in (b"one\n", b"two\n", b"three\n")]
    path.write_bytes(b"".join(members)[:-5])
    transport = files(compression=compression)
    await append(transport, path, b"four\n")
    await transport.aclose()
    assert unpacked(path, compression) == b"one\ntwo\nfour\n"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("content", [b"plain text\n", None])
async def test_a_file_that_is_not_so_compressed_is_kept_aside(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.gz"
    member = compress(b"one\n" * 100, "gzip")
    damaged = content or member[:15] + bytes([member[15] ^ 255]) + member[16:] + member
    path.write_bytes(damaged)
    transport = files(compression="gzip")
    await append(transport, path, b"two\n")
    await transport.aclose()
    assert (tmp_path / "x.1.gz").read_bytes() == damaged
    assert gzip.decompress(path.read_bytes()) == b"two\n"


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_a_compressed_file_is_whole_after_every_batch(tmp_path: Path, compression: Any) -> None:
    transport, path = files(compression=compression), tmp_path / "x"
    expected = b""
    for number in range(3):
        data = b'{"n":%d}\n' % number * 10_000 ** (number == 1)  # the second is compressed in a thread
        await append(transport, path, data)
        expected += data
        assert unpacked(path, compression) == expected
    await transport.aclose()


async def test_a_closed_compressed_file_is_not_read_again(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport = files(disk=disk, compression="gzip", max_open_files=1)
    for _ in range(2):
        for name in ("a", "b"):
            await append(transport, tmp_path / name, b"1\n")
    assert disk.calls["pread"] == 0
    await transport.aclose()
    assert gzip.decompress((tmp_path / "a").read_bytes()) == b"1\n1\n"


async def test_rotation_by_size_keeps_so_many(tmp_path: Path) -> None:
    transport, path = files(rotate_size=Size(8), keep=2), tmp_path / "x.log"
    for number in range(7):
        await append(transport, path, b"%d23\n" % number)
    assert names(tmp_path) == ["x.log", "x.log.1", "x.log.2"]
    assert path.read_bytes() == b"623\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"423\n523\n"
    assert (tmp_path / "x.log.2").read_bytes() == b"223\n323\n"
    await transport.aclose()


async def test_what_was_rotated_away_is_synced(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport, path = files(disk=disk, rotate_size=Size(4)), tmp_path / "x"
    await append(transport, path, b"one\n")
    await append(transport, path, b"two\n")
    assert disk.calls["fdatasync"] == 1
    await transport.aclose()


async def test_a_gap_in_the_numbers_moves_no_more_than_needed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    (tmp_path / "x.2").write_bytes(b"old\n")
    transport = files(rotate_size=Size(4))
    await append(transport, path, b"one\n")
    await append(transport, path, b"two\n")
    await transport.aclose()
    assert [(tmp_path / name).read_bytes() for name in ("x", "x.1", "x.2")] == [b"two\n", b"one\n", b"old\n"]


async def test_rotation_by_time(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = 86_400 * 100 - 10
    transport, path = files(clock=clock, rotate_interval=Duration(86_400)), tmp_path / "x"
    await append(transport, path, b"today\n")
    clock.now += 9
    await append(transport, path, b"still today\n")
    clock.now += 1
    await append(transport, path, b"tomorrow\n")
    await transport.aclose()
    assert path.read_bytes() == b"tomorrow\n"
    assert (tmp_path / "x.1").read_bytes() == b"today\nstill today\n"


async def test_a_file_of_an_earlier_interval_is_rotated_after_a_restart(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "x"
    path.write_bytes(b"old\n")
    os.utime(path, (clock.now - 4000, clock.now - 4000))
    transport = files(clock=clock, rotate_interval=Duration(3600))
    await append(transport, path, b"new\n")
    await transport.aclose()
    assert (tmp_path / "x.1").read_bytes() == b"old\n"
    assert path.read_bytes() == b"new\n"


async def test_a_rotation_that_fails_is_done_again(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport, path = files(disk=disk, rotate_size=Size(4)), tmp_path / "x"
    await append(transport, path, b"one\n")
    disk.fail("rename", errno.EACCES)
    instruction = Append(str(path), b"two\n")
    with pytest.raises(DestinationError, match="Permission denied"):
        await transport.perform(instruction)
    await transport.perform(instruction)
    await transport.aclose()
    assert (tmp_path / "x.1").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


def test_names_of_rotated_files() -> None:
    assert rotated_path("a/x.log", 1) == "a/x.log.1"
    assert rotated_path("a/x.log.gz", 2) == "a/x.log.2.gz"
    assert rotated_path("a/x.zst", 3) == "a/x.3.zst"


@pytest.mark.parametrize("how", ["moved", "deleted", "folder", "replaced"])
async def test_what_others_take_away_is_opened_anew(tmp_path: Path, how: str) -> None:
    transport, path = files(), tmp_path / "logs" / "x"
    await append(transport, path, b"one\n")
    match how:
        case "moved":
            path.rename(tmp_path / "moved")
        case "deleted":
            path.unlink()
        case "folder":
            path.unlink()
            path.parent.rmdir()
        case "replaced":
            path.rename(tmp_path / "moved")
            path.write_bytes(b"theirs\n")
    await append(transport, path, b"two\n")
    assert path.read_bytes() == (b"theirs\ntwo\n" if how == "replaced" else b"two\n")
    await transport.sync()
    await transport.aclose()


async def test_reopen_opens_anew(tmp_path: Path) -> None:
    disk = FaultyDisk()
    transport, path = files(disk=disk), tmp_path / "x"
    await append(transport, path, b"one\n")
    transport.reopen()
    await append(transport, path, b"two\n")
    assert disk.calls["close"] >= 1
    assert path.read_bytes() == b"one\ntwo\n"
    await transport.aclose()


async def test_no_more_files_are_open_than_allowed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    transport = files(max_open_files=3)
    for number in range(20):
        await append(transport, tmp_path / str(number % 5), b"%d\n" % number)
    assert len(os.listdir("/proc/self/fd")) <= before + 4  # trio's threads may have one of their own
    await transport.aclose()
    assert (tmp_path / "0").read_bytes() == b"0\n5\n10\n15\n"


async def test_an_idle_file_is_closed(tmp_path: Path) -> None:
    disk, clock = FaultyDisk(), Clock()
    transport = files(disk=disk, clock=clock)
    await append(transport, tmp_path / "yesterday", b"1\n")
    await append(transport, tmp_path / "today", b"1\n")
    clock.now += 301
    closed = disk.calls["close"]
    await append(transport, tmp_path / "today", b"2\n")
    assert disk.calls["close"] == closed + 1
    await transport.aclose()


async def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    transport = files()
    with pytest.raises(DestinationError, match="Is a directory"):
        await append(transport, tmp_path, b"x\n")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DestinationError, match="No such device or address"):
        await append(transport, tmp_path / "pipe", b"x\n")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(DestinationError, match="neither a regular file nor a character device"):
        await append(transport, tmp_path / "pipe", b"x\n")
    os.close(reader)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DestinationError, match="Not a directory"):
        await append(transport, tmp_path / "file" / "x", b"x\n")
    await transport.aclose()


async def test_devices() -> None:
    transport = files()
    await transport.perform(Append("/dev/null", b"x\n"))
    with pytest.raises(DestinationError, match="cannot write /dev/full: No space left on device"):
        await transport.perform(Append("/dev/full", b"x\n"))
    await transport.sync()
    await transport.aclose()


async def test_links_are_followed_only_where_the_path_is_fixed(tmp_path: Path) -> None:
    path, target = tmp_path / "link", tmp_path / "target"
    path.symlink_to(target)
    fixed = files("fixed")
    await append(fixed, path, b"one\n")
    await append(fixed, path, b"two\n")
    await fixed.aclose()
    assert target.read_bytes() == b"one\ntwo\n"
    by_event = files("{app}")
    with pytest.raises(DestinationError, match="it is a symbolic link, and events name this path"):
        await append(by_event, path, b"three\n")
    await by_event.aclose()
    assert target.read_bytes() == b"one\ntwo\n"


@given(
    appends=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30)), max_size=20),
    faults=st.lists(st.integers(1, 20), max_size=6),
    limit=st.none() | st.integers(5, 60),
    open_files=st.integers(1, 3),
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_fails_each_line_arrives_once_whole_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    appends: list[tuple[str, int]],
    faults: list[int],
    limit: int | None,
    open_files: int,
) -> None:
    folder = tmp_path_factory.mktemp("files")
    disk = FaultyDisk()
    size = None if limit is None else Size(limit)
    transport = files(disk=disk, rotate_size=size, keep=100, max_open_files=open_files)

    async def run() -> None:
        for number, (name, length) in enumerate(appends):
            if number < len(faults):
                disk.fill_up_after(faults[number])
            instruction = Append(str(folder / name), b"%03d" % number + b"x" * length + b"\n")
            for _ in range(3):
                try:
                    await transport.perform(instruction)
                    break
                except DestinationError:
                    pass
        await transport.aclose()

    trio.run(run)
    for name in "abc":
        parts = [*sorted(folder.glob(f"{name}.*"), key=lambda path: -int(path.suffix[1:])), folder / name]
        content = b"".join(path.read_bytes() for path in parts if path.exists())
        expected = [b"%03d" % n + b"x" * length for n, (to, length) in enumerate(appends) if to == name]
        assert content.split(b"\n")[:-1] == expected


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_whole_bytes_finds_the_end_of_the_last_member(compression: Any) -> None:
    members = [compress(b"data %d" % number * 50, compression) for number in range(3)]
    data = b"".join(members)
    ends = [0, len(members[0]), len(members[0] + members[1]), len(data)]
    for length in range(len(data) + 1):
        pieces = [data[start : min(start + 7, length)] for start in range(0, length, 7)]
        assert whole_bytes(pieces, compression) == max(end for end in ends if end <= length)
    assert whole_bytes([b"plain text, and more of it"], compression) is None


def test_compression_is_the_same_each_time() -> None:
    for compression in ("gzip", "zstd"):
        assert compress(b"data" * 99, compression) == compress(b"data" * 99, compression)
    assert compress(b"data", "none") == b"data"


@pytest.mark.slow
async def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "small", "64k") as small:
        transport, ballast, path = files(), small / "ballast", small / "x"
        ballast.write_bytes(bytes(40_000))
        instruction = Append(str(path), b"0123456\n" * 5000)
        with pytest.raises(DestinationError, match="No space left on device"):
            await transport.perform(instruction)
        assert 0 < instruction.written < 40_000
        ballast.unlink()
        await transport.perform(instruction)
        await transport.aclose()
        assert path.read_bytes() == instruction.data
