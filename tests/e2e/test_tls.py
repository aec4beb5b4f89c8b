"""TLS of the process: what is wrong is said plainly, nothing is lost, and it goes on when that is mended.

`check --connect` says the same before the start.
"""

from __future__ import annotations

import datetime
import json
import ssl

import pytest
import trustme

from logrouter.testing import HttpServer, Received, Reply
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, in_thread, pipe

pytestmark = pytest.mark.slow

CA = trustme.CA()
STRANGER = trustme.CA()
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
LINES = [b'{"n":%d}' % number for number in range(1000)]


def context(authority: trustme.CA, name: str, *, expired: bool = False, wants_client: bool = False) -> ssl.SSLContext:
    """A server with a certificate for this name."""
    certificate = authority.issue_cert(name, **({"not_after": LONG_AGO} if expired else {}))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    if wants_client:
        CA.configure_trust(made)
        made.verify_mode = ssl.CERT_REQUIRED
        made.maximum_version = ssl.TLSVersion.TLSv1_2  # which refuses within the handshake
    return made


WRONG = {
    "name": (context(CA, "example.org"), "its certificate is for another address"),
    "expired": (context(CA, "127.0.0.1", expired=True), "its certificate has expired"),
    "authority": (context(STRANGER, "127.0.0.1"), "its certificate is from an authority that is not known"),
    # Others would say that they want a certificate (test_http_tls.py); trio's TLS closes without a word.
    "client": (context(CA, "127.0.0.1", wants_client=True), "it has closed the connection"),
}


def taking_all(request: Received) -> Reply:
    """Answers a bulk request as a server does in which all went well."""
    items = [{"create": {"status": 201}}] * (request.body.count(b"\n") // 2)
    return Reply(body=json.dumps({"errors": False, "items": items}, separators=(",", ":")).encode())


@pytest.mark.parametrize("problem", WRONG)
async def test_a_server_that_cannot_be_trusted_gets_nothing_until_it_is_mended(
    problem: str, workplace: Workplace
) -> None:
    wrong, told = WRONG[problem]
    CA.cert_pem.write_to_path(workplace.folder / "ca.pem")
    async with HttpServer(taking_all, context=wrong).serving() as server:
        sink = {"type": "elasticsearch", "url": server.url, "tls": {"ca_file": "ca.pem"}, "retry": {"cap": "200ms"}}
        workplace.write("logrouter.yaml", json.dumps({"sinks": {"search": sink}}))
        router = workplace.start_router()
        pipe(router.stdin).write(b"\n".join(LINES))
        pipe(router.stdin).close()
        complaint = json.loads(await in_thread(pipe(router.stderr).readline))
        assert (complaint["message"], complaint["sink"]) == ("cannot deliver", "search")
        assert told in complaint["reason"]
        assert server.requests == []

        server.context = context(CA, "127.0.0.1")
        code = await in_thread(router.wait, TOO_LONG_SECONDS)
        assert (code, b"delivering again" in pipe(router.stderr).read()) == (0, True)
    sent = [line for request in server.requests for line in request.body.splitlines()[1::2]]
    assert sorted(json.loads(line)["n"] for line in sent) == list(range(len(LINES)))


@pytest.mark.parametrize("problem", WRONG)
async def test_a_server_that_cannot_be_trusted_is_told_of_before_the_start(problem: str, workplace: Workplace) -> None:
    wrong, told = WRONG[problem]
    CA.cert_pem.write_to_path(workplace.folder / "ca.pem")
    async with HttpServer(taking_all, context=wrong).serving() as server:
        sink = {"type": "http", "url": server.url, "tls": {"ca_file": "ca.pem"}}
        workplace.write("logrouter.yaml", json.dumps({"sinks": {"gateway": sink}}))
        done = await in_thread(workplace.route, b"", "check", "--connect")
        assert (done.returncode, server.requests) == (69, [])
        assert f"sinks.gateway: no TLS with {server.url.removeprefix('https://')}: {told}" in done.stderr.decode()

        server.context = context(CA, "127.0.0.1")
        done = await in_thread(workplace.route, b"", "check", "--connect")
        assert (done.returncode, done.stderr) == (0, b"")
