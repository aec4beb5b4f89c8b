"""An app's output on its way: when it is moved, and who waits for whom."""

from __future__ import annotations

import errno
import os
import select
from pathlib import Path

import pytest

from logrouter.supervisor.capture import RETRY_SECONDS, Capture, Room
from logrouter.supervisor.outlet import Outlet
from logrouter.supervisor.streams import BUSY_BYTES, INTERVAL_SECONDS, Stream
from logrouter.supervisor.supervise import Clock
from tests.supervisor.conftest import MakePipe

PIPE_BYTES = 64 * 1024


def test_little_is_moved_at_intervals_and_after_a_quiet_moment_at_once(tmp_path: Path, make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    stream = Stream("stdout", reader, Capture(Room(str(tmp_path), 10**6, None), "stdout", 0), None)
    moved_at = []
    for step in range(12):
        now = step * INTERVAL_SECONDS / 4
        os.write(writer, b"x\n")
        if stream.waits_for(now) == {reader: select.POLLIN} and stream.act(now, {reader}):
            moved_at.append(step)
    assert moved_at == [0, 4, 8]


def test_much_is_followed_by_the_next_at_once(tmp_path: Path, make_pipe: MakePipe) -> None:
    reader, writer = make_pipe()
    os.write(writer, b"x" * PIPE_BYTES)
    stream = Stream("stdout", reader, Capture(Room(str(tmp_path), 10**6, None), "stdout", 0), None)
    assert PIPE_BYTES >= BUSY_BYTES
    assert stream.act(0.0, {reader})
    assert stream.waits_for(0.0) == {reader: select.POLLIN}


def test_who_does_not_read_the_tee_keeps_the_app_waiting_and_gets_all(tmp_path: Path, make_pipe: MakePipe) -> None:
    (reader, writer), (shown, own) = make_pipe(), make_pipe()
    os.write(own, b"-" * (PIPE_BYTES - 4096))
    tee = Outlet(own)
    stream = Stream("stdout", reader, Capture(Room(str(tmp_path), 10**6, None), "stdout", 0), tee)
    data = bytes(range(256)) * 64
    os.write(writer, data)
    stream.act(0.0, {reader})
    assert stream.is_stuck
    assert stream.waits_for(1.0) == {tee.fd: select.POLLOUT}
    seen = os.read(shown, PIPE_BYTES)
    stream.act(1.0, {tee.fd})
    assert not stream.is_stuck
    assert (seen + os.read(shown, PIPE_BYTES)).lstrip(b"-") == data
    assert b"".join(path.read_bytes() for path in tmp_path.iterdir()) == data


def test_who_has_gone_is_left_out(tmp_path: Path, make_pipe: MakePipe) -> None:
    (reader, writer), (shown, own) = make_pipe(), make_pipe()
    stream = Stream("stdout", reader, Capture(Room(str(tmp_path), 10**6, None), "stdout", 0), Outlet(own))
    os.close(shown)
    for now in (0.0, 1.0, 2.0):
        os.write(writer, b"line\n")
        assert stream.act(now, {reader})
    assert b"".join(path.read_bytes() for path in tmp_path.iterdir()) == b"line\n" * 3


def test_a_full_pipe_to_the_router_holds_nothing_but_the_app(make_pipe: MakePipe) -> None:
    (reader, writer), (router, target) = make_pipe(), make_pipe()
    os.write(target, b"-" * PIPE_BYTES)
    stream = Stream("stdout", reader, Outlet(target, shared=False), None)
    os.write(writer, b"line\n")
    stream.act(0.0, {reader})
    assert stream.waits_for(1.0) == {target: select.POLLOUT}
    os.read(router, PIPE_BYTES)
    stream.act(1.0, {target})
    assert os.read(router, 100) == b"line\n"


@pytest.mark.parametrize("makes_room", [True, False])
def test_the_end_waits_for_room_and_what_finds_none_is_told(
    tmp_path: Path, make_pipe: MakePipe, capfd: pytest.CaptureFixture[str], makes_room: bool
) -> None:
    """In half of the time that is left: it is not taken for the quiet of a process left behind."""
    reader, writer = make_pipe()
    stream = Stream("stdout", reader, Capture(Room(str(tmp_path), 80, None), "stdout", 0), None)
    os.write(writer, b"123456789\n" * 10)
    os.close(writer)
    for step in range(10):
        stream.act(step * INTERVAL_SECONDS, {reader})
    now = 1.0
    clock = Clock()
    clock.limit(now + 20)
    clock.start_draining(now)
    stream.hurry()
    stream.act(now, {reader})
    assert not clock.is_drained([stream], now + 9)
    if makes_room:
        for path in sorted(tmp_path.iterdir()):
            path.unlink()
        while not stream.ended:
            now += RETRY_SECONDS
            stream.act(now, {reader})
        assert clock.is_drained([stream], now)
    else:
        assert clock.is_drained([stream], now + 10)
    stream.give_up()
    complaints = capfd.readouterr().err
    assert ('"bytes":20' in complaints) is not makes_room
    assert "left behind" not in complaints


def test_the_end_goes_on_to_the_router(make_pipe: MakePipe) -> None:
    (reader, writer), (router, target) = make_pipe(), make_pipe()
    stream = Stream("stdout", reader, Outlet(target, shared=False), None)
    os.write(writer, b"last")
    os.close(writer)
    stream.act(0.0, {reader})
    stream.act(1.0, {reader})
    assert stream.ended
    assert os.read(router, 100) == b"last"
    assert os.read(router, 100) == b""


def test_a_shared_stream_is_not_made_non_blocking(make_pipe: MakePipe) -> None:
    _, own = make_pipe()
    outlet = Outlet(own)
    rest = outlet.write(memoryview(b"x" * (PIPE_BYTES + 10)), 0.0)
    assert len(rest) == 10
    assert os.get_blocking(own)
    outlet.close()


def test_a_full_disk_costs_the_tee_no_more_than_what_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    outlet, real = Outlet(file), os.write

    def refuse(fd: int, data: bytes) -> int:
        if fd == file:
            raise OSError(errno.ENOSPC, "no space")
        return real(fd, data)

    for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
        monkeypatch.setattr(os, "write", refuse if line in (b"two\n", b"three\n") else real)
        assert outlet.write(memoryview(line), 0.0) == b""
    outlet.close()
    assert (tmp_path / "file").read_bytes() == b"one\nfour\n"
    assert capfd.readouterr().err.count("no space") == 1


def test_a_file_takes_all(tmp_path: Path) -> None:
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    assert Outlet(file).write(memoryview(b"x" * 10**6), 0.0) == b""
    os.close(file)
    assert (tmp_path / "file").stat().st_size == 10**6
