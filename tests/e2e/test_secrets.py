"""Secrets appear nowhere: not in what logrouter says, tells, answers or keeps, even where servers repeat them."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest

from logrouter.testing import HttpServer, Received, Reply
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, in_thread, pipe, wait_for_port, wait_until
from tests.e2e.status import status

pytestmark = pytest.mark.slow


def hash_of(name: str) -> str:
    """A text of 32 letters that nothing else holds."""
    return hashlib.md5(name.encode()).hexdigest()


SECRETS = {
    name: f"{name}-{hash_of(name)}/+:@%"
    for name in ("url", "variable", "file", "key", "aws", "session", "proxy", "header", "hook")
}
"""With characters that a URL, a header or base64 writes differently."""


COMMANDS = {"config": 0, "check": 0, "check --connect": 69, "spool ls": 0, "dlq ls": 0, "dlq show": 0}
"""With the exit code of each: what ends early says little."""


def repeating(request: Received) -> Reply:
    """Refuses it, and repeats all that it was sent: of the webhook as no event's fault is, of the others as one's."""
    status = 400 if "refusing" in request.target else 401
    said = [f"{name}: {text}" for name, text in request.headers.items()]
    credentials = request.headers.get("authorization", "").partition(" ")[2]
    said += [request.target, base64.b64decode(credentials + "==", validate=False).decode(errors="replace")]
    text = " ".join(reversed(said))  # of what is long only the beginning is shown
    if request.target.startswith("/logs"):
        return Reply(status, body=f"<Error><Code>Refused</Code><Message>{escape(text)}</Message></Error>".encode())
    return Reply(status, body=json.dumps({"error": {"type": "refused", "reason": text}}).encode())


def config(url: str) -> dict[str, object]:
    """Sinks that get their secrets in all the ways there are."""
    quick = {"retry": {"cap": "100ms"}}
    return {
        "variable": {"type": "loki", "url": url, "user": "me", **quick},
        "file": {"type": "http", "url": url, "token_file": "token", **quick},
        "refused": {"type": "http", "url": f"{url}/refusing", "headers": {"X-Token": "${HEADER}"}, **quick},
        "key": {"type": "elasticsearch", "url": url, "api_key_file": "key", **quick},
        "aws": {
            "type": "s3",
            "endpoint": url,
            "bucket": "logs",
            "access_key_id": "me",
            "object_age": "100ms",
            "secret_access_key_file": "aws",
            "session_token_file": "session",
            **quick,
        },
        "hook": {"type": "http", "url": "${file:hook}", **quick},
        "proxied": {"type": "http", "url": "http://example.org", "proxy": "${PROXY}", **quick},
    }


async def test_secrets_appear_nowhere(workplace: Workplace, port: int) -> None:
    async with HttpServer(repeating).serving() as server:
        workplace.write("token", SECRETS["file"])
        workplace.write("key", f"me:{SECRETS['key']}")
        for name in ("aws", "session"):
            workplace.write(name, SECRETS[name])
        workplace.write("hook", f"{server.url}/services/{quoted('hook')}")
        settings = {"sinks": config(server.url), "spool": {"directory": "spool"}, "shutdown_timeout": "1s"}
        workplace.write("logrouter.yaml", json.dumps(settings))
        environment = {
            "LOGROUTER_SINK_URL": f"elasticsearch+http://me:{quoted('url')}@127.0.0.1:{server.port}",
            "LOGROUTER_SINK_URL__RETRY__CAP": "100ms",
            "LOGROUTER_SINK_VARIABLE__PASSWORD": SECRETS["variable"],
            "LOGROUTER_LOG_LEVEL": "debug",
            "HEADER": SECRETS["header"],
            "PROXY": f"http://me:{quoted('proxy')}@127.0.0.1:9",
        }
        said = await in_thread(everything_said, workplace, port, environment)
    told = {(name, where) for where, text in said.items() for name in SECRETS for form in forms(name) if form in text}
    assert told == set()
    sent = " ".join(f"{request.target} {request.headers}" for request in server.requests)
    unsent = {name for name in SECRETS if not any(form in sent for form in forms(name))}
    assert unsent == {"aws", "proxy"}  # what signs requests is never sent, and there is no such proxy


def everything_said(workplace: Workplace, port: int, environment: dict[str, str]) -> dict[str, str]:
    """All that one run and the commands say and keep, by where."""
    router = workplace.start_router("--set", f"admin.listen=127.0.0.1:{port}", environment=environment)
    wait_for_port(port)
    pipe(router.stdin).write(b'{"n":1}\n{"n":2}\n')

    def is_told() -> bool:
        sinks = status(port)["sinks"]
        return all(sink["trouble"] or sink["dead_lettered"] for sink in sinks.values())

    wait_until(is_told, "trouble with all sinks")
    said = {path: _answer(port, path) for path in ("/status", "/metrics")}
    _, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    assert router.returncode == 75
    said["log"] = complaints.decode()
    for command, code in COMMANDS.items():
        done = workplace.route(b"", *command.split(), environment=environment)
        assert done.returncode == code, (command, done.stderr)
        said[command] = (done.stdout + done.stderr).decode()
    spool = [path for path in (workplace.folder / "spool").rglob("*") if path.is_file()]
    assert any("dead-letters" in str(path) for path in spool)
    return said | {path.name: path.read_bytes().decode("latin-1") for path in spool}


def _answer(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def quoted(name: str) -> str:
    return quote(SECRETS[name], safe="")


def forms(name: str) -> list[str]:
    """How a secret may be written: as it is, its distinctive part alone, and as basic authentication sends it."""
    secret = SECRETS[name]
    return [secret, quoted(name), hash_of(name), base64.b64encode(f"me:{secret}".encode()).decode()]
