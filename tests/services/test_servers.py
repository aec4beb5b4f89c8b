"""Each real server takes what it is sent by its own protocol, gives it back, and has it after a restart."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.conftest import Starter
from tests.services.loki import Loki
from tests.services.opensearch import OpenSearch
from tests.services.s3 import S3Server
from tests.services.victorialogs import VictoriaLogs


def bulk(server: OpenSearch, index: str, documents: dict[str, dict[str, Any]], action: str = "create") -> Any:
    """A bulk request of documents by id; gives the answer, whatever it is."""
    lines = [json.dumps(line) for id, document in documents.items() for line in ({action: {"_id": id}}, document)]
    headers = {"Content-Type": "application/x-ndjson"}
    return server.http.post(f"/{index}/_bulk", content="\n".join(lines) + "\n", headers=headers)


def statuses(answer: Any) -> list[int]:
    return [outcome["status"] for item in answer.json()["items"] for outcome in item.values()]


def test_opensearch_keeps_each_id_once_over_stop_and_kill(opensearch: OpenSearch) -> None:
    opensearch.make_index("kept", {"properties": {"n": {"type": "long"}}})
    answers = [bulk(opensearch, "kept", {"a": {"n": 1}, "b": {"n": 2}})]
    opensearch.stop()
    opensearch.start()
    answers.append(bulk(opensearch, "kept", {"b": {"n": 2}, "c": {"n": "no number"}, "d": {"n": 4}}))
    opensearch.kill()
    opensearch.start()

    assert [statuses(answer) for answer in answers] == [[201, 201], [409, 400, 201]]
    assert opensearch.ids("kept") == ["a", "b", "d"]
    assert sorted(hit["_source"]["n"] for hit in opensearch.documents("kept")) == [1, 2, 4]


def test_opensearch_gives_back_more_than_a_page(opensearch: OpenSearch) -> None:
    numbers = {str(number): {"n": number} for number in range(12_000)}
    assert set(statuses(bulk(opensearch, "many", numbers))) == {201}
    assert opensearch.ids("many") == sorted(numbers)


def test_opensearch_data_streams_and_blocks(opensearch: OpenSearch) -> None:
    opensearch.put_template("streams", "stream-*", data_stream=True)
    event = {"x": {"@timestamp": "2026-01-01T00:00:00Z"}}

    assert statuses(bulk(opensearch, "stream-a", event)) == [201]
    assert statuses(bulk(opensearch, "stream-a", event, action="index")) == [400]
    assert statuses(bulk(opensearch, "stream-a", {"y": {"no": "time"}})) == [400]
    opensearch.put_settings("stream-a", **{"index.blocks.write": True})
    assert statuses(bulk(opensearch, "stream-a", {"z": event["x"]})) == [403]
    opensearch.request("POST", "/stream-a/_rollover")
    assert statuses(bulk(opensearch, "stream-a", event)) == [201]
    assert opensearch.ids("stream-a") == ["x", "x"]  # unique in each index behind it, not in the stream


def test_opensearch_with_settings_of_its_own(start_server: Starter) -> None:
    server = start_server(OpenSearch, {"indexing_pressure.memory.limit": "20kb"})
    answer = bulk(server, "logs", {"a": {"message": "x" * 30_000}})
    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "rejected_execution_exception")
    assert statuses(bulk(server, "logs", {"a": {"message": "x"}})) == [201]


def test_s3_keeps_objects_and_uploads_over_stop_and_kill(s3_server: S3Server) -> None:
    bucket = s3_server.make_bucket()
    key = "day=2026-01-01/a b+c%é.ndjson"
    s3_server.client.put_object(Bucket=bucket, Key=key, Body=b"lines\n", IfNoneMatch="*", ChecksumAlgorithm="CRC32")
    upload = s3_server.client.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    s3_server.stop()
    s3_server.start()
    s3_server.kill()
    s3_server.start()

    assert s3_server.keys(bucket) == [key]
    assert s3_server.read(bucket, key) == b"lines\n"
    assert (
        s3_server.head(bucket, key)["ChecksumCRC32"]
        == base64.b64encode(zlib.crc32(b"lines\n").to_bytes(4, "big")).decode()
    )
    assert s3_server.uploads(bucket, "big") == [("big", upload)]
    s3_server.client.abort_multipart_upload(Bucket=bucket, Key="big", UploadId=upload)
    s3_server.delete(bucket, key)
    assert (s3_server.keys(bucket), s3_server.uploads(bucket, "big")) == ([], [])


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"IfNoneMatch": "*"}, "PreconditionFailed"),
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest|XAmzContentChecksumMismatch"),
        ({"ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"),
        ({"Bucket": "tests-no-such-bucket"}, "NoSuchBucket"),
    ],
)
def test_s3_refuses(s3_server: S3Server, options: dict[str, str], refusal: str) -> None:
    bucket = s3_server.make_bucket()
    s3_server.client.put_object(Bucket=bucket, Key="there", Body=b"old")
    with pytest.raises(ClientError) as raised:
        s3_server.client.put_object(**{"Bucket": bucket, "Key": "there", "Body": b"new", **options})
    assert re.fullmatch(refusal, raised.value.response["Error"]["Code"])
    assert s3_server.read(bucket, "there") == b"old"


def test_s3_refuses_what_is_not_signed(s3_server: S3Server) -> None:
    bucket = s3_server.make_bucket()
    assert s3_server.http.put(f"/{bucket}/key", content=b"x").status_code == 403
    assert s3_server.keys(bucket) == []


def test_victorialogs_keeps_events_over_a_stop(victorialogs: VictoriaLogs) -> None:
    line = {"_msg": "hello", "_time": "2026-01-01T00:00:00.123456789Z", "test": "kept", "n": 1}
    lines = json.dumps(line) + "\n"
    headers = {"Content-Type": "application/stream+json"}
    victorialogs.http.post("/insert/jsonline", content=lines, headers=headers).raise_for_status()
    before = victorialogs.query("test:kept")
    victorialogs.stop()
    victorialogs.start()

    expected = {"_msg": "hello", "_time": "2026-01-01T00:00:00.123456789Z", "test": "kept", "n": "1"}
    for events in (before, victorialogs.query("test:kept")):
        assert [event | expected for event in events] == events
        assert len(events) == 1


def test_victorialogs_speaks_bulk_and_loki(victorialogs: VictoriaLogs) -> None:
    document = {"message": "by bulk", "@timestamp": "2026-01-01T00:00:00Z"}
    body = "\n".join(map(json.dumps, [{"create": {}}, document])) + "\n"
    fields = {"_msg_field": "message", "_time_field": "@timestamp"}
    headers = {"Content-Type": "application/json"}
    answer = victorialogs.http.post("/insert/elasticsearch/_bulk", content=body, params=fields, headers=headers)
    assert statuses(answer) == [201]
    push = {"streams": [{"stream": {"app": "a"}, "values": [["1767225600000000000", "by loki", {"k": "v"}]]}]}
    assert victorialogs.http.post("/insert/loki/api/v1/push", json=push).status_code == 204

    assert [event["_msg"] for event in victorialogs.query('"by bulk"')] == ["by bulk"]
    assert [(event["app"], event["k"]) for event in victorialogs.query('"by loki"')] == [("a", "v")]


def test_loki_keeps_entries_over_a_stop(loki: Loki) -> None:
    now = time.time_ns()
    push = {"streams": [{"stream": {"test": "kept"}, "values": [[str(now), "hello"]]}]}
    tenant = {"X-Scope-OrgID": loki.tenant}
    assert loki.http.post("/loki/api/v1/push", json=push, headers=tenant).status_code == 204
    loki.stop()
    loki.start()
    streams = loki.query('{test="kept"}', now - 1, now + 1)
    assert [value[:2] for stream in streams for value in stream["values"]] == [[str(now), "hello"]]


def test_promtool_tells_good_rules_from_bad(promtool: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    codes = []
    for expression in ("up == 0", "up =="):
        rules.write_text(json.dumps({"groups": [{"name": "g", "rules": [{"alert": "a", "expr": expression}]}]}))
        codes.append(subprocess.run([promtool, "check", "rules", rules], capture_output=True).returncode)
    assert codes[0] == 0
    assert codes[1] != 0
