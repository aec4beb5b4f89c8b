"""What every sink that speaks HTTP must keep to, ours and those of plug-ins.

    def test_contract() -> None:
        assert_sink_contract(VaultSink(VaultConfig(url="https://example.org", token=Secret("hidden-token")), context))

The sink is asked to send a batch while its destination answers everything that a destination may: any status, bodies
that are empty, garbage, or JSON of other shapes than it expects; or nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from logrouter.batch import Batch
from logrouter.instructions import (
    Delivered,
    Halve,
    Instruction,
    Outcome,
    Pause,
    Rejected,
    Request,
    Response,
    Retry,
)
from logrouter.sinks import Sink
from logrouter.testing.fakes import converse, slice_of
from logrouter.values import Secret

EVENTS: Final = (b'{"level":"info","message":"one"}', b"a line of text", b"\xff\x00", b"{}")
STATUSES: Final = (200, 201, 204, 206, 302, 400, 401, 403, 404, 405, 408, 409, 412, 413, 422, 429, 500, 502, 503, 599)
BODIES: Final = (
    b"",
    b"\x00\xff garbage \n",
    b"<html><body>busy</body></html>",
    b"null",
    b"[]",
    b"{}",
    b'{"errors":true,"items":[]}',
    b'{"error":{"type":7,"reason":[]},"status":"x"}',
    b"[" * 10_000,
)
_ABOUT_THE_SINK: Final = (401, 403, 429, 500, 502, 503)
"""Such an answer says nothing of an event."""
_MOST_INSTRUCTIONS: Final = 1000

Answer = Callable[[Request], Response | None]


def assert_sink_contract(sink: Sink[Any], payloads: Sequence[bytes] = EVENTS) -> None:
    """Raises AssertionError, with what the sink did, and after which answer.

    - The same batch makes the same requests, and is left as it was.
    - Whatever is answered, nothing is raised, it comes to an end, and every event has its outcome.
    - What says nothing of an event (401, 403, 429, 5xx) delivers and rejects none.
    - Others have their turn after each slice.
    - No secret of its options is shown, neither by itself nor in what it says.
    """
    _assert_same_requests(sink, payloads)
    _assert_turns(sink, payloads)
    _assert_settled("nobody answers", sink, payloads, lambda request: None, _ABOUT_THE_SINK[0])
    for status in STATUSES:
        for body in BODIES:
            answer = Response(status, {"content-type": "application/json"}, body)
            _assert_settled(f"{status} with {body[:60]!r}", sink, payloads, partial(_always, answer), status)
            _assert_probed(f"{status} with {body[:60]!r}", sink, answer)
    hidden = list(_secrets_in(sink.config))
    shown = repr(sink.config) + repr(getattr(sink, "endpoint", ""))
    assert not any(secret in shown for secret in hidden), "its options, or its endpoint, show a secret"


def _always(answer: Response, request: Request) -> Response:
    return answer


def _assert_same_requests(sink: Sink[Any], payloads: Sequence[bytes]) -> None:
    batch = _batch(sink, payloads)
    before = [(list(part.payloads), part.flags) for part in batch.slices]
    first, _ = converse(sink.send(batch), lambda request: None)
    again, _ = converse(sink.send(_batch(sink, payloads)), lambda request: None)
    assert first == again, f"the same batch is sent in another way: {first} and then {again}"
    assert [(part.payloads, part.flags) for part in batch.slices] == before, "it has changed the batch"


def _assert_turns(sink: Sink[Any], payloads: Sequence[bytes]) -> None:
    batch = _batch(sink, payloads)
    told, _ = converse(sink.send(batch), lambda request: None)
    turns = sum(isinstance(item, Pause) for item in told)
    assert turns >= len(batch.slices or batch.encoded) - 1, "it yields no Pause between slices"


def _assert_settled(about: str, sink: Sink[Any], payloads: Sequence[bytes], answer: Answer, status: int) -> None:
    batch = _batch(sink, payloads)
    told: list[Instruction] = []

    def counted(request: Request) -> Response | None:
        told.append(request)
        assert len(told) < _MOST_INSTRUCTIONS, f"after {about} it asks for ever"
        return answer(request)

    try:
        _, outcome = converse(sink.send(batch), counted)
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"after {about} it raises {error!r}") from error
    settled = _outcomes(about, outcome, len(batch))
    if told and status in _ABOUT_THE_SINK:
        assert all(isinstance(one, Retry) for one in settled), f"after {about} it says {outcome}"
    for secret in _secrets_in(sink.config):
        assert secret not in repr(outcome), f"after {about} it tells a secret"


def _outcomes(about: str, outcome: Outcome, events: int) -> list[Any]:
    if isinstance(outcome, Delivered | Retry | Rejected | Halve):
        return [outcome] * events
    assert isinstance(outcome, Sequence), f"after {about} it returns {outcome!r}, which is no outcome"
    assert len(outcome) == events, f"after {about} there are {len(outcome)} outcomes of {events} events"
    assert all(isinstance(one, Delivered | Retry | Rejected) for one in outcome), f"after {about}: {outcome}"
    return list(outcome)


def _assert_probed(about: str, sink: Sink[Any], answer: Response) -> None:
    try:
        _, wrong = converse(sink.probe(), lambda request: answer)
    except Exception as error:
        raise AssertionError(f"its probe, after {about}, raises {error!r}") from error
    assert isinstance(wrong, list), f"its probe, after {about}, returns {wrong!r}"
    assert all(isinstance(one, str) for one in wrong), f"its probe, after {about}, returns {wrong!r}"
    for secret in _secrets_in(sink.config):
        assert secret not in "\n".join(wrong), f"its probe, after {about}, tells a secret"


def _batch(sink: Sink[Any], payloads: Sequence[bytes]) -> Batch:
    """The events, in two slices; encoded, where the sink gathers."""
    middle = len(payloads) // 2
    slices = [_slice(sink, payloads[:middle], 0), _slice(sink, payloads[middle:], middle)]
    if not sink.gathers:
        return Batch(slices, 1, 0, len(payloads))
    return Batch([], 1, 0, len(payloads), [sink.encode(part) for part in slices], last=True)


def _slice(sink: Sink[Any], payloads: Sequence[bytes], first: int) -> Any:
    columns = tuple(["example"] * len(payloads) for _ in sink.templates)
    return slice_of(payloads, columns=columns, first=first, times_ns=[0] * len(payloads) if sink.wants_times else None)


def _secrets_in(value: Any) -> Iterator[str]:
    """Every secret in some options, however deep."""
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets_in(item)
