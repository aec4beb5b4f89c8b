from __future__ import annotations

import hmac
import json

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logrouter.chain import Chain
from logrouter.documents import decode_document, encode_document
from logrouter.event import Flag
from logrouter.redaction import PRESETS
from logrouter.steps.redact import Redact, RedactConfig
from logrouter.values import Secret
from tests.steps.conftest import FACTS
from tests.strategies import values

KEY = Secret("a key of more than sixteen characters")


MASKED = "[redacted]"


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("{fields: [a, x]}", {"a": {"b": [1]}, "c": 1}, {"a": MASKED, "c": 1}),
        ("{fields: [a.b]}", {"a.b": 1, "a": {"b": 2, "c": 3}}, {"a.b": MASKED, "a": {"b": MASKED, "c": 3}}),
        ("{fields: [a.b.c]}", {"a": {"b.c": 1}, "a.b": {"c": 2}}, {"a": {"b.c": MASKED}, "a.b": {"c": MASKED}}),
        (
            "{fields: [u.e]}",
            {"u": [{"e": 1}, [{"e": 2, "f": 3}], 4]},
            {"u": [{"e": MASKED}, [{"e": MASKED, "f": 3}], 4]},
        ),
        ("{fields: [u.e], with: remove}", {"u": [{"e": 1}, {"f": 3}], "u.e": 1}, {"u": [{}, {"f": 3}]}),
        ("{fields: ['event[\"a.b\"]']}", {"a.b": 1, "a": {"b": 2}}, {"a.b": MASKED, "a": {"b": 2}}),
        ("{fields: [time, severity]}", {"time": 1, "severity": 2}, {"time": MASKED, "severity": MASKED}),
        ("{fields: [a], with: remove, patterns: [email]}", {"a": None, "b": "x a@b.de y"}, {"b": "x  y"}),
        ("{patterns: [card]}", {"n": 4111111111111111, "m": 7}, {"n": "[redacted:card]", "m": 7}),
        ("{patterns: ['secret\\d']}", {"secret1": "secret2"}, {MASKED: MASKED}),
    ],
)
def test_redact(change, step, before, after):
    assert change(f"redact: {step}", before) == after


def test_hashes_are_hmac_sha256_alike_in_fields_and_patterns():
    step = Redact(RedactConfig(fields=("a", "b"), patterns=("email",), method="hash", key=KEY))
    document = {"a": "jane@example.com", "b": {"x": 1}, "c": "to jane@example.com"}
    step.apply(document, FACTS)

    def hashed(text: bytes) -> str:
        return f"[hash:{hmac.digest(KEY.reveal().encode(), text, 'sha256').hex()[:20]}]"

    assert document == {
        "a": hashed(b"jane@example.com"),
        "b": hashed(b'{"x":1}'),
        "c": f"to {hashed(b'jane@example.com')}",
    }


def test_presets_have_a_place_in_the_page():
    import logrouter.steps.redact

    assert all(f"\n    {name} " in (logrouter.steps.redact.__doc__ or "") for name in PRESETS)


SECRETS = {
    "email": "jane.doe@example.com",
    "ipv4": "10.20.30.40",
    "card": "4111 1111 1111 1111",
    "iban": "DE89370400440532013000",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVm",
    "bearer": "s3cr3t-token-0123456789",
    "url_password": "hunter2hunter2",
    "aws_key": "AKIAIOSFODNN7EXAMPLE",
    "private_key": "-----BEGIN PRIVATE KEY-----MIIEvQIBADANBgkq-----END PRIVATE KEY-----",
    "api_key": "ghp_" + "aB3dE5gH7jK9" * 3,
    "basic": "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    "password": "hunter2-hunter2",
    "ipv6": "2001:db8::8:800:200c:417a",
}
_WRAPPED = {
    "bearer": "Bearer {}",
    "basic": "Basic {}",
    "password": "password={}",
    "url_password": "postgres://app:{}@db:5432/x",
}
_AROUND = st.text(st.characters(exclude_categories=("Cs", "Nd", "L"))) | st.sampled_from(
    ["", " ", "id=", "(", '"', "\\", "\n"]
)


@st.composite
def planted(draw: st.DrawFn, preset: str) -> bytes:
    """A JSON object with the secret somewhere in it: as a value, in a key, nested, with characters escaped."""
    text = _WRAPPED.get(preset, "{}").format(SECRETS[preset])
    around = draw(_AROUND), draw(_AROUND)
    if preset == "ipv4":
        around = around[0].rstrip("."), around[1].lstrip(".")
    text = f"{around[0]} {text} {around[1]}"
    inner = draw(st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=2))
    shape = draw(st.integers(0, 4))
    document = (
        {"m": text},
        {text: inner},
        {"l": [[text], inner]},
        {"o": {"p": {text: text}}},
        {"m": f"{text}, {text}"},
    )[shape]
    payload = json.dumps({**inner, **document}, ensure_ascii=draw(st.booleans()))
    escaped = draw(st.sets(st.sampled_from(SECRETS[preset])))
    spelling = "".join(f"\\u{ord(char):04x}" if char in escaped else char for char in SECRETS[preset])
    payload = payload.replace(SECRETS[preset], spelling)
    return payload.encode()


def leaves(value):
    """Every text in a document."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield str(value)


@pytest.mark.parametrize("method", ["mask", "hash", "remove"])
@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_of_a_planted_secret_is_left(preset, method):
    key = KEY if method == "hash" else None
    steps = [
        Redact(RedactConfig(patterns=(preset,), method=method, key=key)),
        Redact(RedactConfig(patterns=tuple(PRESETS), method=method, key=key)),
    ]

    @settings(deadline=None, max_examples=15)
    @given(planted(preset))
    def check(payload):
        assert any(SECRETS[preset] in text for text in leaves(decode_document(payload)))
        for step in steps:
            document = decode_document(payload)
            step.apply(document, FACTS)
            output = encode_document(document)
            assert SECRETS[preset].encode() not in output
            assert not any(SECRETS[preset] in text for text in leaves(msgspec.json.decode(output)))

    check()


@settings(deadline=None, max_examples=60)
@given(st.text(), st.text())
@example("x", "y")
@example("a%40", "@")
@example("%", ".")
def test_an_email_is_found_in_lines_of_text_whatever_stands_around_it(before, after):
    steps = Chain([("redact", Redact(RedactConfig(patterns=("email",))))])
    payload = f"{before}{SECRETS['email']}{after}".encode("utf-8", "replace")
    ((redacted, _),) = steps.apply(payload, 0, FACTS)
    assert SECRETS["email"].encode() not in redacted


def test_it_fails_closed(monkeypatch):
    step = Redact(RedactConfig(patterns=("email",)))
    monkeypatch.setattr(step._scrubber, "document", lambda document: 1 / 0)
    steps = Chain([("redact", step)])
    ((payload, flags),) = steps.apply(b'{"mail":"jane@example.com"}', Flag.JSON, FACTS)
    assert msgspec.json.decode(payload) == {"message": "[redaction failed]", "redact_failed": True}
    assert flags & Flag.STEP_FAILED
    assert steps.failed["redact"] == 1


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("{fields: [a], with: hash}", "with: hash needs a key, best from a file: key_file"),
        ("{fields: [a], with: hash, key: ''}", "with: hash needs a key, best from a file: key_file"),
        ("{fields: [a], key: abc}", "a key is for with: hash, and this is with: mask"),
        ("{}", "expected fields or patterns to redact"),
        ("{fields: [meta.host]}", "meta.host cannot be redacted"),
        ("{patterns: [emial]}", "did you mean 'email'?"),
        ("{patterns: ['(a+)+$']}", "regular expression"),
        ("{fields: [a], with: masc}", "mask"),
    ],
)
def test_mistakes(mistake, step, problem):
    assert problem in mistake(f"redact: {step}")


def test_the_key_can_stand_in_a_file(chain, tmp_path):
    (tmp_path / "key").write_text(f"{KEY.reveal()}\n")
    steps = chain(f"- redact: {{fields: [a], with: hash, key_file: {tmp_path / 'key'}}}")
    assert steps.steps[0].step.config.key.reveal() == KEY.reveal()


def test_warnings():
    assert Redact.warnings(RedactConfig(patterns=("email",))) == []
    assert Redact.warnings(RedactConfig(fields=("message",))) == []
    assert Redact.warnings(RedactConfig(fields=("user.email",))) == [
        "fields cannot be found in lines of text; patterns can"
    ]
    short = RedactConfig(fields=("message",), method="hash", key=Secret("short"))
    assert "fewer than 16 characters" in Redact.warnings(short)[0]
