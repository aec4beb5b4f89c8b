"""Destinations are tried without an event."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import trio

from logrouter.errors import DestinationError
from logrouter.instructions import Instruction, Now, Pause, ReadFile, Request, Response
from logrouter.runtime.probing import probe_all
from logrouter.sinks import SinkConfig, SinkContext
from logrouter.testing import RecordingSink, RespondingTransport, playing


class Probed(RecordingSink):
    transport = "http"

    def __init__(self, path: str = "") -> None:
        super().__init__(SinkConfig(), SinkContext("x"))
        self._path = path

    def probe(self) -> Generator[Instruction, Any, list[str]]:
        yield Pause()
        assert (yield Now()) > 10**18
        wrong = []
        if self._path:
            data = yield ReadFile(self._path)
            wrong.append("no such file" if data is None else data.decode())
        try:
            response = yield Request("GET", "/")
        except DestinationError as error:
            return [f"asked in vain: {error}"]
        return wrong if response.status == 200 else [*wrong, f"HTTP {response.status}"]


async def test_all_are_asked_at_once_and_those_that_make_no_requests_are_left_out(
    autojump_clock: trio.testing.MockClock,
) -> None:
    sinks = {"good": Probed(), "bad": Probed(), "file": RecordingSink(SinkConfig(), SinkContext("f"))}
    transports = {
        sinks["good"]: RespondingTransport(seconds=5),
        sinks["bad"]: RespondingTransport(playing([Response(401)]), seconds=5),
    }
    assert await probe_all(sinks, connect=transports.__getitem__) == {"good": [], "bad": ["HTTP 401"]}
    assert trio.current_time() == 5
    assert all(transport.closed for transport in transports.values())


async def test_nobody_answers() -> None:
    transport = RespondingTransport()
    transport.dead = True
    assert await probe_all({"x": Probed()}, connect=lambda sink: transport) == {"x": ["asked in vain: nobody answers"]}


async def test_it_takes_too_long(autojump_clock: trio.testing.MockClock) -> None:
    transport = RespondingTransport(seconds=100)
    found = await probe_all({"x": Probed()}, connect=lambda sink: transport)
    assert found == {"x": ["it has not said within 20s whether all is well"]}
    assert transport.closed


@pytest.mark.parametrize("content", ["what it holds", None])
async def test_files_are_read(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    found = await probe_all({"x": Probed(str(path))}, connect=lambda sink: RespondingTransport())
    assert found == {"x": [content or "no such file"]}


async def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    found = await probe_all({"x": Probed(str(tmp_path))}, connect=lambda sink: RespondingTransport())
    assert found == {"x": [f"cannot read {tmp_path}: Is a directory"]}
