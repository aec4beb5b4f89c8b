"""What container runtimes write into the log files of a node, taken apart: whose line it is, and what is in it.

    cri       2026-01-31T23:59:59.123456789Z stdout F the line⏎         F: whole, or the end of one; P: it goes on
    docker    {"log":"the line\\n","stream":"stdout","time":"2026-01-31T23:59:59.123456789Z"}⏎     goes on without \\n

(https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md and
https://docs.docker.com/engine/logging/drivers/json-file/)

Runtimes cut lines at 16 KiB. Put together again, the contents of one stream are what the container wrote. So a file is
taken as *runs*: lines of one stream and one second with their contents joined, in the order of the file. Where streams
take turns all the time, a run has all that is of its stream: chunks of single events would cost ten times as much.

What is neither format stands as it is, as a line of stdout: nothing is lost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby, pairwise
from operator import attrgetter
from typing import Any, ClassVar, Final, NamedTuple

import msgspec

from logrouter import times
from logrouter.documents import NOT_JSON

STDOUT: Final = "stdout"
STREAMS: Final = (STDOUT, "stderr")
MOST_TURNS: Final = 16
"""In one second of one block. Up to here events of both streams stay in order."""
_SECOND: Final = slice(len("2026-01-31T23:59:59"))
"""What tells times apart."""
MOST_SECONDS: Final = 64
"""In one block. Where it has lines of more, as after a long absence, several of them share the time of the first."""
_NO_SKIP: Final[Mapping[str, int]] = {}


class Run(NamedTuple):
    """Lines of one stream. Either the last of them ends a line of the container, or it is a single one."""

    stream: str
    content: bytes
    """What the container wrote, with its own newlines."""
    start: int
    """Where the first of them begins in the block."""
    end: int
    """Where the last of them ends."""
    written_ns: int | None
    """When the runtime wrote the first of them, where that is told."""


class Columns(NamedTuple):
    """Lines of a file, taken apart. As many of each as there are lines."""

    times: Sequence[str] | Sequence[bytes]
    streams: Sequence[str]
    contents: Sequence[bytes]
    """With their newlines, where the container's line ends."""


class Begun(NamedTuple):
    """A line of the file that is too long to wait for its end, as far as it has come."""

    stream: str
    content: bytes
    ends_line: bool
    """Whether the container's line ends with it."""


class ContainerFormat(ABC):
    """How the lines of a file are written."""

    @abstractmethod
    def columns(self, lines: list[bytes]) -> Columns:
        """Take lines apart."""

    def begin(self, line: bytes) -> Begun:
        """Take the beginning of a line apart that has no end yet."""
        return Begun(STDOUT, line, True)

    def runs(self, block: bytes, skip: Mapping[str, int] = _NO_SKIP) -> Iterator[Run]:
        """Take whole lines apart, the newline of the last one included.

        `skip`: what of a stream begins before this place in the block is left out.
        """
        lines = block[:-1].split(b"\n")
        columns = self.columns(lines)
        known, streams, contents = columns
        if (
            not skip
            and known[0][_SECOND] == known[-1][_SECOND]
            and contents[-1].endswith(b"\n")
            and len(set(streams)) == 1
        ):
            yield Run(streams[0], b"".join(contents), 0, len(block), _written_ns(known[0]))
            return
        starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
        for start, stop in pairwise(_seconds(known)):
            for stream, places in _turns(streams, start, stop):
                if skip:
                    places = [place for place in places if starts[place] >= skip.get(stream, 0)]
                yield from _runs(columns, places, starts)


def _written_ns(time: str | bytes) -> int | None:
    return times.parse(time.decode("latin-1") if isinstance(time, bytes) else time)


def _seconds(known: Sequence[Any]) -> Sequence[int]:
    """Where a second begins, and where the last ends."""
    places = [0]
    while places[-1] < len(known):
        places.append(_end_of_second(known, places[-1]))
    return [*places[: -1 : 1 + len(places) // MOST_SECONDS], len(known)]


def _end_of_second(known: Sequence[Any], start: int) -> int:
    """How many of the lines that follow are of the same second."""
    second = known[start][_SECOND]
    if known[-1][_SECOND] == second:
        return len(known)
    return max(start + 1, bisect_right(known, second, start, key=lambda time: time[_SECOND]))


def _turns(streams: Sequence[str], start: int, stop: int) -> list[tuple[str, Sequence[int]]]:
    """The places of lines that are one after the other of one stream; if these are too many, all of each stream."""
    turns: list[tuple[str, Sequence[int]]] = [
        (stream, list(places)) for stream, places in groupby(range(start, stop), streams.__getitem__)
    ]
    if len(turns) <= MOST_TURNS:
        return turns
    return [(name, [place for place in range(start, stop) if streams[place] == name]) for name in STREAMS]


def _runs(columns: Columns, places: Sequence[int], starts: Sequence[int]) -> Iterator[Run]:
    """One run, and one of its own for each line behind it that is not the end of one."""
    contents = columns.contents
    ended = next((stop for stop in range(len(places), 0, -1) if contents[places[stop - 1]].endswith(b"\n")), 0)
    for some in filter(None, (places[:ended], *((place,) for place in places[ended:]))):
        content = b"".join([contents[place] for place in some])
        written_ns = _written_ns(columns.times[some[0]])
        yield Run(columns.streams[some[0]], content, starts[some[0]], starts[some[-1] + 1], written_ns)


class Cri(ContainerFormat):
    """The format that kubelet reads: of containerd and CRI-O."""

    _STREAMS: ClassVar = {name.encode(): name for name in STREAMS}
    _TAGS: ClassVar = frozenset((b"F", b"P"))

    def columns(self, lines: list[bytes]) -> Columns:
        """Take lines apart."""
        known, streams, tags, contents = self._split(lines) or zip(*map(self._row, lines), strict=True)
        return Columns(
            known,
            [self._STREAMS[stream] for stream in streams],
            [content + b"\n" if tag == b"F" else content for tag, content in zip(tags, contents, strict=True)],
        )

    def _split(self, lines: list[bytes]) -> tuple[Sequence[bytes], ...] | None:
        """Their four columns; None where one of them is odd."""
        rows = [line.split(b" ", 3) for line in lines]
        if set(map(len, rows)) != {4}:
            return None
        known, streams, tags, contents = zip(*rows, strict=True)
        is_right = set(streams) <= self._STREAMS.keys() and set(tags) <= self._TAGS
        return (known, streams, tags, contents) if is_right else None

    @classmethod
    def split(cls, line: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
        """Time, stream, tag and content; None where it is no such line."""
        time, _, rest = line.partition(b" ")
        stream, _, rest = rest.partition(b" ")
        tags, _, content = rest.partition(b" ")  # of an empty line there may be no blank behind the tag
        tag = tags.split(b":")[0]
        return (time, stream, tag, content) if stream in cls._STREAMS and tag in cls._TAGS else None

    def _row(self, line: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """Of a line that may be odd."""
        return self.split(line) or (b"", STDOUT.encode(), b"F", line)

    def begin(self, line: bytes) -> Begun:
        """Take the beginning of a line apart that has no end yet."""
        _, stream, tag, content = self._row(line)
        return Begun(self._STREAMS[stream], content, tag == b"F")


class DockerLine(msgspec.Struct, gc=False):
    """One line of the file."""

    log: str
    """With its newline, where the container's line ends."""
    stream: str = STDOUT
    time: str = ""


class Docker(ContainerFormat):
    """The format of Docker's logging driver `json-file`."""

    _decode: ClassVar = msgspec.json.Decoder(DockerLine).decode

    def columns(self, lines: list[bytes]) -> Columns:
        """Take lines apart."""
        try:
            rows = list(map(self._decode, lines))
        except NOT_JSON:
            rows = list(map(self._row, lines))
        if not set(map(_stream_of, rows)) <= set(STREAMS):
            rows = [row if row.stream in STREAMS else DockerLine(row.log, STDOUT, row.time) for row in rows]
        contents = [row.log.encode("utf-8", "surrogateescape") for row in rows]
        return Columns(list(map(_time_of, rows)), list(map(_stream_of, rows)), contents)

    def _row(self, line: bytes) -> DockerLine:
        try:
            return self._decode(line)
        except NOT_JSON:
            return DockerLine(line.decode("utf-8", "surrogateescape") + "\n")


_stream_of = attrgetter("stream")
_time_of = attrgetter("time")
