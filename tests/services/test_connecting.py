"""`logrouter check --connect` against real servers: what it says of what is right and of what is wrong."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from tests.e2e.processes import Workplace
from tests.services.loki import Loki
from tests.services.opensearch import OpenSearch
from tests.services.s3 import S3Server
from tests.services.server import free_port
from tests.services.victorialogs import VictoriaLogs


def connect(workplace: Workplace, **sinks: dict[str, Any]) -> tuple[int, dict[str, str]]:
    """The exit code, and what is said of each sink."""
    workplace.write("logrouter.yaml", json.dumps({"sinks": sinks}))
    done = workplace.route(b"", "check", "--connect")
    lines = [line for line in (done.stdout + done.stderr).decode().splitlines() if line.startswith("sinks.")]
    said = dict(line.removeprefix("sinks.").split(": ", 1) for line in lines)
    assert len(said) == len(lines) == len(sinks)
    return done.returncode, said


def test_what_is_right(
    workplace: Workplace, opensearch: OpenSearch, s3_server: S3Server, victorialogs: VictoriaLogs
) -> None:
    archive = to(s3_server)
    code, said = connect(
        workplace,
        search={"type": "elasticsearch", "url": opensearch.url},
        archive=archive,
        lines={"type": "http", "url": f"{victorialogs.url}/insert/jsonline"},
        loki={"type": "loki", "url": f"{victorialogs.url}/insert/loki/api/v1/push"},
        bulk={"type": "elasticsearch", "url": f"{victorialogs.url}/insert/elasticsearch"},
    )
    assert (code, set(said.values())) == (0, {"it answers, and nothing is wrong as far as it tells"})
    bucket = archive["bucket"]
    assert "Uploads" not in s3_server.client.list_multipart_uploads(Bucket=bucket)
    assert "Contents" not in s3_server.client.list_objects_v2(Bucket=bucket)


def test_loki_with_and_without_a_tenant(workplace: Workplace, loki: Loki) -> None:
    lines = {"type": "loki", "url": loki.url}
    code, said = connect(workplace, right={**lines, "tenant": loki.tenant}, nobody=lines)
    assert code == 69
    assert said == {
        "right": "it answers, and nothing is wrong as far as it tells",
        "nobody": "POST /loki/api/v1/push is answered by 401: no org id",
    }
    code, said = connect(workplace, elsewhere={**lines, "url": f"{loki.url}/nowhere", "tenant": loki.tenant})
    assert (code, said) == (69, {"elsewhere": "POST /loki/api/v1/push is answered by 404: 404 page not found"})


def test_what_is_wrong(workplace: Workplace, opensearch: OpenSearch, s3_server: S3Server) -> None:
    """It asks each, and says of each what to do about it."""
    closed = free_port()
    there, elsewhere = (f"{name}-{uuid.uuid4().hex[:12]}" for name in ("connect-stream", "connect-other"))
    opensearch.put_template("connect", "connect-stream*", data_stream=True)
    opensearch.request("PUT", f"/_data_stream/{there}")
    elasticsearch = {"type": "elasticsearch", "url": opensearch.url}
    code, said = connect(
        workplace,
        down={"type": "elasticsearch", "url": f"http://127.0.0.1:{closed}"},
        nowhere={"type": "loki", "url": "http://no-such-host.invalid:3100"},
        no_stream={**elasticsearch, "index": elsewhere, "data_stream": True},
        stream={**elasticsearch, "index": there},
        no_post={"type": "http", "url": opensearch.url},
        no_bucket=to(s3_server, bucket="tests-no-such-bucket"),
        secret=to(s3_server, secret_access_key="wrong"),
        key=to(s3_server, access_key_id="nobody"),
        region=to(s3_server, region="eu-north-1"),
    )
    assert code == 69
    assert said["down"] == f"cannot connect to 127.0.0.1:{closed}: connection refused"
    assert said["nowhere"].startswith("cannot connect to no-such-host.invalid:3100: the name is not known")
    assert said["no_stream"].startswith(f"there is no data stream {elsewhere}, and no index template")
    assert said["stream"] == f"{there} is a data stream: set data_stream: true"
    assert said["no_post"] == "POST is not what it takes (HTTP 405): set method"
    assert said["no_bucket"].startswith("bucket tests-no-such-bucket: HTTP 404 NoSuchBucket: ")
    assert "the secret access key is wrong" in said["secret"]
    assert re.search("InvalidAccessKeyId|XAdminUserNotFound", said["key"])  # the latter is versitygw's word for it
    assert said["region"].endswith("the bucket is in the region us-east-1: write region: us-east-1")


def to(server: S3Server, **options: str) -> dict[str, Any]:
    """A bucket that is there, unless the options say otherwise."""
    keys = {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
    bucket = {} if "bucket" in options else {"bucket": server.make_bucket()}
    return {"type": "s3", "endpoint": server.url, **keys, **bucket, **options}
