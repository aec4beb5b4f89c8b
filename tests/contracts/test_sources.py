"""What every source must keep to, by existing: found by the name of its file. FED_WITH tells how it gets its input."""

from __future__ import annotations

import ast
import inspect
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import component
from logrouter.event import ATTRIBUTES
from logrouter.framing import Frame
from logrouter.sources import Emit, Source, SourceConfig, Stream
from logrouter.supervised import Connection
from logrouter.values import Size
from tests.container_files import FORMATS, Written

NAMES = component.names("sources")


@contextmanager
def stdin_fed_with(data: bytes, **options: Any) -> Iterator[Source[Any]]:
    """A source whose input is this and then ends. Small enough for a pipe that has not grown."""
    loaded = component.load("sources", "stdin")
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    try:
        yield loaded(loaded.Config(**options), reader)
    finally:
        os.close(reader)


@contextmanager
def file_fed_with(data: bytes, **options: Any) -> Iterator[Source[Any]]:
    """A source of one file that holds this and does not grow."""
    loaded = component.load("sources", "file")
    with TemporaryDirectory() as folder:
        (Path(folder) / "app.log").write_bytes(data)
        yield loaded(loaded.Config(include=[f"{folder}/*.log"], start="beginning", follow=False, **options))


@contextmanager
def container_fed_with(name: str, data: bytes, **options: Any) -> Iterator[Source[Any]]:
    """A source of one container's file, whose last line goes on."""
    loaded = component.load("sources", name)
    *lines, unfinished = data.split(b"\n")
    written = [
        *(Written("stderr", line) for line in lines),
        *([Written("stderr", unfinished, ends=False)] * bool(unfinished)),
    ]
    with TemporaryDirectory() as folder:
        Path(folder, "app.log").write_bytes(b"".join(map(FORMATS[name], written)))
        yield loaded(loaded.Config(include=[f"{folder}/*.log"], start="beginning", follow=False, **options))


@contextmanager
def journald_fed_with(data: bytes, **options: Any) -> Iterator[Source[Any]]:
    """A source of a journal with an entry for each line, and then the beginning of one."""
    loaded = component.load("sources", "journald")
    *messages, unfinished = data.decode().split("\n")
    entries = [f"__CURSOR=i={number}\nMESSAGE={message}\n\n" for number, message in enumerate(messages)]
    with TemporaryDirectory() as folder:
        export, program = Path(folder, "export"), Path(folder, "journalctl")
        export.write_text("".join(entries) + f"__CURSOR=i=x\nMESSAGE={unfinished}")
        program.write_text(f"#!/bin/sh\nexec cat {export}\n")
        program.chmod(0o755)
        yield loaded(loaded.Config(journalctl=str(program), start="beginning", follow=False, **options))


@contextmanager
def run_fed_with(data: bytes, **options: Any) -> Iterator[Source[Any]]:
    """A source whose app has written this to stdout, and ended."""
    loaded = component.load("sources", "run")
    pipes = [os.pipe() for _ in range(4)]
    (stdout, app_stdout), (stderr, app_stderr), (wake, supervisor), (listener, status) = pipes
    os.write(app_stdout, data)
    os.close(app_stdout)
    os.close(app_stderr)
    os.write(supervisor, b"end 1\n")
    handshake = {"app": "app", "streams": {"stdout": stdout, "stderr": stderr}, "wake": wake, "status": status}
    try:
        yield loaded(loaded.Config(**options), Connection(handshake))
    finally:
        for fd in (stdout, stderr, wake, supervisor, listener, status):
            os.close(fd)


FED_WITH: dict[str, Callable[..., Any]] = {
    "cri": partial(container_fed_with, "cri"),
    "docker": partial(container_fed_with, "docker"),
    "file": file_fed_with,
    "journald": journald_fed_with,
    "run": run_fed_with,
    "stdin": stdin_fed_with,
}
TEXT_OF: dict[str, Callable[[bytes], bytes]] = {"journald": lambda line: json.loads(line)["message"].encode()}
"""Where the lines that it emits are not those that it was fed with: how one is found in the other."""
every_source = pytest.mark.parametrize("name", NAMES)
every_source_of_lines = pytest.mark.parametrize("name", [name for name in NAMES if name not in TEXT_OF])


def collector(frames: list[Frame], slowness: int = 1) -> Emit:
    """An `emit` that takes so many turns of the others for each frame."""

    async def emit(frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None) -> None:
        for _ in range(slowness):
            await trio.lowlevel.checkpoint()
        assert received_ns > 0
        frames.append(frame)

    return emit


def lines_of(name: str, frames: list[Frame]) -> list[bytes]:
    text_of = TEXT_OF.get(name, bytes)
    return [text_of(line) for frame in frames for line in frame.lines]


def test_there_is_a_way_to_feed_each() -> None:
    assert set(NAMES) == set(FED_WITH)


@every_source
def test_its_file_tells_users_what_it_does(name: str) -> None:
    assert len((component.load_module("sources", name).__doc__ or "").splitlines()) >= 3
    assert component.load("sources", name).__doc__


@every_source
def test_its_attributes_are_listed(name: str) -> None:
    with FED_WITH[name](b"") as source:
        assert source.attributes.keys() <= set(ATTRIBUTES)


@every_source
def test_every_option_is_explained_below_it(name: str) -> None:
    for base in component.load("sources", name).Config.__mro__:
        if not issubclass(base, SourceConfig):
            break
        (definition,) = ast.parse(inspect.getsource(base)).body
        assert isinstance(definition, ast.ClassDef)
        for statement, after in zip(definition.body, [*definition.body[1:], None], strict=True):
            if isinstance(statement, ast.AnnAssign):
                explained = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                assert explained, f"{base.__name__}.{ast.unparse(statement.target)} has no docstring"


@every_source
def test_its_attributes_are_plain_values_that_routing_may_share(name: str) -> None:
    with FED_WITH[name](b"") as source:
        attributes = source.attributes
        assert {type(value) for value in attributes.values()} <= {str, int, bool}
        assert not {"source", "host", "received"} & set(attributes)
        assert source.attributes == attributes
        assert isinstance(source.live, bool)


@every_source_of_lines
@settings(max_examples=10, deadline=None)
@given(data=st.binary(max_size=200), slowness=st.integers(1, 5))
def test_all_that_comes_in_is_emitted_in_order(name: str, data: bytes, slowness: int) -> None:
    data = data.replace(b"\r", b"-")
    if name == "docker":  # which replaces such bytes itself
        data = data.decode("utf-8", "replace").encode()
    frames: list[Frame] = []
    with FED_WITH[name](data) as source:
        trio.run(source.run, collector(frames, slowness))
    assert lines_of(name, frames) == [line for line in data.split(b"\n") if line]
    parts = data.removesuffix(b"\n").split(b"\n") if data else []
    assert sum(frame.empty for frame in frames) == parts.count(b"")


@every_source_of_lines
def test_lines_that_belong_together_are_one_event(name: str) -> None:
    frames: list[Frame] = []
    data = b'an error\nTraceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: x\nfine\n'
    with FED_WITH[name](data, multiline="auto") as source:
        trio.run(source.run, collector(frames))
    assert lines_of(name, frames) == [data[: data.index(b"\nfine")], b"fine"]


@every_source_of_lines
def test_every_frame_is_its_lines_joined(name: str) -> None:
    frames: list[Frame] = []
    with FED_WITH[name](b"one\n\ntwo\r\n" + b"x" * 150 + b"\nlast", max_line=Size(64)) as source:
        trio.run(source.run, collector(frames))
    for frame in frames:
        assert frame.block == b"\n".join(frame.lines)
        assert all(frame.lines)
        assert set(frame.marks) <= set(range(len(frame.lines)))
    assert b"".join(lines_of(name, frames)) == b"onetwo" + b"x" * 150 + b"last"
    assert sum(len(frame.marks) for frame in frames) == 3


@every_source
def test_stopped_before_it_runs_it_returns(name: str) -> None:
    frames: list[Frame] = []
    with FED_WITH[name](b"one\n") as source:
        source.stop()
        source.stop()
        trio.run(source.run, collector(frames))
    assert lines_of(name, frames) == []


@every_source
def test_stopped_while_it_emits_it_loses_nothing_of_what_it_has_read(name: str) -> None:
    """The unfinished line too has been read; where it can be read again, its stream's position is before it."""
    frames: list[Frame] = []
    positions: list[bytes | None] = []
    take = collector(frames)
    with FED_WITH[name](b"one\ntwo\nunfinished") as source:

        async def emit(
            frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None
        ) -> None:
            if frame.lines:
                source.stop()
                positions.append(position)
            await take(frame, received_ns)

        trio.run(source.run, emit)
    unfinished = [b"unfinished"] if positions[-1] is None else []
    assert lines_of(name, frames) == [b"one", b"two", *unfinished]
