"""The disk that crashes: a fake must itself be right, or what it proves is nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.crashing import SECTOR_BYTES, CrashingDisk, Killed
from logrouter.runtime.disk import exists, make_folders, opened, read_file, sync_folder

NEW = os.O_RDWR | os.O_CREAT
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def put(disk: CrashingDisk, path: str, data: bytes, *, synced: bool = False) -> None:
    with opened(disk, path, APPEND) as fd:
        disk.write(fd, data)
        if synced:
            disk.fdatasync(fd)
    if synced:
        sync_folder(disk, os.path.dirname(path))


def after_power_cuts(make: Any, look: Any, tries: int = 200) -> set[Any]:
    """What a look may find, by many random power cuts."""
    found = set()
    for seed in range(tries):
        disk = CrashingDisk(Random(seed))
        make(disk)
        disk.crash(power=True)
        found.add(look(disk))
    return found


def test_after_kill_all_that_was_written_is_there() -> None:
    disk = CrashingDisk()
    put(disk, "/a", b"one")
    fd = disk.open("/a", os.O_RDONLY)
    disk.crash()
    assert read_file(disk, "/a") == b"one"
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.pread(fd, 1, 0)
    assert disk.open_files == 0


@pytest.mark.parametrize("steps", range(9))
def test_a_kill_cuts_a_write_anywhere(steps: int) -> None:
    disk = CrashingDisk()
    put(disk, "/a", b"one")
    disk.kill_after(steps)

    def go_on() -> None:
        put(disk, "/a", b"two")
        put(disk, "/a", b"three")
        disk.unlink("/a")

    with pytest.raises(Killed):
        go_on()
    with pytest.raises(Killed):
        disk.unlink("/a")
    with pytest.raises(Killed):
        disk.stat("/a")
    disk.crash()
    assert read_file(disk, "/a") == b"onetwothree"[: 3 + steps]


def test_what_was_synced_outlives_a_power_cut() -> None:
    def make(disk: CrashingDisk) -> None:
        make_folders(disk, "/x/y")
        put(disk, "/x/y/a", b"one", synced=True)
        for folder in ("/", "/x"):
            sync_folder(disk, folder)
        put(disk, "/x/y/a", b"two")

    assert after_power_cuts(make, lambda disk: read_file(disk, "/x/y/a")) == {b"one", b"onetwo", b"one\0\0\0"}


def test_a_name_may_be_lost_with_all_that_is_behind_it() -> None:
    def make(disk: CrashingDisk) -> None:
        make_folders(disk, "/x")
        put(disk, "/x/a", b"one", synced=True)

    assert after_power_cuts(make, lambda disk: exists(disk, "/x/a")) == {True, False}


def test_writes_are_torn_at_sectors_and_reordered() -> None:
    def make(disk: CrashingDisk) -> None:
        fd = disk.open("/a", NEW)
        sync_folder(disk, "/")
        disk.pwrite(fd, b"1" * SECTOR_BYTES + b"2" * SECTOR_BYTES, 0)
        disk.pwrite(fd, b"3" * SECTOR_BYTES, 0)

    def look(disk: CrashingDisk) -> bytes:
        return read_file(disk, "/a")[::SECTOR_BYTES]

    assert after_power_cuts(make, look) == {b"", *(b"1", b"3", b"12", b"32", b"\x002"), b"\0\0", b"1\0", b"3\0"}


def test_truncations_and_removals_may_be_lost() -> None:
    def make(disk: CrashingDisk) -> None:
        put(disk, "/a", b"12345", synced=True)
        put(disk, "/b", b"b", synced=True)
        with opened(disk, "/a", os.O_WRONLY) as fd:
            disk.ftruncate(fd, 2)
        disk.unlink("/b")

    found = after_power_cuts(make, lambda disk: (read_file(disk, "/a"), exists(disk, "/b")))
    assert found == {(b"12", True), (b"12", False), (b"12345", True), (b"12345", False)}


def test_a_rename_within_a_folder_is_one_change() -> None:
    def make(disk: CrashingDisk) -> None:
        put(disk, "/a", b"a", synced=True)
        disk.rename("/a", "/b")

    assert after_power_cuts(make, lambda disk: tuple(disk.listdir("/"))) == {("a",), ("b",)}


def test_what_a_failed_sync_has_dropped_is_lost_if_it_is_not_written_again() -> None:
    def make(disk: CrashingDisk) -> None:
        put(disk, "/a", b"one", synced=True)
        with opened(disk, "/a", APPEND) as fd:
            disk.write(fd, b"two")
            disk.fail("fdatasync", errno.EIO)
            with pytest.raises(OSError, match="Input/output error"):
                disk.fdatasync(fd)
            disk.fdatasync(fd)
        assert read_file(disk, "/a") == b"onetwo"

    assert after_power_cuts(make, lambda disk: read_file(disk, "/a")[:6]) <= {b"one", b"one\0\0\0"}


def test_a_full_disk_takes_what_fits() -> None:
    disk = CrashingDisk()
    put(disk, "/a", b"12345")
    disk.free_bytes = 3
    with opened(disk, "/a", APPEND) as fd:
        assert disk.write(fd, b"67890") == 3
        with pytest.raises(OSError, match="No space left"):
            disk.write(fd, b"90")
    with opened(disk, "/a", os.O_WRONLY) as fd:
        assert disk.pwrite(fd, b"xyz", 1) == 3  # what is there takes no more room
        with pytest.raises(OSError, match="No space left"):
            disk.posix_fallocate(fd, 0, 9)
    assert read_file(disk, "/a") == b"1xyz5678"
    disk.unlink("/a")
    assert disk.free_bytes == 8


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_it_does_what_a_real_one_does(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """The same calls on both give the same: values, errors, contents."""
    root, disk = tmp_path_factory.mktemp("disk"), CrashingDisk()
    fds: list[tuple[int, int]] = []
    path = st.sampled_from(["a", "b", "x/a", "x", "x/y/b", "missing/a"])
    flags = st.sampled_from(
        [
            *(os.O_RDONLY, os.O_RDWR, NEW, APPEND, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
            *(NEW | os.O_TRUNC, os.O_RDONLY | os.O_DIRECTORY),
        ]
    )
    payload, small = st.binary(min_size=1, max_size=9), st.integers(0, 12)
    for _ in range(data.draw(st.integers(1, 25))):
        name = data.draw(st.sampled_from(["open", "path", "fd"]))
        if name == "open":
            where, how = data.draw(path), data.draw(flags)
            both = tried(os, "open", str(root / where), how, 0o600), tried(disk, "open", where, how, 0o600)
            assert type(both[0]) is type(both[1])
            if isinstance(both[0], int):
                fds.append(both)
            else:
                assert both[0] == both[1]
        elif name == "path":
            call = data.draw(st.sampled_from(["mkdir", "unlink", "listdir"]))
            where = data.draw(path)
            real = tried(os, call, str(root / where))
            assert sorted_if_list(real) == tried(disk, call, where)
        elif fds:
            real_fd, fake_fd = data.draw(st.sampled_from(fds))
            call = data.draw(st.sampled_from(["write", "writev", "pwrite", "pread", "ftruncate", "posix_fallocate"]))
            match call:
                case "write":
                    arguments: tuple[Any, ...] = (data.draw(payload),)
                case "writev":
                    arguments = ([data.draw(payload), data.draw(payload)],)
                case "pwrite":
                    arguments = (data.draw(payload), data.draw(small))
                case "pread":
                    arguments = (data.draw(small), data.draw(small))
                case "ftruncate":
                    arguments = (data.draw(small),)
                case _:
                    arguments = (data.draw(small), data.draw(st.integers(1, 9)))
            real, fake = tried(os, call, real_fd, *arguments), tried(disk, call, fake_fd, *arguments)
            if not isinstance(real, str):
                assert real == fake
            else:
                assert isinstance(fake, str)
    for real_fd, fake_fd in fds:
        assert os.fstat(real_fd).st_size == disk.fstat(fake_fd).st_size or os.fstat(real_fd).st_mode & 0o40000
        assert os.fstat(real_fd).st_nlink == disk.fstat(fake_fd).st_nlink or os.fstat(real_fd).st_mode & 0o40000
        os.close(real_fd)
    assert contents(root) == {where: read_file(disk, where) for where in contents(root)}


def tried(module: Any, function: str, *arguments: Any) -> Any:
    """What a call gives, or the name of its error."""
    try:
        return getattr(module, function)(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def sorted_if_list(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
