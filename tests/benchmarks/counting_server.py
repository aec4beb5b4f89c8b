"""A destination that takes everything and counts it: `counting_server.py`, a process of its own.

It plays as much of Elasticsearch's bulk, Loki's push, S3 and a plain endpoint as a sink needs to be content. It prints
its port, and for `GET /counts` answers what has come: events, requests, bytes, and how late events were that say in
`sent` when they left (seconds of the monotonic clock, which all processes of a machine share).
"""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from typing import Any

import orjson
from backports import zstd
from cramjam import snappy

HEAD_BYTES = 64 * 1024
_SENT = re.compile(rb'"sent":([0-9.]+)')
_UPLOAD = b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
_COMPLETED = b'<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>'


class Counts:
    """What has come so far."""

    def __init__(self) -> None:
        self.events = 0
        self.requests = 0
        self.bytes = 0
        self.objects: list[int] = []
        """Sizes of what was stored by PUT."""
        self.late: list[float] = []
        """Seconds, of each event that says when it left."""

    def take(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Count a request. Gives status, headers and body of the answer."""
        if target == "/counts":
            told = {**vars(self), "late": sorted(self.late)}
            self.__init__()  # type: ignore[misc]  # each asks for what has come since
            return 200, {}, orjson.dumps(told)
        self.requests += 1
        self.bytes += len(body)
        if target.startswith("/loki/"):
            if headers.get("content-type", "").startswith("application/json"):  # as others push
                self.events += sum(len(stream["values"]) for stream in orjson.loads(body)["streams"])
            else:
                self.events += entries_in(bytes(snappy.decompress_raw(body)))
            return 204, {}, b""
        if "/_bulk" in target:
            data = zlib.decompress(body, 31) if headers.get("content-encoding") == "gzip" else body
            lines = data.split(b"\n")[1::2]
            self._look(lines)
            items = b",".join([b'{"create":{"status":201}}'] * len(lines))
            answer = b'{"errors":false,"items":[%b]}' % items
            if "gzip" not in headers.get("accept-encoding", ""):
                return 200, {"Content-Type": "application/json"}, answer
            return 200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, _gzipped(answer)
        if method == "PUT":
            self.objects.append(len(body))
            self.events += zstd.decompress(body).count(b"\n")
            return 200, {"ETag": '"e"'}, b""
        if method == "POST" and "uploads" in target:
            return 200, {"Content-Type": "application/xml"}, _UPLOAD
        return 200, {"Content-Type": "application/xml"}, _COMPLETED

    def _look(self, lines: list[bytes]) -> None:
        now = time.monotonic()
        self.events += len(lines)
        self.late += [now - float(found[1]) for line in lines if (found := _SENT.search(line))]


def _gzipped(answer: bytes) -> bytes:
    """As Elasticsearch and OpenSearch compress what they answer (`http.compression_level`: 3)."""
    compressor = zlib.compressobj(3, zlib.DEFLATED, 31)
    return compressor.compress(answer) + compressor.flush()


def entries_in(push: bytes) -> int:
    """How many entries a Loki PushRequest holds: field 2 of each stream, which is field 1."""
    entries = 0
    for stream in fields(push, 0, len(push)):
        entries += sum(1 for number, _, _ in _walk(push, *stream[1:]) if number == 2)
    return entries


def fields(data: bytes, start: int, end: int) -> list[tuple[int, int, int]]:
    return list(_walk(data, start, end))


def _walk(data: bytes, start: int, end: int) -> Any:
    """Number, start and end of each length-delimited field."""
    while start < end:
        key, start = _varint(data, start)
        length, start = _varint(data, start)
        assert key & 7 == 2, "only fields with a length are expected here"
        yield key >> 3, start, start + length
        start += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


async def serve(counts: Counts, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, until the client closes it."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            if headers.get("expect") == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            status, answered, content = counts.take(method, target, headers, body)
            lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {len(content)}"]
            lines += [f"{name}: {value}" for name, value in answered.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + content)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    counts = Counts()
    server = await asyncio.start_server(
        lambda reader, writer: serve(counts, reader, writer), "127.0.0.1", 0, limit=HEAD_BYTES
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
