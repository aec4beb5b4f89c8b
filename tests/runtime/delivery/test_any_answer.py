"""Whatever a destination answers, and whenever we are killed: every event is there, or kept with its reason, and the
ledger says which. Invariants 2, 3 and 6, against what the destination itself has recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain, cycle, repeat
from random import Random

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from logrouter.batch import Batching
from logrouter.cursors import Ledger
from logrouter.dead_letters import DeadLetter
from logrouter.errors import DestinationError
from logrouter.event import Chunk, Flag
from logrouter.instructions import Request, Response
from logrouter.policy import SinkRouting
from logrouter.routing import Router
from logrouter.rules import Rule
from logrouter.runtime.delivery import Delivery
from logrouter.runtime.log import Log
from logrouter.sinks import SinkConfig, SinkContext
from logrouter.testing import CrashingDisk, Killed, RespondingTransport
from tests.runtime.delivery.answering import AnsweredSink, Letters, answer, events_of
from tests.runtime.spool.model import open_spool, settings_for

WAYS = ("ok", "ok", "ok", "some", "some", "refuse all", "too large", "too much", "broken", "silent", "lost")
"""What a destination may do with a request; as often as they stand here."""
Doing = tuple[str, int]
"""One of the ways, and a number whose bits say what it does to each event, and how long it asks to wait."""
FOR_EVER_SECONDS = 1_000_000
"""Nobody waits for so long, but for what never comes."""
BITS = 16
WANTED = "place != 1 and not between(place, 8, 15)"
"""All is for the sink but, of each sixty, an event amid others, and a run of whole chunks."""


class Server:
    """Stores events by their ids, if it likes to, and knows some that it never takes. In the end it likes to."""

    def __init__(self, doings: list[Doing]) -> None:
        self._doings = chain(doings, repeat(("ok", 0)))
        self.stored: dict[str, int] = {}
        """Payload → how often it was stored."""
        self.lost_answers = 0
        """Then it may be asked again."""

    def answer(self, request: Request) -> Response:
        events = [text for _, text in events_of(request)]
        way, bits = next(self._doings)
        match way:
            case "ok" if not any(map(is_poison, events)):
                self._store(events)
                return Response(200)
            case "some" | "lost":
                words = [_word(text, bits >> place % BITS & 1) for place, text in enumerate(events)]
                self._store([text for text, word in zip(events, words, strict=True) if word == "ok"])
                if way == "lost":
                    self.lost_answers += 1
                    raise DestinationError("the answer was lost")
                return answer(*words)
            case "too large" if len(events) > 3:
                return Response(413)
            case "too much":
                return Response(429, retry_after_seconds=5.0 if bits & 1 else None)
            case "broken":
                return Response(500)
            case "silent":
                raise DestinationError("nobody answers")
            case _:
                return Response(400) if any(map(is_poison, events)) else Response(503)

    def _store(self, events: list[str]) -> None:
        for text in events:
            self.stored[text] = self.stored.get(text, 0) + 1


class CrampedLetters(Letters):
    """Full now and then, and not for ever."""

    def __init__(self, fullness: list[bool]) -> None:
        super().__init__()
        self._fullness = chain(fullness, repeat(False))

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        if next(self._fullness):
            raise DestinationError("the dead letters are full")
        await super().keep(letters)


def _word(text: str, is_late: int) -> str:
    if is_poison(text):
        return "refuse"
    return "retry" if is_late else "ok"


def is_poison(text: str) -> bool:
    return is_bad(number_in(text))


def is_bad(number: int) -> bool:
    """Two in a row, so that a batch may have several."""
    return number % 7 in (3, 4)


def is_wanted(number: int) -> bool:
    return number % 60 != 1 and not 8 <= number % 60 <= 15


def number_in(text: str) -> int:
    return int(text[5 : text.index(",")])


class Life:
    """One spool on a disk, one destination, and the processes that deliver from the one to the other."""

    def __init__(
        self, doings: list[Doing], fullness: list[bool], concurrencies: list[int], events: int, seed: int
    ) -> None:
        """`concurrencies`: of the processes, one after the other. `seed`: of what a crash leaves on the disk."""
        self.disk = CrashingDisk(Random(seed))
        self.server = Server(doings)
        self.concurrencies = cycle(concurrencies)
        self.letters = CrampedLetters(fullness)
        self.events = events
        self.number = self.epoch = self.kills = 0
        self.safe: set[int] = set()
        """The numbers of events that no kill may take."""

    async def run(self, chunks: int, *, steps: int | None = None, seconds: float = float("inf")) -> None:
        """A process: appends, delivers, is killed after so many steps of the disk or seconds, or ends by itself."""
        self.epoch += 1
        router = Router([SinkRouting("a", Rule.parse(WANTED))])
        spool = open_spool(self.disk, self.epoch, settings_for("disk", "a"), [], router=router)
        spool.batch_bytes, spool.encoded_bytes = 2_500, 100_000
        sink = AnsweredSink(SinkConfig(), SinkContext("a"))
        sink.concurrency, sink.batching = next(self.concurrencies), Batching(events=self.events)
        transport = RespondingTransport(self.server.answer, seconds=0.1)
        log = Log("error", write=lambda line: None)
        delivery = Delivery(0, "a", sink, transport, spool, log, dead_letters=self.letters)
        if steps is not None:
            self.disk.kill_after(steps)
        try:
            with trio.fail_after(FOR_EVER_SECONDS), trio.move_on_after(seconds) as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(delivery.run)
                    for _ in range(chunks):
                        numbers = range(self.number, self.number + 4)
                        self.number += 4
                        payloads = [
                            b'{"n":%d,"place":%d,"x":"%s"}' % (number, number % 60, b"x" * 40) for number in numbers
                        ]
                        (chunk,) = router.route(Chunk(payloads, bytes([Flag.JSON]) * 4, {"source": "app"}, 1_000))
                        await spool.append(chunk)
                        self.safe.update(numbers)
                        await trio.sleep(0.05 * (self.number // 4 % 2))
                    spool.end()
            if not scope.cancelled_caught:
                await spool.aclose()
                self.check(spool.ledger(0))
                return
        except* Killed:
            pass
        self.kills += 1
        self.disk.crash()

    def check(self, ledger: Ledger) -> None:
        """After a process that ended by itself."""
        stored = {number_in(text) for text in self.server.stored}
        kept = {number_in(letter.payload.decode()) for letter in self.letters.kept.values()}
        assert stored | kept <= set(filter(is_wanted, range(self.number)))
        assert set(filter(is_wanted, self.safe)) <= stored | kept
        assert not any(map(is_bad, stored))
        assert all(map(is_bad, kept))
        assert (ledger.delivered, sum(ledger.dead_lettered.values())) == (len(stored), len(kept))
        assert ledger.settled == ledger.read
        if not self.kills and not self.server.lost_answers:
            assert set(self.server.stored.values()) <= {1}, "sent again, though it was known to be there"


doings = st.tuples(st.sampled_from(WAYS), st.integers(0, 2**BITS - 1))
lives = st.builds(
    Life,
    st.lists(doings, min_size=30, max_size=200),
    st.lists(st.sampled_from([False, False, True]), min_size=10, max_size=40),
    st.lists(st.sampled_from([1, 4]), min_size=1, max_size=4),
    st.sampled_from([3, 8, 100]),
    st.integers(0, 2**32),
)


@settings(max_examples=15)
@given(lives, st.integers(1, 20))
def test_whatever_it_answers(life: Life, chunks: int) -> None:
    trio.run(life.run, chunks, clock=MockClock(autojump_threshold=0))


@settings(max_examples=15)
@given(lives, st.lists(st.tuples(st.integers(1, 8), st.integers(1, 400), st.floats(0, 40)), max_size=4))
def test_whatever_it_answers_and_whenever_it_is_killed(life: Life, ends: list[tuple[int, int, float]]) -> None:
    live_and_die(life, ends)


@pytest.mark.slow
@settings(max_examples=300)
@given(lives, st.lists(st.tuples(st.integers(1, 8), st.integers(1, 400), st.floats(0, 40)), max_size=8))
def test_many_lives(life: Life, ends: list[tuple[int, int, float]]) -> None:
    live_and_die(life, ends)


def live_and_die(life: Life, ends: list[tuple[int, int, float]]) -> None:
    for chunks, steps, seconds in ends:
        trio.run(partial(life.run, chunks, steps=steps, seconds=seconds), clock=MockClock(autojump_threshold=0))
    trio.run(life.run, 2, clock=MockClock(autojump_threshold=0))
