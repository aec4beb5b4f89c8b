"""How an HTTP destination is reached: a connection, TLS, bytes there and back; and what is said when that fails.

httpcore speaks HTTP on streams that it is given. It gets these, which know

- one deadline for all of connecting, TLS included, and one for each piece that is written or read;
- what went wrong in words that name the destination and the phase, and never a header, a path or a password;
- their socket, so that closing it needs no goodbye: a request that is cancelled leaves nothing open behind.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpcore
import trio

from logrouter.endpoint import Timeouts, Tls
from logrouter.errors import DestinationError

OpenStream = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Host and port → a stream to it. Raises OSError."""

_CERTIFICATE = {
    9: "is not valid yet",
    10: "has expired",
    62: "is for another name",
    64: "is for another address",
    **dict.fromkeys((2, 18, 19, 20, 21), "is from an authority that is not known"),
}
"""What is wrong with the server's, by OpenSSL's X509_V_ERR_… number."""
_TLS = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "HTTP_REQUEST": "it does not speak TLS",
    "UNEXPECTED_EOF_WHILE_READING": "it has closed the connection",
    "UNSUPPORTED_PROTOCOL": "it speaks only versions of TLS before 1.2",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks only versions of TLS before 1.2",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate (cert_file)",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of our client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses our client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our client certificate has expired",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it agrees to nothing that we offer, or wants a client certificate (cert_file)",
}
"""What else goes wrong, by OpenSSL's name for it."""


_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Whom a URL leads to. As text it is host and port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Raises ValueError where it leads nowhere."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("expected a URL with http: or https: and a host")
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
        return cls(parts.scheme, host, parts.port or _PORTS[parts.scheme])

    @property
    def authority(self) -> str:
        """As a `Host` header gives it: without the port that is the usual one."""
        text = str(self)
        return text.rpartition(":")[0] if self.port == _PORTS[self.scheme] else text

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Enough(Exception):
    """No more is read, as was asked for."""


class Network(httpcore.AsyncNetworkBackend):
    """Makes the stream of one connection."""

    def __init__(self, peer: Origin, timeouts: Timeouts, server_name: str | None, open_stream: OpenStream) -> None:
        self.peer = peer
        """The destination, also where a proxy is in between."""
        self.heard = 0
        """How many bytes came from there."""
        self.has_enough = False
        """Whether no more is to be read: then reading raises Enough."""
        self.timeouts = timeouts
        self._server_name = server_name
        self._open_stream = open_stream
        self._opened: trio.abc.Stream | None = None
        self._connect_until = 0.0

    async def connect_tcp(self, host: str, port: int, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        """Connect to the destination, or to the proxy. Raises DestinationError."""
        self._connect_until = trio.current_time() + self.timeouts.connect
        with trio.move_on_at(self._connect_until):
            try:
                self._opened = await self._open_stream(host, port)
            except OSError as error:
                raise DestinationError(f"cannot connect to {host}:{port}: {_why_not_connected(error)}") from error
            return Stream(self, self._opened)
        raise DestinationError(f"cannot connect to {host}:{port}: no answer within {self.timeouts.connect}")

    async def secure(self, stream: trio.abc.Stream, context: ssl.SSLContext, name: str) -> Stream:
        """Agree on TLS. `name`: whose certificate it must be. Raises DestinationError."""
        secured = trio.SSLStream(stream, context, server_hostname=name, https_compatible=True)
        with trio.move_on_at(self._connect_until):
            try:
                await secured.do_handshake()
            except trio.BrokenResourceError as error:
                raise DestinationError(f"no TLS with {self.peer}: {_why_not_secured(error)}") from error
            return Stream(self, secured)
        raise DestinationError(f"no TLS with {self.peer}: it is not agreed within {self.timeouts.connect}")

    def name_of(self, host: str) -> str:
        """Whose certificate is expected of a host."""
        return self._server_name if self._server_name is not None and host == self.peer.host else host

    def close(self) -> None:
        """Close the socket, without a goodbye."""
        if isinstance(self._opened, trio.SocketStream):
            self._opened.socket.close()


class Stream(httpcore.AsyncNetworkStream):
    """Bytes to and from a destination. Deadlines are ours: those that httpcore passes are not looked at."""

    def __init__(self, network: Network, stream: trio.abc.Stream) -> None:
        self._network = network
        self._stream = stream
        self._held: bytes | None = None
        """The head of a request, which waits for the first piece of the body: one system call for both."""
        self._is_head = True
        """Whether what is written next is a head."""

    async def read(self, max_bytes: int, timeout: object = None) -> bytes:  # noqa: ASYNC109  # httpcore's signature
        """Raises DestinationError when nothing comes in time, httpcore.ReadError when it broke."""
        if self._held is not None:
            await self._send(b"")
        self._is_head = True
        if self._network.has_enough:
            raise Enough
        with trio.move_on_after(self._network.timeouts.read):
            try:
                data = bytes(await self._stream.receive_some(max_bytes))
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                if isinstance(error.__cause__, ssl.SSLError):
                    raise DestinationError(f"no TLS with {self._network.peer}: {_why_not_secured(error)}") from error
                raise httpcore.ReadError from error
            self._network.heard += len(data)
            return data
        waited = f"{self._network.timeouts.read} while its answer was waited for"
        raise DestinationError(f"{self._network.peer} has sent nothing for {waited}")

    async def write(self, buffer: bytes, timeout: object = None) -> None:  # noqa: ASYNC109
        """Raises DestinationError when nothing is taken in time, httpcore.WriteError when it broke: it may answer."""
        if self._is_head:
            self._held, self._is_head = buffer, False
        elif buffer:
            await self._send(buffer)

    async def _send(self, data: bytes) -> None:
        head, self._held = self._held, None
        with trio.move_on_after(self._network.timeouts.write):
            try:
                await self._stream.send_all(data if head is None else head + data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise httpcore.WriteError from error
            return
        waited = self._network.timeouts.write
        raise DestinationError(f"{self._network.peer} has taken nothing more of a request for {waited}")

    async def aclose(self) -> None:
        """Close it, without a goodbye."""
        await trio.aclose_forcefully(self._stream)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: object = None,  # noqa: ASYNC109
    ) -> Stream:
        """The same, secured. Raises DestinationError."""
        return await self._network.secure(self._stream, ssl_context, self._network.name_of(server_hostname or ""))

    def get_extra_info(self, info: str) -> Any:
        """Whether there is something to read: while nothing was asked, that is the end."""
        stream = self._stream.transport_stream if isinstance(self._stream, trio.SSLStream) else self._stream
        if info == "is_readable" and isinstance(stream, trio.SocketStream):
            return stream.socket.is_readable()
        return None


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What the options ask for: TLS 1.2 or newer. Takes 30 ms, and reads files. Raises DestinationError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file is not None:
        _load("ca_file", tls.ca_file, lambda: context.load_verify_locations(tls.ca_file))
    elif _has_authorities():
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:  # an image without any
        import certifi

        context.load_verify_locations(certifi.where())
    if (chain := tls.cert_file) is not None:
        _load("cert_file", chain, lambda: context.load_cert_chain(chain, tls.key_file, _no_password))
    return context


def _no_password() -> str:
    """Instead of OpenSSL asking on the terminal."""
    return ""


def _has_authorities() -> bool:
    paths = ssl.get_default_verify_paths()
    return paths.cafile is not None or (paths.capath is not None and bool(os.listdir(paths.capath)))


def _load(option: str, path: str, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        reason = (error.reason or "it holds none").replace("_", " ").lower()
        raise DestinationError(f"cannot read certificates from the {option} {path}: {reason}") from error
    except OSError as error:
        raise DestinationError(f"cannot read the {option} {path}: {error.strerror}") from error


def _why_not_connected(error: OSError) -> str:
    for cause in _leaves(error):
        if isinstance(cause, socket.gaierror):
            return f"the name is not known ({cause.strerror})"
        if isinstance(cause, OSError) and cause.errno is not None:
            return os.strerror(cause.errno).lower()
    return "nobody answers"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """What stands behind an error: trio tries the addresses of a name at once, and each fails on its own."""
    behind: Iterable[BaseException] = (
        error.exceptions if isinstance(error, BaseExceptionGroup) else filter(None, (error.__cause__,))
    )
    for cause in behind:
        yield from _leaves(cause)
    yield error


def _why_not_secured(error: BaseException) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = _CERTIFICATE.get(cause.verify_code, "is refused")
        return f"its certificate {what} ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return _TLS.get(cause.reason, cause.reason.replace("_", " ").lower())
    return "it has closed the connection"
