"""The admin port: metrics, health and status over HTTP/1.1, off unless asked for.

    /metrics   Prometheus text
    /healthz   200: the loops turn. Waiting for a destination is healthy: a dead one must not restart the app
    /readyz    200 while the sources are open, else 503
    /status    everything at a glance, as JSON

h11 speaks the protocol; this file only moves its bytes. Small answers, few clients: one task a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import h11
import orjson
import trio

from logrouter.errors import StartError
from logrouter.runtime.telemetry import Telemetry

if TYPE_CHECKING:
    from logrouter.config.settings import Address
    from logrouter.runtime.parts import Parts

IDLE_SECONDS: Final = 30.0
"""A client that says nothing for so long is hung up on."""
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_CONNECTIONS: Final = 64
"""With one more, that one is hung up on which has been silent for the longest time."""
READ_BYTES: Final = 16 * 1024


class Answer(NamedTuple):
    """What a request gets."""

    status: int
    content_type: str
    body: bytes


class Admin:
    """Serves the admin port of one process."""

    def __init__(self, parts: Parts, address: Address) -> None:
        self._parts = parts
        self._address = address
        self._telemetry = Telemetry(parts)
        self._connections = trio.CapacityLimiter(MAX_CONNECTIONS)
        self._silent: dict[trio.CancelScope, None] = {}
        """Waits for clients to say something, the longest first."""

    async def serve(
        self, *, task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen for ever. Raises StartError where the address cannot be had."""
        try:
            listeners = await trio.open_tcp_listeners(self._address.port, host=self._address.host)
        except OSError as error:
            raise StartError(f"admin.listen: cannot listen on {self._address}: {error.strerror}") from error
        await trio.serve_listeners(self._serve_client, listeners, task_status=task_status)

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        if not self._connections.available_tokens:
            self._hang_up_on_the_most_silent()
        try:
            async with self._connections, stream:
                while await self._serve_request(connection, stream):
                    connection.start_next_cycle()
        except (trio.BrokenResourceError, trio.TooSlowError, h11.LocalProtocolError):
            return  # the client's affair

    async def _serve_request(self, connection: h11.Connection, stream: trio.SocketStream) -> bool:
        """Answer one request. False: the connection is at its end."""
        request: h11.Request | None = None
        try:
            while True:
                event = await self._next_event(connection, stream)
                if isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.EndOfMessage):
                    break
                elif isinstance(event, h11.ConnectionClosed):
                    return False
            if request is not None and request.target.partition(b"?")[0] in _TELLING:
                await self._telemetry.look()
            answer = self.answer(request.method.decode(), request.target.decode("latin-1")) if request else _BAD_REQUEST
        except h11.RemoteProtocolError:
            answer = _BAD_REQUEST
        await _send(connection, stream, answer, head=request is not None and request.method == b"HEAD")
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    async def _next_event(self, connection: h11.Connection, stream: trio.SocketStream) -> object:
        while (event := connection.next_event()) is h11.NEED_DATA:
            with trio.fail_after(IDLE_SECONDS) as waiting:
                self._silent[waiting] = None
                try:
                    data = await stream.receive_some(READ_BYTES)
                finally:
                    self._silent.pop(waiting, None)
            connection.receive_data(data)
        return event

    def _hang_up_on_the_most_silent(self) -> None:
        """Or else whoever opens connections and says nothing could keep probes out, which then take us for dead."""
        for waiting in self._silent:
            del self._silent[waiting]
            waiting.cancel()
            break

    def answer(self, method: str, target: str) -> Answer:
        """What a request gets: a pure function of how the parts are."""
        if method not in ("GET", "HEAD"):
            return Answer(405, "text/plain; charset=utf-8", b"only GET\n")
        match target.partition("?")[0]:
            case "/metrics":
                return Answer(200, "text/plain; version=0.0.4; charset=utf-8", self._telemetry.metrics())
            case "/healthz":
                return Answer(200, "text/plain; charset=utf-8", b"ok\n")
            case "/readyz" if self._parts.reading:
                return Answer(200, "text/plain; charset=utf-8", b"reading\n")
            case "/readyz":
                return Answer(503, "text/plain; charset=utf-8", b"not reading\n")
            case "/status":
                body = orjson.dumps(self._telemetry.status(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
                return Answer(200, "application/json", body)
        return Answer(404, "text/plain; charset=utf-8", b"there are /metrics /healthz /readyz /status\n")


_TELLING: Final = (b"/metrics", b"/status")
"""For these the disk is looked at. Not for the probes: a disk that hangs must not restart the app."""
_BAD_REQUEST: Final = Answer(400, "text/plain; charset=utf-8", b"not a valid HTTP/1.1 request\n")


async def _send(connection: h11.Connection, stream: trio.SocketStream, answer: Answer, head: bool) -> None:
    headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
    if answer.status == 400:
        headers.append(("Connection", "close"))
    data = connection.send(h11.Response(status_code=answer.status, headers=headers)) or b""
    if not head:
        data += connection.send(h11.Data(data=answer.body)) or b""
    data += connection.send(h11.EndOfMessage()) or b""
    with trio.fail_after(IDLE_SECONDS):
        await stream.send_all(data)
