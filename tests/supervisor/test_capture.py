"""Capture files: written by the supervisor, read by the router, and whatever somebody does to them in between."""

from __future__ import annotations

import errno
import json
import os
import shutil
from codecs import BOM_UTF8
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from logrouter.framing import Frame, LineFraming
from logrouter.positions import Position
from logrouter.runtime.progress import NOTHING, Progress, Skip
from logrouter.sources import LinesConfig, Stream
from logrouter.sources._captured import CapturedStream, FromFiles
from logrouter.sources._wake import Wake
from logrouter.supervisor.capture import RETRY_SECONDS, Capture, Room

EVER = float("inf")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def lines_of(stream: CapturedStream) -> list[bytes]:
    """All that can be read now."""
    lines = []
    while (frame := stream.read()) is not None:
        lines += frame.lines
    return lines


def marked(stream: CapturedStream) -> list[tuple[bytes, int]]:
    """All that can be read now: each line, and whether it is a piece of one."""
    found = []
    while (frame := stream.read()) is not None:
        found += marks_in(frame)
    return found


def marks_in(frame: Frame) -> list[tuple[bytes, int]]:
    return [(line, frame.marks.get(place, 0)) for place, line in enumerate(frame.lines)]


def reader(folder: Path, position: bytes = b"0") -> CapturedStream:
    stream = CapturedStream(str(folder), "stdout", partial(LineFraming, 1024))
    stream.resume(position)
    return stream


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────


def test_files_are_private_and_named_by_where_they_begin(tmp_path: Path, pipe: tuple[int, int]) -> None:
    folder = tmp_path / "capture"
    capture = Capture(Room(str(folder), 80, None), "stdout", 5)
    for _ in range(3):
        os.write(pipe[1], b"123456789\n")
        assert capture.splice(pipe[0], 0.0) == 10
    capture.close()

    assert names(folder) == [f"stdout-{begin:016x}.log" for begin in (5, 15, 25)]
    assert {(folder / name).stat().st_mode & 0o777 for name in names(folder)} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("reason", [errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP])
def test_what_cannot_be_spliced_is_written(
    tmp_path: Path, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*arguments: object, **options: object) -> int:
        raise OSError(reason, "no file to splice into")

    monkeypatch.setattr(os, "splice", refuse)
    capture = Capture(Room(str(tmp_path), 1000, None), "stdout", 0)
    os.write(pipe[1], b"one\n")
    assert capture.splice(pipe[0], 0.0) is None
    assert not capture.splices
    assert capture.write(memoryview(os.read(pipe[0], 100)), 0.0) == b""
    assert lines_of(reader(tmp_path)) == [b"one"]


def test_it_goes_on_behind_what_was_read_and_what_earlier_apps_have_left(tmp_path: Path) -> None:
    room = Room(str(tmp_path), 1000, None)
    first = Capture(room, "stdout", 100)
    first.write(memoryview(b"one\nunfinished"), 0.0)
    first.close()
    second = Capture(room, "stdout", 104)
    second.write(memoryview(b"two\n"), 0.0)
    second.close()
    third = Capture(room, "stdout", 500)
    third.write(memoryview(b"three\n"), 0.0)

    assert names(tmp_path) == [f"stdout-{begin:016x}.log" for begin in (100, 115, 500)]
    assert lines_of(reader(tmp_path, b"100")) == [b"one", b"unfinished", b"two", b"three"]


def test_a_stream_that_says_nothing_leaves_no_file(tmp_path: Path) -> None:
    source, writer = os.pipe()
    os.close(writer)
    capture = Capture(Room(str(tmp_path), 1000, None), "stdout", 5)
    assert capture.splice(source, 0.0) == 0
    capture.close()
    os.close(source)
    assert names(tmp_path) == []


def test_an_empty_file_that_a_killed_one_has_left_is_written_into(tmp_path: Path) -> None:
    (tmp_path / f"stdout-{5:016x}.log").touch()
    capture = Capture(Room(str(tmp_path), 1000, None), "stdout", 5)
    assert capture.write(memoryview(b"one\n"), 0.0) == b""
    assert lines_of(reader(tmp_path, b"5")) == [b"one"]


def test_one_that_holds_anything_is_not_written_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    room = Room(str(tmp_path), 1000, None)
    capture = Capture(room, "stdout", 5)
    (tmp_path / f"stdout-{5:016x}.log").write_bytes(b"of somebody else\n")
    assert capture.write(memoryview(b"one\n"), 0.0) == b"one\n"
    assert lines_of(reader(tmp_path, b"5")) == [b"of somebody else"]
    assert "File exists" in capfd.readouterr().err


# ── room ──────────────────────────────────────────────────────────────────────────────────────────────


def test_when_there_is_no_room_it_waits_once_and_then_discards_the_oldest(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    room = Room(str(tmp_path), 80, 10.0)
    capture = Capture(room, "stdout", 0)
    blocks = [memoryview(b"%09d\n" % number) for number in range(20)]
    for block in blocks[:8]:
        assert capture.write(block, 0.0) == b""
    assert capture.write(blocks[8], 0.0) == blocks[8]
    assert capture.write(blocks[8], 10.0 - RETRY_SECONDS) == blocks[8]
    assert capture.write(blocks[8], 10.0) == b""  # instead of block 0
    assert capture.write(blocks[9], 10.1) == b""  # and this instead of block 1, without another wait
    stream = reader(tmp_path)
    assert lines_of(stream) == [bytes(block[:-1]) for block in blocks[2:10]]
    assert stream.take_lost() == 20
    room.discarded.tell_rest()
    complaints = capfd.readouterr().err
    assert complaints.count("the app waits") == 1
    assert complaints.count("discarded") == 2  # the first at once

    stream.is_safe(b"100")  # the router has got on: it waits again
    assert names(tmp_path) == [f"stdout-{90:016x}.log"]
    for block in blocks[10:17]:
        assert capture.write(block, 20.0) == b""
    assert capture.write(blocks[17], 20.0) == blocks[17]


def test_it_waits_for_ever_where_that_was_asked_for(tmp_path: Path) -> None:
    capture = Capture(Room(str(tmp_path), 8, None), "stdout", 0)
    capture.write(memoryview(b"1234567\n"), 0.0)
    assert capture.write(memoryview(b"more"), 1e9) == b"more"


def test_what_the_disk_refuses_is_tried_again_and_discarded_at_last(
    tmp_path: Path, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = Capture(Room(str(tmp_path), 1000, 10.0), "stdout", 0)
    full = [True]
    real = os.splice

    def splice(source: int, target: int, count: int, flags: int) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "no space")
        return real(source, target, count, flags=flags)

    monkeypatch.setattr(os, "splice", splice)
    os.write(pipe[1], b"one\n")
    assert capture.splice(pipe[0], 0.0) is None
    assert capture.splice(pipe[0], 1.0) is None
    assert capture.splice(pipe[0], 10.5) == 4  # gone: the app waits no longer
    full[0] = False
    os.write(pipe[1], b"two\n")
    assert capture.splice(pipe[0], 20.0) == 4
    stream = reader(tmp_path)
    assert lines_of(stream) == [b"two"]
    assert stream.take_lost() == 4


@pytest.mark.parametrize("max_bytes", [80, 1000])
def test_where_nothing_can_be_written_nor_deleted_what_comes_is_discarded(
    max_bytes: int, tmp_path: Path, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that has become read-only, be it before or after the files take all the room they may."""
    capture = Capture(Room(str(tmp_path), max_bytes, 1.0), "stdout", 0)
    for number in range(8):
        capture.write(memoryview(b"%09d\n" % number), 0.0)
    monkeypatch.setattr(os, "unlink", refuse)
    monkeypatch.setattr(os, "splice", lambda *arguments, **options: refuse(tmp_path))
    os.write(pipe[1], b"lost\n")
    moved, now = None, 0.5
    while moved is None and now < 10:
        moved, now = capture.splice(pipe[0], now), now + 0.5
    assert moved == 5
    assert now < 5, "the app waits no longer"
    monkeypatch.undo()
    os.write(pipe[1], b"kept\n")
    assert capture.splice(pipe[0], 9.0) == 5
    assert lines_of(reader(tmp_path))[-1] == b"kept"


def test_what_is_discarded_is_told_at_once_and_then_once_a_minute_all_together(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    room = Room(str(tmp_path), 80, 0.0)
    capture = Capture(room, "stdout", 0)

    def told() -> list[tuple[str, int]]:
        found = map(json.loads, capfd.readouterr().err.splitlines())
        return [(event["message"].partition(":")[0], event.get("bytes", 0)) for event in found]

    full, discarded = (
        "the capture files take all the room they may",
        "output of the app is discarded before it was read",
    )
    left = 0
    for number in range(100):  # ten files of ten bytes a second
        left += len(capture.write(memoryview(b"%09d\n" % number), number / 10))
    ((first, _), (second, first_bytes)) = told()
    assert (first, second) == (full, discarded)
    for number in range(100, 110):
        left += len(capture.write(memoryview(b"%09d\n" % number), 60.0 + number / 10))
    ((message, more_bytes),) = (told_now for told_now in told() if told_now[0] == discarded)
    room.discarded.tell_rest()
    ((message, last_bytes),) = told()
    assert message == discarded
    assert first_bytes + more_bytes + last_bytes == 110 * 10 - left - room.size()
    room.discarded.tell_rest()
    assert told() == []


def test_a_disk_that_stays_full_is_not_filled_with_empty_files(
    tmp_path: Path, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "splice", refuse)
    capture = Capture(Room(str(tmp_path), 1000, 1.0), "stdout", 0)
    for now in range(5):
        os.write(pipe[1], b"one\n")
        capture.splice(pipe[0], float(now))
    assert names(tmp_path) == []


@pytest.mark.parametrize("splices", [True, False])
def test_a_folder_that_cannot_be_looked_at_is_a_disk_that_refuses(
    tmp_path: Path, pipe: tuple[int, int], splices: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """The app goes on: what it writes is discarded once it has waited for as long as for room."""
    folder = tmp_path / "capture"
    room = Room(str(folder), 64, 10.0)
    capture = Capture(room, "stdout", 0)
    assert capture.write(memoryview(b"1234567\n" * 8), 0.0) == b""
    shutil.rmtree(folder)
    folder.touch()  # no folder any more
    os.write(pipe[1], b"more")

    def try_at(now: float) -> int | bytes | None:
        return capture.splice(pipe[0], now) if splices else bytes(capture.write(memoryview(b"more"), now))

    assert [try_at(now) for now in (0.0, 5.0, 10.0)] == ([None, None, 4] if splices else [b"more", b"more", b""])
    assert room.size() == 64
    assert "Not a directory" in capfd.readouterr().err


def test_behind_what_was_discarded_nothing_is_taken_for_read(tmp_path: Path) -> None:
    """A router was killed behind one event of the three that it was appending; then these were discarded."""
    folder = tmp_path / "capture"
    capture = Capture(Room(str(folder), 64, None), "stdout", 0)
    capture.write(memoryview(b"before1\n" * 3 + b"behind1\nbehind2\n"), 0.0)
    for name in names(folder)[:3]:
        (folder / name).unlink()
    stream = reader(folder, b"0")
    progress = Progress("app", {"stdout": Position(b"0", events=1)})
    assert progress.to_skip(stream.stream) == Skip(0, 1)
    frame = stream.read()
    assert frame is not None
    assert frame.lines == []
    progress.has_reached(stream.stream, stream.position)
    assert progress.to_skip(stream.stream) == NOTHING
    assert lines_of(stream) == [b"behind1", b"behind2"]


# ── what somebody else does to them ───────────────────────────────────────────────────────────────────


def test_a_file_that_was_truncated_costs_what_was_in_it_and_no_more(tmp_path: Path) -> None:
    capture = Capture(Room(str(tmp_path), 1000, None), "stdout", 0)
    stream = reader(tmp_path)
    capture.write(memoryview(b"one\n"), 0.0)
    assert lines_of(stream) == [b"one"]
    capture.write(memoryview(b"two\nhalf"), 0.0)
    os.truncate(tmp_path / names(tmp_path)[0], 0)
    capture.write(memoryview(b" and half\nthree\n"), 0.0)
    assert lines_of(stream) == [b" and half", b"three"]
    assert stream.take_lost() == 8


def test_a_file_that_was_deleted_is_read_by_whoever_has_it_open(tmp_path: Path) -> None:
    capture = Capture(Room(str(tmp_path), 1000, None), "stdout", 0)
    stream = reader(tmp_path)
    capture.write(memoryview(b"one\n"), 0.0)
    assert lines_of(stream) == [b"one"]
    capture.write(memoryview(b"two\n"), 0.0)
    os.unlink(tmp_path / names(tmp_path)[0])
    capture.write(memoryview(b"three\n"), 0.0)
    later = reader(tmp_path, stream.position)
    assert lines_of(stream) == [b"two", b"three"]
    assert stream.take_lost() == 0
    assert lines_of(later) == [b"three"]
    assert later.take_lost() == 4


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "capture"
    capture = Capture(Room(str(folder), 1000, None), "stdout", 0)
    capture.write(memoryview(b"one\n"), 0.0)
    (folder / names(folder)[0]).unlink()
    folder.rmdir()
    capture.write(memoryview(b"two\n"), 0.0)
    assert lines_of(reader(folder, b"4")) == [b"two"]


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_safe_is_deleted_but_for_the_file_being_written(tmp_path: Path) -> None:
    capture = Capture(Room(str(tmp_path), 80, None), "stdout", 0)
    for number in range(3):
        capture.write(memoryview(b"%09d\n" % number), 0.0)
    stream = reader(tmp_path)
    lines_of(stream)
    stream.is_safe(b"15")
    assert names(tmp_path) == [f"stdout-{begin:016x}.log" for begin in (10, 20)]
    stream.is_safe(b"30")
    assert names(tmp_path) == [f"stdout-{20:016x}.log"]
    stream.clear()
    assert names(tmp_path) == []


def test_what_was_safe_before_is_cleared_too(tmp_path: Path) -> None:
    Capture(Room(str(tmp_path), 80, None), "stdout", 0).write(memoryview(b"one\n"), 0.0)
    reader(tmp_path, b"4").clear()
    assert names(tmp_path) == []


def test_what_is_not_safe_is_not_cleared(tmp_path: Path) -> None:
    capture = Capture(Room(str(tmp_path), 80, None), "stdout", 0)
    capture.write(memoryview(b"one\n"), 0.0)
    stream = reader(tmp_path)
    stream.clear()
    assert len(names(tmp_path)) == 1


@pytest.mark.slow
@settings(max_examples=150)
@given(
    data=st.binary(max_size=300).map(lambda data: data.replace(b"\r", b"-")),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    rotate=st.integers(8, 200),
    restarts=st.sets(st.integers(0, 30)),
    max_line=st.integers(4, 40),
)
def test_read_again_from_any_position_the_lines_are_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    data: bytes,
    cuts: list[int],
    rotate: int,
    restarts: set[int],
    max_line: int,
) -> None:
    """Also in the midst of a line that is cut into pieces."""
    whole, cut = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cut")
    Capture(Room(str(whole), 10**6, None), "stdout", 0).write(memoryview(data), 0.0)
    expected = CapturedStream(str(whole), "stdout", partial(LineFraming, max_line))
    expected.resume(b"0")
    wanted = [*marked(expected), *marks_in(expected.finish())]

    capture = Capture(Room(str(cut), rotate * 8, EVER), "stdout", 0)
    stream = CapturedStream(str(cut), "stdout", partial(LineFraming, max_line))
    stream.resume(b"0")
    found: list[tuple[bytes, int]] = []
    rest = memoryview(data)
    for number, size in enumerate(cuts * (1 + len(data))):
        if not rest:
            break
        assert capture.write(rest[:size], 0.0) == b""
        rest = rest[size:]
        found += marked(stream)
        stream.is_safe(stream.position)
        if number in restarts:
            position = stream.position
            stream.close()
            stream = CapturedStream(str(cut), "stdout", partial(LineFraming, max_line))
            stream.resume(position)
    found += [*marked(stream), *marks_in(stream.finish())]

    assert found == wanted
    assert stream.take_lost() == 0


def test_a_byte_order_mark_is_left_out_where_the_stream_begins(tmp_path: Path) -> None:
    one, two = BOM_UTF8 + b"one\n", BOM_UTF8 + b"two\n"
    Capture(Room(str(tmp_path), 1000, EVER), "stdout", 0).write(memoryview(one + two), 0.0)
    first, second = reader(tmp_path), reader(tmp_path, b"%d" % len(one))
    assert (lines_of(first), lines_of(second)) == ([b"one", BOM_UTF8 + b"two"], [BOM_UTF8 + b"two"])
    first.close()
    second.close()


def from_files(folder: Path, pipe: tuple[int, int], troubles: list[OSError] | None = None, **options: Any) -> FromFiles:
    """`troubles` gets what cannot be deleted."""
    told: list[OSError] = [] if troubles is None else troubles
    return FromFiles(LinesConfig(**options), str(folder), Wake(pipe[0]), lambda stream, count: None, told.append)


@pytest.mark.parametrize("call", ["unlink", "listdir"])
async def test_what_cannot_be_deleted_is_told_and_is_no_end(
    call: str, tmp_path: Path, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that has become read-only, say; once it is well, all is deleted."""
    capture = Capture(Room(str(tmp_path), 80, None), "stdout", 0)
    for number in range(3):
        capture.write(memoryview(b"%09d\n" % number), 0.0)
    troubles: list[OSError] = []
    source = from_files(tmp_path, pipe, troubles)
    source.resume({})
    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        source.acknowledge("stdout", b"15")
    assert [error.errno for error in troubles] == [errno.EROFS]
    assert len(names(tmp_path)) == 3
    source.acknowledge("stdout", b"20")
    assert names(tmp_path) == [f"stdout-{20:016x}.log"]


async def test_at_the_end_too(
    tmp_path: Path, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    Capture(Room(str(tmp_path), 80, None), "stdout", 0).write(memoryview(b"one\n"), 0.0)
    troubles: list[OSError] = []
    wake = Wake(pipe[0])
    wake.ended = True
    source = FromFiles(LinesConfig(), str(tmp_path), wake, lambda stream, count: None, troubles.append)
    source.resume({})

    async def emit(frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None) -> None:
        if stream is not None and position is not None:
            source.acknowledge(stream.key, position)
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(os, "unlink", refuse)
    await source.run(emit)
    assert source.trouble is None
    assert {error.errno for error in troubles} == {errno.EROFS}


def refuse(path: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


async def test_lines_that_may_go_on_are_held_until_it_is_quiet(
    tmp_path: Path, pipe: tuple[int, int], nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    capture = Capture(Room(str(tmp_path), 10**6, None), "stdout", 0)
    capture.write(memoryview(b"an error\n\tat a.B.c(B.java:1)\n"), 0.0)
    emitted: list[tuple[list[bytes], bytes | None]] = []

    async def emit(frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None) -> None:
        await trio.lowlevel.checkpoint()
        emitted.append((frame.lines, position))

    source = from_files(tmp_path, pipe, multiline="auto")
    source.resume({})
    nursery.start_soon(source.run, emit)
    await trio.sleep(0.4)
    assert emitted == [([], b"0")]
    await trio.sleep(0.2)
    assert emitted[1:] == [([b"an error\n\tat a.B.c(B.java:1)"], b"29")]
    source.stop()
