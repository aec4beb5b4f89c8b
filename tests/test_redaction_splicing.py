"""Redacting JSON as it is written gives what parsing, redacting and writing gives; and clues miss nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logrouter.chain import Chain
from logrouter.documents import decode_plain, encode_document
from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.redaction import PRESETS, Scrubber, detectors, redacted_lines
from logrouter.redaction._clues import Clues
from logrouter.redaction._detector import Detector
from logrouter.redaction._keys import _VENDORS
from logrouter.steps.redact import Redact, RedactConfig
from tests.strategies import hostile_lines, json_lines
from tests.test_redaction import HOSTILE
from tests.test_redaction_vectors import VECTORS, WRAPPED

FACTS = Facts({}, 0, {})
SECRETS = [text for vectors in VECTORS.values() for text in vectors]
SECRETS += [shape.format(secret) for pairs in WRAPPED.values() for shape, secret in pairs]
PIECES = [
    *SECRETS,
    *HOSTILE,
    "Bearer ",
    "basic ",
    "'",
    "/",
    "é",
    "\u017f",
    "\u212a",
    '"',
    "\\",
    "\n",
    "\t",
    "x",
    "2026-11-23 12",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=4).map("".join)
whole = st.sampled_from(SECRETS)
numbers = st.sampled_from(
    [
        4111111111111111,
        4111111111111111.0,
        1700000000000,
        42e14,
        4.111111111111111e15,
        10**30,
        -5555555555554444,
        0,
        1.5,
    ]
)
KEYS = [
    "a",
    "b",
    "message",
    "password",
    "x_token",
    "pa\u017f\u017fword",
    "a b",
    "key",
    "jane@example.com",
    'q"',
    "\\u0040",
]
values = st.recursive(
    texts | whole | numbers | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | texts, inner, max_size=3),
    max_leaves=5,
)
documents = st.dictionaries(st.sampled_from(KEYS) | texts, values, max_size=4)


def scrubber(*patterns: str) -> Scrubber:
    return Scrubber(detectors(patterns), lambda text, name: f"[redacted:{name}]")


@st.composite
def spelled(draw: st.DrawFn) -> bytes:
    """A document as some library or other writes it: with more escapes, blanks, or exponents than others."""
    document = draw(documents)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r ")]))
    written = json.dumps(document, ensure_ascii=draw(st.booleans()), separators=separators)
    if draw(st.booleans()):
        written = written.replace("/", r"\/")
    if escaped := draw(st.sets(st.sampled_from("@.:-_ae41=/ "), max_size=2)):
        parts = re.split(r'("(?:[^"\\]|\\.)*")', written)
        written = "".join(_by_number(part, escaped) if part.startswith('"') else part for part in parts)
    elif draw(st.booleans()):
        written = re.sub(r"(?<=[\[: ,])([0-9])([0-9]{3,14})(?=[,\]} ])", _with_exponent, written)
    return draw(st.sampled_from(["", " ", "\t"])).encode() + written.encode("utf-8", "surrogatepass")


def _by_number(string: str, characters: set[str]) -> str:
    pieces = re.findall(r"\\u....|\\.|[^\\]", string, re.DOTALL)
    return "".join(f"\\u{ord(piece):04x}" if piece in characters else piece for piece in pieces)


def _with_exponent(match: re.Match[str]) -> str:
    return f"{match[1]}.{match[2]}E+{len(match[2])}"


def is_fit(line: bytes) -> bool:
    """Whether it may be given to a step that splices."""
    try:
        line.decode()
        return b"\n" not in line and isinstance(decode_plain(line), dict)
    except (ValueError, RecursionError):
        return False


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(
    st.lists(spelled() | json_lines | hostile_lines, max_size=5),
    st.sampled_from([("all",), ("email", "card"), ("ipv4",)]),
)
@example([b'{"a":42e14,"b":[4.2E15,42e+14,-42e14]}'], ("all",))
@example([b'{"a":"\\u0061@b.de","b\\u0040c.de":1}', b'{"m":"\\\\u0040","n":"a\\\\u0040b.de"}'], ("all",))
@example([b'{"a":"x\\nDE89370400440532013000","b":"\\\\DE89370400440532013000"}'], ("all",))
@example([b'{"a":"\\"a@b.de\\"","b":"c@d.de\\\\"}', b'{"a":["[1e5]",4111111111111111,"x"]}'], ("all",))
@example([b'{"s":"postgres:\\/\\/u:pw@h"}', b'{"t":"AccountKey=' + b"a" * 20 + b"\\/" + b"b" * 24 + b'"}'], ("all",))
def test_lines_spliced_are_what_parsing_them_gives(lines: list[bytes], patterns: tuple[str, ...]) -> None:
    fit = [line for line in lines if is_fit(line)]
    step = scrubber(*patterns)
    for line, changed in zip(fit, redacted_lines(step, fit), strict=True):
        document = decode_plain(line)
        step.document(document)
        if changed is not None:
            assert decode_plain(changed) == document
            assert b"\n" not in changed


@settings(deadline=None)
@given(st.sampled_from(list(PRESETS)), texts)
def test_what_a_detector_finds_has_a_clue(preset: str, text: str) -> None:
    one = PRESETS[preset]
    if any(one.spans(text)):
        assert Clues([one]).suspects(text)
        assert Clues(list(PRESETS.values())).suspects(text) >> list(PRESETS).index(preset) & 1


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([one for one in PRESETS.values() if one.of_lines]), st.lists(texts | whole, max_size=4))
def test_in_lines_a_detector_finds_what_it_finds_in_each(one: Detector, several: list[str]) -> None:
    lines = [line for text in several for line in text.split("\n")]
    assert [line[slice(*span)] for line in lines for span in one.spans(line)] == [
        text[slice(*span)] for text in ["\n".join(lines)] for span in one.spans(text)
    ]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([one for one in PRESETS.values() if one.whole]), texts | whole)
def test_what_is_replaced_in_c_are_the_spans(one: Detector, text: str) -> None:
    assert one.whole is not None
    assert [match.span() for match in one.whole.finditer(text)] == list(one.spans(text))


BLANKS = st.text(" \t\r", max_size=2)
NUMBERS = (st.integers() | st.floats(allow_nan=False, allow_infinity=False)).map(json.dumps)
LITERALS = st.tuples(
    st.text(",[]{}", min_size=1, max_size=3), BLANKS, NUMBERS | st.sampled_from(["true", "false", "null"]), BLANKS
).map("".join)


@settings(deadline=None)
@given(st.tuples(BLANKS, st.sampled_from([":", ""]), NUMBERS | BLANKS, st.lists(LITERALS, max_size=8).map("".join)))
def test_nothing_but_numbers_has_a_clue_outside_of_strings(between: tuple[str, ...]) -> None:
    """Splicing takes all other clues for parts of strings. What may stand between two: one colon, behind the first."""
    others = [one for one in PRESETS.values() if not one.numbers]
    assert not Clues(others).suspected(f'"{"".join(between)}"'.encode(), b'"')


SECRET = st.sampled_from(["jane@example.com", "10.1.2.3", "4111111111111111", "::1", "DE89370400440532013000"])
BESIDE = st.sampled_from(["", " ", '"', "\\", "é", "\n", "/", ",", "x ", "\u00ff@", "%40", "key=", "b"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS[:5]), st.lists(BESIDE | SECRET).map("".join)), max_size=6))
def test_many_hits_at_all_places_of_many_strings(documents: list[dict[str, str]]) -> None:
    step = scrubber("all")
    for ensure_ascii in (True, False):
        lines = [json.dumps(document, ensure_ascii=ensure_ascii).encode() for document in documents]
        for document, changed in zip(documents, redacted_lines(step, lines), strict=True):
            expected = dict(document)
            step.document(expected)
            assert changed is None or decode_plain(changed) == expected


def asked_of_all(step: Scrubber, value: Any) -> Any:
    """A value without keys after redaction, as all detectors leave it that are asked one after the other."""
    if isinstance(value, list):
        return [asked_of_all(step, item) for item in value]
    if isinstance(value, str):
        for one in step._detectors:
            value = step._replace(one, value)
    return value


@settings(max_examples=200, deadline=None)
@given(st.lists(whole | texts | st.lists(whole | texts, max_size=3), max_size=6))
@example(["DE89370400440532013000", "NO9386011117947"])
@example(["ghp_" + "a" * 36 + "DE89370400440532013000", "x"])
def test_clues_make_no_difference(several: list[Any]) -> None:
    step = scrubber("all")
    together = [{"a": value} for value in several]
    expected = [asked_of_all(step, value) for value in several]
    lines = [json.dumps({"a": value}).encode() for value in several]
    step.documents(together)
    assert [document["a"] for document in together] == expected
    assert [decode_plain(changed or b"")["a"] for changed in redacted_lines(step, lines)] == expected


@pytest.mark.parametrize("begin", _VENDORS)
def test_the_keys_of_every_vendor_have_a_clue(begin: str) -> None:
    one = PRESETS["api_key"]

    @settings(max_examples=5, deadline=None)
    @given(st.from_regex(re.compile(rf"\A[^A-Za-z0-9]?{re.escape(begin)}{_VENDORS[begin]}", re.ASCII)))
    def check(text: str) -> None:
        assert any(one.spans(text))
        assert Clues([one]).suspects(text)

    check()


@pytest.mark.parametrize("preset", PRESETS)
def test_vectors_have_a_clue_in_any_case_that_is_found(preset: str) -> None:
    found = [*VECTORS.get(preset, []), *(shape.format(secret) for shape, secret in WRAPPED.get(preset, []))]
    assert found
    for text in found:
        for spelling in (text, text.upper(), text.lower(), text.title()):
            if any(PRESETS[preset].spans(spelling)):
                assert Clues([PRESETS[preset]]).suspects(spelling), spelling


def test_a_text_is_told_once_however_many_clues_it_has() -> None:
    block = b"\n" + b"a@b.de " * 1_000 + b"\n" + b"x@y.de"
    assert Clues([PRESETS["email"]]).suspected(block, b"\n") == {0: 1, 7_001: 1}


def test_what_is_not_changed_stays_as_it_is_written() -> None:
    lines = [b' {"a" : "b", "n": 1.50, "e": "\\u00e9" }', b'{"mail":"jane@example.com", "n":1.50}']
    assert redacted_lines(scrubber("all"), lines) == [lines[0], b'{"mail":"[redacted:email]", "n":1.50}']


def test_numbers_are_looked_at_between_strings() -> None:
    lines = [
        b'{"n":[1700000000000, 4111111111111111,1e400],"s":"x"}',
        b'{"n":4111111111111111}',
        b'{"n":"4111111111111111"}',
    ]
    assert redacted_lines(scrubber("card"), lines) == [
        None,
        b'{"n":"[redacted:card]"}',
        b'{"n":"[redacted:card]"}',
    ]


def test_private_keys_are_left_to_parsing() -> None:
    lines = [
        b'{"password":"x"}',
        b'{"password" :"x"}',
        b'{"password"\t\r : "x"}',
        b'{"a@b.de":1}',
        b'{"keyboard" : 1,"a":"c@d.de" ,"b":2}',
    ]
    assert redacted_lines(scrubber("all"), lines) == [
        *[None] * 4,
        b'{"keyboard" : 1,"a":"[redacted:email]" ,"b":2}',
    ]


def chain(*further: tuple[str, Any], **options: Any) -> Chain:
    return Chain([("redact", Redact(RedactConfig(**options))), *further])


@pytest.mark.parametrize(
    ("options", "splices"),
    [
        ({"patterns": ("all",)}, True),
        ({"patterns": ("email", "card")}, True),
        ({"patterns": ("all", "[0-9]x")}, False),
        ({"patterns": ("all",), "fields": ("a",)}, False),
        ({"fields": ("a",)}, False),
    ],
)
def test_presets_alone_are_spliced(options: dict[str, Any], splices: bool) -> None:
    assert Redact(RedactConfig(**options)).splices is splices


def test_in_a_chain_only_what_is_valid_is_spliced_and_the_rest_parsed_or_left() -> None:
    lines = [
        b'{"a": "b@c.de"}',
        b'{"a":"b@c.de"',
        b'{"password":"x","a":1}',
        b"[1]",
        b'{"a":"\xff b@c.de"}',
        b'{"a":\n"b@c.de"}',
        b'{"a":1e400}',
        b'{"a":"\\ud800"}',
    ]
    assert chain(patterns=("all",)).change_all(lines, FACTS) == [
        b'{"a": "[redacted:email]"}',
        None,
        b'{"password":"[redacted:password]","a":1}',
        None,
        None,
        b'{"a":"[redacted:email]"}',
        None,
        None,
    ]


def test_steps_behind_get_what_was_spliced() -> None:
    second = Redact(RedactConfig(fields=("b",)))
    lines = [b'{"a":"b@c.de","b":1}', b'{"api_token":"x","b":1}', b"{}"]
    assert chain(("second", second), patterns=("all",)).change_all(lines, FACTS) == [
        b'{"a":"[redacted:email]","b":"[redacted]"}',
        b'{"api_token":"[redacted:password]","b":"[redacted]"}',
        b"{}",
    ]


def test_where_splicing_fails_each_event_is_done_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logrouter.steps.redact.redacted_lines", lambda scrubber, lines: 1 / 0)
    steps = chain(patterns=("email",))
    assert steps.change_all([b'{"a":"b@c.de"}'], FACTS) == [None]
    assert steps.apply(b'{"a":"b@c.de"}', Flag.JSON, FACTS) == [(b'{"a":"[redacted:email]"}', Flag.JSON)]


@settings(max_examples=30, deadline=None)
@given(st.lists(documents, max_size=5))
def test_a_chain_gives_the_same_documents_together_and_one_by_one(several: list[dict[str, Any]]) -> None:
    payloads = [encode_document(document) for document in several if _can_be_written(document)]
    steps = chain(patterns=("all",))
    for payload, changed in zip(payloads, steps.change_all(payloads, FACTS), strict=True):
        ((alone, flags),) = steps.apply(payload, Flag.JSON, FACTS)
        assert changed is None or (msgspec.json.decode(changed), flags) == (msgspec.json.decode(alone), Flag.JSON)


def _can_be_written(document: dict[str, Any]) -> bool:
    try:
        return is_fit(encode_document(document))
    except ValueError:
        return False
