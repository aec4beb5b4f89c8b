"""VictoriaLogs, which takes logs in most protocols there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.services.programs import go_install
from tests.services.server import Server

RELEASE = "v1.52.1"


class VictoriaLogs(Server):
    """A VictoriaLogs node: `{url}/insert/elasticsearch/`, `{url}/insert/loki/api/v1/push`, `{url}/insert/jsonline`.

    What it proves: that bodies, framing, compression and timestamps are such that another reads the same from them.

    What it does not prove, as seen on v1.52.1:

    - Ids: it keeps none. `_id` is ignored, the same event sent again is there twice, and no item is ever refused.
    - Refusals: a line that is no JSON ends a bulk with 400, what stood before it may be stored; on `/insert/jsonline`
      it is skipped, 204 or 200 all the same. So are events more than two days ahead. An event without time gets the
      time of its arrival, one without the field of the message gets a complaint as its message.
    - Types: numbers and booleans come back as text, nested objects as dotted names, null and empty not at all.
    - Media types: a body that says it is a form (what curl says if told nothing) is answered 200 and not read.
    - Durability: events are in memory for some seconds, so `kill` may lose what was answered 200; `stop` does not.
    - Loki's rules for labels, order and age: all are taken. Structured metadata and labels come back alike.

    It says `X-Elastic-Product: Elasticsearch` and version 8.9.0.
    """

    health_path = "/health"

    def command(self) -> Sequence[str | Path]:
        return [
            go_install("github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs", RELEASE),
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.folder / 'data'}",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=128MiB",
        ]

    def query(self, logsql: str = "*") -> list[dict[str, Any]]:
        """What a LogsQL query finds in all that was sent until now, each event a flat mapping of texts.

        See https://docs.victoriametrics.com/victorialogs/querying/ . The message is `_msg`, the time `_time`.
        """
        self.http.get("/internal/force_flush").raise_for_status()
        answer = self.http.post("/select/logsql/query", data={"query": logsql, "limit": "0"}).raise_for_status()
        return [json.loads(line) for line in answer.content.split(b"\n") if line]
