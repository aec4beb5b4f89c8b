"""Loki, where somebody has it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.services.server import Server, free_port

_PAGE = 5000
"""What Loki gives at once by default (`max_entries_limit_per_query`)."""
_HOUR_NS = 3600 * 1_000_000_000
CONFIG = """
auth_enabled: true
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {port}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {grpc_port}
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  replication_factor: {copies}
  ring: {{kvstore: {{store: {store}}}, instance_id: "{port}", instance_addr: 127.0.0.1}}
  storage: {{filesystem: {{chunks_directory: {chunks}, rules_directory: {folder}/rules}}}}
schema_config:
  configs:
    - {{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}
ingester: {{lifecycler: {{min_ready_duration: 0s}}, query_store_max_look_back_period: -1ns}}
analytics: {{reporting_enabled: false}}
{gossip}
limits_config:
"""
_GOSSIP = """
memberlist:
  node_name: "{port}"
  bind_addr: [127.0.0.1]
  bind_port: {port}
  advertise_addr: 127.0.0.1
  advertise_port: {port}
  join_members: [{members}]
  abort_if_cluster_join_fails: false
"""


class Ring:
    """Three Lokis that share their work, and keep each entry in all three, two of which must be there to take it."""

    copies = 3

    def __init__(self, folder: Path) -> None:
        """`folder`: of the chunks that they have written."""
        self.chunks = folder
        self._ports = [free_port() for _ in range(self.copies)]

    def gossip(self, member: int) -> str:
        """How one of them finds the others, as a part of its config."""
        members = ", ".join(f"127.0.0.1:{port}" for port in self._ports)
        return _GOSSIP.format(port=self._ports[member], members=members)


class Loki(Server):
    """A Loki of one process with tenants (`X-Scope-OrgID`). `limits` are those of its `limits_config`; `ring` is of
    what it is a part, and the `member` of it that it is.

    What it holds of hours ago can be read at once, without waiting until it is flushed: by default only what is younger
    than two and a half hours (`query_store_max_look_back_period`).

    It is started only where `TEST_LOKI` names the program: its licence (AGPL) and eight minutes of building
    are nothing that tests should bring along.
    """

    health_path = "/ready"
    tenant = "tests"

    def __init__(
        self, folder: Path, limits: Mapping[str, str] | None = None, ring: Ring | None = None, member: int = 0
    ) -> None:
        self._program = os.environ.get("TEST_LOKI") or pytest.skip("TEST_LOKI names no Loki")
        super().__init__(folder)
        settings = {"max_line_size": "256KB", "max_query_length": "0", "max_query_series": "10000"}
        lines = [f"  {name}: {value}" for name, value in {**settings, **(limits or {})}.items()]
        config = CONFIG.format(
            port=self.port,
            grpc_port=free_port(),
            folder=folder,
            chunks=ring.chunks if ring else folder / "chunks",
            copies=ring.copies if ring else 1,
            store="memberlist" if ring else "inmemory",
            gossip=ring.gossip(member) if ring else "",
        )
        (folder / "loki.yaml").write_text(config + "\n".join(lines) + "\n")

    def command(self) -> Sequence[str | Path]:
        return [self._program, f"-config.file={self.folder / 'loki.yaml'}"]

    def query(self, logql: str, start_ns: int, end_ns: int) -> list[dict[str, Any]]:
        """The streams that a LogQL query finds: `stream` (labels) and `values` (`[ns as text, line, {…}]`, the oldest
        first, with structured metadata apart from the labels). A stream is there once for each page.

        See https://grafana.com/docs/loki/latest/reference/loki-http-api/ .
        """
        found: list[dict[str, Any]] = []
        while True:
            page = self._page(logql, start_ns, end_ns)
            times = [int(value[0]) for stream in page for value in stream["values"]]
            if len(times) < _PAGE:
                return found + page
            start_ns = max(times)  # that instant comes whole with the next page
            assert start_ns > min(times), "a page of one instant"
            for stream in page:
                stream["values"] = [value for value in stream["values"] if int(value[0]) < start_ns]
            found += page

    def _page(self, logql: str, start_ns: int, end_ns: int) -> list[dict[str, Any]]:
        window: dict[str, str | int] = {"start": start_ns, "end": end_ns, "limit": _PAGE, "direction": "forward"}
        headers = {"X-Scope-OrgID": self.tenant, "X-Loki-Response-Encoding-Flags": "categorize-labels"}
        answer = self.http.get("/loki/api/v1/query_range", params={"query": logql, **window}, headers=headers)
        assert answer.status_code == 200, answer.text
        streams: list[dict[str, Any]] = answer.json()["data"]["result"]
        return streams

    def lines(self, logql: str, hours: int = 24) -> list[str]:
        """All lines that it finds of the last hours, and the next one."""
        now_ns = time.time_ns()
        streams = self.query(logql, now_ns - hours * _HOUR_NS, now_ns + _HOUR_NS)
        return [line for stream in streams for _, line, *_ in stream["values"]]

    def flush(self) -> None:
        """Have what is in memory written to the store."""
        self.http.post("/flush").raise_for_status()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a counter, over all its series that have these labels."""
        lines = self.http.get("/metrics").raise_for_status().text.splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        own = [line for line in lines if line.startswith((name + "{", name + " "))]
        return sum(float(line.rpartition(" ")[2]) for line in own if all(each in line for each in wanted))
