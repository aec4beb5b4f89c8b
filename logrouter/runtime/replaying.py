"""Sends dead letters to their sink again, with what delivers events: retries, halves, an outcome for each event.

    file of letters → batch → Sender → delivered: taken out of the file
                                     → refused again: stays, with the new reason
                                     → not settled in time: stays as it is, and so does all that follows

Events go out under the ids that they had, so that a destination that goes by ids has each once: also where a replay is
stopped half-way, and what it had sent is sent again by the next. What depends on an event, such as the name of an
index, is rendered anew by the config of now, from the event as it was sent: routes and `match` have had their say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any

import msgspec
import trio

from logrouter.assembly import make_router, make_sink
from logrouter.batch import Batch, Slice
from logrouter.concurrency import Concurrency
from logrouter.config.settings import Settings, SpoolSettings
from logrouter.cursors import Counts, count
from logrouter.dead_letters import DeadLetter
from logrouter.errors import ClosedByPeer
from logrouter.event import Chunk, Offset
from logrouter.runtime.delivery.collecting import Collector, Taken
from logrouter.runtime.delivery.conversing import Conversing
from logrouter.runtime.delivery.destination import Destination
from logrouter.runtime.delivery.noting import Noting
from logrouter.runtime.delivery.sending import Sender
from logrouter.runtime.letter_files import Change, LetterFile, LetterFiles
from logrouter.runtime.log import Log
from logrouter.runtime.spool.opening import open_spool
from logrouter.runtime.transports import Transport, transport_for
from logrouter.runtime.transports.syncing import GroupSync
from logrouter.sinks import Sink

Connect = Callable[[Sink[Any], GroupSync], Transport]
Settled = dict[Offset, DeadLetter | None]
"""Id → None where the event was delivered, the letter where it was refused again."""


class Account(msgspec.Struct):
    """What became of the letters of one sink."""

    delivered: int = 0
    refused: Counts = {}
    """Again, by the new reason."""
    left: int = 0
    trouble: str | None = None
    """Why some are left."""

    @property
    def events(self) -> int:
        """All that were to be sent."""
        return self.delivered + sum(self.refused.values()) + self.left


class Replay:
    """Sends letters to one sink."""

    def __init__(self, name: str, settings: Settings, *, timeout_seconds: float, connect: Connect) -> None:
        """`timeout_seconds`: how long the letters of one file may take."""
        self._timeout_seconds = timeout_seconds
        self._refused: dict[Offset, DeadLetter] = {}
        self._has_gone = ""
        settings = _alone(name, settings)
        log = Log(write=lambda line: None)  # what there is to say is in the account
        sink = make_sink(name, settings)
        sink.on_reject = "keep"
        sink.retry = msgspec.structs.replace(sink.retry, give_up_seconds=None)
        self._router = make_router({name: sink}, settings)
        self._transport = connect(sink, GroupSync())
        self._destination = Destination(name, log, sink.retry)
        concurrency = Concurrency(1)
        self._spool = open_spool(settings, self._router, log).spool  # in memory, and empty
        collector = Collector(0, name, sink, self._spool, log, self._destination)
        conversing = Conversing(
            name, sink, self._transport, log, self._destination.insist, concurrency, collector.learn
        )
        self._sender = Sender(name, sink, collector, conversing, self._destination, concurrency, log, self)

    async def send(self, letters: Sequence[DeadLetter]) -> Settled:
        """Send them. Gives what became of those that are settled; where some are not, `trouble` says why."""
        self._refused = {}
        taken = Taken(Batch(self._slices(letters)), delivered=len(letters))
        try:
            with trio.move_on_after(self._timeout_seconds):
                await self._sender.send(taken, Noting(self._spool, 0, taken))
                if self._transport.needs_sync:
                    await self._destination.insist(self._transport.sync)
                return {letter.id: self._refused.get(letter.id) for letter in letters}
        except ClosedByPeer as error:
            self._has_gone = str(error)
        return dict(self._refused)

    @property
    def trouble(self) -> str:
        """Why something was not settled in time."""
        trouble = self._destination.trouble
        return self._has_gone or (trouble.reason if trouble else "it took too long")

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """What the sender does with what is refused: remembered, until it is written over the letters that were."""
        await trio.lowlevel.checkpoint()
        self._refused |= {letter.id: letter for letter in letters}

    async def aclose(self) -> None:
        """Let go of the destination."""
        await self._transport.aclose()

    def _slices(self, letters: Sequence[DeadLetter]) -> list[Slice]:
        """Those in a row that share what events of a chunk share are one, or few."""
        return [part for _, together in groupby(letters, key=_shared) for part in self._routed(list(together))]

    def _routed(self, letters: Sequence[DeadLetter]) -> Iterator[Slice]:
        """As routing gives them to the sink, which takes all."""
        first, flags = letters[0], bytes(letter.flags for letter in letters)
        chunk = Chunk([letter.payload for letter in letters], flags, first.attributes, first.received_ns)
        sequences = iter([letter.sequence for letter in letters])
        for piece in self._router.route(chunk):
            part = self._router.slice(piece, 0)
            assert part is not None
            part.epoch, part.sequences = first.epoch, list(islice(sequences, len(piece)))
            yield part


async def replay(
    files: LetterFiles,
    name: str,
    settings: Settings,
    wanted: Callable[[LetterFile], Sequence[DeadLetter]],
    *,
    timeout_seconds: float,
    connect: Connect = transport_for,
) -> Account:
    """Send a sink's letters, file by file, those of each file that are `wanted`. Raises OSError."""
    account = Account()
    replaying = Replay(name, settings, timeout_seconds=timeout_seconds, connect=connect)
    try:
        for file in files.by_sink().get(name, []):
            letters = wanted(file)
            if letters and account.trouble is None:
                settled = await replaying.send(letters)
                with files.lock():
                    files.rewrite(file, _settling(settled))
                _add(account, settled)
                letters = [letter for letter in letters if letter.id not in settled]
                account.trouble = replaying.trouble if letters else None
            account.left += len(letters)
    finally:
        await replaying.aclose()
    return account


def _settling(settled: Settled) -> Change:
    """What becomes of the letters in a file."""
    return lambda letter: settled.get(letter.id, letter)


def _add(account: Account, settled: Settled) -> None:
    for letter in settled.values():
        if letter is None:
            account.delivered += 1
        else:
            count(account.refused, letter.reason, 1)


def _alone(name: str, settings: Settings) -> Settings:
    """The settings of this sink alone, which takes all; without a folder."""
    sink = settings.sinks[name]
    sink = msgspec.structs.replace(sink, config=msgspec.structs.replace(sink.config, match=None))
    return msgspec.structs.replace(settings, sinks={name: sink}, routes=(), spool=SpoolSettings(durability="memory"))


def _shared(letter: DeadLetter) -> tuple[object, ...]:
    return letter.epoch, letter.received_ns, dict(letter.attributes)
