"""The framing of containers' files: the same lines however it is read, each once over crashes, none lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from logrouter.container_logs import STREAMS, Cri, Docker
from logrouter.event import Attributes, Flag
from logrouter.framing import LineFraming
from logrouter.joining import JoiningFraming
from logrouter.joining.own import PatternJoiner
from logrouter.rules.bounded import Condition
from logrouter.runtime.tailing import Part, Start, Treatment
from logrouter.runtime.tailing.containers import JOINED_SECONDS, LAG_BYTES, LEAST_HELD_BYTES, ContainerFraming
from tests.container_files import FORMATS, Written, contents, cri, docker, writings
from tests.runtime.tailing.following import Emitted, append, following
from tests.strategies import chunked

MAX_LINE_BYTES = 64
JOINER = PatternJoiner("continue", Condition("^[a-m\\s]"))
READERS = {"cri": Cri(), "docker": Docker()}
each_format = pytest.mark.parametrize("name", FORMATS)
Line = tuple[bytes, int]
"""And its mark."""


def framing(name: str = "cri", starts: Mapping[str, Start] | None = None, **limits: int) -> ContainerFraming:
    joins = partial(JoiningFraming, MAX_LINE_BYTES, JOINER) if "joins" in limits else None
    made = ContainerFraming(READERS[name], limits.get("max_line_bytes", MAX_LINE_BYTES), starts or {}, joins)
    if "most_held_bytes" in limits:
        made._most_held_bytes = limits["most_held_bytes"]
    return made


def lines_of(parts: Sequence[Part]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {name: [] for name in STREAMS}
    for part in parts:
        assert part.frame.block == b"\n".join(part.frame.lines)
        found[part.stream] += [(line, part.frame.marks.get(number, 0)) for number, line in enumerate(part.frame.lines)]
    return found


def expected(
    written: Sequence[Written], max_line_bytes: int = MAX_LINE_BYTES, *, joins: bool = False
) -> dict[str, list[Line]]:
    """What the framing of plain lines makes of what came to each stream."""
    found: dict[str, list[Line]] = {}
    for name, content in contents(written).items():
        plain = JoiningFraming(max_line_bytes, JOINER) if joins else LineFraming(max_line_bytes)
        parts = [Part(frame, stream=name) for frame in (plain.feed(content), plain.finish())]
        found[name] = lines_of(parts)[name]
    return found


@pytest.mark.slow
@each_format
@given(data=st.data(), written=writings())
def test_any_cut_gives_the_same_lines(name: str, data: st.DataObject, written: list[Written]) -> None:
    whole = b"".join(map(FORMATS[name], written))
    reading = framing(name)
    parts = [part for piece in data.draw(chunked(whole)) for part in reading.feed(piece)]
    parts += reading.finish()
    assert lines_of(parts) == expected(written)
    assert sum(part.frame.read_bytes for part in parts) == len(whole) or not parts


class File:
    """Reads one again and again, each time from where all that was given out ends."""

    def __init__(self, name: str, whole: bytes, **limits: int) -> None:
        self.lines: dict[str, list[Line]] = {stream: [] for stream in STREAMS}
        self._name = name
        self._whole = whole
        self._limits = limits
        self._places = dict.fromkeys(STREAMS, (0, b""))

    def read(self, pieces: Sequence[int], parts_left: int | None = None) -> None:
        """Read in pieces of these lengths; killed after so many parts. None: to the end."""
        begin = min(place for place, _ in self._places.values())
        starts = {name: Start(place - begin, memo) for name, (place, memo) in self._places.items()}
        reading = framing(self._name, starts, **self._limits)
        read_to = begin
        for length in pieces:
            data = self._whole[read_to : read_to + length]
            read_to += len(data)
            for part in reading.feed(data) if data else ():
                if parts_left == 0:
                    return
                parts_left = None if parts_left is None else parts_left - 1
                self._take(part, read_to)
        if parts_left is None:
            for part in reading.finish():
                self._take(part, read_to)

    def _take(self, part: Part, read_to: int) -> None:
        self.lines[part.stream] += lines_of([part])[part.stream]
        self._places[part.stream] = read_to - part.held_bytes, part.memo


@pytest.mark.slow
@each_format
@given(data=st.data(), written=writings(), lives=st.lists(st.integers(0, 12), max_size=4))
def test_killed_at_any_part_each_line_is_given_once(
    name: str, data: st.DataObject, written: list[Written], lives: list[int]
) -> None:
    whole = b"".join(map(FORMATS[name], written))
    limit = data.draw(st.sampled_from([40, 150, 10_000]))
    file = File(name, whole, most_held_bytes=limit if name == "cri" else 10_000)
    for parts in lives:
        file.read([data.draw(st.integers(1, 400)) for _ in range(6)], parts)
    file.read([len(whole)])
    assert file.lines == expected(written)


@pytest.mark.slow
@each_format
@given(data=st.data(), written=writings(), lives=st.lists(st.integers(0, 12), max_size=4))
def test_killed_at_any_part_each_event_of_several_lines_is_given_once(
    name: str, data: st.DataObject, written: list[Written], lives: list[int]
) -> None:
    whole = b"".join(map(FORMATS[name], written))
    file = File(name, whole, most_held_bytes=10_000, joins=1)
    for parts in lives:
        file.read([data.draw(st.integers(1, 400)) for _ in range(6)], parts)
    file.read([len(whole)])
    assert file.lines == expected(written, joins=True)


def test_parts_are_in_the_order_of_the_file() -> None:
    written = [Written("stdout", b"1"), Written("stderr", b"2"), Written("stdout", b"3")]
    parts = framing().feed(b"".join(map(cri, written)))
    assert [(part.stream, part.frame.lines) for part in parts] == [
        ("stdout", [b"1"]),
        ("stderr", [b"2"]),
        ("stdout", [b"3"]),
    ]
    assert [part.held_bytes for part in parts] == [2 * len(cri(written[0])), len(cri(written[0])), 0]


def test_when_the_runtime_wrote_a_line_is_told() -> None:
    (part,) = framing().feed(cri(Written("stdout", b"1", second=7)))
    assert part.frame.written_ns == 1_769_903_947_500_000_000


def test_a_line_in_parts_begins_where_its_first_does() -> None:
    reading = framing()
    first, other, last = Written("stdout", b"a", ends=False), Written("stderr", b"b"), Written("stdout", b"c")
    (part,) = reading.feed(cri(first) + cri(other))
    assert (part.stream, part.held_bytes) == ("stderr", 0)
    assert reading.is_joining
    (part,) = reading.feed(cri(last))
    assert (part.stream, part.frame.lines, part.held_bytes) == ("stdout", [b"ac"], 0)
    assert not reading.is_joining


@each_format
def test_last_words_are_given_out_when_nothing_more_comes(name: str) -> None:
    reading = framing(name)
    assert reading.feed(FORMATS[name](Written("stderr", b"panic: no", ends=False)) + b"unfinished") == []
    (part,) = reading.flush()
    assert (part.stream, part.frame.lines, part.held_bytes) == ("stderr", [b"panic: no"], len(b"unfinished"))
    assert not reading.is_joining
    assert reading.flush() == []


def test_a_line_that_is_cut_goes_on_in_the_midst_of_a_part() -> None:
    """The place is that of the part, and the memo tells how much of it was given out."""
    reading = framing()
    (part,) = reading.feed(cri(Written("stdout", b"x" * 100, ends=False)))
    assert (part.frame.lines, part.frame.marks) == ([b"x" * 64], {0: Flag.PARTIAL_START})
    assert (part.held_bytes, part.memo) == (len(cri(Written("stdout", b"x" * 100))), b"64+")


def test_read_again_in_other_pieces_and_killed_again_it_still_goes_on_there() -> None:
    whole = cri(Written("stdout", b"x" * 300))
    file = File("cri", whole, most_held_bytes=40)
    file.read([len(whole) - 1], parts_left=1)
    for _ in range(3):
        file.read([50], parts_left=1)  # of what has been given out
    file.read([len(whole)])
    assert file.lines == expected([Written("stdout", b"x" * 300)])


@pytest.mark.parametrize("tag", [b"F", b"P"])
def test_a_line_of_the_file_without_end_is_given_out_as_it_comes(tag: bytes) -> None:
    """containerd's `max_container_log_line_size: -1` cuts none."""
    reading = framing(max_line_bytes=1000)
    head = b"2026-01-31T23:59:00Z stderr %s " % tag
    found = lines_of(reading.feed(head + b"x" * (LEAST_HELD_BYTES + 1)))["stderr"]
    for _ in range(5):
        found += lines_of(reading.feed(b"x" * 300_000))["stderr"]
        assert len(reading._unfinished) <= LEAST_HELD_BYTES
    rest = reading.feed(b"\n" + cri(Written("stderr", b"end")) + cri(Written("stdout", b"other")))
    assert lines_of(rest)["stdout"] == [(b"other", 0)]
    found += lines_of(rest)["stderr"]
    whole = b"".join(line for line, _ in found)
    assert whole == b"x" * (LEAST_HELD_BYTES + 1 + 5 * 300_000) + b"end"
    assert [mark for line, mark in found if line.endswith(b"end")] == [Flag.PARTIAL_END if tag == b"P" else 0]


def test_a_stream_in_which_nothing_comes_is_told_of_now_and_then() -> None:
    reading = framing()
    block = cri(Written("stdout", b"x" * 60)) * 1000
    told = [part for _ in range(40) for part in reading.feed(block) if part.stream == "stderr"]
    assert len(told) == 40 // (LAG_BYTES // len(block) + 1)
    assert {(part.frame.lines == [], part.held_bytes) for part in told} == {(True, 0)}


@pytest.mark.slow
@given(st.data(), st.binary(max_size=300))
def test_whatever_the_bytes_it_does_not_matter_how_they_are_cut(data: st.DataObject, whole: bytes) -> None:
    for name in FORMATS:
        at_once, in_pieces = framing(name), framing(name)
        expected_parts = [*at_once.feed(whole), *at_once.finish()]
        parts = [part for piece in data.draw(chunked(whole)) for part in in_pieces.feed(piece)]
        assert lines_of([*parts, *in_pieces.finish()]) == lines_of(expected_parts)


def test_docker_writes_in_parts_too() -> None:
    written = [Written("stdout", b"a", ends=False), Written("stdout", b"b")]
    (part,) = framing("docker").feed(b"".join(map(docker, written)))
    assert part.frame.lines == [b"ab"]


# ── followed ──


class Containers(Treatment):
    """Files of containers."""

    def streams_of(self, path: str) -> Mapping[str, Attributes]:
        return {name: {"file": f"{path} {name}"} for name in STREAMS}

    def framing_of(self, path: str, starts: Mapping[str, Start]) -> ContainerFraming:
        return framing("cri", starts)


async def test_last_words_wait_five_seconds(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(cri(Written("stdout", b"one")) + cri(Written("stderr", b"panic", ends=False)))
    emitted = Emitted()
    async with following(tmp_path, emitted, treatment=Containers()):
        await trio.sleep(JOINED_SECONDS - 2)
        append(path, cri(Written("stdout", b"two")))
        await trio.sleep(JOINED_SECONDS - 1)
        assert emitted.lines == [b"one", b"two"]
        await trio.sleep(2)
        assert emitted.lines == [b"one", b"two", b"panic"]
        append(path, cri(Written("stderr", b"ed")))
        await trio.sleep(2)
    assert emitted.by_file == {"0.log stdout": [b"one", b"two"], "0.log stderr": [b"panic", b"ed"]}


async def test_what_is_joined_goes_on_over_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(cri(Written("stderr", b"be", ends=False)) + cri(Written("stdout", b"one")))
    emitted = Emitted()
    async with following(tmp_path, emitted, treatment=Containers()):
        pass
    append(path, cri(Written("stdout", b"two")) + cri(Written("stderr", b"gun")))
    async with following(tmp_path, emitted, treatment=Containers()):
        pass
    assert emitted.by_file == {"0.log stdout": [b"one", b"two"], "0.log stderr": [b"begun"]}


async def test_rotated_away_what_is_joined_goes_on_in_no_other_file(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(cri(Written("stderr", b"cut", ends=False)) + b"unfinished")
    emitted = Emitted()
    async with following(tmp_path, emitted, treatment=Containers()):
        path.unlink()
        await trio.sleep(1000)
    assert emitted.by_file == {"0.log stderr": [b"cut"], "0.log stdout": [b"unfinished"]}
    assert [key for key in emitted.positions if "/" in key] == []
