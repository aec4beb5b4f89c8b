"""`logrouter health`: what an image's HEALTHCHECK asks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.cli.conftest import Command

ANSWERS = {"/healthz": (200, b"ok\n"), "/readyz": (503, b"not reading\n")}


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


class IPv6Server(HTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def serving(kind: type[HTTPServer] = HTTPServer, host: str = "127.0.0.1") -> Iterator[int]:
    """A logrouter that turns and reads nothing; gives its port."""
    with kind((host, 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_one_that_turns(command: Command) -> None:
    with serving() as port:
        listen = ("--set", f"admin.listen=0.0.0.0:{port}")
        assert command("health", *listen) == (0, "ok\n", "")
        assert command("health", "--ready", *listen) == (1, "not reading\n", "")


def test_by_ipv6(command: Command) -> None:
    with serving(IPv6Server, "::1") as port:
        assert command("health", "--set", f"admin.listen=[::]:{port}").code == 0


def test_the_variables_are_those_of_the_container(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as port:
        monkeypatch.setenv("LOGROUTER_ADMIN__LISTEN", f"127.0.0.1:{port}")
        assert command("health").code == 0


def test_nobody_answers(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = command("health", "--set", f"admin.listen=127.0.0.1:{port}")
    assert (done.code, done.output) == (1, f"127.0.0.1:{port}: [Errno 111] Connection refused\n")


def test_one_that_says_something_else(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        answering = threading.Thread(target=_greet, args=[other])
        answering.start()
        done = command("health", "--set", f"admin.listen=127.0.0.1:{other.getsockname()[1]}")
        answering.join()
    assert done.code == 1


def _greet(other: socket.socket) -> None:
    client, _ = other.accept()
    with client:
        client.sendall(b"220 mail\r\n")


def test_without_an_admin_port_there_is_nobody_to_ask(command: Command) -> None:
    assert command("health") == (0, "there is nobody to ask: admin.listen is not set\n", "")


def test_a_config_that_is_wrong(command: Command) -> None:
    done = command("health", "--set", "admin.listen=everywhere")
    assert done.code == 1
    assert "admin.listen: expected an address" in done.output
