"""docs/quick-start.md, as far as it is logrouter's: its config and commands, with real servers in place of its own."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

from tests.e2e.processes import Workplace
from tests.services.opensearch import OpenSearch
from tests.services.s3 import S3Server

PAGE = Path(__file__).parents[2] / "docs" / "quick-start.md"
EVENTS = 2_000


def config_of_the_page(opensearch: OpenSearch, s3_server: S3Server, bucket: str, shop: str) -> str:
    """With these servers, as they were started on other ports, and `shop` in front of the names of indices."""
    found = re.search(r"<!-- config -->\n```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    text = found[1]
    for theirs, ours in {
        "http://127.0.0.1:9200": opensearch.url,
        "http://127.0.0.1:9000": s3_server.url,
        "bucket: logs": f"bucket: {bucket}",
        "access_key_id: minio": f"access_key_id: {s3_server.access_key}",
        "${ARCHIVE_SECRET:-minio-secret}": s3_server.secret_key,
        "us-east-1": s3_server.region,
        "127.0.0.1:9598": "127.0.0.1:0",
        "shop-": f"{shop}-",
    }.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    return text


def query_of_the_page(shop: str) -> str:
    """What step 5 asks OpenSearch, of these indices."""
    found = re.search(r"curl -s '127\.0\.0\.1:9200(/shop-\S+)'", PAGE.read_text(encoding="utf-8"))
    assert found is not None
    return found[1].replace("shop-", f"{shop}-")


def run(workplace: Workplace, command: list[str], lines: bytes = b"") -> str:
    done = workplace.route(lines, *command)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_the_steps_of_the_page(opensearch: OpenSearch, s3_server: S3Server, workplace: Workplace) -> None:
    bucket, shop = s3_server.make_bucket(), f"shop-{uuid.uuid4().hex[:12]}"
    workplace.write("logrouter.yaml", config_of_the_page(opensearch, s3_server, bucket, shop))
    run(workplace, ["check", "--connect"])
    lines = run(workplace, ["demo", "--count", str(EVENTS), "--rate", "0"]).encode()
    run(workplace, [], lines)

    events = [json.loads(line) for line in s3_server.lines(bucket)]
    assert 0 < len(events) <= len(lines.splitlines())
    assert not any(event.get("http", {}).get("path") == "/healthz" for event in events)
    wanted = [event for event in events if str(event.get("level", "")).lower() not in ("debug", "trace")]
    found = opensearch.documents(f"{shop}-*")
    assert len(found) == len(wanted)
    assert {document["_source"]["service.name"] for document in found} >= {"shop", "checkout"}
    shown = opensearch.request("GET", query_of_the_page(shop))["hits"]["hits"]
    assert [document["_source"]["log.level"] for document in shown] == ["error"] * 3

    refusing = f"{shop}-refuses"
    opensearch.make_index(refusing, {"properties": {"amount": {"type": "long"}}})
    given = b'{"level":"info","amount":7}\n{"level":"info","amount":"seven"}\n'
    run(workplace, ["--set", f"sinks.search.index={refusing}"], given)
    assert [document["_source"]["amount"] for document in opensearch.documents(refusing)] == [7]
    letters = [json.loads(line) for line in run(workplace, ["dlq", "show", "--format", "json"]).splitlines()]
    assert [(letter["sink"], letter["event"]["amount"]) for letter in letters] == [("search", "seven")]
    assert "amount" in letters[0]["detail"]
