"""Events, a source, a sink, a transport and a disk, as tests want them."""

from __future__ import annotations

import errno
import os
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

import trio

from logrouter.errors import ClosedByPeer, DestinationError
from logrouter.event import Attributes, Flag
from logrouter.framing import LineFraming
from logrouter.runtime.transports import PlainTransport
from logrouter.sinks import (
    Append,
    Batch,
    Delivered,
    Instruction,
    Now,
    Outcome,
    Request,
    Response,
    Retry,
    Sink,
    SinkConfig,
    Slice,
    Write,
)
from logrouter.sources import Emit, Source, SourceConfig

Fault = Callable[..., Any]
T = TypeVar("T")


def slice_of(
    payloads: Sequence[bytes],
    flags: Sequence[int] | None = None,
    *,
    attributes: Attributes | None = None,
    received_ns: int = 0,
    first: int = 0,
    columns: tuple[Sequence[str] | str, ...] = (),
    times_ns: Sequence[int] | None = None,
    collides: bytes | None = None,
) -> Slice:
    """A slice of these events, one after the other. Without `flags`, what begins with a brace is JSON."""
    if flags is None:
        flags = [Flag.JSON if payload.startswith(b"{") else 0 for payload in payloads]
    sequences = range(first, first + len(payloads))
    given = {"source": "app", "stream": "stdin"} if attributes is None else attributes
    happened = None if times_ns is None else array("q", times_ns)
    return Slice(list(payloads), bytes(flags), given, received_ns, 1, sequences, columns, collides, happened)


def batch_of(*slices: Slice) -> Batch:
    """A batch of these slices."""
    return Batch(list(slices))


def instructions(sink: Sink[Any], batch: Batch) -> list[Instruction]:
    """What a sink yields for a batch, when nobody answers and all is delivered."""
    told, outcome = converse(sink.send(batch), lambda request: None)
    if outcome != Delivered():
        raise AssertionError(f"not delivered: {outcome}")
    return told


def converse(
    conversation: Generator[Instruction, Any, T], answer: Callable[[Request], Response | None], now_ns: int = 0
) -> tuple[list[Instruction], T | Retry]:
    """What a sink yields when its requests are answered like this, and what it returns. None: nobody answers."""
    told: list[Instruction] = []
    go_on: Callable[[], Instruction] = partial(next, conversation)
    while True:
        try:
            instruction = go_on()
        except StopIteration as done:
            return told, done.value
        except DestinationError as error:
            return told, Retry(str(error))
        told.append(instruction)
        reply: Any = None
        match instruction:
            case Request():
                reply = answer(instruction)
                if reply is None:
                    go_on = partial(conversation.throw, DestinationError("nobody answers"))
                    continue
            case Now():
                reply = now_ns
        go_on = partial(conversation.send, reply)


class ScriptedSource(Source[SourceConfig]):
    """Gives what a script says: bytes are emitted as one read, a number is a pause of so many seconds.

    With `endless` it does not end after that: it waits for `stop`, as a source does whose app is silent.
    """

    Config = SourceConfig

    def __init__(self, script: Iterable[bytes | float] = (), *, endless: bool = False, live: bool = True) -> None:
        super().__init__(SourceConfig())
        self.live = live
        self.emitted = 0
        """Lines that have been emitted, and for which there was room."""
        self._script = script
        self._endless = endless
        self._framing = LineFraming(self.config.max_line)
        self._stopped = trio.Event()

    def stop(self) -> None:
        """Give no more."""
        self._stopped.set()

    async def run(self, emit: Emit) -> None:
        """Do what the script says."""
        for item in self._script:
            if self._stopped.is_set():
                break
            if isinstance(item, bytes):
                await self._emit(emit, item)
            else:
                with trio.move_on_after(item):
                    await self._stopped.wait()
        if self._endless:
            await self._stopped.wait()
        frame = self._framing.finish()
        await emit(frame, 0)
        self.emitted += len(frame.lines)

    async def _emit(self, emit: Emit, data: bytes) -> None:
        frame = self._framing.feed(data)
        await emit(frame, 0)
        self.emitted += len(frame.lines)


class RecordingSink(Sink[SinkConfig]):
    """Writes the payloads of its events as they are, one a line; one instruction a batch."""

    Config = SinkConfig
    transport: ClassVar[Any] = "none"

    def send(self, batch: Batch) -> Generator[Instruction, Any, Outcome]:
        yield Write(b"".join(payload + b"\n" for part in batch.slices for payload in part.payloads))
        return Delivered()


class RecordingTransport(PlainTransport):
    """Keeps what `Append` and `Write` say. Fails, hangs, or has lost its reader, while it is told to."""

    def __init__(self, needs_sync: bool = False) -> None:
        self.needs_sync = needs_sync
        self.data = b""
        """All that was written, whatever the path."""
        self.synced = b""
        """What of it was made durable."""
        self.dead = False
        """Whether everything fails."""
        self.reason = "out of order"
        """Why, as the destination says it."""
        self.failures = 0
        """How many more times it fails."""
        self.gone = False
        """Whether nobody reads any more."""
        self.syncs = 0
        self.reopened = 0
        self.closed = False
        self.doubts = 0
        self.gate = trio.Event()
        """Nothing is written before it is set: give it a new one to make the destination hang."""
        self.gate.set()

    async def perform(self, instruction: Append | Write) -> None:
        """Keep what is to be written."""
        await self.gate.wait()
        await trio.lowlevel.checkpoint()
        if self.gone:
            raise ClosedByPeer("nobody reads")
        if self.dead or self.failures:
            self.failures = max(0, self.failures - 1)
            raise DestinationError(self.reason)
        self.data += instruction.data

    async def sync(self) -> None:
        """Make durable what was written."""
        await trio.lowlevel.checkpoint()
        self.syncs += 1
        self.synced = self.data

    async def aclose(self) -> None:
        """Note that it was closed."""
        await trio.lowlevel.checkpoint()
        self.closed = True

    def reopen(self) -> None:
        """Count it."""
        self.reopened += 1

    @property
    def lines(self) -> list[bytes]:
        """What was written, line by line."""
        return self.data.split(b"\n")[:-1]


class FaultyDisk:
    """The functions of `os`, counted, and made to fail where a test says so.

    disk.fail("write", errno.ENOSPC)           the next write fails
    disk.fail("fdatasync", errno.EIO, times=2)
    disk.write_short(3)                        the next write writes 3 bytes
    disk.writev_short(3)                       the next writev likewise
    disk.unreadable = range(4096, 8192)        every pread that touches these offsets fails, of whatever file
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """How often each function was called."""
        self.unreadable = range(0)
        self._faults: defaultdict[str, list[Fault]] = defaultdict(list)

    def fail(self, function: str, number: int, *, times: int = 1) -> None:
        """Make the next calls of a function raise OSError with this errno."""

        def raise_error(*arguments: Any, **options: Any) -> None:
            raise OSError(number, os.strerror(number))

        self._faults[function] += [raise_error] * times

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        """Read, unless that is to fail."""
        if max(offset, self.unreadable.start) < min(offset + length, self.unreadable.stop):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        data: bytes = self.__getattr__("pread")(fd, length, offset)
        return data

    def write_short(self, length: int) -> None:
        """Make the next write take no more than so many bytes."""
        self._faults["write"].append(lambda fd, data: os.write(fd, data[:length]))

    def writev_short(self, length: int) -> None:
        """Make the next writev take no more than so many bytes."""
        self._faults["writev"].append(lambda fd, pieces: os.write(fd, b"".join(pieces)[:length]))

    def fill_up_after(self, length: int) -> None:
        """Make the next write take so many bytes, and the one after it find the disk full."""
        self.write_short(length)
        self.fail("write", errno.ENOSPC)

    def __getattr__(self, function: str) -> Callable[..., Any]:
        real = getattr(os, function)

        def call(*arguments: Any, **options: Any) -> Any:
            self.calls[function] += 1
            faults = self._faults[function]
            return (faults.pop(0) if faults else real)(*arguments, **options)

        return call
