"""What real servers print becomes fields with nothing configured: each runs here, and is read by `parse: auto`.

Proven is that these releases are recognised, and which fields come out. Apache, gunicorn and uvicorn are Debian's.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.processes import Piped, Workplace, wait_for_port, wait_until
from tests.e2e.test_programs import NGINX_CONFIG, get
from tests.services.kafka import kafka_command
from tests.services.opensearch import OpenSearch
from tests.services.programs import find, missing
from tests.services.recognising import FIELDS, TOO_LONG_SECONDS, fields_of, is_time, recognised, those_with
from tests.services.server import free_port

NOBODY = 65534
ACCESS = {"client": "127.0.0.1", "method": "GET", "path": "/nothing-here", "protocol": "HTTP/1.1", "status": 404}


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


# ── servers in Java ───────────────────────────────────────────────────────────────────────────────────

OPENSEARCH_LOG4J = """
appenders = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name]%marker %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
"""The pattern of the distribution's config/log4j2.properties."""


def test_opensearch(workplace: Workplace) -> None:
    node = OpenSearch(workplace.folder / "node", {"node.name": "shop-1"})
    (node.folder / "log4j2.properties").write_text(OPENSEARCH_LOG4J)
    piped = Piped(workplace, node.command(), *FIELDS)
    wait_for_port(node.port)
    printed = piped.stop(signal.SIGTERM)

    events = fields_of(workplace)
    assert len(events) == len(printed) > 15
    assert all(map(is_time, events))
    assert {event["node.name"] for event in events} == {"shop-1"}
    assert {event["level"] for event in events} == {"INFO", "WARN", "DEPRECATION"}
    assert those_with(events, level="INFO", logger="o.o.n.Node", message="starting ...")
    assert those_with(events, level="WARN", logger="o.o.g.DanglingIndicesState")


def test_kafka(workplace: Workplace, port: int) -> None:
    """It tells its settings in a message of some hundred lines; the logger's name stands in the last."""
    piped = Piped(workplace, kafka_command(workplace.folder, port, free_port()), *FIELDS)
    wait_until(lambda: b"Kafka Server started" in b"".join(workplace.lines("seen.log")), "its start")
    printed = piped.stop(signal.SIGTERM)

    events = fields_of(workplace)
    assert len(events) == len(printed)
    logged = [event for event, line in zip(events, printed, strict=True) if line.startswith(b"[")]
    assert len(logged) > 50
    assert all(map(is_time, logged))
    assert {event["level"] for event in logged} <= {"INFO", "WARN", "ERROR"}
    unnamed = [event for event in logged if "logger" not in event]
    assert unnamed
    assert all(event["message"].endswith(" values: ") for event in unnamed)
    (started,) = (event for event in logged if event["message"].endswith("Kafka Server started"))
    assert started["logger"] == "kafka.server.KafkaRaftServer"
