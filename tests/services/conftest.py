"""Fixtures of the tests against real servers. See server.py for what each can, and its class for what it proves.

    def test_delivery(opensearch: OpenSearch) -> None:
        opensearch.make_index("orders", {"properties": {"n": {"type": "long"}}})
        ...                                 # deliver to opensearch.url
        opensearch.kill()                   # or stop()
        opensearch.start()                  # the same port, the same data
        assert opensearch.ids("orders") == expected

`opensearch`, `s3_server`, `minio`, `victorialogs` and `loki` run for all tests of a session: each test takes an index,
a bucket or a stream of its own. `s3_server` is each S3 there is in turn: a test that takes it runs so often. A server
that a test stopped is started again for the next. A test that wants its own, with settings, takes `start_server`:
`start_server(OpenSearch, {"indexing_pressure.memory.limit": "20kb"})`.

logrouter runs as a process in `workplace`, its admin port at `port`; destinations.py has sinks at the servers.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.e2e.conftest import port, workplace
from tests.services.loki import Loki
from tests.services.minio import MinIO
from tests.services.opensearch import OpenSearch
from tests.services.programs import find
from tests.services.s3 import S3Server, Versitygw
from tests.services.server import Server
from tests.services.victorialogs import VictoriaLogs

__all__ = ["port", "workplace"]
HERE = Path(__file__).resolve().parent
S = TypeVar("S", bound=Server)


class Starter:
    """Starts servers, and ends them all at its own end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.servers: list[Server] = []
        self._folder = folder
        self._stack = stack

    def __call__(self, kind: type[S], *arguments: Any, **options: Any) -> S:
        """A new server: `kind(folder, *arguments, **options)`."""
        server = kind(self._folder / f"{kind.__name__}-{len(self.servers)}", *arguments, **options)
        self.servers.append(server)
        self._stack.push(server)  # before it starts, so that it ends also if it does so too late
        server.start()
        return server

    def shared(self, kind: type[S]) -> S:
        """The one server of this kind, started if it does not run."""
        for server in self.servers:
            if isinstance(server, kind):
                server.start()
                return server
        return self(kind)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.service)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a test failed, show what its servers printed."""
    report = yield
    if report.failed:
        values = getattr(item, "funcargs", {}).values()
        own = [server for value in values if isinstance(value, Starter) for server in value.servers]
        for server in {*own, *(value for value in values if isinstance(value, Server))}:
            report.sections.append((f"{type(server).__name__} printed", server.log()))
    return report


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Starter]:
    """Starts servers of the test's own."""
    with ExitStack() as stack:
        yield Starter(tmp_path, stack)


@pytest.fixture(scope="session")
def shared_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    with ExitStack() as stack:
        yield Starter(tmp_path_factory.mktemp("servers"), stack)


@pytest.fixture
def opensearch(shared_servers: Starter) -> OpenSearch:
    return shared_servers.shared(OpenSearch)


S3_SERVERS: list[type[S3Server]] = [Versitygw, MinIO] if os.environ.get("TEST_MINIO") else [Versitygw]


@pytest.fixture(params=S3_SERVERS, ids=lambda kind: kind.__name__.lower())
def s3_server(request: pytest.FixtureRequest, shared_servers: Starter) -> S3Server:
    """Each that there is, one after the other."""
    kind: type[S3Server] = request.param
    return shared_servers.shared(kind)


@pytest.fixture
def minio(shared_servers: Starter) -> MinIO:
    return shared_servers.shared(MinIO)


@pytest.fixture
def victorialogs(shared_servers: Starter) -> VictoriaLogs:
    return shared_servers.shared(VictoriaLogs)


@pytest.fixture
def loki(shared_servers: Starter) -> Loki:
    return shared_servers.shared(Loki)


@pytest.fixture
def promtool() -> str:
    """The path of Prometheus' promtool, which checks alert rules."""
    return find("promtool")
