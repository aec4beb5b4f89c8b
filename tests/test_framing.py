"""Framing: the same lines however the stream is cut, and nothing lost, whatever the bytes."""

from __future__ import annotations

from codecs import BOM_UTF8

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from logrouter.event import Flag
from logrouter.framing import Frame, LineFraming
from tests.strategies import chunked

_PIECES = st.sampled_from([b"a", b"\n", b"\r\n", b"\r", "é".encode(), "😀".encode(), b"\xff", b"\0", b"x" * 9, b"\n\n"])
streams = st.lists(_PIECES, max_size=25).map(b"".join)


AT_START = [b"", b"a\n", b"a", b"\n", BOM_UTF8[:1], b"\xefa\nb\n", BOM_UTF8[:2] + b"x", b"a" + BOM_UTF8 + b"\n\nb"]


class Framed:
    """All that a framing gave for a stream."""

    def __init__(self, pieces: list[bytes], max_line_bytes: int = 1024) -> None:
        framing = LineFraming(max_line_bytes)
        self.lines: list[bytes] = []
        self.marks: list[int] = []
        self.empty = 0
        self.read_bytes = 0
        for frame in [*map(framing.feed, pieces), framing.finish()]:
            self._add(frame)
        assert framing.held_bytes == 0

    def _add(self, frame: Frame) -> None:
        assert frame.block == b"\n".join(frame.lines)
        self.marks += [frame.marks.get(number, 0) for number in range(len(frame.lines))]
        self.lines += frame.lines
        self.empty += frame.empty
        self.read_bytes += frame.read_bytes

    def rejoined(self) -> list[bytes]:
        """The lines with their pieces put together again."""
        whole = [b""]
        for line, mark in zip(self.lines, self.marks, strict=True):
            whole[-1] += line
            if mark in (0, Flag.PARTIAL_END):
                whole.append(b"")
        assert whole.pop() == b""
        return whole


def expected_lines(stream: bytes) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in stream.split(b"\n")]


@given(st.data(), streams)
def test_any_cut_gives_the_same_lines(data: st.DataObject, stream: bytes) -> None:
    framed = Framed(data.draw(chunked(stream)))
    expected = expected_lines(stream)
    if stream.endswith(b"\n") or not stream:
        expected.pop()
    assert framed.lines == [line for line in expected if line]
    assert framed.empty == expected.count(b"")


@settings(max_examples=300)
@given(st.data(), streams, st.integers(4, 12))
def test_long_lines_are_cut_into_marked_pieces(data: st.DataObject, stream: bytes, limit: int) -> None:
    framed = Framed(data.draw(chunked(stream)), limit)
    assert framed.read_bytes == len(stream)
    assert framed.rejoined() == [line for line in expected_lines(stream) if line]
    assert max(map(len, framed.lines), default=0) <= limit + 1


def test_pieces_say_where_they_stand() -> None:
    framed = Framed([b"0123456789ab\nshort\n"], 5)
    assert framed.lines == [b"01234", b"56789", b"ab", b"short"]
    assert framed.marks == [Flag.PARTIAL_START, Flag.PARTIAL_MIDDLE, Flag.PARTIAL_END, 0]


def test_without_its_first_lines_a_frame_has_the_others_as_they_were() -> None:
    frame = LineFraming(5).feed(b"one\n\n0123456789ab\nshort\n")
    marks = {0: Flag.PARTIAL_MIDDLE, 1: Flag.PARTIAL_END}
    assert frame.without(2) == replace(frame, lines=[b"56789", b"ab", b"short"], block=b"56789\nab\nshort", marks=marks)
    assert frame.without(0) == frame
    assert frame.without(5) == replace(frame, lines=[], block=b"", marks={})


def test_a_character_is_never_cut() -> None:
    framed = Framed(["aa😀😀b\n".encode()], 5)
    assert framed.lines == [b"aa", "😀".encode(), "😀b".encode()]


def test_what_is_not_utf8_is_cut_at_the_limit() -> None:
    assert Framed([b"\x80" * 12 + b"\n"], 5).lines == [b"\x80" * 5, b"\x80" * 5, b"\x80" * 2]


@given(st.data(), st.sampled_from([b"", BOM_UTF8]), st.sampled_from(AT_START))
@settings(max_examples=200)
def test_a_byte_order_mark_at_the_start_is_left_out_however_the_stream_is_cut(
    data: st.DataObject, mark: bytes, text: bytes
) -> None:
    framing = LineFraming(1000, at_start=True)
    lines: list[bytes] = []
    read = b""
    for piece in data.draw(chunked(mark + text)):
        frame = framing.feed(piece)
        assert frame.read_bytes == len(piece)
        lines += frame.lines
        read += piece
        assert framing.held_bytes == len(read.rpartition(b"\n")[2].removeprefix(mark if b"\n" not in read else b""))
    assert [*lines, *framing.finish().lines] == [line for line in text.split(b"\n") if line]


def test_a_byte_order_mark_elsewhere_stays() -> None:
    framing = LineFraming(1000, at_start=True)
    assert framing.feed(b"a\n" + BOM_UTF8).lines == [b"a"]
    assert framing.feed(b"b\n").lines == [BOM_UTF8 + b"b"]
    assert Framed([BOM_UTF8 + b"a\n"]).lines == [BOM_UTF8 + b"a"]


def test_an_endless_line_is_never_held_whole() -> None:
    framing = LineFraming(1000)
    given_out = 0
    for _ in range(100):
        given_out += sum(map(len, framing.feed(b"x" * 600).lines))
        assert framing.held_bytes <= 1001
    assert given_out + framing.held_bytes == 60_000


def test_cr_lf_across_reads() -> None:
    assert Framed([b"a\r", b"\nb", b"\r\n"]).lines == [b"a", b"b"]


def test_a_cr_within_a_line_stays() -> None:
    assert Framed([b"10%\r20%\n"]).lines == [b"10%\r20%"]


def test_the_last_line_needs_no_newline() -> None:
    assert Framed([b"a\nb"]).lines == [b"a", b"b"]


def test_empty_lines_are_counted() -> None:
    framed = Framed([b"\n\na\n\r\n\n", b"b\n"])
    assert (framed.lines, framed.empty) == ([b"a", b"b"], 4)


@given(streams, st.integers(70, 400))
def test_frames_are_cut_by_what_they_cost(stream: bytes, limit: int) -> None:
    framing = LineFraming(12)
    whole = framing.feed(stream)
    parts = list(whole.cut(limit))
    assert [line for part in parts for line in part.lines] == whole.lines
    assert sum(part.empty for part in parts) == whole.empty
    assert sum(part.read_bytes for part in parts) == whole.read_bytes == len(stream)
    shifts = [sum(len(part.lines) for part in parts[:number]) for number in range(len(parts))]
    marks = {
        shift + place: mark for shift, part in zip(shifts, parts, strict=True) for place, mark in part.marks.items()
    }
    assert marks == whole.marks
    for part in parts:
        assert part.block == b"\n".join(part.lines)
        assert len(part.lines) <= 1 or sum(map(len, part.lines)) + 60 * len(part.lines) <= limit
