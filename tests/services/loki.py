"""Loki, where somebody has it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.services.server import Server, free_port

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
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
  storage: {{filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}}}
schema_config:
  configs:
    - {{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}
analytics: {{reporting_enabled: false}}
limits_config:
"""


class Loki(Server):
    """A Loki of one process with tenants (`X-Scope-OrgID`). `limits` are those of its `limits_config`.

    It is started only where `LOGROUTER_TEST_LOKI` names the program: its licence (AGPL) and eight minutes of building
    are nothing that tests should bring along.
    """

    health_path = "/ready"
    tenant = "tests"

    def __init__(self, folder: Path, limits: Mapping[str, str] | None = None) -> None:
        self._program = os.environ.get("LOGROUTER_TEST_LOKI") or pytest.skip("LOGROUTER_TEST_LOKI names no Loki")
        super().__init__(folder)
        settings = {"max_line_size": "256KB", "max_query_length": "0", "max_entries_limit_per_query": "100000"}
        lines = [f"  {name}: {value}" for name, value in {**settings, **(limits or {})}.items()]
        config = CONFIG.format(port=self.port, grpc_port=free_port(), folder=folder)
        (folder / "loki.yaml").write_text(config + "\n".join(lines) + "\n")

    def command(self) -> Sequence[str | Path]:
        return [self._program, f"-config.file={self.folder / 'loki.yaml'}"]

    def query(self, logql: str, start_ns: int, end_ns: int) -> list[dict[str, Any]]:
        """The streams that a LogQL query finds: `stream` (labels) and `values` (`[ns as text, line]`, oldest first).

        See https://grafana.com/docs/loki/latest/reference/loki-http-api/ . At most 100,000 entries in all.
        """
        window: dict[str, str | int] = {"start": start_ns, "end": end_ns, "limit": 100_000, "direction": "forward"}
        tenant = {"X-Scope-OrgID": self.tenant}
        answer = self.http.get("/loki/api/v1/query_range", params={"query": logql, **window}, headers=tenant)
        streams: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
        return streams
