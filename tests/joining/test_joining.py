"""Joining: the same events however the stream is cut, and nothing lost, whatever the lines."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import joining
from logrouter.event import Flag
from logrouter.framing import Frame
from logrouter.joining import IN_EVENT, Joiner, JoiningFraming, tracebacks
from logrouter.joining.languages import LANGUAGES
from logrouter.joining.own import PatternJoiner
from logrouter.joining.tracebacks import TracebackJoiner, expression_of
from logrouter.rules.bounded import Condition
from tests.joining.vectors import VECTORS
from tests.strategies import chunked

AUTO = TracebackJoiner(LANGUAGES)
JOINERS: list[Joiner] = [
    AUTO,
    *(TracebackJoiner([name]) for name in LANGUAGES),
    *(PatternJoiner(kind, Condition(text)) for kind in ("start", "continue", "end") for text in (r"^\S", "er", "^$")),
]


def careful_joiner() -> TracebackJoiner:
    """One that knows nothing of what is usual, and of no word that nothing begins with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracebacks, "_WORD", b"(?!)")
        patch.setattr(tracebacks, "LANGUAGES", {name: known._replace(usual=b"") for name, known in LANGUAGES.items()})
        return TracebackJoiner(LANGUAGES)


CAREFUL = careful_joiner()
_LINES = sorted({line for vector in VECTORS for line in vector.text.split(b"\n")})
_LINE = st.one_of(
    st.sampled_from([b"", b"an error", b"no trouble", b"2026 INFO", b'{"a":1}', b"\tat a.b(C.java:1)", b"\r", b"\xff"]),
    st.sampled_from(_LINES),
)
_RUN = st.builds(
    lambda vector, start, count: vector.text.split(b"\n")[start : start + count],
    st.sampled_from(VECTORS),
    st.integers(0, 20),
    st.integers(1, 12),
)
_ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"])
streams = (
    st.lists(st.one_of(_LINE.map(lambda line: [line]), _RUN), max_size=12)
    .flatmap(
        lambda runs: st.tuples(
            st.just([line for run in runs for line in run]), st.lists(_ENDS, min_size=150, max_size=150)
        )
    )
    .map(lambda parts: b"".join(line + end for line, end in zip(parts[0], parts[1], strict=False)))
)


class Joined:
    """All that a framing gave for a stream."""

    def __init__(self, pieces: list[bytes], joiner: Joiner, max_line_bytes: int = 1 << 20) -> None:
        framing = JoiningFraming(max_line_bytes, joiner)
        self.events: list[bytes] = []
        self.marks: list[int] = []
        self.empty = 0
        self.is_ended_by_a_line = not as_lf(b"".join(pieces)).endswith(b"\n\n")
        for piece in pieces:
            self._add(framing.feed(piece))
        self._add(framing.finish())
        assert framing.held_bytes == 0
        assert not framing.holds_lines

    def _add(self, frame: Frame) -> None:
        assert frame.block == b"\n".join(frame.lines)
        assert all(frame.lines)
        self.marks += [frame.marks.get(number, 0) for number in range(len(frame.lines))]
        self.events += frame.lines
        self.empty += frame.empty


def as_lf(stream: bytes) -> bytes:
    return stream.replace(b"\r\n", b"\n")


@settings(max_examples=300)
@given(st.data(), streams, st.sampled_from(JOINERS))
def test_any_cut_gives_the_same_events(data: st.DataObject, stream: bytes, joiner: Joiner) -> None:
    joined = Joined(data.draw(chunked(stream)), joiner)
    events = joiner.split(b"\n" + as_lf(stream))
    assert joined.events == [event for event in events if event]
    assert joined.empty == events.count(b"")


@settings(max_examples=300)
@given(st.data(), streams, st.sampled_from(JOINERS), st.integers(4, 200))
def test_any_cut_of_much_gives_the_same_events(
    data: st.DataObject, stream: bytes, joiner: Joiner, max_line_bytes: int
) -> None:
    pieces = data.draw(chunked(stream))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "_MUCH_BYTES", 4)
        much = Joined(pieces, joiner, max_line_bytes)
    little = Joined([stream], joiner, max_line_bytes)
    assert (much.events, much.marks, much.empty) == (little.events, little.marks, little.empty)


class Counting(PatternJoiner):
    """Counts what it looks at."""

    looked_at = 0

    def split(self, text: bytes) -> list[bytes]:
        self.looked_at += len(text)
        return super().split(text)


@pytest.mark.parametrize(("kind", "pattern"), [("start", "^never"), ("continue", "")])
def test_an_event_without_end_is_not_looked_at_with_each_of_its_lines(kind: str, pattern: str) -> None:
    joiner = Counting(kind, Condition(pattern))
    framing = JoiningFraming(1 << 20, joiner)
    line = b"a line of an event that nothing ends, as somebody has mistaken the pattern " + b"." * 424 + b"\n"
    for _ in range(1000):
        assert framing.feed(line).lines == []
    assert joiner.looked_at < 30_000_000
    assert framing.finish().lines == [(line * 1000).rstrip(b"\n")]


@settings(max_examples=300)
@given(streams, st.sampled_from(JOINERS))
def test_events_are_all_there_is(stream: bytes, joiner: Joiner) -> None:
    text = as_lf(stream)
    assert b"".join(event + b"\n" for event in joiner.split(b"\n" + text)) == text


@settings(max_examples=300)
@given(streams)
def test_what_is_found_fast_is_what_is_there(stream: bytes) -> None:
    text = as_lf(stream)
    assert AUTO.split(b"\n" + text) == CAREFUL.split(b"\n" + text)


def test_usual_tracebacks_are_found_fast() -> None:
    lines = (
        b'\nTraceback (most recent call last):\n  File "a.py", line 1, in b\n    c()\na.B: c\n2026-11-30 10:00 INFO\n'
    )
    match = expression_of(LANGUAGES).search(lines)
    assert match is not None
    assert match["usual"] is not None
    assert lines[match.end() :] == b"\n2026-11-30 10:00 INFO\n"


@settings(max_examples=300)
@given(streams, st.sampled_from(JOINERS))
def test_it_does_not_matter_what_is_before_an_event(stream: bytes, joiner: Joiner) -> None:
    text = as_lf(stream)
    events = list(joiner.split(b"\n" + text))
    place = 0
    for number, event in enumerate(events):
        assert joiner.split(b"\n" + text[place:]) == events[number:]
        place += len(event) + 1


@settings(max_examples=500)
@given(st.data(), streams, st.sampled_from(JOINERS), st.integers(4, 200))
def test_long_events_are_cut_the_same_however_they_come(
    data: st.DataObject, stream: bytes, joiner: Joiner, limit: int
) -> None:
    whole, cut = Joined([stream], joiner, limit), Joined(data.draw(chunked(stream)), joiner, limit)
    assert cut.events == whole.events
    assert cut.marks == whole.marks
    assert cut.empty == whole.empty
    assert max(map(len, whole.events), default=0) <= limit + 1
    lines = as_lf(stream).split(b"\n")
    assert b"".join(whole.events).replace(b"\n", b"") == b"".join(lines)
    assert all(line in b"\n".join(whole.events).split(b"\n") for line in lines if 0 < len(line) <= limit)
    marks = "".join(str(mark // 4) for mark in whole.marks)
    assert re.fullmatch("(0|13*2)*(13*)?", marks), "only what ends in empty lines may have no last piece"
    assert marks[-1:] in ("", "0", "2") or not whole.is_ended_by_a_line, "and that at the end of the stream alone"


@settings(max_examples=300)
@given(st.data(), streams, st.sampled_from(JOINERS), st.integers(20, 200))
def test_what_is_held_begins_where_the_next_event_does(
    data: st.DataObject, stream: bytes, joiner: Joiner, limit: int
) -> None:
    """One that reads again from there, with the memo of then, gives what is missing and nothing else."""
    pieces = data.draw(chunked(stream))
    framing, given_out, read = JoiningFraming(limit, joiner), [], 0
    whole = Joined([stream], joiner, limit)
    for piece in pieces:
        given_out += framing.feed(piece).lines
        read += len(piece)
        assert framing.holds_lines <= (framing.held_bytes > 0)
        other = JoiningFraming(limit, joiner, framing.memo)
        rest = stream[read - framing.held_bytes :]
        frames = [other.feed(rest), other.finish()]
        assert [*given_out, *frames[0].lines, *frames[1].lines] == whole.events


def test_a_flush_gives_out_whole_lines_and_keeps_the_unfinished_one() -> None:
    framing = JoiningFraming(1000, AUTO)
    assert framing.feed(b"one\r\ntwo\nthr").lines == []
    assert (framing.held_bytes, framing.holds_lines) == (12, True)
    assert framing.flush().lines == [b"one", b"two"]
    assert (framing.held_bytes, framing.holds_lines) == (3, False)
    assert framing.finish().lines == [b"thr"]


def test_an_event_over_max_line_is_cut_between_lines() -> None:
    frames = b"".join(b"\tat a.B.c(B.java:%02d)\n" % number for number in range(9))
    joined = Joined([b"an error\n" + frames + b"next\n"], AUTO, 100)
    assert [event.count(b"\n") + 1 for event in joined.events] == [5, 4, 1, 1]
    assert joined.marks == [Flag.PARTIAL_START, Flag.PARTIAL_MIDDLE, Flag.PARTIAL_END, 0]


def test_no_more_is_held_than_max_line_and_the_lines_that_are_looked_at() -> None:
    framing = JoiningFraming(1000, AUTO)
    framing.feed(b"java.lang.E: x\n")
    for number in range(1000):
        framing.feed(b"\tat a.B.c(B.java:%d)\n" % number)
        assert framing.held_bytes <= 1000 + 8 * 30
    assert framing.memo == IN_EVENT


def test_a_line_over_max_line_is_joined_to_nothing() -> None:
    joined = Joined([b"an error\n\tat a\n" + b"x" * 150 + b"\n\tat b\n"], AUTO, 100)
    assert joined.events == [b"an error\n\tat a", b"x" * 100, b"x" * 50, b"\tat b"]
    assert joined.marks == [0, Flag.PARTIAL_START, Flag.PARTIAL_END, 0]


def test_another_framing_goes_on_with_what_is_held() -> None:
    before, after = JoiningFraming(1000, AUTO), JoiningFraming(1000, PatternJoiner("start", Condition("^x")))
    before.feed(b"x1\na\nx2\nunf")
    after.take_over(before)
    assert after.feed(b"inished\nx3\n").lines == [b"x1\na", b"x2\nunfinished"]
    assert after.finish().lines == [b"x3"]


@given(st.data(), st.sampled_from([b"", BOM_UTF8]))
def test_a_byte_order_mark_at_the_start_is_left_out_however_the_stream_is_cut(data: st.DataObject, mark: bytes) -> None:
    framing = JoiningFraming(1000, PatternJoiner("start", Condition("^x")), at_start=True)
    pieces = data.draw(chunked(mark + b"x1\na\nx2\n"))
    assert [*chain.from_iterable(framing.feed(piece).lines for piece in pieces), *framing.finish().lines] == [
        b"x1\na", b"x2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "pattern", "events"),
    [
        ("start", "^[a-z]", [b"one\n 1\n 2\n", b"two", b"three\n 3"]),
        ("continue", "^ ", [b"one\n 1\n 2", b"two", b"three\n 3"]),
        ("end", "[23]$", [b"one\n 1\n 2", b"two\nthree\n 3"]),
    ],
)
def test_patterns_of_ones_own(kind: str, pattern: str, events: list[bytes]) -> None:
    text = b"one\n 1\n 2\n\ntwo\nthree\n 3\n"
    assert Joined([text], PatternJoiner(kind, Condition(pattern))).events == events


def test_a_line_that_ends_an_event_need_not_wait_for_the_next() -> None:
    framing = JoiningFraming(1000, PatternJoiner("end", Condition(";$")))
    assert framing.feed(b"a\nb;\n").lines == [b"a\nb;"]
    assert not framing.holds_lines
