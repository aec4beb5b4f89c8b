"""Performs `Request`: the transport of all sinks that speak HTTP.

httpx speaks it: HTTP/1.1 with connections that are kept (RFC 9112 §9.3). What was asked is answered, whatever the
status: no redirect is followed, no cookie kept. Where nobody answers, DestinationError says who, in which phase, and
why.

**Pools of one.** A pool of httpcore loses a place for ever when a request is cancelled while its connection is being
opened (encode/httpcore #1093). So each connection has a pool of its own, which serves one request at a time. It is kept
only when all of an answer was read; in every other case it is closed at once, and nothing can have leaked. The one that
was used last is taken first, so that few connections stay warm. What goes elsewhere than to the endpoint has a pool for
itself. No client of httpx stands before a pool: cookies, redirects and kinds of authentication, none of which is wanted
here, would cost a tenth of what a request costs.

**A kept connection that the server has closed** is noticed before it is used, as a rule. It may close it in that very
moment, though: then the request is sent once more at once, on a new connection, if nothing came back and it may be
repeated, by its method (RFC 9110 §9.2.2, RFC 9112 §9.3.1) or as its sink says so. Any other POST may have been obeyed,
and only the delivery may send it again, which counts what may be there twice.

**Secrets.** What endpoint.headers say goes to the endpoint alone; a request that names a whole URL elsewhere is sent
without them. Where an endpoint repeats them in what it answers, they are masked.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Final, cast

import httpx
import trio

from logrouter import __version__
from logrouter.endpoint import Endpoint, Timeouts
from logrouter.errors import DestinationError
from logrouter.instructions import Request, Response
from logrouter.runtime.threads import in_thread
from logrouter.runtime.transports import PlainTransport
from logrouter.runtime.transports.compressing import compressed
from logrouter.runtime.transports.masking import masked, secrets_of
from logrouter.runtime.transports.messages import plain, retry_after_seconds
from logrouter.runtime.transports.pieces import SMALL_BYTES, Pace, cut
from logrouter.runtime.transports.proxies import proxy_of_environment, proxy_url
from logrouter.runtime.transports.reasons import Progress, address, why_not_connected, why_not_secured
from logrouter.runtime.transports.tls import tls_context
from logrouter.values import Duration, revealed

LARGEST_BODY_BYTES: Final = 4 * 1024 * 1024
"""How much of an answer is read. Elasticsearch's to 10,000 events, filtered as ours is, has 0.4 MB."""
_LONGEST_ANSWER = 10
"""How many times as long as one piece of an answer all of it may take, lest one byte a minute hold a connection."""
_DIRECT_TIMEOUTS = Timeouts(connect=Duration(1), write=Duration(1), read=Duration(2))
"""For a service of this machine, if there is any: what link-local addresses answer, they answer at once."""
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=55.0)
"""How long a connection is kept, in seconds: load balancers forget one silently after 60 and more."""
_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For connections that are not to be secured: no certificates need be read for them."""
_TELLS_WHY = 300
"""From this status on, what is answered is shown to users."""
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
"""Methods that do the same when they are done twice."""
_HAS_BODY = frozenset(("POST", "PUT", "PATCH"))
_OURS = frozenset(("content-length", "transfer-encoding", "connection"))
"""Headers that say how a message is framed: nobody else's business."""
_PORTS = {"http": 80, "https": 443}


class _Stale(Exception):
    """A kept connection was closed before anything was answered, and the request may be repeated."""


class HttpTransport(PlainTransport):
    """Sends requests to an endpoint, up to `endpoint.connections` at once."""

    def __init__(self, endpoint: Endpoint, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since 1970."""
        self._endpoint = endpoint
        self._base = revealed(endpoint.url)
        url = httpx.URL(self._base)
        self._host, self._origin = url.raw_host, _origin(url)
        self._headers = _headers_of((name, revealed(text)) for name, text in endpoint.headers.items())
        self._secrets = secrets_of(endpoint, url.raw_path.decode(), url.path)
        self._begun = lru_cache(maxsize=16)(self._beginning)
        """Most requests of a sink lead to the same, with the same headers."""
        self._clock = clock
        self._places = trio.Semaphore(max(1, endpoint.connections))
        self._idle: list[_Pool] = []
        """Those of the endpoint that nobody uses. The one that was used last is the last."""
        self._is_out_of_date = False
        """Whether these, and the context, are to be made anew."""
        self._context: ssl.SSLContext | None = None
        """Made for the first connection that needs it."""

    async def perform(self, instruction: Request) -> Response:
        """Send the request, and give what is answered. Raises DestinationError where nothing is."""
        body = _Body(await _coded(instruction))
        instruction.sent_bytes = body.size_bytes
        asked = self._asked(instruction, body)
        async with self._places:
            if self._is_out_of_date:
                await self._close_idle()
            if instruction.direct or asked.origin != self._origin:
                return await self._exchange(await self._pool(asked.url, direct=instruction.direct), asked)
            if self._idle:
                may_repeat = instruction.repeatable or instruction.method in _REPEATABLE
                try:
                    return await self._exchange(self._idle.pop(), asked, keep=True, may_repeat=may_repeat)
                except _Stale:
                    await self._close_idle()  # the server has closed the others as well, most likely
            return await self._exchange(await self._pool(asked.url), asked, keep=True)

    async def aclose(self) -> None:
        """Close every connection that is not in use."""
        await self._close_idle()
        await trio.lowlevel.checkpoint()

    def reopen(self) -> None:
        """Connect anew at the next request: names may lead elsewhere, certificates may have been replaced."""
        self._is_out_of_date = True

    # ── one exchange ──

    async def _exchange(self, pool: _Pool, asked: _Asked, *, keep: bool = False, may_repeat: bool = False) -> Response:
        """`keep`: the pool is kept for other requests if it can be. `may_repeat`: _Stale is raised where it fits."""
        progress = Progress(address(*asked.origin[1:]))
        asked.extensions = {"trace": progress, "timeout": pool.seconds}
        asked.body.piece_bytes = pool.pace.piece_bytes
        is_whole, begun = False, trio.current_time()
        try:
            response = await self._read(await pool.handle_async_request(asked), progress.peer)
            is_whole = True
            pool.pace.learn(asked.body.size_bytes, trio.current_time() - begun)
            return response
        except httpx.LocalProtocolError:  # its text quotes headers
            raise DestinationError(_cannot_be_sent(progress.peer)) from None
        except httpx.TransportError as error:
            is_broken = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
            if is_broken and not progress.is_new and progress.phase == "asking" and may_repeat:
                raise _Stale from error
            raise DestinationError(_why(error, progress, pool.timeouts)) from error
        finally:
            if keep and is_whole:
                self._idle.append(pool)
            else:
                await _close(pool, progress)

    def _asked(self, instruction: Request, body: _Body) -> _Asked:
        """The request as httpx has it. Raises DestinationError."""
        own = tuple((name, text) for name, text in instruction.headers)  # also where a plug-in has made a list of them
        url, headers = self._begun(instruction.target, own)
        asked = _Asked(instruction.method, url, headers, body)
        if body.size_bytes and instruction.coding in ("gzip", "zstd"):
            asked.headers["Content-Encoding"] = instruction.coding
        if body.size_bytes or instruction.method in _HAS_BODY:
            asked.headers["Content-Length"] = str(body.size_bytes)
        return asked

    def _beginning(self, target: str, own: tuple[tuple[str, str], ...]) -> tuple[httpx.URL, httpx.Headers]:
        """Where a request leads, and its headers but for those about its body. Raises DestinationError."""
        try:
            url = httpx.URL(target if target.startswith(("http://", "https://")) else self._base + target)
        except httpx.InvalidURL:  # its text quotes the URL
            raise DestinationError(_cannot_be_sent(address(*self._origin[1:]))) from None
        headers = httpx.Headers({"Host": url.netloc.decode(), "User-Agent": f"logrouter/{__version__}"})
        if _origin(url) == self._origin:
            headers.update(self._headers)
        headers.update(_headers_of(own))
        return url, headers

    async def _read(self, answer: httpx.Response, peer: str) -> Response:
        """The answer, or as much of it as anybody wants to know."""
        pieces, size = [], 0
        seconds = Duration(self._endpoint.timeouts.read * _LONGEST_ANSWER)
        with trio.move_on_after(seconds) as scope:
            try:
                async for piece in cast("httpx.AsyncByteStream", answer.stream):  # as it is: `aiter_raw` is slower
                    pieces.append(piece)
                    size += len(piece)
                    if size > LARGEST_BODY_BYTES:  # then the next read fails, by which httpx's generators end: leaving
                        await answer.aclose()  # the loop would leave them unfinished
                await answer.aclose()
            except httpx.ReadError:
                if not answer.is_closed or size <= LARGEST_BODY_BYTES:
                    raise
        if scope.cancelled_caught:
            raise DestinationError(f"{peer} has not ended its answer within {seconds}")
        headers = dict(answer.headers.items())
        body = plain(b"".join(pieces)[:LARGEST_BODY_BYTES], headers.get("content-encoding", ""), LARGEST_BODY_BYTES)
        if answer.status_code >= _TELLS_WHY:
            body = masked(body, self._secrets)
        retry_after = retry_after_seconds(headers.get("retry-after"), self._clock)
        return Response(answer.status_code, headers, body, retry_after)

    # ── pools ──

    async def _pool(self, url: httpx.URL, *, direct: bool = False) -> _Pool:
        """One that leads there. `direct`: past any proxy, and not waited for. Raises DestinationError."""
        # In a thread: the first one imports httpcore (100 ms) and reads certificates (30 ms). All others take 0.4 ms.
        return await in_thread(partial(self._make_pool, url, direct))

    def _make_pool(self, url: httpx.URL, direct: bool) -> _Pool:
        proxy = None if direct else self._proxy(url)
        context = self._context
        is_tls = proxy is not None and proxy.startswith("https:")
        if context is None and (url.scheme == "https" or is_tls):
            context = self._context = tls_context(self._endpoint.tls, self._host)
        try:
            return _Pool(
                context or _TRUSTS_NOBODY,
                None if proxy is None else httpx.Proxy(proxy, ssl_context=context if is_tls else None),
                _DIRECT_TIMEOUTS if direct else self._endpoint.timeouts,
            )
        except (ImportError, ValueError, httpx.InvalidURL):  # SOCKS, too, which needs a package that we have not
            which = "proxy" if self._endpoint.proxy is not None else "proxy of the environment"
            raise DestinationError(
                f"the {which} cannot be used: expected http://host:port or https://host:port"
            ) from None

    def _proxy(self, url: httpx.URL) -> str | None:
        chosen = self._endpoint.proxy
        return proxy_of_environment(*_origin(url)) if chosen is None else proxy_url(revealed(chosen))

    async def _close_idle(self) -> None:
        if self._is_out_of_date:
            self._is_out_of_date, self._context = False, None
        while self._idle:
            await self._idle.pop().aclose()


class _Pool(httpx.AsyncHTTPTransport):
    """A pool of one connection."""

    def __init__(self, context: ssl.SSLContext, proxy: httpx.Proxy | None, timeouts: Timeouts) -> None:
        super().__init__(verify=context, proxy=proxy, trust_env=False, limits=_ONE)
        self.timeouts = timeouts
        self.seconds = {"connect": timeouts.connect, "write": timeouts.write, "read": timeouts.read}
        """The same, as httpcore wants them (the extension `timeout`)."""
        self.pace = Pace(timeouts.write)


class _Asked(httpx.Request):
    """A request as httpx has it."""

    def __init__(self, method: str, url: httpx.URL, headers: httpx.Headers, body: _Body) -> None:
        super().__init__(method, url, headers=headers, stream=body)
        self.body = body
        self.origin = _origin(url)
        """Whom it leads to."""


class _Body(httpx.AsyncByteStream, AsyncIterator[bytes]):
    """A body in pieces. No generator: one that is left in the middle would have to be closed."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self.size_bytes = sum(map(len, parts))
        self.piece_bytes = SMALL_BYTES
        """How much of it is written at once."""
        self._parts = parts
        self._pieces: Iterator[bytes | memoryview] = iter(())

    def __aiter__(self) -> _Body:
        self._pieces = cut(self._parts, self.piece_bytes)
        return self

    async def __anext__(self) -> Any:  # a memoryview at times, which h11 joins as it does bytes
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


def _headers_of(pairs: Iterable[tuple[str, str]]) -> httpx.Headers:
    return httpx.Headers([pair for pair in pairs if pair[0].lower() not in _OURS], encoding="utf-8")


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    """Whom it leads to."""
    return url.scheme, url.host, url.port or _PORTS[url.scheme]


async def _close(pool: _Pool, progress: Progress) -> None:
    """Close what a request has opened: httpcore leaves a connection open if it is cancelled while it is secured."""
    with trio.CancelScope(shield=True):
        await pool.aclose()
        if progress.opened is not None:
            await progress.opened.aclose()


async def _coded(request: Request) -> Sequence[bytes]:
    """The body as it goes over the line. What it was before is not held any longer."""
    pieces = [piece for piece in (request.body, *request.pieces) if piece]
    if request.coding == "none" or not pieces:
        return pieces
    coded = await compressed(pieces, request.coding, request.level)
    request.body, request.pieces = b"", ()
    return [coded]


def _cannot_be_sent(peer: str) -> str:
    return f"a header or the target is none that {peer} can be sent"


def _why(error: httpx.TransportError, progress: Progress, timeouts: Timeouts) -> str:
    """In one sentence, which names nothing but host and port."""
    peer = progress.peer
    match error:
        case httpx.ConnectError() if progress.phase == "securing":
            return progress.no_connection(why_not_secured(error) or "it has closed the connection")
        case httpx.ConnectError():
            return progress.no_connection(why_not_connected(error))
        case httpx.ProxyError():
            return f"the proxy does not connect to {peer}: {error}"
        case httpx.WriteTimeout():
            return f"{peer} has taken nothing more of a request for {timeouts.write}"
        case httpx.ReadTimeout():
            return f"{peer} has sent nothing for {timeouts.read} while its answer was waited for"
        case httpx.TimeoutException():
            return progress.no_connection(f"no answer within {timeouts.connect}")
        case httpx.NetworkError() if refused := why_not_secured(error):  # a certificate of ours, after the handshake
            return f"no TLS with {peer}: {refused}"
    is_end = isinstance(error, httpx.NetworkError) or "disconnected" in str(error) or "peer closed" in str(error)
    if is_end and progress.phase != "answered":
        return f"{peer} has closed the connection without an answer"
    return f"{peer} has {'broken its answer off' if is_end else 'answered something that is not HTTP/1.1'}"
