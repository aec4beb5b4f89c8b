"""What sinks over HTTP are compared with: the shipper that a good engineer writes in twenty lines, one for each.

    cat app.log | python shipping_yardstick.py NAME PORT

It promises nothing: one request after the other, no retry, no memory of what has arrived. It is only quick.
"""

from __future__ import annotations

import gzip
import http.client
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import count, islice

import orjson
from backports import zstd

LINES = sys.stdin.buffer
BATCH_EVENTS = 5_000
OBJECT_BYTES = 8 * 1024 * 1024
JSON = {"Content-Type": "application/json"}
GZIP = {**JSON, "Content-Encoding": "gzip"}


def batches() -> Iterator[list[bytes]]:
    while batch := list(islice(LINES, BATCH_EVENTS)):
        yield batch


def sent(server: http.client.HTTPConnection, method: str, target: str, body: bytes, headers: dict[str, str]) -> bytes:
    server.request(method, target, body, headers)
    response = server.getresponse()
    assert response.status < 300, response.status
    return response.read()


def elasticsearch(server: http.client.HTTPConnection, *, ids: bool = False) -> None:
    numbers = count()
    for batch in batches():
        pieces = []
        for line in batch:
            event = orjson.loads(line)
            event["@timestamp"] = event["time"]
            pieces.append(b'{"create":{"_id":"a%d"}}' % next(numbers) if ids else b'{"create":{}}')
            pieces.append(orjson.dumps(event))
        body = gzip.compress(b"\n".join(pieces) + b"\n", 1)
        answer = orjson.loads(sent(server, "POST", "/app/_bulk?filter_path=errors,items.*.status", body, GZIP))
        assert not answer["errors"]


def elasticsearch_ids(server: http.client.HTTPConnection) -> None:
    elasticsearch(server, ids=True)


def loki(server: http.client.HTTPConnection) -> None:
    """As JSON, not compressed: so Fluent Bit does it."""
    for batch in batches():
        streams: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for line in batch:
            event = orjson.loads(line)
            moment = datetime.fromisoformat(event["time"])
            entry = f"{int(moment.timestamp() * 1000)}000000", line[:-1].decode()
            streams.setdefault((event["service"], event["level"]), []).append(entry)
        pushed = [{"stream": {"app": app, "level": level}, "values": some} for (app, level), some in streams.items()]
        sent(server, "POST", "/loki/api/v1/push", orjson.dumps({"streams": pushed}), JSON)


def s3(server: http.client.HTTPConnection) -> None:
    """In its own order, and unsigned."""
    numbers, size, compressor, pieces = count(), 0, zstd.ZstdCompressor(3), []
    for line in LINES:
        orjson.loads(line)
        pieces.append(compressor.compress(line))
        size += len(pieces[-1])
        if size >= OBJECT_BYTES:
            sent(server, "PUT", f"/logs/{next(numbers)}", b"".join((*pieces, compressor.flush())), {})
            size, compressor, pieces = 0, zstd.ZstdCompressor(3), []
    sent(server, "PUT", f"/logs/{next(numbers)}", b"".join((*pieces, compressor.flush())), {})


if __name__ == "__main__":
    {"elasticsearch": elasticsearch, "elasticsearch-ids": elasticsearch_ids, "loki": loki, "s3": s3}[sys.argv[1]](
        http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))
    )
