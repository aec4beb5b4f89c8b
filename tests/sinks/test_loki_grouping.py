"""Which streams go into one push, so that Loki, which tells of the last one only, tells of all that it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from logrouter.sinks import Delivered, Halve, Outcome, Rejected, Request, Response, Retry, Slice
from logrouter.sinks._loki_grouping import grouped
from logrouter.sinks._loki_streams import Stream
from logrouter.sinks.loki import LokiSink
from logrouter.testing import batch_of, converse
from logrouter.values import Duration
from tests.sinks.protobuf import streams_of
from tests.sinks.test_loki import HOUR, NOW, STORED, part, sink

MINUTE = 60 * 1_000_000_000
OLD = NOW - HOUR
FULL = Response(429, body=b"maximum active stream limit exceeded when trying to create stream")


def told(made: LokiSink, given: Slice, *answers: Response, now: int = NOW) -> tuple[list[list[str]], Outcome]:
    """The streams of each push, by the value of their label; and the outcome."""
    replies = iter(answers)
    instructions, outcome = converse(made.send(batch_of(given)), lambda request: next(replies), now)
    requests = [one for one in instructions if isinstance(one, Request)]
    assert next(replies, None) is None
    return [[labels[4:-2] for labels, _ in streams_of(request.body)] for request in requests], outcome


def of(apps: str, times: Sequence[int] | int = NOW) -> Slice:
    """An event of each of these streams."""
    return part([b"."] * len(apps), list(apps), times=[times] * len(apps) if isinstance(times, int) else times)


def made_with(known: str = "", **options: Any) -> LokiSink:
    made = sink(labels={"a": "{a}"}, **options)
    if known:
        assert told(made, of(known), STORED) == ([list(known)], Delivered())
    return made


def test_as_long_as_loki_has_all_of_the_streams_there_is_one_push() -> None:
    assert told(made_with("xy"), of("yx"), STORED) == ([["x", "y"]], Delivered())


def test_new_streams_go_together_so_that_the_last_of_them_speaks_for_all() -> None:
    made = made_with("xy")
    assert told(made, of("axby"), STORED, STORED) == ([["x", "y"], ["a", "b"]], Delivered())
    assert told(made, of("ab"), STORED) == ([["a", "b"]], Delivered())
    assert len(told(made, of("axby"), STORED)[0]) == 1, "now Loki has them"


def test_new_streams_that_are_refused_do_not_hold_the_others_up() -> None:
    made = made_with("x")
    pushes, outcome = told(made, of("axb"), STORED, FULL)
    assert pushes == [["x"], ["a", "b"]]
    assert isinstance(outcome, list)
    assert [type(each) for each in outcome] == [Retry, Delivered, Retry]
    assert told(made, of("axb"), STORED, STORED)[0] == [["x"], ["a", "b"]], "they are still new"


def test_a_stream_with_events_that_may_be_too_far_behind_goes_alone() -> None:
    made = made_with("xyz")
    pushes, outcome = told(made, of("xyzx", [NOW, OLD, OLD, NOW]), STORED, STORED, STORED)
    assert (pushes, outcome) == ([["x"], ["y"], ["z"]], Delivered())


@pytest.mark.parametrize(
    ("window", "ahead", "sure"),
    [
        (Duration(3600), Duration(600), 50 * MINUTE),
        (Duration(600), Duration(600), 5 * MINUTE),  # else all would be old
        ("never", Duration(600), None),
    ],
)
def test_what_is_young_is_in_the_window_whoever_else_writes(
    window: Duration | str, ahead: Duration, sure: int | None
) -> None:
    made = made_with("xy", out_of_order=window, max_ahead=ahead, max_age="never")
    if sure is None:
        assert len(told(made, of("xy", NOW - 1000 * HOUR), STORED)[0]) == 1
    else:
        assert len(told(made, of("xy", NOW - sure), STORED)[0]) == 1
        assert len(told(made, of("xy", NOW - sure - 1), STORED, STORED)[0]) == 2


def test_of_each_push_the_events_get_the_outcome_of_their_own() -> None:
    made = made_with("xy")
    late = (
        "entry with timestamp 2026-11-29 09:00:00 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is:"
        " 2026-11-29T09:00:00Z, oldest acceptable timestamp is: 2026-11-29T09:30:00Z',\n"
        "user 'fake', total ignored: 1 out of 2 for stream: {a=\"y\"}"
    )
    pushes, outcome = told(made, of("yxy", [OLD, NOW, NOW]), STORED, Response(400, body=late.encode()))
    assert pushes == [["x"], ["y"]]
    assert isinstance(outcome, list)
    assert [each.reason if isinstance(each, Rejected) else type(each) for each in outcome] == [
        "too_far_behind",
        Delivered,
        Delivered,
    ]


def test_where_nothing_is_taken_the_others_wait_too() -> None:
    down = Response(503)
    pushes, outcome = told(made_with("x"), of("axb", [NOW, NOW, OLD]), down)
    assert (pushes, outcome) == ([["x"]], [Retry("HTTP 503", congested=True)] * 3)


def test_what_is_found_by_halving_is_halved_as_a_whole() -> None:
    assert told(made_with("x"), of("ax"), STORED, Response(413))[1] == Halve("request too large")


def test_the_stream_of_which_most_was_sent_of_late_is_the_last() -> None:
    """It is the first to be more than what Loki takes of one in a second."""
    streams = [Stream(f'{{a="{name}"}}', ()) for name in "xyz"]
    x, y, z = streams
    assert grouped({x: 10, y: 30, z: 20}, frozenset()) == [[x, z, y]]
    assert grouped({x: 12, y: 6, z: 9}, frozenset()) == [[x, z, y]], "though now it has least"
    assert grouped({x: 40, y: 6, z: 9}, frozenset()) == [[y, z, x]]
