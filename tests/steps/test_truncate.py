"""Texts that are cut: never longer than was said, never in the midst of a character, and it is told what is missing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.documents import Document, encode_document
from logrouter.event import Flag
from logrouter.steps import Incomplete
from logrouter.steps.truncate import Truncate, TruncateConfig
from logrouter.values import Size
from tests.steps.conftest import FACTS
from tests.strategies import documents

texts = st.text(st.sampled_from('aé€😀\n\0"'), max_size=80)


@given(texts, st.integers(22, 60))
def test_a_text_has_no_more_bytes_than_was_said(text: str, size: int) -> None:
    document = {"message": text}
    Truncate(TruncateConfig(size=Size(size), count="n")).apply(document, FACTS)
    after = document["message"]
    if len(text.encode()) <= size:
        assert document == {"message": text}
        return
    found = re.fullmatch(r"(.*)… (\d+) more", after, re.DOTALL)
    assert found is not None
    assert text.startswith(found[1])
    assert document["n"] == int(found[2]) == len(text.encode()) - len(found[1].encode())
    assert size - 8 <= len(after.encode()) <= size


@pytest.mark.parametrize("character", "é€😀")
def test_a_character_that_is_cut_off_whole_may_make_the_numbers_longer(character: str) -> None:
    """From 99 bytes to 100 and more: four numbers, and perhaps one byte less of the text."""
    text = character * 80
    for size in range(55, len(text.encode())):
        document = {"message": text}
        Truncate(TruncateConfig(size=Size(size), marker="{n} {n} {n} {n}")).apply(document, FACTS)
        assert len(document["message"].encode()) <= size


@given(texts, st.integers(20, 60))
def test_a_text_has_no_more_characters_than_was_said(text: str, characters: int) -> None:
    document = {"message": text}
    Truncate(TruncateConfig(characters=characters, count="n")).apply(document, FACTS)
    after = document["message"]
    if len(text) <= characters:
        assert document == {"message": text}
        return
    found = re.fullmatch(r"(.*)… (\d+) more", after, re.DOTALL)
    assert found is not None
    assert text.startswith(found[1])
    assert int(found[2]) == len(text) - len(found[1])
    assert document["n"] == len(text.encode()) - len(found[1].encode())
    assert characters - 2 <= len(after) <= characters


holders = st.recursive(
    texts | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)


def leaves(value: Any) -> list[str]:
    """All texts in it."""
    if isinstance(value, dict | list):
        return [text for inner in (value.values() if isinstance(value, dict) else value) for text in leaves(inner)]
    return [value] if isinstance(value, str) else []


@given(st.dictionaries(st.sampled_from("abcd"), holders, max_size=4), st.integers(60, 400), st.booleans())
def test_an_event_is_no_larger_than_was_said_or_marked(document: Document, size: int, counts: bool) -> None:
    before = encode_document(document)
    step = Truncate(TruncateConfig(event=Size(size), count="n" if counts else None))
    try:
        step.apply(document, FACTS)
    except Incomplete:  # all texts are as short as they can be, and it is too large all the same
        document.pop("n", None)
        assert all(len(json.dumps(text)) <= 6 * 22 + 2 for text in leaves(document))
        assert len(encode_document(document)) > size - 30
        return
    after = encode_document(document)
    assert len(after) <= size
    if len(before) <= size - 30:
        assert after == before


def test_the_longest_texts_are_cut_to_the_same_length(change: Any) -> None:
    document = {"short": "x" * 50, "a": ["y" * 500], "b": {"c": "z" * 300}, "n": 1}
    made = change("truncate: {event: 400B}", document)
    assert made["short"] == document["short"]
    assert made["n"] == 1
    assert len(made["a"][0]) == len(made["b"]["c"])
    assert 390 <= len(encode_document(made)) <= 400
    assert made["a"][0].endswith(f"… {500 - made['a'][0].count('y')} more")


@pytest.mark.parametrize("text", ["\0" * 3000, "a" * 300 + "\0" * 300, "\0" * 300 + "a" * 300, '"' * 1000, "é" * 500])
def test_what_takes_more_room_escaped_is_cut_enough(change: Any, text: str) -> None:
    made = change("truncate: {event: 200B}", {"a": text})
    assert len(encode_document(made)) <= 200
    assert made["a"][0] == text[0]


def test_an_event_that_no_cut_makes_small_enough_is_marked(chain: Any) -> None:
    payload = encode_document({"a": "x" * 100, **{f"number {n}": n for n in range(50)}})
    steps = chain("- truncate: {event: 200B}")
    ((after, flags),) = steps.apply(payload, Flag.JSON, FACTS)
    assert flags == Flag.JSON | Flag.STEP_FAILED
    assert after.startswith(b'{"a":"xxx')
    assert len(after) < len(payload) - 70
    assert steps.failed == {"truncate": 1}


def test_lines_of_text_stay_text(chain: Any) -> None:
    assert chain("- truncate: {size: 24B}").apply(b"x" * 30, 0, FACTS) == [("xxxxxxxxxxxxx… 17 more".encode(), 0)]
    ((counted, flags),) = chain("- truncate: {size: 24B, count: n}").apply(b"x" * 30, 0, FACTS)
    assert (counted[-8:], flags) == (b',"n":17}', Flag.JSON)


@given(documents)
def test_what_is_no_text_stays(document: Document) -> None:
    before = {key: value for key, value in document.items() if not isinstance(value, str)}
    Truncate(TruncateConfig(fields=("a", "b", "c", "message"), size=Size(22))).apply(document, FACTS)
    assert {key: document[key] for key in before} == before


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("truncate: {}", "expected size, characters or event"),
        ("truncate: {fields: [a], event: 1KiB}", "fields: they need size or characters"),
        ("truncate: {size: 30B, characters: 30}", "expected size or characters, not both"),
        ("truncate: {size: 9B}", "size: expected 22B or more, as the marker may take so many"),
        ("truncate: {characters: 5}", "characters: expected 20 or more, as the marker may take so many"),
        ("truncate: {event: 23B}", "event: expected 24B or more, as what tells of the cut may take so many"),
        ("truncate: {event: 48B, count: a.b}", "event: expected 49B or more"),
        ("truncate: 20", "expected a mapping, not '20' (with: characters, count, event, fields, marker, size, when)"),
        ("truncate: {size: 1KiB, count: severity}", "severity cannot be set"),
    ],
)
def test_what_is_wrong_is_said(mistake: Any, yaml: str, problem: str) -> None:
    assert problem in mistake(yaml)
