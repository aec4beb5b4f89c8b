"""Where an HTTP destination is, and how it is spoken to: what a transport must know to perform a sink's requests."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from logrouter.values import Duration, MaybeSecret


class Tls(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How the connection is secured: TLS 1.2 or newer."""

    ca_file: str | None = None
    """Certificates of authorities that are trusted, PEM. Default: those of the system."""
    cert_file: str | None = None
    """A client certificate, PEM, perhaps with others that lead to a known authority."""
    key_file: str | None = None
    """Its key, PEM. Default: in `cert_file` too."""
    verify: bool = True
    """`false` takes any server for the right one: whoever is in between can read and change everything."""
    server_name: str | None = None
    """The name that the server's certificate must have. Default: the URL's host."""

    def __post_init__(self) -> None:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file: a key needs a cert_file")


class Timeouts(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How long each phase of a request may take."""

    connect: Duration = Duration(10.0)
    """Until there is a connection; and again, until TLS is agreed on."""
    write: Duration = Duration(30.0)
    """Between two pieces of the request that the destination takes."""
    read: Duration = Duration(60.0)
    """Until the answer begins, and between two pieces of it."""


class Endpoint(msgspec.Struct, frozen=True):
    """One HTTP destination."""

    url: MaybeSecret
    """`http:` or `https:`, without user and password; what requests name as their target follows it."""
    headers: Mapping[str, MaybeSecret] = {}
    """Sent with every request: also those that prove who we are."""
    tls: Tls = Tls()
    timeouts: Timeouts = Timeouts()
    proxy: MaybeSecret | None = None
    """The URL of a proxy. None: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say."""
    connections: int = 1
    """How many requests may be under way at once."""
