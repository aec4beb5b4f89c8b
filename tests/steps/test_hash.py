"""Hashes: those of the standards, the same for equal values, of one field or of several."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from typing import Any

import pytest
from hypothesis import given

from logrouter.documents import encode_document
from logrouter.steps.hash import Hash, HashConfig
from logrouter.values import Secret
from tests.steps.conftest import FACTS
from tests.strategies import values

KEY = "sixteen letters!"


def hashed(*fields: str, **options: Any) -> Any:
    """The values of `h`, of events hashed so."""
    step = Hash(HashConfig(fields=fields, **options))

    def apply(document: dict[str, Any]) -> dict[str, Any]:
        step.apply(document, FACTS)
        return document

    return apply


@given(values)
def test_they_are_those_of_the_standards(value: Any) -> None:
    text = value.encode() if isinstance(value, str) else encode_document({"": value})[4:-1]
    assert hashed("a", digits=64)({"a": value}) == {"a": hashlib.sha256(text).hexdigest()}
    keyed = hmac.digest(KEY.encode(), text, "sha256").hex()
    assert hashed("a", key=Secret(KEY))({"a": value, "b": value}) == {"a": keyed[:20], "b": value}


def test_it_is_the_hash_that_redact_writes(change: Any) -> None:
    document = {"user": "ann@example.com"}
    redacted = change(f"redact: {{fields: [user], with: hash, key: '{KEY}'}}", document)["user"]
    assert redacted == f"[hash:{change(f'hash: {{fields: [user], key: {KEY!r}}}', document)['user']}]"


def test_each_field_is_hashed_where_it_is(change: Any) -> None:
    made = change("hash: [a.b, c, d]", {"a": {"b": "x"}, "c": "x", "e": 1})
    assert made == {"a": {"b": made["c"]}, "c": made["c"], "e": 1}


def test_one_of_several_tells_apart_what_differs() -> None:
    fingerprint = hashed("a", "b", into="h")
    events = [{"a": "x", "b": "y"}, {"a": "xy", "b": ""}, {"a": "x"}, {"b": "x"}, {"a": "x", "b": "y", "c": 1}]
    hashes = [fingerprint(dict(event))["h"] for event in events]
    assert len(set(hashes)) == 4
    assert hashes[0] == hashes[4]
    assert fingerprint({"a": "x", "b": None})["h"] == hashes[2]
    assert hashes[0] == hashlib.sha256(b'["x","y"]').hexdigest()[:20]


def test_one_of_one_is_that_fields_own() -> None:
    assert hashed("a", into="b.h")({"a": "x"}) == {"a": "x", "b": {"h": hashlib.sha256(b"x").hexdigest()[:20]}}


def test_an_event_that_has_none_of_the_fields_is_left_alone() -> None:
    assert hashed("a", "b", into="h")({"c": 1}) == {"c": 1}
    assert hashed("a")({"c": 1}) == {"c": 1}


def test_buckets_are_all_there_and_about_as_full() -> None:
    spread = hashed("a", into="h", buckets=10)
    counts = Counter(spread({"a": n})["h"] for n in range(2000))
    assert sorted(counts) == list(range(10))
    assert all(140 < count < 260 for count in counts.values())


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("hash: {}", "fields"),
        ("hash: []", "expected at least one field to hash"),
        ("hash: {fields: [a], digits: 3}", "digits: expected 4 to 64, not 3"),
        ("hash: {fields: [a], buckets: 1}", "buckets: expected 2 or more, not 1"),
        ("hash: {fields: [a], key: ''}", "key: expected some text"),
        ("hash: {fields: [a, a.b]}", "a.b is inside a"),
        ("hash: {fields: [a], into: severity}", "severity cannot be set"),
        ("hash: {fields: [meta.file]}", "no field of the event"),
    ],
)
def test_what_is_wrong_is_said(mistake: Any, yaml: str, problem: str) -> None:
    assert problem in mistake(yaml)


@pytest.mark.parametrize(
    ("config", "warned"),
    [
        (HashConfig(fields=("a",)), "without a key"),
        (HashConfig(fields=("a",), key=Secret("short")), "fewer than 16 characters"),
        (HashConfig(fields=("a",), key=Secret(KEY)), None),
        (HashConfig(fields=("a",), into="h"), None),
    ],
)
def test_what_may_not_be_meant_is_warned_of(config: HashConfig, warned: str | None) -> None:
    found = Hash.warnings(config)
    assert [warned in text for text in found if warned] == ([True] if warned else [])
    assert bool(found) is bool(warned)
