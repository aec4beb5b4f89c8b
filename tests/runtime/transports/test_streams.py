"""The transport of streams, on real pipes, sockets, terminals and files."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from logrouter.errors import ClosedByPeer, DestinationError
from logrouter.runtime.transports.streams import PIPE_BYTES, Stream, is_terminal, wants_colour
from logrouter.sinks import Write

MUCH = b"".join(b"line %d of many\n" % number for number in range(200_000))


def read_all(descriptor: int) -> tuple[threading.Thread, bytearray]:
    """Read in a thread until the end."""
    found = bytearray()

    def read() -> None:
        while piece := os.read(descriptor, 65536):
            found.extend(piece)

    thread = threading.Thread(target=read)
    thread.start()
    return thread, found


async def write_and_close(descriptor: int, *blocks: bytes) -> None:
    stream = Stream(descriptor)
    for block in blocks:
        await stream.perform(Write(block))
    await stream.sync()
    stream.reopen()
    await stream.aclose()
    os.close(descriptor)


async def test_a_pipe_gets_all_in_order() -> None:
    reader, writer = os.pipe()
    thread, found = read_all(reader)
    await write_and_close(writer, b"first\n", MUCH, b"last\n")
    await trio.to_thread.run_sync(thread.join)
    assert found == b"first\n" + MUCH + b"last\n"
    os.close(reader)


async def test_a_socket_gets_all_in_order() -> None:
    ours, theirs = socket.socketpair()
    thread, found = read_all(theirs.fileno())
    await write_and_close(ours.detach(), b"first\n", MUCH)
    await trio.to_thread.run_sync(thread.join)
    assert found == b"first\n" + MUCH
    theirs.close()


async def test_a_file_gets_all(tmp_path: Path) -> None:
    path = tmp_path / "out"
    await write_and_close(os.open(path, os.O_WRONLY | os.O_CREAT), b"one\n", b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


async def test_a_file_is_written_where_the_shell_opened_it(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before\n")
    await write_and_close(os.open(path, os.O_WRONLY | os.O_APPEND), b"after\n")
    assert path.read_bytes() == b"before\nafter\n"


def full_pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.write(writer, bytes(PIPE_BYTES))
    return reader, writer


def full_socket() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    with suppress(BlockingIOError):
        while True:
            ours.send(bytes(4096), socket.MSG_DONTWAIT)
    return theirs.detach(), ours.detach()


@pytest.mark.parametrize("make", [full_pipe, full_socket])
async def test_a_slow_reader_holds_up_nobody_else(make: Any, autojump_clock: trio.testing.MockClock) -> None:
    reader, writer = make()
    stream, instruction = Stream(writer), Write(b"x" * 10_000)
    with trio.move_on_after(5) as scope:
        await stream.perform(instruction)
    assert scope.cancelled_caught
    assert instruction.written < 10_000
    await stream.aclose()
    assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK
    os.close(reader)
    os.close(writer)


async def test_what_was_cancelled_goes_on_where_it_stopped() -> None:
    reader, writer = os.pipe()
    stream, instruction = Stream(writer), Write(MUCH)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.perform, instruction)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert 0 < instruction.written < len(MUCH)
    thread, found = read_all(reader)
    await stream.perform(instruction)
    await stream.aclose()
    os.close(writer)
    await trio.to_thread.run_sync(thread.join)
    assert found == MUCH
    os.close(reader)


@pytest.mark.parametrize("nonblocking", [False, True])
async def test_the_shared_stream_stays_as_others_left_it(nonblocking: bool) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, not nonblocking)
    thread, found = read_all(reader)
    stream = Stream(writer)
    await stream.perform(Write(MUCH))
    assert os.get_blocking(writer) is not nonblocking
    await stream.aclose()
    os.close(writer)
    await trio.to_thread.run_sync(thread.join)
    assert found == MUCH
    os.close(reader)


@pytest.mark.parametrize("nonblocking", [False, True])
async def test_a_pipe_that_cannot_be_opened_again(monkeypatch: pytest.MonkeyPatch, nonblocking: bool) -> None:
    def refuse(*arguments: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    reader, writer = os.pipe()
    os.set_blocking(writer, not nonblocking)
    thread, found = read_all(reader)
    stream = Stream(writer)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        await stream.perform(Write(b"first\n"))
    await stream.perform(Write(MUCH))
    await stream.aclose()
    os.close(writer)
    await trio.to_thread.run_sync(thread.join)
    assert found == b"first\n" + MUCH
    os.close(reader)


@pytest.mark.parametrize("pair", [os.pipe, lambda: tuple(end.detach() for end in socket.socketpair())])
async def test_a_reader_that_goes_ends_it(pair: Any) -> None:
    reader, writer = pair()
    stream = Stream(writer)
    await stream.perform(Write(b"one\n"))
    os.close(reader)
    with pytest.raises(ClosedByPeer, match=f"whoever read descriptor {writer} has gone"):
        await stream.perform(Write(b"two\n"))
    await stream.aclose()
    os.close(writer)


async def test_a_full_device_is_tried_again() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(DestinationError, match="No space left on device"):
        await Stream(descriptor).perform(Write(b"x"))
    os.close(descriptor)


async def test_a_closed_descriptor_is_told() -> None:
    with pytest.raises(DestinationError, match="cannot write to descriptor 9999: Bad file descriptor"):
        await Stream(9999).perform(Write(b"x"))
    assert not is_terminal(9999)


async def test_a_terminal() -> None:
    ours, theirs = pty.openpty()
    assert is_terminal(theirs)
    stream = Stream(theirs)
    await stream.perform(Write(b"hello\n"))
    assert os.read(ours, 100) == b"hello\r\n"
    await stream.aclose()
    os.close(theirs)
    os.close(ours)


async def test_a_terminal_that_is_closed_is_a_reader_that_has_gone() -> None:
    ours, theirs = pty.openpty()
    stream = Stream(theirs)
    os.close(ours)
    with pytest.raises(ClosedByPeer):
        await stream.perform(Write(b"hello\n"))
    await stream.aclose()
    os.close(theirs)


def test_colour_is_for_terminals_that_want_it() -> None:
    ours, theirs = pty.openpty()
    assert wants_colour(theirs, {"TERM": "xterm"})
    assert wants_colour(theirs, {"NO_COLOR": ""})
    assert not wants_colour(theirs, {"NO_COLOR": "1"})
    assert not wants_colour(theirs, {"TERM": "dumb"})
    os.close(theirs)
    os.close(ours)
    reader, writer = os.pipe()
    assert not wants_colour(writer, {})
    os.close(reader)
    os.close(writer)
