"""An HTTP/1.1 server in the same process, which answers as a test says and keeps what it was asked.

    async with HttpServer([Reply(429, {"Retry-After": "3"}), Reply(hang=True)]).serving() as server:
        transport = HttpTransport(Endpoint(server.url))

A script is played from its start, one reply a request, and then every request gets the last one again; a function is
asked for each. It listens on 127.0.0.1. Where time is to be virtual, RespondingTransport answers without a socket.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import h11
import msgspec
import trio

from logrouter.compression import decompress
from logrouter.instructions import ContentCoding

_CODINGS: Mapping[str, ContentCoding] = {"gzip": "gzip", "zstd": "zstd"}
_READ_BYTES = 256 * 1024


class Reply(msgspec.Struct, frozen=True):
    """What the server does with a request."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""
    cut: int | None = None
    """The connection is closed after so many bytes of the body."""
    drip_seconds: float = 0.0
    """How long it waits before each byte of the body."""
    hang: bool = False
    """It says nothing before `server.go_on` is set."""
    reset: bool = False
    """It breaks the connection off instead of answering."""
    close: bool = False
    """It closes the connection afterwards, without having said so."""
    raw: bytes | None = None
    """Sent instead of all the above, whatever it is."""


class Received(msgspec.Struct, frozen=True):
    """What the server was asked."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    """Without its coding."""
    sent_bytes: int
    """How long the body was on the way."""
    connection: int
    """On which of the connections, counted from 0."""


Answering = Callable[[Received], Reply]
_ALWAYS_OK = (Reply(),)


class HttpServer:
    """Answers by a script, or by a function."""

    def __init__(
        self, replies: Sequence[Reply] | Answering = _ALWAYS_OK, *, context: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Received] = []
        """All that was asked, in order."""
        self.connections = 0
        """How many there have been."""
        self.under_way = 0
        """How many requests are not answered yet."""
        self.most_under_way = 0
        self.go_on = trio.Event()
        """What hangs is answered once it is set."""
        self.port = 0
        """Known while it is serving."""
        self._replies = replies
        self.context = context

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"{'http' if self.context is None else 'https'}://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[HttpServer]:
        """Serve, until the block is left."""
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.port = listener.socket.getsockname()[1]
            nursery.start_soon(trio.serve_listeners, self._serve, [listener])
            try:
                yield self
            finally:
                nursery.cancel_scope.cancel()

    async def _serve(self, transport: trio.abc.Stream) -> None:
        number = self.connections
        self.connections += 1
        stream = transport
        if self.context is not None:
            stream = trio.SSLStream(transport, self.context, server_side=True, https_compatible=True)
        connection = h11.Connection(h11.SERVER)
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._serve_requests(stream, connection, number)
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(transport)

    async def _serve_requests(self, stream: trio.abc.Stream, connection: h11.Connection, number: int) -> None:
        try:
            while (request := await self._receive(stream, connection, number)) is not None:
                if not await self._answer(stream, connection, request):
                    return
                connection.start_next_cycle()
        except h11.RemoteProtocolError:
            await stream.send_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async def _receive(self, stream: trio.abc.Stream, connection: h11.Connection, number: int) -> Received | None:
        """The next request. None where there is none."""
        head, pieces = None, []
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(bytes(await stream.receive_some(_READ_BYTES)))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return _received(head, b"".join(pieces), number)
            else:
                return None

    async def _answer(self, stream: trio.abc.Stream, connection: h11.Connection, request: Received) -> bool:
        """Answer, and give whether the connection goes on."""
        self.requests.append(request)
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        try:
            reply = self._reply(request)
            if reply.hang:
                await self.go_on.wait()
            if reply.reset:
                _reset(stream)
                return False
            if reply.raw is not None:
                await stream.send_all(reply.raw)
                return False
            await _send(stream, connection, reply, has_body=request.method != "HEAD" and reply.status not in (204, 304))
            return reply.cut is None and not reply.close and connection.our_state is h11.DONE
        finally:
            self.under_way -= 1

    def _reply(self, request: Received) -> Reply:
        if callable(self._replies):
            return self._replies(request)
        return self._replies[min(len(self.requests), len(self._replies)) - 1]


def _received(head: h11.Request, body: bytes, number: int) -> Received:
    headers = {name.decode(): text.decode("latin-1") for name, text in head.headers}
    plain = decompress(body, _CODINGS.get(headers.get("content-encoding", ""), "none"))
    return Received(head.method.decode(), head.target.decode(), headers, plain, len(body), number)


async def _send(stream: trio.abc.Stream, connection: h11.Connection, reply: Reply, *, has_body: bool) -> None:
    headers = dict(reply.headers)
    if has_body:
        headers.setdefault("Content-Length", str(len(reply.body)))
    head = connection.send(h11.Response(status_code=reply.status, headers=list(headers.items())))
    await stream.send_all(head or b"")
    body = reply.body if reply.cut is None else reply.body[: reply.cut]
    step = 1 if reply.drip_seconds else max(1, len(body))
    for start in range(0, len(body) if has_body else 0, step):
        await trio.sleep(reply.drip_seconds)
        await stream.send_all(connection.send(h11.Data(data=body[start : start + step])) or b"")
    if reply.cut is None:
        await stream.send_all(connection.send(h11.EndOfMessage()) or b"")


def _reset(stream: trio.abc.Stream) -> None:
    """Make closing it say RST, so that the other side's reads and writes fail."""
    transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    if isinstance(transport, trio.SocketStream):
        transport.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
