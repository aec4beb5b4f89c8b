"""What tests of following files share: a Tail over a folder, and what it has emitted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from logrouter.event import Attributes
from logrouter.framing import Frame, LineFraming
from logrouter.runtime.tailing import FileFraming, FileLines, Start, Treatment
from logrouter.runtime.tailing.options import Options
from logrouter.runtime.tailing.tail import Tail
from logrouter.sources import Stream
from tests.runtime.observed import run_at_once

MAX_LINE = 1000


class Lines(Treatment):
    """Files of lines."""

    def streams_of(self, path: str) -> Mapping[str, Attributes] | None:
        return {"": {"file": path}}

    def framing_of(self, path: str, starts: Mapping[str, Start]) -> FileFraming:
        start = starts.get("", Start())
        return FileLines(LineFraming(MAX_LINE, start.memo, at_start=start.is_first), 0.5)


class Emitted:
    """What came of files, as a spool would keep it: positions with the lines, and over restarts."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.by_file: dict[str, list[bytes]] = defaultdict(list)
        self.positions: dict[str, bytes] = {}
        self.warnings: list[tuple[str, dict[str, Any]]] = []
        self.reads = 0
        self.before_each: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint

    async def emit(
        self, frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None
    ) -> None:
        await self.before_each()
        assert stream is not None
        assert position is not None
        self.reads += bool(frame.read_bytes)
        self.lines += frame.lines
        if frame.lines:
            self.by_file[Path(str(stream.attributes["file"])).name] += frame.lines
        if position:
            self.positions[stream.key] = position
        else:
            self.positions.pop(stream.key, None)

    def warn(self, message: str, *, about: str = "", **fields: object) -> None:
        self.warnings.append((message, fields))


@asynccontextmanager
async def following(
    folder: Path, emitted: Emitted, pattern: str = "*.log", *, treatment: Treatment | None = None, **options: Any
) -> AsyncIterator[Tail]:
    """A Tail at work; stopped at the end. What it has emitted before it goes on from."""
    given = Options((f"{folder}/{pattern}",), **{"start": "beginning", **options})
    tail = Tail(given, treatment or Lines(), emitted.warn, aside=run_at_once)
    tail.resume(emitted.positions)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tail.run, emitted.emit)
        await trio.sleep(1)
        yield tail
        tail.stop()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
