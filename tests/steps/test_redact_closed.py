"""`redact` fails closed: what it cannot look into does not pass (the secret is grepped for in all that comes out)."""

from __future__ import annotations

import pytest

from logrouter.chain import Chain
from logrouter.framing import LineFraming
from logrouter.ingest import Ingest
from logrouter.routing import Router, SinkRouting
from logrouter.rules import Rule
from logrouter.steps.redact import Redact, RedactConfig

HOSTILE = (
    b'{"level": "error", "ms": NaN, "password": "hunter2"}',
    b'{"level": "error", "file": "a\\udcff", "password": "hunter2"}',
    b'{"level":"error","ua":"\xff","password":"hunter2"}',
    b'  {"password":"hunter2"',
    b'\xef\xbb\xbf{"password":"hunter2"}',
    b'{"passw\\u006frd":"hunter2",}',
    b'{"password":"hunter2","x":"' + b"y" * 5000 + b'"}',
    b'{"x":"' + b"y" * 5000 + b'","password":"hunter2"}',
    b'{"a":' + b"[" * 3000 + b"]" * 3000 + b',"password":"hunter2"}',
    b'{"a":1}{"password":"hunter2"}',
)


UNKNOWN = ("level == 'error'", "meta.source == 'app' and exists(ms)", "severity >= 'error'", "contains(message, 'x')")
"""Conditions that read fields, which nobody can do of these lines."""


def routed(line: bytes, when: str | None = None, **options: tuple[str, ...]) -> tuple[list[bytes], Chain]:
    config = RedactConfig(when=Rule.parse(when) if when else None, **(options or {"fields": ("password",)}))
    chain = Chain([("redact", Redact(config))])
    router = Router([SinkRouting("all")], further=chain.references)
    ingest = Ingest(router, {"source": "app"}, chain=chain)
    framing = LineFraming(1000 if len(line) < 6000 or b"[[" not in line else 100_000)
    chunks = [*ingest.chunks(framing.feed(line + b"\n"), 0)]
    return [payload for chunk in chunks for payload in chunk.payloads], chain


@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: repr(line[:30]))
def test_no_secret_passes(line: bytes) -> None:
    payloads, chain = routed(line)
    assert payloads
    assert b"hunter2" not in b"".join(payloads)
    assert chain.failed["redact"] == len(payloads)


@pytest.mark.parametrize("when", UNKNOWN)
@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: repr(line[:30]))
def test_no_secret_passes_where_nobody_can_tell_whether_it_is_to_be_redacted(line: bytes, when: str) -> None:
    payloads, chain = routed(line, when)
    assert payloads
    assert b"hunter2" not in b"".join(payloads)
    assert chain.failed["redact"] == len(payloads)


@pytest.mark.parametrize("when", UNKNOWN)
@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: repr(line[:30]))
def test_patterns_are_searched_where_nobody_can_tell_whether_to(line: bytes, when: str) -> None:
    payloads, chain = routed(line, when, patterns=("(?:hunter2)",))
    assert b"hunter2" not in b"".join(payloads)
    assert b"[redacted]" in b"".join(payloads)
    assert not chain.failed


@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: repr(line[:30]))
def test_attributes_are_known_of_any_line(line: bytes) -> None:
    payloads, _ = routed(line, "meta.source == 'other' or exists(resource['service.name'])")
    assert b"hunter2" in b"".join(payloads)
    payloads, chain = routed(line, "meta.source == 'app'")
    assert b"hunter2" not in b"".join(payloads)
    assert chain.failed["redact"] == len(payloads)


def test_what_is_true_of_fields_that_can_be_read_stays_so() -> None:
    quiet, loud = b'{"level":"info","password":"hunter2"}', b'{"level":"error","password":"hunter2"}'
    assert routed(quiet, "level == 'error'")[0] == [quiet]
    assert routed(loud, "level == 'error'")[0] == [b'{"level":"error","password":"[redacted]"}']


@pytest.mark.parametrize("when", [None, *UNKNOWN])
@pytest.mark.parametrize("line", [b"{main} started", b"the password was changed", b"{broken: json}"])
def test_ordinary_text_passes(line: bytes, when: str | None) -> None:
    assert routed(line, when)[0] == [line]
