"""The SSLContext of a destination: what `tls` asks for, and no version before 1.2."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable

from logrouter.endpoint import Tls
from logrouter.errors import DestinationError


class _Context(ssl.SSLContext):
    """One that expects `server_name` of the certificate of a `host`.

    httpx has `sni_hostname` for that, but past a proxy it is forgotten, and a proxy that is reached by TLS is taken for
    the destination (httpcore 1.0.9, `AsyncTunnelHTTPConnection`).
    """

    host: bytes
    server_name: str | None

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        if self.server_name and server_hostname == self.host:  # trio gives bytes
            server_hostname = self.server_name
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def tls_context(tls: Tls, host: bytes) -> ssl.SSLContext:
    """What the options ask for, `server_name` of this host alone. Takes 30 ms, and reads files.

    Raises DestinationError.
    """
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.host, context.server_name = host, tls.server_name
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
