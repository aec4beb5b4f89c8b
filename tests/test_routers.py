"""One router follows another: chunks keep the one that was in force when they were appended."""

from __future__ import annotations

from logrouter.chain import Chain
from logrouter.event import Chunk, Flag, Offset
from logrouter.policy import Route, SinkRouting
from logrouter.routers import Routers
from logrouter.routing import Routed, Router
from logrouter.rules import Rule
from logrouter.steps.remove import Remove, RemoveConfig
from logrouter.templates import Template


def chunk_of(*payloads: bytes, first: int = 0) -> Chunk:
    chunk = Chunk(list(payloads), bytes([Flag.JSON]) * len(payloads), {"source": "app"}, 1)
    chunk.offset = Offset(7, first)
    return chunk


def router_of(rule: str, number: int, template: str = "{n}") -> Router:
    return Router([SinkRouting("a", Rule.parse(rule), (Template.parse(template),))], numbers=[number])


EVENTS = b'{"n":1}', b'{"n":2}'


def test_a_chunk_goes_by_the_router_that_was_in_force_when_it_was_appended() -> None:
    routers = Routers(router_of("n == 1", 0))
    routers.follow(router_of("n == 2", 0), 100)
    (before,), (after,) = (routers.route(chunk_of(*EVENTS, first=first)) for first in (98, 100))
    assert [part.payloads for part in routers.slices(before, 0)] == [[EVENTS[0]]]
    assert [part.payloads for part in routers.slices(after, 0)] == [[EVENTS[1]]]


def test_a_sink_that_came_later_has_older_events_routed_by_its_own_rules() -> None:
    routers = Routers(router_of("n == 1", 0))
    (chunk,) = routers.route(chunk_of(*EVENTS))
    routers.follow(router_of("n == 2", 5, "{n}-new"), 100)
    (part,) = routers.slices(chunk, 5)
    assert (part.payloads, list(part.sequences), part.columns) == ([EVENTS[1]], [1], (["2-new"],))
    assert isinstance(chunk.routed, Routed)
    assert chunk.routed.router is not routers.current  # others share the chunk
    assert chunk.routed.count(5) == 2  # as far as is known


def event_of(n: int) -> bytes:
    return b'{"n":%d,%b}' % (n, b",".join(b'"f%d":%d' % (bit, n >> bit & 1) for bit in range(10)))


def test_more_classes_than_fit_are_cut_for_a_sink_that_came_later() -> None:
    events = [event_of(n) for n in range(600)]
    rules = [SinkRouting(f"s{bit}", Rule.parse(f"f{bit} == 1")) for bit in range(10)]
    routers = Routers(router_of("n == 1", 100))
    (chunk,) = routers.route(chunk_of(*events, first=50))
    routers.follow(Router(rules), 1000)
    parts = routers.slices(chunk, 7)
    wanted = [n for n in range(600) if n >> 7 & 1]
    assert len(parts) > 1
    assert [payload for part in parts for payload in part.payloads] == [events[n] for n in wanted]
    assert [sequence for part in parts for sequence in part.sequences] == [50 + n for n in wanted]


def test_what_waits_for_room_is_routed_anew_when_the_router_has_changed() -> None:
    routers = Routers(router_of("n == 1", 0))
    (chunk,) = routers.route(chunk_of(*EVENTS))
    assert routers.renewed(chunk) == [chunk]
    first = chunk.routed
    routers.follow(router_of("n == 2", 0), 100)
    assert routers.renewed(chunk) == [chunk]
    assert isinstance(first, Routed)
    assert isinstance(chunk.routed, Routed)
    assert (first.router is routers.current, chunk.routed.router is routers.current) == (False, True)


def test_a_notice_can_be_told_to_a_sink_of_any_router() -> None:
    routers = Routers(router_of("n == 1", 0))
    routers.follow(router_of("n == 1", 1), 100)
    for number in (0, 1):
        assert len(routers.whole(chunk_of(EVENTS[1]), number)) == 1


def test_routers_are_kept_as_long_as_somebody_may_read_what_they_have_routed() -> None:
    oldest, newest = router_of("n == 1", 0), router_of("n == 3", 0)
    oldest.projection.slow_events, newest.projection.slow_events = 5, 2
    routers = Routers(oldest)
    routers.follow(router_of("n == 2", 0), 100)
    routers.follow(newest, 200)
    routers.forget(199)
    (chunk,) = routers.route(chunk_of(*EVENTS, first=150))
    assert [part.payloads for part in routers.slices(chunk, 0)] == [[EVENTS[1]]]
    routers.forget(1000)
    assert routers.current is newest
    (chunk,) = routers.route(chunk_of(*EVENTS, first=150))  # a gap in what is known
    assert routers.slices(chunk, 0) == []
    assert routers.slow_events == 7


def test_what_steps_of_routes_failed_on_is_counted_over_all_routers() -> None:
    def failing(times: int) -> Router:
        chain = Chain([("routes.0.steps.0.remove", Remove(RemoveConfig(fields=("n",))))])
        chain.tally.failed["routes.0.steps.0.remove"] = times
        return Router([SinkRouting("a")], [Route("first", None, ("a",), chain)])

    routers = Routers(failing(3))
    routers.follow(failing(4), 100)
    assert routers.failed == {("first", "routes.0.steps.0.remove"): 7}
    routers.forget(1000)
    assert routers.failed == {("first", "routes.0.steps.0.remove"): 7}
    routers.follow(router_of("n == 1", 0), 2000)
    routers.forget(3000)
    assert (routers.tallies, routers.failed.total()) == ([], 7)
