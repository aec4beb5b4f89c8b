"""A topology with its admin port, and a client that says exactly what it is told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h11
import trio

from logrouter import config
from logrouter.runtime.log import Log
from logrouter.runtime.topology import Topology
from logrouter.testing import ScriptedSource

LINES = b'{"level":"error","n":1}\n{"level":"info","n":2}\ntext\n\n\xff\n'


def make_topology(folder: Path, script: tuple[bytes | float, ...] = (), **flags: list[str]) -> Topology:
    """Sinks `errors` and `all`; a source that gives the script and then stays silent, until it is stopped."""
    sinks = [f"errors=file:{folder}/errors", "all=blackhole:"]
    matches = ['errors=severity >= "error"', 'all=not message == "text"']
    settings = config.load(
        flags=config.Flags(sinks=sinks, matches=matches, **flags), system_folder=Path("/nonexistent")
    )
    topology = Topology(settings, Log("error"))
    topology.parts.sources[0].source = ScriptedSource(script, endless=True)
    return topology


class Client:
    """An HTTP client that says exactly what it is told to."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._connection = h11.Connection(h11.CLIENT)

    async def get(self, target: str, method: str = "GET") -> tuple[int, bytes]:
        """One request on this connection; more may follow."""
        request = h11.Request(method=method, target=target, headers=[("Host", "x")])
        await self.stream.send_all(self._connection.send(request) + self._connection.send(h11.EndOfMessage()))
        status, body = await self._response()
        self._connection.start_next_cycle()
        return status, body

    async def send_raw(self, data: bytes) -> tuple[int, bytes]:
        """Anything, which need not be HTTP. Gives the answer, after which the server hangs up."""
        self._connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        self._connection.send(h11.EndOfMessage())
        await self.stream.send_all(data)
        answer = await self._response()
        assert await self.stream.receive_some() == b""
        return answer

    async def _response(self) -> tuple[int, bytes]:
        status, body = 0, b""
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await self.stream.receive_some())
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, body
            else:
                raise AssertionError(f"unexpected {event!r}")


class Served:
    """A topology whose admin port is served at a free port."""

    def __init__(self, topology: Topology, port: int) -> None:
        self.topology = topology
        self._port = port

    async def connect(self) -> Client:
        return Client(await trio.open_tcp_stream("127.0.0.1", self._port))

    async def get(self, target: str, method: str = "GET") -> tuple[int, bytes]:
        """One request, on a connection of its own."""
        client = await self.connect()
        async with client.stream:
            return await client.get(target, method)


async def wait_until(condition: Callable[[], object]) -> None:
    """Until the program under test is so far."""
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - no event tells of it
            await trio.sleep(0.001)
