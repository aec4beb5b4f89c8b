"""TLS and proxies of the transport `http`, with certificates made for the test."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio
import trustme

from logrouter.endpoint import Endpoint, Tls
from logrouter.errors import DestinationError
from logrouter.instructions import Request
from logrouter.runtime.transports.http import HttpTransport
from logrouter.testing import HttpServer
from logrouter.values import Secret

CA = trustme.CA()
GET = Request("GET", "/secret?token=secret")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca.pem`; `client.pem` with its key; `stranger.pem`, of an authority that nobody knows."""
    folder = tmp_path_factory.mktemp("certificates")
    CA.cert_pem.write_to_path(folder / "ca.pem")
    CA.issue_cert("client@example.org").private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    stranger = trustme.CA().issue_cert("stranger@example.org")
    stranger.private_key_and_cert_chain_pem.write_to_path(folder / "stranger.pem")
    (folder / "empty.pem").write_text("nothing\n")
    return folder


def server(*names: str, wants_client: bool = False, expired: bool = False) -> HttpServer:
    """One that has a certificate for these names."""
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = CA.issue_cert(*names, **({"not_after": long_ago} if expired else {}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if wants_client:
        CA.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return HttpServer(context=context)


@asynccontextmanager
async def connected(to: HttpServer, **tls: object) -> AsyncIterator[HttpTransport]:
    async with to.serving():
        transport = HttpTransport(Endpoint(to.url, {"Authorization": Secret("secret")}, Tls(**tls)))  # type: ignore[arg-type]
        yield transport
        await transport.aclose()


async def reason_of(transport: HttpTransport) -> str:
    with pytest.raises(DestinationError) as caught:
        await transport.perform(GET)
    reason = str(caught.value)
    assert "secret" not in reason
    return reason


async def test_a_server_of_a_known_authority(files: Path) -> None:
    to = server("127.0.0.1")
    async with connected(to, ca_file=str(files / "ca.pem")) as transport:
        assert [(await transport.perform(GET)).status for _ in range(2)] == [200, 200]
    assert to.connections == 1


@pytest.mark.parametrize(
    ("names", "expired", "tls", "reason"),
    [
        (("example.org",), False, {}, "its certificate is for another address (IP address mismatch"),
        (("example.org",), False, {"server_name": "example.com"}, "its certificate is for another name (Hostname mis"),
        (("127.0.0.1",), True, {}, "its certificate has expired ("),
    ],
)
async def test_certificates_that_are_refused(
    names: tuple[str, ...], expired: bool, tls: dict[str, str], reason: str, files: Path
) -> None:
    to = server(*names, expired=expired)
    async with connected(to, ca_file=str(files / "ca.pem"), **tls) as transport:
        assert (await reason_of(transport)).startswith(f"no TLS with 127.0.0.1:{to.port}: {reason}")


async def test_an_authority_that_is_not_known() -> None:
    to = server("127.0.0.1")
    async with connected(to) as transport:
        reason = await reason_of(transport)
    assert f"127.0.0.1:{to.port}: its certificate is from an authority that is not known (" in reason


async def test_another_name_may_be_expected(files: Path) -> None:
    async with connected(server("example.org"), ca_file=str(files / "ca.pem"), server_name="example.org") as transport:
        assert (await transport.perform(GET)).status == 200


async def test_no_verification() -> None:
    async with connected(server("example.org", expired=True), verify=False) as transport:
        assert (await transport.perform(GET)).status == 200


async def test_a_client_certificate_that_is_wanted_and_given(files: Path) -> None:
    to = server("127.0.0.1", wants_client=True)
    options = {"ca_file": str(files / "ca.pem"), "cert_file": str(files / "client.pem")}
    async with connected(to, **options) as transport:
        assert (await transport.perform(GET)).status == 200


@contextmanager
def refusing(context: ssl.SSLContext | None) -> Iterator[int]:
    """A server whose handshake fails, and which says so: trio's would close without a word."""
    assert context is not None
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with pytest.raises(ssl.SSLError):
            secured.do_handshake()
        with socket.socket(fileno=secured.detach()) as plain:
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(65536):  # closed with something unread, it would be reset, and the alert forgotten
                pass

    with listener, ThreadPoolExecutor() as threads:
        done = threads.submit(serve)
        yield listener.getsockname()[1]
        done.result()


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (None, "it wants a client certificate (cert_file)"),
        ("stranger.pem", "it does not know the authority of our client certificate"),
    ],
)
async def test_a_client_certificate_that_is_refused(client: str | None, reason: str, files: Path) -> None:
    context = server("127.0.0.1", wants_client=True).context
    cert_file = str(files / client) if client else None
    with refusing(context) as port:
        tls = Tls(ca_file=str(files / "ca.pem"), cert_file=cert_file)
        assert await reason_of(HttpTransport(Endpoint(f"https://127.0.0.1:{port}", tls=tls))) == (
            f"no TLS with 127.0.0.1:{port}: {reason}"
        )


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
async def test_an_old_version_of_tls(files: Path) -> None:
    context = server("127.0.0.1").context
    assert context is not None
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with refusing(context) as port:
        transport = HttpTransport(Endpoint(f"https://127.0.0.1:{port}", tls=Tls(ca_file=str(files / "ca.pem"))))
        assert await reason_of(transport) == (
            f"no TLS with 127.0.0.1:{port}: it speaks only versions of TLS before 1.2"
        )


async def test_a_server_without_tls() -> None:
    async with HttpServer().serving() as to:
        transport = HttpTransport(Endpoint(f"https://127.0.0.1:{to.port}"))
        assert await reason_of(transport) == f"no TLS with 127.0.0.1:{to.port}: it does not speak TLS"


@pytest.mark.parametrize(
    ("tls", "reason"),
    [
        ({"ca_file": "absent.pem"}, "cannot read the ca_file {}/absent.pem: No such file or directory"),
        (
            {"ca_file": "empty.pem"},
            "cannot read certificates from the ca_file {}/empty.pem: no cert",
        ),
        ({"cert_file": "absent.pem"}, "cannot read the cert_file {}/absent.pem: No such file or directory"),
        ({"cert_file": "ca.pem"}, "cannot read certificates from the cert_file {}/ca.pem: "),
    ],
)
async def test_files_of_certificates_that_are_none(tls: dict[str, str], reason: str, files: Path) -> None:
    paths = {option: str(files / name) for option, name in tls.items()}
    async with connected(server("127.0.0.1"), **paths) as transport:
        assert (await reason_of(transport)).startswith(reason.format(files))


# ── proxies ──


class Proxy:
    """A proxy that knows CONNECT, and nothing else."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self.port = 0
        self._answer = answer

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        await trio.serve_listeners(self._connect, [listener], task_status=task_status)  # type: ignore[arg-type]

    async def _connect(self, client: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await client.receive_some()
        self.heads.append(head)
        await client.send_all(self._answer)
        if b"200" not in self._answer:
            return
        host, port = head.split()[1].decode().split(":")
        async with await trio.open_tcp_stream(host, int(port)) as there, trio.open_nursery() as nursery:
            nursery.start_soon(_pump, client, there)
            await _pump(there, client)
            nursery.cancel_scope.cancel()


async def _pump(here: trio.abc.Stream, there: trio.abc.Stream) -> None:
    async for data in here:
        await there.send_all(data)


async def test_through_a_proxy_tls_is_the_destinations(files: Path) -> None:
    to, proxy = server("example.org"), Proxy()
    async with to.serving(), trio.open_nursery() as nursery:
        await nursery.start(proxy.serve)
        tls = Tls(ca_file=str(files / "ca.pem"), server_name="example.org")
        through = Secret(f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        transport = HttpTransport(Endpoint(to.url, tls=tls, proxy=through))
        assert [(await transport.perform(GET)).status for _ in range(2)] == [200, 200]
        await transport.aclose()
        nursery.cancel_scope.cancel()
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{to.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in head
    assert "proxy-authorization" not in to.requests[0].headers


async def test_a_proxy_that_is_not_there() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        through = f"127.0.0.1:{nobody.getsockname()[1]}"
        assert await reason_of(HttpTransport(Endpoint("https://es:9200", proxy=through))) == (
            f"cannot connect to the proxy {through}: connection refused"
        )


async def test_a_proxy_that_refuses() -> None:
    proxy = Proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.serve)
        transport = HttpTransport(Endpoint("https://es:9200", proxy=f"127.0.0.1:{proxy.port}"))
        reason = await reason_of(transport)
        assert reason == "the proxy does not connect to es:9200: 407 Proxy Authentication Required"
        nursery.cancel_scope.cancel()


async def test_without_tls_the_proxy_is_asked_for_the_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HttpServer().serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "localhost,.internal")
        transport = HttpTransport(Endpoint("http://es:9200"))
        assert (await transport.perform(Request("GET", "/a?b=1"))).status == 200
        await transport.aclose()
        assert proxy.requests[0].target == "http://es:9200/a?b=1"
        assert proxy.requests[0].headers["host"] == "es:9200"


async def test_past_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with HttpServer().serving() as to:
        transport = HttpTransport(Endpoint(to.url))
        assert (await transport.perform(GET)).status == 200
        await transport.aclose()


async def test_a_proxy_that_cannot_be_used() -> None:
    transport = HttpTransport(Endpoint("https://es:9200", proxy=Secret("socks5://secret:secret@p:1")))
    assert await reason_of(transport) == "the proxy cannot be used: expected http://host:port or https://host:port"


async def test_a_proxy_of_the_environment_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks://secret:secret@p:1")
    reason = await reason_of(HttpTransport(Endpoint("http://es:9200")))
    assert reason == "the proxy of the environment cannot be used: expected http://host:port or https://host:port"


async def test_who_is_exempt_needs_no_proxy_that_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks://p:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with HttpServer().serving() as to:
        transport = HttpTransport(Endpoint(to.url))
        assert (await transport.perform(GET)).status == 200
        await transport.aclose()
