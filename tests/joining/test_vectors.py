"""Tracebacks of eight languages, with neighbouring lines: one event each, none merged, none split."""

from __future__ import annotations

import pytest

from logrouter.joining.languages import LANGUAGES
from logrouter.joining.tracebacks import TracebackJoiner, tells_of_trouble
from tests.joining.vectors import VECTORS, Vector

_NEIGHBOURS = {
    "python": b"2026-11-29 10:00:00,123 INFO app.views: served /a in 12 ms",
    "basicConfig": b"DEBUG:app.views:served /a",
    "uvicorn": b'INFO:     127.0.0.1:1234 - "GET / HTTP/1.1" 200 OK',
    "java": b"10:00:00.123 [main] INFO  com.example.App - served /a",
    "go": b"2026/11/29 10:00:00 served /a",
    "logfmt": b'time=2026-11-29T10:00:00Z level=info msg="served /a"',
    "node": b"[2026-11-29T10:00:00.123Z] info: served /a",
    "ruby": b"I, [2026-11-29T10:00:00.123456 #12]  INFO -- : served /a",
    "klog": b"I1129 10:00:00.123456       1 server.go:12] served /a",
    "json": b'{"level":"info","message":"served /a"}',
    "bare": b"served /a: it took 12 ms",
    "access": b'127.0.0.1 - - [29/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12',
    "rust": b"[2026-11-29T10:00:00Z INFO  app] served /a",
    "nothing": b"",
}
_AUTO = TracebackJoiner(LANGUAGES)
_ALONE = {name: TracebackJoiner([name]) for name in LANGUAGES}


def test_there_are_many() -> None:
    assert len(VECTORS) * len(_NEIGHBOURS) > 500
    assert not any(map(tells_of_trouble, _NEIGHBOURS.values()))


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.title for vector in VECTORS])
def test_each_is_one_event_between_any_neighbours(vector: Vector) -> None:
    for neighbour in _NEIGHBOURS.values():
        text = neighbour + b"\n" + vector.text + neighbour + b"\n"
        assert _AUTO.split(text) == [neighbour, *vector.events, neighbour]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.title for vector in VECTORS])
def test_its_own_language_is_enough(vector: Vector) -> None:
    language = vector.title.partition(":")[0]
    assert _ALONE[language].split(vector.text) == list(vector.events)
