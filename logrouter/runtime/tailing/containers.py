"""The framing of files that container runtimes write: two streams in one file, and lines that were cut joined again.

What a container wrote to a stream is what the contents of its lines are when they are put together; from there on it is
framed as any stream of lines is, with the same limit for what is held and the same marks. So all that is new here is
where a stream goes on after a crash:

    file      │ P first │ F other stream │ P secon… │
    stdout    └ begins here: `first` is held                 place: the start of the first line that is held in part,
    stderr                               └ begins here       memo: how much of its content has been given out
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from msgspec.structs import replace

from logrouter.container_logs import STREAMS, Begun, ContainerFormat
from logrouter.framing import NOTHING, Frame, LineFraming
from logrouter.joining import MEMOS
from logrouter.runtime.tailing import Part, Start

JOINED_SECONDS: Final = 5.0
"""How long what is joined from several lines waits for the next: runtimes write these at once, but for last words."""
LEAST_HELD_BYTES: Final = 128 * 1024
"""Of an unfinished line of the file so much is held in any case: all that runtimes write into one, with escapes."""
LAG_BYTES: Final = 256 * 1024
"""Where nothing comes of a stream, how far it has been read is told only so often."""


class ContainerFraming:
    """The framing of one file."""

    def __init__(
        self,
        form: ContainerFormat,
        max_line_bytes: int,
        starts: Mapping[str, Start],
        make_framing: Callable[[bytes], LineFraming] | None = None,
        quiet_seconds: float = JOINED_SECONDS,
    ) -> None:
        """`starts`: where its streams go on. `make_framing`: of one of them, given the memo of the one before."""
        self.quiet_seconds = quiet_seconds
        self._format = form
        make_framing = make_framing or partial(LineFraming, max_line_bytes)
        self._streams = {name: _Joining(make_framing, starts.get(name, Start())) for name in STREAMS}
        self._most_held_bytes = max(max_line_bytes, LEAST_HELD_BYTES)
        self._offset = 0
        """Where the next line begins, in bytes from where reading began."""
        self._unfinished = b""
        """What has come of it."""
        self._begun: Begun | None = None
        """It is longer than what may be held: its content is given on as it comes."""
        self._begun_bytes = 0
        self._read_bytes = 0
        """Of what was read, and no part has told yet."""

    @property
    def is_joining(self) -> bool:
        """Whether it holds lines that are complete in the file, and go on in the next of their stream."""
        return self._begun is None and any(stream.is_joining for stream in self._streams.values())

    def feed(self, data: bytes) -> Sequence[Part]:
        """Take what was read; give what it completes, in the order of the file."""
        end = self._offset + self._begun_bytes + len(self._unfinished) + len(data)
        self._read_bytes += len(data)
        data, self._unfinished = self._unfinished + data, b""
        parts = [self._part(name, frame, end) for name, frame in self._frames(data) if frame.lines or frame.empty]
        return [*parts, *(self._part(name, NOTHING, end) for name in STREAMS if self._lags(name))]

    def flush(self) -> Sequence[Part]:
        """What is joined and does not go on: the last words of a container that ended in the midst of a line."""
        end = self._offset + len(self._unfinished)
        frames = {name: stream.flush(self._offset) for name, stream in self._streams.items() if stream.is_joining}
        return [self._part(name, frame, end) for name, frame in frames.items()]

    def finish(self) -> Sequence[Part]:
        """The end of the file: what was held."""
        parts = self.feed(b"\n") if self._unfinished or self._begun else ()
        return [*parts, *self.flush()]

    def _frames(self, data: bytes) -> Iterator[tuple[str, Frame]]:
        if self._begun is not None:
            stop = data.find(b"\n") + 1
            yield self._go_on(self._begun, data[:stop] or data)
            if not stop:
                return
            data = data[stop:]
        if end := data.rfind(b"\n") + 1:
            for run in self._format.runs(data[:end], self._skipped()):
                stream = self._streams[run.stream]
                frame = stream.take(run.content, self._offset + run.start, self._offset + run.end)
                yield run.stream, replace(frame, written_ns=run.written_ns)
            self._offset += end
            data = data[end:]
        if len(data) > self._most_held_bytes:
            self._begun = begun = self._format.begin(data)
            self._begun_bytes = len(data) - len(begun.content)
            yield self._go_on(begun, begun.content)
        else:
            self._unfinished = data
        for stream in self._streams.values():
            stream.nothing_before(self._offset)

    def _go_on(self, begun: Begun, data: bytes) -> tuple[str, Frame]:
        """With the content of a long line, up to its end where that is in the data."""
        self._begun_bytes += len(data)
        end = self._offset + self._begun_bytes
        content = data.removesuffix(b"\n") if not begun.ends_line else data
        frame = self._streams[begun.stream].take(content, self._offset, end)
        if data.endswith(b"\n"):
            self._offset, self._begun, self._begun_bytes = end, None, 0
        return begun.stream, frame

    def _skipped(self) -> dict[str, int]:
        """What of each stream begins before this place in what comes next is in the spool already."""
        return {
            name: stream.skip_to - self._offset
            for name, stream in self._streams.items()
            if stream.skip_to > self._offset
        }

    def _lags(self, name: str) -> bool:
        stream = self._streams[name]
        return stream.begins - stream.told >= LAG_BYTES

    def _part(self, name: str, frame: Frame, end: int) -> Part:
        stream = self._streams[name]
        stream.told = stream.begins
        frame, self._read_bytes = replace(frame, read_bytes=self._read_bytes), 0
        return Part(frame, end - stream.begins, stream.memo, name)


class _Line(NamedTuple):
    """A line of the file whose content is held, all of it or in part."""

    start: int
    content_bytes: int


class _Joining:
    """One stream: lines of the file whose contents belong together."""

    def __init__(self, make_framing: Callable[[bytes], LineFraming], start: Start) -> None:
        unwanted = start.memo.rstrip(MEMOS)
        self._framing = make_framing(start.memo[len(unwanted) :])
        self._unwanted_bytes = int(unwanted or b"0")
        """Of the content of the next line: they have been given out."""
        self._held: deque[_Line] = deque()
        self._content_bytes = 0
        """Of these."""
        self.skip_to = start.skip_bytes
        """What begins before has been given out."""
        self.begins = start.skip_bytes
        """Where the next event begins. As all places here in bytes from where reading began."""
        self.told = start.skip_bytes
        """What was said of that last."""
        self.memo = start.memo
        """What must be known there."""

    @property
    def is_joining(self) -> bool:
        """Whether something is held."""
        return bool(self._held)

    def take(self, content: bytes, start: int, end: int) -> Frame:
        """The content of lines of the file from `start` to `end`, or of one that has begun there and goes on."""
        if start < self.skip_to:
            return NOTHING
        wanted = content[self._unwanted_bytes :]
        self._unwanted_bytes -= len(content) - len(wanted)
        frame = self._framing.feed(wanted)
        if content.endswith(b"\n") and not self._framing.held_bytes:
            self._go_on_at(end)
        else:
            self._hold(start, len(content))
        return frame

    def _hold(self, start: int, content_bytes: int) -> None:
        self._content_bytes += content_bytes
        if self._held and self._held[-1].start == start:
            content_bytes += self._held.pop().content_bytes
        self._held.append(_Line(start, content_bytes))
        while len(self._held) > 1 and self._given_bytes >= self._held[0].content_bytes:
            self._content_bytes -= self._held.popleft().content_bytes
        self.begins = self._held[0].start
        self.memo = (b"%d" % self._given_bytes if self._given_bytes else b"") + self._framing.memo

    @property
    def _given_bytes(self) -> int:
        """What of the lines that are held has been given out, also of what comes again."""
        return self._content_bytes + self._unwanted_bytes - self._framing.held_bytes

    def _go_on_at(self, begins: int) -> None:
        """Nothing is held any more."""
        self._held.clear()
        self._content_bytes = 0
        self.begins, self.memo = begins, b""

    def nothing_before(self, offset: int) -> None:
        """Its next event does not begin before."""
        if not self._held and not self.memo and offset > self.begins:
            self.begins = offset

    def flush(self, offset: int) -> Frame:
        """The line that is held counts as a whole one; the next begins at `offset`, or behind."""
        frame = self._framing.finish()
        self._go_on_at(offset)
        return frame
