"""Sinks at real servers, each with what its server holds of numbered lines, as the server itself tells it.

A server that runs for all tests holds the lines of others too: each destination takes a place of its own there.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tests.crash.feeding import numbers_of
from tests.e2e.processes import Workplace
from tests.services.loki import Loki
from tests.services.opensearch import OpenSearch
from tests.services.s3 import S3Server
from tests.services.server import Server
from tests.services.victorialogs import VictoriaLogs


class Destination(NamedTuple):
    """A sink, and how to read back what it has delivered."""

    name: str
    server: Server
    options: dict[str, Any]
    """The sink's, as the config has them."""
    numbers: Callable[[], list[int]]
    """Of all lines that are there, sorted: a line that is there twice is there twice."""
    once: bool = True
    """Whether what is sent twice is there once."""

    def check(self, expected: Iterable[int]) -> None:
        """Compare what is there with what should be."""
        wanted, found = sorted(expected), self.numbers()
        missing, foreign = set(wanted) - set(found), set(found) - set(wanted)
        assert not missing, f"{self.name} lacks {len(missing)}, from {min(missing)} to {max(missing)}"
        assert not foreign, f"{self.name} holds {len(foreign)} that were not sent, such as {min(foreign)}"
        assert not self.once or found == wanted, f"{self.name} holds {len(found) - len(wanted)} twice"


def in_opensearch(server: OpenSearch, **options: Any) -> Destination:
    """A plain index, with ids."""
    index = f"lines-{uuid.uuid4().hex[:12]}"
    server.make_index(index, {"properties": {"n": {"type": "long"}}}, {"index.refresh_interval": "-1"})

    def numbers() -> list[int]:
        found = (document["_source"] for document in server.documents(index))
        return sorted(event["n"] for event in found if "n" in event)  # what tells of a gap has none

    sink = {"type": "elasticsearch", "url": server.url, "index": index, **_QUICK, **options}
    return Destination("opensearch", server, sink, numbers)


def in_s3(server: S3Server, **options: Any) -> Destination:
    """A bucket."""
    bucket = server.make_bucket()

    def numbers() -> list[int]:
        return sorted(numbers_of(line + b"\n" for line in server.lines(bucket)))

    keys = {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
    sink = {"type": "s3", "endpoint": server.url, "bucket": bucket, **keys, "retry": _QUICK["retry"], **options}
    return Destination("s3", server, sink, numbers)


def by_bulk_in_victorialogs(server: VictoriaLogs) -> Destination:
    """VictoriaLogs keeps no ids: what is sent again is there again."""
    test = uuid.uuid4().hex[:12]
    headers = {"VL-Extra-Fields": f"test={test}", "VL-Msg-Field": "text"}
    url = f"{server.url}/insert/elasticsearch"
    sink = {"type": "elasticsearch", "url": url, "headers": headers, **_QUICK}
    return Destination("bulk", server, sink, lambda: _in_victorialogs(server, test), once=False)


def by_http_in_victorialogs(server: VictoriaLogs) -> Destination:
    """Lines of JSON, as any endpoint takes them: what is sent again is there again."""
    test = uuid.uuid4().hex[:12]
    headers = {"VL-Extra-Fields": f"test={test}", "VL-Msg-Field": "text"}
    sink = {"type": "http", "url": f"{server.url}/insert/jsonline", "headers": headers, **_QUICK}
    return Destination("http", server, sink, lambda: _in_victorialogs(server, test), once=False)


def by_loki_in_victorialogs(server: VictoriaLogs) -> Destination:
    """What Loki keeps once, VictoriaLogs keeps as often as it comes."""
    test = uuid.uuid4().hex[:12]
    url = f"{server.url}/insert/loki/api/v1/push"
    sink = {"type": "loki", "url": url, "labels": {"test": test}, **_QUICK}
    return Destination("loki", server, sink, lambda: _in_victorialogs(server, test), once=False)


def in_loki(server: Loki, **options: Any) -> Destination:
    """A stream of Loki's, which shows what it got twice once."""
    test = uuid.uuid4().hex[:12]

    def numbers() -> list[int]:
        lines = (line.encode() + b"\n" for line in server.lines(f'{{test="{test}"}}'))
        return sorted(numbers_of(lines))

    sink = {"type": "loki", "url": server.url, "tenant": server.tenant, "labels": {"test": test}, **_QUICK, **options}
    return Destination("loki", server, sink, numbers)


def configure(workplace: Workplace, *destinations: Destination, **settings: Any) -> None:
    """Write the config that logrouter finds there."""
    sinks = {destination.name: destination.options for destination in destinations}
    config = {"sinks": sinks, "shutdown_timeout": "110s", **settings}  # servers of a busy machine take their time
    workplace.write("logrouter.yaml", json.dumps(config))


_QUICK: dict[str, Any] = {"batch": {"age": "50ms"}, "retry": {"cap": "500ms"}}
"""Many requests, and no long waits."""


def _in_victorialogs(server: VictoriaLogs, test: str) -> list[int]:
    return sorted(int(event["n"]) for event in server.query(f"test:={test} n:* | fields n"))
