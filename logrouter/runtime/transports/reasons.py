"""Why an HTTP destination has not answered, in words: how far a request had come, and what stands behind its error.

httpx's own texts do not name the destination, and some quote headers. Nothing of an exception is told but what OpenSSL
and the system call it.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Literal

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

Phase = Literal["kept", "connecting", "securing", "asking", "answered"]
_PHASES: dict[str, Phase] = {
    "connection.connect_tcp.started": "connecting",
    "connection.start_tls.started": "securing",
    "proxy.start_tls.started": "securing",
    "http11.send_request_headers.started": "asking",
    "http11.receive_response_body.started": "answered",
}


class Progress:
    """How far a request has come: httpx calls it at every turn (the extension `trace`, encode.io/httpcore/extensions).

    An event that is not in the table changes nothing, so that other ones make reasons less exact, and nothing wrong.
    """

    def __init__(self, peer: str) -> None:
        self.peer = peer
        """Host and port of the destination."""
        self.phase: Phase = "kept"
        self.reached = peer
        """Whom we talk to: the destination, or the proxy that leads there."""
        self.is_new = False
        """Whether there was no connection yet."""
        self.opened: Any = None
        """The stream of a new connection."""

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        self.phase = _PHASES.get(event, self.phase)
        if event == "connection.connect_tcp.started":
            self.is_new = True
            self.reached = address(info["host"], info["port"])
        elif event == "connection.connect_tcp.complete":
            self.opened = info["return_value"]
        elif event == "proxy.start_tls.started":
            self.reached = self.peer

    def no_connection(self, why: str) -> str:
        """There is none, or it is not secured."""
        to = "no TLS with" if self.phase == "securing" else "cannot connect to"
        whom = self.reached if self.reached == self.peer else f"the proxy {self.reached}"
        return f"{to} {whom}: {why}"


def address(host: str, port: int) -> str:
    """Host and port as one text."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def why_not_connected(error: BaseException) -> str:
    """What the system says of it."""
    for cause in _behind(error):
        if isinstance(cause, socket.gaierror):
            return f"the name is not known ({cause.strerror})"
        if isinstance(cause, OSError) and cause.errno is not None:
            return os.strerror(cause.errno).lower()
    return "nobody answers"


def why_not_secured(error: BaseException) -> str | None:
    """What OpenSSL says of it. None where it says nothing."""
    cause = next((cause for cause in _behind(error) if isinstance(cause, ssl.SSLError)), None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = _CERTIFICATE.get(cause.verify_code, "is refused")
        return f"its certificate {what} ({cause.verify_message})"
    if cause is not None and cause.reason:
        return _TLS.get(cause.reason, cause.reason.replace("_", " ").lower())
    return None


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The error, and what has led to it: trio tries the addresses of a name at once, and each fails on its own.

    httpcore raises some of its errors again `from None`: then their context tells.
    """
    yield error
    if isinstance(error, BaseExceptionGroup):
        for cause in error.exceptions:
            yield from _behind(cause)
    elif (cause := error.__cause__ or error.__context__) is not None:
        yield from _behind(cause)
