"""Keeps what destinations refuse, beside the spool: `letter_files.py` has the files.

Invariants:
- when `keep` returns, all its letters are on the disk, each once: a batch that a crash makes come again adds none;
- a letter stays until a command deletes it (`logrouter dlq`): at any moment, from another process. So which files there
  are, and how large, is not remembered, but looked up each time;
- the files never take more than `max_bytes`, but for a single letter that is larger. Where there is no room nothing is
  thrown away: the sink waits.

What can come again after a crash is what the sink had not settled. The ids of the letters behind that, those from the
sink's committed sequence on, are read once, with the first letter that comes: of the files that can have some.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec
import trio

from logrouter.dead_letters import DeadLetter, encode_letter
from logrouter.errors import DestinationError
from logrouter.event import Offset
from logrouter.figures import rounded_size
from logrouter.runtime.disk import Disk
from logrouter.runtime.letter_files import FILE_BYTES, LetterFiles, Lock
from logrouter.runtime.threads import in_thread

LOCK_TRIES: Final = 40
LOCK_SECONDS: Final = 0.05
"""Between tries to get the lock, which commands hold for the time it takes to write a file anew."""
LOOK_SECONDS: Final = 1.0
"""How long whoever asks for figures waits for the disk."""


class LettersOfSink(msgspec.Struct):
    """How much there is of one sink."""

    letters: int = 0
    """Lines, so with those that are damaged."""
    size_bytes: int = 0


class DeadLetters:
    """The dead letters of a running logrouter."""

    def __init__(
        self,
        folder: str,
        *,
        max_bytes: int,
        committed: Mapping[str, int],
        disk: Disk = os,
        lock: Lock | None = None,
        file_bytes: int = FILE_BYTES,
    ) -> None:
        """`committed`: the sequence of each sink before which everything was settled at the start."""
        self.max_bytes = max_bytes
        self._files = LetterFiles(folder, disk, lock)
        self._file_bytes = file_bytes
        self._committed = dict(committed)
        self._known: dict[str, set[Offset]] = {}
        """Of each sink that has been read: ids of letters that are there and may come again."""
        self._highest: dict[str, int] = {}
        self._doubtful: set[str] = set()
        """Sinks for which a write or a sync has failed since they were read."""
        self._is_prepared = False
        self._turn = trio.Lock()
        self._is_looking = False
        self._counts: dict[str, tuple[int, int, int]] = {}
        """Path → inode, size and lines of what was there when they were counted."""
        self.statistics: dict[str, LettersOfSink] = {}
        """By sink, as of the last `look`."""

    def expect(self, sink: str, committed: int) -> None:
        """Another sink comes, which has settled everything before this sequence."""
        self._committed.setdefault(sink, committed)

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters of one sink: they are on the disk when it returns.

        Raises DestinationError where they cannot be written, or where there is no room: some of them may be there then,
        and the same call is to be made again.
        """
        if not letters:
            return
        async with self._turn:
            for _ in range(LOCK_TRIES):
                try:
                    await in_thread(partial(self._keep, letters[0].sink, letters))
                    return
                except BlockingIOError:
                    await trio.sleep(LOCK_SECONDS)
                except OSError as error:
                    raise DestinationError(f"cannot keep dead letters: {error.strerror}") from error
        raise DestinationError("cannot keep dead letters: another process holds their lock")

    async def look(self) -> None:
        """Bring `statistics` up to date; what has not changed is not read again. Where the disk hangs, they stay."""
        if not self._is_looking:
            with trio.move_on_after(LOOK_SECONDS), suppress(RuntimeError):  # no thread can be started
                await trio.to_thread.run_sync(self._look, abandon_on_cancel=True)

    def _keep(self, sink: str, letters: Sequence[DeadLetter]) -> None:
        try:
            if not self._is_prepared:
                self._files.prepare()
            with self._files.lock():
                if not self._is_prepared:
                    self._files.tidy()
                    self._is_prepared = True
                known = self._known_of(sink)
                self._append(sink, [letter for letter in letters if letter.id not in known])
                known.difference_update(letter.id for letter in letters)  # settled next: they will not come again
        except BlockingIOError:
            raise
        except OSError:
            self._is_prepared = False
            self._doubtful.add(sink)
            raise

    def _append(self, sink: str, letters: Sequence[DeadLetter]) -> None:
        """Write letters, as much at once as goes into one file."""
        files = self._files.all()
        last = next((file for file in reversed(files) if file.sink == sink), None)
        used_bytes = sum(file.size_bytes for file in files)
        begun_bytes = last.size_bytes if last else self._file_bytes
        number = last.number if last else 0
        for data, ids in self._pieces(sink, letters, self._file_bytes - begun_bytes):
            if used_bytes and used_bytes + len(data) > self.max_bytes:
                raise DestinationError(
                    f"the dead letters are full (dead_letters.max_size: {rounded_size(self.max_bytes)}): "
                    "`logrouter dlq` shows, sends again and deletes them"
                )
            number += begun_bytes + len(data) > self._file_bytes
            self._files.append(sink, number, data)
            self._known[sink].update(ids)  # should what follows fail
            used_bytes += len(data)
            begun_bytes = self._file_bytes

    def _pieces(
        self, sink: str, letters: Sequence[DeadLetter], room_bytes: int
    ) -> Iterator[tuple[bytes, list[Offset]]]:
        """Letters as lines: what fits into the file that is there, then into one new file each; and their ids."""
        lines: list[bytes] = []
        ids: list[Offset] = []
        for letter in letters:
            line = encode_letter(letter, self._highest[sink])
            self._highest[sink] = max(self._highest[sink], letter.sequence)
            room_bytes -= len(line)
            if room_bytes < 0 and lines:
                yield b"".join(lines), ids
                lines, ids = [], []
            if room_bytes < 0:
                room_bytes = self._file_bytes - len(line)
            lines.append(line)
            ids.append(letter.id)
        if lines:
            yield b"".join(lines), ids

    def _known_of(self, sink: str) -> set[Offset]:
        """Ids of letters that are there, and durable, and may come again. Raises OSError."""
        again = sink in self._doubtful
        if sink in self._known and not again:
            return self._known[sink]
        known: set[Offset] = set()
        highest = 0
        for file in reversed(self._files.by_sink().get(sink, [])):
            lines = [line for line in self._files.lines(file) if line.letter]
            highest = max([highest, *(line.highest for line in lines)])
            if lines and lines[-1].highest < self._committed.get(sink, 0):
                break
            ids = {line.letter.id for line in lines if line.letter}
            known |= {offset for offset in ids if offset.sequence >= self._committed.get(sink, 0)}
            self._files.sync(file, again=again)  # whoever wrote them may have been killed before
        self._known[sink], self._highest[sink] = known, highest
        self._doubtful.discard(sink)
        return known

    def _look(self) -> None:
        self._is_looking = True
        try:
            self._counts, self.statistics = self._counted()
        except OSError:
            pass  # told when something is to be kept
        finally:
            self._is_looking = False

    def _counted(self) -> tuple[dict[str, tuple[int, int, int]], dict[str, LettersOfSink]]:
        counts = {}
        statistics = {sink: LettersOfSink() for sink in self._committed}
        for file in self._files.all():
            inode, size_bytes, letters = self._counts.get(file.path, (0, 0, 0))
            if (inode, size_bytes) != (file.inode, file.size_bytes):
                letters = self._files.count(file)
            counts[file.path] = (file.inode, file.size_bytes, letters)
            figures = statistics.setdefault(file.sink, LettersOfSink())
            figures.letters += letters
            figures.size_bytes += file.size_bytes
        return counts, statistics
