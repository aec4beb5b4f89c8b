"""The control socket: when it is there, and what it replaces."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import trio

from logrouter.runtime.control import Control
from logrouter.runtime.log import Log


class Looking(trio.abc.Instrument):
    """Tries to connect whenever a task has done something."""

    def __init__(self, path: Path) -> None:
        self.answers: list[str] = []
        self._path = str(path)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(self._path)
            except OSError as error:
                self.answers.append(type(error).__name__)
            else:
                self.answers.append("connected")


async def no_reload() -> object:
    """Nobody asks for one."""
    raise AssertionError


def control(path: Path, said: list[bytes] | None = None) -> Control:
    log = Log(write=([] if said is None else said).append)
    return Control(no_reload, str(path), log)


async def test_whoever_finds_the_socket_is_never_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    looking = Looking(path)
    async with trio.open_nursery() as nursery:
        trio.lowlevel.add_instrument(looking)
        await nursery.start(control(path).serve)
        trio.lowlevel.remove_instrument(looking)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        nursery.cancel_scope.cancel()
    assert set(looking.answers) == {"FileNotFoundError", "connected"}
    assert os.listdir(tmp_path) == []


async def test_what_a_killed_process_has_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    for left in (path, tmp_path / "control.sock.new"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(left))
    async with trio.open_nursery() as nursery:
        await nursery.start(control(path).serve)
        (await trio.open_unix_socket(path)).socket.close()
        assert os.listdir(tmp_path) == ["control.sock"]
        nursery.cancel_scope.cancel()


async def test_where_another_process_listens_it_goes_on_to_listen(tmp_path: Path) -> None:
    path, said = tmp_path / "control.sock", list[bytes]()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        async with trio.open_nursery() as nursery:
            await nursery.start(control(path, said).serve)
        (await trio.open_unix_socket(path)).socket.close()
    assert b"there is no control socket" in said[0]
    assert os.listdir(tmp_path) == ["control.sock"]
