"""A contract that nothing can break is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from logrouter.errors import DestinationError
from logrouter.http_sink import HttpConfig, HttpSink, endpoint_of
from logrouter.instructions import Delivered, Halve, Pause, Rejected, Request, Response, Retry
from logrouter.sinks import Batch, Conversation, SinkContext
from logrouter.testing import assert_sink_contract
from logrouter.values import Secret

Behaviour = Callable[[Batch], Conversation]


def good(batch: Batch) -> Conversation:
    for _ in batch.slices:
        yield Pause()
    response: Response = yield Request("POST", "/", b"body")
    if response.status == 200:
        return Delivered()
    return Halve("bad") if response.status == 400 else Retry("no")


def made(behaviour: Behaviour) -> HttpSink[Any]:
    class Made(HttpSink[HttpConfig]):
        Config = HttpConfig

        def __init__(self) -> None:
            config = HttpConfig(token=Secret("hidden-token"))
            super().__init__(config, SinkContext("made"))
            self.endpoint = endpoint_of(config, "https://example.org")

        def send(self, batch: Batch) -> Conversation:
            return behaviour(batch)

    return Made()


def test_what_keeps_to_it() -> None:
    assert_sink_contract(made(good))


def raises(batch: Batch) -> Conversation:
    yield Pause()
    response = yield Request("POST", "/")
    assert response.body is not None
    return Delivered() if len(response.body.decode()) else Retry("")


def no_pause(batch: Batch) -> Conversation:
    if len(batch.slices) < 2:
        yield Pause()
    return Delivered()


def no_pause_before_a_request(batch: Batch) -> Conversation:
    response = yield Request("POST", "/")
    return Delivered() if response.status == 200 else Retry("")


def too_few(batch: Batch) -> Conversation:
    yield from [Pause()] * 2
    response = yield Request("POST", "/")
    return [Delivered()] if response.status == 200 else Retry("")


def no_outcome(batch: Batch) -> Conversation:
    yield from [Pause()] * 2
    response = yield Request("POST", "/")
    return None if response.status == 204 else Retry("")  # type: ignore[return-value]


def rejects(batch: Batch) -> Conversation:
    yield from [Pause()] * 2
    response = yield Request("POST", "/")
    return Rejected("no") if response.status == 403 else Retry("")


def delivers(batch: Batch) -> Conversation:
    yield from [Pause()] * 2
    try:
        yield Request("POST", "/")
    except DestinationError:
        return Delivered()
    return Retry("")


def for_ever(batch: Batch) -> Conversation:
    yield from [Pause()] * 2
    while (yield Request("POST", "/")).status == 500:
        pass
    return Retry("")


def tells(batch: Batch) -> Conversation:
    yield from [Pause()] * 2
    yield Request("POST", "/")
    return Retry("not with hidden-token")


def changes(batch: Batch) -> Conversation:
    yield from [Pause()] * 2
    batch.slices[0].payloads[0] = b"other"
    yield Request("POST", "/")
    return Retry("")


def differs() -> Behaviour:
    numbers = iter(range(10**9))

    def send(batch: Batch) -> Conversation:
        yield from [Pause()] * 2
        yield Request("POST", f"/{next(numbers)}")
        return Retry("")

    return send


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (raises, "it raises UnicodeDecodeError"),
        (no_pause, "it yields no Pause"),
        (no_pause_before_a_request, "it yields no Pause"),
        (too_few, "1 outcomes of 4 events"),
        (no_outcome, "which is no outcome"),
        (rejects, "after 403 with b'' it says Rejected"),
        (delivers, "after nobody answers it says Delivered"),
        (for_ever, "after 500 with b'' it asks for ever"),
        (tells, "it tells a secret"),
        (changes, "it has changed the batch"),
        (differs(), "the same batch is sent in another way"),
    ],
)
def test_what_does_not(behaviour: Behaviour, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        assert_sink_contract(made(behaviour))
