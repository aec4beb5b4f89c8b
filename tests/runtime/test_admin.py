"""The admin port: what each address answers, and that no client can do harm."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families

import logrouter
from logrouter.config.effective import config_hash
from logrouter.config.settings import Address
from logrouter.dead_letters import DeadLetter
from logrouter.errors import StartError
from logrouter.runtime.admin import IDLE_SECONDS, MAX_CONNECTIONS, MAX_HEADER_BYTES, Admin
from tests.runtime.admin_client import LINES, Served, make_topology, wait_until


@pytest.fixture
async def served(tmp_path: Path, nursery: trio.Nursery) -> Served:
    topology = make_topology(tmp_path, (LINES,))
    (listener,) = await nursery.start(Admin(topology.parts, Address("127.0.0.1:0")).serve)
    return Served(topology, listener.socket.getsockname()[1])


# ── what is answered ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow  # a file sink waits a second before it syncs
async def test_metrics_agree_with_the_ledgers(served: Served, nursery: trio.Nursery) -> None:
    nursery.start_soon(served.topology.run)
    spool = served.topology.parts.spool
    await wait_until(lambda: spool.appended == 4 and not any(map(spool.waiting, (0, 1))))

    status, body = await served.get("/metrics")

    assert status == 200
    samples = {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }

    def value(name: str, *labels: str) -> float:
        return samples[f"logrouter_{name}", frozenset(labels)]

    parts = served.topology.parts
    for delivery, cursor in zip(parts.deliveries, parts.spool.cursors.values(), strict=True):
        outcomes = [value("sink_events_total", delivery.name, outcome, "") for outcome in ("delivered", "unmatched")]
        assert outcomes == [cursor.ledger.delivered, cursor.ledger.unmatched]
        assert sum(outcomes) == cursor.ledger.read == 4
    assert value("sink_events_total", "errors", "delivered", "") == 1
    assert value("sink_events_total", "all", "delivered", "") == 3
    assert value("unmatched_events_total") == 1
    assert value("source_events_total", "stdin") == value("spool_events_total") == 4
    assert value("source_empty_lines_total", "stdin") == 1
    assert value("source_invalid_utf8_total", "stdin") == 1
    assert value("sink_waiting", "errors") == value("sink_waiting", "all") == 0
    assert value("sink_up", "errors") == value("sink_up", "all") == 1
    served.topology.parts.sources[0].source.stop()


async def test_readiness_and_health(served: Served) -> None:
    assert await served.get("/healthz") == (200, b"ok\n")
    assert await served.get("/readyz") == (503, b"not reading\n")

    async with trio.open_nursery() as running:
        running.start_soon(served.topology.run)
        await wait_until(lambda: served.topology.parts.reading)
        assert await served.get("/readyz") == (200, b"reading\n")
        served.topology.parts.sources[0].source.stop()

    assert await served.get("/readyz") == (503, b"not reading\n")
    assert await served.get("/healthz") == (200, b"ok\n")


async def test_status(served: Served) -> None:
    status, body = await served.get("/status")

    told = json.loads(body)
    assert status == 200
    assert (told["version"], told["config"]) == (logrouter.__version__, config_hash(served.topology.parts.settings))
    assert (told["reading"], list(told["sources"]), list(told["sinks"])) == (False, ["stdin"], ["errors", "all"])
    assert told["sinks"]["errors"]["trouble"] is None


async def test_what_is_refused_is_counted_when_somebody_asks(tmp_path: Path, nursery: trio.Nursery) -> None:
    """And not by the probes, which must not hang with a disk."""
    topology = make_topology(tmp_path, sets=[f"spool.directory={tmp_path}/spool"])
    (listener,) = await nursery.start(Admin(topology.parts, Address("127.0.0.1:0")).serve)
    served = Served(topology, listener.socket.getsockname()[1])
    assert topology.parts.dead_letters is not None
    await topology.parts.dead_letters.keep([DeadLetter(1, 5, "all", "too long", "", 0, 0, {}, 0, b"text")])

    assert (await served.get("/healthz"))[0] == 200
    assert topology.parts.dead_letters.statistics == {}
    _, body = await served.get("/status?pretty")
    assert json.loads(body)["dead_letters"]["sinks"]["all"]["letters"] == 1


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/nosuch?x=/metrics", 404),
        ("GET", "/healthz?verbose=1", 200),
        ("POST", "/metrics", 405),
        ("DELETE", "/", 405),
        ("OPTIONS", "*", 405),
        ("CONNECT", "example.com:443", 405),
    ],
)
async def test_other_targets_and_methods(served: Served, method: str, target: str, status: int) -> None:
    client = await served.connect()
    async with client.stream:
        await client.stream.send_all(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = await client.stream.receive_some()

    assert answer.split(b" ")[1] == str(status).encode()


async def test_head_has_no_body(served: Served) -> None:
    client = await served.connect()
    async with client.stream:
        for _ in range(2):
            await client.stream.send_all(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await client.stream.receive_some()
            head, _, body = answer.partition(b"\r\n\r\n")
            assert (head.splitlines()[0], body) == (b"HTTP/1.1 200 ", b"")
            assert b"content-length: 3" in head.lower()


# ── clients ───────────────────────────────────────────────────────────────────────────────────────────


async def test_several_requests_on_one_connection(served: Served) -> None:
    client = await served.connect()
    async with client.stream:
        answers = [await client.get(target) for target in ("/healthz", "/nosuch", "/readyz", "/healthz")]

    assert [status for status, _ in answers] == [200, 404, 503, 200]


async def test_requests_sent_at_once(served: Served) -> None:
    client = await served.connect()
    async with client.stream:
        await client.stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        received = b""
        while received.count(b"ok\n") < 3:
            data = await client.stream.receive_some()
            assert data
            received += data

    assert received.count(b"HTTP/1.1 200") == 3


async def test_a_request_in_pieces(served: Served) -> None:
    client = await served.connect()
    async with client.stream:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n":
            await client.stream.send_all(bytes([byte]))
        assert (await client.stream.receive_some()).endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",  # TLS, on a port that speaks none
        b"nonsense\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",  # no Host
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: no\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (MAX_HEADER_BYTES + 5000),
        b"GET /" + b"y" * (MAX_HEADER_BYTES + 5000),
    ],
    ids=["TLS", "nonsense", "no host", "length", "70 kB header", "70 kB target"],
)
async def test_what_is_no_request(served: Served, data: bytes) -> None:
    client = await served.connect()
    async with client.stream:
        assert await client.send_raw(data) == (400, b"not a valid HTTP/1.1 request\n")

    assert await served.get("/healthz") == (200, b"ok\n")


async def test_http_1_0(served: Served) -> None:
    client = await served.connect()
    async with client.stream:
        await client.stream.send_all(b"GET /healthz HTTP/1.0\r\n\r\n")
        received = b""
        while data := await client.stream.receive_some():
            received += data

    assert received.endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize("data", [b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_client_that_hangs_up(served: Served, data: bytes) -> None:
    client = await served.connect()
    client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # by RST, not FIN
    await client.stream.send_all(data)
    await client.stream.aclose()

    assert await served.get("/healthz") == (200, b"ok\n")


@pytest.mark.parametrize("data", [b"", b"GET /metr"])
async def test_a_client_that_says_nothing_is_hung_up_on(
    served: Served, autojump_clock: trio.testing.MockClock, data: bytes
) -> None:
    started = trio.current_time()
    client = await served.connect()
    async with client.stream:
        await client.stream.send_all(data)
        assert await client.stream.receive_some() == b""

    assert trio.current_time() - started == pytest.approx(IDLE_SECONDS, abs=1.0)


async def test_idle_clients_lock_nobody_out(served: Served, mock_clock: trio.testing.MockClock) -> None:
    """Though time stands still, so that they are not hung up on for having been idle for too long."""
    idle = [await served.connect() for _ in range(3 * MAX_CONNECTIONS)]
    assert await served.get("/healthz") == (200, b"ok\n")
    for client in idle:
        await client.stream.aclose()


# ── the start ─────────────────────────────────────────────────────────────────────────────────────────


async def test_an_address_in_use_is_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = Address(f"127.0.0.1:{other.getsockname()[1]}")
        topology = make_topology(tmp_path, sets=[f"admin.listen={address}"])
        with pytest.raises(ExceptionGroup) as failed:
            await topology.run()

    (error,) = failed.value.exceptions
    assert isinstance(error, StartError)
    assert str(error) == f"admin.listen: cannot listen on {address}: Address already in use"


async def test_the_port_closes_with_the_run(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    topology = make_topology(tmp_path, sets=[f"admin.listen=127.0.0.1:{port}"])

    async with trio.open_nursery() as running:
        running.start_soon(topology.run)
        await wait_until(lambda: topology.parts.reading)
        assert await Served(topology, port).get("/readyz") == (200, b"reading\n")
        topology.parts.sources[0].source.stop()
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", port)
