"""What is written down of a batch before its first byte leaves, and while it is on its way."""

from __future__ import annotations

from logrouter.cursors import Memory, Note, Place, Tally
from logrouter.errors import DestinationError
from logrouter.runtime.delivery.collecting import Taken
from logrouter.runtime.spool import Spool


class Noting:
    """One batch's note in the spool. Everything raises DestinationError where it cannot be written now."""

    def __init__(self, spool: Spool, sink: int, taken: Taken, note: Note | None = None) -> None:
        """`note`: as it was written before, by this process or another."""
        self._spool = spool
        self._sink = sink
        self._is_written = note is not None
        self._note = note or Note(taken.batch.first, taken.batch.end, tally=Tally(taken.delivered, taken.unmatched))
        self.places = {place.path: place for place in self._note.places}
        """Where it was about to be written before, by path; without those that have been looked at again."""

    @property
    def keeps(self) -> bool:
        """Whether what is written down outlives the process."""
        return self._spool.keeps_notes

    async def ensure(self) -> None:
        """It is about to leave."""
        if not self._is_written and self._note.end > self._note.first:
            await self._write()

    async def add_place(self, place: Place | None, parts: int) -> None:
        """It is about to be written there, of so many places in all. None: no place that anybody could tell later."""
        if not self._is_written:
            self._note.places = [] if place is None else [place]
            self._note.parts = parts
            await self._write()
        elif place is not None:
            try:
                await self._spool.add_place(self._sink, self._note.first, place)
            except OSError as error:
                raise _cannot(error) from error

    async def seal(self, memo: Memory) -> None:
        """What the sink wants to know when it is sent again."""
        self._note.memo = memo
        if self._note.end > self._note.first:
            await self._write()

    async def settle(self, tally: Tally) -> None:
        """It waits only for those in front of it."""
        if self.keeps:
            self._note.settled, self._note.tally = True, tally
            await self._write()

    async def _write(self) -> None:
        try:
            await self._spool.note(self._sink, self._note)
        except OSError as error:
            raise _cannot(error) from error
        self._is_written = True


def _cannot(error: OSError) -> DestinationError:
    return DestinationError(f"cannot note a batch in the spool: {error.strerror}")
