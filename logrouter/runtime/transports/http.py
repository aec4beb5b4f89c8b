"""Performs `Request`: the transport of all sinks that speak HTTP.

HTTP/1.1 with connections that are kept (RFC 9112 §9.3). What was asked is answered, whatever the status: no redirect is
followed, no cookie kept. Where nobody answers, DestinationError says who, in which phase, and why.

**No pool.** A pool of httpcore (and so of httpx) loses a place for ever when a request is cancelled while its
connection is being opened (encode/httpcore #1093). Here a request takes an idle connection or makes one, has it for
itself, and gives it back only when all of the answer was read; in every other case its socket is closed at once. And
half of what an httpx client costs a request is saved (0.6 ms of CPU instead of 1.3 on a busy machine, system calls
included; of what is left, h11 and httpcore take two thirds, and this file 0.05 ms).

**A kept connection that the server has closed** is noticed before it is used, as a rule. It may close it in that very
moment, though: then the request is sent once more at once, on a new connection, if nothing came back, and if it had not
been sent completely or its method may be repeated (RFC 9110 §9.2.2, RFC 9112 §9.3.1). A POST that was sent completely
may have been obeyed, so only the delivery may send it again: it knows what can be recognised as there already.

**Secrets.** What endpoint.headers say goes to the endpoint alone; a request that names a whole URL elsewhere is sent
without them. Where an endpoint repeats them in what it answers, they are masked.
"""

from __future__ import annotations

import base64
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
import trio

from logrouter import __version__
from logrouter.compression import compress
from logrouter.cursors import Place
from logrouter.endpoint import Endpoint, Timeouts
from logrouter.errors import DestinationError
from logrouter.instructions import Request, Response
from logrouter.runtime.transports import Resumed
from logrouter.runtime.transports.messages import Body, headers_of, plain, retry_after_seconds, target_of
from logrouter.runtime.transports.network import Enough, Network, OpenStream, Origin, tls_context
from logrouter.runtime.transports.proxies import Proxy, proxy_for
from logrouter.values import MASK, Duration, Secret, revealed

LARGEST_BODY_BYTES: Final = 4 * 1024 * 1024
"""How much of an answer is read. Elasticsearch's to 10,000 events, filtered as ours is, has 0.4 MB."""
_COMPRESS_HERE_BYTES = 64 * 1024
"""Compressing so much takes 0.1 ms, and more goes to a thread."""
_LONGEST_ANSWER = 10
"""How many times as long as one piece of an answer all of it may take, lest one byte a minute hold a connection."""
_DIRECT_TIMEOUTS = Timeouts(connect=Duration(1), write=Duration(1), read=Duration(2))
_IDLE_SECONDS = 55.0
"""How long a connection is kept. Load balancers forget one silently after 60 seconds and more."""
_TELLS_WHY = 300
"""From this status on, what is answered is shown to users."""
_SHORTEST_SECRET = 4
"""Anything shorter is part of every text."""
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
"""Methods that do the same when they are done twice."""
_HAS_BODY = frozenset(("POST", "PUT", "PATCH"))
_OURS = frozenset(("content-length", "transfer-encoding", "connection"))
"""Headers that say how a message is framed: nobody else's business."""


class _Lost(Exception):
    """A kept connection was closed, and the request has not been obeyed, or may be twice."""


class HttpTransport:
    """Sends requests to an endpoint, up to `endpoint.connections` at once."""

    needs_sync = False
    doubts = 0

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        clock: Callable[[], float] = time.time,
        open_stream: OpenStream = trio.open_tcp_stream,
    ) -> None:  # `clock` gives seconds since 1970
        self._endpoint = endpoint
        self._base = revealed(endpoint.url)
        self._origin = Origin.of(self._base)
        self._secrets = _secrets_of(endpoint)
        self._clock = clock
        self._open_stream = open_stream
        self._places = trio.Semaphore(max(1, endpoint.connections))
        self._idle: defaultdict[Origin, list[_Connection]] = defaultdict(list)
        """The one that was used last is the last."""
        self._context: Any = None
        """The SSLContext, made for the first connection that needs it."""

    async def seal(self, instruction: Request, checksum: bool) -> Place | None:
        """None: only the sink can tell what has arrived."""
        return None

    async def has_arrived(self, place: Place) -> bool:
        """Nobody knows."""
        return False

    async def resume(self, instruction: Request, place: Place, distrust: bool) -> Resumed:
        """All of it is to be performed."""
        return "new"

    async def perform(self, instruction: Request) -> Response:
        """Send the request, and give what is answered. Raises DestinationError where nothing is."""
        body = await _coded(instruction)
        instruction.sent_bytes = len(body)
        target = instruction.target
        url = target if target.startswith(("http://", "https://")) else self._base + target
        origin = Origin.of(url)
        async with self._places:
            if instruction.direct:
                return await self._exchange(self._direct(origin), instruction, url, body)
            connection = self._kept(origin)
            if connection is not None:
                try:
                    return await self._exchange(connection, instruction, url, body)
                except _Lost:
                    self._close_idle(origin)  # the server has closed the others as well, most likely
            return await self._exchange(await self._connection(origin), instruction, url, body)

    async def sync(self) -> None:
        """Nothing to do: what was answered is done."""
        await trio.lowlevel.checkpoint()

    def on_sync(self, join: Callable[[], None]) -> None:
        """Nothing to do: nothing is ever synced."""

    async def aclose(self) -> None:
        """Close every connection that is not in use."""
        self.reopen()
        await trio.lowlevel.checkpoint()

    def reopen(self) -> None:
        """Connect anew: names may lead elsewhere, certificates may have been replaced."""
        for origin in list(self._idle):
            self._close_idle(origin)
        self._context = None

    # ── one exchange ──

    async def _exchange(self, connection: _Connection, instruction: Request, url: str, body: bytes) -> Response:
        sent = Body(body)
        heard = connection.network.heard
        keep = False
        try:
            answer = await connection.http.handle_async_request(self._request(connection, instruction, url, sent))
            response = await self._read(answer, connection.network)
            keep = connection.http.is_idle() and not instruction.direct
            return response
        except (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError) as error:
            nothing_came = connection.network.heard == heard
            if nothing_came and connection.used and (not sent.is_sent or instruction.method in _REPEATABLE):
                raise _Lost from error
            raise DestinationError(_why_broken(connection.origin, error, nothing_came)) from error
        except httpcore.ProxyError as error:
            raise DestinationError(f"the proxy does not connect to {connection.origin}: {error}") from error
        except httpcore.LocalProtocolError:  # its text quotes headers
            raise DestinationError(f"a header or the target is none that {connection.origin} can be sent") from None
        finally:
            connection.used = True
            if keep:
                self._idle[connection.origin].append(connection)
            else:
                connection.network.close()

    def _request(self, connection: _Connection, instruction: Request, url: str, body: Body) -> httpcore.Request:
        origin = connection.origin
        headers = {"host": ("Host", origin.authority), "user-agent": ("User-Agent", f"logrouter/{__version__}")}
        if origin == self._origin:
            headers |= {name.lower(): (name, revealed(text)) for name, text in self._endpoint.headers.items()}
        headers |= {name.lower(): (name, revealed(text)) for name, text in instruction.headers}
        if body.size and instruction.coding in ("gzip", "zstd"):
            headers["content-encoding"] = ("Content-Encoding", instruction.coding)
        for name in _OURS:
            headers.pop(name, None)
        if body.size or instruction.method in _HAS_BODY:
            headers["content-length"] = ("Content-Length", str(body.size))
        pairs = [(name.encode(), text.encode()) for name, text in headers.values()]
        to = httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target_of(url))
        return httpcore.Request(instruction.method.encode(), to, headers=pairs, content=body)

    async def _read(self, answer: httpcore.Response, network: Network) -> Response:
        """The answer, or as much of it as anybody wants to know."""
        pieces, size = [], 0
        seconds = self._endpoint.timeouts.read * _LONGEST_ANSWER
        with trio.move_on_after(seconds) as scope:
            with suppress(Enough):  # leaving the loop instead would leave httpcore's generators unfinished
                async for piece in answer.stream:  # type: ignore[union-attr]  # an async one
                    pieces.append(piece)
                    size += len(piece)
                    network.has_enough = size >= LARGEST_BODY_BYTES
            await answer.aclose()
        if scope.cancelled_caught:
            raise DestinationError(f"{network.peer} has not ended its answer within {seconds:.0f}s")
        headers = headers_of(answer.headers)
        body = plain(b"".join(pieces)[:LARGEST_BODY_BYTES], headers.get("content-encoding", ""), LARGEST_BODY_BYTES)
        if answer.status >= _TELLS_WHY:
            for secret in self._secrets:
                body = body.replace(secret, MASK.encode())
        return Response(answer.status, headers, body, retry_after_seconds(headers.get("retry-after"), self._clock))

    # ── connections ──

    def _kept(self, origin: Origin) -> _Connection | None:
        """An idle connection that is still good."""
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if not connection.http.has_expired():
                return connection
            connection.network.close()
        return None

    async def _connection(self, origin: Origin) -> _Connection:
        proxy = proxy_for(origin, self._endpoint.proxy)
        if self._context is None and (
            origin.scheme == "https" or (proxy is not None and proxy.origin.scheme == "https")
        ):
            self._context = await trio.to_thread.run_sync(tls_context, self._endpoint.tls)
        server_name = self._endpoint.tls.server_name if origin == self._origin else None
        network = Network(origin, self._endpoint.timeouts, server_name, self._open_stream)
        return _Connection(origin, network, _http(origin, network, proxy, self._context))

    def _direct(self, origin: Origin) -> _Connection:
        """One to a service of this machine, if there is any: what link-local addresses answer, they answer at once."""
        network = Network(origin, _DIRECT_TIMEOUTS, None, self._open_stream)
        return _Connection(origin, network, _http(origin, network, None, None))

    def _close_idle(self, origin: Origin) -> None:
        for connection in self._idle.pop(origin, ()):
            connection.network.close()


class _Connection:
    """A connection, used by one request at a time."""

    def __init__(self, origin: Origin, network: Network, http: httpcore.AsyncConnectionInterface) -> None:
        self.origin = origin
        self.network = network
        self.http = http
        self.used = False
        """Whether a request was sent on it before."""


def _http(origin: Origin, network: Network, proxy: Proxy | None, context: Any) -> httpcore.AsyncConnectionInterface:
    """HTTP/1.1 on a connection that is opened when it is first used."""
    to = httpcore.Origin(origin.scheme.encode(), origin.host.encode(), origin.port)
    if proxy is None:
        return httpcore.AsyncHTTPConnection(to, context, keepalive_expiry=_IDLE_SECONDS, network_backend=network)
    at = proxy.origin
    pool = httpcore.AsyncHTTPProxy(  # only to make a connection of
        httpcore.URL(scheme=at.scheme, host=at.host, port=at.port, target="/"),
        proxy_headers=proxy.headers,
        ssl_context=context,
        proxy_ssl_context=context if at.scheme == "https" else None,
        keepalive_expiry=_IDLE_SECONDS,
        network_backend=network,
    )
    return pool.create_connection(to)


def _secrets_of(endpoint: Endpoint) -> list[bytes]:
    """What must not be shown, whoever repeats it: keys in headers, the path of a secret URL. The longest first."""
    texts = [text.reveal() for text in endpoint.headers.values() if isinstance(text, Secret)]
    texts += [_password_in(text) for text in texts]
    if isinstance(endpoint.url, Secret):
        texts += [target_of(endpoint.url.reveal()), urlsplit(endpoint.url.reveal()).path]
    words = {word for text in texts for word in (text, text.rpartition(" ")[2]) if len(word) >= _SHORTEST_SECRET}
    return [word.encode() for word in sorted(words, key=len, reverse=True)]


def _password_in(header: str) -> str:
    """The password that basic authentication (RFC 7617) sends, or Elasticsearch's key; empty where it is neither."""
    scheme, _, pair = header.partition(" ")
    if scheme.lower() not in ("basic", "apikey"):
        return ""
    try:
        return base64.b64decode(pair).decode().partition(":")[2]
    except ValueError:  # by a user's own header
        return ""


async def _coded(request: Request) -> bytes:
    """The body as it goes over the line."""
    if request.coding == "none" or not request.body:
        return request.body
    if len(request.body) > _COMPRESS_HERE_BYTES:
        return await trio.to_thread.run_sync(compress, request.body, request.coding, request.level)
    return compress(request.body, request.coding, request.level)


def _why_broken(peer: Origin, error: Exception, nothing_came: bool) -> str:
    if nothing_came:
        return f"{peer} has closed the connection without an answer"
    if isinstance(error, httpcore.ReadError) or "peer closed" in str(error):
        return f"{peer} has broken its answer off"
    return f"{peer} has answered something that is not HTTP/1.1"
