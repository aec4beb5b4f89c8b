"""One stream of an app, read from the files in which the supervisor captures it (`supervisor/capture.py`).

    position   1048576    so many bytes of the whole stream are in the spool: the beginning of an event
               1048576+   the same, in the midst of a line that is longer than `max_line`
               1048576*   the same, in the midst of an event of several lines that is longer

A file is deleted once it is safe and there is a next: the supervisor may still write into the last. After the app's end
the last goes too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Final, NamedTuple, Protocol

import trio

from logrouter.framing import IN_LINE, Frame, LineFraming
from logrouter.joining import IN_EVENT
from logrouter.sources import Emit, LinesConfig, Stream
from logrouter.sources._wake import Wake
from logrouter.supervisor import STREAMS
from logrouter.supervisor.capture import FILE_NAME

READ_BYTES: Final = 512 * 1024
_MEMOS: Final = IN_LINE + IN_EVENT


class MakeFraming(Protocol):
    """What makes the framing of a stream."""

    def __call__(self, memo: bytes = b"", *, at_start: bool = False) -> LineFraming:
        """Given the memo of the one before; or it is the first, where the stream begins."""


class FromFiles:
    """Reads an app's streams from its capture files."""

    def __init__(
        self,
        config: LinesConfig,
        folder: str,
        wake: Wake,
        lose: Callable[[str, int], None],
        complain: Callable[[OSError], None],
    ) -> None:
        """`lose` is told what is missing: of which stream, and how many bytes; `complain`, why what is safe cannot be
        deleted."""
        self.trouble: str | None = None
        self._streams = {name: CapturedStream(folder, name, config.framing) for name in STREAMS}
        self._quiet_seconds = config.quiet_seconds
        self._quiet_at = dict.fromkeys(STREAMS, float("inf"))
        """When the lines that a stream holds are given out, if nothing comes before."""
        self._wake = wake
        self._lose = lose
        self._complain = complain
        self._stopped = False
        self._over = False
        """The app has ended, and all it wrote has been handed over."""

    def adjust(self, config: LinesConfig) -> None:
        """Go on with these options."""
        for stream in self._streams.values():
            stream.frame_with(config.framing)
        self._quiet_seconds = config.quiet_seconds

    def resume(self, positions: Mapping[str, bytes]) -> dict[str, int]:
        """Go on where a process before this one was. Gives where that is in each stream, in bytes."""
        for name, stream in self._streams.items():
            stream.resume(positions.get(name, b"0"))
        return {name: stream.read_to for name, stream in self._streams.items()}

    def acknowledge(self, key: str, position: bytes) -> None:
        """What was read up to there is safe."""
        stream = self._streams[key]
        with self._deleting():
            stream.is_safe(position)
            if self._over:
                stream.clear()

    def stop(self) -> None:
        """Read no more. An unfinished line is not given out: whoever comes next reads it from its beginning."""
        self._stopped = True
        self._wake.stop()

    async def run(self, emit: Emit) -> None:
        """Read until the app has ended and all of it is read. Files that cannot be read are `trouble`."""
        try:
            while not self._stopped:
                is_all = self._wake.ended
                if await self._read_some(emit):
                    continue
                if is_all:
                    await self._finish(emit)
                    break
                await self._wake.wait(min(self._quiet_at.values()))
                await self._flush_some(emit)
        except OSError as error:
            self.trouble = f"{error.filename or 'a capture file'}: {error.strerror}"
        finally:
            for stream in self._streams.values():
                stream.close()

    async def _read_some(self, emit: Emit) -> bool:
        """Read once from each stream. Whether anything has come."""
        any_came = False
        for name, stream in self._streams.items():
            if (frame := stream.read()) is not None:
                any_came = True
                now = trio.current_time()
                self._quiet_at[name] = now + self._quiet_seconds if stream.holds_lines else float("inf")
                if lost_bytes := stream.take_lost():
                    self._lose(name, lost_bytes)
                await emit(frame, time.time_ns(), stream.stream, stream.position)
        return any_came

    async def _flush_some(self, emit: Emit) -> None:
        for name, stream in self._streams.items():
            if trio.current_time() >= self._quiet_at[name]:
                self._quiet_at[name] = float("inf")
                frame = stream.flush()
                await emit(frame, time.time_ns(), stream.stream, stream.position)

    async def _finish(self, emit: Emit) -> None:
        for stream in self._streams.values():
            frame = stream.finish()
            await emit(frame, time.time_ns(), stream.stream, stream.position)
        self._over = True
        with self._deleting():
            for stream in self._streams.values():
                stream.clear()

    @contextmanager
    def _deleting(self) -> Iterator[None]:
        """What cannot be deleted now (a read-only disk) is with the next, or by the next process."""
        try:
            yield
        except OSError as error:
            self._complain(error)


class CaptureFile(NamedTuple):
    """One of them."""

    begin: int
    """Where its first byte stands in the whole stream."""
    path: str

    @property
    def end(self) -> int:
        """Where the byte behind its last stands, by now. Before `begin` where it has been deleted."""
        try:
            return self.begin + os.stat(self.path).st_size
        except FileNotFoundError:
            return -1


class CapturedStream:
    """Reads it from where it was read to before."""

    def __init__(self, folder: str, name: str, framing: MakeFraming) -> None:
        self.stream = Stream(name, {"stream": name})
        self._lost_bytes = 0
        self._folder = folder
        self._name = name
        self._make_framing = framing
        self._framing = framing(at_start=True)
        self._offset = 0
        """Where the next byte to read stands in the whole stream."""
        self._safe_offset = 0
        self._file: CaptureFile | None = None
        self._fd = -1
        self._gap_bytes = 0
        """How much is missing before what the file holds."""

    @property
    def read_to(self) -> int:
        """How far it has been read, in bytes of the whole stream."""
        return self._offset

    @property
    def position(self) -> bytes:
        """How far its lines have been given out."""
        place = b"%d" % (self._offset - self._framing.held_bytes)
        return place + self._framing.memo

    @property
    def holds_lines(self) -> bool:
        """Whether it holds whole lines, as more may belong to them."""
        return self._framing.holds_lines

    def frame_with(self, framing: MakeFraming) -> None:
        """Go on with another kind of framing."""
        before, self._make_framing = self._framing, framing
        self._framing = framing()
        self._framing.take_over(before)

    def resume(self, position: bytes) -> None:
        """Go on from where a process before this one was."""
        self.stream.position = position
        place = position.rstrip(_MEMOS)
        self._offset = self._safe_offset = int(place or b"0")
        self._framing = self._make_framing(position[len(place) :], at_start=not self._offset)

    def read(self) -> Frame | None:
        """Some more lines, or none where what comes next is missing. None: nothing has come. Raises OSError."""
        while self._file is not None or self._open_next():
            if self._gap_bytes:
                return self._skip_gap()
            if data := self._read_file():
                return self._framing.feed(data)
            is_complete = any(file.begin > self._file.begin for file in self._files() if self._file)
            if data := self._read_file():  # of a file that is complete nothing comes after this
                return self._framing.feed(data)
            if not is_complete:
                return None
            self.close()
        return None

    def take_lost(self) -> int:
        """How many bytes were gone before they could be read, since this was asked last."""
        lost, self._lost_bytes = self._lost_bytes, 0
        return lost

    def finish(self) -> Frame:
        """The last line, where it has no end and will not get one."""
        frame = self._framing.finish()
        self._framing = self._make_framing()
        return frame

    def flush(self) -> Frame:
        """The lines that it holds, as nothing has come for a while."""
        return self._framing.flush()

    def is_safe(self, position: bytes) -> None:
        """What was read up to there will not be asked for again. Deletes what is safe and complete. Raises OSError."""
        self._safe_offset = int(position.rstrip(_MEMOS))
        files = self._files()
        for file, following in pairwise(files):
            if following.begin <= self._safe_offset:
                _delete(file)

    def close(self) -> None:
        """Read no more for now."""
        if self._file is not None:
            os.close(self._fd)
            self._file = None

    def clear(self) -> None:
        """Nothing more will come: delete all that is safe, also what was written last. Raises OSError."""
        for file in self._files():
            if file.end <= self._safe_offset:
                _delete(file)

    def _open_next(self) -> bool:
        """Open the first file that holds anything not yet read, or else the last: into that more may come."""
        files = self._files()
        file = next((file for file in files if file.end > self._offset), files[-1] if files else None)
        if file is None:
            return False
        try:
            self._fd = os.open(file.path, os.O_RDONLY)
        except FileNotFoundError:  # discarded just now, for want of room: more is about to come
            return False
        self._gap_bytes = max(0, file.begin - self._offset)
        os.lseek(self._fd, max(0, self._offset - file.begin), os.SEEK_SET)
        self._file = file
        return True

    def _read_file(self) -> bytes:
        data = os.read(self._fd, READ_BYTES)
        self._offset += len(data)
        return data

    def _skip_gap(self) -> Frame:
        """What is held of a line has no end, and what comes behind the gap has no beginning."""
        frame = self.finish()
        self._offset += self._gap_bytes
        self._lost_bytes += self._gap_bytes
        self._gap_bytes = 0
        self.stream.has_gap = True
        return frame

    def _files(self) -> list[CaptureFile]:
        """Those that are there, in order."""
        with suppress(FileNotFoundError):  # nothing has come yet
            matches = filter(None, map(FILE_NAME.fullmatch, os.listdir(self._folder)))
            return sorted(
                CaptureFile(int(match[2], 16), f"{self._folder}/{match[0]}")
                for match in matches
                if match[1] == self._name
            )
        return []


def _delete(file: CaptureFile) -> None:
    with suppress(FileNotFoundError):  # somebody else has
        os.unlink(file.path)
