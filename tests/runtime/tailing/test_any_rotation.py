"""Whatever is written, rotated, compressed and killed, in any order: each line is read once."""

from __future__ import annotations

import os
import resource
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from unittest import mock

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from logrouter import compression
from logrouter.runtime.tailing import descriptors
from logrouter.runtime.tailing.tail import RENAMED_SECONDS
from logrouter.runtime.tailing.watching import SAFETY_SECONDS
from tests.runtime.tailing.following import Emitted, append, following

Act = Literal["write", "half", "rename", "copytruncate", "gzip", "zstd", "wait", "wait long", "kill", "stop"]
ACTS: list[Act] = ["write", "half", "rename", "copytruncate", "gzip", "zstd", "wait", "wait long", "kill", "stop"]


class Killed(Exception):
    """The process has ended, in the midst of handing something over."""


class App:
    """What writes to a file, and what rotates it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "a.log"
        self.path.touch()
        self.written: list[bytes] = []
        self.rotated: list[Path] = []
        self._numbers = count()
        self._half = b""

    def write(self, lines: int) -> None:
        self._end_line()
        made = [b"line %d of the app" % next(self._numbers) for _ in range(lines)]
        append(self.path, b"".join(line + b"\n" for line in made))
        self.written += made

    def begin_line(self) -> None:
        self._end_line()
        line = b"line %d, written in two halves" % next(self._numbers)
        append(self.path, line[:10])
        self._half = line[10:] + b"\n"
        self.written.append(line)

    def _end_line(self) -> None:
        append(self.path, self._half)
        self._half = b""

    def rotate(self, act: Act) -> None:
        self._end_line()
        if not self.path.stat().st_size:
            return
        target = self.path.with_name(f"a.log.{len(self.rotated) + 1}")
        if act == "rename":
            self.path.rename(target)
            self.path.touch()
        else:
            target.write_bytes(self.path.read_bytes())
            os.truncate(self.path, 0)
        self.rotated.append(target)

    def compress(self, act: Act) -> None:
        plain = [path for path in self.rotated[:-1] if path.exists()]
        if plain:
            kind, suffix = ("gzip", ".gz") if act == "gzip" else ("zstd", ".zst")
            packed = compression.compress(plain[0].read_bytes(), kind)  # type: ignore[arg-type]
            plain[0].with_name(plain[0].name + suffix).write_bytes(packed)
            plain[0].unlink()

    def finish(self) -> None:
        self._end_line()

    async def act(self, act: Act) -> None:
        if act == "write":
            self.write(3)
        elif act == "half":
            self.begin_line()
        elif act in ("rename", "copytruncate"):
            self.rotate(act)
        elif act in ("gzip", "zstd"):
            self.compress(act)
        elif act == "wait":
            await trio.sleep(0.3)
        elif act == "wait long":
            await trio.sleep(RENAMED_SECONDS + SAFETY_SECONDS)


async def live(app: App, emitted: Emitted, lives: list[tuple[list[Act], list[Act]]], watch: str) -> None:
    """In each life some things happen while the files are followed, and some when that has ended."""
    for up, down in lives:
        killed: list[bool] = []
        emitted.before_each = partial(_killed_if, killed)
        try:
            async with following(app.path.parent, emitted, "a.log*", watch=watch):
                for act in up:
                    if act == "kill":
                        killed.append(True)
                        app.write(1)
                        await trio.sleep(30)
                    elif act == "stop":
                        break
                    else:
                        await app.act(act)
        except* Killed:
            pass
        emitted.before_each = trio.lowlevel.checkpoint
        for act in down:
            if not act.startswith("wait"):
                await app.act(act)
    async with following(app.path.parent, emitted, "a.log*", watch=watch):
        app.finish()
        await trio.sleep(2 * RENAMED_SECONDS)


async def _killed_if(killed: list[bool]) -> None:
    await trio.lowlevel.checkpoint()
    if killed:
        raise Killed


acts = st.lists(st.sampled_from(ACTS), max_size=10)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(
    lives=st.lists(st.tuples(acts, acts), max_size=3),
    watch=st.sampled_from(["auto", "poll"]),
    most_open=st.sampled_from([1, 2, 16]),
)
def test_whatever_happens_each_line_is_read_once(
    lives: list[tuple[list[Act], list[Act]]], watch: str, most_open: int
) -> None:
    limit = mock.patch.object(descriptors, "LEAST", most_open)
    few = mock.patch.object(resource, "getrlimit", return_value=(0, 0))
    with TemporaryDirectory() as folder, limit, few:
        app, emitted = App(Path(folder)), Emitted()
        trio.run(live, app, emitted, lives, watch, clock=MockClock(autojump_threshold=0))
        assert sorted(emitted.lines) == sorted(app.written)
