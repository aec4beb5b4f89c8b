"""Tracebacks of eight languages, with neighbouring lines: one event each, none merged, none split."""

from __future__ import annotations

import pytest

from logrouter.joining import JoiningFraming
from logrouter.joining.languages import LANGUAGES
from logrouter.joining.tracebacks import TracebackJoiner, tells_of_trouble
from logrouter.parsers._raised import raised_in
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
_SPLIT = {"python: notes, logged", "python: notes, uncaught"}
"""What nobody could tell from other lines when it came: the notes of an exception."""
vectors = pytest.mark.parametrize("vector", VECTORS, ids=[vector.title for vector in VECTORS])


def test_there_are_many() -> None:
    assert len(VECTORS) > 800
    assert {vector.title.partition(":")[0] for vector in VECTORS} == set(LANGUAGES)
    assert not any(map(tells_of_trouble, _NEIGHBOURS.values()))


@vectors
def test_each_is_one_event_between_any_neighbours(vector: Vector) -> None:
    for neighbour in _NEIGHBOURS.values():
        text = neighbour + b"\n" + vector.text + neighbour + b"\n"
        assert (_AUTO.split(b"\n" + text) == [neighbour, *vector.events, neighbour]) == (vector.title not in _SPLIT)


@vectors
def test_its_own_language_is_enough(vector: Vector) -> None:
    language = vector.title.partition(":")[0]
    assert (_ALONE[language].split(b"\n" + vector.text) == list(vector.events)) == (vector.title not in _SPLIT)


@pytest.mark.parametrize("name", [*LANGUAGES, "auto"])
def test_of_a_log_that_holds_them_all_each_is_one_event(name: str) -> None:
    some = [v for v in VECTORS if name in ("auto", v.title.partition(":")[0]) and v.title not in _SPLIT]
    events = []
    for vector, neighbour in zip(some, [n for n in _NEIGHBOURS.values() if n] * len(some), strict=False):
        events += [*vector.events, neighbour]
    joiner = _AUTO if name == "auto" else _ALONE[name]
    assert joiner.split(b"\n".join([b"", *events, b""])) == events


@pytest.mark.slow
@vectors
def test_whatever_is_read_at_once(vector: Vector) -> None:
    neighbours = _NEIGHBOURS["json"], _NEIGHBOURS["access"]
    text = neighbours[0] + b"\n" + vector.text + neighbours[1] + b"\n"
    events = [event for event in _AUTO.split(b"\n" + text) if event]
    for cut in range(1, len(text)) if len(text) < 3000 else range(1, len(text), 7):
        framing = JoiningFraming(1 << 20, _AUTO)
        assert framing.feed(text[:cut]).lines + framing.feed(text[cut:]).lines + framing.finish().lines == events


@vectors
def test_which_exception_it_is(vector: Vector) -> None:
    for number, expected in vector.raised.items():
        raised = raised_in(vector.events[number].decode())
        assert raised is not None
        assert [raised.type, raised.message] == expected


def test_nearly_all_name_their_exception() -> None:
    """Of what programs were made to write."""
    untold = {vector.title for vector in VECTORS if vector.is_made and not vector.raised}
    assert untold <= _SPLIT | {"java: own toString, uncaught", "java: own toString, logged"}


@pytest.mark.parametrize(
    ("lines", "first_of_the_last"),
    [
        (["an error happened", "quiet, as it says", "\tat a.b(C.java:1)"], 0),
        (["failed: Error: first", "second", "third", "    at a (b.js:1:2)"], 0),
        (["failed: Error: first", "second", "third", "4", "    at a (b.js:1:2)"], 3),  # as a line with its time is
        (["failed: Error: first", "2", "third", "    at a (b.js:1:2)"], 2),
        (["failed: Error: first", "", "third", "    at a (b.js:1:2)"], 2),
        (["failed: Error: first", "b", "c", "d", "e", "    at a (b.js:1:2)"], 4),
        (["request failed", "second", "third", "    at a (b.js:1:2)"], 2),  # no exception is named
        (["failed: Error: first", "failed: Error: second", "    at a (b.js:1:2)"], 1),
        (["an error happened", "INFO served", "    at a (b.js:1:2)"], 1),
        (["an error happened", "I, [2026-11-29T10:00:00.1 #1]  INFO -- : x", "a.rb:1:in `b'"], 1),
        (['{"level":"error"}', "quiet, as it says", "\tat a.b(C.java:1)"], 1),
        (["no trouble", "quiet, as it says", "\tat a.b(C.java:1)"], 1),
        (["E, [2026-11-29T10:00:00.1 #1] ERROR -- : first", "second (Own)", "a.rb:1:in `b'"], 0),
        (["E, [2026-11-29T10:00:00.1 #1] ERROR -- : first", "second (OwnError)", "a.rb:1:in `b'"], 0),
        (["an error happened", "served", "main.run()", "\t/app/a.go:1"], 1),
    ],
)
def test_a_message_that_began_within_a_log_line_is_joined_to_it(lines: list[str], first_of_the_last: int) -> None:
    raw = [line.encode() for line in lines]
    last = b"\n".join(raw[first_of_the_last:])
    assert _AUTO.split(b"\n".join([b"", *raw, b""])) == [*raw[:first_of_the_last], last]
