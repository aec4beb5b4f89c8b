"""One file that is followed: what it is, how far it was read, what its bytes become."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from logrouter.runtime.tailing import FileFraming, Part, Start, Treatment
from logrouter.runtime.tailing.globs import Identity
from logrouter.runtime.tailing.opened import OpenFile
from logrouter.runtime.tailing.place import HEAD_BYTES, Head, Place, encode, head_of, may_be_one
from logrouter.sources import Stream

READ_BYTES: Final = 512 * 1024
"""As stdin reads: see there."""


class BegunAnew(Exception):
    """What the file held is not there any more: it was truncated, or its inode was given to another one."""


class TailedFile:
    """A file, as long as it is the same one."""

    __slots__ = (
        "_framing", "_reached", "_treatment", "changed", "due", "generation", "head", "identity", "key", "left_at",
        "open", "path", "read_at", "read_to", "seen_at", "streams", "where", "written_at", "written_ns",
    )  # fmt: skip

    def __init__(
        self, key: str, path: str, identity: Identity, treatment: Treatment, places: Mapping[str, Place] | int
    ) -> None:
        """`places`: how far its streams were read, by their names; or where all of them begin.

        Raises KeyError where the treatment does not want it.
        """
        attributes = treatment.streams_of(path)
        if attributes is None:
            raise KeyError(path)
        self.key = key
        self.path = path
        """What it was called when it was found."""
        self.where = path
        """What it was called last, without symbolic links."""
        self.seen_at = path
        """The path that was looked for at which it was last."""
        self.identity = identity
        self.generation = 0
        """Which of the files with its inode it is; 0: not known."""
        self.open: OpenFile | None = None
        self.changed: tuple[int, int] | None = None
        """Its size and time of change, when it was looked at last."""
        self.due: float | None = None
        self.read_at = float("-inf")
        self.written_at = float("-inf")
        """When something was read last."""
        self.written_ns = 0
        """By its file system: no later than what was read last was written. Of files whose head is short."""
        self.left_at: float | None = None
        """Since when it is at none of the paths that are looked for."""
        if isinstance(places, int):
            self.head, self.read_to, starts = Head(), places, dict.fromkeys(attributes, Start(is_first=not places))
        else:
            first = min(places.values(), key=lambda place: place.read_to)
            self.head, self.read_to, self.written_ns = first.head, first.read_to, first.written_ns
            self.generation = first.generation
            starts = {
                name: Start(place.read_to - first.read_to, place.memo, is_first=not place.read_to)
                for name, place in places.items()
            }
        self._treatment = treatment
        self._framing: FileFraming = treatment.framing_of(path, starts)
        begin = {name: starts.get(name, Start()) for name in attributes}
        self._reached = {name: (self.read_to + start.skip_bytes, start.memo) for name, start in begin.items()}
        """How far its streams were read, and what their framing is told there: of what was emitted."""
        self.streams = {name: Stream(stream_key(key, name), known) for name, known in attributes.items()}
        self._tell_streams()

    def read(self) -> bytes:
        """The next block; nothing at its end. Raises BegunAnew, and OSError."""
        assert self.open is not None
        written_ns = self.open.written_ns() if self.head.length < HEAD_BYTES else 0
        data = self.open.read(self.read_to, READ_BYTES)
        if self.read_to and not self._is_the_same(data):  # looked at after the read: so what came in is of this one
            raise BegunAnew
        if data:
            self.written_ns = written_ns
        return data

    def _is_the_same(self, data: bytes) -> bool:
        assert self.open is not None
        return self.open.begins_with(self.head) if data else self.open.holds(self.read_to, self.head)

    def feed(self, data: bytes) -> Sequence[Part]:
        """Make frames of what was read."""
        if self.head.length < HEAD_BYTES:
            self._see_head(data)
        self.read_to += len(data)
        return self._framing.feed(data)

    def _see_head(self, data: bytes) -> None:
        assert self.open is not None
        head = data if not self.read_to else self.open.head()[: self.read_to + len(data)]
        self.head = head_of(head)
        self._tell_streams()

    def _tell_streams(self) -> None:
        """Where they were read from: some of the events of a read may be in the spool before all are."""
        for name, stream in self.streams.items():
            stream.position = self._place(*self._reached[name])

    def start_at_end(self) -> None:
        """Leave out what is there, but for a last line that is not finished."""
        assert self.open is not None
        self.written_ns = self.open.written_ns()
        read_to = self.open.last_line_start(READ_BYTES)
        self.read_to = read_to
        self._reached = dict.fromkeys(self.streams, (read_to, b""))
        self._framing = self._treatment.framing_of(self.path, {})
        self.head = head_of(self.open.head()[:read_to])
        self._tell_streams()

    @property
    def flush_at(self) -> float:
        """When lines that wait for others that belong to them have waited long enough."""
        return self.written_at + self._framing.quiet_seconds if self._framing.is_joining else float("inf")

    def flush(self) -> Sequence[Part]:
        """These lines, without any others."""
        return self._framing.flush()

    def finish(self) -> Sequence[Part]:
        """What was held, as it ends here."""
        return self._framing.finish()

    def position(self, name: str, held_bytes: int = 0, memo: bytes = b"") -> bytes:
        """How far one of its streams was read, when it holds so many bytes of what was."""
        self._reached[name] = reached = self.read_to - held_bytes, memo
        return self._place(*reached)

    def positions(self) -> list[tuple[str, bytes]]:
        """How far its streams were read, by their keys."""
        return [(stream.key, self._place(*self._reached[name])) for name, stream in self.streams.items()]

    def _place(self, read_to: int, memo: bytes) -> bytes:
        path, where = os.fsencode(self.path), os.fsencode(self.where)
        return encode(Place(read_to, memo, *self.identity, self.head, path, where, self.written_ns, self.generation))

    def opened(self, opened: OpenFile) -> None:
        """It can be read now, be it a copy of what it was."""
        self.open = opened
        self.identity, self.generation = opened.identity, opened.generation
        self.where = opened.real_path() or self.where
        self._tell_streams()

    def is_in(self, opened: OpenFile) -> bool:
        """Whether what was read is there, under its inode. Raises OSError."""
        return may_be_one(opened.generation, self.generation) and opened.holds(self.read_to, self.head)

    @property
    def is_at_beginning(self) -> bool:
        """Whether nothing of it has been read, or left out."""
        return not self.read_to and not self.head.length

    def close(self) -> None:
        """Let go of the descriptor."""
        if self.open is not None:
            self.open.close()
            self.open = None


def stream_key(file_key: str, name: str) -> str:
    """What a stream is called among those of its source."""
    return f"{file_key}/{name}" if name else file_key
