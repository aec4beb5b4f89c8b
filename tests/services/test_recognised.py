"""What real programs print becomes fields with nothing configured: each runs here, and is read by `parse: auto`.

Proven is that these releases are recognised, and which fields come out. Apache, gunicorn and uvicorn are Debian's.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import Piped, Workplace, wait_for_port, wait_until
from tests.e2e.test_programs import NGINX_CONFIG, get
from tests.services.opensearch import installed_opensearch
from tests.services.programs import find, find_go, missing

TOO_LONG_SECONDS = 60.0
FIELDS = ("--sink", "fields=file:fields")
"""All that is said: where to. `parse` is what it is by itself."""
NOBODY = 65534
ACCESS = {"client": "127.0.0.1", "method": "GET", "path": "/nothing-here", "protocol": "HTTP/1.1", "status": 404}


def fields_of(workplace: Workplace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in workplace.lines("fields")]


def recognised(workplace: Workplace, printed: bytes) -> list[dict[str, Any]]:
    """What lines become that were printed into a file or a pipe."""
    done = workplace.route(printed, *FIELDS)
    assert (done.returncode, done.stderr) == (0, b"")
    return fields_of(workplace)


def output_of(command: Sequence[str | Path], folder: Path, **environment: str) -> bytes:
    """All that a program prints, which may fail."""
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TOO_LONG_SECONDS * 3,
    ).stdout


def those_with(events: Sequence[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    return [event for event in events if wanted.items() <= event.items()]


def is_time(event: dict[str, Any]) -> bool:
    return str(event.get("time")).endswith("Z")


# ── web servers ───────────────────────────────────────────────────────────────────────────────────────


def test_nginx(workplace: Workplace, port: int) -> None:
    (workplace.folder / "pages").mkdir()
    workplace.folder.chmod(0o755)
    workplace.write("nginx.conf", NGINX_CONFIG.format(folder=workplace.folder, port=port))
    piped = Piped(workplace, [find("nginx"), "-p", workplace.folder, "-c", workplace.folder / "nginx.conf"], *FIELDS)
    wait_for_port(port)
    get(port, *["/nothing-here"] * 20, agent="it's me")
    printed = piped.stop(signal.SIGQUIT)

    events = fields_of(workplace)
    assert len(events) == len(printed)
    assert all(map(is_time, events))
    assert len(those_with(events, **ACCESS, user_agent="it's me")) == 20
    failed = those_with(events, level="error", client="127.0.0.1", request="GET /nothing-here HTTP/1.1")
    assert len(failed) == 20
    assert all("failed (2: No such file" in event["message"] for event in failed)
    assert those_with(events, level="notice", message="start worker processes")


APACHE_CONFIG = """
ServerRoot {folder}
ServerName localhost:{port}
PidFile {folder}/apache.pid
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
ErrorLog /dev/stderr
LogLevel info
LogFormat "%v:%p %h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" vhost_combined
LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
CustomLog {folder}/access.log vhost_combined
CustomLog {folder}/common.log common
DocumentRoot {folder}/pages
<Location "/secret">
    Require all denied
</Location>
"""


def test_apache(workplace: Workplace, port: int) -> None:
    (workplace.folder / "pages").mkdir()
    workplace.folder.chmod(0o755)
    modules = Path("/usr/lib/apache2/modules")
    workplace.write("httpd.conf", APACHE_CONFIG.format(folder=workplace.folder, port=port, modules=modules))
    server = [find("apache2"), "-f", workplace.folder / "httpd.conf", "-DFOREGROUND"]
    piped = Piped(workplace, server, *FIELDS)
    wait_for_port(port)
    get(port, *["/nothing-here"] * 10, "/secret")
    printed = piped.stop(signal.SIGTERM)

    events = fields_of(workplace)
    assert len(events) == len(printed)
    assert all(map(is_time, events))
    assert those_with(events, level="notice", module="mpm_event")
    (denied,) = those_with(events, level="error", module="authz_core", client="127.0.0.1")
    assert denied["message"].startswith("AH01630: client denied")
    (workplace.folder / "fields").unlink()
    lines = [(workplace.folder / name).read_bytes() for name in ("access.log", "common.log")]
    accesses = recognised(workplace, b"".join(lines))
    assert len(those_with(accesses, **ACCESS)) == 20
    assert len(those_with(accesses, **ACCESS, vhost="localhost", port=port, user_agent="e2e")) == 10


APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]

async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def test_gunicorn(workplace: Workplace, port: int) -> None:
    workplace.write("shop.py", APP)
    server = [find("gunicorn"), "--bind", f"127.0.0.1:{port}", "--access-logfile", "-", "shop:app"]
    piped = Piped(workplace, server, *FIELDS)
    wait_for_port(port)
    get(port, *["/a?b=c"] * 5, agent="me")
    printed = piped.stop(signal.SIGTERM)

    events = fields_of(workplace)
    assert len(events) == len(printed)
    assert all(map(is_time, events))
    accesses = those_with(events, client="127.0.0.1", method="GET", path="/a?b=c", status=200, size=5, user_agent="me")
    assert len(accesses) == 5
    (started,) = (event for event in events if "Booting worker" in event.get("message", ""))
    assert (started["level"], type(started["pid"])) == ("INFO", int)


def test_uvicorn(workplace: Workplace, port: int) -> None:
    workplace.write("shop.py", APP)
    piped = Piped(workplace, [find("uvicorn"), "--port", str(port), "shop:asgi"], *FIELDS)
    wait_for_port(port)
    get(port, *["/a?b=c"] * 5)
    printed = piped.stop(signal.SIGINT)

    events = fields_of(workplace)
    assert len(events) == len(printed)
    assert {event["level"] for event in events} == {"INFO"}
    assert those_with(events, message="Application startup complete.")
    assert len(those_with(events, method="GET", path="/a?b=c", status=200)) == 5


# ── databases ─────────────────────────────────────────────────────────────────────────────────────────


def test_redis(workplace: Workplace, port: int) -> None:
    server = [find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(workplace.folder)]
    piped = Piped(workplace, [*server, "--save", "", "--loglevel", "verbose"], *FIELDS)
    wait_for_port(port)
    printed = piped.stop(signal.SIGTERM)

    events = [event for event in fields_of(workplace) if "level" in event]
    assert len(printed) - len(events) < 20, "the logo alone is text"
    assert all(map(is_time, events))
    assert {event["pid"] for event in events} == {piped.program.pid}
    (ready,) = (event for event in events if "ready to accept connections" in event["message"].lower())
    assert ready["level"] == "notice"


def find_postgres() -> Path:
    """The folder of its programs, which Debian has not in PATH."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    return Path(find("initdb")).parent


def test_postgresql(workplace: Workplace, port: int) -> None:
    """It refuses to be root's. Its collector writes the same in three formats."""
    if os.geteuid() != 0:
        missing("only root can run PostgreSQL as somebody else")
    programs = find_postgres()
    workplace.folder.chmod(0o777)
    for folder in workplace.folder.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    data = workplace.folder / "data"
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    made = subprocess.run([*as_nobody, programs / "initdb", "-D", data, "-U", "me", "-A", "trust", "-N"], stdout=-1)
    assert made.returncode == 0
    options = {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(data),
        "log_destination": "stderr,csvlog,jsonlog",
        "logging_collector": "on",
        "log_filename": "server.log",
        "log_connections": "on",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_timezone": "UTC",
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = workplace.start([*as_nobody, programs / "postgres", "-D", data, *settings], stderr=-3, stdout=-3)
    wait_until(lambda: (data / "log" / "server.log").exists(), "its log")
    wait_for_port(port)
    asked = [programs / "psql", "-h", "127.0.0.1", "-p", str(port), "-U", "me", "-d", "postgres", "-c"]
    wait_until(lambda: subprocess.run([*asked, "select 1"], stdout=-3, stderr=-3).returncode == 0, "its readiness")
    subprocess.run([*asked, "select * from nothing_here"], stderr=-3, check=False)
    server.send_signal(signal.SIGTERM)
    server.wait(TOO_LONG_SECONDS)

    events = recognised(workplace, (data / "log" / "server.log").read_bytes())
    levels = [event for event in events if "level" in event]
    assert len(levels) == len(events)
    assert all(map(is_time, events))
    (failed,) = those_with(events, level="ERROR")
    assert failed["message"].startswith('relation "nothing_here" does not exist')
    assert (failed["user"], failed["dbname"]) == ("me", "postgres")
    (workplace.folder / "fields").unlink()
    workplace.write("logrouter.yaml", "sources: {log: {type: stdin, parse: {postgresql: {format: csv}}}}\n")
    rows = recognised(workplace, (data / "log" / "server.csv").read_bytes())
    (failed,) = those_with(rows, level="ERROR", user="me")
    assert failed["message"].startswith('relation "nothing_here" does not exist')
    (workplace.folder / "fields").unlink()
    (workplace.folder / "logrouter.yaml").unlink()
    objects = recognised(workplace, (data / "log" / "server.json").read_bytes())
    (failed,) = those_with(objects, error_severity="ERROR", user="me", dbname="postgres")


# ── languages ─────────────────────────────────────────────────────────────────────────────────────────

PYTHON = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("shop.orders").warning("stock is low: %d", 3)
for style in (
    "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    "%(asctime)s %(levelname)s %(name)s: %(message)s",
):
    logging.basicConfig(format=style, force=True, level=logging.DEBUG)
    logging.getLogger("shop.orders").warning("stock is low: %d", 3)
"""


def test_python(workplace: Workplace) -> None:
    printed = output_of([sys.executable, "-c", PYTHON], workplace.folder)
    events = recognised(workplace, printed)
    wanted = {"level": "WARNING", "logger": "shop.orders", "message": "stock is low: 3"}
    assert len(those_with(events, **wanted)) == len(events) == 3
    assert len(list(filter(is_time, events))) == 2


GO = """
package main

import (
	"log"
	"log/slog"
	"os"
)

func main() {
	log.Println("plain")
	log.SetFlags(log.LstdFlags | log.Lmicroseconds | log.Lshortfile)
	log.Println("with its place")
	slog.New(slog.NewTextHandler(os.Stderr, nil)).Warn("stock is low", "left", 3)
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Warn("stock is low", "left", 3)
}
"""


def test_go(workplace: Workplace) -> None:
    workplace.write("shop.go", GO)
    printed = output_of([find_go(), "run", "shop.go"], workplace.folder, TZ="UTC", GOFLAGS="-mod=mod")
    plain, placed, text, own = recognised(workplace, printed)
    assert is_time(plain)
    assert plain["message"] == "plain"
    assert (placed["file"], placed["message"]) == ("shop.go", "with its place")
    assert (text["level"], text["msg"], text["left"]) == ("WARN", "stock is low", "3")
    assert (own["level"], own["msg"], own["left"]) == ("WARN", "stock is low", 3)


JAVA = """
import java.util.logging.*;

public class Shop {
    public static void main(String[] arguments) {
        System.setProperty("java.util.logging.SimpleFormatter.format", arguments[0]);
        Logger.getLogger("shop.Orders").warning("stock is low: 3");
    }
}
"""
SPRING = "%1$tF %1$tT.%1$tL  WARN 12 --- [main] %3$s : %5$s%n"
LOGBACK = "%1$tT.%1$tL [main] WARN %3$s -- %5$s%n"


@pytest.mark.parametrize("layout", [SPRING, LOGBACK], ids=["Spring Boot", "Logback"])
def test_java(workplace: Workplace, layout: str) -> None:
    """Its own logging, in the layouts that others have by default."""
    workplace.write("Shop.java", JAVA)
    printed = output_of([find("java"), "Shop.java", layout], workplace.folder, TZ="UTC")
    (event,) = recognised(workplace, printed)
    assert (event["level"], event["logger"]) == ("WARN", "shop.Orders")
    assert event["message"] == "stock is low: 3"


LOG4J = """
import org.apache.logging.log4j.LogManager;

public class Shop {
    public static void main(String[] arguments) {
        LogManager.getLogger("org.example.shop.Orders").warn("stock is low: {}", 3);
        LogManager.getLogger("org.example.shop.Orders").error("cannot order", new IllegalStateException("no stock"));
    }
}
"""
LOG4J_CONFIG = """
appenders = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = {layout}
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
LAYOUTS = {
    # config/log4j2.properties of OpenSearch, with the name of the node
    "OpenSearch": ("[%d{ISO8601}][%-5p][%-25c{1.}] [node-1]%marker %m%n", "o.e.s.Orders"),
    # config/log4j2.yaml of Kafka
    "Kafka": ("[%d] %p %m (%c)%n", "org.example.shop.Orders"),
    # https://logging.apache.org/log4j/2.x/manual/configuration.html, the default
    "Log4j": ("%d{yyyy-MM-dd HH:mm:ss.SSS} [%t] %-5level %logger{36} - %msg%n", "org.example.shop.Orders"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_log4j(workplace: Workplace, name: str) -> None:
    """The Log4j of OpenSearch, in the layouts of servers; the exception belongs to the line that logged it."""
    layout, logger = LAYOUTS[name]
    workplace.write("Shop.java", LOG4J)
    workplace.write("log4j2.properties", LOG4J_CONFIG.format(layout=layout))
    classes = f"{installed_opensearch() / 'libs'}/*"
    command = [find("java"), "-Dlog4j2.configurationFile=log4j2.properties", "-cp", classes, "Shop.java"]
    printed = output_of(command, workplace.folder, TZ="UTC")
    workplace.write("logrouter.yaml", "sources: {app: {type: stdin, multiline: auto}}\n")
    low, failed = recognised(workplace, printed)
    assert is_time(low)
    assert (low["level"], low["logger"], low["message"]) == ("WARN", logger, "stock is low: 3")
    assert (failed["level"], failed["logger"]) == ("ERROR", logger)
    assert failed["message"].splitlines()[0] == "cannot order"
    assert "IllegalStateException" in json.dumps(failed)


NODE = """
console.log(JSON.stringify({level: 30, msg: "as pino writes it"}));
console.log("an ordinary line of text");
console.error("level=warn msg=\\"as logfmt\\" left=3");
"""


def test_node(workplace: Workplace) -> None:
    own, text, pairs = recognised(workplace, output_of([find("node"), "-e", NODE], workplace.folder))
    assert own == {"level": 30, "msg": "as pino writes it"}
    assert text == {"message": "an ordinary line of text"}
    assert pairs == {"level": "warn", "msg": "as logfmt", "left": "3"}
