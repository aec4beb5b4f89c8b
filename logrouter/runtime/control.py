"""The control socket: how commands speak with the logrouter that runs. For its user alone (mode 0600).

    where     control.sock in the spool's folder; without one in $RUNTIME_DIRECTORY, which systemd gives a service; else
              $XDG_RUNTIME_DIR/logrouter/PID.sock, as several may run there. Nowhere else: then there are only signals
    request   one line of JSON: {"command": "reload"}
    answer    one line of JSON, once it is done: {"changes": ["sinks.loki: added"], …}, or {"error": "…"}

A connection may ask several things, one after the other. What another process has left behind when it was killed is
replaced. A socket is made as control.sock.new, and gets its name once somebody listens: nobody who finds it is refused.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec
import trio

from logrouter.errors import StartError
from logrouter.runtime.log import Log

NAME: Final = "control.sock"
LINE_BYTES: Final = 64 * 1024
"""A longer request is none of ours."""
READ_BYTES: Final = 4096
BACKLOG: Final = 16
SERVICE_FOLDERS: Final = ("/run/logrouter", "/var/lib/logrouter/spool")
"""Those of a service that is called logrouter, as systemd makes them."""
_PATH_BYTES: Final = 107
"""What fits into `sun_path` beside the final zero (unix(7))."""


class Request(msgspec.Struct):
    """What somebody asks for."""

    command: str


def place_for(directory: str | None, environ: Mapping[str, str]) -> str | None:
    """The path of the socket of this process; None where nobody says where it may be. `directory`: of the spool."""
    if directory is not None:
        return os.path.join(directory, NAME)
    if runtime := environ.get("RUNTIME_DIRECTORY"):
        return os.path.join(runtime.partition(":")[0], NAME)
    if user_runtime := environ.get("XDG_RUNTIME_DIR"):
        return os.path.join(user_runtime, "logrouter", f"{os.getpid()}.sock")
    return None


def service_places(environ: Mapping[str, str]) -> list[str]:
    """Where to look for a process whose spool has no folder that is known here."""
    places = [os.path.join(folder, NAME) for folder in environ.get("RUNTIME_DIRECTORY", "").split(":") if folder]
    places += [os.path.join(folder, NAME) for folder in SERVICE_FOLDERS]
    if user_runtime := environ.get("XDG_RUNTIME_DIR"):
        with suppress(OSError):
            own = os.path.join(user_runtime, "logrouter")
            places += sorted(os.path.join(own, name) for name in os.listdir(own) if name.endswith(".sock"))
    return places


class Control:
    """Serves the control socket of one process."""

    def __init__(self, reload: Callable[[], Awaitable[object]], path: str, log: Log) -> None:
        """`reload` gives what became of it, to be told as JSON."""
        self._reload = reload
        self._path = path
        self._log = log

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled. Where there is no socket to be had, that is said, and stops nothing."""
        try:
            listener = await _listen(self._path)
        except OSError as error:
            self._log.warning("there is no control socket", path=self._path, reason=error.strerror or str(error))
            task_status.started()
            return
        task_status.started()
        try:
            await trio.serve_listeners(self._serve_client, [listener])
        finally:
            with suppress(OSError):
                os.unlink(self._path)

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        held = b""
        with suppress(trio.BrokenResourceError):  # the client's affair
            async with stream:
                while len(held) <= LINE_BYTES and (data := await stream.receive_some(READ_BYTES)):
                    *lines, held = (held + data).split(b"\n")
                    for line in lines:
                        await stream.send_all(msgspec.json.encode(await self._answer(line)) + b"\n")

    async def _answer(self, line: bytes) -> Any:
        try:
            command = msgspec.json.decode(line, type=Request).command
        except msgspec.DecodeError as error:
            return {"error": f"not a request: {error}"}
        if command == "reload":
            return await self._reload()
        return {"error": f"there is no command {command!r}; there is: reload"}


async def _listen(path: str) -> trio.SocketListener:
    """Raises OSError, also where somebody listens there already."""
    os.makedirs(os.path.dirname(path) or ".", 0o700, exist_ok=True)
    if _is_taken(path):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    unfinished = f"{path}.new"
    with suppress(FileNotFoundError):  # somebody was killed just then
        os.unlink(unfinished)
    listening = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listening.fileno(), 0o600)  # bind(2) gives the file this mode: at no moment has it another
        with _address(unfinished) as address:
            await listening.bind(address)
        listening.listen(BACKLOG)
        os.rename(unfinished, path)
    except BaseException:
        listening.close()
        with suppress(OSError):
            os.unlink(unfinished)
        raise
    return trio.SocketListener(listening)


@contextmanager
def _address(path: str) -> Iterator[str]:
    """The path, or another way to say it where it is too long for a socket's address."""
    if len(os.fsencode(path)) <= _PATH_BYTES:
        yield path
        return
    folder, name = os.path.split(path)
    fd = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{name}"
    finally:
        os.close(fd)


# ── the other side ──


def _is_taken(path: str) -> bool:
    return os.path.lexists(path) and not is_left_behind(path)


def is_left_behind(path: str) -> bool:
    """Whether a socket stands there behind which nobody is any more."""
    try:
        _connected(path).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


def ask(places: Sequence[str], request: Request) -> dict[str, Any]:
    """Ask the logrouter that listens at one of these places, and wait for its answer. Raises StartError."""
    found = {path: connection for path in dict.fromkeys(places) if (connection := _reached(path)) is not None}
    if not found:
        where = ", ".join(places) or "any place that is known here"
        raise StartError(f"no logrouter listens at {where} (--socket names another place, such as in a former spool)")
    if len(found) > 1:
        for connection in found.values():
            connection.close()
        raise StartError(f"several run: name one with --socket, of {', '.join(found)}")
    ((path, connection),) = found.items()
    with connection, connection.makefile("rwb") as stream:
        try:
            stream.write(msgspec.json.encode(request) + b"\n")
            stream.flush()
            answer: dict[str, Any] = msgspec.json.decode(stream.readline())
        except (OSError, msgspec.DecodeError):
            raise StartError(f"the logrouter at {path} has ended before it answered") from None
    return answer


def _reached(path: str) -> socket.socket | None:
    try:
        return _connected(path)
    except PermissionError:
        raise StartError(f"the logrouter at {path} belongs to another user: ask as that one, or as root") from None
    except OSError:
        return None


def _connected(path: str) -> socket.socket:
    """Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection
