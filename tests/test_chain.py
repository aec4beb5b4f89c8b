"""Several steps on one event, the slow way: order, conditions, discards, and what happens when one fails."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.chain import FIRST_DISCARD, TOUCHED, UNTOUCHED, Chain
from logrouter.compiling import Generator
from logrouter.documents import Document, encode_document
from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.projection import Projection
from logrouter.rules import Rule
from logrouter.steps import DISCARD, Incomplete, Outcome, Step, StepConfig
from tests.steps.conftest import steps_from
from tests.strategies import documents

FACTS = Facts({"source": "app"}, 1_700_000_000_000_000_000, {})


class Refusing(Step[StepConfig]):
    """Changes the event, and then raises."""

    Config = StepConfig

    def apply(self, document: Document, facts: Facts) -> None:
        document["spoilt"] = True
        document.pop("level", None)
        raise KeyError("out of order")


class RefusingClosed(Refusing):
    """The same, where nothing of the event may pass."""

    fails_closed = True
    placeholder: ClassVar[Document] = {"message": "[out of order]"}


class Unwritable(Step[StepConfig]):
    """Leaves something that is no JSON."""

    Config = StepConfig

    def apply(self, document: Document, facts: Facts) -> None:
        document["spoilt"] = object()


class Remembering(Step[StepConfig]):
    """Takes out what it has seen, and writes down which event this is: from the fifth on it cannot be done."""

    Config = StepConfig
    decides: ClassVar[bool] = True

    def __init__(self, config: StepConfig) -> None:
        super().__init__(config)
        self.seen: list[str] = []

    def apply(self, document: Document, facts: Facts) -> Outcome:
        text = repr(document)
        self.seen.append(text)
        document["seen"] = len(self.seen)
        if len(self.seen) > 4:
            raise RuntimeError("full")
        return DISCARD if text in self.seen[:-1] else None


class Dividing(Step[StepConfig]):
    """Makes an event of each element of `a`, and of no elements none; of one, something else than JSON."""

    Config = StepConfig
    decides: ClassVar[bool] = True

    def apply(self, document: Document, facts: Facts) -> Outcome:
        elements = document.get("a")
        if not isinstance(elements, list):
            return None
        return [document | {"a": element if element != "bad" else object()} for element in elements]


class Halting(Step[StepConfig]):
    """Does a part of what there is to do."""

    Config = StepConfig

    def apply(self, document: Document, facts: Facts) -> None:
        document["half"] = "done"
        raise Incomplete


class HaltingClosed(Halting):
    """The same, where nothing of the event may pass."""

    fails_closed: ClassVar[bool] = True
    placeholder: ClassVar[Document] = {"message": "[half done]"}


REFUSING = ("refusing", Refusing(StepConfig()))
REFUSING_CLOSED = ("closed", RefusingClosed(StepConfig()))
UNWRITABLE = ("unwritable", Unwritable(StepConfig()))
DIVIDING = ("dividing", Dividing(StepConfig()))
HALTING = ("halting", Halting(StepConfig()))


def chain_of(yaml: str) -> Chain:
    return Chain(steps_from(yaml))


def with_failing(before: str, failing: tuple[str, Step[Any]], after: str) -> Chain:
    return Chain([*(steps_from(before) if before else ()), failing, *steps_from(after)])


def changed(chain: Chain, document: Document) -> Document:
    ((payload, flags),) = chain.apply(encode_document(document), Flag.JSON, FACTS)
    assert flags == Flag.JSON
    decoded: Document = json.loads(payload)
    return decoded


# ── in order ──────────────────────────────────────────────────────────────────────────────────────────


def test_each_step_sees_what_the_one_before_left() -> None:
    chain = chain_of("- rename: {level: severity}\n- set: {seen: '{severity}'}\n- remove: [severity]")
    assert changed(chain, {"level": "error"}) == {"seen": "error"}


def test_conditions_are_asked_of_the_event_as_it_is_then() -> None:
    chain = chain_of("- set: {a: 2}\n- set: {b: 1, when: a == 1}\n- set: {c: 1, when: a == 2}")
    assert changed(chain, {"a": 1}) == {"a": 2, "c": 1}


def test_after_a_discard_no_step_runs() -> None:
    chain = chain_of("- set: {a: 1}\n- discard: {when: a == 1}\n- sample: {keep: 0.000001}")
    assert chain.apply(b"{}", Flag.JSON, FACTS) == []
    assert chain.discarded == {"discard": 1}


def test_facts_are_read() -> None:
    chain = chain_of("- discard: {when: meta.source == 'other'}\n- set: {x: 1, when: meta.source == 'app'}")
    assert changed(chain, {}) == {"x": 1}


# ── text ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("yaml", "payload", "flags", "expected"),
    [
        ("- remove: [level]", b"text", 0, (b"text", 0)),
        ("- remove: [level]", b"\xff", Flag.INVALID_UTF8, (b"\xff", Flag.INVALID_UTF8)),
        ("- set: {message: other}", b"text", 0, (b"other", 0)),
        ("- set: {message: other}", b"\xff", Flag.INVALID_UTF8, (b"other", 0)),
        ('- set: {message: "two\\n lines"}', b"text", 0, (b'{"message":"two\\n lines"}', Flag.JSON)),
        ("- set: {message: ''}", b"text", 0, (b'{"message":""}', Flag.JSON)),
        ("- set: {message: 5}", b"text", 0, (b'{"message":5}', Flag.JSON)),
        ("- set: {a: 1}", b"text", 0, (b'{"message":"text","a":1}', Flag.JSON)),
        ("- set: {a: 1}", b"text", Flag.PARTIAL_START, (b'{"message":"text","a":1}', Flag.JSON | Flag.PARTIAL_START)),
        ("- remove: [message]", b"text", 0, (b"{}", Flag.JSON)),
    ],
)
def test_text_stays_text_while_it_can(yaml: str, payload: bytes, flags: int, expected: tuple[bytes, int]) -> None:
    assert chain_of(yaml).apply(payload, flags, FACTS) == [expected]


# ── a step that fails ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("failing", [REFUSING, UNWRITABLE], ids=["raises", "leaves no JSON"])
def test_a_failing_step_leaves_the_event_as_it_got_it(failing: tuple[str, Step[Any]]) -> None:
    chain = with_failing("- set: {before: 1}", failing, "- set: {after: 1}")
    assert chain.apply(b'{"level":"error"}', Flag.JSON, FACTS) == [
        (b'{"level":"error","before":1,"after":1}', Flag.JSON | Flag.STEP_FAILED)
    ]
    assert chain.failed == {failing[0]: 1}
    assert chain.discarded == {}


@pytest.mark.parametrize("others", [[], [REFUSING]], ids=["alone", "beside one that fails"])
def test_a_step_that_could_do_a_part_leaves_that(others: list[tuple[str, Step[Any]]]) -> None:
    chain = Chain([*others, HALTING, *steps_from("- set: {after: 1, when: half == 'done'}")])
    assert chain.apply(b'{"level":"error"}', Flag.JSON, FACTS) == [
        (b'{"level":"error","half":"done","after":1}', Flag.JSON | Flag.STEP_FAILED)
    ]
    assert chain.failed == dict.fromkeys([*(name for name, _ in others), "halting"], 1)
    assert chain.change_all([b"{}"], FACTS) == [None]


def test_where_it_fails_closed_a_part_is_not_enough() -> None:
    chain = Chain([("closed", HaltingClosed(StepConfig())), *steps_from("- set: {after: 1}")])
    assert chain.apply(b"{}", Flag.JSON, FACTS) == [(b'{"message":"[half done]"}', Flag.JSON | Flag.STEP_FAILED)]
    assert chain.failed == {"closed": 1}


def test_it_is_counted_though_the_event_is_discarded_then() -> None:
    chain = with_failing("- set: {before: 1}", HALTING, "- discard: {when: half == 'done'}")
    assert chain.apply(b"{}", Flag.JSON, FACTS) == []
    assert (chain.failed, chain.discarded) == ({"halting": 1}, {"discard": 1})


def test_a_failing_step_leaves_text_as_it_was() -> None:
    chain = Chain([REFUSING])
    assert chain.apply(b"te\xffxt", Flag.INVALID_UTF8, FACTS) == [(b"te\xffxt", Flag.INVALID_UTF8 | Flag.STEP_FAILED)]


def test_where_it_fails_closed_nothing_of_the_event_passes() -> None:
    chain = with_failing("- set: {before: 1}", REFUSING_CLOSED, "- set: {after: 1}")
    assert chain.apply(b'{"card":"4111"}', Flag.JSON, FACTS) == [
        (b'{"message":"[out of order]"}', Flag.JSON | Flag.STEP_FAILED)
    ]
    assert chain.failed == {"closed": 1}


def test_an_event_on_which_one_failed_can_still_be_discarded_and_is_counted_once() -> None:
    chain = with_failing("- set: {before: 1}", REFUSING, "- discard: {when: before == 1}")
    assert chain.apply(b"{}", Flag.JSON, FACTS) == []
    assert (chain.failed, chain.discarded) == ({"refusing": 1}, {"discard": 1})


UNREADABLE = b'{"a":'
"""Stands for an object that the decoder skips but does not read: one nested just too deep."""


def test_an_event_that_cannot_be_read_passes_unchanged_and_marked() -> None:
    chain = chain_of("- set: {x: 1}\n- discard: {when: x == 1}")
    assert chain.apply(UNREADABLE, Flag.JSON, FACTS) == [(UNREADABLE, Flag.JSON | Flag.STEP_FAILED)]
    assert chain.failed == {"set": 1, "discard": 1}


def test_an_event_that_cannot_be_read_is_replaced_where_it_would_be_redacted() -> None:
    chain = chain_of("- set: {x: 1}\n- redact: {patterns: [card]}")
    result = chain.apply(UNREADABLE, Flag.JSON, FACTS)
    assert result == [(b'{"message":"[redaction failed]","redact_failed":true}', Flag.JSON | Flag.STEP_FAILED)]


# ── a step that decides ───────────────────────────────────────────────────────────────────────────────


def test_each_event_that_a_step_has_made_goes_on_by_itself() -> None:
    chain = with_failing("- set: {n: 1}", DIVIDING, "- discard: {when: a == 2}\n- set: {three: true, when: a == 3}")
    assert chain.apply(b'{"a":[1,2,3]}', Flag.JSON, FACTS) == [
        (b'{"a":1,"n":1}', Flag.JSON),
        (b'{"a":3,"n":1,"three":true}', Flag.JSON),
    ]
    assert (chain.added, chain.discarded, chain.failed) == ({"dividing": 2}, {"discard": 1}, {})


def test_they_can_be_divided_again() -> None:
    chain = Chain([DIVIDING, ("again", DIVIDING[1])])
    made = chain.apply(b'{"a":[[1,2],3,[],[4]]}', Flag.JSON, FACTS)
    assert made == [(b'{"a":%d}' % n, Flag.JSON) for n in (1, 2, 3, 4)]
    assert (chain.added, chain.discarded) == ({"dividing": 3, "again": 1}, {"again": 1})


def test_an_event_of_which_none_was_made_has_been_taken_out() -> None:
    chain = Chain([DIVIDING])
    assert chain.apply(b'{"a":[]}', Flag.JSON, FACTS) == []
    assert (chain.added, chain.discarded) == ({}, {"dividing": 1})


def test_what_is_made_of_text_is_text_where_it_can_be() -> None:
    chain = with_failing("- set: {a: [1, 2], when: message == 'two'}", DIVIDING, "- remove: [a]")
    assert chain.apply(b"one", 0, FACTS) == [(b"one", 0)]
    assert chain.apply(b"two", Flag.PARSE_ERROR, FACTS) == [
        (b'{"message":"two"}', Flag.JSON | Flag.PARSE_ERROR),
        (b'{"message":"two"}', Flag.JSON | Flag.PARSE_ERROR),
    ]


def test_of_what_cannot_be_written_the_event_is_left_as_it_was() -> None:
    chain = with_failing("- set: {before: 1}", DIVIDING, "- set: {after: 1}")
    assert chain.apply(b'{"a":[1,"bad"]}', Flag.JSON, FACTS) == [
        (b'{"a":[1,"bad"],"before":1,"after":1}', Flag.JSON | Flag.STEP_FAILED)
    ]
    assert (chain.failed, chain.added) == ({"dividing": 1}, {})


def test_where_one_of_several_fails_the_others_are_as_if_it_had_not() -> None:
    chain = with_failing("", DIVIDING, "- set: {a.b: 1}\n- set: {after: 1}")
    assert chain.apply(b'{"a":[1,{}]}', Flag.JSON, FACTS) == [
        (b'{"a":1,"after":1}', Flag.JSON | Flag.STEP_FAILED),
        (b'{"a":{"b":1},"after":1}', Flag.JSON),
    ]


@pytest.mark.parametrize("failing", [REFUSING, UNWRITABLE, REFUSING_CLOSED], ids=lambda failing: failing[0])
@pytest.mark.parametrize("before", [True, False])
def test_no_event_is_shown_twice_to_a_step_that_remembers(failing: tuple[str, Step[Any]], before: bool) -> None:
    remembering = Remembering(StepConfig())
    chain = Chain([failing, ("seen", remembering)] if before else [("seen", remembering), failing])
    for n in range(6):
        chain.apply(b'{"n":%d}' % n, Flag.JSON, FACTS)
    assert len(remembering.seen) == (0 if before and failing is REFUSING_CLOSED else 6)
    assert chain.discarded == {}


def test_what_has_failed_after_it_leaves_what_it_wrote() -> None:
    chain = Chain([("seen", Remembering(StepConfig())), REFUSING])
    assert chain.apply(b"{}", Flag.JSON, FACTS) == [(b'{"seen":1}', Flag.JSON | Flag.STEP_FAILED)]


def test_text_that_may_hide_what_is_redacted_is_withheld_whatever_decides_before() -> None:
    chain = with_failing("", ("seen", Remembering(StepConfig())), "- redact: {fields: [password]}")
    ((payload, _),) = chain.apply(b'{"password":"x","n":NaN}', 0, FACTS)
    assert b'"x"' not in payload


# ── on whole chunks ───────────────────────────────────────────────────────────────────────────────────

CHANGING = (
    "- set: {a: 1}",
    "- rename: {a: b}\n- set: {c: '{b}', when: exists(b)}",
    "- discard: {when: a == 1}\n- remove: [http.status, level]",
    "- redact: {fields: [a], patterns: ['e+']}",
    "- redact: {patterns: [all]}",
    "- redact: {patterns: [ipv4, email]}\n- set: {x: 1, when: exists(a)}",
    "- parse: {with: auto, when: a != 1}\n- parse: {with: json, field: a}\n- convert: {http.status: int}",
    "- keep_only: [a, http.status]",
    "- set: {x: 1, when: exists(a)}\n- rename: {a: b}\n- remove: [level, c]\n- redact: {fields: [b, message]}",
)


@pytest.mark.parametrize("yaml", CHANGING)
def test_a_chunk_is_changed_as_each_of_its_events(yaml: str) -> None:
    steps = steps_from(yaml)

    @settings(max_examples=6, deadline=None)
    @given(st.lists(documents, min_size=1, max_size=4))
    def check(several: list[Document]) -> None:
        payloads = [encode_document(document) for document in several]
        chain = Chain(steps)
        single = [chain.apply(payload, Flag.JSON, FACTS) for payload in payloads]
        kept = [payload for payload, result in zip(payloads, single, strict=True) if result]
        expected = [event for result in single for event in result]
        together = chain.change_all(kept, FACTS)
        if None in together:  # one of them failed: each must be looked at
            assert any(flags & Flag.STEP_FAILED for _, flags in expected)
        else:
            assert [(payload, Flag.JSON) for payload in together] == expected

    check()


def test_where_one_event_fails_or_may_be_discarded_no_whole_chunk_is_changed() -> None:
    assert Chain([REFUSING]).change_all([b"{}"], FACTS) == [None]
    assert Chain([UNWRITABLE]).change_all([b"{}"], FACTS) == [None]
    assert chain_of("- set: {a: 1}\n- discard: {when: a == 2}").change_all([b"{}"], FACTS) == [None]
    assert chain_of("- sample: {keep: 1}").change_all([b"{}"], FACTS) == [None]
    assert Chain([DIVIDING]).change_all([b"{}"], FACTS) == [None]


def test_events_that_cannot_be_read_or_on_which_a_step_fails_do_not_keep_others_from_being_changed() -> None:
    payloads = [b"{}", UNREADABLE, b'{"b":2}', b"[]", b"text"]
    assert chain_of("- set: {a: 1}").change_all(payloads, FACTS) == [b'{"a":1}', None, b'{"b":2,"a":1}', None, None]
    failing = [b'{"http":1}', *[b"{}"] * 300]
    changed = chain_of("- set: {http.status: 1}\n- set: {a: 1}").change_all(failing, FACTS)
    assert changed == [None, *[b'{"http":{"status":1},"a":1}'] * 300]
    unwritable = with_failing("", UNWRITABLE, "- set: {a: 1}").change_all([b"{}"] * 130, FACTS)
    assert unwritable == [None] * 130


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("- set: {a: 1}", [TOUCHED, TOUCHED, TOUCHED]),
        ("- set: {a: 1, when: n == 1}", [UNTOUCHED, TOUCHED, UNTOUCHED]),
        ("- discard: {when: n == 0}\n- discard: {when: n <= 1}", [FIRST_DISCARD, FIRST_DISCARD + 1, UNTOUCHED]),
        ("- discard: {when: n == 0}\n- set: {a: 1, when: n <= 1}", [FIRST_DISCARD, TOUCHED, UNTOUCHED]),
        ("- set: {a: 1, when: n == 2}\n- discard: {when: n == 0}", [TOUCHED, UNTOUCHED, TOUCHED]),
    ],
)
def test_verdicts(yaml: str, expected: list[int]) -> None:
    chain = chain_of(yaml)
    projection = Projection(chain.references)
    rows = projection.rows([b'{"n":%d}' % n for n in range(3)], bytes([Flag.JSON]) * 3)
    assert Generator(projection, {}).verdicts(chain)(rows, FACTS) == expected


def test_what_a_chain_reads_is_what_its_conditions_read() -> None:
    chain = chain_of("- set: {a: '{b}', when: n == 1 and meta.stream == 'x'}\n- remove: [c]")
    assert chain.references == Rule.parse("n == 1 and meta.stream == 'x'").references
