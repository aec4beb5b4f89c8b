"""Bytes to lines.

Goals: any cut of the stream into reads gives the same lines; nothing is lost, whatever the bytes; per line
nothing is done in Python in the usual case (whole lines, none empty, none over `max_line`).

    read        …"a":1}⏎{"b":2}⏎{"c":    the part after the last ⏎ waits for the next read
    block       {"b":2}⏎…                what is framed now, without its last ⏎; CR LF counts as ⏎
    lines       block.split(⏎)           without empty ones, which are counted
    marks       {3: PARTIAL_START, …}    pieces of a line over `max_line`, cut between characters of UTF-8

A byte order mark at the start of a stream is no part of its first line (The Unicode Standard, 23.8): it is left out.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from logrouter.event import EVENT_OVERHEAD_BYTES, Flag, parts

IN_LINE: Final = b"+"
"""The memo of a framing that has given out pieces of the line which it holds."""


class Frame(msgspec.Struct, frozen=True):
    """The lines that one read completed."""

    lines: list[bytes]
    block: bytes
    """The same lines joined by newlines: for checks that look at all of them in one go."""
    marks: dict[int, int]
    """Which of the lines are pieces of one that was too long."""
    empty: int
    """How many empty lines were left out."""
    read_bytes: int = 0
    """How many bytes were read since the last frame, whatever they were: ends of lines, the part that still waits."""
    written_ns: int | None = None
    """When the first of them was written down, as by a container runtime, in nanoseconds since 1970. None: not told."""

    def cut(self, limit_bytes: int) -> Iterator[Frame]:
        """The same in frames whose events cost at most `limit_bytes` in memory, or are a single one."""
        if len(self.block) + EVENT_OVERHEAD_BYTES * len(self.lines) <= limit_bytes:
            yield self
            return
        empty, read_bytes = self.empty, self.read_bytes
        for part in parts(self.lines, limit_bytes):
            lines = self.lines[part]
            marks = {
                number - part.start: mark for number, mark in self.marks.items() if part.start <= number < part.stop
            }
            yield Frame(lines, b"\n".join(lines), marks, empty, read_bytes, self.written_ns)
            empty = read_bytes = 0

    def without(self, count: int) -> Frame:
        """The same without its first lines."""
        lines = self.lines[count:]
        marks = {number - count: mark for number, mark in self.marks.items() if number >= count}
        return replace(self, lines=lines, block=b"\n".join(lines), marks=marks)


NOTHING: Final = Frame([], b"", {}, 0)
"""No lines at all. Nobody changes a frame."""


class LineFraming:
    """One stream's framing. Holds the unfinished line between reads, never more than `max_line` of it."""

    def __init__(self, max_line_bytes: int, memo: bytes = b"", *, at_start: bool = False) -> None:
        """`memo`: that of a framing on the same stream, which this one goes on from. `at_start`: it is the first one,
        and the stream may begin with a byte order mark."""
        self.max_line_bytes = max_line_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.in_line = memo == IN_LINE
        """Pieces of the line that is held now have been given out already."""
        self._at_start = at_start
        """Nothing of the stream has come, or no more than some bytes of what may be a mark, which are held."""

    @property
    def held_bytes(self) -> int:
        """How much of what was read has not been given out: the unfinished line."""
        return self._held_bytes

    @property
    def memo(self) -> bytes:
        """What another framing must be told to go on at the beginning of what is held."""
        return IN_LINE if self.in_line else b""

    @property
    def holds_lines(self) -> bool:
        """Whether whole lines are held, which `flush` would give out."""
        return False

    def flush(self) -> Frame:
        """Nothing has come for a while: give out what need not be held."""
        return NOTHING

    def take_over(self, other: LineFraming) -> None:
        """Go on from another framing of the same stream, with what it holds: with its next line, if these are lines."""
        self._held, self._held_bytes, self.in_line = other._held, other._held_bytes, other.in_line
        self._at_start = other._at_start

    def feed(self, data: bytes) -> Frame:
        """Take what was read; give the lines it completes."""
        return replace(self._feed(self._without_mark(data) if self._at_start else data), read_bytes=len(data))

    def _without_mark(self, data: bytes) -> bytes:
        """The first that comes, without the mark, and with what is held of it; nothing while that may be one."""
        data = b"".join((*self._held, data))
        self._at_start = len(data) < len(BOM_UTF8) and BOM_UTF8.startswith(data)
        self._held, self._held_bytes = ([data], len(data)) if self._at_start else ([], 0)
        return b"" if self._at_start else data.removeprefix(BOM_UTF8)

    def _feed(self, data: bytes) -> Frame:
        end = data.rfind(b"\n")
        if end < 0:
            self._hold(data)
            return self._cut_held()
        block = b"".join((*self._held, memoryview(data)[:end]))
        rest = data[end + 1 :]
        self._held, self._held_bytes = ([rest], len(rest)) if rest else ([], 0)
        frame = self._frame(block)
        if self._held_bytes > self.max_line_bytes:
            return joined(frame, self._cut_held())
        return frame

    def finish(self) -> Frame:
        """The end of the stream: the last line, where it had no newline."""
        block = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        return self._frame(block) if block else NOTHING

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)

    def _frame(self, block: bytes) -> Frame:
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
        lines = block.split(b"\n")
        regular = (
            not self.in_line
            and all(lines)
            and (len(block) <= self.max_line_bytes or max(map(len, lines)) <= self.max_line_bytes)
        )
        return Frame(lines, block, {}, 0) if regular else self._frame_irregular(lines)

    def _frame_irregular(self, lines: list[bytes]) -> Frame:
        """Some are empty, too long, or the first one ends a line that has been cut before."""
        kept: list[bytes] = []
        marks: dict[int, int] = {}
        empty = 0
        for line in lines:
            if self.in_line or len(line) > self.max_line_bytes:
                for piece in self._pieces(line, spare=0):
                    marks[len(kept)] = self._next_mark()
                    kept.append(piece)
                marks[len(kept) - 1] = Flag.PARTIAL_END
                self.in_line = False
            elif line:
                kept.append(line)
            else:
                empty += 1
        return Frame(kept, b"\n".join(kept), marks, empty)

    def _cut_held(self) -> Frame:
        """Give out pieces of the held line as soon as it is too long.

        Two bytes more than the limit are waited for, so that what follows the last piece is never just a CR.
        """
        if self._held_bytes <= self.max_line_bytes + 1:
            return NOTHING
        *pieces, rest = self._pieces(b"".join(self._held), spare=1)
        self._held, self._held_bytes = [rest], len(rest)
        marks = {number: self._next_mark() for number in range(len(pieces))}
        return Frame(pieces, b"\n".join(pieces), marks, 0)

    def _next_mark(self) -> int:
        mark = Flag.PARTIAL_MIDDLE if self.in_line else Flag.PARTIAL_START
        self.in_line = True
        return mark

    def _pieces(self, line: bytes, spare: int) -> list[bytes]:
        """Cut a line. The last piece is what is left: more than `spare` bytes."""
        pieces = []
        start = 0
        while len(line) - start > self.max_line_bytes + spare:
            end = _character_start(line, start, start + self.max_line_bytes)
            pieces.append(line[start:end])
            start = end
        return [*pieces, line[start:]]


def _character_start(line: bytes, start: int, end: int) -> int:
    """The last place at or before `end` where a UTF-8 character begins; `end` itself where it is not UTF-8."""
    for place in range(end, max(start, end - 4), -1):
        if line[place] & 0xC0 != 0x80:
            return place
    return end


def joined(first: Frame, second: Frame) -> Frame:
    """Two frames as one. How much was read is not in it."""
    shift = len(first.lines)
    marks = first.marks | {shift + number: mark for number, mark in second.marks.items()}
    lines = first.lines + second.lines
    return Frame(lines, b"\n".join(lines), marks, first.empty + second.empty)
