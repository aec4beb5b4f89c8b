"""`redact` fails closed: what it cannot look into does not pass (the secret is grepped for in all that comes out)."""

from __future__ import annotations

import pytest

from logrouter.chain import Chain
from logrouter.framing import LineFraming
from logrouter.ingest import Ingest
from logrouter.routing import Router, SinkRouting
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


def routed(line: bytes) -> tuple[list[bytes], Chain]:
    chain = Chain([("redact", Redact(RedactConfig(fields=("password",))))])
    router = Router([SinkRouting("all")])
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


@pytest.mark.parametrize("line", [b"{main} started", b"the password was changed", b"{broken: json}"])
def test_ordinary_text_passes(line: bytes) -> None:
    assert routed(line)[0] == [line]
