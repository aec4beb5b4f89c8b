"""Real programs piped through the real command: every line that they print arrives where the rules say.

Each test compares with what `tee` wrote beside: the bytes that the program really printed.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.e2e.processes import Piped, Workplace, wait_for_port

pytestmark = pytest.mark.slow

NGINX_CONFIG = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr info;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    log_format structured escape=json
        '{{"time":"$time_iso8601","status":$status,"path":"$uri","agent":"$http_user_agent"}}';
    access_log /dev/stdout combined;
    server {{
        listen 127.0.0.1:{port};
        location / {{ root {folder}/pages; }}
        location /api {{ access_log /dev/stdout structured; return 503; }}
        location /ok {{ access_log /dev/stdout structured; return 204; }}
    }}
}}
"""

ROUTES = """
sinks:
  everything: {type: file, path: everything, format: raw}
  missing: {type: file, path: missing, format: raw, match: 'matches(message, "\\" 404 ")'}
  failed: {type: file, path: failed, match: status >= 500}
  complaints: {type: file, path: complaints, format: raw, match: 'matches(message, "\\\\[error\\\\]")'}
"""


def get(port: int, *paths: str, agent: str = "e2e") -> None:
    """One connection, a request for each path."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    for path in paths:
        connection.request("GET", path, headers={"User-Agent": agent})
        connection.getresponse().read()
    connection.close()


@pytest.mark.service
def test_nginx(workplace: Workplace, port: int, find_program: Callable[[str], str]) -> None:
    folder = workplace.folder
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text("hello\n")
    folder.chmod(0o755)
    workplace.write("nginx.conf", NGINX_CONFIG.format(folder=folder, port=port))
    workplace.write("logrouter.yaml", ROUTES)

    piped = Piped(workplace, [find_program("nginx"), "-p", folder, "-c", folder / "nginx.conf"])
    wait_for_port(port)
    get(
        port,
        *["/", "/nothing-here", "/api/orders", "/ok"] * 25,
        agent='quote " back\\slash \u00e9'.encode().decode("latin1"),
    )
    printed = piped.stop(signal.SIGQUIT)

    structured = [json.loads(line) for line in printed if line.startswith(b"{")]
    assert workplace.lines("everything") == printed
    assert workplace.lines("missing") == [line for line in printed if b'" 404 ' in line]
    assert workplace.lines("complaints") == [line for line in printed if b"[error]" in line]
    assert [json.loads(line) for line in workplace.lines("failed")] == [
        event for event in structured if event["status"] >= 500
    ]
    assert (len(workplace.lines("missing")), len(workplace.lines("failed")), len(structured)) == (25, 25, 50)
    assert len(workplace.lines("complaints")) == 25  # "open() … failed (2: No such file or directory)"


@pytest.mark.service
def test_redis(workplace: Workplace, port: int, find_program: Callable[[str], str]) -> None:
    server = [find_program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(workplace.folder)]
    quiet = ["--save", "", "--appendonly", "no", "--loglevel", "verbose", "--always-show-logo", "yes"]
    sinks = ["--sink", "everything=file:everything?format=raw", "--sink", "clients=file:clients?format=raw"]
    rule = 'clients=matches(message, "Accepted|Client closed")'

    piped = Piped(workplace, [*server, *quiet], *sinks, "--match", rule)
    wait_for_port(port)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"PING\r\n")
            assert client.recv(64) == b"+PONG\r\n"
    printed = piped.stop(signal.SIGTERM)

    clients = [line for line in printed if b"Accepted" in line or b"Client closed" in line]
    assert workplace.lines("everything") == printed
    assert workplace.lines("clients") == clients
    assert len(clients) >= 40


def test_python_http_server(workplace: Workplace, port: int) -> None:
    (workplace.folder / "pages").mkdir()
    server = [sys.executable, "-u", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", "pages"]
    environment_free = ["--sink", "found=file:found", "--sink", "missing=file:missing?format=raw"]
    rules = ["--match", "found=matches(message, '\" 200 ')", "--match", "missing=matches(message, 'code 404|\" 404 ')"]

    piped = Piped(workplace, server, *environment_free, *rules)
    wait_for_port(port)
    for _ in range(10):
        get(port, "/")
        get(port, "/nothing-here")
    printed = piped.stop(signal.SIGINT)

    found = [json.loads(line) for line in workplace.lines("found")]
    assert found == [{"message": line.decode().rstrip("\n")} for line in printed if b'" 200 ' in line]
    assert workplace.lines("missing") == [line for line in printed if b"code 404" in line or b'" 404 ' in line]
    assert (len(found), len(workplace.lines("missing"))) == (10, 20)


SHOP = """
import structlog

structlog.configure(processors=[
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(ensure_ascii=False),
])
log = structlog.get_logger()
for number in range(300):
    with structlog.contextvars.bound_contextvars(user={"id": number % 7, "name": "zo\\u00eb"}):
        log.info("order placed", total=number / 4, tags=["a", "b"])
        log.debug("cache miss", key=f"order:{number}\\nsecond line")
        if number % 10 == 0:
            try:
                1 / 0
            except ZeroDivisionError:
                log.exception("pricing failed", number=number)
print("and a line of text")
"""


def test_structlog(workplace: Workplace) -> None:
    workplace.write("shop.py", SHOP)
    workplace.write(
        "logrouter.yaml",
        """
        sinks:
          errors: {type: file, path: errors, match: severity >= "error"}
          seventh: {type: file, path: seventh, match: user.id == 6}
          visible: {type: file, path: visible, format: raw, match: level != "debug"}
        """,
    )

    printed = Piped(workplace, [sys.executable, Path("shop.py")]).finish()

    events = [(line, json.loads(line)) for line in printed if line.startswith(b"{")]
    assert workplace.lines("errors") == [line for line, event in events if event["level"] == "error"]
    assert workplace.lines("seventh") == [line for line, event in events if event["user"]["id"] == 6]
    assert workplace.lines("visible") == [line for line in printed if b'"level": "debug"' not in line]
    assert len(workplace.lines("errors")) == 30
    assert workplace.lines("visible")[-1] == b"and a line of text\n"
