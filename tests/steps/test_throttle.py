from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.facts import Facts
from logrouter.steps import DISCARD
from logrouter.steps.throttle import Throttle, ThrottleConfig
from logrouter.values import Rate

SECOND = 10**9


def throttle(rate: str, **options: Any) -> Throttle:
    return Throttle(ThrottleConfig(rate=Rate.parse(rate), **options))


def at(ns: int, **attributes: str) -> Facts:
    return Facts(attributes, ns, {})


def passes(step: Throttle, ns: int, **document: Any) -> bool:
    return step.apply(document, at(ns)) is not DISCARD


def test_a_burst_and_then_at_the_rate() -> None:
    step = throttle("10/s", burst=3)
    times = [passes(step, 0) for _ in range(5)]
    later = [passes(step, number * SECOND // 20) for number in range(1, 21)]
    assert times == [True, True, True, False, False]
    assert later == [False, True] * 10, "one each tenth of a second"


@pytest.mark.parametrize(("rate", "at_once"), [("100/s", 100), ("7/m", 7), ("0.5/s", 1), ("1.9/h", 1)])
def test_the_burst_is_what_the_rate_says(rate: str, at_once: int) -> None:
    step = throttle(rate)
    assert sum(passes(step, 5) for _ in range(200)) == at_once


@given(
    rate=st.sampled_from(["3/s", "7/m", "1000/s", "0.3/s", "999999/d"]),
    burst=st.integers(1, 20),
    gaps=st.lists(st.integers(0, 2 * SECOND), max_size=60),
)
def test_it_is_a_token_bucket(rate: str, burst: int, gaps: list[int]) -> None:
    """The definition, in fractions."""
    step = throttle(rate, burst=burst)
    number, _, unit = rate.partition("/")
    per_ns = Fraction(number) / ({"s": 1, "m": 60, "d": 86400}[unit] * SECOND)
    tokens, before, now = Fraction(burst), 0, 0
    for gap in gaps:
        now += gap
        tokens = min(Fraction(burst), tokens + (now - before) * per_ns)
        before = now
        expected = tokens >= 1
        tokens -= expected
        assert passes(step, now) is expected


def test_each_key_has_a_rate_of_its_own() -> None:
    step = throttle("1/s", by="user.id")
    assert [passes(step, 0, user={"id": number % 3}) for number in range(6)] == [True] * 3 + [False] * 3


def test_events_without_a_key_share_one() -> None:
    step = throttle("1/s", by="client")
    documents: list[dict[str, Any]] = [{}, {"client": None}, {"client": ""}, {"client": "x"}]
    assert [passes(step, 0, **document) for document in documents] == [True, False, False, True]


@pytest.mark.parametrize("by", ["meta.stream", "{meta.stream}", "{meta.stream} {missing}"])
def test_by_an_attribute_or_a_template(by: str) -> None:
    step = throttle("1/s", by=by)
    outcomes = [step.apply({}, at(0, stream=stream)) for stream in ("stdout", "stderr", "stdout")]
    assert outcomes == ["keep", "keep", DISCARD]


def test_by_several_fields_those_that_are_alike_in_all_of_them_share_one() -> None:
    step = throttle("1/h", by=("client", "path"))
    events: list[dict[str, Any]] = [
        {"client": "a", "path": "/x"}, {"client": "a", "path": "/y"}, {"client": "a", "path": "/x"},
        {"client": "a"}, {"path": "a"}, {}, {"client": ""},
    ]  # fmt: skip
    assert [passes(step, 0, **event) for event in events] == [True, True, False, True, True, True, False]
    assert told(step, 1, ending=True) == [
        ("left out: 1 event, as more than 1/h came of client, path a, /x", 1),
        ("left out: 1 event, as more than 1/h came without client, path", 1),
    ]


def test_keys_that_are_alike_and_long_are_told_apart() -> None:
    step = throttle("1/s", by="client")
    assert [passes(step, 0, client="x" * 10_000 + end) for end in "aba"] == [True, True, False]
    assert all(len(key) <= 64 for key in step._buckets)


def test_what_was_left_out_is_told_by_the_next_that_passes() -> None:
    step = throttle("1/s", by="client")
    for _ in range(5):
        step.apply({"client": "a"}, at(0))
    step.apply({"client": "b"}, at(0))
    told: list[dict[str, Any]] = [{"client": "b"}, {"client": "a"}, {"client": "a"}]
    for seconds, document in enumerate(told, 1):
        assert step.apply(document, at(seconds * SECOND)) is not DISCARD
    assert told == [{"client": "b"}, {"client": "a", "throttled": 4}, {"client": "a"}]


def told(step: Throttle, ns: int, *, ending: bool = False) -> list[tuple[str, int]]:
    documents = [overdue.document for overdue in step.overdue(ns, ending=ending)]
    return [(document["message"], document["throttled"]) for document in documents]


def test_where_none_passes_before_all_tokens_are_back_it_is_told_all_the_same() -> None:
    step = throttle("1/s", burst=2, by="client")
    for client in "aaaab":
        step.apply({"client": client}, at(0, source="app"))
    assert told(step, 2 * SECOND - 1) == []
    (overdue,) = step.overdue(2 * SECOND)
    assert overdue == (
        {"message": "left out: 2 events, as more than 1/s came of client a", "throttled": 2},
        {"source": "app"},
    )
    document = {"client": "a"}
    assert step.apply(document, at(3 * SECOND)) is not DISCARD
    assert document == {"client": "a"}, "it was told"
    assert told(step, 9 * SECOND, ending=True) == []


def test_the_number_may_stand_in_the_place_of_the_message() -> None:
    step = throttle("1/h", count_field="message.n")
    assert [passes(step, 0) for _ in range(2)] == [True, False]
    assert [overdue.document for overdue in step.overdue(1, ending=True)] == [{"message": {"n": 1}}]


def test_at_the_end_all_is_told() -> None:
    step = throttle("1/h")
    assert [passes(step, 0) for _ in range(3)] == [True, False, False]
    assert told(step, 1) == []
    assert told(step, 1, ending=True) == [("left out: 2 events, as more than 1/h came", 2)]


def test_events_without_the_field_are_told_as_such() -> None:
    step = throttle("1/h", by="client")
    for _ in range(3):
        step.apply({}, at(0))
    assert told(step, 1, ending=True) == [("left out: 2 events, as more than 1/h came without client", 2)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2 * SECOND)), max_size=80), st.integers(1, 4))
def test_those_that_pass_and_those_that_are_told_are_all(events: list[tuple[str, int]], max_keys: int) -> None:
    step = throttle("1/s", burst=2, by="client", max_keys=max_keys)
    now, passed, left_out = 0, 0, 0
    for client, gap in events:
        now += gap
        document = {"client": client}
        passed += step.apply(document, at(now)) is not DISCARD
        left_out += int(document.get("throttled", 0))
        if gap % 3 == 0:
            left_out += sum(count for _, count in told(step, now))
    left_out += sum(count for _, count in told(step, now, ending=True))
    assert passed + left_out == len(events)


@pytest.mark.parametrize(("before", "after"), [(2, 3), (True, 1), ("many", 1), (None, 1)])
def test_what_an_earlier_throttle_has_told_is_added(before: object, after: int) -> None:
    step = throttle("1/s", count_field="left.out")
    step.apply({}, at(0))
    step.apply({}, at(0))
    document = {"left.out": before}
    assert step.apply(document, at(SECOND)) is None
    assert document == {"left.out": after}


def test_a_clock_that_is_set_back_stops_nothing_for_longer_than_the_bucket_is_deep() -> None:
    step = throttle("1/s", burst=2)
    assert [passes(step, 3_600 * SECOND) for _ in range(3)] == [True, True, False]
    assert [passes(step, seconds * SECOND) for seconds in range(4)] == [False, True, True, True]


def test_the_key_that_was_seen_longest_ago_is_forgotten() -> None:
    step = throttle("1/h", by="k", max_keys=2)
    assert [passes(step, 0, k=key) for key in "abacab"] == [True, True, False, True, False, True]
    assert step.figures == {"keys": 2, "forgotten_keys": 2}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("{}", "needs 'rate'"),
        ("{rate: 100}", "expected a rate such as 100/s, 10/m or 1000/h, not '100' (100 has no unit: write 100/s"),
        ("{rate: 100/w}", "expected a rate such as 100/s, 10/m or 1000/h, not '100/w'"),
        ("{rate: 0/s}", "expected a rate of more than 0, not '0/s'"),
        ("{rate: [1]}", "expected a rate such as 100/s"),
        ("{rate: 1/s, burst: 0}", "burst"),
        ("{rate: 1/s, max_keys: 0}", "max_keys"),
        ("{rate: 1/s, by: meta.strem}", "did you mean"),
        ("{rate: 1/s, by: '{client'}", "a brace is not closed"),
        ("{rate: 1/s, by: []}", "by: expected a field, an attribute or a template, or a list of these"),
        ("{rate: 1/s, by: ''}", "by: expected a field, an attribute or a template, or a list of these"),
        ("{rate: 1/s, count_field: severity}", "severity cannot be set"),
        ("{rate: 1/s, burts: 3}", "unknown key 'burts'"),
    ],
)
def test_mistakes(mistake, options, problem):
    assert problem in mistake(f"throttle: {options}")
