from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.chain import Chain
from logrouter.documents import Document, read_document
from logrouter.event import Attributes, Flag
from logrouter.facts import Facts
from logrouter.steps import DISCARD, Overdue, _whole
from logrouter.steps._whole import Whole
from logrouter.steps.dedupe import Dedupe, DedupeConfig
from logrouter.values import Duration, Size
from tests.steps.conftest import steps_from

SECOND = 10**9
BARE = "left out: events that repeated others"


def dedupe(window: float = 30, **options: Any) -> Dedupe:
    return Dedupe(DedupeConfig(window=Duration(window), **options))


def passes(step: Dedupe, document: Document, seconds: float = 0, **attributes: Any) -> bool:
    return step.apply(document, Facts(attributes, int(seconds * SECOND), {})) is not DISCARD


def told(step: Dedupe, seconds: float, *, ending: bool = False) -> list[Document]:
    return [overdue.document for overdue in step.overdue(int(seconds * SECOND), ending=ending)]


def told_of(step: Dedupe) -> list[Attributes]:
    return [overdue.attributes for overdue in step.overdue(0, ending=True)]


# ── what is the same ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ({"message": "a", "n": 1}, True),
        ({"ts": 5, "time": "x", "timestamp": None, "@timestamp": {}, "message": "a", "n": 1}, True),
        ({"n": 1, "message": "a"}, True),
        ({"message": "a", "n": 2}, False),
        ({"message": "a"}, False),
        ({"message": "a", "n": "1"}, False),
        ({"message": "a", "n": 1, "x": None}, False),
    ],
)
def test_the_whole_event_but_its_time(other: Document, is_same: bool) -> None:
    step = dedupe()
    assert passes(step, {"time": "2026-03-01T12:00:00Z", "message": "a", "n": 1})
    assert passes(step, other) is not is_same


@pytest.mark.parametrize("member", ['"ts":%d', '"time": "%d"', '"timestamp":%d.5', '"@timestamp":"%d"', '"pid":%d'])
@pytest.mark.parametrize("place", range(3))
def test_events_that_differ_in_what_does_not_matter_are_read_once(
    monkeypatch: pytest.MonkeyPatch, member: str, place: int
) -> None:
    read = list[bytes]()
    monkeypatch.setattr(_whole, "read_document", lambda payload, flags: read.append(payload) or {})
    others = ['"a":1', '"b": "{}"']
    payloads = [
        f"{{{', '.join([*others[:place], member % number, *others[place:]])}}}".encode() for number in (7, 8, 9)
    ]
    assert len(set(Whole(("pid",)).of_all(payloads, b"\1\1\1", Facts({}, 0, {})))) == 1
    assert read == payloads[:1]


@pytest.mark.parametrize("value", ["1", '"x"', "true", "1 "])
def test_many_fields_and_no_time_are_looked_through_once(value: str) -> None:
    payload = ("{" + ", ".join(f'"f{number}": {value}' for number in range(200)) + "}").encode()
    assert Whole(())._bare(payload) == payload, "and before the universe ends"


def test_only_what_surely_does_not_matter_is_left_out_of_the_bytes() -> None:
    payloads = [
        rb'{"a\nb":1,"k":"x"}', rb'{"a\nb":2,"k":"x"}', rb'{"a\\nb":1,"k":"x"}', rb'{"a\\nb":2,"k":"x"}',
        b'{"o":{"pid":1},"k":"x"}', b'{"o":{"pid":2},"k":"x"}',
        rb'{"k":"\",\"pid\":1,\""}', rb'{"k":"\",\"pid\":2,\""}',
        b'{"l":[{"pid":1}]}', b'{"l":[{"pid":2}]}', b'{"k":"x","pid":{"a":1}}', b'{"k":"x","pid":[1]}',
    ]  # fmt: skip
    whole = Whole((r'event["a\\nb"]', "pid"))
    facts = Facts({}, 0, {})
    keys = [whole.of(read_document(payload, Flag.JSON), facts) for payload in payloads]
    assert list(whole.of_all(payloads, b"\1" * len(payloads), facts)) == keys
    assert len(set(keys)) == len(keys) - 3, "those with the backslash itself are as those with pid"


def test_what_is_ignored_does_not_matter_wherever_it_stands() -> None:
    step = dedupe(ignore=("pid", "http.request.id"))
    assert passes(step, {"pid": 1, "http": {"request": {"id": "x"}, "status": 500}})
    other = {"pid": 2, "http": {"request": {"id": "y"}, "status": 500}, "http.request.id": "z"}
    assert not passes(step, other)
    assert other["http"] == {"request": {"id": "y"}, "status": 500}, "it is told as it came"
    assert passes(step, {"pid": 1, "http": {"request": {"id": "x"}, "status": 200}})


def test_the_place_that_it_comes_from_matters_but_no_mark_or_moment_does() -> None:
    step = dedupe()
    assert passes(step, {"a": 1}, pod="x", written=5)
    assert not passes(step, {"a": 1}, pod="x", written=6, parse_error=True)
    assert passes(step, {"a": 1}, pod="y", written=5)


def test_by_fields_all_else_does_not_matter() -> None:
    step = dedupe(by=("message", "user.id"))
    assert passes(step, {"message": "a", "user": {"id": 1}, "x": 1}, pod="x")
    assert not passes(step, {"message": "a", "user": {"id": 1}, "x": 2}, pod="y")
    assert passes(step, {"message": "a", "user": {"id": 2}})
    assert passes(step, {"message": "a"})
    assert not passes(step, {"message": "a", "user": {"id": None}})


def test_what_has_none_of_the_fields_passes() -> None:
    step = dedupe(by=("message", "user.id"))
    assert all(passes(step, document) for document in ({}, {}, {"message": ""}, {"message": None, "x": 1}))
    assert step.figures["keys"] == 0


def test_a_name_alone_is_a_list_of_one() -> None:
    alone, listed = dedupe(by="message"), dedupe(by=("message",))
    for document in ({"message": "a", "x": 1}, {"message": "a", "x": 2}, {"message": "b"}, {}):
        assert passes(alone, document) == passes(listed, document)
    assert alone._seen.keys() == listed._seen.keys() == {"a", "b"}


def test_by_a_template_and_an_attribute() -> None:
    step = dedupe(by=("{message} {code}", "meta.pod"))
    assert [passes(step, {"message": "a", "code": 1}, pod=pod) for pod in "xyx"] == [True, True, False]


def test_pieces_of_a_line_pass() -> None:
    step = dedupe()
    assert all(passes(step, {"message": "aaa"}, partial="middle") for _ in range(3))


# ── for how long, and what is told ────────────────────────────────────────────────────────────────────


def test_after_the_window_the_last_repeat_is_told_and_a_new_window_begins() -> None:
    step = dedupe(30)
    assert passes(step, {"message": "a", "time": 0}, 0)
    assert not any(passes(step, {"message": "a", "time": second}, second) for second in (1, 5, 29))
    assert told(step, 29.9) == []
    assert not passes(step, {"message": "a", "time": 30.2}, 30.2), "told any moment now, and this one with it"
    assert told(step, 31) == [{"message": "a", "time": 30.2, "repeated": 4}]
    assert not passes(step, {"message": "a", "time": 40}, 40)
    assert told(step, 60) == []
    assert told(step, 61) == [{"message": "a", "time": 40, "repeated": 1}]
    assert told(step, 92) == []
    assert step.figures == {"keys": 0, "forgotten_keys": 0, "held_bytes": 0}


def test_what_never_repeats_is_forgotten_and_may_pass_again() -> None:
    step = dedupe(30)
    assert passes(step, {"message": "a"}, 0)
    assert passes(step, {"message": "a"}, 30), "also before anybody has looked"
    assert not passes(step, {"message": "a"}, 59)
    assert passes(step, {"message": "b"}, 59)
    assert told(step, 100) == [{"message": "a", "repeated": 1}]
    assert step.figures["keys"] == 1


def test_at_the_end_all_is_told() -> None:
    step = dedupe()
    for message in "abcab":
        passes(step, {"message": message})
    assert told(step, 1, ending=True) == [{"message": "a", "repeated": 1}, {"message": "b", "repeated": 1}]
    assert told(step, 100, ending=True) == []


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 20 * SECOND)), max_size=80), st.integers(1, 5))
def test_those_that_pass_and_those_that_are_told_are_all(events: list[tuple[str, int]], max_keys: int) -> None:
    step = dedupe(10, max_keys=max_keys, by=("message",))
    now, passed, repeated = 0, 0, 0
    for message, gap in events:
        now += gap
        passed += step.apply({"message": message}, Facts({}, now, {})) is not DISCARD
        if gap % 3 == 0:
            repeated += sum(overdue.document["repeated"] for overdue in step.overdue(now))
    repeated += sum(overdue.document["repeated"] for overdue in step.overdue(now, ending=True))
    assert passed + repeated == len(events)
    assert step.figures["held_bytes"] == 0


def test_when_it_happened_is_told_where_the_event_does_not_say() -> None:
    step = dedupe()
    for second, document in ((1, {"message": "a"}), (2, {"message": "a"}), (3, {"b": 1, "time": 5}), (4, {"b": 1})):
        passes(step, document, second, pod="x")
    passes(step, {"message": "c"}, written=7)
    passes(step, {"message": "c"}, written=8)
    assert told_of(step) == [{"pod": "x", "written": 2 * SECOND}, {"pod": "x", "written": 4 * SECOND}, {"written": 8}]


def test_the_time_of_the_event_itself_is_left_to_it() -> None:
    step = dedupe()
    for second in range(2):
        passes(step, {"message": "a", "time": "2026-03-01T12:00:00Z"}, second, pod="x")
    assert told_of(step) == [{"pod": "x"}]


def test_a_clock_that_is_set_back_keeps_nothing_for_ever() -> None:
    step = dedupe(30)
    assert passes(step, {"message": "a"}, 10_000)
    assert passes(step, {"message": "a"}, 0)
    assert not passes(step, {"message": "a"}, 1)
    assert passes(step, {"message": "b"}, 10_000)
    assert not passes(step, {"message": "b"}, 10_000)
    assert [document["message"] for document in told(step, 31)] == ["a", "b"]


# ── bounds ────────────────────────────────────────────────────────────────────────────────────────────


def test_too_many_keys_are_forgotten_but_their_repeats_are_told() -> None:
    step = dedupe(max_keys=2)
    assert [passes(step, {"message": message}) for message in "aabca"] == [True, False, True, True, True]
    assert step.figures == {"keys": 2, "forgotten_keys": 2, "held_bytes": len(b'{"message":"a"}')}
    assert told(step, 0) == [{"message": "a", "repeated": 1}]
    assert step.figures["held_bytes"] == 0


def test_forgotten_keys_are_bounded_too() -> None:
    step = dedupe(max_keys=1)
    for message in "aabbbcccc":
        passes(step, {"message": message})
    assert step.figures["keys"] == 1
    assert told(step, 0) == [{"message": "a", "repeated": 1}, {"message": BARE, "repeated": 2}]
    assert told(step, 0, ending=True) == [{"message": "c", "repeated": 3}]


def test_where_there_is_no_room_for_a_repeat_its_number_is_told() -> None:
    step = dedupe(memory=Size(20))
    for message in ("a", "a", "b" * 100, "b" * 100, "b" * 100):
        passes(step, {"message": message})
    assert step.figures["held_bytes"] <= 20
    assert told(step, 0, ending=True) == [{"message": "a", "repeated": 1}, {"message": BARE, "repeated": 2}]


def test_a_field_that_cannot_be_written_hides_no_number() -> None:
    step = dedupe(count_field="dedupe.count")
    for _ in range(2):
        passes(step, {"message": "a", "dedupe": 1})
    assert told(step, 0, ending=True) == [{"message": BARE, "dedupe": {"count": 1}}]


def test_nor_one_in_the_place_of_the_message() -> None:
    step = dedupe(count_field="message.n", memory=Size(0))
    for _ in range(2):
        passes(step, {"message": "a"})
    assert told(step, 0, ending=True) == [{"message": {"n": 1}}]


# ── in a chain ────────────────────────────────────────────────────────────────────────────────────────


def overdue(chain: Chain, **options: Any) -> list[tuple[Document, Attributes]]:
    return [
        (json.loads(payload), attributes)
        for (payload, _), attributes in chain.overdue(5 * SECOND, {"x": "y"}, **options)
    ]


def test_what_is_told_takes_the_steps_behind_and_is_counted() -> None:
    chain = Chain(steps_from("[{set: {n: 1}}, dedupe, {set: {told: '{n} {repeated}', x: '{resource.x}'}}]"))
    for _ in range(3):
        chain.apply(b"text", 0, Facts({"source": "app"}, SECOND, {}))
    assert overdue(chain) == []
    (event,) = overdue(chain, ending=True)
    assert event == (
        {"message": "text", "n": 1, "repeated": 2, "told": "1 2", "x": "y"},
        {"source": "app", "written": SECOND},
    )
    assert (chain.discarded, chain.added) == ({"dedupe": 2}, {"dedupe": 1})


def test_a_step_behind_may_take_it_out_or_keep_it_back() -> None:
    chain = Chain(steps_from("[dedupe, {discard: {when: repeated > 1}}]"))
    for _ in range(3):
        chain.apply(b"text", 0, Facts({}, SECOND, {}))
    assert overdue(chain, ending=True) == []
    assert chain.discarded == {"dedupe": 2, "discard": 1}


def test_steps_that_are_kept_do_not_end() -> None:
    steps = steps_from("[dedupe]")
    chain = Chain(steps)
    for _ in range(2):
        chain.apply(b"text", 0, Facts({}, SECOND, {}))
    assert overdue(chain, ending=True, kept=[steps[0][1]]) == []
    assert len(overdue(chain, ending=True)) == 1


def test_one_that_fails_to_tell_stops_nothing() -> None:
    class Mute(Dedupe):
        def overdue(self, now_ns: int, *, ending: bool = False) -> Iterator[Overdue]:
            yield Overdue({"told": 1}, {})
            raise KeyError("a secret")

    chain = Chain([("mute", Mute(DedupeConfig())), ("dedupe", dedupe())])
    for _ in range(2):
        chain.steps[1].apply({"message": "a"}, Facts({}, SECOND, {}))
    assert [document for document, _ in overdue(chain, ending=True)] == [{"told": 1}, {"message": "a", "repeated": 1}]
    assert (chain.failed, chain.reasons) == ({"mute": 1}, {"mute": "KeyError"})


def test_a_step_that_fails_behind_it_makes_no_repeat_of_an_event() -> None:
    chain = Chain(steps_from("[dedupe, {set: {a.b: 1}}, {set: {c: 2}}]"))
    facts = Facts({}, SECOND, {})
    ((payload, _),) = chain.apply(b'{"a":1}', 1, facts)
    assert json.loads(payload) == {"a": 1, "c": 2}
    assert (chain.failed, chain.discarded) == ({"set": 1}, {})
    assert chain.apply(b'{"a":1}', 1, facts) == []


def test_what_passes_stays_the_bytes_that_it_was() -> None:
    odd = b'{ "a":1.0e2, "b" : "\\u00e9" }'
    chain = Chain(steps_from("[dedupe, {throttle: {rate: 1/s}}, {set: {x: 1, when: a == 1}}]"))
    assert chain.apply(odd, 1, Facts({}, SECOND, {})) == [(odd, 1)]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("{window: 0s}", "window: must be more than 0"),
        ("{window: 30}", "expected a duration"),
        ("{by: [a], ignore: [b]}", "ignore: what is not in `by` does not matter anyway"),
        ("{by: [meta.strem]}", "did you mean"),
        ("{ignore: [meta.stream]}", "meta.stream cannot be ignored"),
        ("{by: []}", "by: expected a field, an attribute or a template, or a list of these"),
        ("{by: {a: b}}", "expected"),
        ("{max_keys: 0}", "max_keys"),
        ("{count_field: severity}", "severity cannot be set"),
        ("{windw: 3s}", "unknown key 'windw'"),
    ],
)
def test_mistakes(mistake, options, problem):
    assert problem in mistake(f"dedupe: {options}")
