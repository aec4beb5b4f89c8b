r"""Access logs and error logs of web servers: Apache, nginx, ingress-nginx, Traefik, Envoy, Istio, Puma.

    - parse: clf
    < ::1 - - [23/Nov/2026:10:00:00 +0100] "GET /a HTTP/1.1" 304 -
    > {"client":"::1","time":"2026-11-23T09:00:00Z","method":"GET","path":"/a","protocol":"HTTP/1.1","status":304}
    < 2026/11/23 10:00:00 [error] 3#3: *1 timed out, client: ::1
    > {"time":"2026-11-23T10:00:00Z","level":"error","pid":3,"tid":3,"cid":1,"message":"timed out","client":"::1"}

The fields are named as Vector names those of nginx, but for `user_agent` and `referrer`, as Elasticsearch spells them.
What the line says with `-` or with nothing is no field. A request that is no line of HTTP stays whole, as `request`.
Escapes (`\"`, `\xHH`) are undone. `format` is one of

    auto             whichever it is, line by line
    common           client, identity, user, time, the request as method, path and protocol, status, size
    combined         the same with referrer and user_agent: Apache's combined, nginx's default
    vhost_combined   that behind vhost and port, as Debian's Apache writes it
    nginx_main       combined, and forwarded_for: main in nginx's own nginx.conf
    ingress_nginx    combined, and request_length, request_time, proxy_upstream_name … req_id
    traefik          combined, and request_count, router, server, duration_ms
    rack             common, and request_time: Puma, Sinatra
    envoy            time, the request, status, response_flags, bytes_received, bytes_sent, duration_ms … upstream_host
    istio            that, and response_code_details, upstream_cluster … route_name
    nginx_error      time, level, pid, tid, cid, message, client, server, request, upstream, host, referrer
    apache_error     time, level, module, pid, tid, file, error, client or remote, port, message, referrer

Times of access logs have their zone; those of error logs are local times of `timezone`. There, of an hour that comes
twice as clocks go back, the first is taken.
"""

from __future__ import annotations

from typing import Literal

from logrouter.parsers import Looks, ParserConfig
from logrouter.parsers._access import FORMATS, AccessFormat
from logrouter.parsers._dates import zone_named
from logrouter.parsers._server_errors import apache_error, nginx_error
from logrouter.parsers._shapes import Shape, ShapedParser

_ERRORS = {"nginx_error": nginx_error, "apache_error": apache_error}
_HOST = rb"[0-9A-Za-z_.:%-]++"
_USER = rb'[^\["\n]{2,257}+'
_BEGIN = b"|".join(
    (
        rb"%b (?:- %b|(?<=[0-9] )%b - %b)\[[0-9][0-9]/[A-Z][a-z][a-z]/[0-9]" % (_HOST, _USER, _HOST, _USER),
        rb"[0-9][0-9]{3}/[0-9][0-9]/[0-9][0-9] [0-9:]{8}+ \[[a-z]{4,6}+\] [0-9]++#[0-9]++: ",
        rb'\[[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z\] "',
        rb"\[[A-Z][a-z][a-z] [A-Z][a-z][a-z] [0-9 ][0-9] [0-9:.]{8,18}+ [0-9]{4}\] \[",
    )
)
"""A client, perhaps behind vhost and port, whom nobody has asked who he is, and the time; nginx's errors; what Envoy
writes; Apache's errors."""


class ClfConfig(ParserConfig, frozen=True, kw_only=True):
    """Without options it knows the format by the line."""

    format: Literal[
        "auto",
        "common",
        "combined",
        "vhost_combined",
        "nginx_main",
        "ingress_nginx",
        "traefik",
        "rack",
        "envoy",
        "istio",
        "nginx_error",
        "apache_error",
    ] = "auto"
    """The format of the lines."""
    timezone: str = "UTC"
    """The zone of the times in error logs, by its IANA name, such as `Europe/Stockholm`."""


class Clf(ShapedParser[ClfConfig]):
    """Asks the formats in their order. No line is of two."""

    Config = ClfConfig
    looks = Looks(_BEGIN, rank=10)

    def __init__(self, config: ClfConfig) -> None:
        super().__init__(config)
        self._zone = zone_named(config.timezone)
        self._access = [AccessFormat(name) for name in FORMATS if config.format in ("auto", name)]
        self._errors = [read for name, read in _ERRORS.items() if config.format in ("auto", name)]

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        text = line.decode("utf-8", "replace")
        for access in self._access:
            if (made := access.parse(text)) is not None:
                return made
        for error in self._errors:
            if (made := error(text, self._zone)) is not None:
                return made
        return None

    def shape_of(self, line: bytes) -> Shape | None:
        return next((access.shape for access in self._access if access.shape.takes(line)), None)
