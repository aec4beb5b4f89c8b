"""What the runtime does for a sink that gathers, as far as its tests need it: notes, crashes, commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from logrouter.documents import decode_document
from logrouter.errors import DestinationError
from logrouter.facts import Facts
from logrouter.instructions import Delivered, Now, Outcome, Pause, ReadFile, Request, Response, Retry, Seal
from logrouter.sinks import Batch, Encoded, Memory, Sink, Slice
from logrouter.testing import slice_of

SECOND = 10**9
START_NS = 1_800_000_000 * SECOND
MOST_RETRIES = 50
EPOCH = 0x5BD1E995A1B2C3D4


class Crash(Exception):
    """The process is killed."""


class Gathering:
    """A cursor that delivers a list of events to a sink. `faults` says what becomes of each request, one after the
    other: None is performed; a Response is what is answered, without the server having been asked; "lost" and
    "unheard" raise DestinationError before and after it has been; "crash" and "killed" end the process so."""

    def __init__(
        self,
        make: Callable[[], Sink[Any]],
        server: Callable[[Request], Response],
        events: Sequence[bytes],
        faults: Iterable[Any] = (),
        slices_of: int = 3,
    ) -> None:
        self.make = make
        self.sink = make()
        self.server = server
        self.events = events
        self.now_ns = START_NS
        self.next = 0
        self.carried: Memory | None = None
        self.told: list[Delivered] = []
        self.retries: list[Retry] = []
        self.sealed: list[Memory] = []
        self._memo: Memory | None = None
        self._again = False
        self._encoded: list[Encoded] | None = None
        self._faults = iter(faults)
        self._slices_of = slices_of

    def deliver(self, end: int, last: bool = False) -> None:
        """Send the events up to `end` as one batch, again and again until they are delivered; commit."""
        outcome: Outcome | None = None
        while not isinstance(outcome, Delivered):
            outcome = self.attempt(end, last)
            assert len(self.retries) <= MOST_RETRIES, self.retries[-1].reason
        self.told.append(outcome)
        self.next, self.carried = end, outcome.carried
        self._memo, self._again, self._encoded = None, False, None

    def attempt(self, end: int, last: bool = False) -> Outcome | None:
        """Try once. None: the process was killed, and there is a new one."""
        if self._encoded is None:
            self._encoded = self.encoded(end)
        batch = Batch([], EPOCH, self.next, end, self._encoded, self._memo, self.carried, last, self._again)
        self._again = True
        conversation = self.sink.send(batch)
        reply: Any = None
        try:
            while True:
                threw = isinstance(reply, Exception)
                reply = self._perform(conversation.throw(reply) if threw else conversation.send(reply))
        except Crash:
            self.sink, self._encoded = self.make(), None
            return None
        except StopIteration as done:
            outcome: Outcome = done.value
        except DestinationError as error:
            outcome = Retry(str(error))
        if isinstance(outcome, Retry):
            self.retries.append(outcome)
        return outcome

    def encoded(self, end: int) -> list[Encoded]:
        """What the sink has made of the events up to `end`."""
        found: Encoded | None = None
        for start in range(self.next, end, self._slices_of):
            found = self.sink.encode(self.slice(start, min(end, start + self._slices_of)), found)
        return [] if found is None else [found]

    def batches(self) -> Iterator[int]:
        """Where the delivery would cut batches: each as soon as it has the size that the sink wishes."""
        found: Encoded | None = None
        for start in range(0, len(self.events), self._slices_of):
            end = min(len(self.events), start + self._slices_of)
            found = self.sink.encode(self.slice(start, end), found)
            if end == len(self.events) or found.size_bytes >= self.sink.batching.size_bytes:
                yield end
                found = None

    def slice(self, start: int, end: int) -> Slice:
        """These events as routing gives them to the sink."""
        payloads = list(self.events[start:end])
        facts = Facts({}, START_NS, {})
        columns = tuple(
            [template.render(decode_document(payload), facts, segment=True) for payload in payloads]
            for template in self.sink.templates
        )
        part = slice_of(payloads, first=start, columns=columns, received_ns=START_NS)
        part.epoch = EPOCH
        return part

    def _perform(self, instruction: Any) -> Any:
        match instruction:
            case Now():
                return self.now_ns
            case Seal(memo):
                assert self._encoded, "there is no note of an empty batch"
                self._memo = memo
                self.sealed.append(memo)
                return None
            case ReadFile() | Pause():
                return None
        assert isinstance(instruction, Request)
        fault = next(self._faults, None)
        match fault:
            case None:
                return self.server(instruction)
            case "lost":
                return DestinationError("nobody answers")
            case "crash":
                raise Crash
            case "unheard":
                self.server(instruction)
                return DestinationError("nobody answers")
            case "killed":
                self.server(instruction)
                raise Crash
        return fault
