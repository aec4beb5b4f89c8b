"""Which streams go into one push, so that Loki, which tells of the last one only, tells of all that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import pytest

from logrouter.instructions import Instruction
from logrouter.sinks import Delivered, Halve, Outcome, Pause, Rejected, Request, Response, Retry, Slice
from logrouter.sinks._loki_grouping import MUCH_BYTES, Group, each_alone, grouped
from logrouter.sinks._loki_limits import Sent
from logrouter.sinks._loki_streams import Stream
from logrouter.sinks.loki import LokiSink
from logrouter.testing import batch_of, converse
from logrouter.values import Duration
from tests.sinks.protobuf import streams_of
from tests.sinks.test_loki import HOUR, NOW, SECOND, STORED, part, sink

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


def test_however_many_pushes_are_refused_the_events_are_looked_at_once() -> None:
    groups = [[stream] for stream in some_streams()]
    events = [Sent(stream, number, 1) for number in range(3) for (stream,) in groups]
    asked: list[Sequence[Sent]] = []

    def sent() -> Sequence[Sent]:
        asked.append(events)
        return events

    def push(group: Group, own: Callable[[], Sequence[Sent]]) -> Generator[Instruction, Any, Outcome]:
        assert [event.stream for event in own()] == [*group] * 3
        yield Pause()
        return [Delivered(), Rejected("refused"), Delivered()]

    _, outcome = converse(each_alone(groups, sent, push), lambda request: None, NOW)
    assert outcome == [*[Delivered()] * 5, *[Rejected("refused")] * 5, *[Delivered()] * 5]
    assert len(asked) == 1


def test_where_nothing_is_taken_the_others_wait_too() -> None:
    down = Response(503)
    pushes, outcome = told(made_with("x"), of("axb", [NOW, NOW, OLD]), down)
    assert (pushes, outcome) == ([["x"]], [Retry("HTTP 503", congested=True)] * 3)


def test_what_is_found_by_halving_is_halved_as_a_whole() -> None:
    assert told(made_with("x"), of("ax"), STORED, Response(413))[1] == Halve("request too large")


def some_streams() -> list[Stream]:
    return [Stream(f'{{a="{name}"}}', ()) for name in "vwxyz"]


def sent(sizes: dict[Stream, int], at_ns: int, late: frozenset[Stream] = frozenset()) -> list[Sequence[Stream]]:
    groups = grouped(sizes, late, at_ns)
    for stream in sizes:
        stream.used_ns = at_ns
    return groups


def test_the_stream_that_is_nearest_to_the_rate_that_loki_takes_is_the_last() -> None:
    _, _, x, y, z = some_streams()
    mib = 2**20
    assert sent({x: 1 * mib, y: 3 * mib, z: 2 * mib}, NOW) == [[x, z, y]]
    assert sent({x: 1 * mib, y: 1, z: 1 * mib}, NOW) == [[x, z, y]], "though now it has least"
    assert sent({x: 2, y: 1, z: 1}, NOW + 2 * SECOND) == [[y, z, x]], "two seconds later nothing is left of that"


def test_streams_that_come_near_the_rate_go_alone_but_for_the_nearest() -> None:
    v, w, x, y, z = streams = some_streams()
    v.is_known = w.is_known = x.is_known = True
    sizes = {v: MUCH_BYTES + 2, w: MUCH_BYTES + 1, x: MUCH_BYTES, y: MUCH_BYTES + 1, z: MUCH_BYTES + 1}
    assert sent(sizes, NOW) == [[x, v], [w], [z], [y]]
    assert sent(dict.fromkeys(streams, 1), NOW + SECOND, frozenset([w])) == [[x, v], [y, z], [w]]


def test_a_stream_that_stays_below_the_rate_never_goes_alone() -> None:
    x, y, *_ = some_streams()
    for second in range(100):
        assert len(sent({x: 3 * 2**20, y: 3 * 2**20}, NOW + second * SECOND)) == 1
