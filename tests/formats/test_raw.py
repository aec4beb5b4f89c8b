from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.event import Flag, Offset
from logrouter.formats.raw import raw_lines
from logrouter.testing import slice_of

START, MIDDLE, END = Flag.PARTIAL_START, Flag.PARTIAL_MIDDLE, Flag.PARTIAL_END


def test_bytes_stay_as_they_came() -> None:
    payloads = [b'{"a": 1}', b"\xff\x00\r", b"text"]
    assert raw_lines(slice_of(payloads)) == (b'{"a": 1}\n\xff\x00\r\ntext\n', None)
    assert raw_lines(slice_of([])) == (b"", None)


def test_pieces_of_a_line_are_joined_again() -> None:
    part = slice_of([b"one", b"AA", b"BB", b"CC", b"two"], [0, START, MIDDLE, END, 0])
    assert raw_lines(part) == (b"one\nAABBCC\ntwo\n", None)


def test_pieces_are_joined_across_slices() -> None:
    first, open_line = raw_lines(slice_of([b"AA"], [START], first=7))
    assert (first, open_line) == (b"AA", Offset(1, 8))
    assert raw_lines(slice_of([b"BB"], [END], first=8), open_line) == (b"BB\n", None)


def test_a_piece_whose_continuation_goes_elsewhere_gets_its_own_line() -> None:
    _, open_line = raw_lines(slice_of([b"AA"], [START], first=7))
    assert raw_lines(slice_of([b"other"], first=9), open_line) == (b"\nother\n", None)
    assert raw_lines(slice_of([b"CC"], [END], first=9), open_line) == (b"\nCC\n", None)
    assert raw_lines(slice_of([b"new"], [START], first=8), open_line) == (b"\nnew", Offset(1, 9))


def test_notices_are_left_out() -> None:
    part = slice_of([b"a", b'{"message":"gap"}', b"b"], [0, Flag.JSON | Flag.NOTICE, 0])
    assert raw_lines(part) == (b"a\nb\n", None)


@given(
    events=st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0, START, MIDDLE, END]), st.booleans()), max_size=12),
    cut=st.integers(0, 12),
)
@settings(deadline=None, max_examples=60)
def test_two_lines_are_never_run_together(events: list[tuple[int, Flag, bool]], cut: int) -> None:
    taken = [place for place, (_, _, wanted) in enumerate(events) if wanted]
    whole = slice_of([b"%d" % number for number, _, _ in events], [flags for _, flags, _ in events])
    head, tail = ([place for place in taken if (place < cut) is side] for side in (True, False))
    first, open_line = raw_lines(whole.pick(head))
    second, open_line = raw_lines(whole.pick(tail), open_line)
    expected = b""
    for place in taken:
        if expected and not expected.endswith(b"\n"):
            follows = place - 1 in taken and events[place][1] in (MIDDLE, END)
            expected += b"" if follows else b"\n"
        expected += whole.payloads[place] + (b"" if events[place][1] in (START, MIDDLE) else b"\n")
    assert first + second == expected
