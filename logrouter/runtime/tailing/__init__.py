"""Reads files that grow: found by patterns, followed through rotation, each line once over restarts.

    look (in a thread)      patterns → which files there are          looking.py, globs.py
    inotify                 a file has grown, a folder has changed    inotify.py
    Tail, one task          which of them is which                    tail.py, known.py
                            whose turn it is                          schedule.py
                            bytes → frames, with a position           file.py, opened.py, place.py

This is what a source must say of its files; `sources/_tail.py` is the base of those that read any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from logrouter.event import Attributes
from logrouter.framing import Frame, LineFraming


class Part(NamedTuple):
    """What a read has completed of one stream in a file."""

    frame: Frame
    held_bytes: int = 0
    """How far before the end of what was read the stream's next event begins: where reading goes on after a crash."""
    memo: bytes = b""
    """What its framing must be told to go on there."""
    stream: str = ""


class Start(NamedTuple):
    """Where one stream of a file goes on."""

    skip_bytes: int = 0
    """What of it begins within so many bytes from where reading begins is in the spool already."""
    memo: bytes = b""
    is_first: bool = False
    """Whether that is where the file begins."""


class FileFraming(Protocol):
    """What the bytes of one file become: a framing for each."""

    @property
    def is_joining(self) -> bool:
        """Whether it holds lines that are complete, and waits for others that belong to them."""

    @property
    def quiet_seconds(self) -> float:
        """After so long without anything new it is asked to `flush` these."""

    def feed(self, data: bytes) -> Sequence[Part]:
        """Take what was read; give what it completes, also where that is nothing: a part for each stream."""

    def flush(self) -> Sequence[Part]:
        """Nothing has come for a while: these lines, without any others."""

    def finish(self) -> Sequence[Part]:
        """The end of the file: what was held."""


class Treatment(Protocol):
    """What a source makes of its files."""

    def streams_of(self, path: str) -> Mapping[str, Attributes] | None:
        """The streams that are in a file, by name, and what is known of their events. None: it is not to be read.

        Most files have one, which has no name. The names stay the same as long as the file is there.
        """

    def framing_of(self, path: str, starts: Mapping[str, Start]) -> FileFraming:
        """What makes frames of a file's bytes, and where its streams go on: those that are not named, at once."""


class FileLines:
    """The framing of files that hold lines."""

    def __init__(self, framing: LineFraming, quiet_seconds: float) -> None:
        """`quiet_seconds`: after so long without a new line the whole lines that it holds are given out."""
        self._framing = framing
        self.quiet_seconds = quiet_seconds

    @property
    def is_joining(self) -> bool:
        """Whether it holds whole lines, as more may belong to them."""
        return self._framing.holds_lines

    def feed(self, data: bytes) -> Sequence[Part]:
        """Take what was read; give the lines it completes."""
        return (self._part(self._framing.feed(data)),)

    def flush(self) -> Sequence[Part]:
        """The whole lines that it holds."""
        return (self._part(self._framing.flush()),)

    def finish(self) -> Sequence[Part]:
        """The last line, where it had no newline."""
        return (self._part(self._framing.finish()),)

    def _part(self, frame: Frame) -> Part:
        framing = self._framing
        return Part(frame, framing.held_bytes, framing.memo)
