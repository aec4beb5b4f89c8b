"""Servers behind nginx: what it refuses by itself, in words of its own, waits and is told; nothing is lost of it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.crash.feeding import numbered
from tests.e2e.processes import Workplace, wait_until
from tests.services.conftest import Starter
from tests.services.destinations import (
    Destination,
    by_bulk_in_victorialogs,
    by_http_in_victorialogs,
    configure,
    in_loki,
    in_opensearch,
    in_s3,
)
from tests.services.load import PATIENCE_SECONDS, Loaded
from tests.services.loki import Loki
from tests.services.minio import MinIO
from tests.services.nginx import Nginx
from tests.services.opensearch import OpenSearch
from tests.services.s3 import Versitygw
from tests.services.server import Server, free_port
from tests.services.victorialogs import VictoriaLogs

SIGN_IN = {"default_type": "text/html", "return": "200 '<html><title>Sign in</title>Password:</html>'"}


class Behind:
    """A destination whose sink sends to nginx."""

    def __init__(self, destination: Destination, nginx: Nginx) -> None:
        option = "endpoint" if destination.name == "s3" else "url"
        url = destination.options[option].replace(destination.server.url, nginx.url)
        self.destination = destination._replace(options={**destination.options, option: url})
        self.name = destination.name
        self.server = destination.server
        self.nginx = nginx


KINDS: dict[str, tuple[type[Server], Callable[[Any], Destination]]] = {
    "opensearch": (OpenSearch, in_opensearch),
    "versitygw": (Versitygw, lambda server: in_s3(server, object_age="200ms")),
    "minio": (MinIO, lambda server: in_s3(server, object_age="200ms")),
    "victorialogs": (VictoriaLogs, by_bulk_in_victorialogs),
    "http": (VictoriaLogs, by_http_in_victorialogs),
    "loki": (Loki, in_loki),
}


@pytest.fixture(params=KINDS)
def behind(request: pytest.FixtureRequest, start_server: Starter, shared_servers: Starter) -> Behind:
    """Each destination in turn."""
    kind, into = KINDS[request.param]
    destination = into(shared_servers.shared(kind))
    return Behind(destination, start_server(Nginx, destination.server))


def test_what_nginx_says_in_a_servers_place_is_told_and_all_arrives(
    workplace: Workplace, port: int, behind: Behind
) -> None:
    nginx, name = behind.nginx, behind.name
    refusals = {
        "HTTP 401: Authorization Required": nginx.wants_a_password,
        "HTTP 403: Forbidden": {"deny": "all"},
        "HTTP 404: Not Found": {"return": "404"},
        "HTTP 302: Found": {"return": "302 https://sign.in.example.org/"},
        "HTTP 429: Too Many Requests": {"return": "429"},
        "HTTP 503: Service Temporarily Unavailable": {"return": "503"},
        "HTTP 502: Bad Gateway": {"proxy_pass": f"http://127.0.0.1:{free_port()}"},
        "Sign in": SIGN_IN,
    }
    if name == "s3":
        refusals["client_max_body_size"] = {"client_max_body_size": "100"}
        refusals["SignatureDoesNotMatch"] = {"proxy_set_header": "Host elsewhere.example.org"}
    if name in ("s3", "http"):  # to S3 nginx says 304, as it compares `If-None-Match` by itself
        del refusals["Sign in"]
    configure(workplace, behind.destination, spool={"directory": "spool"})
    with Loaded(workplace, port, lines_at_once=10) as load:
        load.wait_for_delivery(name)
        for reason, directives in refusals.items():
            nginx.change(directives)
            _wait_for_trouble(load, name, reason)
            nginx.change()
            load.wait_for_delivery(name)
        load.wait_until_well(name)
        assert load.sink(name)["dead_lettered"] == {}
        assert load.finish() == 0, load.complaints

    behind.destination.check(range(load.lines))


def test_a_server_that_is_too_slow_for_nginx_has_each_event_once(
    workplace: Workplace, port: int, behind: Behind
) -> None:
    """nginx gives up (504) what the server does all the same, as soon as it goes on."""
    behind.nginx.change({"proxy_read_timeout": "1s"})
    configure(workplace, behind.destination, spool={"directory": "spool"})
    with Loaded(workplace, port, lines_at_once=10) as load:
        load.wait_for_delivery(behind.name)
        for _ in range(3):
            with _stopped(behind.server):
                _wait_for_trouble(load, behind.name, "HTTP 504: Gateway Time-out")
            load.wait_for_delivery(behind.name)
        behind.nginx.change()
        assert load.finish() == 0, load.complaints

    behind.destination.check(range(load.lines))


@pytest.mark.parametrize("behind", [kind for kind in KINDS if kind != "http"], indirect=True)
def test_connections_that_nginx_closes_are_no_trouble(workplace: Workplace, port: int, behind: Behind) -> None:
    """After three requests, or a moment in which none came. (Only what `http` sends may not be repeated at once.)"""
    behind.nginx.change({"keepalive_requests": "3", "keepalive_timeout": "60ms"})
    configure(workplace, behind.destination, spool={"directory": "spool"})
    with Loaded(workplace, port, lines_at_once=10) as load:
        for _ in range(10):
            load.wait_for_delivery(behind.name)
        assert load.finish() == 0, load.complaints

    assert load.complaints == b""
    behind.destination.check(range(load.lines))


@pytest.mark.parametrize("behind", ["opensearch", "loki"], indirect=True)
def test_what_is_too_large_for_nginx_is_sent_in_halves(workplace: Workplace, behind: Behind) -> None:
    behind.nginx.change({"client_max_body_size": "10k"})
    configure(workplace, behind.destination, spool={"directory": "spool"})
    noise = os.urandom(40_000).hex().encode()
    lines = [*numbered(0, 3000), b'{"n":3000,"text":"%s"}\n' % noise]
    done = workplace.route(b"".join(lines))
    assert done.returncode == 0, done.stderr
    behind.destination.check(range(3000))
    (letter,) = map(json.loads, workplace.command("dlq", "show").stdout.splitlines())
    assert letter["event"]["n"] == 3000
    assert "413 Request Entity Too Large nginx/" in letter["detail"]


def test_check_tells_what_nginx_says(workplace: Workplace, behind: Behind) -> None:
    configure(workplace, behind.destination)
    for directives, told in (
        ({}, "it answers, and nothing is wrong as far as it tells"),
        (behind.nginx.wants_a_password, "401"),
        ({"deny": "all"}, "403"),
        ({"return": "502"}, "502"),
    ):
        behind.nginx.change(directives)
        done = workplace.route(b"", "check", "--connect")
        (said,) = [line for line in (done.stdout + done.stderr).decode().splitlines() if line.startswith("sinks.")][:1]
        assert told in said
        assert "<" not in said
        assert done.returncode == (69 if directives else 0)


def _wait_for_trouble(load: Loaded, name: str, reason: str) -> None:
    wait_until(lambda: reason in (load.trouble(name) or ""), f"{name} to say {reason!r}", PATIENCE_SECONDS)


@contextmanager
def _stopped(server: Server) -> Iterator[None]:
    """It does nothing for a while, and then goes on."""
    os.killpg(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(server.pid, signal.SIGCONT)
