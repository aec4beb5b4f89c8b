"""The transport `http`, against a server of this process."""

from __future__ import annotations

import base64
import gzip
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import NoReturn

import pytest
import trio

from logrouter import __version__
from logrouter.endpoint import Endpoint, Timeouts, Tls
from logrouter.errors import DestinationError
from logrouter.instructions import ContentCoding, Request, Response
from logrouter.runtime.transports.http import LARGEST_BODY_BYTES, HttpTransport
from logrouter.testing import HttpServer, Received, Reply
from logrouter.values import Duration, Secret

POST = Request("POST", "/in", b'{"a":1}\n')
LARGER_THAN_BUFFERS = 30_000_000
"""No kernel takes so many bytes of a request that nobody reads."""
GET = Request("GET", "/")


@asynccontextmanager
async def connected(
    server: HttpServer, path: str = "", *, clock: Callable[[], float] = time.time, **of: object
) -> AsyncIterator[HttpTransport]:
    """A transport to a server that serves."""
    async with server.serving():
        transport = HttpTransport(Endpoint(server.url + path, **of), clock=clock)  # type: ignore[arg-type]
        yield transport
        await transport.aclose()


async def reason_of(transport: HttpTransport, request: Request = POST) -> str:
    with pytest.raises(DestinationError) as caught:
        await transport.perform(request)
    return str(caught.value)


async def wait_for_requests(server: HttpServer, count: int) -> None:
    """Until so many have come."""
    with trio.fail_after(10):
        while len(server.requests) < count:
            await trio.testing.wait_all_tasks_blocked(0.01)


async def test_it_sends_what_is_asked_and_gives_what_is_answered() -> None:
    server = HttpServer([Reply(207, {"X-A": "1", "x-a": "2"}, b"yes")])
    headers = {"Authorization": Secret("Bearer t"), "X-B": "endpoint", "X-C": "endpoint"}
    async with connected(server, "/base", headers=headers) as transport:
        request = Request("POST", "/in?b=ä", b"body", (("x-b", "request"), ("Content-Type", "text/plain")))
        response = await transport.perform(request)
    assert response == Response(207, {"x-a": "1, 2", "content-length": "3"}, b"yes")
    assert request.sent_bytes == 4
    (received,) = server.requests
    assert (received.method, received.target, received.body) == ("POST", "/base/in?b=%C3%A4", b"body")
    assert received.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": f"logrouter/{__version__}",
        "authorization": "Bearer t",
        "x-b": "request",
        "x-c": "endpoint",
        "content-type": "text/plain",
        "content-length": "4",
    }


@pytest.mark.parametrize(("coding", "header"), [("none", None), ("gzip", "gzip"), ("zstd", "zstd"), ("snappy", None)])
@pytest.mark.parametrize("size", [1_000, 200_000])
async def test_bodies_are_compressed_as_they_ask(coding: ContentCoding, header: str | None, size: int) -> None:
    server = HttpServer()
    body = b'{"level":"info"}' * (size // 16)
    async with connected(server) as transport:
        request = Request("POST", "/", body, coding=coding)
        await transport.perform(request)
    (received,) = server.requests
    assert received.headers.get("content-encoding") == header
    assert received.sent_bytes == request.sent_bytes
    assert (received.sent_bytes == len(body)) == (coding == "none")
    assert received.body == body or coding == "snappy"
    assert request.whole_body == (body if coding == "none" else b"")  # it is not held twice


async def test_pieces_are_compressed_with_the_body() -> None:
    server = HttpServer()
    pieces = [b"", b'{"level":"info"}' * 10_000, b"", b"end"]
    async with connected(server) as transport:
        requests = [Request("POST", "/", b"begin", (), coding, None, pieces) for coding in ("gzip", "zstd", "none")]
        for request in requests:
            await transport.perform(request)
    for received, request in zip(server.requests, requests, strict=True):
        assert received.body == b"begin" + b"".join(pieces)
        assert received.sent_bytes == request.sent_bytes
    assert [request.whole_body for request in requests] == [b"", b"", b"begin" + b"".join(pieces)]


async def test_pieces_follow_the_body_as_they_are() -> None:
    server = HttpServer()
    pieces = [b"a" * 600_000, b"", b"b" * 3]
    async with connected(server) as transport:
        request = Request("PUT", "/", b"body", pieces=pieces)
        await transport.perform(request)
    (received,) = server.requests
    assert received.body == b"body" + b"".join(pieces)
    assert received.headers["content-length"] == str(request.sent_bytes) == str(600_007)


async def test_large_bodies_follow_each_other_on_a_connection() -> None:
    server = HttpServer()
    parts = [b"a" * 1_500_000, b"b" * 300_000, b"c"]
    async with connected(server) as transport:
        for _ in range(3):  # in small pieces, and in large ones once the connection is known to be quick
            await transport.perform(Request("PUT", "/", pieces=parts))
    assert [request.body == b"".join(parts) for request in server.requests] == [True] * 3
    assert [request.connection for request in server.requests] == [0, 0, 0]


async def test_headers_may_be_a_list() -> None:
    server = HttpServer()
    async with connected(server) as transport:
        await transport.perform(Request("POST", "/", headers=[("X-A", "1")]))  # type: ignore[arg-type]
    assert server.requests[0].headers["x-a"] == "1"


async def test_what_has_no_body_says_so_where_one_is_expected() -> None:
    server = HttpServer()
    async with connected(server) as transport:
        await transport.perform(Request("POST", "/", coding="gzip"))
        await transport.perform(GET)
    post, get = server.requests
    assert (post.headers["content-length"], "content-encoding" in post.headers) == ("0", False)
    assert "content-length" not in get.headers


async def test_a_connection_is_kept_and_so_is_none_that_the_server_closes() -> None:
    server = HttpServer([Reply(), Reply(), Reply(headers={"Connection": "close"}), Reply()])
    async with connected(server) as transport:
        for _ in range(5):
            await transport.perform(POST)
    assert [request.connection for request in server.requests] == [0, 0, 0, 1, 1]


async def test_no_more_requests_at_once_than_there_are_connections() -> None:
    server = HttpServer([Reply(hang=True)])
    async with connected(server, connections=3) as transport, trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(transport.perform, Request("POST", "/"))
        await wait_for_requests(server, 3)
        assert server.under_way == 3
        server.go_on.set()
    assert (server.most_under_way, server.connections, len(server.requests)) == (3, 3, 10)


async def test_the_connection_that_was_used_last_is_taken_first() -> None:
    server = HttpServer([Reply(hang=True)])
    async with connected(server, connections=3) as transport:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(transport.perform, GET)
            await wait_for_requests(server, 3)
            server.go_on.set()
        for _ in range(3):
            await transport.perform(GET)
    assert len({request.connection for request in server.requests[3:]}) == 1


@pytest.mark.slow
async def test_a_thousand_cancelled_requests_and_the_next_one_succeeds() -> None:
    """httpcore #1093: a pool would have lost its places by now."""
    server = HttpServer([Reply(hang=True)])
    async with connected(server, connections=2) as transport:
        for number in range(1000):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(transport.perform, Request("POST", "/"))
                    for _ in range(number % 7):  # while it connects, while it sends, while it waits
                        await trio.lowlevel.checkpoint()
                    scope.cancel()
        server.go_on.set()
        assert (await transport.perform(POST)).status == 200


async def test_cancelled_while_tls_is_agreed_on_nothing_stays_open() -> None:
    with silent() as port:
        transport = HttpTransport(Endpoint(f"https://127.0.0.1:{port}", tls=Tls(verify=False)))
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            with trio.move_on_after(0.01):
                await transport.perform(GET)
            assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 500, 503])
async def test_every_status_is_an_answer(status: int) -> None:
    server = HttpServer([Reply(status, {"Location": "http://example.org/", "Set-Cookie": "a=b"}, b"no")])
    async with connected(server) as transport:
        assert (await transport.perform(POST)).status == status
        await transport.perform(POST)
    assert len(server.requests) == 2
    assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("120", 120), ("Thu, 01 Jan 1970 00:02:00 GMT", 20), ("Thu, 01 Jan 1970 00:00:01 GMT", 0)]
    + [(text, None) for text in ("", "soon", "-1", "1.5", "1e3", "Thu, 99 Jan")],
)
async def test_retry_after(text: str, seconds: float | None) -> None:
    server = HttpServer([Reply(429, {"Retry-After": text})])
    async with connected(server, clock=lambda: 100.0) as transport:
        assert (await transport.perform(POST)).retry_after_seconds == seconds


async def test_of_a_long_answer_the_beginning_is_read_and_the_connection_is_not_used_again() -> None:
    server = HttpServer([Reply(body=b"x" * (LARGEST_BODY_BYTES + 300_000)), Reply()])
    async with connected(server) as transport:
        assert len((await transport.perform(POST)).body) == LARGEST_BODY_BYTES
        await transport.perform(POST)
    assert [request.connection for request in server.requests] == [0, 1]


async def test_an_answer_may_be_compressed_though_nobody_asked() -> None:
    server = HttpServer(
        [
            Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(b"yes")),
            Reply(headers={"Content-Encoding": "gzip"}, body=b"no"),
        ]
    )
    async with connected(server) as transport:
        assert (await transport.perform(POST)).body == b"yes"
        assert (await transport.perform(POST)).body == b""


async def test_what_an_endpoint_repeats_of_secrets_is_masked() -> None:
    def answer(request: Received) -> Reply:
        return Reply(404, body=f"{request.target}: {request.headers['authorization']} is not Abc".encode())

    server = HttpServer(answer)
    async with server.serving():
        url = Secret(f"{server.url}/hooks/key?token=t")
        transport = HttpTransport(Endpoint(url, {"Authorization": Secret("Bearer hidden"), "X-A": "Abc"}))
        response = await transport.perform(Request("POST", ""))
        await transport.aclose()
    assert server.requests[0].target == "/hooks/key?token=t"
    assert response.body == b"********: ******** is not Abc"


@pytest.mark.parametrize("scheme", ["Basic", "ApiKey"])
async def test_what_an_endpoint_has_decoded_is_masked_too(scheme: str) -> None:
    pair = base64.b64encode(b"me:hidden/:+@").decode()
    async with HttpServer([Reply(403, body=b"no hidden/:+@ for me")]).serving() as server:
        transport = HttpTransport(Endpoint(server.url, {"Authorization": Secret(f"{scheme} {pair}")}))
        assert (await transport.perform(POST)).body == b"no ******** for me"
        await transport.aclose()


# ── connections that the server closes ──


async def test_a_kept_connection_that_was_closed_is_noticed_before_it_is_used() -> None:
    server = HttpServer([Reply(close=True), Reply()])
    async with connected(server) as transport:
        await transport.perform(POST)
        await trio.testing.wait_all_tasks_blocked(0.01)
        await transport.perform(POST)
    assert [request.connection for request in server.requests] == [0, 1]


@pytest.mark.parametrize(
    ("asked", "repeated"),
    [
        (Request("GET", "/"), True),
        (Request("PUT", "/", b"body"), True),
        (Request("POST", "/", b"body"), False),
        (Request("POST", "/", b"body", coding="gzip", repeatable=True), True),
    ],
)
async def test_one_that_is_closed_at_that_very_moment(asked: Request, repeated: bool) -> None:
    server = HttpServer([Reply(), Reply(reset=True), Reply(201)])
    async with connected(server) as transport:
        await transport.perform(POST)
        if repeated:
            assert (await transport.perform(asked)).status == 201
        else:  # it may have been obeyed
            assert (
                await reason_of(transport, asked)
                == f"127.0.0.1:{server.port} has closed the connection without an answer"
            )
    assert [request.connection for request in server.requests] == ([0, 0, 1] if repeated else [0, 0])


async def test_a_new_connection_that_is_closed_is_not_tried_again() -> None:
    server = HttpServer([Reply(reset=True)])
    async with connected(server) as transport:
        assert "has closed the connection without an answer" in await reason_of(transport, GET)
    assert len(server.requests) == 1


# ── what is said when nobody answers ──


async def test_nobody_listens() -> None:
    async with HttpServer().serving() as server:
        port = server.port
    transport = HttpTransport(Endpoint(f"http://127.0.0.1:{port}/secret?token=secret"))
    assert await reason_of(transport) == f"cannot connect to 127.0.0.1:{port}: connection refused"


class NoNames(trio.abc.HostnameResolver):
    """Knows none."""

    async def getaddrinfo(self, *of: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, *of: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_a_name_that_is_not_known() -> None:
    trio.socket.set_custom_hostname_resolver(NoNames())
    transport = HttpTransport(Endpoint("https://es:9200", tls=Tls(verify=False)))
    expected = "cannot connect to es:9200: the name is not known (Name or service not known)"
    assert await reason_of(transport) == expected


@contextmanager
def silent(*, full: bool = False) -> Iterator[int]:
    """A port that takes connections, and nothing else. `full`: nor these."""
    with socket.create_server(("127.0.0.1", 0), backlog=0 if full else 8) as listener, ExitStack() as connections:
        if full:
            connections.enter_context(socket.create_connection(listener.getsockname()))
        yield listener.getsockname()[1]


async def test_connecting_takes_too_long() -> None:
    with silent(full=True) as port:
        transport = HttpTransport(Endpoint(f"http://127.0.0.1:{port}", timeouts=Timeouts(connect=Duration(0.05))))
        assert await reason_of(transport) == f"cannot connect to 127.0.0.1:{port}: no answer within 50ms"


async def test_tls_takes_too_long() -> None:
    with silent() as port:
        short = Timeouts(connect=Duration(0.1))
        transport = HttpTransport(Endpoint(f"https://127.0.0.1:{port}", tls=Tls(verify=False), timeouts=short))
        assert await reason_of(transport) == f"no TLS with 127.0.0.1:{port}: no answer within 100ms"


async def test_nothing_is_answered_in_time() -> None:
    server = HttpServer([Reply(hang=True)])
    async with connected(server, timeouts=Timeouts(read=Duration(0.05))) as transport:
        reason = await reason_of(transport)
        assert reason == f"127.0.0.1:{server.port} has sent nothing for 50ms while its answer was waited for"


@pytest.mark.slow
async def test_an_answer_that_never_ends() -> None:
    server = HttpServer([Reply(body=b"x" * 1000, drip_seconds=0.01)])
    async with connected(server, timeouts=Timeouts(read=Duration(0.5))) as transport:
        assert await reason_of(transport) == f"127.0.0.1:{server.port} has not ended its answer within 5s"


@pytest.mark.slow
async def test_a_slow_answer_is_waited_for() -> None:
    """In all for longer than a part of it may take."""
    server = HttpServer([Reply(body=b"slowly" * 5, drip_seconds=0.1)])
    async with connected(server, timeouts=Timeouts(read=Duration(2))) as transport:
        assert (await transport.perform(POST)).body == b"slowly" * 5


async def test_nothing_is_taken_in_time() -> None:
    with silent() as port:
        transport = HttpTransport(Endpoint(f"http://127.0.0.1:{port}", timeouts=Timeouts(write=Duration(0.05))))
        reason = await reason_of(transport, Request("POST", "/", bytes(LARGER_THAN_BUFFERS)))
        assert reason == f"127.0.0.1:{port} has taken nothing more of a request for 50ms"


async def test_an_answer_that_breaks_off() -> None:
    server = HttpServer([Reply(body=b"abcdef", cut=3)])
    async with connected(server) as transport:
        assert await reason_of(transport) == f"127.0.0.1:{server.port} has broken its answer off"


async def test_something_else_than_http() -> None:
    server = HttpServer([Reply(raw=b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n")])
    async with connected(server) as transport:
        assert await reason_of(transport) == f"127.0.0.1:{server.port} has answered something that is not HTTP/1.1"


async def test_a_header_that_cannot_be_sent_is_not_told() -> None:
    server = HttpServer()
    async with connected(server, headers={"Authorization": Secret("a\nb")}) as transport:
        reason = await reason_of(transport)
    assert reason == f"a header or the target is none that 127.0.0.1:{server.port} can be sent"


async def test_an_early_refusal_of_a_large_body_is_heard() -> None:
    """The server answers, and reads no more: what it said counts."""

    async def refuse(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        await stream.send_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, refuse, 0, host="127.0.0.1"))
        transport = HttpTransport(Endpoint(f"http://127.0.0.1:{listener.socket.getsockname()[1]}"))
        assert (await transport.perform(Request("POST", "/", bytes(LARGER_THAN_BUFFERS)))).status == 413
        nursery.cancel_scope.cancel()


# ── whole URLs, and services of this machine ──


async def test_a_whole_url_elsewhere_gets_no_secrets_and_leaves_our_connection_alone() -> None:
    elsewhere, server = HttpServer(), HttpServer()
    async with elsewhere.serving(), connected(server, headers={"Authorization": Secret("s")}) as transport:
        await transport.perform(Request("GET", f"{server.url}/token"))
        await transport.perform(Request("GET", f"{elsewhere.url}/token"))
        await transport.perform(POST)
    assert "authorization" not in elsewhere.requests[0].headers
    assert [(request.headers["authorization"], request.connection) for request in server.requests] == [("s", 0)] * 2


async def test_a_service_of_this_machine_is_reached_past_any_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = HttpServer()
    async with server.serving():
        transport = HttpTransport(Endpoint("http://es:9200", proxy="127.0.0.1:9"))
        request = Request("GET", f"{server.url}/latest", direct=True)
        assert [(await transport.perform(request)).status for _ in range(2)] == [200, 200]
    assert server.connections == 2  # it is asked once an hour


@pytest.mark.slow
async def test_a_service_of_this_machine_is_not_waited_for() -> None:
    server = HttpServer([Reply(hang=True)])
    async with connected(server) as transport:
        reason = await reason_of(transport, Request("GET", f"{server.url}/latest", direct=True))
        assert reason == f"127.0.0.1:{server.port} has sent nothing for 2s while its answer was waited for"


async def test_reopening_connects_anew() -> None:
    server = HttpServer()
    async with connected(server) as transport:
        await transport.perform(POST)
        transport.reopen()
        await transport.perform(POST)
    assert [request.connection for request in server.requests] == [0, 1]
