"""Fixtures of the tests against real servers. See server.py for what each can, and its class for what it proves.

    def test_delivery(opensearch: OpenSearch) -> None:
        opensearch.make_index("orders", {"properties": {"n": {"type": "long"}}})
        ...                                 # deliver to opensearch.url
        opensearch.kill()                   # or stop()
        opensearch.start()                  # the same port, the same data
        assert opensearch.ids("orders") == expected

`opensearch`, `s3_server`, `victorialogs` and `loki` run for all tests of a session: each test takes an index, a
bucket or a stream of its own. A server that a test stopped is started again for the next. A test that wants its own,
with settings, takes `start_server`: `start_server(OpenSearch, {"indexing_pressure.memory.limit": "20kb"})`.

logrouter runs as a process in `workplace`, its admin port at `port`; destinations.py has sinks at the servers.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.e2e.conftest import workplace
from tests.services.loki import Loki
from tests.services.opensearch import OpenSearch
from tests.services.programs import find
from tests.services.s3 import S3Server
from tests.services.server import Server, free_port
from tests.services.victorialogs import VictoriaLogs

__all__ = ["workplace"]
HERE = Path(__file__).resolve().parent
S = TypeVar("S", bound=Server)


class Starter:
    """Starts servers, and ends them all at its own end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.servers: list[Server] = []
        self._folder = folder
        self._stack = stack

    def __call__(self, kind: type[S], *arguments: Any) -> S:
        """A new server: `kind(folder, *arguments)`."""
        server = kind(self._folder / f"{kind.__name__}-{len(self.servers)}", *arguments)
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


@pytest.fixture
def s3_server(shared_servers: Starter) -> S3Server:
    return shared_servers.shared(S3Server)


@pytest.fixture
def victorialogs(shared_servers: Starter) -> VictoriaLogs:
    return shared_servers.shared(VictoriaLogs)


@pytest.fixture
def loki(shared_servers: Starter) -> Loki:
    return shared_servers.shared(Loki)


@pytest.fixture
def port() -> int:
    """A port of 127.0.0.1, which none of our many connections takes for its own end."""
    return free_port()


@pytest.fixture
def promtool() -> str:
    """The path of Prometheus' promtool, which checks alert rules."""
    return find("promtool")
