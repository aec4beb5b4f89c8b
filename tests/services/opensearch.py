"""OpenSearch, one node, made of its libraries: opensearch_node/ says which, and starts them."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.services.programs import find, installed, run
from tests.services.server import Server

RELEASE = "2.19.6"
SOURCES = Path(__file__).resolve().parent / "opensearch_node"
PAGE = 5000


class OpenSearch(Server):
    """An OpenSearch node without security. `settings` are a node's, such as `indexing_pressure.memory.limit`.

    What it proves: everything of bulk that an OpenSearch cluster of one says: order and statuses of items, mapping
    conflicts, `create` of an id that is there (409), data streams, rollover, templates, aliases, write blocks (403),
    indexing pressure (429), gzip. What was answered with success is there after `kill`: the translog is synced.

    What it does not prove: security (users, API keys, TLS), more than one node, and what is a module of its own and
    not of the core: the usual processors of ingest pipelines, painless, reindex. Nor what Elasticsearch does otherwise.
    """

    health_path = "/_cluster/health?wait_for_status=yellow&timeout=1s"

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self._settings = {
            "http.port": str(self.port),
            "transport.port": "0",
            "network.host": "127.0.0.1",
            "discovery.type": "single-node",
            "node.name": "logrouter-tests",
            "logger.level": "info",
            "cluster.routing.allocation.disk.threshold_enabled": "false",  # the disk of a developer may be full
            **(settings or {}),
        }

    def command(self) -> Sequence[str | Path]:
        built = installed_opensearch()
        (self.folder / "temporary").mkdir(exist_ok=True)
        machine = ["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # quick to start, small
        places = [f"-Djava.io.tmpdir={self.folder / 'temporary'}", "-cp", f"{built / 'classes'}:{built / 'libs'}/*"]
        settings = [f"{name}={value}" for name, value in self._settings.items()]
        return [find("java"), *machine, *places, "OpenSearchNode", self.folder, *settings]

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call of its API, with JSON in and out; raises AssertionError with what it said if that is no success."""
        answer = self.http.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        content: dict[str, Any] = answer.json()
        return content

    def make_index(self, name: str, mappings: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> None:
        self.request("PUT", f"/{name}", {"mappings": mappings, "settings": settings or {}})

    def put_template(self, name: str, pattern: str, *, data_stream: bool = False, **template: Any) -> None:
        """An index template: what an index (or data stream) whose name fits the pattern is made with."""
        body: dict[str, Any] = {"index_patterns": [pattern], "template": template}
        self.request("PUT", f"/_index_template/{name}", body | ({"data_stream": {}} if data_stream else {}))

    def put_settings(self, index: str, **settings: Any) -> None:
        """Change an index that is there: `put_settings("logs", **{"index.blocks.write": True})`."""
        self.request("PUT", f"/{index}/_settings", settings)

    def put_mapping(self, index: str, **properties: Any) -> None:
        """Add fields: `put_mapping("logs", status={"type": "long"})`."""
        self.request("PUT", f"/{index}/_mapping", {"properties": properties})

    def documents(self, index: str) -> list[dict[str, Any]]:
        """All that an index, data stream or pattern holds, as hits: `_index`, `_id`, `_source`. In no order."""
        self.request("POST", f"/{index}/_refresh")
        page = self.request("POST", f"/{index}/_search?scroll=1m", {"size": PAGE, "sort": ["_doc"]})
        found: list[dict[str, Any]] = []
        while hits := page["hits"]["hits"]:
            found += hits
            page = self.request("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]})
        self.request("DELETE", "/_search/scroll", {"scroll_id": [page["_scroll_id"]]})
        return found

    def ids(self, index: str) -> list[str]:
        """The ids of all its documents, sorted. In a data stream one may be there twice."""
        return sorted(hit["_id"] for hit in self.documents(index))


def installed_opensearch() -> Path:
    """Its libraries in `libs`, and what starts them, compiled, in `classes`."""
    sources = sorted(SOURCES.iterdir())
    version = zlib.crc32(b"".join(source.read_bytes() for source in sources))  # changed sources are built anew

    def build(folder: Path) -> None:
        for source in sources:
            shutil.copy(source, folder)
        run([find("mvn"), "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DoutputDirectory=libs"], folder)
        compiler = [find("javac"), "--release", "11", "-nowarn", "-cp", "libs/*", "-d", "classes"]
        run([*compiler, "OpenSearchNode.java"], folder)

    return installed(f"opensearch-{RELEASE}-{version:08x}", build)
