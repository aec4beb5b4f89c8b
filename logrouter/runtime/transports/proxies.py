"""Which proxy an HTTP destination is reached through."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from logrouter.errors import DestinationError
from logrouter.runtime.transports.network import Origin
from logrouter.values import MaybeSecret, revealed


class Proxy(NamedTuple):
    """A proxy that speaks HTTP."""

    origin: Origin
    headers: list[tuple[bytes, bytes]]
    """Those that tell the proxy who we are."""


def proxy_for(origin: Origin, chosen: MaybeSecret | None) -> Proxy | None:
    """The proxy that was `chosen`; else what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say. Raises DestinationError."""
    url = revealed(chosen) if chosen is not None else _from_environment(origin)
    if not url:
        return None
    url = url if "://" in url else f"http://{url}"
    try:
        at = Origin.of(url)
    except ValueError:
        raise DestinationError("the proxy cannot be used: expected http://host:port or https://host:port") from None
    headers = []
    parts = urlsplit(url)
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers.append((b"Proxy-Authorization", b"Basic " + base64.b64encode(pair)))
    return Proxy(at, headers)


def _from_environment(origin: Origin) -> str | None:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib import request  # 40 ms, for those who have a proxy

    proxies = request.getproxies_environment()
    bypass: Callable[[str, Mapping[str, str]], bool] = request.proxy_bypass_environment  # type: ignore[attr-defined]
    if bypass(f"{origin.host}:{origin.port}", proxies):  # by the name, with and without the port
        return None
    return proxies.get(origin.scheme) or proxies.get("all")
