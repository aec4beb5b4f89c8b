"""Letters that are sent again: under their ids, until each is settled; what is not settled stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from logrouter import config
from logrouter.config.settings import Settings
from logrouter.dead_letters import DeadLetter, encode_letter
from logrouter.event import Flag
from logrouter.instructions import Request, Response
from logrouter.runtime.letter_files import LetterFile, LetterFiles
from logrouter.runtime.replaying import Account, replay
from logrouter.sinks._bulk import _id_prefix
from logrouter.testing import RespondingTransport

SETS = ("sinks.es.index=app-{service}-{date}", "sinks.es.match=nothing == 1")
DAY_NS = 86_400 * 10**9


def letter(sequence: int, event: dict[str, Any] | str, **changes: Any) -> DeadLetter:
    """A letter of the third day of 1970."""
    is_text = isinstance(event, str)
    fields: dict[str, Any] = {"epoch": 0xABC, "sink": "es", "reason": "mapping conflict", "detail": "of old"}
    fields |= {"rejected_ns": 3 * DAY_NS, "received_ns": 2 * DAY_NS, "attributes": {"source": "app"}}
    fields |= {"flags": 0 if is_text else Flag.JSON, **changes}
    return DeadLetter(
        sequence=sequence, payload=event.encode() if isinstance(event, str) else json.dumps(event).encode(), **fields
    )


def settings_of(*sets: str) -> Settings:
    sinks = ["es=elasticsearch+http://es:9200/"]
    flags = config.Flags(sinks=sinks, sets=[*SETS, *sets])
    return config.load(flags=flags, system_folder=Path("/nonexistent"))


class Kept:
    """Letters in files, and what a replay makes of them."""

    def __init__(self, folder: Path) -> None:
        self.files = LetterFiles(str(folder))
        self.transport = RespondingTransport(answered)

    def keep(self, *letters: DeadLetter, number: int = 1) -> None:
        self.files.prepare()
        for one in letters:
            self.files.append(one.sink, number, encode_letter(one, 0))

    @property
    def left(self) -> list[DeadLetter]:
        return [line.letter for file in self.files.all() for line in self.files.lines(file) if line.letter]

    def wanted(self, file: LetterFile) -> Sequence[DeadLetter]:
        return [line.letter for line in self.files.lines(file) if line.letter]

    async def replay(
        self, settings: Settings | None = None, wanted: Callable[[LetterFile], Sequence[DeadLetter]] | None = None
    ) -> Account:
        arguments = (self.files, "es", settings or settings_of(), wanted or self.wanted)
        return await replay(*arguments, timeout_seconds=30, connect=lambda sink, syncs: self.transport)

    @property
    def asked(self) -> list[tuple[dict[str, Any], Any]]:
        """What was sent: actions and documents."""
        found = []
        for request in self.transport.requests:
            lines = request.whole_body.split(b"\n")[:-1]
            found += [(json.loads(a)["create"], json.loads(b)) for a, b in zip(lines[::2], lines[1::2], strict=True)]
        return found


def answered(request: Request) -> Response:
    """All is taken, but where `n` is no number."""
    lines = request.whole_body.split(b"\n")[:-1]
    items = [item_of(json.loads(line)) for line in lines[1::2]]
    has_errors = any("error" in item["create"] for item in items)
    body = json.dumps({"errors": has_errors, "items": items}, separators=(",", ":")).encode()
    return Response(200, body=body)


def item_of(event: dict[str, Any]) -> dict[str, Any]:
    if isinstance(event.get("n", 0), int):
        return {"create": {"status": 201}}
    return {"create": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "n is no number"}}}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "dead-letters")


async def test_what_is_delivered_is_taken_out(kept: Kept) -> None:
    kept.keep(letter(5, {"n": 1, "service": "shop"}), letter(9, "a line of text"))
    kept.keep(letter(7, {"n": 2, "service": "cart"}, epoch=0xDEF), number=2)
    kept.keep(letter(8, {"n": 3}, sink="other"))

    assert await kept.replay() == Account(delivered=3)

    assert [one.sink for one in kept.left] == ["other"]
    assert kept.transport.closed
    ids = [(action["_id"], action["_index"]) for action, _ in kept.asked]
    first, second = (_id_prefix(epoch).decode() for epoch in (0xABC, 0xDEF))
    assert ids == [
        (f"{first}5", "app-shop-1970-01-03"),
        (f"{first}9", "app-unknown-1970-01-03"),
        (f"{second}7", "app-cart-1970-01-03"),
    ]
    assert [document.get("message") for _, document in kept.asked] == [None, "a line of text", None]


async def test_what_is_refused_again_stays_with_the_new_reason(kept: Kept) -> None:
    kept.keep(letter(5, {"n": "x"}), letter(6, {"n": 1}))

    assert await kept.replay() == Account(delivered=1, refused={"document_parsing_exception": 1})

    (left,) = kept.left
    assert (left.sequence, left.reason, left.detail) == (5, "document_parsing_exception", "n is no number")
    assert left.rejected_ns > 3 * DAY_NS
    assert (left.received_ns, left.attributes, left.payload) == (2 * DAY_NS, {"source": "app"}, b'{"n": "x"}')


async def test_a_key_that_the_sink_would_add_stands_once(kept: Kept) -> None:
    """Routing does not see these events, and cannot tell which have one."""
    kept.keep(letter(5, {"@timestamp": "2026-01-01T00:00:00Z"}), letter(6, {"meta.source": "forged"}))

    await kept.replay(settings_of("sinks.es.include=[meta.source]"))

    lines = [line for request in kept.transport.requests for line in request.whole_body.split(b"\n")]
    assert [line.count(b"@timestamp") for line in lines[1::2]][:2] == [1, 1]
    assert [line.count(b"meta.source") for line in lines[1::2]][:2] == [1, 1]
    assert kept.asked[0][1]["@timestamp"] == "2026-01-01T00:00:00Z"
    assert kept.asked[1][1]["meta.source"] == "app"


async def test_only_what_is_wanted_is_sent(kept: Kept) -> None:
    kept.keep(letter(5, {"n": 1}), letter(6, {"n": 2}))

    account = await kept.replay(wanted=lambda file: [one for one in kept.wanted(file) if one.sequence == 6])

    assert account == Account(delivered=1)
    assert [one.sequence for one in kept.left] == [5]


async def test_also_where_the_sink_keeps_no_letters_or_gives_up(kept: Kept, autojump_clock: Any) -> None:
    """What a running sink does with refusals is not for a replay."""
    kept.keep(letter(5, {"n": "x"}))
    discarding = settings_of("sinks.es.on_reject=discard", "sinks.es.retry.give_up=1s")
    assert (await kept.replay(discarding)).refused == {"document_parsing_exception": 1}
    kept.transport.dead = True

    assert await kept.replay(discarding) == Account(left=1, trouble="nobody answers")
    assert [one.reason for one in kept.left] == ["document_parsing_exception"]


async def test_what_cannot_be_reached_stays_as_it_is(kept: Kept, autojump_clock: trio.testing.MockClock) -> None:
    kept.keep(letter(5, {"n": 1}), letter(6, {"n": 2}))
    kept.keep(letter(7, {"n": 3}), number=2)
    kept.transport.dead = True

    account = await kept.replay()

    assert account == Account(left=3, trouble="nobody answers")
    assert [one.reason for one in kept.left] == ["mapping conflict"] * 3
    assert len(kept.transport.requests) > 3
    assert trio.current_time() == pytest.approx(30, abs=1)  # the second file is not tried


async def test_a_destination_that_works_again_in_time_gets_all(kept: Kept, autojump_clock: Any) -> None:
    kept.keep(letter(5, {"n": 1}))
    tries = iter(range(100))
    kept.transport.answer = lambda request: Response(503) if next(tries) < 3 else answered(request)

    assert await kept.replay() == Account(delivered=1)
    assert kept.left == []


async def test_what_is_settled_before_time_is_up_counts(kept: Kept, autojump_clock: Any) -> None:
    """Of a batch of which some are taken and one never is: the refusals are known, the rest is sent again next time."""
    kept.keep(letter(5, {"n": "x"}), letter(6, {"n": 2}))

    def answer(request: Request) -> Response:
        response = answered(request)
        return Response(200, body=response.body.replace(b'{"status":201}', b'{"status":429}'))

    kept.transport.answer = answer
    account = await kept.replay()

    assert (account.delivered, account.refused, account.left) == (0, {"document_parsing_exception": 1}, 1)
    assert [one.reason for one in kept.left] == ["document_parsing_exception", "mapping conflict"]


async def test_letters_that_others_delete_or_add_meanwhile(kept: Kept, nursery: trio.Nursery) -> None:
    kept.keep(letter(5, {"n": "x"}), letter(6, {"n": 2}), letter(7, {"n": 3}))
    kept.transport.gate = trio.Event()
    accounts: list[Account] = []

    async def run() -> None:
        accounts.append(await kept.replay())

    nursery.start_soon(run)
    await trio.testing.wait_all_tasks_blocked()
    with kept.files.lock():
        kept.files.rewrite(kept.files.all()[0], lambda one: None if one.sequence in (5, 6) else one)
    kept.keep(letter(8, {"n": 4}))
    kept.transport.gate.set()
    await trio.testing.wait_all_tasks_blocked(0.01)

    assert accounts == [Account(delivered=2, refused={"document_parsing_exception": 1})]
    assert [one.sequence for one in kept.left] == [8]  # what was deleted does not come back
