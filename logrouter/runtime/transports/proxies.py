"""Which proxy leads to a destination: the one that its options name, or that of the environment.

There is no standard for the variables; this is what curl, Go and Python's own urllib do: the variable of the scheme,
else ALL_PROXY, in small letters first. NO_PROXY is a list of hosts, each with all below it, perhaps with a port; of
addresses and networks; or `*`. What a variable holds matters only to whom it leads: a proxy that cannot be used stops
nobody who is exempt from it.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from urllib.request import getproxies_environment

from logrouter.runtime.transports.reasons import address


def proxy_url(chosen: str) -> str:
    """A proxy may be named without a scheme: `proxy:3128`."""
    return chosen if "://" in chosen else f"http://{chosen}"


def proxy_of_environment(scheme: str, host: str, port: int) -> str | None:
    """The URL of the proxy that leads there. None: it is reached directly."""
    proxies = getproxies_environment()
    chosen = proxies.get(scheme) or proxies.get("all")
    exempt = map(str.strip, proxies.get("no", "").lower().split(","))
    if not chosen or any(_is_meant(entry, host, port) for entry in exempt if entry):
        return None
    return proxy_url(chosen)


def _is_meant(entry: str, host: str, port: int) -> bool:
    """Whether one of NO_PROXY's entries is about this host."""
    if entry == "*":
        return True
    suffix = entry.lstrip("*.")
    names = (host, f"[{host}]", address(host, port))
    return any(name == suffix or name.endswith(f".{suffix}") for name in names) or _is_in(host, entry)


def _is_in(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:  # one of them is a name
        return False
