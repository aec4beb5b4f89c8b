"""Standard input of every kind, with real descriptors; where reads wait, on virtual time."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import termios
import tty
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from logrouter.framing import Frame
from logrouter.runtime.transports.streams import PIPE_BYTES
from logrouter.sources.stdin import READ_BYTES, READ_INTERVAL_SECONDS, StdinConfig, StdinSource
from logrouter.values import Size


class Received:
    """What a source emits."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._more = trio.Event()

    async def emit(self, frame: Frame, received_ns: int) -> None:
        await trio.lowlevel.checkpoint()
        assert received_ns > 1_700_000_000_000_000_000
        self.frames.append(frame)
        self._more.set()
        self._more = trio.Event()

    async def wait_for_lines(self, count: int) -> None:
        with trio.fail_after(1000):
            while len(self.lines) < count:
                await self._more.wait()

    @property
    def lines(self) -> list[bytes]:
        return [line for frame in self.frames for line in frame.lines]

    @property
    def reads(self) -> int:
        return sum(1 for frame in self.frames if frame.lines)


@pytest.fixture
def descriptors() -> Iterator[list[int]]:
    """Those put in here are closed at the end, if the test has not done it."""
    opened: list[int] = []
    yield opened
    for fd in opened:
        try:
            os.close(fd)
        except OSError:
            continue


@pytest.fixture
def pipe(descriptors: list[int]) -> tuple[int, int]:
    ends = os.pipe()
    descriptors += ends
    return ends


def source_of(fd: int, **options: Any) -> StdinSource:
    return StdinSource(StdinConfig(**options), fd)


async def read_all(source: StdinSource) -> Received:
    received = Received()
    with trio.fail_after(1000):
        await source.run(received.emit)
    return received


def left_in(fd: int) -> int:
    """How many bytes wait to be read."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"), "little")


# ── kinds of stdin ────────────────────────────────────────────────────────────────────────────────────


async def test_a_pipe_is_grown_and_read_to_its_end(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"one\ntwo\r\n\nlast without a newline")
    os.close(writer)
    source = source_of(reader)
    received = await read_all(source)
    assert received.lines == [b"one", b"two", b"last without a newline"]
    assert sum(frame.empty for frame in received.frames) == 1
    assert fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ) == PIPE_BYTES
    assert source.live


async def test_a_pipe_that_may_not_grow_is_read_as_it_is(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    real = fcntl.fcntl

    def refuse(fd: int, command: int, *arguments: int) -> int:
        if command == fcntl.F_SETPIPE_SZ:
            raise PermissionError("over the limit")
        return int(real(fd, command, *arguments))

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    os.write(writer, b"one\n")
    os.close(writer)
    assert (await read_all(source_of(reader))).lines == [b"one"]


async def test_a_regular_file_can_wait_and_is_read_whole(tmp_path: Path, descriptors: list[int]) -> None:
    lines = [b"%07d" % number for number in range(READ_BYTES // 4)]
    (tmp_path / "input").write_bytes(b"\n".join(lines))
    descriptors.append(fd := os.open(tmp_path / "input", os.O_RDONLY))
    source = source_of(fd)
    received = await read_all(source)
    assert received.lines == lines
    assert received.reads >= 2
    assert not source.live


async def test_dev_null_and_a_closed_descriptor_are_the_end(pipe: tuple[int, int], descriptors: list[int]) -> None:
    descriptors.append(null := os.open(os.devnull, os.O_RDONLY))
    assert (await read_all(source_of(null))).lines == []
    for fd in pipe:
        os.close(fd)
    assert (await read_all(source_of(pipe[0]))).lines == []


async def test_a_terminal_is_read_until_it_is_hung_up(descriptors: list[int], nursery: trio.Nursery) -> None:
    ours, theirs = os.openpty()
    descriptors += [ours, theirs]
    tty.setraw(theirs)
    source, received = source_of(theirs), Received()
    ended = trio.Event()

    async def run() -> None:
        await source.run(received.emit)
        ended.set()

    nursery.start_soon(run)
    os.write(ours, b"one\ntwo\nthr")
    await received.wait_for_lines(2)
    os.close(ours)
    with trio.fail_after(1000):
        await ended.wait()
    assert received.lines == [b"one", b"two", b"thr"]
    assert source.trouble is None
    assert not source.ends  # at the first Ctrl-C it is read no more: no app is given time to end


async def test_a_connection_that_is_reset_has_ended(nursery: trio.Nursery) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as app:
        app.connect(server.getsockname())
        theirs, _ = server.accept()
        with theirs:
            source, received = source_of(theirs.fileno()), Received()
            app.sendall(b"one\ntwo\nthr")
            ended = trio.Event()

            async def run() -> None:
                await source.run(received.emit)
                ended.set()

            nursery.start_soon(run)
            await received.wait_for_lines(2)
            app.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed by a reset
            app.close()
            with trio.fail_after(1000):
                await ended.wait()
    assert received.lines == [b"one", b"two", b"thr"]
    assert source.trouble == "Connection reset by peer"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
async def test_a_disk_that_fails_is_the_end(
    tmp_path: Path, descriptors: list[int], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "input").write_bytes(b"one\nunfinished")
    descriptors.append(fd := os.open(tmp_path / "input", os.O_RDONLY))
    real, reads = os.read, iter([1])

    def read(fd: int, length: int) -> bytes:
        if next(reads, None):
            return real(fd, length)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "read", read)
    source = source_of(fd)
    assert (await read_all(source)).lines == [b"one", b"unfinished"]
    assert source.trouble == os.strerror(number)


async def test_a_folder_cannot_be_read(tmp_path: Path, descriptors: list[int]) -> None:
    descriptors.append(fd := os.open(tmp_path, os.O_RDONLY))
    source = source_of(fd)
    assert (await read_all(source)).lines == []
    assert source.trouble == "Is a directory"


async def test_where_somebody_else_made_it_non_blocking_nothing_changes(
    pipe: tuple[int, int], nursery: trio.Nursery
) -> None:
    reader, writer = pipe
    os.set_blocking(reader, False)
    received = Received()
    nursery.start_soon(source_of(reader).run, received.emit)
    os.write(writer, b"one\n")
    await received.wait_for_lines(1)
    assert received.lines == [b"one"]
    assert not os.get_blocking(reader)
    os.close(writer)


async def test_it_never_makes_it_non_blocking_itself(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"one\n")
    os.close(writer)
    await read_all(source_of(reader))
    assert os.get_blocking(reader)


async def test_what_somebody_else_read_first_is_no_end(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pipe
    os.write(writer, b"one\n")
    os.close(writer)
    real, answers = os.read, [BlockingIOError(), BlockingIOError()]

    def read(fd: int, length: int) -> bytes:
        if answers:
            raise answers.pop()
        return real(fd, length)

    monkeypatch.setattr(os, "read", read)
    assert (await read_all(source_of(reader))).lines == [b"one"]
    assert not answers


# ── its limits, and stopping ──────────────────────────────────────────────────────────────────────────


async def test_a_line_over_the_limit_comes_in_pieces(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"0123456789" * 20 + b"\nshort\n")
    os.close(writer)
    received = await read_all(source_of(reader, max_line=Size(64)))
    assert b"".join(received.lines[:-1]) == b"0123456789" * 20
    assert received.lines[-1] == b"short"
    assert max(map(len, received.lines)) <= 64


async def test_stopped_while_it_waits_it_gives_what_it_holds(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    source, received = source_of(reader), Received()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.run, received.emit)
        os.write(writer, b"one\nunfinished")
        await received.wait_for_lines(1)
        source.stop()
    assert received.lines == [b"one", b"unfinished"]


async def test_stopped_before_it_runs_it_reads_nothing(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"one\n")
    source = source_of(reader)
    source.stop()
    assert (await read_all(source)).lines == []
    assert left_in(reader) == 4


async def test_stopped_while_its_lines_wait_for_room_it_loses_none(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    source, received = source_of(reader), Received()
    room, waiting = trio.Event(), trio.Event()

    async def emit(frame: Frame, received_ns: int) -> None:
        waiting.set()
        await room.wait()
        await received.emit(frame, received_ns)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.run, emit)
        os.write(writer, b"one\ntwo\nunfinished")
        await waiting.wait()
        source.stop()
        os.write(writer, b" and never read")
        room.set()
    assert received.lines == [b"one", b"two", b"unfinished"]


# ── how often it reads: the clock stands still, and goes on when the test says so ─────────────────────


@pytest.fixture
async def reading(
    pipe: tuple[int, int], mock_clock: MockClock, nursery: trio.Nursery
) -> tuple[Callable[[bytes], int], Received]:
    """A source that reads a pipe: how to write into it, and what it has read."""
    reader, writer = pipe
    received = Received()
    nursery.start_soon(source_of(reader).run, received.emit)
    return (lambda data: os.write(writer, data)), received


async def test_lines_that_keep_coming_are_read_at_intervals(
    reading: tuple[Callable[[bytes], int], Received], mock_clock: MockClock, pipe: tuple[int, int]
) -> None:
    write, received = reading
    write(b"0\n")
    await received.wait_for_lines(1)
    for round_number in range(1, 4):
        for _ in range(5):
            write(b"x\n")
            await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(READ_INTERVAL_SECONDS * 0.9)
        await trio.testing.wait_all_tasks_blocked()
        assert left_in(pipe[0]) == 10  # none of them has been read: the interval is not over
        mock_clock.jump(READ_INTERVAL_SECONDS * 0.11)
        await received.wait_for_lines(1 + 5 * round_number)
        assert received.reads == 1 + round_number


async def test_a_line_after_a_quiet_moment_is_read_at_once(
    reading: tuple[Callable[[bytes], int], Received], mock_clock: MockClock
) -> None:
    write, received = reading
    for number in range(1, 4):
        write(b"x\n")
        await received.wait_for_lines(number)  # though the clock stands still
        mock_clock.jump(1)
        await trio.testing.wait_all_tasks_blocked()
    assert received.reads == 3


async def test_a_pipe_that_fills_is_read_without_a_pause(
    reading: tuple[Callable[[bytes], int], Received], mock_clock: MockClock
) -> None:
    write, received = reading
    block = (b"x" * 1023 + b"\n") * (READ_BYTES // 4 // 1024)
    await trio.testing.wait_all_tasks_blocked()  # it has grown the pipe
    for number in range(1, 6):
        assert write(block) == len(block)
        await received.wait_for_lines(number * len(block) // 1024)
    assert received.reads == 5


async def test_a_byte_order_mark_is_no_part_of_the_first_line(
    pipe: tuple[int, int], nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    reader, writer = pipe
    received, source = Received(), source_of(reader)
    nursery.start_soon(source.run, received.emit)
    os.write(writer, BOM_UTF8[:2])
    await trio.sleep(1)
    source.adjust(StdinConfig(max_line=Size(100)))
    os.write(writer, BOM_UTF8[2:] + b"one\n" + BOM_UTF8 + b"two\n")
    await received.wait_for_lines(2)
    assert received.lines == [b"one", BOM_UTF8 + b"two"]
    os.close(writer)


# ── several lines that are one event ──────────────────────────────────────────────────────────────────


async def test_what_may_go_on_is_held_until_it_is_quiet(
    pipe: tuple[int, int], nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    reader, writer = pipe
    received = Received()
    nursery.start_soon(source_of(reader, multiline="java").run, received.emit)
    os.write(writer, b"an error\n")
    await trio.sleep(0.4)
    os.write(writer, b"\tat a.B.c(B.java:1)\nunfinished")
    await trio.sleep(0.4)
    assert received.lines == []
    await trio.sleep(0.2)
    assert received.lines == [b"an error\n\tat a.B.c(B.java:1)"]
    os.write(writer, b"\n\tat d\n")
    os.close(writer)
    await received.wait_for_lines(2)
    assert received.lines[1:] == [b"unfinished\n\tat d"]


async def test_a_reload_may_join_otherwise_what_is_held(
    pipe: tuple[int, int], nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    reader, writer = pipe
    received, source = Received(), source_of(reader, multiline="java")
    nursery.start_soon(source.run, received.emit)
    os.write(writer, b"one\n\tat a\n")
    await trio.sleep(0.1)
    source.adjust(StdinConfig(multiline="none"))
    os.write(writer, b"two\n")
    await received.wait_for_lines(3)
    assert received.lines == [b"one", b"\tat a", b"two"]
    os.close(writer)
