from __future__ import annotations

from hashlib import blake2b

import pytest

from logrouter.steps import DISCARD
from logrouter.steps.sample import Sample, SampleConfig


def sample(**options):
    return Sample(SampleConfig(**options))


def kept(step, documents, facts):
    return [document for document in documents if step.apply(document, facts) is not DISCARD]


def test_by_is_the_documented_hash(facts):
    values = [f"trace-{number}" for number in range(500)]
    expected = [
        value
        for value in values
        if int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), "big") / 2**64 < 0.2
    ]
    assert [
        document["id"] for document in kept(sample(keep=0.2, by="id"), [{"id": v} for v in values], facts)
    ] == expected


def test_by_keeps_together_across_processes_and_shares(facts):
    documents = [{"id": number % 50} for number in range(500)]
    at_5, again, at_20 = (
        {document["id"] for document in kept(sample(keep=keep, by="id"), [dict(d) for d in documents], facts)}
        for keep in (0.05, 0.05, 0.2)
    )
    assert at_5 == again
    assert at_5 <= at_20


@pytest.mark.parametrize("document", [{}, {"id": None}, {"id": ""}, {"other": 1}])
def test_without_the_field_an_event_is_kept_as_it_is(document, facts):
    before = dict(document)
    assert sample(keep=1e-9, by="id").apply(document, facts) is None
    assert document == before


@pytest.mark.parametrize("value", ["é", 1, 1.5, True, [1, {"a": None}], {"a": 1}, 10**30])
def test_by_any_value(value, facts):
    assert sample(keep=1, by="id").apply({"id": value}, facts) is None
    assert sample(keep=1e-9, by="id").apply({"id": value}, facts) is DISCARD


def test_by_an_attribute(facts):
    assert sample(keep=1e-9, by="meta.stream").apply({}, facts) is DISCARD


@pytest.mark.parametrize(
    ("by", "text"), [("{id}-{n}", "é-7"), (("id", "n"), "é\x007"), (("id", "x"), "é\0"), (("id",), "é")]
)
def test_what_is_hashed_of_a_template_and_of_several_fields(by, text, facts):
    place = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64
    for keep, outcome in ((place * 1.001, None), (place * 0.999, DISCARD)):
        assert sample(keep=keep, by=by).apply({"id": "é", "n": 7}, facts) is outcome
    assert sample(keep=1e-9, by=("x", "y")).apply({"id": "é"}, facts) is None, "nothing in any"


@pytest.mark.parametrize("keep", [0.05, 0.3, 0.5, 0.99, 1])
def test_without_by_the_part_is_right_in_any_run(keep, facts):
    step = sample(keep=keep)
    for _ in range(5):
        assert abs(len(kept(step, [{"a": 1} for _ in range(1000)], facts)) - 1000 * keep) <= 8


def test_without_by_no_rhythm_of_the_log_is_favoured(facts):
    step = sample(keep=0.5)
    rest = kept(step, [{"kind": number % 2} for number in range(2000)], facts)
    assert abs(sum(document["kind"] for document in rest) - 500) <= 10


def test_first_events_of_different_processes_fare_differently(facts):
    firsts = [sample(keep=0.5).apply({"pid": pid}, facts) for pid in range(200)]
    assert 70 < firsts.count(DISCARD) < 130


@pytest.mark.parametrize(
    ("before", "rate"),
    [
        ({}, 0.5),
        ({"sample_rate": 0.5}, 0.25),
        ({"sample_rate": 1}, 0.5),
        ({"sample_rate": 20}, 0.5),
        ({"sample_rate": True}, 0.5),
    ],
)
def test_the_rate_is_written(before, rate, facts):
    step = sample(keep=0.5)
    step._place = -0x9E3779B97F4A7C15 % 2**64  # the next is 0
    assert step.apply(before, facts) is None
    assert before == {"sample_rate": rate}


@pytest.mark.parametrize("keep", ["0", "-1", "1.01"])
def test_keep_is_a_part(mistake, keep):
    assert "more than 0 and at most 1" in mistake(f"sample: {{keep: {keep}}}")


def test_mistakes(mistake):
    assert "needs 'keep'" in mistake("sample: {by: x}")
    assert "meta.host cannot be set" in mistake("sample: {keep: 1, rate_field: meta.host}")
