"""inotify, and what becomes of files where it cannot be had: real descriptors, virtual time."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from logrouter.runtime.tailing import inotify, watching
from logrouter.runtime.tailing.globs import Look, Patterns
from logrouter.runtime.tailing.inotify import Inotify, silent_file_system
from logrouter.runtime.tailing.watching import SAFETY_SECONDS, Watching
from tests.runtime.tailing.following import Emitted, append, following


def test_events_of_files_tell_which_and_whether_it_was_more_than_growing(tmp_path: Path) -> None:
    watched, paths = Inotify(), [tmp_path / "a", tmp_path / "b"]
    numbers = []
    for path in paths:
        path.write_bytes(b"")
        fd = os.open(path, os.O_RDONLY)
        numbers.append(watched.watch_file(fd))
        os.close(fd)
    assert watched.changed_files() == (set(), False)
    append(paths[1], b"more")
    assert watched.changed_files() == ({numbers[1]}, False)
    append(paths[1], b"more")
    paths[0].rename(tmp_path / "c")
    assert watched.changed_files() == (set(numbers), True)
    watched.unwatch(numbers[0])
    watched.unwatch(numbers[0])
    watched.close()


def test_a_folder_has_one_number_and_tells_of_what_appears(tmp_path: Path) -> None:
    watched = Inotify()
    assert watched.watch_folder(str(tmp_path)) == watched.watch_folder(str(tmp_path))
    (tmp_path / "a").write_bytes(b"")
    assert os.read(watched.fd, 1000)
    (tmp_path / "b").write_bytes(b"")
    watched.drain()
    with pytest.raises(BlockingIOError):
        os.read(watched.fd, 1000)
    with pytest.raises(NotADirectoryError):
        watched.watch_folder(str(tmp_path / "a"))
    watched.close()


def test_file_systems_that_others_write_to_are_known() -> None:
    assert silent_file_system("/proc") is None
    with pytest.raises(FileNotFoundError):
        silent_file_system("/nonexistent")


@pytest.mark.parametrize("fails", ["inotify_init1", "inotify_add_watch", "overlay"])
async def test_where_it_cannot_be_had_one_looks(
    tmp_path: Path, fails: str, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    real = inotify._call

    def call(name: str, *arguments: object) -> int:
        if name == fails:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(name, *arguments)

    monkeypatch.setattr(inotify, "_call", call)
    if fails == "overlay":
        monkeypatch.setattr(watching, "silent_file_system", lambda path: "overlay")
    (tmp_path / "a.log").write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted, poll_interval_seconds=0.5):
        append(tmp_path / "a.log", b"two\n")
        (tmp_path / "b.log").write_bytes(b"three\n")
        await trio.sleep(1)
        assert emitted.lines == [b"one", b"two", b"three"]


async def test_where_it_stays_silent_one_looks_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(Inotify, "changed_files", lambda self: (self.drain() or set(), False))
    (tmp_path / "a.log").write_bytes(b"one\n")
    emitted = Emitted()
    async with following(tmp_path, emitted):
        append(tmp_path / "a.log", b"two\n")
        await trio.sleep(SAFETY_SECONDS / 2)
        assert emitted.lines == [b"one"]
        await trio.sleep(SAFETY_SECONDS)
        assert emitted.lines == [b"one", b"two"]


async def test_what_could_not_be_noticed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    def call(name: str, *arguments: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(inotify, "_call", call)
    emitted = Emitted()
    async with following(tmp_path, emitted):
        await trio.sleep(100)
    assert [fields for _, fields in emitted.warnings] == [{"reason": "Too many open files"}]


def test_what_a_thread_looks_with_is_closed_when_nobody_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source may stop meanwhile, and does not wait for a file system that hangs."""
    watched = Watching(Patterns([f"{tmp_path}/*"]), 1.0, poll=False)
    folders, open_then = watched._folders, []
    assert folders is not None

    def look(patterns: Patterns, watch: Callable[[str], None]) -> Look:
        watched.close()
        open_then.append(folders.hold())
        folders.close()
        watch(str(tmp_path))
        return Look()

    monkeypatch.setattr(Patterns, "look", look)
    watched.look()
    assert (open_then, watched.trouble) == ([True], None)
    assert not folders.hold()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(folders.fd)
