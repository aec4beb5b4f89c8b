"""Lines of container runtimes, taken apart."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.container_logs import MOST_TURNS, STREAMS, ContainerFormat, Cri, Docker, Run
from tests.container_files import FORMATS, Written, contents, cri, writings

SECOND_NS = 1_000_000_000
BEGAN_NS = 1_769_903_940 * SECOND_NS + SECOND_NS // 2
"""2026-01-31T23:59:00.5Z."""
READERS: dict[str, ContainerFormat] = {"cri": Cri(), "docker": Docker()}
each_format = pytest.mark.parametrize("name", FORMATS)


def runs(name: str, *written: Written) -> list[Run]:
    return list(READERS[name].runs(b"".join(map(FORMATS[name], written))))


def joined(found: list[Run]) -> dict[str, bytes]:
    return {name: b"".join(run.content for run in found if run.stream == name) for name in STREAMS}


@each_format
def test_lines_of_one_stream_and_second_are_one_run(name: str) -> None:
    written = [Written("stderr", b"one"), Written("stderr", b""), Written("stderr", b"par", ends=False)]
    block = b"".join(map(FORMATS[name], [*written, Written("stderr", b"tial")]))
    assert list(READERS[name].runs(block)) == [Run("stderr", b"one\n\npartial\n", 0, len(block), BEGAN_NS)]


@each_format
def test_a_second_that_goes_by_ends_a_run(name: str) -> None:
    found = runs(name, *(Written("stdout", b"%d" % second, second) for second in (1, 1, 2, 5, 5)))
    assert [(run.content, run.written_ns) for run in found] == [
        (b"1\n1\n", BEGAN_NS + SECOND_NS),
        (b"2\n", BEGAN_NS + 2 * SECOND_NS),
        (b"5\n5\n", BEGAN_NS + 5 * SECOND_NS),
    ]


@each_format
def test_streams_stay_in_order_as_long_as_they_do_not_take_turns_all_the_time(name: str) -> None:
    written = [Written(STREAMS[number % 2], b"%d" % number) for number in range(MOST_TURNS)]
    assert [run.content for run in runs(name, *written)] == [b"%d\n" % number for number in range(MOST_TURNS)]
    found = runs(name, *written, Written("stdout", b"last"))
    assert [run.stream for run in found] == ["stdout", "stderr"]
    assert found[0].content == b"0\n2\n4\n6\n8\n10\n12\n14\nlast\n"


@pytest.mark.slow
@each_format
@given(written=writings())
def test_runs_hold_all_and_say_where_it_stands(name: str, written: list[Written]) -> None:
    lines = list(map(FORMATS[name], written))
    found = list(READERS[name].runs(b"".join(lines))) if lines else []
    assert joined(found) == contents(written)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    for run in found:
        assert {run.start, run.end} <= set(starts)
        if not run.content.endswith(b"\n"):
            assert starts.index(run.end) == starts.index(run.start) + 1
    ends = {name: [run.end for run in found if run.stream == name] for name in STREAMS}
    assert all(places == sorted(places) for places in ends.values())


@pytest.mark.slow
@each_format
@given(data=st.data(), written=writings(10))
def test_what_was_read_before_can_be_left_out(name: str, data: st.DataObject, written: list[Written]) -> None:
    lines = list(map(FORMATS[name], written))
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    skip = {stream: data.draw(st.sampled_from(starts)) for stream in STREAMS}
    found = list(READERS[name].runs(b"".join(lines), skip)) if lines else []
    left = [one for one, start in zip(written, starts, strict=False) if start >= skip[one.stream]]
    assert joined(found) == contents(left)


@pytest.mark.parametrize(
    ("line", "stream", "content"),
    [
        (b"2026-01-31T23:59:00Z stderr F", "stderr", b"\n"),
        (b"2026-01-31T23:59:00Z stderr F:more x", "stderr", b"x\n"),
        (b"2026-01-31T23:59:00Z stderr P:more x", "stderr", b"x"),
        (b"2026-01-31T23:59:00+01:00 stderr F  x ", "stderr", b" x \n"),
        (b"2026-01-31T23:59:00Z stdin F x", "stdout", b"2026-01-31T23:59:00Z stdin F x\n"),
        (b"2026-01-31T23:59:00Z stderr X x", "stdout", b"2026-01-31T23:59:00Z stderr X x\n"),
        (b"anything at all", "stdout", b"anything at all\n"),
        (b"", "stdout", b"\n"),
    ],
)
@pytest.mark.parametrize("beside", [b"", b"2026-01-31T23:59:00Z stderr F y\n"])
def test_odd_lines_of_cri(line: bytes, stream: str, content: bytes, beside: bytes) -> None:
    found = list(Cri().runs(beside + line + b"\n"))
    expected = {"stdout": b"", "stderr": b"y\n" if beside else b""}
    expected[stream] += content
    assert joined(found) == expected


@pytest.mark.parametrize(
    ("line", "stream", "content"),
    [
        (b'{"log":"x\\n","stream":"stderr","time":"no"}', "stderr", b"x\n"),
        (b'{"log":"x\\n","stream":"stderr","attrs":{"a":"b"}}', "stderr", b"x\n"),
        (b'{"log":"x\\n","stream":"other"}', "stdout", b"x\n"),
        (b'{"log":"a\\nb"}', "stdout", b"a\nb"),
        (b'{"log":5}', "stdout", b'{"log":5}\n'),
        (b'{"log":"cut', "stdout", b'{"log":"cut\n'),
        (b'\xff{"log":"', "stdout", b'\xff{"log":"\n'),
        (b"[" * 2000, "stdout", b"[" * 2000 + b"\n"),
        (b"", "stdout", b"\n"),
    ],
)
def test_odd_lines_of_docker(line: bytes, stream: str, content: bytes) -> None:
    beside = json.dumps({"log": "y\n", "stream": stream}).encode() + b"\n"
    assert joined(list(Docker().runs(beside + line + b"\n")))[stream] == b"y\n" + content


def test_a_time_that_is_none_is_not_told() -> None:
    assert [run.written_ns for run in Cri().runs(b"now stdout F x\n")] == [None]


@given(st.binary(max_size=100))
def test_whatever_the_bytes_nothing_is_lost(line: bytes) -> None:
    line = line.replace(b"\n", b"")
    for reader in READERS.values():
        (run,) = reader.runs(line + b"\n")
        assert line.endswith(run.content.removesuffix(b"\n")) or reader is READERS["docker"]


def test_times_that_go_back_lose_nothing() -> None:
    written = [Written("stdout", b"%d" % number, second) for number, second in enumerate((9, 3, 9, 1, 1, 7, 0))]
    assert b"".join(run.content for run in Cri().runs(b"".join(map(cri, written)))) == b"0\n1\n2\n3\n4\n5\n6\n"
